//! The environment of a task of a step.

use super::{Environment, fill, names};
use crate::{
    job::Job,
    slurm::{hostlist, idset::IdSet, layout::repetitions},
};

/// What the environment of a task follows from.
pub struct Task<'a> {
    /// The job, with its placement.
    pub job: &'a Job,
    /// `SLURM_CLUSTER_NAME`
    pub cluster: &'a str,
    /// `SLURM_CONF`
    pub conf: &'a str,
    /// Number of the step.
    pub step: u32,
    /// Nodes of the step, in order.
    pub nodes: &'a [String],
    /// The tasks of each node of the step, by their global ids.
    pub layout: &'a [Vec<u32>],
    /// `block`, `cyclic`, `plane=2`; `None` where srun made the allocation itself.
    pub distribution: Option<&'a str>,
    /// This node's place among `nodes`.
    pub node: usize,
    /// CPUs of the step on this node.
    pub cpus: u32,
    /// The task's global id.
    pub id: u32,
    /// The task's place among those of its node.
    pub local_id: u32,
    /// GPUs of the step that the task sees.
    pub gpus: &'a IdSet,
    /// How GPUs were bound to tasks: `gpu:per_task:1`, `gpu:single:2`.
    pub gpu_binding: Option<String>,
    /// How many GPUs the step has on this node.
    pub gpus_on_node: u32,
    /// `--cpus-per-task` of the step.
    pub cpus_per_task: Option<u32>,
    /// The umask.
    pub umask: u32,
    /// Whether output is labelled.
    pub label: bool,
    /// Where srun runs.
    pub launcher: &'a str,
    /// Of a step in a heterogeneous job or over several components of its own: the CPUs of the nodes these have, and
    /// name and partition of one. Such a step has for its job's nodes its own (`het.txt`).
    pub het: Option<Het<'a>>,
}

/// What is otherwise in a step of several components.
pub struct Het<'a> {
    /// `SLURM_JOB_CPUS_PER_NODE`
    pub cpus_per_node: &'a str,
    /// `SLURM_JOB_NAME`
    pub name: &'a str,
    /// `SLURM_JOB_PARTITION`
    pub partition: &'a str,
}

impl Task<'_> {
    fn tasks(&self) -> usize {
        self.layout.iter().map(Vec::len).sum()
    }

    fn tasks_per_node(&self) -> String {
        repetitions(self.layout.iter().map(|ids| ids.len() as u32))
    }

    fn job_nodes(&self) -> String {
        match self.het {
            Some(_) => hostlist::compress(self.nodes),
            None => names::node_list(self.job),
        }
    }

    fn node_name(&self) -> Option<String> {
        self.nodes.get(self.node).cloned()
    }

    fn gpu_list(&self) -> Option<String> {
        (!self.gpus.is_empty()).then(|| list(self.gpus.iter()))
    }
}

/// Every id by itself, as `CUDA_VISIBLE_DEVICES` and `SLURM_GTIDS` want it.
pub(super) fn list(ids: impl IntoIterator<Item = u32>) -> String {
    ids.into_iter().map(|id| id.to_string()).collect::<Vec<_>>().join(",")
}

