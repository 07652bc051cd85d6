//! Reservations: nodes that are kept for some at some time.

use crate::slurm::reservation::Repeat;
use chrono::TimeZone;
use serde::{Deserialize, Serialize};

/// A reservation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// When it begins, epoch seconds.
    pub start: i64,
    /// When it ends, epoch seconds.
    pub end: i64,
    /// Its nodes, in the configuration's order.
    pub nodes: Vec<String>,
    /// CPUs over them.
    pub cpus: u32,
    /// The partition its nodes were chosen from.
    pub partition: Option<String>,
    /// Who may use it; empty: whoever is of the accounts.
    pub users: Vec<String>,
    /// Of which accounts who may use it; empty: any.
    pub accounts: Vec<String>,
    /// `MAINT`, ... as they are shown, in that order.
    pub flags: Vec<String>,
    /// For how long nobody may use it before it goes (`PURGE_COMP`), seconds.
    #[serde(default = "idle_time")]
    pub purge: i64,
    /// Since when nobody uses it, epoch seconds; not before it has begun.
    #[serde(default)]
    pub idle_since: Option<i64>,
    /// Of one that stays ahead of the clock (`TIME_FLOAT`), how far.
    #[serde(default)]
    pub float: Option<Float>,
}

/// How long one stays idle by default: five minutes.
pub fn idle_time() -> i64 {
    300
}

/// How far a reservation stays ahead of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Float {
    /// So many seconds to its start, always.
    pub ahead: i64,
    /// So long it lasts, seconds; `None`: till an end that does not move.
    pub lasts: Option<i64>,
}

impl Reservation {
    /// Whether it is in force.
    pub fn is_active(&self, now: i64) -> bool {
        self.start <= now && now < self.end
    }

    /// Whether it is in force at some time from `from` until before `to`.
    pub fn overlaps(&self, from: i64, to: i64) -> bool {
        self.start < to && from < self.end
    }

    /// Whether a user's job of an account may use it.
    pub fn admits(&self, user: &str, account: Option<&str>) -> bool {
        let user_may = self.users.is_empty() || self.users.iter().any(|name| name == user);
        user_may && (self.accounts.is_empty() || account.is_some_and(|a| self.accounts.iter().any(|name| name == a)))
    }

    /// How it comes again, if it does.
    pub fn repeat(&self) -> Option<Repeat> {
        Repeat::FLAGS.iter().find(|(flag, _)| self.has(flag)).map(|(_, repeat)| *repeat)
    }

    /// One that floats is ahead of `now`.
    pub fn float_to(&mut self, now: i64) {
        if let Some(Float { ahead, lasts }) = self.float {
            self.start = now.saturating_add(ahead);
            self.end = lasts.map_or(self.end, |lasts| self.start.saturating_add(lasts));
            self.start = self.start.min(self.end);
        }
    }

    /// Goes on to the next time it comes, if it comes again.
    pub fn go_on<Tz: TimeZone>(&mut self, zone: &Tz) -> bool {
        let next = self.repeat().filter(|_| self.float.is_none()).and_then(|r| r.next((self.start, self.end), zone));
        if let Some(next) = next {
            (self.start, self.end) = next;
            self.idle_since = None;
        }
        next.is_some()
    }

    /// Whether it and another are ever in force together, up to a week from where both have begun.
    pub fn meets<Tz: TimeZone>(&self, other: &Self, zone: &Tz) -> bool {
        let horizon = self.start.max(other.start).saturating_add(7 * 86_400);
        let (mut one, mut two) = (self.clone(), other.clone());
        loop {
            if one.overlaps(two.start, two.end) {
                return true;
            }
            // Whichever is over first comes again, if it does.
            let first = if one.end <= two.end { &mut one } else { &mut two };
            if first.start > horizon || !first.go_on(zone) {
                return false;
            }
        }
    }

    /// Whether a job of it may begin before it, end after it, and be on other nodes.
    pub fn is_loose(&self) -> bool {
        self.has("FLEX")
    }

