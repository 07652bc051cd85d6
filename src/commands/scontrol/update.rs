//! `scontrol update JobId=... NAME=VALUE...`.

use super::{Words, jobs, jobs_named, keyword};
use crate::{
    commands::ask::{self, AskError, Said},
    controller::{
        api::{Call, Change, Setting},
        client::Client,
    },
    slurm::{array::JobIdSpec, begin, count::NodeCount, errno::Errno, hostlist, memory::parse_mem, time::TimeLimit},
};

/// A line that ends the update before anything is asked.
type Wrong = Vec<String>;

/// Reads one value: the sign before `=` (`+`, `-` or none) and the text behind it.
type Read = fn(&str, Option<char>) -> Result<Setting, Wrong>;

/// The settings of a job: name, the fewest letters that stand for it, and how its value is read.
#[rustfmt::skip]
const SETTINGS: &[(&str, usize, Read)] = &[
    ("account", 3, |v, _| Ok(Setting::Account(v.into()))),
    ("arraytaskthrottle", 10, |v, _| number(v, "ArrayTaskThrottle").map(Setting::ArrayThrottle)),
    ("comment", 3, |v, _| Ok(Setting::Comment(v.into()))),
    ("cpuspertask", 9, |v, _| number(v, "CPUsPerTask").map(Setting::CpusPerTask)),
    ("deadline", 3, |v, _| when(v).map(Setting::Deadline)),
    ("dependency", 1, |v, _| Ok(Setting::Dependency(v.into()))),
    ("eligibletime", 2, |v, _| time(v)),
    ("excnodelist", 3, |v, _| nodes(v).map(Setting::ExcludeNodes)),
    ("jobname", 4, |v, _| Ok(Setting::Name(v.into()))),
    ("licenses", 1, |v, _| Ok(Setting::Licenses(v.into()))),
    ("minmemorynode", 10, |v, _| memory(v)),
    ("name", 2, |v, _| Ok(Setting::Name(v.into()))),
    ("nice", 2, |v, _| Ok(Setting::Nice(nice(v)))),
    ("nodelist", 8, |v, _| nodes(v).map(Setting::NodeList)),
    ("numcpus", 6, |v, _| number(v, "NumCPUs").map(Setting::CpusPerTask)),
    ("numnodes", 8, |v, _| node_count(v)),
    ("numtasks", 8, |v, _| number(v, "NumTasks").map(Setting::Tasks)),
    ("partition", 2, |v, _| Ok(Setting::Partition(v.split(',').map(str::to_owned).collect()))),
    ("priority", 2, |v, _| number(v, "Priority").map(Setting::Priority)),
    ("qos", 3, |v, _| Ok(Setting::Qos(v.into()))),
    ("reqnodelist", 8, |v, _| nodes(v).map(Setting::NodeList)),
    ("reqnodes", 8, |v, _| node_count(v)),
    ("requeue", 4, |v, _| requeue(v)),
    ("reservationname", 3, |v, _| Ok(Setting::Reservation(v.into()))),
    ("starttime", 2, |v, _| time(v)),
    ("timelimit", 5, time_limit),
    ("timemin", 5, |v, _| v.parse().map(Setting::TimeMin).map_err(|_| vec!["scontrol: error: Invalid TimeMin value".into()])),
];

/// What is not a job's: name, the fewest letters, and why it cannot be changed.
#[rustfmt::skip]
const OTHERS: &[(&str, usize, &str)] = &[
    ("nodename", 8, "nodes are what their engine says"),
    ("frontendname", 5, "there are none"),
    ("partitionname", 13, "partitions are changed in the configuration file"),
    ("slurmctlddebug", 14, "the configuration file says what is logged"),
    ("stepid", 6, "steps have no settings of their own"),
];

/// Changes jobs.
pub fn run(words: &Words) -> Result<Said, AskError> {
    if words.args.is_empty() {
        return Ok(Said::error(format!("too few arguments for {} keyword", words.keyword)));
    }
    let plan = match read(words.args) {
        Ok(plan) => plan,
        Err(err) => return Ok(Said { err, exit: 1, ..Said::default() }),
    };
    let mut client = Client::connect()?;
    let ids = match &plan.jobs {
        Jobs::Ids(ids) => ids.clone(),
        Jobs::Named(name) => jobs_named(&mut client, name)?,
    };
    if let (Jobs::Named(name), []) = (&plan.jobs, ids.as_slice()) {
        return Ok(Said::error(format!("scontrol: error: No jobs with name '{name}'")));
    }
    if ids.is_empty() {
        return Ok(Said::error(Errno::InvalidJobId.to_string()));
    }
    let shown: Vec<String> = ids.iter().map(JobIdSpec::to_string).collect();
    let results = ask::done(&mut client, &Call::Change(ids, Change::Update(plan.settings)))?;
    let failed = shown.iter().zip(results).filter_map(|(id, result)| Some(jobs::failure(id, result.err()?)));
    let err: Vec<String> = failed.collect();
    Ok(Said { exit: u8::from(!err.is_empty()), err, ..Said::default() })
}

