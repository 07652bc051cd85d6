//! Running steps: `squeue --steps --json`, `scontrol show step --json` (`STEP_INFO` of Slurm's parsers).

use super::{
    tree::{Field, Records},
    value::*,
};
use crate::{
    job::StepId,
    report::{job_values, sacct_values, step_fields::StepRow},
    slurm::hostlist,
};

/// Steps as the controller knows them.
pub struct StepRecords;

impl Records for StepRecords {
    type Row<'a> = StepRow<'a>;
    const FIELDS: &'static [Field<Self>] = FIELDS;
    const NONE: Option<&'static str> = Some("Zero steps to dump");
}

const fn row(path: &'static str, value: for<'r, 'a> fn(&'r StepRow<'a>) -> Value<'r>) -> Field<StepRecords> {
    Field { path, value }
}

/// A text about what there is not here.
const fn none(path: &'static str) -> Field<StepRecords> {
    row(path, |_| text(""))
}

/// Slurm's number for "no such task", which this field has where others have "not set".
const NO_TASK: i64 = 4_294_967_294;

/// Of the step of the script Slurm's controller knows no more than that it is there.
fn is_srun(row: &StepRow<'_>) -> bool {
    matches!(row.step.id, StepId::Number(_) | StepId::Component(..))
}

/// What nobody has asked for, and 0 where it could not be asked for.
fn frequency<'a>(row: &StepRow<'_>) -> Value<'a> {
    if is_srun(row) { UNSET } else { number(0) }
}

#[rustfmt::skip]
const FIELDS: &[Field<StepRecords>] = &[
    row("array/job_id", |r| int(r.job.job.array.as_ref().map_or(0, |array| array.job_id))),
    row("array/task_id", |r| int(r.job.task().map_or(NO_TASK, i64::from))),
    row("cluster", |r| text(r.job.context.cluster)),
    none("container"),
    none("container_id"),
    row("cpu/frequency/min", frequency),
    row("cpu/frequency/max", frequency),
    row("cpu/frequency/governor", frequency),
    none("tres/per/cpu"),
    none("tres/per/memory"),
    row("name", |r| text(&r.step.name)),
    none("network"),
    row("nodes", |r| text(hostlist::compress_sorted(&r.step.nodes))),
    row("number_cpus", |r| int(if is_srun(r) { r.step.cpus } else { 0 })),
    row("number_tasks", |r| int(r.step.tasks)),
    row("partition", |r| text(&r.job.job.partition)),
    none("reserved_ports"),
    row("time/running", |r| number(r.elapsed())),
    none("srun/host"),
    row("srun/pid", |_| int(0)),
    row("time/start", |r| number(r.step.start)),
    row("state", |r| words([r.step.state.name()])),
    row("id", |r| text(format!("{}.{}", r.job.job.id, r.step.id))),
    row("submit_line", |r| text(if is_srun(r) { &r.step.command } else { "" })),
    row("task/distribution", |r| text(sacct_values::layout(r.step))),
    row("time/limit", |_| INFINITE),
    row("tres/allocation", |r| match is_srun(r) {
        true => text(job_values::step_tres(r.step).to_string()),
        false => text(""),
    }),
    none("tres/binding"),
    none("tres/frequency"),
    none("tres/per/step"),
    none("tres/per/node"),
    none("tres/per/socket"),
    none("tres/per/task"),
    row("user", |r| text(&r.job.job.request.user.name)),
];
