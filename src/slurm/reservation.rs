//! Reservations as scontrol(1) writes them: `ReservationName=r1 StartTime=now Duration=60 Users=alice NodeCnt=2`.

use super::{
    begin, count, hostlist,
    time::{self, TimeLimit},
};
use chrono::{DateTime, Datelike, Days, Duration, NaiveDateTime, TimeZone, Weekday};
use serde::{Deserialize, Serialize};

/// How a value stands to what is there: `=`, `+=`, `-=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sign {
    /// Instead of it.
    Set,
    /// Added to it.
    Add,
    /// Taken from it.
    Remove,
}

/// What becomes of a list, one by one: `a,-b`, or as a whole by the sign of its key.
pub type Changes = Vec<(Sign, String)>;

/// Changes a list as asked: what is set takes the place of all of it.
pub fn change(list: &mut Vec<String>, asked: Option<Changes>) {
    let Some(asked) = asked else { return };
    if asked.is_empty() || asked.iter().any(|(sign, _)| *sign == Sign::Set) {
        list.clear();
    }
    for (sign, name) in asked {
        match sign {
            Sign::Remove => list.retain(|other| *other != name),
            Sign::Set | Sign::Add if list.contains(&name) => {}
            Sign::Set | Sign::Add => list.push(name),
        }
    }
}

/// What is asked of a reservation that is made or changed; what is not said is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// `ReservationName=`
    pub name: Option<String>,
    /// `StartTime=`, epoch seconds
    pub start: Option<i64>,
    /// `EndTime=`, epoch seconds
    pub end: Option<i64>,
    /// `Duration=`
    pub duration: Option<(Sign, TimeLimit)>,
    /// `Nodes=`, expanded; `ALL` stands alone.
    pub nodes: Option<Vec<String>>,
    /// `NodeCnt=`
    pub node_count: Option<u32>,
    /// `Users=`
    pub users: Option<Changes>,
    /// `Accounts=`
    pub accounts: Option<Changes>,
    /// `PartitionName=`
    pub partition: Option<String>,
    /// `Flags=`, as they are shown
    pub flags: Option<Changes>,
    /// The time of `PURGE_COMP=`, seconds
    pub purge: Option<u64>,
}

/// A flag of reservations.
struct Flag {
    /// What it is called where it is shown.
    shown: &'static str,
    /// What it is called where it is asked for: any beginning of that will do.
    written: &'static str,
    /// Of so many letters.
    least: usize,
    /// By which signs.
    signs: &'static [Sign],
}

const fn flag(shown: &'static str, written: &'static str, least: usize, signs: &'static [Sign]) -> Flag {
    Flag { shown, written, least, signs }
}

const ANY: &[Sign] = &[Sign::Set, Sign::Add, Sign::Remove];
const STAYS: &[Sign] = &[Sign::Set, Sign::Add];

/// The flags, in the order in which they are shown; what none may ask for is raised by what else was asked.
#[rustfmt::skip]
const FLAGS: &[Flag] = &[
    flag("MAINT", "MAINTENANCE", 3, ANY),
    flag("FLEX", "FLEX", 1, ANY),
    flag("OVERLAP", "OVERLAP", 1, STAYS),
    flag("IGNORE_JOBS", "IGNORE_JOBS", 1, ANY),
    flag("HOURLY", "HOURLY", 1, ANY),
    flag("DAILY", "DAILY", 1, ANY),
    flag("WEEKDAY", "WEEKDAY", 1, ANY),
    flag("WEEKEND", "WEEKEND", 1, ANY),
    flag("WEEKLY", "WEEKLY", 1, ANY),
    flag("SPEC_NODES", "SPEC_NODES", 1, &[]),
    flag("ALL_NODES", "ALL_NODES", 1, &[]),
    flag("ANY_NODES", "ANY_NODES", 1, ANY),
    flag("ANY_NODES", "LICENSE_ONLY", 1, ANY),
    flag("STATIC", "STATIC_ALLOC", 1, ANY),
    flag("PART_NODES", "PART_NODES", 2, ANY),
    flag("FIRST_CORES", "FIRST_CORES", 1, STAYS),
    flag("TIME_FLOAT", "TIME_FLOAT", 1, &[Sign::Set]),
    flag("REPLACE_DOWN", "REPLACE_DOWN", 8, STAYS),
    flag("PURGE_COMP", "PURGE_COMP", 2, ANY),
    flag("NO_HOLD_JOBS_AFTER_END", "NO_HOLD_JOBS_AFTER_END", 1, STAYS),
    flag("MAGNETIC", "MAGNETIC", 3, ANY),
    flag("MAGNETIC", "PROMISCUOUS", 2, ANY),
];

