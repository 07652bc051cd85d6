//! What a job is given where nodes are made to measure: so many nodes, all alike.
//!
//! Pure. An engine asks for nodes of a [`Shape`]; the agents that start on them make the [`Placement`] of it.

use super::{Distribution, Gpus, GresShare, Memory, Needs, NodeShare, Placement, gpu_type};
use crate::slurm::gres::Gres;
use serde::{Deserialize, Serialize};

/// `MAX_SLURM_NODES` of slurm.h: no job has more.
const MOST_NODES: u64 = 61_440;
/// slurmctld counts the CPUs of a node in 16 bits.
const MOST_CPUS: u64 = 65_534;

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
    /// Of a range of nodes it is the least that holds tasks and GPUs; GPUs that cannot be shared out evenly are
    /// rounded up on each node.
    ///
    /// # Errors
    /// Why no nodes that are all alike can meet them, in words.
    pub fn of(needs: &Needs, gpus_per_node: u32) -> Result<Self, String> {
        made_not_chosen(needs)?;
        let limit = u64::from(gpus_per_node.max(1));
        let nodes = nodes(needs, limit)?;
        let tasks = tasks(needs, nodes);
        let largest = u64::from(tasks.iter().copied().max().unwrap_or(1));
        let gpus = gpus_of_a_node(needs, nodes, largest);
        if gpus > limit {
            return Err(format!(
                "{gpus} GPUs on one node, where the partition's nodes have at most {limit} (gpus_per_node in its \
                 configuration); ask for more nodes"
            ));
        }
        let by_tasks = match needs.overcommit {
            true => u64::from(needs.cpus_per_task),
            false => largest * u64::from(needs.cpus_per_task),
        };
        let by_gpus = gpus * u64::from(needs.cpus_per_gpu.unwrap_or(0));
        let cpus = by_tasks.max(by_gpus).max(u64::from(needs.min_cpus)).max(1);
        if cpus > MOST_CPUS {
            return Err(format!("{cpus} CPUs on one node: no node has as many; ask for more nodes"));
        }
        let memory = match needs.memory {
            None | Some(Memory::PerNode(0) | Memory::PerCpu(0) | Memory::PerGpu(0)) => None,
            Some(Memory::PerNode(each)) => Some(each),
            Some(Memory::PerCpu(each)) => Some(each.saturating_mul(cpus)),
            Some(Memory::PerGpu(each)) => Some(each.saturating_mul(gpus)).filter(|all| *all > 0),
        };
        Ok(Self {
            tasks,
            cpus: (!needs.whole_nodes).then_some(cpus as u32),
            min_cpus: cpus as u32,
            memory,
            gpus: gpus as u32,
            gpu_type: type_of(needs, gpus)?,
        })
    }

    /// How many nodes.
    pub fn nodes(&self) -> usize {
        self.tasks.len().max(1)
    }

    /// The placement on the nodes that were made, in order. CPUs and GPUs count from 0 on each.
    pub fn placement(&self, nodes: &[MadeNode]) -> Placement {
        let share = |(index, node): (usize, &MadeNode)| {
            let gpus = if self.cpus.is_none() { self.gpus.max(node.gpus) } else { self.gpus };
            let gres = GresShare { name: "gpu".into(), kind: self.gpu_type.clone(), ids: (0..gpus).collect() };
            NodeShare {
                node: node.name.clone(),
                cpus: (0..self.cpus.unwrap_or(node.cpus).max(1)).collect(),
                memory: self.memory.unwrap_or(node.memory),
                gres: if gpus > 0 { vec![gres] } else { Vec::new() },
                tasks: self.tasks.get(index).copied().unwrap_or(0),
            }
        };
        Placement { nodes: nodes.iter().enumerate().map(share).collect() }
    }
}

/// What chooses among nodes that are there already cannot be met by nodes that are made.
fn made_not_chosen(needs: &Needs) -> Result<(), String> {
    let chosen = [("--nodelist", &needs.nodelist), ("--exclude", &needs.exclude)];
    if let Some((option, _)) = chosen.iter().find(|(_, hosts)| !hosts.is_empty()) {
        return Err(format!("{option}: nodes are made for the job and have no names before it starts; leave it out"));
    }
    match needs.per_node.iter().find(|gres| gres.name != "gpu" && gres.count > 0) {
        Some(gres) => Err(format!(
            "--gres={gres}: of generic resources SkyPilot knows GPUs only; leave \"{}\" out, or ask for it in the \
             partition's resources",
            gres.name
        )),
        None => Ok(()),
    }
}

