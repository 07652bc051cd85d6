//! What a sacct command line asks: which jobs, in which window of time, in which states.

use super::narrow::Narrow;
use crate::{
    commands::{common::job_ids, who},
    controller::api::Filter,
    job::{Job, StepId},
    slurm::{
        array::{JobIdSpec, TaskSel},
        begin, hostlist,
        options::{Command::Sacct, Options, Parsed, Refusal},
        state::JobState,
    },
};
use chrono::{DateTime, Local, NaiveTime, TimeZone};

/// Which jobs and steps.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// `--jobs`
    pub ids: Vec<JobIdSpec>,
    /// Whose; empty: everybody's.
    pub uids: Vec<u32>,
    /// `--accounts`
    pub accounts: Vec<String>,
    /// `--partition`
    pub partitions: Vec<String>,
    /// `--qos`
    pub qos: Vec<String>,
    /// `--name`
    pub names: Vec<String>,
    /// `--nodelist`
    pub nodes: Option<Vec<String>>,
    /// `--state`
    pub states: Vec<JobState>,
    /// Start of the window, epoch seconds; 0: from the beginning.
    pub since: i64,
    /// End of the window, epoch seconds.
    pub until: i64,
    /// Sizes, limits, groups, ...
    pub narrow: Narrow,
    /// `--duplicates`
    pub duplicates: bool,
    /// `--allocations`
    pub allocations: bool,
    /// `--whole-hetjob=no`: the id of a heterogeneous job means its first component.
    first_only: bool,
}

impl Query {
    /// Reads a command line that has been parsed. `now` is in the user's zone.
    pub fn read(parsed: &Parsed, now: DateTime<Local>) -> Result<Self, Refusal> {
        if !parsed.operands.is_empty() {
            let mut lines = vec!["sacct: error: Unknown arguments:".to_owned()];
            lines.extend(parsed.operands.iter().map(|word| format!("sacct: error:  {}", word.to_string_lossy())));
            return Err(Refusal { lines, exit: 1 });
        }
        let options = &parsed.options;
        // A list of nothing is nobody's name.
        let list = |name: &str| match options.get(name).map(split) {
            Some(words) if words.is_empty() => vec![String::new()],
            words => words.unwrap_or_default(),
        };
        let mut ids = Vec::new();
        for text in options.all("jobs") {
            ids.extend(job_ids(Sacct, text)?);
        }
        let whole = options.is_set("whole-hetjob").then(|| options.get("whole-hetjob").unwrap_or("yes"));
        if whole.is_some_and(|word| word != "no") {
            ids.iter_mut().for_each(|id| id.het = None);
        }
        let nodes = options.get("nodelist").map(hostlist::expand).transpose();
        let (since, until) = window(options, !ids.is_empty(), now)?;
        Ok(Self {
            uids: users(options, !ids.is_empty())?,
            ids,
            accounts: list("accounts"),
            partitions: list("partition"),
            qos: list("qos"),
            names: list("name"),
            nodes: nodes.map_err(|error| Refusal::error(Sacct, 1, error.to_string()))?,
            states: states(options.get("state").unwrap_or_default())?,
            since,
            until,
            narrow: Narrow::read(options)?,
            duplicates: options.is_set("duplicates"),
            allocations: options.is_set("allocations"),
            first_only: whole.is_some_and(|word| word == "no"),
        })
    }

    /// What the controller is asked for. States and nodes are looked at here: they are about the window.
    pub fn filter(&self) -> Filter {
        Filter {
            ids: self.ids.iter().map(|id| JobIdSpec { step: None, ..id.clone() }).collect(),
            uids: self.uids.clone(),
            names: self.names.clone(),
            partitions: self.partitions.clone(),
            accounts: self.accounts.clone(),
            since: (self.since > 0).then_some(self.since),
            until: Some(self.until),
            duplicates: self.duplicates,
            ..Filter::default()
        }
    }

    /// Whether no more of a job's request is looked at than [`crate::job::Request::brief`].
    pub fn is_brief(&self) -> bool {
        self.narrow.is_brief()
    }

