//! `scontrol suspend` and `resume`: the processes of a job are stopped, and go on.
//!
//! As in Slurm its CPUs are given to others meanwhile, and shared with them if it goes on before they have ended. Its memory
//! and its GPUs it keeps, as what stands in them stays.

use super::core::Core;
use crate::{
    agent::wire::Control,
    job::{JobId, Suspension},
    slurm::{errno::Errno, state::JobState},
};

impl Core {
    /// Stops a running job. One that is stopped already stays so.
    pub(super) fn suspend(&mut self, id: JobId, now: i64) -> Result<(), Errno> {
        let job = self.table.get_mut(id).ok_or(Errno::InvalidJobId)?;
        match job.state {
            _ if !job.leads() => return Err(Errno::NotHetLeader),
            JobState::Suspended => return Ok(()),
            JobState::Pending => return Err(Errno::JobPending),
            JobState::Running if job.is_away() => return Err(Errno::NotSupported),
            JobState::Running if job.flag.is_none() => {}
            _ => return Err(Errno::AlreadyDone),
        }
        for component in self.table.components(id) {
            let Some(job) = self.table.get_mut(component).filter(|job| job.state == JobState::Running) else {
                continue;
            };
            job.state = JobState::Suspended;
            job.suspension.time = Some(now);
            self.save(component);
            if let Some(job) = self.table.get(component) {
                self.engine.suspended(job);
            }
        }
        self.reschedule = true;
        self.engine.control(id, Control::Suspend);
        Ok(())
    }

    /// Lets a suspended job go on.
    pub(super) fn resume(&mut self, id: JobId, now: i64) -> Result<(), Errno> {
        let job = self.table.get_mut(id).ok_or(Errno::InvalidJobId)?;
        match job.state {
            _ if !job.leads() => return Err(Errno::NotHetLeader),
            JobState::Suspended => {}
            JobState::Pending => return Err(Errno::JobPending),
            JobState::Running => return Err(Errno::JobNotSuspended),
            _ => return Err(Errno::AlreadyDone),
        }
        for component in self.table.components(id) {
            let Some(job) = self.table.get_mut(component).filter(|job| job.state == JobState::Suspended) else {
                continue;
            };
            job.suspension = Suspension { time: Some(now), seconds: job.suspended(now) };
            job.state = JobState::Running;
            self.save(component);
            if let Some(job) = self.table.get(component) {
                self.engine.resumed(job);
            }
        }
        self.engine.control(id, Control::Resume);
        Ok(())
    }

    /// Whether the agent of a job that was suspended once was told all of it a former controller may not have lived to see.
    pub(super) fn suspend_again(&mut self, id: JobId) {
        let Some(job) = self.table.get(id).filter(|job| job.leads() && job.suspension.time.is_some()) else { return };
        let control = if job.state == JobState::Suspended { Control::Suspend } else { Control::Resume };
        self.engine.control(id, control);
    }
}
