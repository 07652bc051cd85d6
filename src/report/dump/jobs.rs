//! Jobs in the queue: `squeue --json`, `scontrol show job --json` (`JOB_INFO` of Slurm's parsers).

use super::{
    allocation,
    tree::{Field, Records},
    value::*,
};
use crate::{
    job::{Exclusive, ExitStatus, Job, Kind, Memory, Requeue},
    report::{
        job_fields::{JobRow, write_command, write_nodes},
        job_values as values,
    },
    slurm::{gres::Gres, hostlist, reason::Reason, signal::signal_name, state::JobState, time::TimeLimit},
};

/// Jobs as the controller keeps them.
pub struct QueueJobs;

impl Records for QueueJobs {
    type Row<'a> = JobRow<'a>;
    const FIELDS: &'static [Field<Self>] = FIELDS;
    const NONE: Option<&'static str> = Some("Zero jobs to dump");
}

const fn row(path: &'static str, value: for<'r, 'a> fn(&'r JobRow<'a>) -> Value<'r>) -> Field<QueueJobs> {
    Field { path, value }
}

/// A text about what there is not here.
const fn none(path: &'static str) -> Field<QueueJobs> {
    row(path, |_| text(""))
}

/// A number that nobody sets here.
const fn unset(path: &'static str) -> Field<QueueJobs> {
    row(path, |_| UNSET)
}

/// A number or time that is 0 where, as here, there is no such thing.
const fn zero(path: &'static str) -> Field<QueueJobs> {
    row(path, |_| number(0))
}

/// The base state, and the flag that is raised.
pub(super) fn states<'a>(base: JobState, flag: Option<JobState>) -> Value<'a> {
    words([Some(base), flag].into_iter().flatten().map(JobState::name))
}

/// How something ended (`PROCESS_EXIT_CODE`); what has not ended has had success so far, as in Slurm.
pub(super) fn exit<'a>(status: ExitStatus) -> Value<'a> {
    let (word, code, signal) = match status.signal() {
        0 if status.is_success() => ("SUCCESS", number(0), None),
        0 => ("ERROR", number(status.code()), None),
        // Of one that a signal ended no code is told.
        signal => ("SIGNALED", UNSET, Some(signal)),
    };
    let name = signal.and_then(|signal| signal_name(i32::from(signal))).unwrap_or_default();
    let signal = Value::Map(vec![("id", number_or_unset(signal)), ("name", text(name))]);
    Value::Map(vec![("status", words([word])), ("return_code", code), ("signal", signal)])
}

/// A limit in minutes.
pub(super) fn minutes<'a>(limit: TimeLimit) -> Value<'a> {
    match limit {
        TimeLimit::Unlimited => INFINITE,
        TimeLimit::Minutes(minutes) => number(minutes),
    }
}

/// Memory asked for, of each CPU or of each node: one of both is set.
fn memory<'a>(row: &JobRow<'_>, per_cpu: bool) -> Value<'a> {
    let (mib, of_cpus) = values::memory(row.job, row.context);
    // What was not said is said of nodes.
    match (of_cpus && mib > 0) == per_cpu {
        true => number(mib),
        false => UNSET,
    }
}

/// Slurm's flags, as far as what they tell is known here.
fn flags<'a>(row: &JobRow<'_>) -> Value<'a> {
    let job = row.job;
    let request = &job.request;
    let default =
        row.context.partitions.iter().find(|p| p.name == job.partition).and_then(|p| p.default_memory_per_cpu);
    let waits = job.state == JobState::Pending && request.dependency.is_some() && job.eligible_time.is_none();
    words(
        [
            (request.kill_on_invalid_dep == Some(true), "KILL_INVALID_DEPENDENCY"),
            (request.kill_on_invalid_dep == Some(false), "NO_KILL_INVALID_DEPENDENCY"),
            (request.spread_job, "SPREAD_JOB"),
            (request.use_min_nodes, "PREFER_MINIMUM_NODE_COUNT"),
            (request.ntasks.is_some(), "EXACT_TASK_COUNT_REQUESTED"),
            (request.cpus_per_task.is_some(), "EXACT_CPU_COUNT_REQUESTED"),
            (job.state == JobState::Running, "JOB_WAS_RUNNING"),
            (request.memory.is_some() && request.memory != default.map(Memory::PerCpu), "EXACT_MEMORY_REQUESTED"),
            (request.default_account, "USING_DEFAULT_ACCOUNT"),
            (request.partitions.is_empty(), "USING_DEFAULT_PARTITION"),
            (request.default_qos, "USING_DEFAULT_QOS"),
            (request.wckey.is_none(), "USING_DEFAULT_WCKEY"),
            (waits, "DEPENDENT"),
            (request.partitions.len() < 2, "PARTITION_ASSIGNED"),
        ]
        .into_iter()
        .filter_map(|(set, word)| set.then_some(word)),
    )
}

