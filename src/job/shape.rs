//! What a job is given where nodes are made to measure: so many nodes, all alike.
//!
//! Pure. An engine asks for nodes of a [`Shape`]; the agents that start on them make the [`Placement`] of it.

use super::{Needs, Placement};
use serde::{Deserialize, Serialize};

/// The nodes made for a job. They are alike; only their tasks may differ by one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Tasks of each node (`SLURM_TASKS_PER_NODE`); as many entries as there are nodes, at least one.
    pub tasks: Vec<u32>,
    /// CPUs of each node; `None`: all it has (`--exclusive`).
    pub cpus: Option<u32>,
    /// At least so many CPUs, where `cpus` is `None`.
    pub min_cpus: u32,
    /// Memory of each node, MiB; `None`: it was not said.
    pub memory: Option<u64>,
    /// GPUs of each node.
    pub gpus: u32,
    /// Their type, if one was asked for.
    pub gpu_type: Option<String>,
}

/// What is known of a node that was made: its name, and what it really has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeNode {
    /// Name that resolves on every node of the job.
    pub name: String,
    /// CPUs it has.
    pub cpus: u32,
    /// Memory it has, MiB.
    pub memory: u64,
    /// GPUs the job has on it (`SKYPILOT_NUM_GPUS_PER_NODE`).
    pub gpus: u32,
}

impl Shape {
    /// The shape that meets `needs`, with at most `gpus_per_node` GPUs on one node.
    ///
    /// # Errors
    /// Why no nodes that are all alike can meet them, in words.
    pub fn of(needs: &Needs, gpus_per_node: u32) -> Result<Self, String> {
        let _ = (needs, gpus_per_node);
        todo!("translation")
    }

    /// The placement on the nodes that were made, in order. CPUs and GPUs count from 0 on each.
    pub fn placement(&self, nodes: &[MadeNode]) -> Placement {
        let _ = nodes;
        todo!("translation")
    }
}
