//! What becomes of a job that was started: what its agent tells, and its end.

use super::{
    api::Reply,
    core::{Core, respond},
    inside::Asked,
};
use crate::{
    agent::{Event, EventKind, wire::Control},
    engine::{News, Report},
    job::{ExitStatus, Hold, Job, JobId, JobList, Kind, Step, StepId, Suspension},
    slurm::{mail::Occasion, reason::Reason, state::JobState},
};

/// So often a job may be put back by itself (`max_batch_requeue`).
const MAX_BATCH_REQUEUE: u32 = 5;

/// How a job ended.
pub(super) struct End {
    pub state: JobState,
    pub reason: Reason,
    pub exit: ExitStatus,
    pub derived_exit: ExitStatus,
    pub cancelled_by: Option<u32>,
    pub time: i64,
}

impl Core {
    /// What an engine tells.
    pub(super) fn hear(&mut self, report: Report, now: i64) {
        let id = report.job;
        match report.news {
            News::Events(events) => events.into_iter().for_each(|event| self.event(id, event, now)),
            News::Lost => {
                tracing::warn!(job = id, "agent lost");
                self.nodes_lost(id, now);
            }
            News::NeverStarted => self.take_back(id, now),
            // The components of a heterogeneous job are one there.
            News::Taken(number) => {
                for id in self.table.components(id) {
                    if let Some(remote) = self.table.get_mut(id).and_then(|j| j.remote.as_mut()) {
                        remote.id = Some(number);
                        self.save(id);
                    }
                }
            }
            News::Waits { reason, detail, configuring } => self.waits(id, reason, detail, configuring),
            News::RunsAnew if self.may_requeue(id) => self.runs_anew(id),
            // It runs there once more than it may: being over here ends it.
            News::RunsAnew => self.preempted(id, now),
            News::Preempted => self.preempted(id, now),
            News::Gone { state, reason, exit, detail } => {
                let Some(job) = self.table.get_mut(id) else { return };
                if detail.is_some() {
                    job.detail = detail;
                }
                if state == JobState::Pending && job.state == JobState::Pending {
                    return self.take_back(id, now);
                }
                let cancelled_by = job.cancelled_by.filter(|_| state == JobState::Cancelled);
                let derived_exit = job.derived_exit;
                self.end(id, End { state, reason, exit, derived_exit, cancelled_by, time: now });
            }
        }
    }

    fn event(&mut self, leader: JobId, event: Event, now: i64) {
        let Some(id) = self.component(leader, event.component) else { return };
        let Some(job) = self.table.get_mut(id) else { return };
        // After a restart the file is read anew: what is known already changes nothing.
        if job.state.is_finished() || (job.state == JobState::Pending && !job.is_away()) {
            return;
        }
        match event.kind {
            EventKind::Placed { placement } => {
                let begins = job.state == JobState::Pending;
                if begins {
                    job.state = JobState::Running;
                    self.counts.started += 1;
                    job.start_time = Some(event.time);
                    job.reason = Reason::None;
                    job.detail = None;
                    job.flag = job.flag.filter(|f| *f != JobState::Configuring);
                }
                job.placement = Some(placement);
                self.save(id);
                if begins {
                    self.happened(id, Occasion::Begin);
                }
            }
            EventKind::Asked { run, number, question, copies } => {
                self.asked(leader, Asked { time: event.time, run, number, sealed: question, copies }, now);
            }
            EventKind::Awaits(_) | EventKind::Reachable(_) => {} // the engine's business
            EventKind::Started { .. } => {
                if job.request.kind != Kind::Batch {
                    self.ready.insert(id);
                }
                if job.flag == Some(JobState::Configuring) {
                    job.flag = None;
                    self.save(id);
                }
            }
            EventKind::StepStarted(step) => {
                let index = match job.steps.iter().position(|s| s.id == step.id) {
                    Some(known) if job.steps[known].end.is_some() => return,
                    Some(known) => {
                        job.steps[known] = step;
                        known
                    }
                    None => {
                        job.steps.push(step);
                        job.steps.len() - 1
                    }
                };
                self.save_step(id, index);
            }
            EventKind::StepEnded { id: step_id, state, exit, usage, cancelled_by } => {
                let Some(index) = job.steps.iter().rposition(|s| s.id == step_id) else { return };
                let step: &mut Step = &mut job.steps[index];
                step.state = state;
                step.exit = exit;
                step.usage = usage;
                step.cancelled_by = cancelled_by;
                step.end = Some(event.time);
                self.save_step(id, index);
            }
            // As when the other system tells of it first. One that never began is not tried again and again.
            EventKind::Ended { state: JobState::NodeFail, .. } if job.is_away() && !job.steps.is_empty() => {
                self.preempted(id, event.time);
            }
            EventKind::Ended { state, exit, derived_exit, cancelled_by } => {
                let reason = match state {
                    JobState::Failed if exit == ExitStatus::NO_FILES => Reason::JobLaunchFailure,
                    JobState::Failed if exit.signal() != 0 && exit.code() == 0 => Reason::RaisedSignal,
                    JobState::Failed => Reason::NonZeroExitCode,
                    JobState::Timeout => Reason::TimeLimit,
                    JobState::NodeFail => Reason::NodeDown,
                    JobState::OutOfMemory => Reason::OutOfMemory,
                    _ => Reason::None,
                };
                self.end(id, End { state, reason, exit, derived_exit, cancelled_by, time: event.time });
            }
        }
    }

