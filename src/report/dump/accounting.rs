//! Jobs on record: `sacct --json` (`JOB` of Slurm's parsers).

use super::{
    accounting_steps::{StepRow, Steps},
    jobs::{exit, minutes, states},
    tree::{Field, Records, value_of},
    value::*,
};
use crate::{
    job::{Job, Kind},
    report::{job_values as jobs, sacct_fields::Row, sacct_values as values},
    slurm::{gres::Tres, hostlist, state::JobState},
};

/// Jobs as accounting keeps them, each with its steps that are asked for.
pub struct AccountingJobs;

impl Records for AccountingJobs {
    type Row<'a> = (Row<'a>, Vec<StepRow<'a>>);
    const FIELDS: &'static [Field<Self>] = FIELDS;
}

type Record<'a> = (Row<'a>, Vec<StepRow<'a>>);

const fn row(path: &'static str, value: for<'r, 'a> fn(&'r Record<'a>) -> Value<'r>) -> Field<AccountingJobs> {
    Field { path, value }
}

/// A text about what there is not here.
const fn none(path: &'static str) -> Field<AccountingJobs> {
    row(path, |_| text(""))
}

/// A number that is 0 where, as here, there is no such thing.
const fn zero(path: &'static str) -> Field<AccountingJobs> {
    row(path, |_| int(0))
}

/// TRES with the numbers they have in Slurm's database; those of generic resources begin at 1001.
pub(super) fn tres<'a>(tres: &Tres) -> Value<'a> {
    let fixed = [("cpu", 1, tres.cpu), ("mem", 2, tres.mem.0), ("node", 4, tres.node), ("billing", 5, tres.billing)];
    let one = |kind: &'static str, name: String, id: u64, count: u64| {
        Value::Map(vec![("type", text(kind)), ("name", text(name)), ("id", int(id)), ("count", int(count))])
    };
    let mut list: Vec<Value> = fixed
        .into_iter()
        .filter(|(.., count)| *count > 0)
        .map(|(kind, id, count)| one(kind, String::new(), id, count))
        .collect();
    let gres = tres.gres.0.iter().filter(|gres| gres.count > 0);
    list.extend(gres.zip(1001..).map(|(gres, id)| one("gres", gres.name.clone(), id, gres.count)));
    Value::List(list)
}

/// A step's or job's CPU time in µs, as whole seconds.
pub(super) fn seconds<'a>(micros: u64) -> Value<'a> {
    int(micros / 1_000_000)
}

/// The rest of it.
pub(super) fn micros<'a>(micros: u64) -> Value<'a> {
    int(micros % 1_000_000)
}

fn cpu_total(row: &Row) -> u64 {
    let (user, system) = values::cpu_used(row);
    user.saturating_add(system)
}

/// Who ended it.
fn killer<'a>(job: &Job) -> Value<'a> {
    or_blank(job.cancelled_by.map(crate::host::user::name_of))
}

fn association(row: &Row) -> Value<'static> {
    let request = &row.job.request;
    Value::Map(vec![
        ("account", text(request.account.clone().unwrap_or_default())),
        ("cluster", text(row.context.jobs.cluster.to_owned())),
        ("partition", text("")),
        ("user", text(request.user.name.clone())),
        ("id", int(0)),
    ])
}

fn flags(job: &Job) -> Value<'static> {
    match jobs::allocation(job) {
        Some(_) => words(["STARTED_ON_SCHEDULE", "START_RECEIVED"]),
        None => NONE,
    }
}

fn memory<'a>(row: &Row<'_>, per_cpu: bool) -> Value<'a> {
    let (mib, of_cpus) = jobs::memory(row.job, &row.context.jobs);
    match (of_cpus && mib > 0) == per_cpu {
        true => number(mib),
        false => UNSET,
    }
}

fn nodes<'a>(job: &Job) -> Value<'a> {
    match jobs::allocation(job) {
        Some(placement) => text(hostlist::compress_sorted(placement.names())),
        None => text("None assigned"),
    }
}

/// Output files: as written, and with their patterns filled in.
fn file<'a>(job: &Job, name: Option<&str>, expanded: bool) -> Value<'a> {
    match (job.request.kind, expanded) {
        (Kind::Batch, true) => text(jobs::output_path(job, None, name)),
        (Kind::Batch, false) => {
            written(|out| jobs::write_output(job, name.or_else(|| Some(jobs::usual_output(job))), out))
        }
        _ => text(""),
    }
}

fn input<'a>(job: &Job, expanded: bool) -> Value<'a> {
    match &job.request.input {
        Some(input) => file(job, Some(input), expanded),
        None if job.request.kind == Kind::Batch => text("/dev/null"),
        None => text(""),
    }
}

fn output(job: &Job) -> Option<&str> {
    job.request.output.as_deref()
}

/// The file of `--error`: none is told where errors go to the output.
fn error<'a>(job: &'a Job, expanded: bool) -> Value<'a> {
    match (&job.request.error, expanded) {
        (Some(name), expanded) => file(job, Some(name), expanded),
        (None, true) => text(""),
        (None, false) => Value::Blank,
    }
}

/// A record that ended with a flag is that of an earlier run.
fn state(job: &Job) -> Value<'static> {
    match job.flag.filter(|_| job.end_time.is_some() && job.state == JobState::Pending) {
        Some(flag) => words([flag.name()]),
        None => states(job.state, job.flag),
    }
}

