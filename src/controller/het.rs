//! Heterogeneous jobs: components are records of their own, but what starts and ends is the whole, by its first.

use super::{
    api::{Reply, Submission},
    core::Core,
    lifecycle::End,
    submit::as_candidate,
};
use crate::{
    agent::wire::Control,
    engine::Candidate,
    job::{ExitStatus, Het, Job, JobId, Needs, Request},
    slurm::{
        errno::Errno,
        options::{Place, Refusal},
        state::JobState,
    },
};
use std::{collections::HashSet, sync::Arc};

/// What stands behind the first component of a submission.
type Others = Vec<(Request, Vec<(Place, Refusal)>)>;

impl Core {
    /// Checks all components of a submission and makes jobs of them, with consecutive ids. Of another submission, its job.
    pub(super) fn admit_all(&mut self, mut submission: Submission, now: i64) -> Result<Vec<Job>, Reply> {
        let others: Others = std::mem::take(&mut submission.others);
        if others.is_empty() {
            return Ok(vec![self.admit(submission, now)?]);
        }
        if submission.array.is_some() {
            return Err(Reply::refused(Errno::InvalidArray));
        }
        // Components share no node.
        let mut named = HashSet::new();
        let requests = std::iter::once(&submission.request).chain(others.iter().map(|(request, _)| request));
        if !requests.flat_map(|request| &request.nodelist).all(|node| named.insert(node.clone())) {
            return Err(Reply::refused(Errno::InvalidNodeName));
        }
        let size = others.len() as u32 + 1;
        let (script, environment) = (submission.script.clone(), submission.environment.clone());
        let rest = others.into_iter().map(|(request, refusals)| Submission {
            request,
            array: None,
            script: script.clone(),
            environment: environment.clone(),
            refusals,
            others: Vec::new(),
        });
        let mut jobs = Vec::new();
        for component in std::iter::once(submission).chain(rest) {
            jobs.push(self.admit(component, now)?);
        }
        let leader = jobs.first().map_or(0, |job: &Job| job.id);
        for (offset, job) in (0..).zip(&mut jobs) {
            job.het = Some(Het { leader, offset, size });
        }
        self.is_of_one_place(&jobs)?;
        Ok(jobs)
    }

    /// All components have to be where their agents can meet.
    fn is_of_one_place(&self, jobs: &[Job]) -> Result<(), Reply> {
        let Err(why) = self.engine.accepts_together(jobs) else { return Ok(()) };
        let hint = "submit each component as a job of its own, or all to partitions on this machine".to_owned();
        let before = vec![format!("skyslurm: {why}")];
        Err(Reply::Refused { errno: Errno::NotSupported, before, hint: Some(hint) }.at(Place::SkyPilot))
    }

    /// Whether nothing keeps the other components of a job from starting.
    pub(super) fn others_are_free(&self, id: JobId, now: i64) -> bool {
        let Some(Het { size, .. }) = self.table.get(id).and_then(|job| job.het) else { return true };
        let components = self.table.components(id);
        // After a restart they come one by one.
        components.len() == size as usize
            && components.iter().filter(|other| **other != id).all(|other| {
                let waits = |job: &&Job| job.state == JobState::Pending && !job.is_away();
                let is_free = |job: &Job| job.dependency.is_empty() && self.why_not(job, now).is_none();
                self.table.get(*other).filter(waits).is_some_and(is_free)
            })
    }

    /// Whether a job is not over.
    pub(super) fn goes_on(&self, id: JobId) -> bool {
        self.table.get(id).is_some_and(|job| !job.is_finished())
    }

    /// The component of `leader`'s job of which its agents tell.
    pub(super) fn component(&self, leader: JobId, component: u32) -> Option<JobId> {
        let size = self.table.get(leader)?.het.map_or(1, |het| het.size);
        (component < size).then_some(leader + component)
    }

    /// A job that had nodes is over, or waits again; with it the further components of one that it leads.
    pub(super) fn end(&mut self, id: JobId, end: End) {
        let Some(job) = self.table.get(id) else { return };
        if job.het.is_some() && job.leads() {
            for other in self.table.components(id).into_iter().filter(|other| *other != id) {
                // One that had ended before is part of the whole again.
                if end.state == JobState::Pending && self.table.get(other).is_some_and(Job::is_finished) {
                    self.put_back(other);
                    continue;
                }
                let derived_exit = self.table.get(other).map(derived_exit).unwrap_or_default();
                self.end_one(other, End { derived_exit, ..end.of_component() });
            }
        }
        self.end_one(id, end);
    }

    /// Cancels what runs of a heterogeneous job: all of it by its first component, or one of the others.
    pub(super) fn terminate_component(&mut self, id: JobId, uid: u32, now: i64) {
        let Some(het) = self.table.get(id).and_then(|job| job.het) else { return };
        let ids = if het.leads() { self.table.components(id) } else { vec![id] };
        // One whose whole is being ended is ended with it.
        let ends_anyway = self.table.get(het.leader).is_some_and(|job| job.flag == Some(JobState::Completing));
        for id in ids {
            if let Some(job) = self.table.get_mut(id).filter(|job| !job.state.is_finished()) {
                job.cancelled_by = Some(uid);
                job.flag = Some(JobState::Completing);
                self.save(id);
            }
        }
        match het.leads() {
            true => self.terminate(id, JobState::Cancelled, uid, now),
            false if ends_anyway => {}
            false => self.end_component(id, uid),
        }
    }

    /// Has the agent end one component that is not the first.
    pub(super) fn end_component(&mut self, id: JobId, uid: u32) {
        let Some(het) = self.table.get(id).and_then(|job| job.het) else { return };
        let control = Control::Terminate { uid, state: JobState::Cancelled };
        self.engine.control(het.leader, control.of(Some(het.offset)));
    }
}

impl End {
    /// How another component ends with the first.
    fn of_component(&self) -> Self {
        // Only the first was over its limit; the others are ended by a signal.
        let (state, exit) = match self.state {
            JobState::Timeout => (JobState::Failed, ExitStatus::signaled(15)),
            state => (state, self.exit),
        };
        Self { state, exit, ..*self }
    }
}

/// The highest exit code of a component's steps (`DerivedExitCode`).
fn derived_exit(job: &Job) -> ExitStatus {
    job.steps.iter().filter(|step| step.id.is_numbered()).fold(ExitStatus::default(), |a, step| a.derive(step.exit))
}

/// A job as the engine is shown it, with the further components of a heterogeneous one.
pub(super) fn whole_candidate(jobs: &[(&Job, Arc<Needs>)]) -> Option<Candidate> {
    let mut all = jobs.iter().map(|(job, needs)| as_candidate(job, needs, 1));
    let first = all.next()?;
    Some(Candidate { others: all.collect(), ..first })
}
