//! What a request comes to in nodes, tasks, CPUs, memory and GPUs.
//!
//! Worked out once from the options, with the defaults `sbatch(1)` gives; both
//! engines start from it: one places it on nodes, the other asks SkyPilot for it.

use super::{Distribution, Exclusive, Memory, Request};
use crate::slurm::{
    gres::{Gres, GresList, Tres},
    memory::Mebibytes,
};

/// GPUs asked for by one of the `--gpus*` options.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Gpus {
    /// None but those of `--gres`.
    #[default]
    None,
    /// `--gpus`: over the job.
    Total(Vec<Gres>),
    /// `--gpus-per-task`.
    PerTask(Vec<Gres>),
}

/// The needs of a job. Two jobs with equal needs fit in the same places.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Needs {
    /// Fewest nodes.
    pub min_nodes: u32,
    /// Most nodes; `None`: as many as its tasks take.
    pub max_nodes: Option<u32>,
    /// Of that range, as few as will do rather than as many as can be had.
    pub fewest: bool,
    /// Tasks over the job; `None`: one a node.
    pub tasks: Option<u32>,
    /// At most so many tasks on a node.
    pub tasks_per_node: Option<u32>,
    /// So many tasks share a GPU of `--gpus`.
    pub tasks_per_gpu: Option<u32>,
    /// CPUs of one task.
    pub cpus_per_task: u32,
    /// At least so many CPUs on each node.
    pub min_cpus: u32,
    /// CPUs of one GPU.
    pub cpus_per_gpu: Option<u32>,
    /// Memory.
    pub memory: Option<Memory>,
    /// Generic resources on each node, GPUs of `--gres` and `--gpus-per-node` among them.
    pub per_node: Vec<Gres>,
    /// GPUs of `--gpus` and `--gpus-per-task`.
    pub gpus: Gpus,
    /// Whole nodes, alone.
    pub whole_nodes: bool,
    /// More than one task a CPU.
    pub overcommit: bool,
    /// How tasks go to nodes.
    pub distribution: Distribution,
    /// Must have these nodes.
    pub nodelist: Vec<String>,
    /// Must not have these nodes.
    pub exclude: Vec<String>,
    /// Features its nodes must have: all of them, each a set of alternatives.
    pub features: Vec<Vec<String>>,
}

impl Needs {
    /// The needs of `request`; `default_memory_per_cpu` in MiB, for one that says nothing of memory.
    pub fn of(request: &Request, default_memory_per_cpu: Option<u64>) -> Self {
        let per = &request.tasks_per;
        let total_gpus = count(&request.gpus);
        let gpus_per_task = count(&request.gpus_per_task);
        let gpus_per_node = count(&request.gpus_per_node);
        let (min_nodes, max_nodes) = match &request.nodes {
            Some(nodes) => (nodes.min.max(1), Some(nodes.max.unwrap_or(nodes.min).max(1))),
            None if !request.nodelist.is_empty() => {
                let listed = request.nodelist.len() as u32;
                (listed, (request.ntasks.is_none()).then_some(listed))
            }
            // Asked of a real one: four nodes of `-n6`, and one where nothing is said of tasks.
            None if request.spread_job && request.ntasks.is_some() => (1, Some(u32::MAX)),
            None => (1, None),
        };
        let by_gpus_per_node = (total_gpus > 0 && gpus_per_node > 0 && request.nodes.is_none())
            .then(|| total_gpus.div_ceil(gpus_per_node) as u32);
        let min_nodes = by_gpus_per_node.unwrap_or(min_nodes);
        let max_nodes = by_gpus_per_node.or(max_nodes);
        let tasks = request.ntasks.or_else(|| match (per.node, per.gpu) {
            (Some(n), _) => Some(n.saturating_mul(min_nodes)),
            (None, Some(n)) if total_gpus > 0 => Some(n.saturating_mul(total_gpus as u32)),
            (None, Some(n)) if gpus_per_node > 0 => {
                Some(n.saturating_mul(gpus_per_node as u32).saturating_mul(min_nodes))
            }
            _ if gpus_per_task > 0 && total_gpus > 0 => Some((total_gpus / gpus_per_task).max(1) as u32),
            _ => None,
        });
        let min_nodes = match (request.nodes.is_some(), tasks, per.node) {
            (false, Some(tasks), Some(per_node)) => min_nodes.max(tasks.div_ceil(per_node.max(1))),
            _ => min_nodes,
        };
        let cpus_per_task = request.cpus_per_task_or_1();
        let mut per_node = request.gres.clone();
        per_node.extend(request.gpus_per_node.iter().cloned());
        let gpus = match (total_gpus > 0 && by_gpus_per_node.is_none(), gpus_per_task > 0) {
            (_, true) => Gpus::PerTask(request.gpus_per_task.clone()),
            (true, false) => Gpus::Total(request.gpus.clone()),
            (false, false) => Gpus::None,
        };
        Self {
            min_nodes,
            max_nodes,
            fewest: request.use_min_nodes,
            tasks,
            tasks_per_node: per.node.or_else(|| match (per.gpu, gpus_per_node) {
                (Some(n), gpus) if gpus > 0 => Some(n.saturating_mul(gpus as u32)),
                (Some(n), _) => Some(n.saturating_mul(total_gpus.div_ceil(u64::from(min_nodes)) as u32)),
                _ => None,
            }),
            tasks_per_gpu: per.gpu.filter(|_| total_gpus > 0),
            cpus_per_task,
            min_cpus: request.min_cpus.unwrap_or(1).max(match (per.node, request.overcommit) {
                (Some(n), false) => n.saturating_mul(cpus_per_task),
                _ => 1,
            }),
            cpus_per_gpu: request.cpus_per_gpu,
            memory: request.memory.or(default_memory_per_cpu.map(Memory::PerCpu)),
            per_node,
            gpus,
            // With the user's own other jobs nodes are shared, and there are no others here.
            whole_nodes: request.exclusive == Exclusive::Node,
            overcommit: request.overcommit,
            distribution: request.distribution,
            nodelist: request.nodelist.clone(),
            exclude: request.exclude.clone(),
            features: request.constraint.as_deref().map(features).unwrap_or_default(),
        }
    }