/// Sorts flags as they are shown.
pub fn sort_flags(flags: &mut [String]) {
    flags.sort_by_key(|flag| FLAGS.iter().position(|known| known.shown == flag));
}

/// How a reservation comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// `HOURLY`
    Hourly,
    /// `DAILY`
    Daily,
    /// `WEEKDAY`: Monday to Friday
    Weekday,
    /// `WEEKEND`: Saturday and Sunday
    Weekend,
    /// `WEEKLY`
    Weekly,
}

impl Repeat {
    /// The flags that say so; of several the first counts.
    pub const FLAGS: [(&'static str, Repeat); 5] = [
        ("HOURLY", Repeat::Hourly),
        ("DAILY", Repeat::Daily),
        ("WEEKDAY", Repeat::Weekday),
        ("WEEKEND", Repeat::Weekend),
        ("WEEKLY", Repeat::Weekly),
    ];

    /// How far the next one is from one that begins then: days, hours. Slurm asks what day it is when one has ended, so that a
    /// Friday's that lasts beyond midnight comes again on Sunday.
    fn step(self, start: NaiveDateTime) -> (u64, i64) {
        match (self, start.weekday()) {
            (Repeat::Hourly, _) => (0, 1),
            (Repeat::Weekday, Weekday::Fri) => (3, 0),
            (Repeat::Weekday, Weekday::Sat) => (2, 0),
            (Repeat::Weekend, Weekday::Sun) => (6, 0),
            (Repeat::Weekend, day) if day != Weekday::Sat => (5 - u64::from(day.num_days_from_monday()), 0),
            (Repeat::Daily | Repeat::Weekday | Repeat::Weekend, _) => (1, 0),
            (Repeat::Weekly, _) => (7, 0),
        }
    }

    /// Start and end of the one after that, by the clock on the wall, as mktime(3) has it: a daily one from nine to ten stays so when the
    /// clocks are changed. `None` at the end of time.
    pub fn next<Tz: TimeZone>(self, (start, end): (i64, i64), zone: &Tz) -> Option<(i64, i64)> {
        let local = |at| Some(DateTime::from_timestamp(at, 0)?.with_timezone(zone).naive_local());
        let (days, hours) = self.step(local(start)?);
        let moved = |at| {
            let to = local(at)?.checked_add_days(Days::new(days))?.checked_add_signed(Duration::hours(hours))?;
            begin::epoch(to, zone)
        };
        let next = moved(start)?;
        // An hour that is left out or comes twice makes none of them empty.
        let ends = moved(end).filter(|end| *end > next).unwrap_or(next + (end - start));
        (next > start).then_some((next, ends))
    }
}

/// One word of `Flags=`, as shown. Once a sign was written it stands for all that follow.
fn read_flags(text: &str, key: Sign) -> Option<(Changes, Option<u64>)> {
    let (mut sign, mut changes, mut purge) = (key, Changes::new(), None);
    for word in text.split(',').filter(|word| !word.is_empty()) {
        let (mark, word) = match (word.strip_prefix('+'), word.strip_prefix('-')) {
            (Some(word), _) => (Sign::Add, word),
            (_, Some(word)) => (Sign::Remove, word),
            _ => (sign, word),
        };
        sign = mark;
        let (name, time) = word.split_once('=').map_or((word, None), |(name, time)| (name, Some(time)));
        let known = FLAGS.iter().find(|f| is(name, f.written, f.least) && f.signs.contains(&sign))?;
        match time {
            Some(_) if known.shown != "PURGE_COMP" => return None,
            // What is no time is passed over, as Slurm does.
            Some(time) => purge = time::seconds(time).ok().flatten(),
            None => {}
        }
        changes.push((sign, known.shown.to_owned()));
    }
    Some((changes, purge))
}

impl Asked {
    /// Whether a flag is to be raised.
    pub fn raises(&self, flag: &str) -> bool {
        self.flags.iter().flatten().any(|(sign, name)| *sign != Sign::Remove && name == flag)
    }

