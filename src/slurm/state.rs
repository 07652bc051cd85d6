//! Job states, as squeue(1) and sacct(1) name them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The state of a job or step. `JOB STATE CODES` of squeue(1) and sacct(1).
///
/// Slurm keeps a base state and flags; what it shows is the flag if there is
/// one. Here both are variants of one type, and a job has a [`JobState`] for the
/// base and, while a flag is raised, another for the flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum JobState {
    /// Waiting for resources or for becoming eligible.
    Pending,
    /// Has an allocation.
    Running,
    /// Has an allocation, but its processes are stopped and its CPUs released.
    Suspended,
    /// All processes ended with exit code 0.
    Completed,
    /// Cancelled by the user or an administrator.
    Cancelled,
    /// Ended with a non-zero exit code or another failure.
    Failed,
    /// Reached its time limit.
    Timeout,
    /// A node of its allocation failed.
    NodeFail,
    /// Ended by preemption.
    Preempted,
    /// Its nodes could not be booted.
    BootFail,
    /// Ended on its deadline.
    Deadline,
    /// Ended for want of memory.
    OutOfMemory,
    /// Flag: being ended, some processes may live still.
    Completing,
    /// Flag: allocated, its nodes are getting ready.
    Configuring,
    /// Flag: put back into the queue.
    Requeued,
    /// Flag: put back into the queue and held.
    RequeueHold,
    /// Flag: about to change size.
    Resizing,
    /// Flag: removed from its allocation in another cluster of a federation.
    Revoked,
    /// Flag: being signalled.
    Signaling,
    /// Flag: put back into the queue in a special state.
    SpecialExit,
    /// Flag: its output is being staged out.
    StageOut,
    /// Flag: stopped with its CPUs kept.
    Stopped,
    /// Flag: held, for its reservation is gone.
    ResvDelHold,
}

/// Every state with its long and short name, in the order of slurm.h.
const NAMES: &[(JobState, &str, &str)] = &[
    (JobState::Pending, "PENDING", "PD"),
    (JobState::Running, "RUNNING", "R"),
    (JobState::Suspended, "SUSPENDED", "S"),
    (JobState::Completed, "COMPLETED", "CD"),
    (JobState::Cancelled, "CANCELLED", "CA"),
    (JobState::Failed, "FAILED", "F"),
    (JobState::Timeout, "TIMEOUT", "TO"),
    (JobState::NodeFail, "NODE_FAIL", "NF"),
    (JobState::Preempted, "PREEMPTED", "PR"),
    (JobState::BootFail, "BOOT_FAIL", "BF"),
    (JobState::Deadline, "DEADLINE", "DL"),
    (JobState::OutOfMemory, "OUT_OF_MEMORY", "OOM"),
    (JobState::Completing, "COMPLETING", "CG"),
    (JobState::Configuring, "CONFIGURING", "CF"),
    (JobState::Resizing, "RESIZING", "RS"),
    (JobState::ResvDelHold, "RESV_DEL_HOLD", "RD"),
    (JobState::Requeued, "REQUEUED", "RQ"),
    (JobState::RequeueHold, "REQUEUE_HOLD", "RH"),
    (JobState::Revoked, "REVOKED", "RV"),
    (JobState::Signaling, "SIGNALING", "SI"),
    (JobState::SpecialExit, "SPECIAL_EXIT", "SE"),
    (JobState::StageOut, "STAGE_OUT", "SO"),
    (JobState::Stopped, "STOPPED", "ST"),
];

impl JobState {
    /// The long name, as `%T` of squeue prints it.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(state, ..)| *state == self).map_or("?", |(_, long, _)| long)
    }

    /// The short name, as `%t` of squeue prints it.
    pub fn code(self) -> &'static str {
        NAMES.iter().find(|(state, ..)| *state == self).map_or("?", |(.., short)| short)
    }

    /// A state by its long or short name in any case; `None` for another word.
    pub fn parse(word: &str) -> Option<Self> {
        NAMES
            .iter()
            .find(|(_, long, short)| word.eq_ignore_ascii_case(long) || word.eq_ignore_ascii_case(short))
            .map(|(state, ..)| *state)
    }

    /// All states, in the order of slurm.h.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(state, ..)| *state)
    }

    /// Whether a job in this base state is over for good.
    pub fn is_finished(self) -> bool {
        use JobState::*;
        matches!(
            self,
            Completed | Cancelled | Failed | Timeout | NodeFail | Preempted | BootFail | Deadline | OutOfMemory
        )
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_are_unique_and_parse_back() {
        for state in JobState::all() {
            assert_eq!(JobState::parse(state.name()), Some(state));
            assert_eq!(JobState::parse(&state.code().to_lowercase()), Some(state));
        }
        assert_eq!(JobState::parse("bogus"), None);
    }
}