    /// Nodes a pending job shows, and its TRES counts.
    pub fn shown_nodes(&self, gpus_on_largest_node: u64) -> u32 {
        let by_gpus = match &self.gpus {
            Gpus::Total(list) if gpus_on_largest_node > 0 => count(list).div_ceil(gpus_on_largest_node) as u32,
            _ => 1,
        };
        self.min_nodes.max(by_gpus)
    }

    /// GPUs over the job.
    pub fn gpus(&self) -> u64 {
        match &self.gpus {
            Gpus::Total(list) => count(list),
            Gpus::PerTask(list) => count(list) * u64::from(self.tasks.unwrap_or(1)),
            Gpus::None => gpus_in(&self.per_node) * u64::from(self.min_nodes),
        }
    }

    /// What it comes to over the job, at least.
    pub fn tres(&self) -> Tres {
        let (node, cpu) = (u64::from(self.min_nodes), u64::from(self.shown_cpus()));
        let mem = match self.memory {
            None => 0,
            Some(Memory::PerNode(mib)) => mib.saturating_mul(node),
            Some(Memory::PerCpu(mib)) => mib.saturating_mul(cpu),
            Some(Memory::PerGpu(mib)) => mib.saturating_mul(self.gpus()),
        };
        let of_tasks = u64::from(self.tasks.unwrap_or(1));
        let (more, times): (&[Gres], u64) = match &self.gpus {
            Gpus::None => (&[], 0),
            Gpus::Total(list) => (list, 1),
            Gpus::PerTask(list) => (list, of_tasks),
        };
        let times_each = |list: &[Gres], times: u64| -> Vec<Gres> {
            list.iter().map(|gres| Gres { count: gres.count.saturating_mul(times), ..gres.clone() }).collect()
        };
        let gres = GresList([times_each(&self.per_node, node), times_each(more, times)].concat());
        Tres { cpu, mem: Mebibytes(mem), node, billing: cpu, gres }
    }

    /// CPUs a pending job shows.
    pub fn shown_cpus(&self) -> u32 {
        if self.overcommit {
            return self.min_nodes.saturating_mul(self.min_cpus);
        }
        let by_tasks = self.tasks.unwrap_or(self.min_nodes).saturating_mul(self.cpus_per_task);
        let by_gpus = u64::from(self.cpus_per_gpu.unwrap_or(0)) * self.gpus();
        by_tasks.max(self.min_nodes.saturating_mul(self.min_cpus)).max(by_gpus.min(u64::from(u32::MAX)) as u32)
    }
}

/// How many of all types.
fn count(list: &[Gres]) -> u64 {
    list.iter().map(|g| g.count).sum()
}

/// How many GPUs are among generic resources.
pub fn gpus_in(list: &[Gres]) -> u64 {
    list.iter().filter(|g| g.name == "gpu").map(|g| g.count).sum()
}

/// `a&b|c` as all of (one of); brackets and counts of sbatch(1) are read as plain alternatives.
fn features(text: &str) -> Vec<Vec<String>> {
    text.split(['&', ','])
        .map(|all| {
            all.split('|')
                .map(|name| name.trim_matches(['[', ']', '(', ')', ' ']))
                .map(|name| name.split('*').next().unwrap_or_default().to_owned())
                .filter(|name| !name.is_empty())
                .collect::<Vec<_>>()
        })
        .filter(|any| !any.is_empty())
        .collect()
}