/// A variable, and how it follows from the facts.
type Row = (&'static str, fn(&Task) -> Option<String>);

const TASK: &[Row] = &[
    ("CUDA_VISIBLE_DEVICES", |t| t.gpu_list()),
    ("SLURMD_NODENAME", |t| t.node_name()),
    ("SLURMD_TRES_BIND", |t| t.gpu_binding.clone()),
    ("SLURM_CLUSTER_NAME", |t| Some(t.cluster.into())),
    ("SLURM_CONF", |t| Some(t.conf.into())),
    ("SLURM_CPUS_ON_NODE", |t| Some(t.cpus.to_string())),
    ("SLURM_CPUS_PER_TASK", |t| t.cpus_per_task.map(|n| n.to_string())),
    ("SLURM_DISTRIBUTION", |t| t.distribution.map(str::to_owned)),
    ("SLURM_GPUS_ON_NODE", |t| (t.gpus_on_node > 0).then(|| t.gpus_on_node.to_string())),
    ("SLURM_GTIDS", |t| t.layout.get(t.node).map(|ids| list(ids.iter().copied()))),
    ("SLURM_JOBID", |t| Some(t.job.id.to_string())),
    ("SLURM_JOB_GID", |t| Some(t.job.request.user.gid.to_string())),
    ("SLURM_JOB_ID", |t| Some(t.job.id.to_string())),
    ("SLURM_JOB_CPUS_PER_NODE", |t| Some(t.het.as_ref()?.cpus_per_node.into())),
    ("SLURM_JOB_NAME", |t| Some(t.het.as_ref()?.name.into())),
    ("SLURM_JOB_NODELIST", |t| Some(t.job_nodes())),
    ("SLURM_JOB_NUM_NODES", |t| match t.het {
        Some(_) => Some(t.nodes.len().to_string()),
        None => Some(names::nodes(t.job).len().to_string()),
    }),
    ("SLURM_JOB_PARTITION", |t| Some(t.het.as_ref()?.partition.into())),
    ("SLURM_JOB_UID", |t| Some(t.job.request.user.uid.to_string())),
    ("SLURM_JOB_USER", |t| Some(t.job.request.user.name.clone())),
    ("SLURM_LABELIO", |t| t.label.then(|| "1".into())),
    ("SLURM_LAUNCH_NODE_IPADDR", |t| Some(t.launcher.into())),
    ("SLURM_LOCALID", |t| Some(t.local_id.to_string())),
    ("SLURM_NNODES", |t| Some(t.nodes.len().to_string())),
    ("SLURM_NODEID", |t| Some(t.node.to_string())),
    ("SLURM_NODELIST", |t| Some(t.job_nodes())),
    ("SLURM_NPROCS", |t| Some(t.tasks().to_string())),
    ("SLURM_NTASKS", |t| Some(t.tasks().to_string())),
    ("SLURM_NTASKS_PER_TRES", |t| {
        let single = t.gpu_binding.as_deref()?.strip_prefix("gpu:single:")?;
        Some(single.to_owned())
    }),
    ("SLURM_PRIO_PROCESS", |_| Some("0".into())),
    ("SLURM_PROCID", |t| Some(t.id.to_string())),
    ("SLURM_SRUN_COMM_HOST", |t| Some(t.launcher.into())),
    // There is no port: srun is reached through the agent. Some programs look whether the variable is there.
    ("SLURM_SRUN_COMM_PORT", |_| Some("0".into())),
    ("SLURM_STEPID", |t| Some(t.step.to_string())),
    ("SLURM_STEP_GPUS", |t| t.gpu_list()),
    ("SLURM_STEP_ID", |t| Some(t.step.to_string())),
    ("SLURM_STEP_LAUNCHER_PORT", |_| Some("0".into())),
    ("SLURM_STEP_NODELIST", |t| Some(hostlist::compress(t.nodes))),
    ("SLURM_STEP_NUM_NODES", |t| Some(t.nodes.len().to_string())),
    ("SLURM_STEP_NUM_TASKS", |t| Some(t.tasks().to_string())),
    ("SLURM_STEP_TASKS_PER_NODE", |t| Some(t.tasks_per_node())),
    ("SLURM_TASKS_PER_NODE", |t| Some(t.tasks_per_node())),
    ("SLURM_TASK_PID", |_| Some("0".into())), // written by the process itself
    ("SLURM_TOPOLOGY_ADDR", |t| t.node_name()),
    ("SLURM_TOPOLOGY_ADDR_PATTERN", |_| Some("node".into())),
    ("SLURM_UMASK", |t| Some(format!("{:04o}", t.umask))),
    ("SRUN_DEBUG", |_| Some("3".into())),
];

/// Makes `environment`, srun's own as `--export` let it through, that of one task.
pub fn task(environment: &mut Environment, facts: &Task) {
    if facts.gpus.is_empty() {
        for name in ["CUDA_VISIBLE_DEVICES", "SLURM_STEP_GPUS"] {
            environment.unset(name);
        }
    }
    if facts.gpus_on_node == 0 {
        environment.unset("SLURM_GPUS_ON_NODE");
    }
    fill(environment, TASK.iter().map(|(name, value)| (*name, value(facts))));
    if facts.local_id == 0 && environment.get("TMPDIR").is_none() {
        environment.set("TMPDIR", "/tmp"); // the first task of a node only (env.txt, srun without a batch job)
    }
}
