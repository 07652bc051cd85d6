//! The steps of jobs on record (`STEP` of Slurm's parsers).

use super::{
    accounting::{micros, seconds, tres},
    jobs::exit,
    tree::{Field, Records},
    value::*,
};
use crate::{
    host::user,
    job::{Step, StepId},
    report::{job_values as jobs, sacct_fields::Row, sacct_values as values},
    slurm::hostlist,
};

/// Steps as accounting keeps them.
pub struct Steps;

/// One of them: its step is there.
pub struct StepRow<'a> {
    /// The line of sacct.
    pub row: Row<'a>,
    /// Its step.
    pub step: &'a Step,
}

impl Records for Steps {
    type Row<'a> = StepRow<'a>;
    const FIELDS: &'static [Field<Self>] = FIELDS;
}

const fn row(path: &'static str, value: for<'r, 'a> fn(&'r StepRow<'a>) -> Value<'r>) -> Field<Steps> {
    Field { path, value }
}

/// A list about what is not measured here.
const fn none(path: &'static str) -> Field<Steps> {
    row(path, |_| NONE)
}

fn total(step: &Step) -> u64 {
    step.usage.user_us.saturating_add(step.usage.system_us)
}

/// A measured quantity; `task` and `node` say whose it is, as far as that is known.
fn measured<'a>(kind: &'static str, id: i64, count: u64, whose: Option<(i64, &str)>) -> Value<'a> {
    let mut fields = vec![("type", text(kind)), ("name", text("")), ("id", int(id)), ("count", int(count))];
    if let Some((task, node)) = whose {
        fields.extend([("task", int(task)), ("node", text(node.to_owned()))]);
    }
    Value::Map(fields)
}

/// The largest resident set of a task, bytes. Which task it was is known if there was one only.
fn max<'a>(step: &Step) -> Value<'a> {
    let node = match step.nodes.as_slice() {
        [only] => only,
        _ => "",
    };
    match step.usage.max_rss_kib {
        0 => NONE,
        kib => {
            let task = if step.tasks == 1 { 0 } else { -1 };
            Value::List(vec![measured("mem", 2, kib.saturating_mul(1024), Some((task, node)))])
        }
    }
}

/// CPU time, ms.
fn cpu<'a>(step: &Step, of: u64) -> Value<'a> {
    match step.end {
        Some(_) => Value::List(vec![measured("cpu", 1, total(step) / of.max(1) / 1000, None)]),
        None => NONE,
    }
}

fn is_srun(step: &Step) -> bool {
    matches!(step.id, StepId::Number(_) | StepId::Component(..))
}

/// What nobody has asked for, and 0 where it could not be asked for.
fn frequency<'a>(step: &Step) -> Value<'a> {
    if is_srun(step) { UNSET } else { number(0) }
}

#[rustfmt::skip]
const FIELDS: &[Field<Steps>] = &[
    row("time/elapsed", |r| int(values::elapsed(&r.row))),
    row("time/end", |r| time(r.step.end)),
    row("exit_code", |r| exit(r.step.exit)),
    row("nodes/count", |r| int(r.step.nodes.len())),
    row("nodes/range", |r| text(hostlist::compress_sorted(&r.step.nodes))),
    row("tasks/count", |r| int(r.step.tasks)),
    row("pid", |_| text("")),
    row("CPU/requested_frequency/min", |r| frequency(r.step)),
    row("CPU/requested_frequency/max", |r| frequency(r.step)),
    row("CPU/governor", |r| text(if is_srun(r.step) { "Unknown" } else { "0" })),
    row("kill_request_user", |r| or_blank(r.step.cancelled_by.map(user::name_of))),
    row("time/start", |r| number(r.step.start)),
    row("state", |r| words([r.step.state.name()])),
    row("statistics/CPU/actual_frequency", |_| int(0)),
    row("statistics/energy/consumed", |_| number(0)),
    row("step/id", |r| text(format!("{}.{}", r.row.job.id, r.step.id))),
    row("step/name", |r| text(&r.step.name)),
    row("time/suspended", |_| int(0)),
    row("time/system/seconds", |r| seconds(r.step.usage.system_us)),
    row("time/system/microseconds", |r| micros(r.step.usage.system_us)),
    row("task/distribution", |r| text(values::layout(r.step))),
    row("time/total/seconds", |r| seconds(total(r.step))),
    row("time/total/microseconds", |r| micros(total(r.step))),
    row("time/user/seconds", |r| seconds(r.step.usage.user_us)),
    row("time/user/microseconds", |r| micros(r.step.usage.user_us)),
    row("nodes/list", |r| words(&r.step.nodes)),
    row("tres/requested/max", |r| max(r.step)),
    none("tres/requested/min"),
    none("tres/consumed/max"),
    none("tres/consumed/min"),
    row("tres/requested/average", |r| cpu(r.step, u64::from(r.step.tasks))),
    row("tres/requested/total", |r| cpu(r.step, 1)),
    none("tres/consumed/average"),
    none("tres/consumed/total"),
    row("tres/allocated", |r| tres(&jobs::step_tres(r.step))),
];