    /// Ends a job that has nodes, in `state` (PENDING: to wait again): by its agent, or at once if it has none yet.
    pub(super) fn terminate(&mut self, id: JobId, state: JobState, uid: u32, now: i64) {
        if !self.unlaunch(id) {
            return self.engine.control(id, Control::Terminate { uid, state });
        }
        let end = End {
            state,
            reason: Reason::None,
            exit: ExitStatus::default(),
            derived_exit: ExitStatus::default(),
            cancelled_by: Some(uid),
            time: now,
        };
        self.end(id, end);
    }

    /// A job could not be started.
    pub(super) fn fail_to_start(&mut self, id: JobId, why: &str) {
        if let Some(job) = self.table.get_mut(id) {
            job.detail = Some(why.to_owned());
        }
        let end = End {
            state: JobState::Failed,
            reason: Reason::JobLaunchFailure,
            exit: ExitStatus::exited(1),
            derived_exit: ExitStatus::default(),
            cancelled_by: None,
            time: crate::host::clock::now(),
        };
        self.end(id, end);
    }

    /// A job that has nodes but was never started waits again, as if it had not been given them.
    fn take_back(&mut self, id: JobId, now: i64) {
        self.table.components(id).into_iter().for_each(|id| self.take_one_back(id, now));
    }

    fn take_one_back(&mut self, id: JobId, now: i64) {
        let Some(job) = self.table.get(id).filter(|j| j.state == JobState::Running || j.is_away()) else { return };
        self.engine.release(job);
        let array = job.array.as_ref().map(|a| a.job_id);
        if let Some(array) = array {
            self.table.count_running(array, -1);
        }
        let Some(job) = self.table.get_mut(id) else { return };
        job.state = JobState::Pending;
        job.flag = None;
        job.start_time = None;
        job.placement = None;
        job.remote = None;
        self.save(id);
        self.look_at(id, now);
    }

    /// What a handed job waits for.
    fn waits(&mut self, id: JobId, reason: Reason, detail: Option<String>, configuring: bool) {
        let Some(job) = self.table.get_mut(id).filter(|j| j.is_away() && j.state == JobState::Pending) else { return };
        let flag = match job.flag {
            None | Some(JobState::Configuring) => configuring.then_some(JobState::Configuring),
            other => other,
        };
        if (job.reason, &job.detail, job.flag) != (reason, &detail, flag) {
            job.reason = reason;
            job.detail = detail;
            job.flag = flag;
            self.save(id);
        }
    }

    /// A handed job was started again there, without our doing: as if it had been requeued.
    fn runs_anew(&mut self, id: JobId) {
        let Some(job) = self.table.get_mut(id).filter(|j| j.state == JobState::Running) else { return };
        let mut earlier = job.clone();
        earlier.state = JobState::Preempted;
        earlier.flag = None;
        earlier.end_time = Some(crate::host::clock::now());
        job.state = JobState::Pending;
        job.start_time = None;
        job.placement = None;
        job.restarts += 1;
        job.steps.clear();
        self.earlier_runs.push(earlier);
        self.save(id);
        self.happened(id, Occasion::Requeue);
    }

    /// The agents of a job are gone, by a restart of the machine or by themselves: it waits again, if it may, and has not
    /// been lost too often already.
    fn nodes_lost(&mut self, id: JobId, now: i64) {
        let Some(job) = self.table.get(id) else { return };
        let may = job.request.kind == Kind::Batch && job.cancelled_by.is_none() && self.may_requeue(id);
        if may && job.restarts >= MAX_BATCH_REQUEUE {
            for id in self.table.components(id) {
                if let Some(job) = self.table.get_mut(id).filter(|job| job.hold == Hold::None) {
                    job.hold = Hold::TooOften;
                    job.priority = 0;
                }
            }
        }
        let Some(job) = self.table.get(id) else { return };
        let state = if may { JobState::Pending } else { JobState::NodeFail };
        let (exit, derived_exit) = (job.exit, job.derived_exit);
        self.end(id, End { state, reason: Reason::NodeDown, exit, derived_exit, cancelled_by: None, time: now });
    }

