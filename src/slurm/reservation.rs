//! Reservations as scontrol(1) writes them: `ReservationName=r1 StartTime=now Duration=60 Users=alice NodeCnt=2`.

use super::{begin, count, hostlist, time::TimeLimit};
use chrono::{DateTime, TimeZone};
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
    /// `Flags=`, in capitals
    pub flags: Option<Changes>,
}

/// The flags that are known here: over running jobs, over other reservations.
pub const FLAGS: [&str; 3] = ["IGNORE_JOBS", "MAINT", "OVERLAP"];

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
            let flags = list(value, sign).into_iter().map(|(sign, flag)| (sign, flag.to_ascii_uppercase()));
            let flags: Changes = flags.collect();
            if let Some((_, flag)) = flags.iter().find(|(_, flag)| !FLAGS.contains(&flag.as_str())) {
                return Err(format!("Error parsing flags {flag}: {} are known here.", FLAGS.join(", ")));
            }
            asked.flags = Some(flags);
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
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    proptest! {
        #[test]
        fn any_words(words in proptest::collection::vec("(start|end|dur|nodes|nodecnt|u|acc|flags|res)?=?\\PC{0,12}", 0..5)) {
            let _ = parse(&words, &DateTime::from_timestamp(1000, 0).unwrap());
        }
    }
}