fn shared(exclusive: Exclusive) -> Value<'static> {
    match exclusive {
        Exclusive::No => NONE,
        Exclusive::Node => words(["none"]),
        Exclusive::User => words(["user"]),
        Exclusive::Other => words(["mcs"]),
        Exclusive::Oversubscribe => words(["oversubscribe"]),
    }
}

fn tres<'a>(lists: &[&[Gres]]) -> Value<'a> {
    written_unless(&["N/A"], |out| values::write_gres(lists.iter().copied(), out))
}

/// `cpu=2,gres/gpu:h100=1`
fn tres_per_task<'a>(job: &Job) -> Value<'a> {
    text(values::tres_per_task(&job.request))
}

/// An output file with its pattern filled in; an interactive job has none.
fn file<'a>(row: &JobRow<'_>, name: Option<&str>) -> Value<'a> {
    match row.job.request.kind {
        Kind::Batch => text(values::output_path(row.job, row.element, name)),
        Kind::Interactive | Kind::NoShell => text(""),
    }
}

fn input<'a>(row: &JobRow<'_>) -> Value<'a> {
    match &row.job.request.input {
        Some(_) => file(row, row.job.request.input.as_deref()),
        None if row.job.request.kind == Kind::Batch => text("/dev/null"),
        None => text(""),
    }
}

/// The reason in one word; the sentences of some stand in the description.
fn reason(job: &Job) -> &'static str {
    match job.reason {
        Reason::NodesUnavailable => Reason::Resources.text(),
        Reason::RequeuedHeld => Reason::JobHeldUser.text(),
        Reason::MayBeReserved | Reason::ReservedForMaintenance => Reason::ReqNodeNotAvail.text(),
        reason => reason.text(),
    }
}

fn description(job: &Job) -> Value<'_> {
    match (job.reason, &job.detail) {
        (_, Some(detail)) => text(detail),
        // What is a sentence, and no word.
        (reason, None) if reason.text().contains(' ') => text(reason.text()),
        (_, None) => text(""),
    }
}

/// Slurm reports none for a job that is over (asked of the real one).
fn most_nodes(job: &Job) -> u32 {
    job.request.nodes.filter(|_| job.state == JobState::Pending).map_or(0, |n| n.most())
}

fn profile(text: Option<&str>) -> Value<'static> {
    let of = |word: &str| match word.to_ascii_lowercase().as_str() {
        "energy" => vec!["ENERGY"],
        "task" => vec!["TASK"],
        "lustre" => vec!["LUSTRE"],
        "network" => vec!["NETWORK"],
        "none" => vec!["NONE"],
        "all" => vec!["ENERGY", "LUSTRE", "NETWORK", "TASK"],
        _ => vec![],
    };
    match text {
        None => words(["NOT_SET"]),
        Some(text) => words(text.split(',').flat_map(of)),
    }
}

fn mail(text: Option<&str>) -> Value<'static> {
    let of = |word: &str| match word.to_ascii_uppercase().as_str() {
        "BEGIN" => vec!["BEGIN"],
        "END" => vec!["END"],
        "FAIL" => vec!["FAIL"],
        "REQUEUE" => vec!["REQUEUE"],
        "ALL" => vec!["BEGIN", "END", "FAIL", "REQUEUE", "STAGE_OUT", "INVALID_DEPENDENCY"],
        "STAGE_OUT" => vec!["STAGE_OUT"],
        "INVALID_DEPEND" => vec!["INVALID_DEPENDENCY"],
        "ARRAY_TASKS" => vec!["ARRAY_TASKS"],
        "TIME_LIMIT" => vec!["TIME=100%"],
        "TIME_LIMIT_90" => vec!["TIME=90%"],
        "TIME_LIMIT_80" => vec!["TIME=80%"],
        "TIME_LIMIT_50" => vec!["TIME=50%"],
        _ => vec![],
    };
    words(text.unwrap_or_default().split(',').flat_map(of))
}

