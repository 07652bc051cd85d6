//! What running steps use, as sstat(1) shows it.

use super::StepId;
use serde::{Deserialize, Serialize};

/// A running step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepUsage {
    /// Which.
    pub id: StepId,
    /// Its nodes, in its order. One that did not answer in time has no tasks.
    pub nodes: Vec<NodeUsage>,
}

/// Its tasks on one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeUsage {
    /// The node.
    pub node: String,
    /// Those that run.
    pub tasks: Vec<TaskUsage>,
}

/// One task: the sum over all its processes, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskUsage {
    /// Its global id; 0: the batch script.
    pub task: u32,
    /// Resident sets, bytes.
    pub rss: u64,
    /// Virtual memory, bytes.
    pub vsize: u64,
    /// Page faults that had to wait for a disk.
    pub pages: u64,
    /// CPU time in user mode and in the kernel, ms.
    pub cpu_ms: u64,
    /// Bytes read, from whatever it was.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
    /// Clock frequency of the CPU it ran on, kHz; 0: not known.
    pub khz: u64,
    /// Its processes.
    pub pids: Vec<i32>,
}