    /// Whether a job is to be shown. One that was never eligible is not in the accounting, unless it is asked for by its id
    /// (held, waiting for another job, over: asked of a real one that had had time), or is over and asked for by how it ended or
    /// as running (sacct.txt).
    pub fn matches(&self, job: &Job) -> bool {
        // The database looks at no case.
        let any =
            |wanted: &[String], has: &str| wanted.is_empty() || wanted.iter().any(|w| w.eq_ignore_ascii_case(has));
        let eligible = job.eligible_time.is_some()
            || !self.ids.is_empty()
            || (job.end_time.is_some()
                && self.states.iter().any(|state| state.is_finished() || *state == JobState::Running));
        let on_nodes =
            |nodes: &Vec<String>| job.placement.as_ref().is_some_and(|p| p.names().any(|n| any_of(nodes, n)));
        let request = &job.request;
        eligible
            && (self.ids.is_empty() || self.ids.iter().any(|id| is_named(id, job)))
            && !(self.first_only && !job.leads() && self.ids.iter().any(|id| id.het.is_none() && id.job != job.id))
            && (self.uids.is_empty() || self.uids.contains(&request.user.uid))
            && any(&self.accounts, request.account.as_deref().unwrap_or_default())
            && any(&self.partitions, &job.partition)
            && any(&self.qos, request.qos.as_deref().unwrap_or("normal"))
            && any(&self.names, &request.name)
            && self.nodes.as_ref().is_none_or(on_nodes)
            && self.narrow.takes(job)
            && self.in_window(job)
    }

    /// `--truncate`: a job with what of it lies in the window, and so its steps.
    pub fn cut(&self, mut job: Job) -> Job {
        let late = |time: &mut i64| *time = (*time).max(self.since);
        let early = |time: &mut i64| *time = (*time).min(self.until);
        job.start_time.iter_mut().for_each(late);
        job.end_time.iter_mut().for_each(early);
        for step in &mut job.steps {
            late(&mut step.start);
            step.end.iter_mut().for_each(early);
        }
        job
    }

    /// Without states: in the queue or running at some time of the window. With states: in one of them then.
    fn in_window(&self, job: &Job) -> bool {
        // One that is to begin later is there for who names it.
        let known = job.eligible_time.filter(|time| self.ids.is_empty() || *time < job.submit_time);
        let eligible = known.unwrap_or(job.submit_time);
        let overlaps = |from: i64, to: Option<i64>| from <= self.until && to.is_none_or(|to| to >= self.since);
        if self.states.is_empty() {
            return overlaps(eligible, job.end_time);
        }
        let started = job.start_time.filter(|_| job.state != JobState::Pending);
        self.states.iter().any(|state| match state {
            JobState::Pending => overlaps(eligible, started.or(job.end_time)),
            JobState::Running => started.is_some_and(|start| overlaps(start, job.end_time)),
            state if state.is_finished() => {
                job.state == *state && job.end_time.is_some_and(|end| (self.since..=self.until).contains(&end))
            }
            state => (job.state == *state || job.flag == Some(*state)) && overlaps(eligible, job.end_time),
        })
    }

    /// Whether the job's own line is shown: not if only steps of it were asked for and steps are shown.
    pub fn shows_job(&self, job: &Job) -> bool {
        self.ids.is_empty() || self.allocations || self.ids.iter().any(|id| id.step.is_none() && is_named(id, job))
    }

    /// Whether a step is shown.
    pub fn shows_step(&self, job: &Job, step: StepId) -> bool {
        !self.allocations
            // Of jobs that were asked for as waiting, nothing had begun (sacct.txt).
            && self.states.iter().any(|s| *s != JobState::Pending) | self.states.is_empty()
            && (self.shows_job(job) || self.ids.iter().any(|id| id.step.as_deref().is_some_and(|text| step.answers_to(text)) && is_named(id, job)))
    }
}

fn any_of(names: &[String], name: &str) -> bool {
    names.iter().any(|n| n == name)
}

fn is_named(id: &JobIdSpec, job: &Job) -> bool {
    match (&id.tasks, &job.array) {
        (None, _) => job.answers_to(id),
        (Some(_), None) => false,
        (Some(tasks), Some(array)) => {
            id.job == array.job_id
                && match (array.task_id, tasks) {
                    (Some(task), tasks) => tasks.contains(task),
                    (None, TaskSel::One(task)) => array.pending.contains(*task),
                    (None, tasks) => array.pending.iter().any(|task| tasks.contains(task)),
                }
        }
    }
}