    /// `Nodes=ALL`
    pub fn wants_all_nodes(&self) -> bool {
        self.nodes.as_ref().is_some_and(|nodes| nodes == &["ALL"])
    }
}

/// Whether `key` is a beginning of `name` of at least so many letters, in any case.
fn is(key: &str, name: &str, least: usize) -> bool {
    key.len() >= least && name.get(..key.len()).is_some_and(|start| start.eq_ignore_ascii_case(key))
}

/// `a,b`, each as its key says, or as the mark in front of it does.
fn list(text: &str, sign: Sign) -> Changes {
    let one = |word: &str| match (word.strip_prefix('+'), word.strip_prefix('-')) {
        (Some(name), _) => (Sign::Add, name.to_owned()),
        (_, Some(name)) => (Sign::Remove, name.to_owned()),
        _ => (sign, word.to_owned()),
    };
    text.split(',').filter(|word| !word.is_empty()).map(one).collect()
}

/// Reads the words behind `create reservation` or `update`.
///
/// # Errors
/// As scontrol says it, without what was not done for it.
pub fn parse<Tz: TimeZone>(words: &[String], now: &DateTime<Tz>) -> Result<Asked, String> {
    let mut asked = Asked::default();
    for word in words {
        let (key, value) = word.split_once('=').ok_or_else(|| format!("Unknown parameter {word}."))?;
        let (key, sign) = match (key.strip_suffix('+'), key.strip_suffix('-')) {
            (Some(key), _) => (key, Sign::Add),
            (_, Some(key)) => (key, Sign::Remove),
            _ => (key, Sign::Set),
        };
        let time = |what| begin::parse(value, now.clone()).map_err(|_| format!("Invalid {what} time {word}."));
        if is(key, "reservationname", 11) || is(key, "reservation", 3) {
            asked.name = Some(value.to_owned());
        } else if is(key, "starttime", 1) {
            asked.start = Some(time("start")?);
        } else if is(key, "endtime", 1) {
            asked.end = Some(time("end")?);
        } else if is(key, "duration", 1) {
            asked.duration = Some((sign, value.parse().map_err(|_| format!("Invalid duration {word}."))?));
        } else if is(key, "nodecnt", 5) || is(key, "nodecount", 5) {
            asked.node_count = Some(count::parse_count(value).map_err(|_| format!("Invalid node count {word}."))?);
        } else if is(key, "nodes", 5) && sign != Sign::Set {
            return Err("The +=/-= notation is not supported when updating nodes.".to_owned());
        } else if is(key, "nodes", 5) {
            let names = hostlist::expand(value).map_err(|_| format!("Invalid node list {word}."))?;
            asked.nodes = Some(if value.eq_ignore_ascii_case("all") { vec!["ALL".into()] } else { names });
        } else if is(key, "users", 1) {
            asked.users = Some(list(value, sign));
        } else if is(key, "accounts", 1) {
            asked.accounts = Some(list(value, sign));
        } else if is(key, "partitionname", 1) {
            asked.partition = Some(value.to_owned());
        } else if is(key, "flags", 2) {
            let mark = match sign {
                Sign::Set => "",
                Sign::Add => "+",
                Sign::Remove => "-",
            };
            if value.split(',').any(|word| word.eq_ignore_ascii_case("replace")) {
                return Err(
                    "REPLACE is not supported: a reservation keeps its nodes, also those that jobs have.".into()
                );
            }
            let read = read_flags(value, sign).filter(|_| sign == Sign::Set || !value.is_empty());
            let (flags, purge) = read.ok_or_else(|| format!("Error parsing flags {mark}{value}."))?;
            (asked.flags, asked.purge) = (Some(flags), purge.or(asked.purge));
        } else {
            return Err(format!("Unknown parameter {word}."));
        }
    }
    Ok(asked)
}

/// What a new reservation lacks.
///
/// # Errors
/// As scontrol says it.
pub fn is_complete(asked: &Asked) -> Result<(), &'static str> {
    match asked {
        Asked { start: None, .. } => Err("A start time must be given."),
        Asked { end: None, duration: None, .. } => Err("An end time or duration must be given."),
        Asked { nodes: None, node_count: None, .. } => {
            Err("CoreCnt, Nodes, NodeCnt, BurstBuffer, Licenses or Watts must be specified.")
        }
        Asked { users: None, accounts: None, .. } => Err("Either Users/Groups and/or Accounts must be specified."),
        asked if asked.raises("PART_NODES") && (asked.partition.is_none() || !asked.wants_all_nodes()) => {
            Err("PART_NODES flag requires specifying a Partition and ALL nodes.")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{FixedOffset, MappedLocalTime, NaiveDate};
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Asked, String> {
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        parse(&words, &DateTime::from_timestamp(1000, 0).unwrap())
    }

    #[test]
    fn words_are_read_by_their_beginnings() {
        let asked = read("ReservationName=r1 start=now dur=1:30:00 user=a,b nodes=n[1-2] fl=maint").unwrap();
        let words = |text: &str| Some(list(text, Sign::Set));
        let wanted = Asked {
            name: Some("r1".into()),
            start: Some(1000),
            duration: Some((Sign::Set, TimeLimit::Minutes(90))),
            users: words("a,b"),
            nodes: Some(vec!["n1".into(), "n2".into()]),
            flags: words("MAINT"),
            ..Asked::default()
        };
        assert_eq!(asked, wanted);
        assert_eq!(read("nodes=ALL").unwrap().nodes, Some(vec!["ALL".into()]));
    }

    #[test]
    fn lists_are_changed_by_their_signs() {
        let changed = |text: &str| {
            let mut users = vec!["a".to_owned(), "b".to_owned()];
            change(&mut users, read(text).unwrap().users);
            users.join(",")
        };
        for (text, left) in
            [("user=c", "c"), ("users+=c,a", "a,b,c"), ("users-=a", "b"), ("users=-a,+c", "b,c"), ("users=", "")]
        {
            assert_eq!(changed(text), left, "{text}");
        }
        assert_eq!(read("duration+=30").unwrap().duration, Some((Sign::Add, TimeLimit::Minutes(30))));
        assert_eq!(read("nodes+=n1").unwrap_err(), "The +=/-= notation is not supported when updating nodes.");
    }

    /// As a real one said it.
    #[test]
    fn what_is_wrong_or_missing_is_said() {
        assert_eq!(read("duration=bogus").unwrap_err(), "Invalid duration duration=bogus.");
        assert_eq!(read("color=blue").unwrap_err(), "Unknown parameter color=blue.");
        let lacks = |text: &str| is_complete(&read(text).unwrap());
        assert_eq!(lacks("duration=60 users=a nodecnt=1"), Err("A start time must be given."));
        assert_eq!(lacks("start=now users=a nodecnt=1"), Err("An end time or duration must be given."));
        assert!(lacks("start=now dur=60 users=a").unwrap_err().starts_with("CoreCnt, Nodes, NodeCnt, "));
        assert!(lacks("start=now dur=60 nodecnt=2").unwrap_err().starts_with("Either Users/Groups "));
        assert_eq!(lacks("start=now dur=60 nodecnt=2 acc=a"), Ok(()));
    }

    #[test]
    fn flags_are_read_by_their_beginnings_and_shown_in_full() {
        let flags = |text: &str| {
            let (mut list, asked) = (Vec::new(), read(text)?);
            change(&mut list, asked.flags);
            sort_flags(&mut list);
            Ok::<_, String>((list.join(","), asked.purge))
        };
        let all = "flags=w,mag,static,lic,pr,mai,d,no_hold_jobs_after,purge_comp=2-0,f";
        let shown = "MAINT,FLEX,DAILY,WEEKDAY,ANY_NODES,STATIC,PURGE_COMP,NO_HOLD_JOBS_AFTER_END,MAGNETIC";
        assert_eq!(flags(all), Ok((shown.into(), Some(172_800))));
        assert_eq!(flags("flags=purge_comp=1:30,h"), Ok(("HOURLY,PURGE_COMP".into(), Some(90))));
        assert_eq!(flags("flags=purge_comp=bogus"), Ok(("PURGE_COMP".into(), None)));
        // As a real one said it.
        for (text, words) in [
            ("flags=m", "Error parsing flags m."),
            ("flags=daily,bogus", "Error parsing flags daily,bogus."),
            ("flags-=overlap", "Error parsing flags -overlap."),
            ("flags+=time_float", "Error parsing flags +time_float."),
            ("flags+=", "Error parsing flags +."),
            ("flags=SPEC_NODES", "Error parsing flags SPEC_NODES."),
        ] {
            assert_eq!(flags(text), Err(words.into()));
        }
        let removed = read("flags=-weekly,daily").unwrap().flags.unwrap();
        assert!(removed.iter().all(|(sign, _)| *sign == Sign::Remove) && removed.len() == 2);
    }

    /// Berlin as it is in 2026, as far as the last Sunday in October: an hour back at 03:00.
    #[derive(Clone, Copy, Debug)]
    struct Autumn;

    impl TimeZone for Autumn {
        type Offset = FixedOffset;
        fn from_offset(_: &FixedOffset) -> Self {
            Autumn
        }
        fn offset_from_local_date(&self, _: &NaiveDate) -> MappedLocalTime<FixedOffset> {
            MappedLocalTime::None
        }
        fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> MappedLocalTime<FixedOffset> {
            let [summer, winter] = [2, 1].map(|hours| FixedOffset::east_opt(hours * 3600).unwrap());
            match local.and_utc().timestamp() {
                before if before < CHANGE + 3600 => MappedLocalTime::Single(summer),
                twice if twice < CHANGE + 7200 => MappedLocalTime::Ambiguous(summer, winter),
                _ => MappedLocalTime::Single(winter),
            }
        }
        fn offset_from_utc_date(&self, _: &NaiveDate) -> FixedOffset {
            FixedOffset::east_opt(0).unwrap()
        }
        fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> FixedOffset {
            let hours = if utc.and_utc().timestamp() < CHANGE { 2 } else { 1 };
            FixedOffset::east_opt(hours * 3600).unwrap()
        }
    }

    /// 2026-10-25T01:00:00Z
    const CHANGE: i64 = 1_792_890_000;

    #[test]
    fn a_daily_one_keeps_its_hour_when_the_clocks_are_changed() {
        // 09:00 in summer is 07:00 in Greenwich, in winter 08:00.
        let saturday = CHANGE - 18 * 3600;
        let next = Repeat::Daily.next((saturday, saturday + 3600), &Autumn);
        assert_eq!(next, Some((saturday + 25 * 3600, saturday + 26 * 3600)));
        // Of the hour that comes twice the first; an hour behind that it is the third.
        let hourly = |at| Repeat::Hourly.next((at, at + 60), &Autumn).map(|(start, _)| start - CHANGE);
        assert_eq!(hourly(CHANGE - 2 * 3600), Some(-3600));
        assert_eq!(hourly(CHANGE - 3600), Some(3600));
    }

    proptest! {
        #[test]
        fn any_words(words in proptest::collection::vec("(start|end|dur|nodes|nodecnt|u|acc|flags|res)?=?\\PC{0,12}", 0..5)) {
            let _ = parse(&words, &DateTime::from_timestamp(1000, 0).unwrap());
        }
    }
}
