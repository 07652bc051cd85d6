//! What the controller has done since it began, as sdiag shows it.

use crate::slurm::state::JobState;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Counts of jobs (each element of an array is one) and of looks at the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Submitted.
    pub submitted: u64,
    /// Given nodes.
    pub started: u64,
    /// Ended by themselves or by their limits, however.
    pub completed: u64,
    /// Cancelled.
    pub cancelled: u64,
    /// Ended because of a node or of the system itself.
    pub failed: u64,
    /// Looks at the queue.
    pub cycles: u64,
    /// How long the last one took, µs.
    pub last_cycle: u64,
    /// How long the longest one took, µs.
    pub max_cycle: u64,
    /// How long all took, µs.
    pub sum_cycles: u64,
    /// Jobs that were looked at, over all of them.
    pub depth: u64,
    /// Jobs that were in the queue at the last one.
    pub queue: u64,
}

impl Counts {
    /// A job ended so.
    pub(super) fn ended(&mut self, state: JobState) {
        *match state {
            JobState::Cancelled => &mut self.cancelled,
            JobState::NodeFail | JobState::BootFail => &mut self.failed,
            _ => &mut self.completed,
        } += 1;
    }

    /// The queue was looked at, for so long, and so many jobs of it.
    pub(super) fn cycle(&mut self, took: Duration, depth: u64, queue: u64) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.cycles += 1;
        self.last_cycle = micros;
        self.max_cycle = self.max_cycle.max(micros);
        self.sum_cycles = self.sum_cycles.saturating_add(micros);
        self.depth += depth;
        self.queue = queue;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_is_counted() {
        let mut counts = Counts::default();
        for state in [JobState::Completed, JobState::Failed, JobState::Timeout, JobState::Cancelled, JobState::NodeFail]
        {
            counts.ended(state);
        }
        assert_eq!((counts.completed, counts.cancelled, counts.failed), (3, 1, 1));
        counts.cycle(Duration::from_micros(7), 2, 5);
        counts.cycle(Duration::from_micros(3), 1, 4);
        assert_eq!((counts.cycles, counts.last_cycle, counts.max_cycle, counts.sum_cycles), (2, 3, 7, 10));
        assert_eq!((counts.depth, counts.queue), (3, 4));
    }
}
