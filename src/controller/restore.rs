//! What a former controller left: jobs that wait, and jobs that run.

use super::core::Core;
use crate::{
    agent::wire::Control,
    job::{Job, JobId, Kind},
    slurm::state::JobState,
};
use std::fs;

impl Core {
    /// Puts a job into the table.
    pub(super) fn insert(&mut self, job: Job) -> JobId {
        let (id, needs) = (job.id, self.needs_of(&job));
        self.table.insert(job, needs);
        id
    }

    /// Goes on with a job that the store remembers.
    pub(super) fn remember(&mut self, id: JobId) {
        let Some(job) = self.table.get(id) else { return };
        let (state, away) = (job.state, job.is_away());
        if job.is_finished() {
            self.due_at(job.end_time.unwrap_or(self.since) + i64::from(self.config.controller.min_job_age), id);
        }
        match state {
            JobState::Pending if !away => {
                if self.table.get(id).is_some_and(|j| j.request.kind == Kind::Interactive && j.leads()) {
                    self.await_owner(id, self.since);
                }
                self.look_at(id, self.since);
            }
            JobState::Pending | JobState::Running | JobState::Suspended => {
                let Some(job) = self.table.get(id) else { return };
                let untold = job.remote.as_ref().is_some_and(|r| r.id.is_none());
                if let Some(array) = &job.array {
                    let array = array.job_id;
                    self.table.count_running(array, 1);
                }
                let Some(job) = self.table.get(id) else { return };
                if untold && !job.leads() {
                    return; // it goes with the first component
                }
                if untold {
                    if job.request.kind == Kind::Interactive {
                        self.await_owner(id, self.since);
                    }
                    self.again.insert(id);
                    self.launching.push_back(id);
                    return;
                }
                let (waits, is_away) = (job.state == JobState::Pending, job.is_away());
                match job.request.kind {
                    Kind::Batch => {}
                    Kind::Interactive if waits && !job.leads() => {} // who wants it wants the whole
                    Kind::Interactive if waits => self.await_owner(id, self.since),
                    // Of one elsewhere it is told again, once its agent is reached again.
                    _ if is_away => {}
                    _ => drop(self.ready.insert(id)),
                }
                let Some(job) = self.table.get(id) else { return };
                self.engine.adopt(job);
                self.await_warnings(id);
                self.suspend_again(id);
                self.end_again(id);
            }
            _ => {}
        }
    }

    /// Ends a job of a former controller that was being ended: whether its agent was told that is not known.
    pub(super) fn end_again(&mut self, id: JobId) {
        let Some(job) = self.table.get(id).filter(|j| j.flag == Some(JobState::Completing)) else { return };
        if !job.leads() {
            return self.end_component(id, job.cancelled_by.unwrap_or(job.request.user.uid));
        }
        let control = match job.cancelled_by {
            Some(uid) => Control::Terminate { uid, state: JobState::Cancelled },
            None => Control::Terminate { uid: job.request.user.uid, state: JobState::Pending },
        };
        self.engine.control(id, control);
    }

    /// Removes scripts and environments that a former controller wrote and no running job needs.
    pub(super) fn clear_files(&mut self, known: &[Job]) {
        let active = known.iter().any(|j| j.state == JobState::Running && !j.is_away());
        if !active {
            for kind in ["script", "environment"] {
                let _ = fs::remove_dir_all(self.state_dir.join("spool").join(kind));
            }
        }
    }
}
