//! The fields of a job: the letters of `squeue -o` and the names of `squeue -O`, one row a field.
//!
//! Names, headers and values are those that Slurm prints (`testdata/slurm/fields/squeue.txt`).
//! Where the real one shows a thing that does not exist here (federations, burst buffers,
//! reservations), its word for "none" is printed.

use super::{
    field::{Cut, Field, Kind, Tells},
    job_values::{self as values, Context},
    table::number,
};
use crate::{
    job::{self, ArrayRef, Het, Job, Requeue},
    slurm::{array::show_pending, hostlist, idset::IdSet, reason::Reason, state::JobState, time::TimeLimit},
};

/// Listings of jobs.
pub struct Jobs;

/// One line of a listing of jobs.
pub struct JobRow<'a> {
    /// The job.
    pub job: &'a Job,
    /// The one element shown, where the record stands for several waiting ones.
    pub element: Option<u32>,
    /// The one partition shown, where the job waits for several (`--priority`).
    pub partition: Option<&'a str>,
    /// Elements with records of their own that wait too and are shown in this line.
    pub merged: Option<Box<Merged>>,
    /// What all lines share.
    pub context: &'a Context<'a>,
}

/// The waiting elements of an array that share a line.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    /// All of them.
    pub pending: IdSet,
    /// What they wait for, without doubles.
    pub reasons: Vec<Reason>,
}

impl<'a> JobRow<'a> {
    /// The line of a job as it is.
    pub fn new(job: &'a Job, context: &'a Context<'a>) -> Self {
        Self { job, element: None, partition: None, merged: None, context }
    }

    /// The element it is about, if it is about one.
    pub fn task(&self) -> Option<u32> {
        if self.merged.is_some() {
            return None;
        }
        self.element.or_else(|| self.job.array.as_ref().and_then(|array| array.task_id))
    }

    /// The waiting elements it is about, if it is about several.
    fn pending(&self) -> Option<(&ArrayRef, &IdSet)> {
        let array = self.job.array.as_ref()?;
        match (&self.merged, self.task()) {
            (Some(merged), _) => Some((array, &merged.pending)),
            (None, None) => Some((array, &array.pending)),
            (None, Some(_)) => None,
        }
    }

    /// Appends `3`, or `1-10%2`; nothing for a job that is no array.
    pub fn write_tasks(&self, out: &mut String) {
        if let Some((array, pending)) = self.pending() {
            out.push_str(&show_pending(pending, array.throttle, self.context.bitstr_len));
        } else if let Some(task) = self.task() {
            number(out, task);
        }
    }

    /// Appends `12`, `12_3` or `12_[1-10%2]`.
    pub fn write_id(&self, out: &mut String) {
        if let Some(het) = self.job.het {
            number(out, het.leader);
            out.push('+');
            return number(out, het.offset);
        }
        number(out, self.job.array_job_id());
        if self.pending().is_some() {
            out.push_str("_[");
            self.write_tasks(out);
            out.push(']');
        } else if let Some(task) = self.task() {
            out.push('_');
            number(out, task);
        }
    }

    /// Appends the partition, or all that a waiting job may go to.
    pub fn write_partition(&self, out: &mut String) {
        let requested = &self.job.request.partitions;
        match self.partition {
            Some(partition) => out.push_str(partition),
            None if self.job.state == JobState::Pending && requested.len() > 1 => join(requested, out),
            None => out.push_str(&self.job.partition),
        }
    }

    fn write_reason(&self, out: &mut String) {
        match &self.merged {
            Some(merged) if merged.reasons.len() > 1 => {
                for (index, reason) in merged.reasons.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    out.push_str(reason.text());
                }
            }
            _ => values::write_reason(self.job, out),
        }
    }
}

fn join(words: &[String], out: &mut String) {
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(word);
    }
}

