//! sstat(1): what the running steps of a job use.

use super::{
    ask::{self, Said},
    common::asked_for,
    srun::find::{self, NotThere},
    terminal::{print, refuse},
};
use crate::{
    agent::wire::{self, Steps},
    controller::{api::Filter, client::Client},
    host::directory,
    job::{JobId, StepId, StepUsage},
    report::{
        sacct_table::{self, Column, Layout},
        sacct_values::Units,
        sstat_fields::{DEFAULT, PIDS, Row, Running},
    },
    slurm::{
        array::JobIdSpec,
        options::{self, Command::Sstat, Options, Refusal},
    },
};
use std::ffi::OsString;

/// Runs `sstat` with these arguments (without its own name) and gives the exit code. A job of which nothing can be told
/// is an error on stderr, but none in the exit code.
pub fn run(args: Vec<OsString>) -> u8 {
    let parsed = match options::parse(Sstat, &args, &ask::env) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal),
    };
    let options = &parsed.options;
    if let Some(text) = asked_for(&parsed, Sstat) {
        return print(&text);
    }
    if options.is_set("helpformat") {
        return print(&sacct_table::help_format::<Running>(19));
    }
    let columns = match columns(options) {
        Ok(columns) => columns,
        Err(refusal) => return refuse(&refusal),
    };
    // More operands than the first are not looked at.
    let operand = parsed.operands.first().map(|word| word.to_string_lossy().into_owned());
    let wanted = wanted(options.all("jobs").chain(operand.as_deref()));
    if wanted.is_empty() {
        return Said::error("sstat: error: You didn't give me any jobs to stat.").print();
    }
    let mut listing = Listing { columns, layout: Layout::of(options, "|"), options, said: Said::default() };
    if !options.is_set("noheader") {
        sacct_table::header(&listing.columns, &listing.layout, &mut listing.said.out);
    }
    wanted.iter().for_each(|wanted| listing.add(wanted));
    listing.said.print()
}

/// The columns: those of `--pidformat`, of `--format`, or the usual ones.
fn columns(options: &Options) -> Result<Vec<Column<Running>>, Refusal> {
    let pids = options.is_set("pidformat").then_some(PIDS);
    let mut given: Vec<&str> = pids.into_iter().chain(options.all("format")).collect();
    if given.is_empty() {
        given.push(DEFAULT);
    }
    sacct_table::columns(&given.join(",")).map_err(|error| Refusal::error(Sstat, 1, error.to_string()))
}

/// What was asked for: `12`, `12_3.batch`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    /// The job, as it was written.
    job: String,
    /// One of its steps.
    step: Option<StepId>,
}

/// Each job or step once.
fn wanted<'a>(lists: impl Iterator<Item = &'a str>) -> Vec<Wanted> {
    let mut found: Vec<Wanted> = Vec::new();
    for word in lists.flat_map(|list| list.split(',')).map(str::trim).filter(|word| !word.is_empty()) {
        let (job, step) = match word.split_once('.') {
            Some((job, step)) => (job, Some(self::step(step))),
            None => (word, None),
        };
        let one = Wanted { job: job.to_owned(), step };
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

/// Anything that is no name is read as atoi(3) reads it.
fn step(text: &str) -> StepId {
    let named = [StepId::Batch, StepId::Extern, StepId::Interactive];
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number = || text.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let name = named.into_iter().find(|id| id.to_string().eq_ignore_ascii_case(text));
    name.unwrap_or_else(|| StepId::Number(number()))
}

/// The job of an id. An element of an array has one that only the controller knows; what there is not has 0.
fn job_id(text: &str) -> JobId {
    match text.parse::<JobIdSpec>() {
        Ok(spec) if spec.tasks.is_none() => spec.job,
        Ok(spec) => {
            let filter = Filter { ids: vec![spec], ..Filter::default() };
            let jobs = Client::running(&directory::state()).map(|mut client| ask::jobs(&mut client, filter));
            jobs.and_then(Result::ok).and_then(|jobs| jobs.first().map(|job| job.id)).unwrap_or(0)
        }
        Err(_) => 0,
    }
}

struct Listing<'a> {
    columns: Vec<Column<Running>>,
    layout: Layout,
    options: &'a Options,
    said: Said,
}

impl Listing<'_> {
    /// Adds what was asked for, or why there is nothing to be told of it.
    fn add(&mut self, wanted: &Wanted) {
        let job = job_id(&wanted.job);
        let steps = match wanted.step {
            Some(id) => Steps::One(id),
            None if self.options.is_set("allsteps") => Steps::All,
            None => Steps::Lowest,
        };
        let asked = find::connect(Sstat, job).and_then(|agent| wire::usage(agent, steps).map_err(|_| NotThere::Gone));
        let found = match asked {
            Ok(found) => found,
            Err(why) => return self.said.err.extend(complaint(job, steps, why)),
        };
        if found.is_empty() && steps == Steps::Lowest {
            self.said.err.extend(complaint(job, steps, NotThere::Pending));
        }
        found.iter().for_each(|step| self.rows(job, step));
    }

    /// A row for the step, or with `--pidformat` for each of its nodes.
    fn rows(&mut self, job: JobId, step: &StepUsage) {
        let units = if self.options.is_set("noconvert") { Units::AsIs } else { Units::Best };
        let mut row = |node| {
            let row = Row { job, step, node, units };
            sacct_table::row(&self.columns, &self.layout, &row, &mut self.said.out);
        };
        match self.options.is_set("pidformat") {
            true => step.nodes.iter().for_each(|node| row(Some(node))),
            false => row(None),
        }
    }
}

