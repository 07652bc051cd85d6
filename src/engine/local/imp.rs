//! The engine: inventory, schedule and launches put together.

use super::{
    backfill::{self, Running},
    inventory::{Inventory, Slot},
    launch::Launcher,
    place::place,
    plan,
};
use crate::{
    agent::wire::Control,
    config::Config,
    engine::{Candidate, Engine, Given, Planned, Report, Schedule, Start, Unfit},
    job::{Gpus, Job, JobId, Memory, Needs, Node, Partition},
    slurm::{errno::Errno, state::JobState, time::TimeLimit},
};
use std::{
    collections::{HashMap, HashSet},
    io,
    path::Path,
};
use tokio::sync::mpsc::UnboundedSender;

/// This machine.
pub struct Local {
    inventory: Inventory,
    partitions: Vec<Partition>,
    running: HashMap<JobId, Running>,
    /// Those of them that are suspended.
    suspended: HashSet<JobId>,
    /// Some may have CPUs that others have, too.
    shared: bool,
    launcher: Launcher,
}

impl Local {
    /// The engine for this configuration, with its files below `state`; must be called within a tokio runtime.
    ///
    /// # Errors
    /// When its directories or sockets cannot be made.
    pub fn new(config: &Config, state: &Path, reports: UnboundedSender<Report>, now: i64) -> io::Result<Self> {
        let inventory = Inventory::new(config, now);
        let partitions = partitions(config, &inventory);
        let launcher = Launcher::new(config, state, &inventory, reports)?;
        Ok(Self { inventory, partitions, running: HashMap::new(), suspended: HashSet::new(), shared: false, launcher })
    }

    fn partition(&self, name: &str) -> Option<&Partition> {
        self.partitions.iter().find(|p| p.name == name)
    }
}

/// The partitions of the configuration that have nodes of ours; without any, `local` with all.
fn partitions(config: &Config, inventory: &Inventory) -> Vec<Partition> {
    let all = || inventory.slots.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
    let share = inventory.slots.iter().map(|s| s.memory / u64::from(s.cpus.max(1))).min();
    let memory = config.controller.default_memory_per_cpu.as_ref().map(|m| m.0.0);
    let mut out: Vec<Partition> = config
        .partition
        .iter()
        .filter(|p| p.on_skypilot().is_none())
        .map(|p| Partition {
            name: p.name.clone(),
            default: config.default_partition().is_some_and(|default| default.name == p.name),
            nodes: p.nodes.as_ref().map_or_else(all, |n| n.0.0.clone()),
            default_time: p.default_time.as_ref().map(|t| t.0),
            max_time: p.max_time.as_ref().map_or(TimeLimit::Unlimited, |t| t.0),
            priority_tier: p.priority_tier.unwrap_or(1),
            default_memory_per_cpu: p.default_memory_per_cpu.as_ref().map(|m| m.0.0),
            memory_share: memory.or(share),
            infra: "local".into(),
            up: true,
        })
        .collect();
    if out.is_empty() {
        out.push(Partition {
            name: "local".into(),
            default: config.partition.is_empty(),
            nodes: all(),
            default_time: None,
            max_time: TimeLimit::Unlimited,
            priority_tier: 1,
            default_memory_per_cpu: None,
            memory_share: memory.or(share),
            infra: "local".into(),
            up: true,
        });
    }
    out
}

impl Engine for Local {
    fn partitions(&self) -> Vec<Partition> {
        self.partitions.clone()
    }

    fn nodes(&self) -> Vec<Node> {
        self.inventory.nodes()
    }

    fn fits(&self, needs: &Needs, partition: &str, enforce: bool) -> Result<(), Unfit> {
        let unfit = |errno| Unfit { errno, before: None };
        let partition = self.partition(partition).ok_or(unfit(Errno::InvalidPartition))?;
        if needs.nodelist.iter().chain(&needs.exclude).any(|name| self.inventory.index(name).is_none()) {
            return Err(unfit(Errno::InvalidNodeName));
        }
        let unavailable = unfit(Errno::NodeConfigurationUnavailable);
        if needs.nodelist.iter().any(|name| !partition.nodes.contains(name)) {
            return Err(unavailable);
        }
        let free = self.inventory.all_free();
        let nodes: Vec<&Slot> = backfill::slots(&free, partition);
        let known = |g: &crate::slurm::gres::Gres| {
            free.slots.iter().any(|s| s.gres.iter().any(|(have, _)| have.name == g.name))
        };
        if let Some(gres) = needs.per_node.iter().find(|g| !known(g)) {
            return Err(if gres.name == "gpu" { unavailable } else { unfit(Errno::InvalidGres) });
        }
        let all_features = || free.slots.iter().flat_map(|s| &s.features);
        if needs.features.iter().any(|any| any.iter().all(|name| !all_features().any(|f| f == name))) {
            return Err(unfit(Errno::InvalidFeature));
        }
        // Could any one node hold one task?
        let one = Needs {
            min_nodes: 1,
            max_nodes: Some(1),
            tasks: needs.tasks.map(|_| 1),
            nodelist: Vec::new(),
            gpus: match &needs.gpus {
                Gpus::Total(list) => {
                    Gpus::Total(list.iter().map(|g| crate::slurm::gres::Gres { count: 1, ..g.clone() }).collect())
                }
                other => other.clone(),
            },
            ..needs.clone()
        };
        if place(&one, &nodes).is_none() {
            let most_cpus = nodes.iter().map(|s| s.cpus).max().unwrap_or(0);
            let most_memory = nodes.iter().map(|s| s.memory).max().unwrap_or(0);
            let memory = match needs.memory {
                Some(Memory::PerNode(m)) => m,
                Some(Memory::PerCpu(m)) => m,
                _ => 0,
            };
            let before = if needs.cpus_per_task.max(needs.min_cpus) > most_cpus {
                Some("CPU count per node can not be satisfied")
            } else if memory > most_memory {
                Some("Memory specification can not be satisfied")
            } else {
                None
            };
            return Err(Unfit { before: before.map(Into::into), ..unavailable });
        }
        if enforce {
            if needs.min_nodes as usize > nodes.len() {
                return Err(unfit(Errno::NodeCount));
            }
            let cpus: u64 = nodes.iter().map(|s| u64::from(s.cpus)).sum();
            if u64::from(needs.shown_cpus()) > cpus {
                return Err(unfit(Errno::TooManyCpus));
            }
        }
        // What depends on how many nodes there are may wait for more nodes; what does not is refused.
        let counted = needs.min_nodes as usize > nodes.len()
            || u64::from(needs.shown_cpus()) > nodes.iter().map(|s| u64::from(s.cpus)).sum::<u64>();
        if !counted && place(needs, &nodes).is_none() {
            return Err(unavailable);
        }
        Ok(())
    }

