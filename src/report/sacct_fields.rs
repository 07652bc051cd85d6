//! The fields of `sacct --format`, one row a field: name, width, and what is printed.
//!
//! Names, widths and which rows a field is filled in are those of sacct.txt (`sacct -o all`).
//! What is not measured here is empty, as it is in Slurm where it is not measured.

use super::{
    job_values as jobs,
    sacct_table::{self, Kind},
    sacct_values::{self as values, Context},
    table::number,
};
use crate::{
    job::{self, Job, Step, StepId},
    slurm::{
        array::show_pending,
        hostlist,
        time::{TimeLimit, elapsed_sacct},
    },
};

/// A line of the listing.
pub struct Row<'a> {
    /// The job.
    pub job: &'a Job,
    /// One of its steps, if the line is that.
    pub step: Option<&'a Step>,
    /// The one element shown, where the record stands for several that wait (`--array`).
    pub element: Option<u32>,
    /// What all lines share.
    pub context: &'a Context<'a>,
}

/// Jobs and steps on record: sacct.
pub enum Accounting {}

/// A field of theirs.
pub type Field = sacct_table::Field<Accounting>;

impl Kind for Accounting {
    type Row<'a> = Row<'a>;
    const FIELDS: &'static [Field] = FIELDS;
}

impl Row<'_> {
    /// `12`, `12_3`, `12_[4-6%2]`, `12.batch`, `12_3.0`
    fn write_id(&self, out: &mut String) {
        match (self.element, &self.job.array) {
            (Some(task), Some(array)) => {
                number(out, array.job_id);
                out.push('_');
                number(out, task);
            }
            (_, None) if self.job.het.is_none() => number(out, self.job.id),
            _ => out.push_str(&self.job.shown_id(self.context.jobs.bitstr_len)),
        }
        self.write_step(out);
    }

    /// The elements that wait, if the row is theirs: `4-6%2`.
    pub fn write_waiting(&self, out: &mut String) {
        if let (None, Some(array)) = (self.element, self.job.array.as_ref().filter(|array| array.task_id.is_none())) {
            out.push_str(&show_pending(&array.pending, array.throttle, self.context.jobs.bitstr_len));
        }
    }

    /// The job id every element has of its own.
    fn write_raw_id(&self, out: &mut String) {
        number(out, self.job.id);
        self.write_step(out);
    }

    fn write_step(&self, out: &mut String) {
        match self.step.map(|step| step.id) {
            None => {}
            Some(StepId::Batch) => out.push_str(".batch"),
            Some(StepId::Extern) => out.push_str(".extern"),
            Some(StepId::Interactive) => out.push_str(".interactive"),
            Some(StepId::Number(n)) => {
                out.push('.');
                number(out, n);
            }
            Some(StepId::Component(n, component)) => {
                out.push('.');
                number(out, n);
                out.push('+');
                number(out, component);
            }
        }
    }
}

/// A value that only jobs have.
fn of_job(row: &Row, out: &mut String, write: impl Fn(&Job, &mut String)) {
    if row.step.is_none() {
        write(row.job, out);
    }
}

/// A value that only steps have.
fn of_step(row: &Row, out: &mut String, write: impl Fn(&Step, &mut String)) {
    if let Some(step) = row.step {
        write(step, out);
    }
}

fn time(row: &Row, out: &mut String, when: Option<i64>) {
    row.context.clock().write_or(when, "Unknown", out);
}

/// A job that waited for its turn and ended without having it has `None`; one that was never
/// eligible has the time of its end, which the controller notes as its start (extra.txt).
fn write_start(row: &Row, out: &mut String) {
    let job = row.job;
    match (row.step, jobs::allocation(job), job.end_time) {
        (Some(step), ..) => time(row, out, Some(step.start)),
        (None, None, Some(_)) if job.eligible_time.is_some() => out.push_str("None"),
        (None, None, None) => out.push_str("Unknown"),
        (None, None, end) => time(row, out, job.start_time.or(end)),
        (None, Some(_), _) => time(row, out, job.start_time),
    }
}

