//! The fields of a step: the letters and names of `squeue --steps`, one row a field.
//!
//! Headers and values are those that Slurm prints (`testdata/slurm/fields/squeue.txt`), also where
//! it is at odds with itself: the header of `tres-per-job` is TRES_PER_STEP.

use super::{
    field::{Cut, Field, Kind, Tells},
    job_fields::JobRow,
    job_values::write_elapsed,
    table::number,
};
use crate::{job::Step, slurm::hostlist};

/// Listings of steps.
pub struct Steps;

/// One line of a listing of steps.
pub struct StepRow<'a> {
    /// The step.
    pub step: &'a Step,
    /// Its job.
    pub job: JobRow<'a>,
}

impl StepRow<'_> {
    /// Appends `82.batch`, `84_1.0`.
    pub fn write_id(&self, out: &mut String) {
        use std::fmt::Write;
        // Of a component of a heterogeneous job the step shows the job's own id (`het.txt`).
        match self.job.job.het {
            Some(_) => number(out, self.job.job.id),
            None => self.job.write_id(out),
        }
        let _ = write!(out, ".{}", self.step.id);
    }

    /// Seconds since it began.
    pub fn elapsed(&self) -> i64 {
        (self.step.end.unwrap_or(self.job.context.clock.now()) - self.step.start).max(0)
    }
}

const fn row(
    letter: Option<char>,
    names: &'static [&'static str],
    header: &'static str,
    write: for<'a> fn(&StepRow<'a>, &mut String),
) -> Field<Steps> {
    Field { letter, names, header, cut: Cut::Always, tells: Tells::Never, write }
}

fn null(_: &StepRow, out: &mut String) {
    out.push_str("(null)");
}

/// A field that is cut in some columns only.
const fn cut(cut: Cut, field: Field<Steps>) -> Field<Steps> {
    Field { cut, ..field }
}

impl Kind for Steps {
    type Row<'a> = StepRow<'a>;
    const FIELDS: &'static [Field<Self>] = FIELDS;
}

#[rustfmt::skip]
const FIELDS: &[Field<Steps>] = &[
    row(Some('A'), &["numtasks"], "TASKS", |r, o| number(o, r.step.tasks)),
    row(Some('b'), &["tres-per-node", "gres"], "TRES_PER_JOB", null),
    row(Some('i'), &["stepid"], "STEPID", |r, o| r.write_id(o)),
    row(Some('j'), &["stepname"], "NAME", |r, o| o.push_str(&r.step.name)),
    row(Some('l'), &["timelimit"], "TIME_LIMIT", |_, o| o.push_str("UNLIMITED")),
    cut(Cut::IfLeft, row(Some('M'), &["timeused"], "TIME", |r, o| write_elapsed(r.elapsed(), o))),
    cut(Cut::Nodes, row(Some('N'), &["nodes"], "NODELIST", |r, o| o.push_str(&hostlist::compress_sorted(&r.step.nodes)))),
    row(Some('P'), &["partition"], "PARTITION", |r, o| r.job.write_partition(o)),
    row(Some('S'), &["starttime"], "START_TIME", |r, o| r.job.context.clock.write(r.step.start, o)),
    row(Some('u'), &["username"], "USER", |r, o| o.push_str(&r.job.job.request.user.name)),
    row(Some('U'), &["userid"], "UID", |r, o| number(o, r.job.job.request.user.uid)),
    row(None, &["arrayjobid"], "ARRAY_JOB_ID", |r, o| match &r.job.job.array {
        Some(array) => number(o, array.job_id),
        None => o.push('0'),
    }),
    row(None, &["arraytaskid"], "ARRAY_TASK_ID", |r, o| match r.job.task() {
        Some(task) => number(o, task),
        None => o.push_str("N/A"),
    }),
    row(None, &["cluster"], "CLUSTER", |r, o| o.push_str(r.job.context.cluster)),
    row(None, &["container"], "CONTAINER", null),
    row(None, &["containerid"], "CONTAINER_ID", null),
    row(None, &["cpufreq"], "CPU_FREQ", |_, o| o.push_str("0-0:0")),
    row(None, &["cpus-per-tres"], "CPUS_PER_TRES", null),
    row(None, &["jobid"], "JOB_ID", |r, o| number(o, r.job.job.id)),
    row(None, &["mem-per-tres"], "MEM_PER_TRES", null),
    row(None, &["network"], "NETWORK", null),
    row(None, &["numcpus"], "NUM_CPUS", |r, o| number(o, r.step.cpus)),
    row(None, &["resvports"], "RESERVED_PORTS", null),
    row(None, &["stepstate"], "STATE", |r, o| o.push_str(r.step.state.name())),
    row(None, &["tres-bind"], "TRES_BIND", null),
    row(None, &["tres-freq"], "TRES_FREQ", null),
    row(None, &["tres-per-job"], "TRES_PER_STEP", null),
    row(None, &["tres-per-socket"], "TRES_PER_SOCKET", null),
    row(None, &["tres-per-step"], "TRES_PER_STEP", null),
    row(None, &["tres-per-task"], "TRES_PER_TASK", null),
];