/// What is said of a job of which nothing can be told. Of a numbered step that is not there sstat says nothing.
fn complaint(job: JobId, steps: Steps, why: NotThere) -> Option<String> {
    let text = match (&why, steps) {
        (NotThere::Away(_) | NotThere::Broken, _) => format!("couldn't get steps for job {job}: {why}"),
        (NotThere::Pending, Steps::Lowest) => format!("No steps running for job {job}"),
        (NotThere::Gone, Steps::Lowest | Steps::All) => format!("couldn't get steps for job {job}"),
        (NotThere::Gone, Steps::One(StepId::Batch | StepId::Extern | StepId::Interactive)) => {
            format!("couldn't get info for job {job}")
        }
        (NotThere::Pending | NotThere::NotLeader, _)
        | (NotThere::Gone, Steps::One(StepId::Number(_) | StepId::Component(..))) => return None,
    };
    Some(format!("sstat: error: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn jobs_and_steps_are_read_once_each() {
        let of = |list: &[&str]| {
            let read = wanted(list.iter().copied()).into_iter();
            read.map(|w| (w.job, w.step.map(|id| id.to_string()).unwrap_or_default())).collect::<Vec<_>>()
        };
        let pair = |job: &str, step: &str| (job.to_owned(), step.to_owned());
        assert_eq!(
            of(&["12,12.0, 12_3.BATCH", "12,,7.extern"]),
            [pair("12", ""), pair("12", "0"), pair("12_3", "batch"), pair("7", "extern")]
        );
        assert_eq!(of(&["12.x", "12.7y", ","]), [pair("12", "0"), pair("12", "7")]);
    }

    #[test]
    fn complaints_are_slurms() {
        let of = |steps, why| complaint(9, steps, why).unwrap_or_default();
        assert_eq!(of(Steps::Lowest, NotThere::Gone), "sstat: error: couldn't get steps for job 9");
        assert_eq!(of(Steps::One(StepId::Batch), NotThere::Gone), "sstat: error: couldn't get info for job 9");
        assert_eq!(of(Steps::Lowest, NotThere::Pending), "sstat: error: No steps running for job 9");
        assert_eq!(of(Steps::One(StepId::Number(1)), NotThere::Gone) + &of(Steps::All, NotThere::Pending), "");
        assert!(of(Steps::All, NotThere::Away("no".into())).ends_with("no connection leads to the job's nodes: no"));
    }

    proptest! {
        #[test]
        fn any_list_is_read(text in "\\PC{0,30}", odd in "[0-9_.,batch ]{0,20}") {
            for list in [text, odd] {
                prop_assert!(wanted(std::iter::once(list.as_str())).len() <= list.split(',').count());
            }
        }
    }
}