fn write_node_list(row: &Row, out: &mut String) {
    match (row.step, jobs::allocation(row.job)) {
        (Some(step), _) => match step.nodes.as_slice() {
            [only] => out.push_str(only),
            several => out.push_str(&hostlist::compress_sorted(several)),
        },
        (None, Some(placement)) => match placement.nodes.as_slice() {
            [only] => out.push_str(&only.node),
            _ => out.push_str(&hostlist::compress_sorted(placement.names())),
        },
        (None, None) => out.push_str("None assigned"),
    }
}

fn nodes(row: &Row) -> u32 {
    row.step.map_or_else(|| jobs::nodes(row.job), |step| step.nodes.len() as u32)
}

fn allocated_nodes(row: &Row) -> u32 {
    if jobs::allocation(row.job).is_some() { nodes(row) } else { 0 }
}

fn write_allocated(row: &Row, out: &mut String) {
    if let Some(tres) = values::allocated(row) {
        out.push_str(&values::tres(&tres, row.context.units));
    }
}

fn cpu_seconds(row: &Row) -> i64 {
    values::elapsed(row).saturating_mul(i64::from(values::cpus(row)))
}

fn planned(row: &Row, times: u32) -> String {
    let seconds = values::planned(row.job, row.context.clock().now()).unwrap_or(0);
    elapsed_sacct(seconds.saturating_mul(i64::from(times)))
}

fn write_average_cpu(step: &Step, out: &mut String) {
    let total = step.usage.user_us.saturating_add(step.usage.system_us);
    if step.end.is_some() {
        let seconds = total / u64::from(step.tasks.max(1)) / 1_000_000;
        out.push_str(&elapsed_sacct(i64::try_from(seconds).unwrap_or(0)));
    }
}

fn write_rss(row: &Row, out: &mut String, known: impl Fn(&Step) -> bool) {
    of_step(row, out, |step, out| {
        if step.usage.max_rss_kib > 0 && known(step) {
            out.push_str(&values::size(step.usage.max_rss_kib, 'K', row.context.units));
        }
    });
}

fn write_usage(row: &Row, out: &mut String, unmeasured: &str) {
    of_step(row, out, |step, out| match step.usage.max_rss_kib {
        0 => out.push_str(unmeasured),
        rss => {
            let seconds = step.usage.user_us.saturating_add(step.usage.system_us) / 1_000_000;
            let cpu = elapsed_sacct(i64::try_from(seconds).unwrap_or(0));
            out.push_str(&format!("cpu={cpu},energy=0,mem={}", values::size(rss, 'K', row.context.units)));
        }
    });
}

/// Nothing sets a frequency; the script has 0 where the others are not known.
fn write_frequency(row: &Row, out: &mut String) {
    out.push_str(match row.step.map(|step| step.id) {
        None | Some(StepId::Number(_) | StepId::Component(..)) => "Unknown",
        Some(_) => "0",
    });
}

/// A file of the script, with its pattern filled in if that is asked for.
fn write_file(row: &Row, name: Option<&str>, out: &mut String) {
    match name.filter(|_| row.step.is_none() && row.job.request.kind == job::Kind::Batch) {
        Some(_) if row.context.jobs.expand => out.push_str(&jobs::output_path(row.job, row.element, name)),
        Some(_) => jobs::write_output(row.job, name, out),
        None => {}
    }
}

fn write_minutes(limit: TimeLimit, out: &mut String) {
    match limit {
        TimeLimit::Unlimited => out.push_str("UNLIMITED"),
        TimeLimit::Minutes(minutes) => number(out, minutes),
    }
}

type Write = for<'a> fn(&Row<'a>, &mut String);

const fn row(name: &'static str, width: i32, write: Write) -> Field {
    Field { name, header: name, width, listed: true, write }
}

/// A field about something that is not measured or does not exist here.
const fn none(name: &'static str, width: i32) -> Field {
    Field { name, header: name, width, listed: true, write: |_, _| {} }
}

const fn newer(name: &'static str, width: i32, write: Write) -> Field {
    Field { name, header: name, width, listed: false, write }
}

