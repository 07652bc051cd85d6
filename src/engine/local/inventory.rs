//! The nodes and what of them is free.

use crate::{
    config::{Config, NodeConfig},
    host::hardware,
    job::{Node, NodeShare, NodeState, Placement},
    slurm::{gres::Gres, idset::IdSet},
};

/// A node: what it has, and what of it no job has taken.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Node name.
    pub name: String,
    /// CPUs it has.
    pub cpus: u32,
    /// CPUs that are free.
    pub free_cpus: IdSet,
    /// Memory it has, MiB.
    pub memory: u64,
    /// Memory that is free, MiB.
    pub free_memory: u64,
    /// Generic resources it has, each with those that are free.
    pub gres: Vec<(Gres, IdSet)>,
    /// Features.
    pub features: Vec<String>,
    /// Whether it takes work.
    pub state: NodeState,
}

impl Slot {
    fn new(name: &str, cpus: u32, memory: u64, gres: Vec<Gres>, features: Vec<String>) -> Self {
        let gres = merge(gres)
            .into_iter()
            .scan(std::collections::HashMap::<String, u32>::new(), |next, g| {
                // Indices go on over the types of one name: gpu:a100:2,gpu:h100:2 has 0-1 and 2-3.
                let first = next.entry(g.name.clone()).or_default();
                let ids = (*first..*first + g.count as u32).collect();
                *first += g.count as u32;
                Some((g, ids))
            })
            .collect();
        Self {
            name: name.to_owned(),
            cpus,
            free_cpus: (0..cpus).collect(),
            memory,
            free_memory: memory,
            gres,
            features,
            state: NodeState::Up,
        }
    }

    /// Whether no job has any of it.
    pub fn is_idle(&self) -> bool {
        self.free_cpus.len() == self.cpus as usize
    }

    fn take(&mut self, share: &NodeShare) {
        self.free_cpus.difference_with(&share.cpus);
        self.free_memory = self.free_memory.saturating_sub(share.memory);
        for taken in &share.gres {
            if let Some((_, free)) = self.find(&taken.name, taken.kind.as_deref()) {
                free.difference_with(&taken.ids);
            }
        }
    }

    fn give_back(&mut self, share: &NodeShare) {
        self.free_cpus.extend(share.cpus.iter().filter(|id| *id < self.cpus));
        self.free_memory = (self.free_memory + share.memory).min(self.memory);
        for taken in &share.gres {
            if let Some((_, free)) = self.find(&taken.name, taken.kind.as_deref()) {
                free.extend(taken.ids.iter());
            }
        }
    }

    fn find(&mut self, name: &str, kind: Option<&str>) -> Option<&mut (Gres, IdSet)> {
        self.gres.iter_mut().find(|(g, _)| g.name == name && g.type_.as_deref() == kind)
    }
}

/// Adds up declarations of the same name and type.
fn merge(list: Vec<Gres>) -> Vec<Gres> {
    let mut merged: Vec<Gres> = Vec::new();
    for gres in list {
        match merged.iter_mut().find(|m| m.name == gres.name && m.type_ == gres.type_) {
            Some(same) => same.count += gres.count,
            None => merged.push(gres),
        }
    }
    merged
}

/// All nodes.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// In the configuration's order.
    pub slots: Vec<Slot>,
    /// Whether they are virtual.
    pub is_virtual: bool,
    since: i64,
    host: String,
}

impl Inventory {
    /// The nodes of the configuration; without any, this machine as it is.
    pub fn new(config: &Config, now: i64) -> Self {
        let host = hardware::host_name();
        let slots = match &config.node[..] {
            [] => {
                let gpus = hardware::gpus().into_iter();
                let gres = gpus.map(|(model, count)| Gres { name: "gpu".into(), type_: Some(model), count });
                vec![Slot::new(&host, hardware::cpus(), hardware::memory(), gres.collect(), Vec::new())]
            }
            declared => declared.iter().flat_map(Self::declared).collect(),
        };
        Self { slots, is_virtual: !config.node.is_empty(), since: now, host }
    }

    fn declared(node: &NodeConfig) -> impl Iterator<Item = Slot> {
        let memory = node.memory.as_ref().map_or(u64::from(node.cpus) * 2000, |m| m.0.0);
        let gres: Vec<Gres> = node.gres.iter().flat_map(|list| list.0.0.iter().cloned()).collect();
        let slot = move |name: &String| Slot::new(name, node.cpus, memory, gres.clone(), node.features.clone());
        node.name.0.0.iter().map(slot)
    }

    /// The index of a node.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.slots.iter().position(|s| s.name == name)
    }

    /// Takes a placement.
    pub fn take(&mut self, placement: &Placement) {
        for share in &placement.nodes {
            if let Some(index) = self.index(&share.node) {
                self.slots[index].take(share);
            }
        }
    }

    /// Takes the CPUs of a placement alone, even if others have them, too.
    pub fn take_cpus(&mut self, placement: &Placement) {
        for share in &placement.nodes {
            if let Some(index) = self.index(&share.node) {
                self.slots[index].free_cpus.difference_with(&share.cpus);
            }
        }
    }

    /// Gives the CPUs of a placement back, and nothing else of it.
    pub fn give_cpus_back(&mut self, placement: &Placement) {
        for share in &placement.nodes {
            if let Some(index) = self.index(&share.node) {
                let slot = &mut self.slots[index];
                slot.free_cpus.extend(share.cpus.iter().filter(|id| *id < slot.cpus));
            }
        }
    }

    /// Gives a placement back.
    pub fn give_back(&mut self, placement: &Placement) {
        for share in &placement.nodes {
            if let Some(index) = self.index(&share.node) {
                self.slots[index].give_back(share);
            }
        }
    }

    /// The same nodes with nothing taken.
    pub fn all_free(&self) -> Self {
        let mut free = self.clone();
        for slot in &mut free.slots {
            slot.free_cpus = (0..slot.cpus).collect();
            slot.free_memory = slot.memory;
            let mut next = std::collections::HashMap::<String, u32>::new();
            for (gres, ids) in &mut slot.gres {
                let first = next.entry(gres.name.clone()).or_default();
                *ids = (*first..*first + gres.count as u32).collect();
                *first += gres.count as u32;
            }
        }
        free
    }

    /// The nodes as sinfo shows them.
    pub fn nodes(&self) -> Vec<Node> {
        self.slots.iter().enumerate().map(|(index, slot)| self.node(index, slot)).collect()
    }

    fn node(&self, index: usize, slot: &Slot) -> Node {
        Node {
            name: slot.name.clone(),
            cpus: slot.cpus,
            memory: slot.memory,
            gres: slot.gres.iter().map(|(g, _)| g.clone()).collect(),
            features: slot.features.clone(),
            cpus_used: slot.cpus - slot.free_cpus.len() as u32,
            memory_used: slot.memory - slot.free_memory,
            gres_used: slot.gres.iter().map(|(g, free)| g.count - free.len() as u64).collect(),
            kept: crate::job::Kept::No,
            state: slot.state,
            reason: None,
            since: self.since,
            host: if self.is_virtual { slot.name.clone() } else { self.host.clone() },
            address: self.address(index),
        }
    }

    /// The loopback address of a virtual node (127.0.1.1 and up); this machine's is 127.0.0.1.
    pub fn address(&self, index: usize) -> String {
        match self.is_virtual {
            true => format!("127.0.{}.{}", 1 + (index + 1) / 256 % 255, (index + 1) % 256),
            false => "127.0.0.1".into(),
        }
    }
}
