//! Where a job runs: its share of each of its nodes.

use crate::slurm::{
    gres::{Gres, GresList, Tres},
    idset::IdSet,
    memory::Mebibytes,
};
use serde::{Deserialize, Serialize};

/// The nodes of a job, in the order of `SLURM_JOB_NODELIST`. Node 0 runs the script.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// One share a node.
    pub nodes: Vec<NodeShare>,
}

/// What a job has of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeShare {
    /// Node name.
    pub node: String,
    /// The CPUs, by their number on the node.
    pub cpus: IdSet,
    /// Memory in MiB.
    pub memory: u64,
    /// Generic resources, GPUs first.
    pub gres: Vec<GresShare>,
    /// How many tasks the job's layout puts here (`SLURM_TASKS_PER_NODE`).
    pub tasks: u32,
}

/// Some of a node's generic resources of one name and type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GresShare {
    /// `gpu`, or another name from the configuration.
    pub name: String,
    /// `h100`, if the node declares a type.
    pub kind: Option<String>,
    /// Which of them, by index on the node.
    pub ids: IdSet,
}

impl Placement {
    /// CPUs over all nodes.
    pub fn cpus(&self) -> u32 {
        self.nodes.iter().map(|n| n.cpus.len() as u32).sum()
    }

    /// Memory over all nodes, in MiB.
    pub fn memory(&self) -> u64 {
        self.nodes.iter().map(|n| n.memory).sum()
    }

    /// Tasks over all nodes.
    pub fn tasks(&self) -> u32 {
        self.nodes.iter().map(|n| n.tasks).sum()
    }

    /// GPUs over all nodes.
    pub fn gpus(&self) -> u64 {
        self.nodes.iter().map(|n| n.gpus().len() as u64).sum()
    }

    /// All of it, generic resources with their types.
    pub fn tres(&self) -> Tres {
        let shares = self.nodes.iter().flat_map(|node| &node.gres);
        let gres = shares.map(|share| Gres {
            name: share.name.clone(),
            type_: share.kind.clone(),
            count: share.ids.len() as u64,
        });
        let (cpu, node) = (u64::from(self.cpus()), self.nodes.len() as u64);
        Tres { cpu, mem: Mebibytes(self.memory()), node, billing: cpu, gres: GresList(gres.collect()) }
    }

    /// The nodes' names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(|n| n.node.as_str())
    }
}

impl NodeShare {
    /// The GPUs' indices on the node, over all types.
    pub fn gpus(&self) -> IdSet {
        let mut all = IdSet::new();
        for share in self.gres.iter().filter(|g| g.name == "gpu") {
            all.extend(share.ids.iter());
        }
        all
    }
}
