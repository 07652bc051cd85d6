//! Nodes and partitions, as engines offer them and sinfo shows them.

use super::Reservation;
use crate::slurm::{gres::Gres, limit::Limits, time::TimeLimit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Whether a node takes work. `NODE STATE CODES` of sinfo(1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeState {
    /// In service: idle, mixed or allocated by what is used of it.
    #[default]
    Up,
    /// Takes no new work.
    Drain,
    /// Cannot be used.
    Down,
}

/// Whether a reservation that is in force has a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kept {
    /// None has.
    #[default]
    No,
    /// One has.
    Reserved,
    /// One for maintenance (`Flags=MAINT`) has.
    Maintenance,
}

/// A node, with what it has and what of it is in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Name.
    pub name: String,
    /// CPUs it has.
    pub cpus: u32,
    /// Memory it has, MiB.
    pub memory: u64,
    /// Generic resources it has.
    pub gres: Vec<Gres>,
    /// Features, for `--constraint`.
    pub features: Vec<String>,
    /// CPUs in use.
    pub cpus_used: u32,
    /// Memory in use, MiB.
    pub memory_used: u64,
    /// Generic resources in use, in the order of `gres`.
    pub gres_used: Vec<u64>,
    /// Whether it takes work.
    pub state: NodeState,
    /// Whether it is reserved. The controller knows; engines say no.
    pub kept: Kept,
    /// Why it is drained or down.
    pub reason: Option<String>,
    /// When it came into service, epoch seconds.
    pub since: i64,
    /// The host it is on, for `NodeHostName`.
    pub host: String,
    /// Address by which its agent is reached.
    pub address: String,
}

/// A partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// Name.
    pub name: String,
    /// Whether it takes jobs that name none.
    pub default: bool,
    /// Its nodes, in the configuration's order.
    pub nodes: Vec<String>,
    /// Time limit of jobs that ask for none; `None` means the maximum.
    pub default_time: Option<TimeLimit>,
    /// Longest time limit.
    pub max_time: TimeLimit,
    /// Higher goes first.
    pub priority_tier: u16,
    /// `DefMemPerCPU`: memory per CPU that jobs which ask for none are taken to have asked for, MiB.
    pub default_memory_per_cpu: Option<u64>,
    /// Memory per CPU that such jobs are given where the partition has no such default, MiB.
    pub memory_share: Option<u64>,
    /// What it is of the engine: `local`, or a SkyPilot infra or pool.
    pub infra: String,
    /// Whether it takes and starts jobs.
    pub up: bool,
}

/// The cluster as `sinfo` and `scontrol show` tell it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Cluster {
    /// `ClusterName`
    pub name: String,
    /// Partitions in the configuration's order.
    pub partitions: Vec<Partition>,
    /// Nodes in the configuration's order.
    pub nodes: Vec<Node>,
    /// `scontrol show config`: key and value, sorted.
    pub config: Vec<(String, String)>,
    /// Licenses: name, how many there are, how many are in use.
    pub licenses: Vec<(String, u32, u32)>,
    /// Reservations, oldest first.
    pub reservations: Vec<Reservation>,
    /// The accounts jobs may name; none: any.
    pub accounts: Vec<String>,
    /// The account of jobs that name none.
    pub default_account: Option<String>,
    /// The QOS there are, that of jobs that name none first.
    pub qos: Vec<String>,
    /// What the jobs of a QOS may have together.
    pub qos_limits: BTreeMap<String, Limits>,
    /// What the jobs of an account may have together.
    pub account_limits: BTreeMap<String, Limits>,
    /// The controller's clock, epoch seconds.
    pub now: i64,
    /// Since when a system that jobs were handed to cannot be reached, and why: epoch seconds, words.
    pub out_of_reach: Option<(i64, String)>,
}