#[rustfmt::skip]
const FIELDS: &[Field<AccountingJobs>] = &[
    row("account", |(r, _)| or_empty(r.job.request.account.as_deref())),
    none("comment/administrator"),
    row("allocation_nodes", |(r, _)| int(jobs::allocation(r.job).map_or(0, |p| p.nodes.len()))),
    row("array/job_id", |(r, _)| int(r.job.array.as_ref().map_or(0, |array| array.job_id))),
    // What Slurm says here of `--array=1-9%2`, too.
    zero("array/limits/max/running/tasks"),
    row("array/task_id", |(r, _)| number_or_unset(r.element.or(r.job.array.as_ref().and_then(|a| a.task_id)))),
    row("array/task", |(r, _)| written(|out| r.write_waiting(out))),
    row("association", |(r, _)| association(r)),
    none("block"),
    row("cluster", |(r, _)| text(r.context.jobs.cluster)),
    row("constraints", |(r, _)| or_blank(r.job.request.constraint.as_deref())),
    row("container", |(r, _)| or_empty(r.job.request.container_image.as_deref())),
    row("derived_exit_code", |(r, _)| exit(r.job.derived_exit)),
    row("comment/job", |(r, _)| or_empty(r.job.request.comment.as_deref())),
    row("time/elapsed", |(r, _)| int(values::elapsed(r))),
    row("time/eligible", |(r, _)| int(r.job.eligible_time.unwrap_or(0))),
    row("time/end", |(r, _)| int(r.job.end_time.unwrap_or(0))),
    row("exit_code", |(r, _)| exit(r.job.exit)),
    row("extra", |(r, _)| or_empty(r.job.request.extra.as_deref())),
    none("failed_node"),
    row("flags", |(r, _)| flags(r.job)),
    row("group", |(r, _)| text(&r.job.request.user.group)),
    row("het/job_id", |(r, _)| int(r.job.het.map_or(0, |het| het.leader))),
    row("het/job_offset", |(r, _)| number_or_unset(r.job.het.map(|het| het.offset))),
    row("job_id", |(r, _)| int(r.job.id)),
    row("name", |(r, _)| text(&r.job.request.name)),
    row("licenses", |(r, _)| or_empty(r.job.request.licenses.as_deref())),
    row("mcs/label", |_| Value::Blank),
    row("nodes", |(r, _)| nodes(r.job)),
    row("partition", |(r, _)| text(&r.job.partition)),
    row("hold", |(r, _)| Value::Bool(r.job.priority == 0)),
    row("priority", |(r, _)| number(r.job.priority)),
    row("qos", |(r, _)| text(r.job.request.qos.as_deref().unwrap_or("normal"))),
    row("qosreq", |(r, _)| or_empty(r.job.request.asked_qos())),
    row("required/CPUs", |(r, _)| int(r.job.min_cpus)),
    row("required/memory_per_cpu", |(r, _)| memory(r, true)),
    row("required/memory_per_node", |(r, _)| memory(r, false)),
    row("kill_request_user", |(r, _)| killer(r.job)),
    row("restart_cnt", |(r, _)| int(r.job.restarts)),
    zero("reservation/id"),
    row("reservation/name", |(r, _)| or_empty(r.job.request.reservation.as_deref())),
    row("time/planned", |(r, _)| number(values::planned(r.job, r.context.clock().now()).unwrap_or(0))),
    row("script", |_| Value::Blank),
    row("stdin_expanded", |(r, _)| input(r.job, true)),
    row("stdout_expanded", |(r, _)| file(r.job, output(r.job), true)),
    row("stderr_expanded", |(r, _)| error(r.job, true)),
    row("stdout", |(r, _)| file(r.job, output(r.job), false)),
    row("stderr", |(r, _)| error(r.job, false)),
    row("stdin", |(r, _)| input(r.job, false)),
    row("time/start", |(r, _)| int(jobs::allocation(r.job).and(r.job.start_time).unwrap_or(0))),
    row("state/current", |(r, _)| state(r.job)),
    row("state/reason", |(r, _)| text(values::waited_for(r.job))),
    row("steps", |(_, steps)| Value::List(steps.iter().map(value_of::<Steps>).collect())),
    row("time/submission", |(r, _)| int(r.job.submit_time)),
    row("submit_line", |(r, _)| text(&r.job.request.submit_line)),
    zero("time/suspended"),
    none("comment/system"),
    row("time/system/seconds", |(r, _)| seconds(values::cpu_used(r).1)),
    row("time/system/microseconds", |(r, _)| micros(values::cpu_used(r).1)),
    row("time/limit", |(r, _)| minutes(r.job.time_limit)),
    row("time/total/seconds", |(r, _)| seconds(cpu_total(r))),
    row("time/total/microseconds", |(r, _)| micros(cpu_total(r))),
    row("tres/allocated", |(r, _)| values::allocated(r).map_or(NONE, |t| tres(&t))),
    row("tres/requested", |(r, _)| tres(&values::requested(r))),
    none("used_gres"),
    row("user", |(r, _)| text(&r.job.request.user.name)),
    row("time/user/seconds", |(r, _)| seconds(values::cpu_used(r).0)),
    row("time/user/microseconds", |(r, _)| micros(values::cpu_used(r).0)),
    row("wckey/wckey", |(r, _)| or_blank(r.job.request.wckey.as_deref())),
    row("wckey/flags", |_| NONE),
    row("working_directory", |(r, _)| text(&r.job.request.work_dir)),
];
