//! The record of a step: what accounting keeps of the batch script and of each srun.

use super::ExitStatus;
use crate::slurm::state::JobState;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which step of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StepId {
    /// The batch script, `.batch`.
    Batch,
    /// What was started beside any step, `.extern`.
    Extern,
    /// The shell of an interactive allocation, `.interactive`.
    Interactive,
    /// The steps srun made, from `.0`.
    Number(u32),
    /// One component of a step that has several in an ordinary job: `.0+1`. (In a heterogeneous job each component of the job
    /// has the part of the step that is its.)
    Component(u32, u32),
}

impl StepId {
    /// Whether srun made it.
    pub fn is_numbered(self) -> bool {
        self.number().is_some()
    }

    /// The number that srun gave it.
    pub fn number(self) -> Option<u32> {
        match self {
            StepId::Number(number) | StepId::Component(number, _) => Some(number),
            StepId::Batch | StepId::Extern | StepId::Interactive => None,
        }
    }

    /// Whether it is meant by `text`: itself, or the step it is a component of.
    pub fn answers_to(self, text: &str) -> bool {
        self.to_string() == text || self.number().is_some_and(|number| number.to_string() == text)
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            StepId::Batch => f.write_str("batch"),
            StepId::Extern => f.write_str("extern"),
            StepId::Interactive => f.write_str("interactive"),
            StepId::Number(n) => write!(f, "{n}"),
            StepId::Component(n, component) => write!(f, "{n}+{component}"),
        }
    }
}

/// What a step's processes used, as far as it could be measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time in user mode, µs, over all tasks that have ended.
    pub user_us: u64,
    /// CPU time in the kernel, µs.
    pub system_us: u64,
    /// The largest resident set of one task, KiB.
    pub max_rss_kib: u64,
}

impl Usage {
    /// Adds what other processes used.
    pub fn add(&mut self, other: Self) {
        self.user_us += other.user_us;
        self.system_us += other.system_us;
        self.max_rss_kib = self.max_rss_kib.max(other.max_rss_kib);
    }
}

/// A step, as the agent reports it and sacct shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Which step.
    pub id: StepId,
    /// Its name: `batch`, or the program's base name.
    pub name: String,
    /// RUNNING, or how it ended.
    pub state: JobState,
    /// Its nodes, in order.
    pub nodes: Vec<String>,
    /// Number of tasks.
    pub tasks: u32,
    /// CPUs over all nodes.
    pub cpus: u32,
    /// Memory over all nodes, MiB; 0 if it was not said.
    pub memory: u64,
    /// GPUs over all nodes.
    pub gpus: u32,
    /// Tasks per node, in the order of `nodes`.
    pub tasks_per_node: Vec<u32>,
    /// Start, epoch seconds.
    pub start: i64,
    /// End, epoch seconds; `None` while it runs.
    pub end: Option<i64>,
    /// How it ended: the highest exit code of its tasks, or the signal.
    pub exit: ExitStatus,
    /// What it used.
    pub usage: Usage,
    /// Who cancelled it, by user id.
    pub cancelled_by: Option<u32>,
    /// The command line (`SubmitLine` of sacct).
    pub command: String,
}
