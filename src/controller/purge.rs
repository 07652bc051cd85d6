//! Retention: what is older than `purge_job_after` leaves the store, a slice at a time.

use super::core::Core;

/// So many jobs go at once; then others have their turn.
const SLICE: usize = 500;
/// So often it is looked for more, seconds.
const AGAIN: i64 = 3600;

impl Core {
    /// Removes a slice of what is too old, if it is time to.
    pub(super) fn purge(&mut self, now: i64) {
        let Some(keep) = &self.config.controller.purge_job_after else { return };
        if now < self.purge_due {
            return;
        }
        let age = keep.0.0.max(i64::from(self.config.controller.min_job_age));
        self.purge_due = now + AGAIN;
        self.recent.forget(now - age);
        match self.store.purge(now - age, SLICE) {
            Ok(removed) if removed == SLICE => self.purge_due = now + 1,
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