/// How many nodes: the least, unless tasks or GPUs need more and more are allowed.
fn nodes(needs: &Needs, limit: u64) -> Result<u64, String> {
    let least = u64::from(needs.min_nodes.max(1));
    let tasks = needs.tasks.map(u64::from);
    let by_tasks = match (tasks, needs.tasks_per_node) {
        (Some(tasks), Some(each)) => tasks.div_ceil(u64::from(each.max(1))),
        _ => 1,
    };
    let by_gpus = match &needs.gpus {
        Gpus::None => 1,
        Gpus::Total(list) => count(list).div_ceil(limit),
        Gpus::PerTask(list) => {
            let at_once = (limit / count(list).max(1)).max(1);
            tasks.unwrap_or(1).div_ceil(at_once)
        }
    };
    let wanted = least.max(by_tasks).max(by_gpus);
    let nodes = needs.max_nodes.map_or(wanted, |most| wanted.min(u64::from(most)).max(least));
    match nodes > MOST_NODES {
        true => Err(format!("{nodes} nodes: a job has at most {MOST_NODES}")),
        false => Ok(nodes),
    }
}

/// Tasks of each node, dealt out in turn as for any distribution over equal nodes (`slurm::layout`).
fn tasks(needs: &Needs, nodes: u64) -> Vec<u32> {
    let Some(all) = needs.tasks.map(u64::from) else { return vec![1; nodes as usize] };
    let room = u64::from(needs.tasks_per_node.unwrap_or(u32::MAX)).max(1);
    let at_once = match needs.distribution {
        Distribution::Plane(size) => u64::from(size.max(1)).min(room),
        _ => 1,
    };
    let round = nodes * at_once;
    let (rounds, rest) = (all / round, all % round);
    (0..nodes).map(|node| (rounds * at_once + rest.saturating_sub(node * at_once).min(at_once)) as u32).collect()
}

/// GPUs of each node, by the node that needs most.
fn gpus_of_a_node(needs: &Needs, nodes: u64, largest: u64) -> u64 {
    let per_node = count(&needs.per_node);
    per_node.max(match &needs.gpus {
        Gpus::None => 0,
        Gpus::Total(list) => count(list).div_ceil(nodes),
        Gpus::PerTask(list) => count(list).saturating_mul(largest),
    })
}

/// The one type of the GPUs that are asked for: named with them, or as a feature.
fn type_of(needs: &Needs, gpus: u64) -> Result<Option<String>, String> {
    let of_options = match &needs.gpus {
        Gpus::None => &[][..],
        Gpus::Total(list) | Gpus::PerTask(list) => list,
    };
    let named = needs.per_node.iter().chain(of_options).filter(|gres| gres.count > 0);
    let mut found: Option<String> = None;
    let mut meet = |name: &str| match &found {
        Some(first) if !first.eq_ignore_ascii_case(name) => {
            Err(format!("GPUs of two types, {first} and {name}: the nodes of a job are all alike; ask for one type"))
        }
        Some(_) => Ok(()),
        None => {
            found = Some(name.to_owned());
            Ok(())
        }
    };
    named.filter_map(|gres| gres.type_.as_deref()).try_for_each(&mut meet)?;
    for any in &needs.features {
        match any.as_slice() {
            [one] if gpus > 0 && one.eq_ignore_ascii_case("gpu") => {}
            [one] if gpus > 0 && gpu_type::is_known(one) => meet(one)?,
            features => {
                return Err(format!(
                    "--constraint={}: SkyPilot cannot choose nodes by feature, only by one GPU type; name a \
                     partition, or ask for GPUs by type (--gpus-per-node=TYPE:N)",
                    features.join("|")
                ));
            }
        }
    }
    Ok(found.filter(|_| gpus > 0))
}

fn count(list: &[Gres]) -> u64 {
    list.iter().map(|gres| gres.count).fold(0, u64::saturating_add)
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod tests;