    /// A handed job has lost its nodes: it waits again, if it may.
    fn preempted(&mut self, id: JobId, now: i64) {
        let may = self.may_requeue(id);
        let Some(job) = self.table.get(id) else { return };
        let completing = job.flag == Some(JobState::Completing);
        let state = match (completing, job.cancelled_by.is_some(), may) {
            (true, true, _) => JobState::Cancelled,
            (_, _, true) => JobState::Pending,
            (_, _, false) => JobState::NodeFail,
        };
        let reason = if state == JobState::NodeFail { Reason::NodeDown } else { Reason::None };
        let (exit, derived_exit, cancelled_by) = (job.exit, job.derived_exit, job.cancelled_by);
        self.end(id, End { state, reason, exit, derived_exit, cancelled_by, time: now });
    }

    /// A job that had nodes, or one component, is over; or, ended for a requeue, waits again.
    pub(super) fn end_one(&mut self, id: JobId, end: End) {
        let Some(job) = self.table.get_mut(id) else { return };
        if job.state.is_finished() || (job.state == JobState::Pending && !job.is_away()) {
            return;
        }
        let array = job.array.as_ref().map(|a| a.job_id);
        job.suspension.seconds = job.suspended(end.time);
        let requeue = end.state == JobState::Pending;
        job.state = match (requeue, end.reason) {
            (true, Reason::NodeDown) => JobState::NodeFail, // as Slurm accounts for it
            (true, _) => JobState::Requeued,
            (false, _) => end.state,
        };
        job.flag = None;
        job.reason = end.reason;
        job.exit = end.exit;
        job.derived_exit = end.derived_exit;
        job.cancelled_by = end.cancelled_by.or(job.cancelled_by.filter(|_| end.state == JobState::Cancelled));
        // One that was handed over and never ran has begun when it ended, as one that was cancelled here.
        let begun = *job.start_time.get_or_insert(end.time);
        job.end_time = Some(end.time.max(begun));
        let mut ended = Vec::new();
        for (index, step) in job.steps.iter_mut().enumerate().filter(|(_, s)| s.end.is_none()) {
            // Steps of whose end nothing was heard end with the job.
            step.end = job.end_time;
            step.state = if step.id == StepId::Extern { JobState::Completed } else { JobState::Cancelled };
            ended.push(index);
        }
        ended.into_iter().for_each(|index| self.save_step(id, index));
        if let Some(array) = array {
            self.table.count_running(array, -1);
        }
        self.reschedule = true;
        if requeue {
            return self.put_back(id);
        }
        self.counts.ended(end.state);
        let age = i64::from(self.config.controller.min_job_age);
        self.due_at(end.time + age, id);
        self.retire(id);
        self.ended(id);
        self.leave_reservation(id, crate::host::clock::now());
    }

    /// Puts a job that has ended back into the queue.
    pub(super) fn put_back(&mut self, id: JobId) {
        self.happened(id, Occasion::Requeue);
        let Some(job) = self.table.get(id) else { return };
        self.earlier_runs.push(job.clone());
        self.engine.release(job);
        let now = crate::host::clock::now();
        let Some(job) = self.table.get_mut(id) else { return };
        job.state = JobState::Pending;
        job.reason = Reason::None;
        job.restarts += 1;
        // As Slurm counts it: sacct tells the runs apart by that.
        job.submit_time = now;
        job.suspension = Suspension::default();
        job.start_time = None;
        job.end_time = None;
        job.eligible_time = None;
        job.placement = None;
        job.remote = None;
        job.steps.clear();
        job.exit = ExitStatus::default();
        job.derived_exit = ExitStatus::default();
        job.cancelled_by = None;
        self.save(id);
        self.look_at(id, now);
    }

    /// `sbatch --wait`: answers when the job, or all of the array, is over.
    pub(super) fn wait(&mut self, id: JobId, answer: tokio::sync::oneshot::Sender<Vec<u8>>) {
        self.waiting.push((id, answer));
        self.tell_waiting();
    }

    /// Answers those who wait for jobs that are over and on disk.
    pub(super) fn tell_waiting(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.waiting);
        for (id, answer) in waiting {
            // Most of the time something of it runs or waits; then its records need not be looked at one by one.
            let goes_on = self.table.running_elements(id) > 0
                || self.table.get(id).is_some_and(|job| job.state == JobState::Pending);
            if goes_on && !answer.is_closed() {
                self.waiting.push((id, answer));
                continue;
            }
            let records = self.table.records_of(id);
            let jobs: Vec<&Job> = records.iter().filter_map(|id| self.table.get(*id)).collect();
            if jobs.iter().all(|j| j.is_finished() && !self.is_dirty(j.id)) {
                respond(answer, &Reply::Jobs(Box::new(JobList::new(jobs))));
            } else if !answer.is_closed() {
                self.waiting.push((id, answer));
            }
        }
    }
}
