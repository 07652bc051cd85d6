//! The time limit of a step: srun's `--time`.

use super::Running;
use crate::agent::agent::Agent;
use nix::libc::SIGTERM;
use std::time::{Duration, Instant};

/// The moment a step that begins now has to end; `None`: never.
pub(super) fn end(minutes: Option<u32>) -> Option<Instant> {
    Instant::now().checked_add(Duration::from_secs(u64::from(minutes?) * 60))
}

impl Running {
    /// Whether its time is over. It is told once.
    fn is_overdue(&mut self, now: Instant) -> bool {
        let overdue = self.end_at.take_if(|at| *at <= now).is_some();
        self.timed_out |= overdue;
        overdue
    }
}

impl Agent {
    /// Ends the steps whose time is over: TERM now, KILL after `KillWait`. srun is not told apart: it sees its tasks end.
    pub(super) fn end_overdue_steps(&mut self) {
        let now = Instant::now();
        let overdue = self.manager.steps.iter_mut().filter_map(|(step, s)| s.is_overdue(now).then_some(*step));
        for step in overdue.collect::<Vec<u32>>() {
            self.cancel_step(step, None, SIGTERM, " DUE TO TIME LIMIT");
            self.kill_step_later(step);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_minutes_from_now_or_none() {
        assert_eq!(end(None), None);
        let left = end(Some(2)).unwrap().saturating_duration_since(Instant::now());
        assert!(left <= Duration::from_secs(120) && left > Duration::from_secs(100), "{left:?}");
        assert!(end(Some(u32::MAX)).is_some());
    }
}