/// Which jobs.
#[derive(Debug)]
enum Jobs {
    /// `JobId=`
    Ids(Vec<JobIdSpec>),
    /// `JobName=` and no `JobId=`
    Named(String),
}

#[derive(Debug)]
struct Plan {
    jobs: Jobs,
    settings: Vec<Setting>,
}

/// Whether a word names jobs: `job`, `jobid`.
fn is_job(name: &str) -> bool {
    name.eq_ignore_ascii_case("job") || name.eq_ignore_ascii_case("jobid")
}

/// Whether an update is one of jobs, whatever else it names.
pub fn is_of_jobs(args: &[String]) -> bool {
    args.iter().any(|word| is_job(word.split('=').next().unwrap_or_default()))
}

/// Reads the words of an update.
fn read(args: &[String]) -> Result<Plan, Wrong> {
    // `update job 12 name=x` is taken as well.
    let joined;
    let args = match args {
        [job, id, rest @ ..] if is_job(job) && !id.contains('=') => {
            joined = [&[format!("{job}={id}")], rest].concat();
            &joined
        }
        args => args,
    };
    let named = |name: &'static str| {
        args.iter().filter_map(move |a| a.split_once('=').filter(|(k, _)| k.eq_ignore_ascii_case(name)))
    };
    let by_id = args.iter().any(|a| a.split_once('=').is_some_and(|(key, _)| is_job(key)));
    let by_name = named("jobname").next().map(|(_, name)| name.to_owned()).filter(|_| !by_id);
    if !by_id && by_name.is_none() {
        let keys = args.iter().filter_map(|a| a.split_once('='));
        return Err(match keys.flat_map(|(key, _)| OTHERS.iter().filter(move |o| keyword::is(key, o.0, o.1))).next() {
            Some((name, _, why)) => vec![
                format!("slurm_update error: {}", Errno::NotSupported),
                format!("scontrol: error: {name} cannot be updated: {why}"),
            ],
            None => vec![
                "No valid entity in update command".into(),
                "Input line must include \"NodeName\", \"PartitionName\", \"Reservation\", \"JobId\", or \"SlurmctldDebug\"".into(),
            ],
        });
    }
    let (mut ids, mut settings) = (Vec::new(), Vec::new());
    for arg in args {
        let (key, value) = match arg.split_once('=') {
            Some(pair) => pair,
            // The one setting that may stand without a value.
            None if arg.eq_ignore_ascii_case("nice") => (arg.as_str(), "100"),
            None => return Err(vec![format!("Invalid input: {arg}"), "Request aborted".into()]),
        };
        if is_job(key) {
            let wrong = |_| vec![format!("{} for job {value}", Errno::InvalidJobId)];
            ids = JobIdSpec::parse_list(value).map_err(wrong)?;
            continue;
        }
        let (name, sign) = match key.strip_suffix(['+', '-']) {
            Some(name) => (name, key.chars().next_back()),
            None => (key, None),
        };
        if by_name.is_some() && name.eq_ignore_ascii_case("jobname") {
            continue;
        }
        match SETTINGS.iter().find(|(known, least, _)| keyword::is(name, known, *least)) {
            Some((known, _, read)) if sign.is_none() || *known == "timelimit" => settings.push(read(value, sign)?),
            _ => {
                let line = format!("Update of this parameter is not supported: {arg}");
                return Err(vec![line, "Request aborted".into()]);
            }
        }
    }
    if settings.is_empty() {
        return Err(vec!["No changes specified".into()]);
    }
    Ok(Plan { jobs: by_name.map_or(Jobs::Ids(ids), Jobs::Named), settings })
}

fn invalid(name: &str, value: &str) -> Wrong {
    vec![format!("scontrol: error: Invalid {name} value: {value}")]
}

fn number(value: &str, name: &str) -> Result<u32, Wrong> {
    value.parse().map_err(|_| invalid(name, value))
}

/// What C's strtoll makes of it: a text is 0.
fn nice(value: &str) -> i32 {
    value.parse().unwrap_or(0)
}

fn requeue(value: &str) -> Result<Setting, Wrong> {
    Ok(Setting::Requeue(number(value, "Requeue")? != 0))
}

fn time(value: &str) -> Result<Setting, Wrong> {
    when(value).map(Setting::Begin)
}

fn when(value: &str) -> Result<i64, Wrong> {
    let wrong = |error: begin::BeginError| vec![error.to_string(), "No changes specified".into()];
    begin::parse(value, crate::host::clock::local()).map_err(wrong)
}

fn memory(value: &str) -> Result<Setting, Wrong> {
    parse_mem(value).map(|mib| Setting::MemoryPerNode(mib.0)).map_err(|_| invalid("MinMemoryNode", value))
}

fn nodes(value: &str) -> Result<Vec<String>, Wrong> {
    hostlist::expand(value).map_err(|_| vec![format!("Invalid hostlist: {value}")])
}

fn node_count(value: &str) -> Result<Setting, Wrong> {
    let wrong = |_| vec![format!("scontrol: error: Invalid numeric value \"{value}\" for requested node count.")];
    let count: NodeCount = value.parse().map_err(wrong)?;
    Ok(Setting::Nodes(count.min, count.max))
}

