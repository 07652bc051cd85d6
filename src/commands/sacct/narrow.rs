//! What a sacct command line asks for besides ids, users and times: sizes, limits, groups, reasons, flags.

use crate::{
    host::user,
    job::Job,
    report::{job_values as values, sacct_values},
    slurm::{
        options::{Command::Sacct, Options, Refusal},
        reason::Reason,
        time::TimeLimit,
    },
};
use std::ops::RangeInclusive;

/// All of it; what is not set asks nothing.
#[derive(Clone, Debug, Default)]
pub struct Narrow {
    /// `--gid`
    gids: Vec<u32>,
    /// `--constraints`
    constraints: Vec<String>,
    /// `--nnodes`
    nodes: Option<RangeInclusive<u32>>,
    /// `--ncpus`
    cpus: Option<RangeInclusive<u32>>,
    /// `--timelimit-min`, `--timelimit-max`, minutes
    limit: Option<RangeInclusive<u32>>,
    /// `--reason`
    reasons: Vec<String>,
    /// `--flags`
    flags: Vec<&'static str>,
    /// `--associations`
    associations: Vec<String>,
}

/// Slurm's flags of jobs (`--flags`), as the field Flags names them.
const FLAGS: [&str; 5] = ["NotSet", "SchedSubmit", "SchedMain", "SchedBackfill", "StartReceived"];

/// Those of a job: each that was given nodes was chosen from the queue.
const OF_STARTED: [&str; 2] = ["SchedMain", "StartReceived"];

impl Narrow {
    /// Reads the options.
    pub fn read(options: &Options) -> Result<Self, Refusal> {
        let list = |name: &str| super::query::split(options.get(name).unwrap_or_default());
        let minutes = |name: &str| -> Result<Option<u32>, Refusal> {
            let Some(text) = options.get(name) else { return Ok(None) };
            match text.parse::<TimeLimit>() {
                Ok(TimeLimit::Minutes(minutes)) => Ok(Some(minutes)),
                Ok(TimeLimit::Unlimited) => Ok(Some(u32::MAX)),
                Err(_) => Err(Refusal::fatal(Sacct, "Invalid time limit specification")),
            }
        };
        // The upper end alone asks nothing.
        let limit = minutes("timelimit-min")?.zip(Some(minutes("timelimit-max")?));
        let gid = |word: &String| {
            let found = user::group_id(word).or_else(|| word.parse().ok());
            found.ok_or_else(|| Refusal::error(Sacct, 1, format!("Invalid group id: {word}")))
        };
        let flag = |word: &String| {
            let known = FLAGS.into_iter().find(|flag| flag.eq_ignore_ascii_case(word));
            known.ok_or_else(|| Refusal::error(Sacct, 1, format!("str_2_job_flags: Invalid job flag {word}")))
        };
        let reasons = list("reason");
        if let Some(word) = reasons.iter().find(|word| !Reason::ALL.iter().any(|r| r.text().eq_ignore_ascii_case(word)))
        {
            return Err(Refusal::fatal(Sacct, format!("unrecognized job reason value '{word}'")));
        }
        Ok(Self {
            gids: list("gid").iter().map(gid).collect::<Result<_, _>>()?,
            constraints: list("constraints"),
            nodes: range(options.get("nnodes"), "requested node range")?,
            cpus: range(options.get("ncpus"), "requested cpu range")?,
            limit: limit.map(|(least, most)| least..=most.unwrap_or(least)),
            reasons,
            flags: list("flags").iter().map(flag).collect::<Result<_, _>>()?,
            associations: list("associations"),
        })
    }

    /// Whether no more of a job's request is looked at than [`crate::job::Request::brief`].
    pub fn is_brief(&self) -> bool {
        self.constraints.is_empty()
    }

    /// Whether a job is one of those asked for.
    pub fn takes(&self, job: &Job) -> bool {
        fn any<T>(list: &[T], is: impl Fn(&T) -> bool) -> bool {
            list.is_empty() || list.iter().any(is)
        }
        let within = |range: &Option<RangeInclusive<u32>>, has: u32| range.as_ref().is_none_or(|r| r.contains(&has));
        let started = values::allocation(job).is_some();
        let minutes = match job.time_limit {
            TimeLimit::Minutes(minutes) => minutes,
            TimeLimit::Unlimited => u32::MAX,
        };
        any(&self.gids, |gid| *gid == job.request.user.gid)
            && any(&self.constraints, |word| job.request.constraint.as_deref() == Some(word))
            && within(&self.nodes, if started { values::nodes(job) } else { 0 })
            && within(&self.cpus, values::cpus(job))
            && within(&self.limit, minutes)
            && any(&self.reasons, |word| sacct_values::waited_for(job).eq_ignore_ascii_case(word))
            && any(&self.flags, |flag| started && OF_STARTED.contains(flag) || !started && *flag == "NotSet")
            // No job has another number there (AssocID).
            && any(&self.associations, |id| id == "0")
    }
}

/// `4`, `2-4`: one number is both ends.
fn range(text: Option<&str>, what: &str) -> Result<Option<RangeInclusive<u32>>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let number = |word: &str| {
        word.parse::<u32>()
            .map_err(|_| Refusal::error(Sacct, 1, format!("Invalid numeric value \"{text}\" for {what}.")))
    };
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    Ok(Some(number(least)?..=number(most)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::sample_jobs,
        slurm::{options, state::JobState},
    };

    fn read(words: &str) -> Result<Narrow, String> {
        let args: Vec<_> = words.split_whitespace().map(Into::into).collect();
        let parsed = options::parse(Sacct, &args, &|_| None).map_err(|r| r.to_string())?;
        Narrow::read(&parsed.options).map_err(|r| r.to_string())
    }

    /// Asked of a real sacct, about a job of two CPUs on a node and a day.
    #[test]
    fn jobs_are_narrowed_down() {
        let job = sample_jobs::job(7, |request| request.constraint = Some("big".into()), JobState::Completed);
        assert_eq!((values::nodes(&job), values::cpus(&job), job.request.user.gid), (1, 2, 2001));
        for (words, takes) in [
            ("", true),
            ("-i 1", true),
            ("-i 2", false),
            ("-i 1-2", true),
            ("-i 2-1", false),
            ("-I 2", true),
            ("-I 1", false),
            ("-k 1-00:00:00", true),
            ("-k 10", false),
            ("-k 10 -K 2-00", true),
            ("-K 10", true),
            ("-g 2001", true),
            ("-g 1", false),
            ("-C big", true),
            ("-C small", false),
            ("-R none", true),
            ("-R Resources", false),
            ("-F schedmain", true),
            ("-F SchedBackfill", false),
            ("-x 0", true),
            ("-x 99,research", false),
        ] {
            assert_eq!(read(words).unwrap().takes(&job), takes, "{words}");
        }
    }

    #[test]
    fn refusals_are_slurms() {
        for (words, refusal) in [
            ("-i x", "sacct: error: Invalid numeric value \"x\" for requested node range."),
            ("-I 1-", "sacct: error: Invalid numeric value \"1-\" for requested cpu range."),
            ("-k x", "sacct: fatal: Invalid time limit specification"),
            ("-g nosuchgroup", "sacct: error: Invalid group id: nosuchgroup"),
            ("-F bogus", "sacct: error: str_2_job_flags: Invalid job flag bogus"),
            ("-R bogus", "sacct: fatal: unrecognized job reason value 'bogus'"),
        ] {
            assert_eq!(read(words).unwrap_err(), refusal, "{words}");
        }
    }
}
