//! sstat(1): what the running steps of a job use.

use super::{
    ask::{self, Said},
    common::{asked_for, job_ids},
    srun::find::{self, NotThere},
    terminal::{print, refuse},
};
use crate::{
    agent::wire::{self, Steps},
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
    let wanted = match wanted(options.all("jobs").chain(operand.as_deref())) {
        Ok(wanted) => wanted,
        Err(refusal) => return refuse(&refusal),
    };
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

/// Each job or step once.
///
/// # Errors
/// What is none, in Slurm's words.
fn wanted<'a>(lists: impl Iterator<Item = &'a str>) -> Result<Vec<JobIdSpec>, Refusal> {
    let mut found: Vec<JobIdSpec> = Vec::new();
    for list in lists {
        for one in job_ids(Sstat, list)? {
            // The component that is named with a job makes no difference.
            let one = JobIdSpec { het: None, ..one };
            if !found.contains(&one) {
                found.push(one);
            }
        }
    }
    Ok(found)
}

fn step(text: &str) -> StepId {
    let named = [StepId::Batch, StepId::Extern, StepId::Interactive];
    let name = named.into_iter().find(|id| id.to_string().eq_ignore_ascii_case(text));
    name.unwrap_or_else(|| StepId::Number(text.parse().unwrap_or(u32::MAX)))
}

/// The job of an id. An element of an array has one that only the controller knows; what there is not has 0.
fn job_id(spec: &JobIdSpec) -> JobId {
    match spec.tasks {
        None => spec.job,
        Some(_) => find::look_up(JobIdSpec { step: None, ..spec.clone() }).map_or(0, |job| job.id),
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
    fn add(&mut self, wanted: &JobIdSpec) {
        let job = job_id(wanted);
        let steps = match &wanted.step {
            Some(text) => Steps::One(step(text)),
            None if self.options.is_set("allsteps") => Steps::All,
            None => Steps::Lowest,
        };
        let ask = |(agent, component)| wire::usage(agent, component, steps).map_err(|_| NotThere::Gone);
        let asked = find::connect_to_component(Sstat, job).and_then(ask);
        let found = match asked {
            Ok(found) => found,
            Err(why) => return self.said.err.push(complaint(job, steps, &why)),
        };
        if found.is_empty() {
            self.said.err.push(complaint(job, steps, &NotThere::Pending));
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

/// What is said of a job of which nothing can be told.
fn complaint(job: JobId, steps: Steps, why: &NotThere) -> String {
    let text = match (why, steps) {
        (NotThere::Away(_) | NotThere::Broken, _) => format!("couldn't get steps for job {job}: {why}"),
        (NotThere::Gone | NotThere::NotLeader, _) => format!("couldn't get steps for job {job}"),
        (NotThere::Pending, Steps::One(step)) => format!("StepId={job}.{step} not found running."),
        (NotThere::Pending, Steps::Lowest | Steps::All) => format!("No steps running for job {job}"),
    };
    format!("sstat: error: {text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn jobs_and_steps_are_read_once_each() {
        let of = |list: &[&str]| match wanted(list.iter().copied()) {
            Ok(read) => read.iter().map(|w| format!("{} {:?}", w.job, w.step.as_deref().map(step))).collect(),
            Err(refusal) => refusal.lines.join("\n"),
        };
        assert_eq!(of(&["12,12.0", "12,,7.extern,12+1"]), "12 None12 Some(Number(0))7 Some(Extern)");
        assert_eq!(of(&["12x,12.7y"]), "12 None12 Some(Number(7))");
        assert_eq!(of(&["12_.0"]), "sstat: fatal: Bad job array element specified: 12");
        assert_eq!(of(&["x"]), "sstat: fatal: Bad job/step specified: x");
        assert_eq!(of(&["12.batchx"]), "sstat: fatal: Bad step specified: 12");
    }

    /// Asked of a real one.
    #[test]
    fn complaints_are_slurms() {
        let of = |steps, why| complaint(9, steps, &why);
        for steps in [Steps::Lowest, Steps::All, Steps::One(StepId::Batch)] {
            assert_eq!(of(steps, NotThere::Gone), "sstat: error: couldn't get steps for job 9");
        }
        assert_eq!(of(Steps::Lowest, NotThere::Pending), "sstat: error: No steps running for job 9");
        assert_eq!(of(Steps::One(StepId::Number(4)), NotThere::Pending), "sstat: error: StepId=9.4 not found running.");
        assert!(of(Steps::All, NotThere::Away("no".into())).ends_with("no connection leads to the job's nodes: no"));
    }

    proptest! {
        #[test]
        fn any_list_is_read(text in "\\PC{0,30}", odd in "[0-9_.,batch ]{0,20}") {
            for list in [text, odd] {
                if let Ok(read) = wanted(std::iter::once(list.as_str())) {
                    prop_assert!(read.len() <= list.split(',').count());
                }
            }
        }
    }
}