pub(super) fn split(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// `--state`
fn states(text: &str) -> Result<Vec<JobState>, Refusal> {
    let unknown = |word: &str| Refusal::fatal(Sacct, format!("unrecognized job state value '{word}'"));
    split(text).iter().map(|word| JobState::parse(word).ok_or_else(|| unknown(word))).collect()
}

/// `--user`, `--allusers`. Without either a user sees their own jobs, root and who asks for ids all.
fn users(options: &Options, by_id: bool) -> Result<Vec<u32>, Refusal> {
    let uid = who::me();
    let Some(text) = options.get("user").filter(|_| !options.is_set("allusers")) else {
        let all = options.is_set("allusers") || by_id || uid == 0;
        return Ok(if all { Vec::new() } else { vec![uid] });
    };
    let find = |word: &String| {
        who::by_name_or_uid(word).ok_or_else(|| Refusal::error(Sacct, 1, format!("Invalid user id: {word}")))
    };
    split(text).iter().map(find).collect()
}

/// The window: `DEFAULT TIME WINDOW` of sacct(1).
fn window(options: &Options, by_id: bool, now: DateTime<Local>) -> Result<(i64, i64), Refusal> {
    let given = |name: &str| {
        let text = options.get(name).filter(|text| !text.is_empty());
        let wrong = |error: begin::BeginError| Refusal { lines: vec![error.to_string()], exit: 1 };
        text.map(|text| begin::parse_past(text, now)).transpose().map_err(wrong)
    };
    let (start, end) = (given("starttime")?, given("endtime")?);
    let by_state = options.get("state").is_some_and(|text| !text.is_empty());
    let since = start.unwrap_or(match (by_id, by_state) {
        (true, _) => 0,
        (false, true) => now.timestamp(),
        (false, false) => midnight(now),
    });
    let until = end.unwrap_or(match (by_state, start) {
        (true, Some(start)) => start,
        _ => now.timestamp(),
    });
    if since > until {
        let shown = |when| Local.timestamp_opt(when, 0).single().map(|t| t.format("%Y-%m-%dT%H:%M:%S").to_string());
        return Err(Refusal::error(
            Sacct,
            1,
            format!(
                "Start time ({}) requested is after end time ({}).",
                shown(since).unwrap_or_default(),
                shown(until).unwrap_or_default()
            ),
        ));
    }
    Ok((since, until))
}

fn midnight(now: DateTime<Local>) -> i64 {
    now.with_time(NaiveTime::MIN).earliest().map_or(0, |time| time.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{report::sample_jobs, slurm::options};
    use proptest::prelude::*;
    use sample_jobs::START;

    fn query(words: &str) -> Result<Query, String> {
        let args: Vec<_> = words.split_whitespace().map(Into::into).collect();
        let parsed = options::parse(Sacct, &args, &|_| None).map_err(|r| r.lines.join("\n"))?;
        let now = Local.timestamp_opt(START + 30, 0).unwrap();
        Query::read(&parsed, now).map_err(|r| r.lines.join("\n"))
    }

    /// sacct.txt, and asked of the same Slurm.
    #[test]
    fn refusals_are_slurms() {
        for (words, said) in [
            ("-j abc", "sacct: fatal: Bad job/step specified: abc"),
            ("-j -1", "sacct: fatal: Bad job/step specified: -1"),
            ("-j 12_x", "sacct: fatal: Bad job array element specified: 12"),
            ("-j 12_", "sacct: fatal: Bad job array element specified: 12"),
            ("-j 12_[]", "sacct: fatal: Bad job array element specified: 12"),
            ("-j 12.x", "sacct: fatal: Bad step specified: 12"),
            ("-j 12_3.x", "sacct: fatal: Bad step specified: 12_3"),
            ("-j 12+x", "sacct: fatal: Bad hetjob offset specified: 12"),
            ("-s bogus", "sacct: fatal: unrecognized job state value 'bogus'"),
            ("-s CA,xx", "sacct: fatal: unrecognized job state value 'xx'"),
            ("-S bogus", "Invalid time specification (pos=0): bogus"),
            ("-E bogus", "Invalid time specification (pos=0): bogus"),
            ("-u nosuch-user-here", "sacct: error: Invalid user id: nosuch-user-here"),
            ("extra", "sacct: error: Unknown arguments:\nsacct: error:  extra"),
        ] {
            assert_eq!(query(words).unwrap_err(), said, "{words}");
        }
        let late = query("-S 2030-01-01").unwrap_err();
        assert!(
            late.starts_with("sacct: error: Start time (2030-01-01T00:00:00) requested is after end time ("),
            "{late}"
        );
    }

    #[test]
    fn windows_are_those_of_the_manual() {
        let of = |words| query(words).map(|q| (q.since, q.until)).unwrap();
        let now = START + 30;
        let today = midnight(Local.timestamp_opt(now, 0).unwrap());
        assert_eq!(of(""), (today, now));
        assert_eq!(of("-j 1"), (0, now));
        assert_eq!(of("-j 1 -s CA"), (0, now));
        assert_eq!(of("-s R"), (now, now));
        assert_eq!(of("-s R -S now-60"), (now - 60, now - 60));
        assert_eq!(of("-s R -S now-60 -E now"), (now - 60, now));
    }

    #[test]
    fn states_are_those_in_the_window() {
        let failed = sample_jobs::job(1, |_| {}, JobState::Failed);
        let runs = sample_jobs::job(2, |_| {}, JobState::Running);
        let is = |words: &str, job: &Job| query(&format!("-a {words}")).unwrap().matches(job);
        assert!(is("-s FAILED,CA -S now-3minutes -E now", &failed));
        assert!(!is("-s F -S now-3minutes", &failed));
        assert!(is("-s R -S now-3minutes -E now", &failed));
        assert!(is("-s PD -S now-3minutes -E now", &failed));
        assert!(is("-s R", &runs) && !is("-s R", &failed));
        assert!(!is("-S now-5", &failed) && is("-S now-5", &runs));
        assert!(!is("-S now-3hours -E now-2hours", &failed));
    }

    #[test]
    fn jobs_that_were_never_eligible_are_not_there() {
        let mut held = sample_jobs::job(1, |_| {}, JobState::Pending);
        held.eligible_time = None;
        assert!(!query("-a").unwrap().matches(&held) && query("-j 1").unwrap().matches(&held));
        held.eligible_time = Some(held.submit_time + 1_000_000_000);
        assert!(!query("-a").unwrap().matches(&held) && query("-j 1").unwrap().matches(&held));
        held.eligible_time = None;
        held.end_time = Some(START + 1);
        held.state = JobState::Cancelled;
        assert!(!query("-a").unwrap().matches(&held) && query("-j 1").unwrap().matches(&held));
    }

    #[test]
    fn steps_alone_are_shown_alone() {
        let job = sample_jobs::job(112, |_| {}, JobState::Completed);
        let of = |words| {
            query(words)
                .map(|q| (q.shows_job(&job), q.shows_step(&job, StepId::Number(0)), q.shows_step(&job, StepId::Batch)))
                .unwrap()
        };
        assert_eq!(of("-j 112"), (true, true, true));
        assert_eq!(of("-j 112.0"), (false, true, false));
        assert_eq!(of("-j 112.batch"), (false, false, true));
        assert_eq!(of("-j 112,112.1"), (true, true, true));
        assert_eq!(of("-X -j 112"), (true, false, false));
    }

    #[test]
    fn filters_are_lists() {
        let job = sample_jobs::job(1, |request| request.name = "a".into(), JobState::Running);
        let is = |words: &str| query(&format!("-a {words}")).unwrap().matches(&job);
        assert!(is("--name=b,a -r gpu -A research,x -q normal -N node[1-2]"));
        assert!(!is("--name=b") && !is("-r debug") && !is("-A x") && !is("-q high") && !is("-N node2"));
    }

    proptest! {
        #[test]
        fn any_ids_are_read_or_refused(text in "\\PC{0,20}", odd in "[0-9_.+,x\\[\\]-]{0,16}") {
            let _ = (job_ids(Sacct, &text), job_ids(Sacct, &odd), states(&text));
        }
    }
}