/// Nodes in the shortest form; nothing for none.
pub(super) fn write_nodes(job: &Job, out: &mut String) {
    if let Some(placement) = values::allocation(job) {
        match placement.nodes.as_slice() {
            [only] => out.push_str(&only.node),
            _ => out.push_str(&hostlist::compress_sorted(placement.names())),
        }
    }
}

/// What a component of a heterogeneous job has, and another job has not.
fn of_het(row: &JobRow, out: &mut String, write: impl Fn(&Het, &mut String)) {
    match &row.job.het {
        Some(het) => write(het, out),
        None => out.push_str("N/A"),
    }
}

fn or_null(value: Option<&str>, out: &mut String) {
    out.push_str(value.unwrap_or("(null)"));
}

fn or_any(value: Option<u32>, any: &str, out: &mut String) {
    match value {
        Some(value) => number(out, value),
        None => out.push_str(any),
    }
}

fn flag(value: bool, out: &mut String) {
    out.push(if value { '1' } else { '0' });
}

/// Slurm's share of the highest priority there can be (`%p`).
fn share(priority: u32) -> String {
    format!("{:.14}", f64::from(priority) / f64::from(u32::MAX))
}

fn write_limit(limit: TimeLimit, out: &mut String) {
    out.push_str(&limit.squeue());
}

fn write_time_left(row: &JobRow, out: &mut String) {
    match row.job.time_limit.seconds().and_then(|limit| i64::try_from(limit).ok()) {
        None => out.push_str("UNLIMITED"),
        Some(limit) => values::write_elapsed(limit - row.job.elapsed(row.context.clock.now()), out),
    }
}

fn write_end(row: &JobRow, out: &mut String) {
    if row.job.end_time.is_none() && row.job.start_time.is_some() && row.job.time_limit == TimeLimit::Unlimited {
        out.push_str("NONE");
    } else {
        row.context.clock.write_or(values::end_time(row.job), "N/A", out);
    }
}

/// Appends the script and its arguments; `(null)` without one.
pub(super) fn write_command(job: &Job, out: &mut String) {
    let request = &job.request;
    or_null(request.command.as_deref(), out);
    if request.command.is_some() {
        for arg in &request.args {
            out.push(' ');
            out.push_str(&String::from_utf8_lossy(arg));
        }
    }
}

/// The path of a file, with its pattern filled in if that was asked for.
fn write_file(row: &JobRow, name: Option<&str>, out: &mut String) {
    match row.context.expand {
        true => out.push_str(&values::output_path(row.job, row.element, name)),
        false => values::write_output(row.job, name, out),
    }
}

fn write_reason_or_nodes(row: &JobRow, out: &mut String) {
    if values::shows_reason(row.job) {
        out.push('(');
        row.write_reason(out);
        out.push(')');
    } else {
        write_nodes(row.job, out);
    }
}

fn write_pending_time(row: &JobRow, out: &mut String) {
    let job = row.job;
    let until = match job.state {
        JobState::Pending => row.context.clock.now(),
        _ => job.start_time.or(job.end_time).unwrap_or(row.context.clock.now()),
    };
    number(out, (until - job.submit_time).max(0));
}

fn write_planned(job: &Job, out: &mut String) {
    match job.placement.as_ref().filter(|_| job.state == JobState::Pending) {
        Some(placement) => out.push_str(&hostlist::compress_sorted(placement.names())),
        None => out.push_str("(null)"),
    }
}

const fn row(
    letter: Option<char>,
    names: &'static [&'static str],
    header: &'static str,
    write: for<'a> fn(&JobRow<'a>, &mut String),
) -> Field<Jobs> {
    Field { letter, names, header, cut: Cut::Always, tells: Tells::Never, write }
}

/// A field about something that no job here has.
macro_rules! none {
    ($letter:expr, $names:expr, $header:literal, $word:literal) => {
        row($letter, $names, $header, |_, out| out.push_str($word))
    };
}

/// A field that is not cut in a right-justified column.
const fn uncut(
    letter: char,
    names: &'static [&'static str],
    header: &'static str,
    write: for<'a> fn(&JobRow<'a>, &mut String),
) -> Field<Jobs> {
    Field { letter: Some(letter), names, header, cut: Cut::IfLeft, tells: Tells::Never, write }
}

