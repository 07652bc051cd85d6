//! The environment of a batch script, and of the shell of an interactive allocation.

use super::{Environment, fill, names};
use crate::{
    job::{ArrayRef, Job, Memory, NodeShare, Request},
    slurm::{layout::repetitions, time::TimeLimit},
};

/// What the environment of a batch script follows from.
pub struct Batch<'a> {
    /// The job, with its placement.
    pub job: &'a Job,
    /// `SLURM_CLUSTER_NAME`
    pub cluster: &'a str,
    /// `SLURM_CONF`
    pub conf: &'a str,
    /// What `hostname` says on the node.
    pub host: &'a str,
}

impl Batch<'_> {
    fn request(&self) -> &Request {
        &self.job.request
    }

    fn first_node(&self) -> Option<&NodeShare> {
        names::nodes(self.job).first()
    }

    fn node_name(&self) -> Option<String> {
        self.first_node().map(|n| n.node.clone())
    }

    fn array(&self) -> Option<(&ArrayRef, u32)> {
        self.job.array.as_ref().and_then(|a| Some((a, a.task_id?)))
    }

    fn ntasks(&self) -> Option<String> {
        let asked = names::tasks_were_asked_for(self.request());
        let placed = names::nodes(self.job).iter().map(|n| n.tasks).sum::<u32>();
        asked.then(|| self.request().ntasks.unwrap_or(placed).to_string())
    }

    fn gpus(&self) -> Option<String> {
        self.first_node().map(|n| super::task::list(n.gpus().iter())).filter(|ids| !ids.is_empty())
    }

    fn end_time(&self) -> Option<i64> {
        const YEAR: i64 = 365 * 24 * 3600;
        let seconds = match self.job.time_limit {
            TimeLimit::Minutes(m) => i64::from(m) * 60,
            TimeLimit::Unlimited => YEAR, // as slurmctld writes it for a job without a limit
        };
        Some(self.job.start_time? + seconds)
    }
}

