//! Interactive allocations: who waits for one is told when it has its nodes, and one that nobody waits for any more ends.

use super::{
    api::Reply,
    core::{Core, respond},
};
use crate::{
    job::{Job, JobId, JobList, Kind},
    slurm::state::JobState,
};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Who wants an allocation asks for it, or again after a restart of the controller, within so many seconds.
const PATIENCE: u32 = 30;

/// Who waits for an allocation.
pub(super) struct Waiter {
    job: JobId,
    /// That it has to wait was said already.
    knows: bool,
    answer: oneshot::Sender<Vec<u8>>,
}

impl Core {
    /// Answers when the job has its nodes or is over; before that once, if it has to wait.
    pub(super) fn grant(&mut self, job: JobId, knows: bool, answer: oneshot::Sender<Vec<u8>>) {
        self.granting.push(Waiter { job, knows, answer });
        self.tell_granted();
    }

    /// Answers those whose allocations came about, or will not.
    pub(super) fn tell_granted(&mut self) {
        if self.granting.is_empty() {
            return;
        }
        let looked_at = !self.reschedule;
        let (table, ready) = (&self.table, &self.ready);
        let is_due = |waiter: &mut Waiter| match table.get(waiter.job) {
            None => true,
            Some(job) if job.is_finished() => true,
            Some(job) if job.state == JobState::Pending => !waiter.knows && looked_at,
            Some(job) => ready.contains(&job.id),
        };
        let due: Vec<Waiter> = self.granting.extract_if(.., is_due).collect();
        for waiter in due {
            let jobs: Vec<&Job> = self.table.get(waiter.job).into_iter().collect();
            respond(waiter.answer, &Reply::Jobs(Box::new(JobList::new(jobs))));
        }
    }

    /// Who waited for an allocation is gone.
    pub(super) fn give_up(&mut self, id: JobId, uid: u32, now: i64) {
        self.granting.retain(|w| !w.answer.is_closed());
        let is_forsaken = !self.granting.iter().any(|w| w.job == id);
        let waits = |job: &Job| {
            // One elsewhere has nodes some time before they can be reached.
            let is_granted = job.state != JobState::Pending && (!job.is_away() || self.ready.contains(&id));
            job.request.kind == Kind::Interactive && !job.is_finished() && !is_granted
        };
        if is_forsaken && self.table.get(id).is_some_and(waits) {
            tracing::info!(job = id, "nobody waits for the allocation any more");
            let _ = self.cancel(id, uid, now);
        }
    }

    /// An allocation of a former controller waits for nodes, and for who wants it: who asked a
    /// former controller has to come back.
    pub(super) fn await_owner(&mut self, id: JobId, now: i64) {
        self.orphans.insert(id, Instant::now() + Duration::from_secs(PATIENCE.into()));
        self.due_at(now + i64::from(PATIENCE), id);
    }

    /// Ends it if nobody has come.
    pub(super) fn miss_owner(&mut self, id: JobId, now: i64) {
        let Some(left) = self.orphans.get(&id).map(|due| due.saturating_duration_since(Instant::now())) else { return };
        if !left.is_zero() {
            // The clock was set: by it more time has gone.
            self.due_at(now + left.as_secs() as i64 + 1, id);
        } else {
            self.orphans.remove(&id);
            let uid = self.table.get(id).map_or(0, |job| job.request.user.uid);
            self.give_up(id, uid, now);
        }
    }
}