impl Kind for Jobs {
    type Row<'a> = JobRow<'a>;
    const FIELDS: &'static [Field<Self>] = FIELDS;
}

/// Fields for which a job's record will do, with [`job::Request::brief`] for its request.
pub const BRIEF: &[&str] = &[
    "account",
    "arrayjobid",
    "arraytaskid",
    "cluster",
    "dependency",
    "derivedec",
    "eligibletime",
    "endtime",
    "exit_code",
    "groupid",
    "groupname",
    "hetjobid",
    "hetjobidset",
    "hetjoboffset",
    "jobarrayid",
    "jobid",
    "name",
    "nice",
    "nodelist",
    "numcpus",
    "numnodes",
    "partition",
    "pendingtime",
    "priority",
    "prioritylong",
    "qos",
    "reason",
    "reasonlist",
    "restartcnt",
    "schednodes",
    "starttime",
    "state",
    "statecompact",
    "submittime",
    "timeleft",
    "timelimit",
    "timeused",
    "userid",
    "username",
];

#[rustfmt::skip]
const FIELDS: &[Field<Jobs>] = &[
    row(Some('a'), &["account"], "ACCOUNT", |r, o| or_null(r.job.request.account.as_deref(), o)),
    row(Some('A'), &["jobid"], "JOBID", |r, o| number(o, r.job.id)),
    row(Some('b'), &["tres-per-node", "gres"], "TRES_PER_NODE", |r, o| {
        values::write_gres([&r.job.request.gres[..], &r.job.request.gpus_per_node], o);
    }),
    row(Some('B'), &["batchhost"], "EXEC_HOST", |r, o| o.push_str(values::batch_host(r.job).unwrap_or("n/a"))),
    row(Some('c'), &["mincpus"], "MIN_CPUS", |r, o| number(o, values::min_cpus_per_node(&r.job.request))),
    row(Some('C'), &["numcpus"], "CPUS", |r, o| number(o, values::cpus(r.job))),
    row(Some('d'), &["mintmpdisk"], "MIN_TMP_DISK", |r, o| {
        values::write_memory(r.job.request.tmp.unwrap_or(0), r.context, o);
    }),
    row(Some('D'), &["numnodes"], "NODES", |r, o| number(o, values::nodes(r.job))),
    row(Some('e'), &["endtime"], "END_TIME", write_end),
    row(Some('E'), &["dependency"], "DEPENDENCY", |r, o| values::write_dependency(r.job, o)),
    row(Some('f'), &["feature"], "FEATURES", |r, o| or_null(r.job.request.constraint.as_deref(), o)),
    row(Some('F'), &["arrayjobid"], "ARRAY_JOB_ID", |r, o| number(o, r.job.array_job_id())),
    row(Some('g'), &["groupname"], "GROUP", |r, o| o.push_str(&r.job.request.user.group)),
    row(Some('G'), &["groupid"], "GROUP", |r, o| number(o, r.job.request.user.gid)),
    row(Some('h'), &["oversubscribe", "shared"], "OVER_SUBSCRIBE", |r, o| {
        o.push_str(values::oversubscribe(&r.job.request));
    }),
    none!(Some('H'), &["sockets"], "SOCKETS_PER_NODE", "*"),
    row(Some('i'), &["jobarrayid"], "JOBID", |r, o| r.write_id(o)),
    none!(Some('I'), &["cores"], "CORES_PER_SOCKET", "*"),
    row(Some('j'), &["name"], "NAME", |r, o| o.push_str(&r.job.request.name)),
    row(Some('J'), &["threads"], "THREADS_PER_CORE", |r, o| or_any(r.job.request.threads_per_core, "*", o)),
    row(Some('k'), &["comment"], "COMMENT", |r, o| or_null(r.job.request.comment.as_deref(), o)),
    row(Some('K'), &["arraytaskid"], "ARRAY_TASK_ID", |r, o| match r.job.array {
        Some(_) => r.write_tasks(o),
        None => o.push_str("N/A"),
    }),
    uncut('l', &["timelimit"], "TIME_LIMIT", |r, o| write_limit(r.job.time_limit, o)),
    uncut('L', &["timeleft"], "TIME_LEFT", write_time_left),
    row(Some('m'), &["minmemory"], "MIN_MEMORY", |r, o| {
        values::write_memory(values::memory(r.job, r.context).0, r.context, o);
    }),
    uncut('M', &["timeused"], "TIME", |r, o| values::write_elapsed(r.job.elapsed(r.context.clock.now()), o)),
    row(Some('n'), &["reqnodes"], "REQ_NODES", |r, o| o.push_str(&hostlist::compress(&r.job.request.nodelist))),
    uncut('N', &["nodelist"], "NODELIST", |r, o| write_nodes(r.job, o)),
    row(Some('o'), &["command"], "COMMAND", |r, o| write_command(r.job, o)),
    row(Some('O'), &["contiguous"], "CONTIGUOUS", |r, o| flag(r.job.request.contiguous, o)),
    row(Some('p'), &["priority"], "PRIORITY", |r, o| o.push_str(&share(r.job.priority))),
    row(Some('P'), &["partition"], "PARTITION", |r, o| r.write_partition(o)),
    row(Some('q'), &["qos"], "QOS", |r, o| o.push_str(r.job.request.qos.as_deref().unwrap_or("normal"))),
    row(Some('Q'), &["prioritylong"], "PRIORITY", |r, o| number(o, r.job.priority)),
    row(Some('r'), &["reason"], "REASON", |r, o| r.write_reason(o)),
    uncut('R', &["reasonlist"], "NODELIST(REASON)", write_reason_or_nodes),
    none!(Some('s'), &["selectjobinfo"], "", ""),
    row(Some('S'), &["starttime"], "START_TIME", |r, o| r.context.clock.write_or(values::start_time(r.job), "N/A", o)),
    row(Some('t'), &["statecompact"], "ST", |r, o| o.push_str(r.job.shown_state().code())),
    row(Some('T'), &["state"], "STATE", |r, o| o.push_str(r.job.shown_state().name())),
    row(Some('u'), &["username"], "USER", |r, o| o.push_str(&r.job.request.user.name)),
    row(Some('U'), &["userid"], "UID", |r, o| number(o, r.job.request.user.uid)),
    row(Some('v'), &["reservation"], "RESERVATION", |r, o| or_null(r.job.request.reservation.as_deref(), o)),
    row(Some('V'), &["submittime"], "SUBMIT_TIME", |r, o| r.context.clock.write(r.job.submit_time, o)),
    row(Some('w'), &["wckey"], "WCKEY", |r, o| or_null(r.job.request.wckey.as_deref(), o)),
    row(Some('W'), &["licenses"], "LICENSES", |r, o| or_null(r.job.request.licenses.as_deref(), o)),
    row(Some('x'), &[], "EXC_NODES", |r, o| o.push_str(&hostlist::compress(&r.job.request.exclude))),
    none!(Some('X'), &["corespec"], "CORE_SPEC", "N/A"),
    row(Some('y'), &["nice"], "NICE", |r, o| number(o, r.job.request.nice)),
    uncut('Y', &["schednodes"], "SCHEDNODES", |r, o| write_planned(r.job, o)),
    row(Some('z'), &["sct"], "S:C:T", |r, o| {
        o.push_str("*:*:");
        or_any(r.job.request.threads_per_core, "*", o);
    }),
    row(Some('Z'), &["workdir"], "WORK_DIR", |r, o| o.push_str(&r.job.request.work_dir)),
    // Names without a letter.
    row(None, &["accruetime"], "ACCRUE_TIME", |r, o| r.context.clock.write_or(r.job.eligible_time, "N/A", o)),
    none!(None, &["admin_comment"], "ADMIN_COMMENT", "(null)"),
    row(None, &["allocnodes"], "ALLOC_NODES", |r, o| o.push_str(&r.job.request.submit_host)),
    none!(None, &["allocsid"], "ALLOC_SID", "0"),
    none!(None, &["associd"], "ASSOC_ID", "0"),
    row(None, &["batchflag"], "BATCH_FLAG", |r, o| flag(r.job.request.kind == job::Kind::Batch, o)),
    none!(None, &["boardspernode"], "BOARDS_PER_NODE", "0"),
    none!(None, &["burstbuffer"], "BURST_BUFFER", "(null)"),
    none!(None, &["burstbufferstate"], "BURST_BUFFER_STATE", "(null)"),
    row(None, &["cluster"], "CLUSTER", |r, o| o.push_str(r.context.cluster)),
    none!(None, &["clusterfeature"], "CLUSTER_FEATURES", "(null)"),
    row(None, &["container"], "CONTAINER", |r, o| or_null(r.job.request.container_image.as_deref(), o)),
    none!(None, &["containerid"], "CONTAINER_ID", "(null)"),
    row(None, &["cpus-per-task", "cpuspertask"], "CPUS_PER_TASK", |r, o| number(o, values::cpus_per_task(&r.job.request))),
    row(None, &["cpus-per-tres"], "CPUS_PER_TRES", |r, o| match r.job.request.cpus_per_gpu {
        Some(cpus) => { o.push_str("gres/gpu:"); number(o, cpus); }
        None => o.push_str("N/A"),
    }),
    row(None, &["deadline"], "DEADLINE", |r, o| r.context.clock.write_or(r.job.request.deadline, "N/A", o)),
    none!(None, &["delayboot"], "DELAY_BOOT", "0:00"),
    row(None, &["derivedec"], "DERIVED_EC", |r, o| number(o, r.job.derived_exit.0)),
    row(None, &["eligibletime"], "ELIGIBLE_TIME", |r, o| r.context.clock.write_or(r.job.eligible_time, "N/A", o)),
    row(None, &["exit_code"], "EXIT_CODE", |r, o| number(o, r.job.exit.0)),
    row(None, &["hetjobid", "packjobid"], "HET_JOB_ID", |r, o| of_het(r, o, |het, o| number(o, het.leader))),
    row(None, &["hetjobidset", "packjobidset"], "HET_JOB_ID_SET", |r, o| of_het(r, o, |het, o| o.push_str(&het.id_set()))),
    row(None, &["hetjoboffset", "packjoboffset"], "HET_JOB_OFFSET", |r, o| of_het(r, o, |het, o| number(o, het.offset))),
    row(None, &["lastschedeval"], "LAST_SCHED_EVAL", |r, o| {
        r.context.clock.write(values::allocation(r.job).and(r.job.start_time).unwrap_or(r.job.submit_time), o);
    }),
    row(None, &["maxcpus"], "MAX_CPUS", |r, o| number(o, values::cpus(r.job))),
    row(None, &["maxnodes"], "MAX_NODES", |r, o| {
        number(o, r.job.request.nodes.map_or(0, |n| n.most()).max(values::nodes(r.job)));
    }),
    none!(None, &["mcslabel"], "MCSLABEL", "(null)"),
    row(None, &["mem-per-tres"], "MEM_PER_TRES", |r, o| match r.job.request.memory {
        Some(job::Memory::PerGpu(mib)) => { o.push_str("gres/gpu:"); number(o, mib as i64); }
        _ => o.push_str("N/A"),
    }),
    row(None, &["mintime"], "TIME_MIN", |r, o| match r.job.request.time_min {
        Some(limit) => write_limit(limit, o),
        None => o.push_str("0:00"),
    }),
    none!(None, &["network"], "NETWORK", "(null)"),
    none!(None, &["ntperboard"], "NTASKS_PER_BOARD", "0"),
    row(None, &["ntpercore"], "NTASKS_PER_CORE", |r, o| or_any(r.job.request.tasks_per.core, "N/A", o)),
    row(None, &["ntpernode"], "NTASKS_PER_NODE", |r, o| or_any(r.job.request.tasks_per.node, "0", o)),
    row(None, &["ntpersocket"], "NTASKS_PER_SOCKET", |r, o| or_any(r.job.request.tasks_per.socket, "N/A", o)),
    row(None, &["numtasks"], "TASKS", |r, o| number(o, values::tasks(r.job))),
    none!(None, &["origin"], "ORIGIN", "NA"),
    none!(None, &["originraw"], "ORIGIN_RAW", "NA"),
    row(None, &["pendingtime"], "PENDING_TIME", write_pending_time),
    none!(None, &["preempttime"], "PREEMPT_TIME", "N/A"),
    none!(None, &["prefer"], "PREFER", "(null)"),
    row(None, &["profile"], "PROFILE", |r, o| o.push_str(r.job.request.profile.as_deref().unwrap_or("NotSet"))),
    none!(None, &["reboot"], "REBOOT", "0"),
    none!(None, &["reqswitch"], "REQ_SWITCH", "0"),
    row(None, &["requeue"], "REQUEUE", |r, o| flag(r.job.request.requeue != Requeue::No, o)),
    none!(None, &["resizetime"], "RESIZE_TIME", "N/A"),
    row(None, &["restartcnt"], "RESTART_COUNT", |r, o| number(o, r.job.restarts)),
    none!(None, &["siblingsactive"], "ACTIVE_SIBLINGS", "NA"),
    none!(None, &["siblingsactiveraw"], "ACTIVE_SIBLINGS_RAW", "NA"),
    none!(None, &["siblingsviable"], "VIABLE_SIBLINGS", "NA"),
    none!(None, &["siblingsviableraw"], "VIALBLE_SIBLINGS_RAW", "NA"), // Slurm's spelling
    none!(None, &["sperboard"], "SOCKETS_PER_BOARD", "0"),
    row(None, &["stderr"], "STDERR", |r, o| match (&r.job.request.error, r.job.request.kind) {
        (None, job::Kind::Interactive | job::Kind::NoShell) => o.push_str("N/A"),
        (error, _) => write_file(r, error.as_deref().or(r.job.request.output.as_deref()), o),
    }),
    row(None, &["stdin"], "STDIN", |r, o| match (&r.job.request.input, r.job.request.kind) {
        (Some(input), _) => write_file(r, Some(input), o),
        (None, job::Kind::Batch) => o.push_str("/dev/null"),
        (None, job::Kind::Interactive | job::Kind::NoShell) => o.push_str("(null)"),
    }),
    row(None, &["stdout"], "STDOUT", |r, o| write_file(r, r.job.request.output.as_deref(), o)),
    none!(None, &["system_comment"], "SYSTEM_COMMENT", "(null)"),
    row(None, &["tres-alloc"], "TRES_ALLOC", |r, o| o.push_str(&values::tres(r.job, r.context).to_string())),
    row(None, &["tres-bind"], "TRES_BIND", |r, o| match &r.job.request.gpu_bind {
        Some(bind) => { o.push_str("gres/gpu:"); o.push_str(bind); }
        None => o.push_str("N/A"),
    }),
    none!(None, &["tres-freq"], "TRES_FREQ", "N/A"),
    row(None, &["tres-per-job"], "TRES_PER_JOB", |r, o| values::write_gres([&r.job.request.gpus[..]], o)),
    row(None, &["tres-per-socket"], "TRES_PER_SOCKET", |r, o| values::write_gres([&r.job.request.gpus_per_socket[..]], o)),
    row(None, &["tres-per-task"], "TRES_PER_TASK", |r, o| values::write_gres([&r.job.request.gpus_per_task[..]], o)),
    none!(None, &["wait4switch"], "WAIT4SWITCH", "0:00"),
];