/// Fields for which, without its steps, a job's record will do, with [`job::Request::brief`] for its request.
pub const BRIEF: &[&str] = &[
    "Account",
    "AllocCPUS",
    "AllocNodes",
    "Cluster",
    "CPUTime",
    "CPUTimeRAW",
    "DerivedExitCode",
    "Elapsed",
    "ElapsedRaw",
    "Eligible",
    "End",
    "ExitCode",
    "GID",
    "Group",
    "JobID",
    "JobIDRaw",
    "JobName",
    "NCPUS",
    "NNodes",
    "NodeList",
    "Partition",
    "Priority",
    "QOS",
    "ReqCPUS",
    "ReqNodes",
    "Start",
    "State",
    "Submit",
    "Suspended",
    "Timelimit",
    "TimelimitRaw",
    "UID",
    "User",
];

/// All fields, in the order in which `--helpformat` lists them; beginnings of names are looked for in it too.
#[rustfmt::skip]
const FIELDS: &[Field] = &[
    row("Account", 10, |r, o| o.push_str(r.job.request.account.as_deref().unwrap_or_default())),
    none("AdminComment", 15),
    row("AllocCPUS", 10, |r, o| number(o, values::cpus(r))),
    row("AllocNodes", 10, |r, o| number(o, allocated_nodes(r))),
    row("AllocTRES", 10, write_allocated),
    row("AssocID", 7, |_, o| o.push('0')),
    row("AveCPU", 10, |r, o| of_step(r, o, write_average_cpu)),
    row("AveCPUFreq", 10, |r, o| of_step(r, o, |s, o| { let _ = s; o.push('0') })),
    none("AveDiskRead", 14),
    none("AveDiskWrite", 14),
    none("AvePages", 10),
    row("AveRSS", 10, |r, o| write_rss(r, o, |s| s.tasks == 1)),
    none("AveVMSize", 10),
    none("BlockID", 16),
    row("Cluster", 10, |r, o| o.push_str(r.context.jobs.cluster)),
    row("Comment", 14, |r, o| of_job(r, o, |j, o| o.push_str(j.request.comment.as_deref().unwrap_or_default()))),
    row("Constraints", 19, |r, o| of_job(r, o, |j, o| o.push_str(j.request.constraint.as_deref().unwrap_or_default()))),
    row("ConsumedEnergy", 14, |_, o| o.push('0')),
    row("ConsumedEnergyRaw", 17, |_, o| o.push('0')),
    none("Container", 19),
    row("CPUTime", 10, |r, o| o.push_str(&elapsed_sacct(cpu_seconds(r)))),
    row("CPUTimeRAW", 10, |r, o| number(o, cpu_seconds(r))),
    row("DBIndex", 10, |r, o| number(o, r.job.id)),
    row("DerivedExitCode", 15, |r, o| of_job(r, o, |j, o| o.push_str(&j.derived_exit.pair()))),
    row("Elapsed", 10, |r, o| o.push_str(&elapsed_sacct(values::elapsed(r)))),
    row("ElapsedRaw", 10, |r, o| number(o, values::elapsed(r))),
    row("Eligible", 19, |r, o| time(r, o, r.step.map_or(r.job.eligible_time, |s| Some(s.start)))),
    row("End", 19, |r, o| time(r, o, r.step.map_or(r.job.end_time, |s| s.end))),
    row("ExitCode", 8, |r, o| o.push_str(&r.step.map_or(r.job.exit, |s| s.exit).pair())),
    row("Flags", 19, |r, o| of_job(r, o, |j, o| if j.start_time.is_some() { o.push_str("SchedMain,StartReceived") })),
    row("GID", 6, |r, o| of_job(r, o, |j, o| number(o, j.request.user.gid))),
    row("Group", 9, |r, o| of_job(r, o, |j, o| o.push_str(&j.request.user.group))),
    row("JobID", -12, |r, o| r.write_id(o)),
    row("JobIDRaw", -12, |r, o| r.write_raw_id(o)),
    row("JobName", 10, |r, o| o.push_str(r.step.map_or(&r.job.request.name, |s| &s.name))),
    row("Layout", 9, |r, o| of_step(r, o, |s, o| o.push_str(values::layout(s)))),
    none("MaxDiskRead", 12),
    none("MaxDiskReadNode", 15),
    none("MaxDiskReadTask", 15),
    none("MaxDiskWrite", 12),
    none("MaxDiskWriteNode", 16),
    none("MaxDiskWriteTask", 16),
    none("MaxPages", 8),
    none("MaxPagesNode", 12),
    none("MaxPagesTask", 14),
    row("MaxRSS", 10, |r, o| write_rss(r, o, |_| true)),
    row("MaxRSSNode", 10, |r, o| of_step(r, o, |s, o| if let ([node], true) = (s.nodes.as_slice(), s.usage.max_rss_kib > 0) { o.push_str(node) })),
    row("MaxRSSTask", 10, |r, o| of_step(r, o, |s, o| if s.tasks == 1 && s.usage.max_rss_kib > 0 { o.push('0') })),
    none("MaxVMSize", 10),
    none("MaxVMSizeNode", 14),
    none("MaxVMSizeTask", 14),
    none("McsLabel", 12),
    none("MinCPU", 10),
    none("MinCPUNode", 10),
    none("MinCPUTask", 10),
    row("NCPUS", 10, |r, o| number(o, values::cpus(r))),
    row("NNodes", 8, |r, o| number(o, nodes(r))),
    row("NodeList", 15, write_node_list),
    row("NTasks", 8, |r, o| of_step(r, o, |s, o| number(o, s.tasks))),
    row("Partition", 10, |r, o| of_job(r, o, |j, o| o.push_str(&j.partition))),
    row("Priority", 10, |r, o| of_job(r, o, |j, o| number(o, j.priority))),
    row("QOS", 10, |r, o| of_job(r, o, |j, o| o.push_str(j.request.qos.as_deref().unwrap_or("normal")))),
    row("QOSRAW", 6, |r, o| of_job(r, o, |j, o| { let _ = j; o.push('1') })),
    row("Reason", 22, |r, o| of_job(r, o, |j, o| o.push_str(values::waited_for(j)))),
    row("ReqCPUFreq", 10, write_frequency),
    row("ReqCPUFreqGov", 13, write_frequency),
    row("ReqCPUFreqMax", 13, write_frequency),
    row("ReqCPUFreqMin", 13, write_frequency),
    row("ReqCPUS", 8, |r, o| number(o, r.step.map_or(r.job.min_cpus, |s| s.cpus))),
    row("ReqMem", 10, |r, o| if r.step.is_none() { o.push_str(&values::size(values::requested(r).mem.0, 'M', r.context.units)) }),
    row("ReqNodes", 8, |r, o| number(o, r.step.map_or(r.job.min_nodes, |s| s.nodes.len() as u32))),
    row("ReqTRES", 10, |r, o| if r.step.is_none() { o.push_str(&values::tres(&values::requested(r), r.context.units)) }),
    row("Reservation", 20, |r, o| of_job(r, o, |j, o| o.push_str(j.request.reservation.as_deref().unwrap_or_default()))),
    none("ReservationId", 8),
    row("Reserved", 10, |r, o| of_job(r, o, |_, o| o.push_str(&planned(r, 1)))),
    row("ResvCPU", 10, |r, o| of_job(r, o, |j, o| o.push_str(&planned(r, j.min_cpus)))),
    row("ResvCPURAW", 10, |r, o| of_job(r, o, |j, o| number(o, values::planned(j, r.context.clock().now()).unwrap_or(0) * i64::from(j.min_cpus)))),
    row("Start", 19, write_start),
    row("State", 10, values::write_state),
    row("Submit", 19, |r, o| time(r, o, Some(r.step.map_or(r.job.submit_time, |s| s.start)))),
    row("SubmitLine", 20, |r, o| o.push_str(r.step.map_or(&r.job.request.submit_line, |s| &s.command))),
    row("Suspended", 10, |r, o| o.push_str(&elapsed_sacct(r.job.suspended(r.context.clock().now())))),
    none("SystemComment", 15),
    row("SystemCPU", 10, |r, o| o.push_str(&values::cpu_time(values::cpu_used(r).1))),
    row("Timelimit", 10, |r, o| of_job(r, o, |j, o| o.push_str(&j.time_limit.scontrol()))),
    row("TimelimitRaw", 10, |r, o| of_job(r, o, |j, o| write_minutes(j.time_limit, o))),
    row("TotalCPU", 10, |r, o| { let (user, system) = values::cpu_used(r); o.push_str(&values::cpu_time(user.saturating_add(system))) }),
    row("TRESUsageInAve", 14, |r, o| of_step(r, o, |s, o| { let _ = s; o.push_str("energy=0") })),
    row("TRESUsageInMax", 14, |r, o| write_usage(r, o, "")),
    none("TRESUsageInMaxNode", 18),
    none("TRESUsageInMaxTask", 18),
    none("TRESUsageInMin", 14),
    none("TRESUsageInMinNode", 18),
    none("TRESUsageInMinTask", 18),
    row("TRESUsageInTot", 14, |r, o| write_usage(r, o, "energy=0")),
    row("TRESUsageOutAve", 15, |r, o| of_step(r, o, |s, o| { let _ = s; o.push_str("energy=0") })),
    none("TRESUsageOutMax", 15),
    none("TRESUsageOutMaxNode", 19),
    none("TRESUsageOutMaxTask", 19),
    none("TRESUsageOutMin", 15),
    none("TRESUsageOutMinNode", 19),
    none("TRESUsageOutMinTask", 19),
    row("TRESUsageOutTot", 15, |r, o| of_step(r, o, |s, o| { let _ = s; o.push_str("energy=0") })),
    row("UID", 6, |r, o| of_job(r, o, |j, o| number(o, j.request.user.uid))),
    row("User", 9, |r, o| of_job(r, o, |j, o| o.push_str(&j.request.user.name))),
    row("UserCPU", 10, |r, o| o.push_str(&values::cpu_time(values::cpu_used(r).0))),
    row("WCKey", 10, |r, o| of_job(r, o, |j, o| o.push_str(j.request.wckey.as_deref().unwrap_or_default()))),
    row("WCKeyID", 10, |r, o| of_job(r, o, |j, o| { let _ = j; o.push('0') })),
    row("WorkDir", 20, |r, o| of_job(r, o, |j, o| o.push_str(&j.request.work_dir))),
    newer("Extra", 14, |r, o| of_job(r, o, |j, o| o.push_str(j.request.extra.as_deref().unwrap_or_default()))),
    newer("FailedNode", 20, |_, _| {}),
    newer("Licenses", 14, |r, o| of_job(r, o, |j, o| o.push_str(j.request.licenses.as_deref().unwrap_or_default()))),
    newer("Planned", 10, |r, o| of_job(r, o, |_, o| o.push_str(&planned(r, 1)))),
    newer("PlannedCPU", 10, |r, o| of_job(r, o, |j, o| o.push_str(&planned(r, j.min_cpus)))),
    newer("PlannedCPURAW", 13, |r, o| of_job(r, o, |j, o| number(o, values::planned(j, r.context.clock().now()).unwrap_or(0) * i64::from(j.min_cpus)))),
    newer("QOSREQ", 10, |r, o| of_job(r, o, |j, o| o.push_str(j.request.asked_qos().unwrap_or_default()))),
    newer("Restarts", 8, |r, o| of_job(r, o, |j, o| number(o, j.restarts))),
    newer("StdErr", 20, |r, o| of_job(r, o, |j, o| write_file(r, j.request.error.as_deref(), o))),
    newer("StdIn", 20, |r, o| of_job(r, o, |j, o| write_file(r, j.request.input.as_deref().or(Some("/dev/null")), o))),
    newer("StdOut", 20, |r, o| of_job(r, o, |j, o| write_file(r, j.request.output.as_deref().or(Some(jobs::usual_output(j))), o))),
];

#[cfg(test)]
mod tests;