    /// Whether a job of it may be on other nodes.
    pub fn is_anywhere(&self) -> bool {
        self.is_loose() || self.has("ANY_NODES")
    }

    /// Whether it has a flag.
    pub fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|has| has == flag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-28T10:00:00Z, a Saturday.
    const SATURDAY: i64 = 1_795_860_000;
    const DAY: i64 = 86_400;

    fn comes(flag: &str, start: i64, lasts: i64) -> Reservation {
        Reservation { start, end: start + lasts, flags: vec![flag.into()], ..Reservation::default() }
    }

    #[test]
    fn it_comes_again() {
        let days = |flag: &str, from: i64| {
            let mut it = comes(flag, SATURDAY + from * DAY, 3600);
            assert!(it.go_on(&chrono::Utc));
            assert_eq!(it.end - it.start, 3600);
            (it.start - SATURDAY - from * DAY) / DAY
        };
        // From Saturday on.
        assert_eq!((0..7).map(|from| days("WEEKDAY", from)).collect::<Vec<_>>(), [2, 1, 1, 1, 1, 1, 3]);
        assert_eq!((0..7).map(|from| days("WEEKEND", from)).collect::<Vec<_>>(), [1, 6, 5, 4, 3, 2, 1]);
        assert_eq!((days("DAILY", 0), days("WEEKLY", 3)), (1, 7));
        let mut hourly = comes("HOURLY", SATURDAY, 60);
        assert!(hourly.go_on(&chrono::Utc) && hourly.start == SATURDAY + 3600);
        assert!(!comes("MAINT", SATURDAY, 60).go_on(&chrono::Utc));
    }

    #[test]
    fn they_meet_if_not_today() {
        let meet = |a: &Reservation, b: &Reservation| (a.meets(b, &chrono::Utc), b.meets(a, &chrono::Utc));
        let daily = comes("DAILY", SATURDAY, 3600);
        let once = |start| comes("", start, 3600);
        assert_eq!(meet(&daily, &once(SATURDAY + 5 * DAY + 1800)), (true, true));
        assert_eq!(meet(&daily, &once(SATURDAY + 5 * DAY + 3600)), (false, false));
        assert_eq!(meet(&daily, &once(SATURDAY + 400 * DAY)), (true, true));
        assert_eq!(meet(&daily, &once(SATURDAY - 3600)), (false, false));
        assert_eq!(meet(&comes("HOURLY", SATURDAY, 60), &comes("WEEKLY", SATURDAY + 2 * 3600 + 59, 1)), (true, true));
        assert_eq!(meet(&comes("HOURLY", SATURDAY, 60), &comes("HOURLY", SATURDAY + 60, 60)), (false, false));
        assert_eq!(meet(&comes("WEEKDAY", SATURDAY + 2 * DAY, 60), &comes("WEEKEND", SATURDAY, 60)), (false, false));
    }

    #[test]
    fn one_that_floats_stays_ahead() {
        let mut it = Reservation { float: Some(Float { ahead: 60, lasts: Some(10) }), ..comes("DAILY", 0, 1) };
        it.float_to(100);
        assert_eq!((it.start, it.end, it.go_on(&chrono::Utc)), (160, 170, false));
        it.float = Some(Float { ahead: 60, lasts: None });
        it.float_to(105);
        assert_eq!((it.start, it.end), (165, 170));
        it.float_to(300);
        assert!(it.start == 170 && it.end == 170);
    }

    #[test]
    fn who_may_use_it_and_when() {
        let users = Reservation { start: 10, end: 20, users: vec!["a".into()], ..Reservation::default() };
        assert!(users.is_active(10) && !users.is_active(20) && !users.is_active(9));
        assert!(users.overlaps(0, 11) && !users.overlaps(0, 10) && users.overlaps(19, 30) && !users.overlaps(20, 30));
        assert!(users.admits("a", None) && !users.admits("b", Some("x")));
        let accounts = Reservation { accounts: vec!["x".into()], ..Reservation::default() };
        assert!(accounts.admits("b", Some("x")) && !accounts.admits("b", None));
    }
}