/// A variable, and how it follows from the facts.
pub(super) type Row = (&'static str, fn(&Batch) -> Option<String>);

/// `value` as it is written, if there is one.
fn shown(value: Option<impl ToString>) -> Option<String> {
    value.map(|v| v.to_string())
}

/// What every process of a job has, wherever it runs.
pub(super) const JOB: &[Row] = &[
    ("SLURM_ARRAY_JOB_ID", |b| shown(b.array().map(|(a, _)| a.job_id))),
    ("SLURM_ARRAY_TASK_COUNT", |b| shown(b.array().map(|(a, _)| a.spec.count()))),
    ("SLURM_ARRAY_TASK_ID", |b| shown(b.array().map(|(_, task)| task))),
    ("SLURM_ARRAY_TASK_MAX", |b| shown(b.array().map(|(a, _)| a.spec.max()))),
    ("SLURM_ARRAY_TASK_MIN", |b| shown(b.array().map(|(a, _)| a.spec.min()))),
    ("SLURM_ARRAY_TASK_STEP", |b| shown(b.array().map(|(a, _)| a.spec.step()))),
    ("SLURM_CLUSTER_NAME", |b| Some(b.cluster.into())),
    ("SLURM_CONF", |b| Some(b.conf.into())),
    ("SLURM_CPUS_PER_GPU", |b| shown(b.request().cpus_per_gpu)),
    ("SLURM_CPUS_PER_TASK", |b| shown(b.request().cpus_per_task)),
    ("SLURM_DISTRIBUTION", |b| b.request().distribution_text.clone()),
    ("SLURM_GPUS", |b| names::gpus(&b.request().gpus)),
    ("SLURM_GPUS_PER_NODE", |b| names::gpus(&b.request().gpus_per_node)),
    ("SLURM_GPUS_PER_SOCKET", |b| names::gpus(&b.request().gpus_per_socket)),
    ("SLURM_GPUS_PER_TASK", |b| names::gpus(&b.request().gpus_per_task)),
    ("SLURM_GPU_BIND", |b| b.request().gpu_bind.clone()),
    ("SLURM_HINT", |b| b.request().hint.clone()),
    ("SLURM_JOBID", |b| shown(Some(b.job.id))),
    ("SLURM_JOB_ACCOUNT", |b| b.request().account.clone()),
    ("SLURM_JOB_CPUS_PER_NODE", |b| Some(repetitions(names::nodes(b.job).iter().map(|n| n.cpus.len() as u32)))),
    ("SLURM_JOB_END_TIME", |b| shown(b.end_time())),
    ("SLURM_JOB_ID", |b| shown(Some(b.job.id))),
    ("SLURM_JOB_NAME", |b| Some(b.request().name.clone())),
    ("SLURM_JOB_NODELIST", |b| Some(names::node_list(b.job))),
    ("SLURM_JOB_NUM_NODES", |b| shown(Some(names::nodes(b.job).len()))),
    ("SLURM_JOB_PARTITION", |b| Some(b.job.partition.clone())),
    ("SLURM_JOB_QOS", |b| b.request().qos.clone()),
    ("SLURM_JOB_RESERVATION", |b| b.request().reservation.clone()),
    ("SLURM_JOB_START_TIME", |b| shown(b.job.start_time)),
    ("SLURM_MEM_PER_CPU", |b| match b.request().memory {
        Some(Memory::PerCpu(m)) if m > 0 => Some(m.to_string()),
        _ => None,
    }),
    ("SLURM_MEM_PER_GPU", |b| match b.request().memory {
        Some(Memory::PerGpu(m)) if m > 0 => Some(m.to_string()),
        _ => None,
    }),
    ("SLURM_MEM_PER_NODE", |b| match b.request().memory {
        Some(Memory::PerNode(m)) if m > 0 => Some(m.to_string()),
        _ => None,
    }),
    ("SLURM_NNODES", |b| shown(Some(names::nodes(b.job).len()))),
    ("SLURM_NODELIST", |b| Some(names::node_list(b.job))),
    ("SLURM_NPROCS", |b| b.ntasks()),
    ("SLURM_NTASKS", |b| b.ntasks()),
    ("SLURM_NTASKS_PER_CORE", |b| shown(b.request().tasks_per.core)),
    ("SLURM_NTASKS_PER_GPU", |b| shown(b.request().tasks_per.gpu)),
    ("SLURM_NTASKS_PER_NODE", |b| shown(b.request().tasks_per.node)),
    ("SLURM_NTASKS_PER_SOCKET", |b| shown(b.request().tasks_per.socket)),
    ("SLURM_OVERCOMMIT", |b| b.request().overcommit.then(|| "1".into())),
    ("SLURM_PROFILE", |b| b.request().profile.clone()),
    ("SLURM_SUBMIT_DIR", |b| Some(b.request().submit_dir.clone())),
    ("SLURM_SUBMIT_HOST", |b| Some(b.request().submit_host.clone())),
    ("SLURM_TASKS_PER_NODE", |b| Some(repetitions(names::nodes(b.job).iter().map(|n| n.tasks)))),
    ("SLURM_THREADS_PER_CORE", |b| match b.request().hint.as_deref() {
        Some("nomultithread") => Some("1".into()),
        _ => shown(b.request().threads_per_core),
    }),
    ("SLURM_TRES_PER_TASK", |b| names::tres_per_task(b.request().cpus_per_task, &b.request().gpus_per_task)),
    ("SLURM_WCKEY", |b| b.request().wckey.clone()),
];

/// What the batch script has besides, as the one process on the first node.
const SCRIPT: &[Row] = &[
    ("CUDA_VISIBLE_DEVICES", |b| b.gpus()),
    ("ENVIRONMENT", |_| Some("BATCH".into())),
    ("HOSTNAME", |b| Some(b.host.into())),
    ("SLURMD_NODENAME", |b| b.node_name()),
    ("SLURM_CPUS_ON_NODE", |b| shown(b.first_node().map(|n| n.cpus.len()))),
    ("SLURM_GPUS_ON_NODE", |b| shown(b.first_node().map(|n| n.gpus().len()).filter(|n| *n > 0))),
    ("SLURM_GTIDS", |_| Some("0".into())),
    ("SLURM_JOB_DEPENDENCY", |b| b.request().dependency_text.clone()),
    ("SLURM_JOB_GID", |b| shown(Some(b.request().user.gid))),
    ("SLURM_JOB_GPUS", |b| b.gpus()),
    ("SLURM_JOB_UID", |b| shown(Some(b.request().user.uid))),
    ("SLURM_JOB_USER", |b| Some(b.request().user.name.clone())),
    ("SLURM_LOCALID", |_| Some("0".into())),
    ("SLURM_NODEID", |_| Some("0".into())),
    ("SLURM_PRIO_PROCESS", |_| Some("0".into())),
    ("SLURM_PROCID", |_| Some("0".into())),
    ("SLURM_RESTART_COUNT", |b| shown(Some(b.job.restarts).filter(|n| *n > 0))),
    ("SLURM_TASK_PID", |_| Some("0".into())), // written by the process itself
    ("SLURM_TOPOLOGY_ADDR", |b| b.node_name()),
    ("SLURM_TOPOLOGY_ADDR_PATTERN", |_| Some("node".into())),
];

/// What only a task of a step has; of another job's step it must not be seen here.
const STEP: &[&str] = &[
    "SLURM_GET_USER_ENV",
    "SLURM_EXPORT_ENV",
    "SLURM_CPU_BIND",
    "SLURM_CPU_BIND_LIST",
    "SLURM_CPU_BIND_TYPE",
    "SLURM_CPU_BIND_VERBOSE",
    "SLURM_LABELIO",
    "SLURM_MEM_BIND",
    "SLURM_MEM_BIND_LIST",
    "SLURM_MEM_BIND_PREFER",
    "SLURM_MEM_BIND_SORT",
    "SLURM_MEM_BIND_TYPE",
    "SLURM_MEM_BIND_VERBOSE",
    "SLURM_SCRIPT_CONTEXT",
    "SLURM_STEP_RESV_PORTS",
    "SLURM_LAUNCH_NODE_IPADDR",
    "SLURM_SRUN_COMM_HOST",
    "SLURM_SRUN_COMM_PORT",
    "SLURM_STEPID",
    "SLURM_STEP_GPUS",
    "SLURM_STEP_ID",
    "SLURM_STEP_LAUNCHER_PORT",
    "SLURM_STEP_NODELIST",
    "SLURM_STEP_NUM_NODES",
    "SLURM_STEP_NUM_TASKS",
    "SLURM_STEP_TASKS_PER_NODE",
    "SLURM_UMASK",
    "SLURMD_TRES_BIND",
    "SRUN_DEBUG",
];

/// Makes `environment`, the base that `--export` asks for, that of the batch script.
pub fn batch(environment: &mut Environment, facts: &Batch) {
    forget_another_job(environment);
    fill(environment, JOB.iter().map(|(name, value)| (*name, value(facts))));
    fill(environment, SCRIPT.iter().map(|(name, value)| (*name, value(facts))));
    super::export::mark(environment, facts.request());
    if environment.get("TMPDIR").is_none() {
        environment.set("TMPDIR", "/tmp");
    }
}

/// Makes `environment` that of the command salloc runs where it was typed (`env.txt`, salloc).
pub fn shell(environment: &mut Environment, facts: &Batch) {
    forget_another_job(environment);
    fill(environment, JOB.iter().map(|(name, value)| (*name, value(facts))));
}

/// What describes the job that sbatch was typed in says nothing of this one: a leftover `SLURM_NTASKS` would be
/// taken for a wish by srun. Outside of a job the user's own `SLURM_*` are left alone.
pub(super) fn forget_another_job(environment: &mut Environment) {
    if environment.get("SLURM_JOB_ID").is_none() {
        return;
    }
    let ours = |name: &[u8]| {
        let rows = JOB.iter().chain(SCRIPT).map(|(n, _)| *n).chain(STEP.iter().copied());
        rows.into_iter().any(|row| row.as_bytes() == name)
    };
    environment.retain(|name| !ours(name) && !super::het::is_of_components(name));
}
