//! Retention: what is older than `purge_job_after` leaves the store, a slice at a time.

use super::core::Core;
use std::time::Instant;

/// So many jobs go at once; then others have their turn.
const SLICE: usize = 500;
/// So often it is looked for more, seconds.
const AGAIN: i64 = 3600;

/// A clock that has gone so much otherwise than time does was set, seconds.
const SET: u64 = 600;

/// When old jobs are looked for, by a clock that may be set.
pub(super) struct Retention {
    due: i64,
    /// When that was settled.
    settled: (Instant, i64),
}

impl Retention {
    /// At once.
    pub fn new(now: i64) -> Self {
        Self { due: now, settled: (Instant::now(), now) }
    }

    /// When it is time to look, epoch seconds.
    pub fn due(&self) -> i64 {
        self.due
    }

    /// In so many seconds.
    fn wait(&mut self, now: i64, seconds: i64) {
        *self = Self { due: now + seconds, settled: (Instant::now(), now) };
    }

    /// Whether it is time to. A clock that was set has to stay as it is for an hour before anything is thrown away by it.
    fn is_due(&mut self, now: i64) -> bool {
        let (since, then) = self.settled;
        self.is_due_after(now, since.elapsed().as_secs().saturating_add_signed(then))
    }

    /// The same, where it would be `expected` if the clock had not been set.
    fn is_due_after(&mut self, now: i64, expected: u64) -> bool {
        let was_set = u64::try_from(now).unwrap_or(0).abs_diff(expected) > SET;
        if was_set {
            self.wait(now, AGAIN);
        }
        !was_set && now >= self.due
    }
}

impl Core {
    /// Removes a slice of what is too old, if it is time to.
    pub(super) fn purge(&mut self, now: i64) {
        let Some(keep) = &self.config.controller.purge_job_after else { return };
        if !self.retention.is_due(now) {
            return;
        }
        let age = keep.0.0.max(i64::from(self.config.controller.min_job_age));
        self.retention.wait(now, AGAIN);
        self.recent.forget(now - age);
        match self.store.purge(now - age, SLICE) {
            Ok(removed) if removed == SLICE => self.retention.wait(now, 1),
            Ok(0) => {}
            Ok(_) => {
                if let Err(error) = self.store.sweep() {
                    tracing::error!(%error, "scripts and requests of no job are kept");
                }
            }
            Err(error) => tracing::error!(%error, "old jobs are kept"),
        }
        if let Err(error) = self.store.commit() {
            tracing::error!(%error, "old jobs are kept");
            self.store.roll_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_throws_nothing_away_for_an_hour() {
        let mut retention = Retention::new(10_000);
        assert!(retention.is_due_after(10_000, 10_000) && retention.is_due_after(10_300, 10_000));
        for jump in [2_000_000_000, 4_000] {
            assert!(!retention.is_due_after(jump, 10_300));
            assert_eq!(retention.due(), jump + AGAIN);
            assert!(!retention.is_due_after(jump + AGAIN - 1, (jump + AGAIN - 1) as u64));
            assert!(retention.is_due_after(jump + AGAIN, (jump + AGAIN) as u64));
        }
    }
}
