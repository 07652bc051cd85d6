//! What squeue shows of a job that is not simply a field of its record.

use crate::{
    job::{Exclusive, GresShare, Job, Kind, Memory, Partition, Placement, Request, Step},
    slurm::{
        filename::{self, Vars},
        gres::{Gres, GresList, Tres},
        memory::Mebibytes,
        reason::Reason,
        state::JobState,
        time::elapsed_squeue,
    },
};

use super::clock::Clock;

/// What a listing of jobs knows besides the jobs.
pub struct Context<'a> {
    /// `ClusterName`
    pub cluster: &'a str,
    /// The partitions, for the default memory.
    pub partitions: &'a [Partition],
    /// How points in time are shown.
    pub clock: Clock,
    /// `SLURM_BITSTR_LEN`
    pub bitstr_len: usize,
    /// `--noconvert`: memory in MiB, not in larger units.
    pub noconvert: bool,
    /// `--expand-patterns`: the patterns of output files are filled in.
    pub expand: bool,
}

/// Nodes of the allocation, or those it will need at least.
pub fn nodes(job: &Job) -> u32 {
    allocation(job).map_or(job.min_nodes, |p| p.nodes.len() as u32)
}

/// CPUs of the allocation, or those it will need at least.
pub fn cpus(job: &Job) -> u32 {
    allocation(job).map_or(job.min_cpus, Placement::cpus)
}

/// Tasks, as far as the request or the allocation tells (`NumTasks`).
pub fn tasks(job: &Job) -> u32 {
    let request = &job.request;
    request
        .ntasks
        .or_else(|| request.tasks_per.node.map(|n| n.saturating_mul(nodes(job))))
        .or_else(|| allocation(job).map(Placement::tasks).filter(|tasks| *tasks > 0))
        .unwrap_or_else(|| nodes(job))
}

/// Where the job runs or ran. A waiting job has none, whatever is planned for it.
pub fn allocation(job: &Job) -> Option<&Placement> {
    job.placement.as_ref().filter(|_| job.state != JobState::Pending)
}

/// `CPUs/Task`
pub fn cpus_per_task(request: &Request) -> u32 {
    let of_gpus = || Some(request.cpus_per_gpu? * gpus(&request.gpus_per_task).max(1) as u32);
    request.cpus_per_task.or_else(of_gpus).unwrap_or(1)
}

/// `%c`: CPUs that a node must have for this job: those of the tasks it is to hold.
pub fn min_cpus_per_node(request: &Request) -> u32 {
    let tasks = request.tasks_per.node.unwrap_or(1).max(1);
    request.min_cpus.unwrap_or(0).max(cpus_per_task(request).saturating_mul(tasks))
}

/// Memory asked for, MiB, and whether it is per CPU; the partition's default where nothing was said.
pub fn memory(job: &Job, context: &Context) -> (u64, bool) {
    match job.request.memory {
        Some(Memory::PerNode(mib)) => (mib, false),
        Some(Memory::PerCpu(mib)) => (mib, true),
        Some(Memory::PerGpu(_)) | None => {
            let partition = context.partitions.iter().find(|p| p.name == job.partition);
            (partition.and_then(|p| p.default_memory_per_cpu).unwrap_or(0), true)
        }
    }
}

/// Appends an amount of memory as `%m` shows it.
pub fn write_memory(mib: u64, context: &Context, out: &mut String) {
    if context.noconvert && mib > 0 {
        super::table::number(out, mib as i64);
        out.push('M');
    } else {
        out.push_str(&Mebibytes(mib).squeue_min());
    }
}

/// When a job started or, as far as that is known, will; the earliest there is if it must not before (`--begin`).
pub fn start_time(job: &Job) -> Option<i64> {
    job.start_time.or_else(|| job.request.begin.filter(|_| job.state == JobState::Pending))
}

/// When a running job reaches its limit, a waiting one would, or a finished one ended.
pub fn end_time(job: &Job) -> Option<i64> {
    match job.end_time {
        Some(end) => Some(end),
        None => Some(start_time(job)? + i64::try_from(job.time_limit.seconds()?).ok()?),
    }
}