    fn least_nodes(&self, needs: &Needs, partition: &str) -> u32 {
        // What it would get were all of them free (nodes.txt: 100 tasks on nodes of 64 CPUs show two).
        let fewest = Needs { fewest: true, ..needs.clone() };
        let free = self.inventory.all_free();
        let placed = self.partition(partition).and_then(|p| place(&fewest, &backfill::slots(&free, p)));
        let most_gpus = || self.inventory.nodes().iter().map(|n| crate::job::gpus_in(&n.gres)).max().unwrap_or(0);
        placed.map_or_else(|| needs.shown_nodes(most_gpus()), |placed| placed.nodes.len() as u32)
    }

    fn schedule(&mut self, queue: &mut dyn Iterator<Item = Candidate>, now: i64) -> Schedule {
        backfill::schedule(queue, &mut self.inventory, &mut self.running, &self.partitions, now)
    }

    fn would_start(&self, candidate: &Candidate, now: i64) -> Option<(i64, Vec<Given>)> {
        backfill::earliest(candidate, &self.inventory, self.running.values(), &self.partitions, now)
    }

    fn plan(&self, queue: &mut dyn Iterator<Item = Candidate>, now: i64) -> Vec<Planned> {
        plan::plan(queue, &self.inventory, &self.running, &self.partitions, now)
    }

    fn start(&mut self, start: Start) -> io::Result<()> {
        std::iter::once(&start.job).chain(&start.others).for_each(|job| self.note(job));
        self.launcher.start(start, &self.inventory)
    }

    fn adopt(&mut self, job: &Job) {
        if let Some(placement) = &job.placement {
            self.inventory.take(placement);
        }
        self.note(job);
        if job.state == JobState::Suspended {
            self.suspended(job);
        }
        // The agents of a heterogeneous job are those of its first component.
        if job.leads() {
            self.launcher.adopt(job.id);
        }
    }

    fn control(&mut self, job: JobId, control: Control) {
        self.launcher.control(job, control);
    }

    fn suspended(&mut self, job: &Job) {
        if let Some(running) = self.running.get(&job.id) {
            self.inventory.give_cpus_back(&running.placement);
            self.suspended.insert(job.id);
            self.shared = true;
            self.keep_shared();
        }
    }

    fn resumed(&mut self, job: &Job) {
        if self.suspended.remove(&job.id) {
            self.keep_shared();
        }
    }

    fn limit_changed(&mut self, job: &Job) {
        self.note(job);
        let minutes = match job.time_limit {
            TimeLimit::Unlimited => None,
            TimeLimit::Minutes(minutes) => Some(minutes),
        };
        let component = job.het.map(|het| het.offset);
        self.launcher.control(job.leader_id(), Control::TimeLimit(minutes).of(component));
    }

    fn release(&mut self, job: &Job) {
        if let Some(running) = self.running.remove(&job.id) {
            self.inventory.give_back(&running.placement);
            self.suspended.remove(&job.id);
            self.keep_shared();
        }
        self.launcher.remove(job.id);
    }
}

impl Local {
    /// What one gave back of CPUs that others have, too, is taken for these.
    fn keep_shared(&mut self) {
        self.shared &= !self.running.is_empty();
        if self.shared {
            let runs = self.running.iter().filter(|(id, _)| !self.suspended.contains(id));
            runs.for_each(|(_, running)| self.inventory.take_cpus(&running.placement));
        }
    }

    fn note(&mut self, job: &Job) {
        if let (Some(placement), Some(start)) = (&job.placement, job.start_time) {
            let until = backfill::until(start, job.time_limit);
            self.running.insert(job.id, Running { until, placement: placement.clone() });
        }
    }
}