/// `TimeLimit=`, `TimeLimit+=` and `TimeLimit-=`.
fn time_limit(value: &str, sign: Option<char>) -> Result<Setting, Wrong> {
    let wrong = || vec!["scontrol: error: Invalid TimeLimit value".to_owned()];
    let limit: TimeLimit = value.parse().map_err(|_| wrong())?;
    match (sign, limit) {
        (None, limit) => Ok(Setting::TimeLimit(limit)),
        (Some('-'), TimeLimit::Minutes(minutes)) => Ok(Setting::TimeLimitBy(-i64::from(minutes))),
        (Some(_), TimeLimit::Minutes(minutes)) => Ok(Setting::TimeLimitBy(i64::from(minutes))),
        (Some(_), TimeLimit::Unlimited) => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(line: &str) -> Result<(String, String), String> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match read(&args) {
            Ok(plan) => Ok((format!("{:?}", plan.settings), format!("{:?}", plan.jobs))),
            Err(lines) => Err(lines.join("\n")),
        }
    }

    #[test]
    fn settings_are_read() {
        for (line, settings) in [
            ("jobid=7 name=x TimeLimit=5", "[Name(\"x\"), TimeLimit(Minutes(5))]"),
            ("JobId=7 timelimit=1-2:3:4", "[TimeLimit(Minutes(1564))]"),
            ("job=7 timelimit+=1:00", "[TimeLimitBy(1)]"),
            ("jobid=7 timelimit-=30", "[TimeLimitBy(-30)]"),
            ("job 7 JobName=y", "[Name(\"y\")]"),
            ("jobid=7 nice", "[Nice(100)]"),
            ("jobid=7 nice=-5", "[Nice(-5)]"),
            ("jobid=7 part=a,b prio=9", "[Partition([\"a\", \"b\"]), Priority(9)]"),
            ("jobid=7 numnodes=1-3", "[Nodes(1, Some(3))]"),
            ("jobid=7 excnodelist=", "[ExcludeNodes([])]"),
            ("jobid=7 reqnodelist=n[1-2]", "[NodeList([\"n1\", \"n2\"])]"),
            ("jobid=7 minmemorynode=1G", "[MemoryPerNode(1024)]"),
            ("jobid=7 requeue=0 arraytaskthrottle=2", "[Requeue(false), ArrayThrottle(2)]"),
            ("jobid=7 starttime=2030-01-01T00:00:00 comment=a", "[Begin("),
        ] {
            let read = plan(line).unwrap().0;
            assert!(read == settings || (settings.ends_with('(') && read.starts_with(settings)), "{line}: {read}");
        }
    }

    /// Asked of the real one.
    #[test]
    fn refusals_are_slurms() {
        const NO_ENTITY: &str = "No valid entity in update command\nInput line must include \"NodeName\", \"PartitionName\", \"Reservation\", \"JobId\", or \"SlurmctldDebug\"";
        for (line, said) in [
            ("jobid=7 nosuch=1", "Update of this parameter is not supported: nosuch=1\nRequest aborted"),
            ("jobid=7 stderr=y", "Update of this parameter is not supported: stderr=y\nRequest aborted"),
            ("jobid=7 foo", "Invalid input: foo\nRequest aborted"),
            ("jobid=7 =x", "Update of this parameter is not supported: =x\nRequest aborted"),
            ("jobid=7 timelimit=bogus", "scontrol: error: Invalid TimeLimit value"),
            ("jobid=7 priority=x", "scontrol: error: Invalid Priority value: x"),
            ("jobid=7 requeue=x", "scontrol: error: Invalid Requeue value: x"),
            ("jobid=7 minmemorynode=x", "scontrol: error: Invalid MinMemoryNode value: x"),
            ("jobid=7 numnodes=x", "scontrol: error: Invalid numeric value \"x\" for requested node count."),
            ("jobid=7 starttime=bogus", "Invalid time specification (pos=0): bogus\nNo changes specified"),
            ("jobid=7", "No changes specified"),
            ("jobid=", "No changes specified"),
            ("jobid=abc timelimit=5", "Invalid job id specified for job abc"),
            ("timelimit=5", NO_ENTITY),
            ("name=foo timelimit=3", NO_ENTITY),
        ] {
            assert_eq!(plan(line).unwrap_err(), said, "{line}");
        }
        assert!(plan("nodename=node1 state=drain reason=x").unwrap_err().contains("nodename cannot be updated"));
        assert!(plan("partitionname=gpu state=down").unwrap_err().contains("configuration file"));
    }

    #[test]
    fn jobs_may_be_named() {
        assert_eq!(plan("jobname=ee timelimit=4").unwrap().1, "Named(\"ee\")");
        assert!(plan("jobid=7,8_[1-2] jobname=ee").unwrap().1.starts_with("Ids("));
    }

    proptest! {
        #[test]
        fn any_words_are_read_or_refused(words in prop::collection::vec("(jobid|name|time|timelimit[+-]|numnodes|starttime|ä|)=?\\PC{0,12}", 0..5)) {
            let _ = read(&words);
        }
    }
}