/// Appends seconds as `days-hours:minutes:seconds`; what is out of all bounds is `INVALID`, as `%M` in squeue(1).
pub fn write_elapsed(seconds: i64, out: &mut String) {
    if (0..=365 * 86_400).contains(&seconds) {
        out.push_str(&elapsed_squeue(seconds));
    } else {
        out.push_str("INVALID");
    }
}

/// Appends the reason, and what the engine has to say about it.
pub fn write_reason(job: &Job, out: &mut String) {
    let detail = job.detail.as_deref().unwrap_or_default();
    // There Slurm has a sentence with the name and nothing before it.
    let whole = job.reason == Reason::ReservationDeleted && !detail.is_empty();
    out.push_str(if whole { "" } else { job.reason.text() });
    out.push_str(if whole || detail.is_empty() { "" } else { ", " });
    out.push_str(detail);
}

/// Whether `%R` shows the reason in parentheses instead of the nodes (squeue.txt, fields/squeue.txt).
pub fn shows_reason(job: &Job) -> bool {
    use JobState::*;
    job.flag != Some(Completing) && matches!(job.state, Pending | Timeout | OutOfMemory | Deadline | Failed)
}

/// `%h`
pub fn oversubscribe(request: &Request) -> &'static str {
    match request.exclusive {
        Exclusive::No => "OK",
        Exclusive::Node => "NO",
        Exclusive::User => "USER",
        Exclusive::Other => "MCS",
        Exclusive::Oversubscribe => "YES",
    }
}

/// `%B`: the first node, for an interactive job the host its command runs on.
pub fn batch_host(job: &Job) -> Option<&str> {
    let placement = allocation(job)?;
    match job.request.kind {
        Kind::Batch => placement.names().next(),
        Kind::Interactive | Kind::NoShell => Some(&job.request.submit_host),
    }
}

/// Appends what a dependency still waits for (`%E`).
pub fn write_dependency(job: &Job, out: &mut String) {
    match job.dependency.is_empty() {
        true => out.push_str("(null)"),
        false => out.push_str(&job.dependency.show()),
    }
}

/// GPUs of a list, over all types.
fn gpus(list: &[Gres]) -> u64 {
    list.iter().filter(|g| g.name == "gpu").map(|g| g.count).fold(0, u64::saturating_add)
}

/// `tres-alloc`: what the job has, or what it asks for.
pub fn tres(job: &Job, context: &Context) -> Tres {
    let placed = allocation(job);
    let (node, cpu) = (u64::from(nodes(job)), u64::from(cpus(job)));
    let gres = match placed {
        Some(placement) => allocated_gres(placement),
        None => requested_gres(job, node),
    };
    let mem = match placed {
        Some(placement) => placement.memory(),
        None => {
            let (mib, per_cpu) = memory(job, context);
            mib.saturating_mul(if per_cpu { cpu } else { node })
        }
    };
    Tres { cpu, mem: Mebibytes(mem), node, billing: cpu, gres: GresList(gres) }
}

/// What a step has. Only jobs are billed.
pub fn step_tres(step: &Step) -> Tres {
    let gpus = Gres { name: "gpu".to_owned(), type_: None, count: u64::from(step.gpus) };
    let gres = GresList(if step.gpus > 0 { vec![gpus] } else { Vec::new() });
    let node = step.nodes.len() as u64;
    Tres { cpu: u64::from(step.cpus), mem: Mebibytes(step.memory), node, billing: 0, gres }
}

/// `ReqTRES`: what the job asks for, whatever it was given.
pub fn requested_tres(job: &Job, context: &Context) -> Tres {
    let (node, cpu) = (u64::from(job.min_nodes), u64::from(job.min_cpus));
    let (mib, per_cpu) = memory(job, context);
    let mem = Mebibytes(mib.saturating_mul(if per_cpu { cpu } else { node }));
    Tres { cpu, mem, node, billing: cpu, gres: GresList(requested_gres(job, node)) }
}

