//! Reservations: nodes that are kept for some at some time.

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
    /// `MAINT`, ...
    pub flags: Vec<String>,
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

    /// Whether it has a flag.
    pub fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|has| has == flag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
