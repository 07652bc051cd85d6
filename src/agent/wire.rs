//! What is asked of an agent on its socket by the engine; srun's own talk is beside it.
//!
//! Frames are a length (4 bytes, big endian) and postcard.

use crate::job::StepId;
use serde::{Deserialize, Serialize};

/// Which processes of a job a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// All steps, not the batch shell: `scancel --signal=X`.
    Steps,
    /// The batch shell only: `scancel --batch`.
    Batch,
    /// The batch shell and all steps: `scancel --full`.
    Full,
    /// One step.
    Step(StepId),
}

/// What the engine asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Control {
    /// End the job: message in its output, TERM, `kill_wait`, KILL; it ends in `state`.
    Terminate {
        /// Who asked.
        uid: u32,
        /// CANCELLED, PREEMPTED, or PENDING for a requeue.
        state: crate::slurm::state::JobState,
    },
    /// Send a signal. A step that is sent KILL this way counts as cancelled by `uid`.
    Signal {
        /// Who asked.
        uid: u32,
        /// Signal number.
        signal: i32,
        /// To which processes.
        target: Target,
    },
    /// The job's time limit is now this many minutes after its start; `None`: unlimited.
    TimeLimit(Option<u32>),
}

/// The answer to a [`Control`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Done, or under way.
    Done,
    /// There is no such step.
    NoSuchStep,
}