/// `TresPerTask`: `cpu=2,gres/gpu:h100=1`; nothing if nothing was said of tasks.
pub fn tres_per_task(request: &Request) -> String {
    let cpus = request.cpus_per_task.map(|n| format!("cpu={n}"));
    let gpus = request.gpus_per_task.iter().map(|g| {
        let kind = g.type_.as_ref().map(|kind| format!(":{kind}")).unwrap_or_default();
        format!("gres/{}{kind}={}", g.name, g.count)
    });
    cpus.into_iter().chain(gpus).collect::<Vec<_>>().join(",")
}

/// Some of a node's resources, with their numbers: `gpu:h100:2(IDX:0-1)`.
pub fn gres_share(share: &GresShare) -> String {
    let kind = share.kind.as_ref().map(|kind| format!(":{kind}")).unwrap_or_default();
    format!("{}{kind}:{}(IDX:{})", share.name, share.ids.len(), share.ids.to_ranges())
}

/// Resources of the allocation by name. Types are left out, as without an entry in `AccountingStorageTRES`.
fn allocated_gres(placement: &Placement) -> Vec<Gres> {
    let mut sum = Vec::new();
    for share in placement.nodes.iter().flat_map(|node| &node.gres) {
        add(&mut sum, &share.name, share.ids.len() as u64);
    }
    sum
}

/// Resources asked for by name, over all nodes and tasks. Types are left out.
pub fn requested_gres(job: &Job, nodes: u64) -> Vec<Gres> {
    let request = &job.request;
    let mut sum = Vec::new();
    for (list, times) in [
        (&request.gres, nodes),
        (&request.gpus, 1),
        (&request.gpus_per_node, nodes),
        (&request.gpus_per_task, u64::from(tasks(job))),
        (&request.gpus_per_socket, nodes),
    ] {
        for gres in list {
            add(&mut sum, &gres.name, gres.count.saturating_mul(times));
        }
    }
    sum
}

fn add(sum: &mut Vec<Gres>, name: &str, count: u64) {
    match sum.iter_mut().find(|gres| gres.name == name) {
        Some(gres) => gres.count = gres.count.saturating_add(count),
        None => sum.push(Gres { name: name.to_owned(), type_: None, count }),
    }
}

/// Appends a request as `TresPerNode` shows it (`gres/gpu:h100:2`), or `N/A`.
pub fn write_gres<'a>(lists: impl IntoIterator<Item = &'a [Gres]>, out: &mut String) {
    let mut first = true;
    for gres in lists.into_iter().flatten() {
        out.push_str(if first { "gres/" } else { ",gres/" });
        out.push_str(&gres.to_string());
        first = false;
    }
    if first {
        out.push_str("N/A");
    }
}

/// Appends the path of an output file as `-O stdout` shows it: patterns are not filled in.
pub fn write_output(job: &Job, name: Option<&str>, out: &mut String) {
    let request = &job.request;
    match name {
        Some(name) if name.starts_with('/') => out.push_str(name),
        Some(name) => {
            write_directory(&request.work_dir, out);
            out.push_str(name);
        }
        None => {
            write_directory(&request.work_dir, out);
            out.push_str("slurm-");
            super::table::number(out, job.id);
            out.push_str(".out");
        }
    }
}

fn write_directory(path: &str, out: &mut String) {
    out.push_str(path.trim_end_matches('/'));
    out.push('/');
}

/// The output file of a job that names none.
pub fn usual_output(job: &Job) -> &'static str {
    if job.array.is_some() { "slurm-%A_%a.out" } else { "slurm-%j.out" }
}

/// The path of an output file, its pattern filled in; of one waiting element, if `element` says which.
pub fn output_path(job: &Job, element: Option<u32>, name: Option<&str>) -> String {
    let request = &job.request;
    let node = allocation(job).and_then(|p| p.names().next());
    let vars = Vars {
        job_id: job.id,
        array_job_id: job.array_job_id(),
        array_task_id: element.or_else(|| job.array.as_ref().and_then(|array| array.task_id)),
        step: "batch".to_owned(),
        node_name: node.unwrap_or_default().to_owned(),
        node_index: 0,
        task_id: 0,
        user: request.user.name.clone(),
        job_name: request.name.clone(),
    };
    let file = filename::expand(name.unwrap_or_else(|| usual_output(job)), &vars);
    request.in_work_dir(&file)
}
