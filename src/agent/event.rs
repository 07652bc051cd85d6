//! What an agent has to say of its job.

use super::Host;
use crate::{
    job::{ExitStatus, Placement, Step, StepId, Usage},
    slurm::state::JobState,
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One thing that happened, on one line of the event file, in order.
///
/// The reader may see a last line that is not finished yet: it has no newline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, epoch seconds.
    pub time: i64,
    /// Of which component of a heterogeneous job.
    #[serde(default, skip_serializing_if = "is_first")]
    pub component: u32,
    /// What.
    pub kind: EventKind,
}

/// Where the first node's agent is found on it, and the nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// Its socket.
    pub socket: PathBuf,
    /// Names and addresses of the job's nodes as they know each other, in the order of the placement.
    pub hosts: Vec<Host>,
    /// How many of these, from the first on, are of the first one's component; `None`: there is no other.
    #[serde(default)]
    pub own: Option<usize>,
    /// The first node's address for the world, where its cloud told it one.
    #[serde(default)]
    pub public: Option<String>,
    /// The port on its own address at which the first node's agent lets in who has [`super::remote::door_key`].
    #[serde(default)]
    pub door: Option<u16>,
}

impl Reach {
    /// Where the first node is reached from outside.
    pub fn address(&self) -> &str {
        let own = self.hosts.first().map_or("", |host| &host.address);
        self.public.as_deref().unwrap_or(own)
    }
}

/// Where the first node of a heterogeneous job waits for the nodes of its other components, which SkyPilot tells nothing of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meeting {
    /// Its address.
    pub address: String,
    /// The addresses of its component's nodes, as they were told there (`SKYPILOT_NODE_IPS`).
    pub listed: String,
    /// The name of its run there (`SKYPILOT_TASK_ID`).
    pub task: String,
}

fn is_first(component: &u32) -> bool {
    *component == 0
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// The first node's agent waits for the nodes of other components. Before anything else.
    Awaits(Meeting),
    /// The agent runs, on nodes that were made for the job: its run has begun. Before any that follow; nodes
    /// that the engine itself chose need none.
    Placed {
        /// Its nodes.
        placement: Placement,
    },
    /// A command on nodes that were made for the job asks the controller ([`super::asking`]). Asked again while there is no answer.
    Asked {
        /// The agent's run: numbers are of it.
        run: u32,
        /// Higher than those before it.
        number: u64,
        /// What is asked, as it would be on the controller's socket; sealed.
        question: String,
        /// What the job's work directory is called there, if it is a copy.
        copies: Vec<PathBuf>,
    },
    /// How one gets to an agent on nodes that were made for the job, once one is on its first node.
    Reachable(Reach),
    /// The batch script was started (or the allocation is ready for steps).
    Started {
        /// Process id of the script; 0 without one.
        pid: u32,
    },
    /// A step began.
    StepStarted(Step),
    /// A step ended.
    StepEnded {
        /// Which.
        id: StepId,
        /// COMPLETED, FAILED, CANCELLED, TIMEOUT, ...
        state: JobState,
        /// Highest exit code, or signal.
        exit: ExitStatus,
        /// What its tasks used.
        usage: Usage,
        /// Who cancelled it.
        cancelled_by: Option<u32>,
    },
    /// The job is over: no process of it is left and its output is complete.
    Ended {
        /// COMPLETED, FAILED, CANCELLED, TIMEOUT, ...
        state: JobState,
        /// How the script ended.
        exit: ExitStatus,
        /// The highest exit code of its steps.
        derived_exit: ExitStatus,
        /// Who cancelled it.
        cancelled_by: Option<u32>,
    },
}
