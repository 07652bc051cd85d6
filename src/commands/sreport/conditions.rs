//! What stands behind a report's name: `Start=`, `Users=`, `Tree`, ...

use super::{Means, begins};
use crate::{
    report::usage::{Report, Window},
    slurm::begin,
};
use chrono::{DateTime, Local, NaiveTime, TimeDelta, Timelike};

/// An hour.
const HOUR: i64 = 3600;

/// What a report is to be about.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// The time.
    pub window: Window,
    /// `Format=`
    pub format: Option<String>,
    /// `Clusters=`
    pub clusters: Vec<String>,
    /// `Accounts=`
    pub accounts: Vec<String>,
    /// `Users=`
    pub users: Vec<String>,
    /// `Partitions=`
    pub partitions: Vec<String>,
    /// `Tree`
    pub tree: bool,
    /// `TopCount=`
    pub top: usize,
    /// `Grouping=`
    pub groups: Vec<u64>,
    /// `FlatView`
    pub flat: bool,
    /// `PrintJobCount`
    pub count_jobs: bool,
    /// What could not be read, in Slurm's words; the report is made all the same.
    pub complaints: Vec<String>,
    /// The exit code that follows.
    pub exit: u8,
}

impl Conditions {
    /// Reads the words behind the name of a report. A word without `=` is a cluster, or of reports about users a user.
    pub fn read(words: &[String], means: Means, now: DateTime<Local>) -> Self {
        let mut c = Self {
            window: Window { start: 0, end: 0 },
            format: None,
            clusters: Vec::new(),
            accounts: Vec::new(),
            users: Vec::new(),
            partitions: Vec::new(),
            tree: false,
            top: 10,
            groups: vec![50, 250, 500, 1000],
            flat: false,
            count_jobs: false,
            complaints: Vec::new(),
            exit: 0,
        };
        let (mut start, mut end) = (None, None);
        let of_users = matches!(means, Means::Table(Report::AccountByUser | Report::UserByAccount | Report::TopUsage));
        let of_sizes = matches!(means, Means::Sizes);
        for word in words {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (word.as_str(), None),
            };
            let is = |full: &str, least: usize| begins(full, name, least);
            let list =
                |value: &str| value.split(',').filter(|one| !one.is_empty()).map(str::to_owned).collect::<Vec<_>>();
            let mut time = |value: &str| match begin::parse_past(value, now) {
                Ok(time) => Some(time),
                Err(error) => {
                    c.complaints.push(error.to_string());
                    None
                }
            };
            match value {
                None if is("all_clusters", 1) => {}
                None if of_users && is("Tree", 4) => c.tree = true,
                // Every user has one line for each account; there are no others to put together.
                None if of_users && is("group", 1) => {}
                None if of_sizes && is("PrintJobCount", 2) => c.count_jobs = true,
                None if of_sizes && is("FlatView", 2) => c.flat = true,
                None if of_users => c.users.extend(list(word)),
                None => c.clusters.extend(list(word)),
                Some(value) if is("Start", 1) => start = time(value),
                Some(value) if is("End", 1) => end = time(value).map(|end| end.min(now.timestamp())),
                Some(value) if is("Format", 1) => c.format = Some(value.to_owned()),
                Some(value) if is("Accounts", 2) || is("Acct", 4) => c.accounts.extend(list(value)),
                Some(value) if is("Clusters", 1) => c.clusters.extend(list(value)),
                Some(value) if (of_users || of_sizes) && is("Users", 1) => c.users.extend(list(value)),
                Some(value) if of_sizes && is("Partitions", 2) => c.partitions.extend(list(value)),
                Some(value) if of_sizes && is("Grouping", 2) => {
                    c.groups = value.split(',').filter_map(|n| n.trim().parse().ok()).collect();
                }
                Some(value) if of_users && is("TopCount", 1) && value.parse::<usize>().is_ok() => {
                    c.top = value.parse().unwrap_or(c.top);
                }
                Some(_) => {
                    c.complaints.push(format!(" Unknown condition: {word}"));
                    c.complaints.push("Use keyword set to modify value".to_owned());
                    c.exit = 1;
                }
            }
        }
        c.window = window(start, end, now);
        c
    }
}

/// Whole hours: yesterday, if nothing was said; at least one.
fn window(start: Option<i64>, end: Option<i64>, now: DateTime<Local>) -> Window {
    let midnight = |day: DateTime<Local>| day.with_time(NaiveTime::MIN).earliest().map_or(0, |time| time.timestamp());
    let to_hour = |time: i64| {
        let minute = DateTime::from_timestamp(time, 0).unwrap_or_default().with_timezone(&Local);
        let begun = time - i64::from(minute.minute()) * 60 - i64::from(minute.second());
        if minute.minute() >= 30 { begun + HOUR } else { begun }
    };
    let start = start.map_or_else(|| midnight(now - TimeDelta::days(1)), to_hour);
    let end = end.map_or_else(|| midnight(now), to_hour);
    Window { start, end: end.max(start + HOUR) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    fn read(words: &str, means: Means) -> Conditions {
        let now = Local.with_ymd_and_hms(2026, 11, 27, 21, 52, 7).unwrap();
        Conditions::read(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>(), means, now)
    }

    /// As a real sreport has them.
    #[test]
    fn windows_are_whole_hours() {
        let shown = |words: &str| {
            let Window { start, end } = read(words, Means::Sizes).window;
            [start, end].map(|time| Local.timestamp_opt(time, 0).unwrap().format("%d %H:%M").to_string()).join(" - ")
        };
        for (words, expected) in [
            ("", "26 00:00 - 27 00:00"),
            ("start=2026-11-27", "27 00:00 - 27 01:00"),
            ("start=2026-11-27 end=2026-11-28", "27 00:00 - 27 22:00"),
            ("start=2026-11-27T20:29 end=2026-11-27T21:29", "27 20:00 - 27 21:00"),
            ("start=2026-11-28 end=2026-11-27", "28 00:00 - 28 01:00"),
            ("s=bogus", "26 00:00 - 27 00:00"),
        ] {
            assert_eq!(shown(words), expected, "{words}");
        }
    }

    #[test]
    fn words_are_conditions() {
        let by_user = Means::Table(Report::AccountByUser);
        let c = read("tree alice users=bob,eve acc=research f=login,used topcount=3", by_user);
        assert_eq!(
            (c.tree, c.users.join(","), c.accounts, c.top),
            (true, "alice,bob,eve".into(), vec!["research".into()], 3)
        );
        assert_eq!(read("lab", Means::Table(Report::Utilization)).clusters, ["lab"]);
        let sizes = read("pr fl grouping=10,100", Means::Sizes);
        assert_eq!((sizes.count_jobs, sizes.flat, sizes.groups), (true, true, vec![10, 100]));
        let wrong = read("bogus=3 start=bogus", by_user);
        let lines = [
            " Unknown condition: bogus=3",
            "Use keyword set to modify value",
            "Invalid time specification (pos=0): bogus",
        ];
        assert_eq!((wrong.complaints.as_slice(), wrong.exit), (lines.map(str::to_owned).as_slice(), 1));
    }
}
