//! Cancelling and signalling: what scancel asks.

use super::{api::SignalJob, core::Core};
use crate::{
    agent::wire::{Control, Target},
    job::{JobId, StepId},
    slurm::{errno::Errno, state::JobState},
};

const SIGKILL: i32 = 9;

impl Core {
    /// Cancels or signals what one specification names.
    pub(super) fn signal(&mut self, asked: &SignalJob, uid: u32, now: i64) -> Result<(), Errno> {
        let step = match asked.id.step.as_deref() {
            Some(step) => Some(step_id(step).ok_or(Errno::InvalidJobId)?),
            None => None,
        };
        let mut found = self.table.find(&asked.id);
        if found.is_empty() {
            return Err(Errno::InvalidJobId);
        }
        // The step of a heterogeneous job's id is the first component's part of it.
        if step.is_some() && asked.id.het.is_none() && self.table.get(asked.id.job).is_some_and(|job| job.het.is_some())
        {
            found.retain(|(id, _)| *id == asked.id.job);
        }
        // Of an array some are over; that is an error only if all are.
        let mut done = false;
        let mut failed = None;
        for (id, task) in found {
            let result = match (step, task) {
                (Some(step), None) => self.signal_step(id, step, asked.signal, uid),
                (Some(_), Some(_)) => Err(Errno::InvalidJobId),
                (None, None) => self.signal_record(id, asked, uid, now),
                (None, Some(task)) => self.drop_element(id, task, asked, uid, now),
            };
            match result {
                Ok(()) => done = true,
                Err(errno) => failed = Some(errno),
            }
        }
        match failed {
            Some(errno) if !done => Err(errno),
            _ => Ok(()),
        }
    }

    fn signal_step(&mut self, id: JobId, step: StepId, signal: Option<i32>, uid: u32) -> Result<(), Errno> {
        let job = self.table.get(id).ok_or(Errno::InvalidJobId)?;
        if job.state != JobState::Running || !job.steps.iter().any(|s| is_of(s.id, step) && s.end.is_none()) {
            return Err(Errno::InvalidJobId);
        }
        let signal = signal.unwrap_or(SIGKILL);
        let (leader, component) = (job.leader_id(), job.het.map(|het| het.offset));
        self.engine.control(leader, Control::Signal { uid, signal, target: Target::Step(step) }.of(component));
        Ok(())
    }

    fn signal_record(&mut self, id: JobId, asked: &SignalJob, uid: u32, now: i64) -> Result<(), Errno> {
        let kills = match asked.signal {
            None => true,
            Some(signal) => signal == SIGKILL && asked.target == Target::Steps,
        };
        if kills {
            return self.cancel(id, uid, now);
        }
        let job = self.table.get_mut(id).ok_or(Errno::InvalidJobId)?;
        match job.state {
            JobState::Running => {
                let signal = asked.signal.unwrap_or(SIGKILL);
                let (leader, component) = (job.leader_id(), job.het.map(|het| het.offset));
                if component.is_some_and(|c| c > 0) && asked.target == Target::Batch {
                    return Err(Errno::AlreadyDone); // the script is the first component's
                }
                self.engine.control(leader, Control::Signal { uid, signal, target: asked.target }.of(component));
                Ok(())
            }
            JobState::Suspended => Err(Errno::JobSuspended),
            _ => Err(Errno::InvalidJobId),
        }
    }

    /// Cancels a job.
    pub(super) fn cancel(&mut self, id: JobId, uid: u32, now: i64) -> Result<(), Errno> {
        let job = self.table.get_mut(id).ok_or(Errno::InvalidJobId)?;
        match job.state {
            JobState::Pending if !job.leads() => Err(Errno::NotWholeHetJob),
            JobState::Pending if !job.is_away() => {
                let whole = self.table.components(id);
                let count: u32 = whole.iter().filter_map(|id| self.table.get(*id)).map(|job| job.count()).sum();
                self.counts.cancelled += u64::from(count);
                self.leave_queue(id, JobState::Cancelled, Some(uid), now);
                Ok(())
            }
            JobState::Running | JobState::Suspended if job.het.is_some() => {
                self.terminate_component(id, uid, now);
                Ok(())
            }
            JobState::Pending | JobState::Running | JobState::Suspended => {
                job.cancelled_by = Some(uid);
                job.flag = Some(JobState::Completing);
                self.save(id);
                self.terminate(id, JobState::Cancelled, uid, now);
                Ok(())
            }
            _ => Err(Errno::AlreadyDone),
        }
    }

    /// Ends a job that waits, with all of its components, in `state`; by whom, if it was somebody.
    pub(super) fn leave_queue(&mut self, id: JobId, state: JobState, by: Option<u32>, now: i64) {
        self.table.components(id).into_iter().for_each(|id| self.leave_alone(id, state, by, now));
    }

    fn leave_alone(&mut self, id: JobId, state: JobState, by: Option<u32>, now: i64) {
        let Some(job) = self.table.get_mut(id) else { return };
        job.state = state;
        job.let_go();
        job.cancelled_by = by;
        job.start_time = Some(now);
        job.end_time = Some(now);
        self.table.dequeue(id);
        let age = i64::from(self.config.controller.min_job_age);
        self.due_at(now + age, id);
        self.save(id);
        self.ended(id);
    }

    /// Cancels one pending element: Slurm keeps no record of it (`scancel.txt`), unless it is the last.
    fn drop_element(&mut self, id: JobId, task: u32, asked: &SignalJob, uid: u32, now: i64) -> Result<(), Errno> {
        if asked.signal.is_some_and(|s| s != SIGKILL) {
            return Err(Errno::InvalidJobId);
        }
        let job = self.table.get_mut(id).ok_or(Errno::InvalidJobId)?;
        let array = job.array.as_mut().ok_or(Errno::InvalidJobId)?;
        if array.pending.len() > 1 {
            array.pending.remove(task);
            let array = array.job_id;
            self.counts.cancelled += 1;
            self.save(id);
            self.element_dropped(array, task);
            return Ok(());
        }
        self.signal_record(id, asked, uid, now)
    }
}

/// Whether this is the step, or a component of it.
fn is_of(id: StepId, step: StepId) -> bool {
    id == step || (id.is_numbered() && id.number() == step.number())
}

/// `0`, `batch`, ... as a step.
fn step_id(text: &str) -> Option<StepId> {
    match text {
        "batch" => Some(StepId::Batch),
        "extern" => Some(StepId::Extern),
        "interactive" => Some(StepId::Interactive),
        number => number.parse().ok().map(StepId::Number),
    }
}