#[rustfmt::skip]
const FIELDS: &[Field<QueueJobs>] = &[
    row("account", |r| or_empty(r.job.request.account.as_deref())),
    row("accrue_time", |r| time(r.job.eligible_time)),
    none("admin_comment"),
    row("allocating_node", |r| text(&r.job.request.submit_host)),
    row("array_job_id", |r| number(r.job.array.as_ref().map_or(0, |array| array.job_id))),
    row("array_task_id", |r| number_or_unset(r.task())),
    row("array_max_tasks", |r| number(r.job.array.as_ref().and_then(|array| array.throttle).unwrap_or(0))),
    row("array_task_string", |r| written(|out| if r.task().is_none() { r.write_tasks(out) })),
    row("association_id", |_| int(0)),
    none("batch_features"),
    row("batch_flag", |r| Value::Bool(r.job.request.kind == Kind::Batch)),
    row("batch_host", |r| or_empty(values::batch_host(r.job))),
    row("flags", flags),
    none("burst_buffer"),
    none("burst_buffer_state"),
    row("cluster", |r| text(r.context.cluster)),
    none("cluster_features"),
    row("command", |r| written_unless(&["(null)"], |out| write_command(r.job, out))),
    row("comment", |r| or_empty(r.job.request.comment.as_deref())),
    row("container", |r| or_empty(r.job.request.container_image.as_deref())),
    none("container_id"),
    row("contiguous", |r| Value::Bool(r.job.request.contiguous)),
    row("core_spec", |_| int(0)),
    // What Slurm makes of "no thread is set aside".
    row("thread_spec", |_| int(32_766)),
    unset("cores_per_socket"),
    row("billable_tres", |r| Value::Number(match values::allocation(r.job) {
        Some(placement) => Number::Float(f64::from(placement.cpus())),
        None => Number::Unset { fraction: true },
    })),
    row("cpus_per_task", |r| number(values::cpus_per_task(&r.job.request))),
    unset("cpu_frequency_minimum"),
    unset("cpu_frequency_maximum"),
    unset("cpu_frequency_governor"),
    row("cpus_per_tres", |r| match r.job.request.cpus_per_gpu {
        Some(cpus) => text(format!("gres/gpu:{cpus}")),
        None => text(""),
    }),
    none("cron"),
    row("deadline", |r| time(r.job.request.deadline)),
    zero("delay_boot"),
    row("dependency", |r| written_unless(&["(null)"], |out| values::write_dependency(r.job, out))),
    row("derived_exit_code", |r| exit(r.job.derived_exit)),
    row("eligible_time", |r| time(r.job.eligible_time)),
    row("end_time", |r| time(values::end_time(r.job))),
    row("excluded_nodes", |r| text(hostlist::compress(&r.job.request.exclude))),
    row("exit_code", |r| exit(r.job.last_exit())),
    row("extra", |r| or_empty(r.job.request.extra.as_deref())),
    none("failed_node"),
    row("features", |r| or_empty(r.job.request.constraint.as_deref())),
    none("federation_origin"),
    none("federation_siblings_active"),
    none("federation_siblings_viable"),
    row("gres_detail", |r| allocation::gres_detail(r.job)),
    row("group_id", |r| int(r.job.request.user.gid)),
    row("group_name", |r| text(&r.job.request.user.group)),
    row("het_job_id", |r| number(r.job.het.map_or(0, |het| het.leader))),
    row("het_job_id_set", |r| text(r.job.het.map(|het| het.id_set()).unwrap_or_default())),
    row("het_job_offset", |r| number(r.job.het.map_or(0, |het| het.offset))),
    row("job_id", |r| int(r.job.id)),
    row("job_resources", |r| allocation::resources(r.job)),
    row("job_size_str", |_| NONE),
    row("job_state", |r| states(r.job.state, r.job.flag)),
    row("last_sched_evaluation", |r| time(values::allocation(r.job).and(r.job.start_time).or(Some(r.job.submit_time)))),
    row("licenses", |r| or_empty(r.job.request.licenses.as_deref())),
    row("mail_type", |r| mail(r.job.request.mail_type.as_deref())),
    row("mail_user", |r| text(r.job.request.mail_user.as_deref().unwrap_or(&r.job.request.user.name))),
    zero("max_cpus"),
    row("max_nodes", |r| number(most_nodes(r.job))),
    none("mcs_label"),
    row("memory_per_tres", |r| match r.job.request.memory {
        Some(Memory::PerGpu(mib)) => text(format!("gres/gpu:{mib}")),
        _ => text(""),
    }),
    row("name", |r| text(&r.job.request.name)),
    none("network"),
    row("nodes", |r| written(|out| write_nodes(r.job, out))),
    row("nice", |r| int(r.job.request.nice)),
    // A limit of tasks on a core or socket that was not given is none.
    row("tasks_per_core", |r| r.job.request.tasks_per.core.map_or(INFINITE, number)),
    row("tasks_per_tres", |r| number(r.job.request.tasks_per.gpu.unwrap_or(0))),
    row("tasks_per_node", |r| number(r.job.request.tasks_per.node.unwrap_or(0))),
    row("tasks_per_socket", |r| r.job.request.tasks_per.socket.map_or(INFINITE, number)),
    zero("tasks_per_board"),
    row("cpus", |r| number(values::cpus(r.job))),
    row("node_count", |r| number(values::nodes(r.job))),
    row("tasks", |r| number(values::tasks(r.job))),
    row("partition", |r| written(|out| r.write_partition(out))),
    none("prefer"),
    row("memory_per_cpu", |r| memory(r, true)),
    row("memory_per_node", |r| memory(r, false)),
    row("minimum_cpus_per_node", |r| number(values::min_cpus_per_node(&r.job.request))),
    row("minimum_tmp_disk_per_node", |r| number(r.job.request.tmp.unwrap_or(0))),
    row("power/flags", |_| Value::Gone),
    zero("preempt_time"),
    zero("preemptable_time"),
    zero("pre_sus_time"),
    row("hold", |r| Value::Bool(r.job.priority == 0)),
    row("priority", |r| number(r.job.priority)),
    // Only factors of priority differ by partition.
    row("priority_by_partition", |_| NONE),
    row("profile", |r| profile(r.job.request.profile.as_deref())),
    row("qos", |r| text(r.job.request.qos.as_deref().unwrap_or("normal"))),
    row("reboot", |_| Value::Bool(false)),
    row("required_nodes", |r| text(hostlist::compress(&r.job.request.nodelist))),
    row("required_switches", |_| int(0)),
    row("requeue", |r| Value::Bool(r.job.request.requeue != Requeue::No)),
    zero("resize_time"),
    row("restart_cnt", |r| int(r.job.restarts)),
    none("resv_name"),
    row("scheduled_nodes", |r| match r.job.placement.as_ref().filter(|_| r.job.state == JobState::Pending) {
        Some(planned) => text(hostlist::compress_sorted(planned.names())),
        None => text(""),
    }),
    none("selinux_context"),
    row("shared", |r| shared(r.job.request.exclusive)),
    row("sockets_per_board", |_| int(0)),
    unset("sockets_per_node"),
    row("start_time", |r| time(values::start_time(r.job))),
    row("state_description", |r| description(r.job)),
    row("state_reason", |r| text(reason(r.job))),
    row("standard_error", |r| file(r, r.job.request.error.as_deref().or(r.job.request.output.as_deref()))),
    row("standard_input", input),
    row("standard_output", |r| file(r, r.job.request.output.as_deref())),
    row("submit_time", |r| number(r.job.submit_time)),
    zero("suspend_time"),
    none("system_comment"),
    row("time_limit", |r| minutes(r.job.time_limit)),
    row("time_minimum", |r| r.job.request.time_min.map_or(number(0), minutes)),
    row("threads_per_core", |r| number_or_unset(r.job.request.threads_per_core)),
    row("tres_bind", |r| match &r.job.request.gpu_bind {
        Some(bind) => text(format!("gres/gpu:{bind}")),
        None => text(""),
    }),
    none("tres_freq"),
    row("tres_per_job", |r| tres(&[&r.job.request.gpus])),
    row("tres_per_node", |r| tres(&[&r.job.request.gres, &r.job.request.gpus_per_node])),
    row("tres_per_socket", |r| tres(&[&r.job.request.gpus_per_socket])),
    row("tres_per_task", |r| tres_per_task(r.job)),
    row("tres_req_str", |r| text(values::requested_tres(r.job, r.context).to_string())),
    row("tres_alloc_str", |r| match values::allocation(r.job) {
        Some(_) => text(values::tres(r.job, r.context).to_string()),
        None => text(""),
    }),
    row("user_id", |r| int(r.job.request.user.uid)),
    row("user_name", |r| text(&r.job.request.user.name)),
    row("maximum_switch_wait_time", |_| int(0)),
    row("wckey", |r| or_empty(r.job.request.wckey.as_deref())),
    row("current_working_directory", |r| text(&r.job.request.work_dir)),
];
