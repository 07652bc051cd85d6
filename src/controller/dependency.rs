//! Which jobs wait for which: `--dependency`.
//!
//! Nothing is searched for. A job that waits is noted under what it waits for; what changed since the last commit
//! wakes those noted under it, just before it is committed. So what a job's end decides is on disk with that end.

use super::core::Core;
use crate::{
    host::clock::now,
    job::{Hold, Job, JobId},
    slurm::{
        dependency::{Dependency, DependencyKind, DependencyList, DependencyTask, Outcome, Progress, Unmet},
        errno::Errno,
        mail::Occasion,
        reason::Reason,
        state::JobState,
    },
};
use std::collections::{BTreeSet, HashMap};

/// A job or all of an array; or with a task, one element.
type Key = (JobId, Option<u32>);

/// Jobs of this user and name.
type Name = (u32, String);

/// Those that wait for the same.
#[derive(Debug, Default)]
struct Watch {
    /// How far the other was when they were asked last.
    seen: Option<Progress>,
    waiting: BTreeSet<JobId>,
}

/// Who waits for what. An entry that no longer holds goes when it is woken.
#[derive(Debug, Default)]
pub(super) struct Dependents {
    on: HashMap<Key, Watch>,
    /// Arrays, by that whose elements theirs correspond to (`aftercorr`).
    corresponding: HashMap<JobId, BTreeSet<JobId>>,
    singletons: HashMap<Name, BTreeSet<JobId>>,
}

impl Dependents {
    fn is_empty(&self) -> bool {
        self.on.is_empty() && self.singletons.is_empty()
    }

    /// Those that wait for `key`, if it has got further than it was.
    fn woken(&mut self, key: Key, progress: Option<Progress>) -> BTreeSet<JobId> {
        match self.on.get(&key) {
            Some(watch) if progress.is_none() || watch.seen != progress => {
                self.on.remove(&key).map(|watch| watch.waiting).unwrap_or_default()
            }
            _ => BTreeSet::new(),
        }
    }
}

fn name_of(job: &Job) -> Name {
    (job.request.user.uid, job.request.name.clone())
}

/// The element a record is; `None` for a pending part and for what is no array.
fn task_of(job: &Job) -> Option<u32> {
    job.array.as_ref().and_then(|array| array.task_id)
}

/// How far one record is.
fn progress_of(job: &Job) -> Progress {
    let start = job.start_time.unwrap_or_default();
    match job.state {
        JobState::Pending => Progress::Pending,
        _ if job.is_finished() => Progress::Ended { ok: job.state == JobState::Completed, start },
        _ => Progress::Started { start },
    }
}

impl Core {
    /// What is left of a list, as a job takes it in.
    pub(super) fn unmet(&self, list: &DependencyList) -> Unmet {
        Unmet::new(list, |job| self.table.is_array(job))
    }

    /// Why a pending job's dependency keeps it from being eligible; `None` if nothing does. A job that can never
    /// start is cancelled where that is wanted.
    pub(super) fn waits_for(&mut self, id: JobId, now: i64) -> Option<Reason> {
        let job = self.table.get(id)?;
        if job.dependency.is_empty() {
            return None;
        }
        // Slurm asks only when the job is released; until then the states stand as they were.
        if job.hold != Hold::None {
            self.note(id);
            return None;
        }
        self.settle(id, now)
    }

    /// Asks after what a job waits for.
    fn settle(&mut self, id: JobId, now: i64) -> Option<Reason> {
        let job = self.table.get(id)?;
        let mut unmet = job.dependency.clone();
        let due = unmet.settle(|dependency| self.outcome(job, dependency, now));
        let kill = job.request.kill_on_invalid_dep.unwrap_or(self.config.controller.kill_invalid_depend);
        let (never, empty) = (unmet.never(), unmet.is_empty());
        if job.dependency != unmet
            && let Some(job) = self.table.get_mut(id)
        {
            job.dependency = unmet;
            self.save(id);
            if never {
                self.happened(id, Occasion::InvalidDepend);
            }
        }
        if empty {
            return None;
        }
        if never {
            if kill {
                self.set_reason(id, Reason::DependencyNeverSatisfied);
                self.leave_queue(id, JobState::Cancelled, None, now);
            }
            return Some(Reason::DependencyNeverSatisfied);
        }
        self.note(id);
        if let Some(time) = due {
            self.due_at(time, id);
        }
        Some(Reason::Dependency)
    }

    /// What one of a job's conditions comes to.
    fn outcome(&self, job: &Job, dependency: &Dependency, now: i64) -> Outcome {
        let (kind, minutes) = match *dependency {
            Dependency::Singleton if self.is_single(job) => return Outcome::Met,
            Dependency::Singleton => return Outcome::Open,
            Dependency::On { kind, minutes, .. } => (kind, minutes),
        };
        match self.key(job, dependency).and_then(|key| self.progress(key)) {
            Some(progress) => kind.outcome(progress, minutes, now),
            // A job that nobody knows (any more) is none to wait for.
            None => Outcome::Met,
        }
    }

    /// What decides over a condition.
    fn key(&self, job: &Job, dependency: &Dependency) -> Option<Key> {
        match *dependency {
            Dependency::Singleton => None,
            Dependency::On { kind: DependencyKind::AfterCorr, job: other, task: DependencyTask::All, .. } => {
                let task = task_of(job).filter(|task| self.table.element(other, *task).is_some());
                Some((other, task))
            }
            Dependency::On { job: other, task: DependencyTask::One(task), .. } => Some((other, Some(task))),
            Dependency::On { job: other, .. } => Some((other, None)),
        }
    }

    /// How far a job, an element or all of an array is; `None` if it is not known.
    fn progress(&self, (other, task): Key) -> Option<Progress> {
        if let Some(task) = task {
            return self.table.element(other, task).and_then(|id| self.table.get(id)).map(progress_of);
        }
        if !self.table.is_array(other) {
            return self.table.get(other).map(progress_of);
        }
        // Where its pending part still is there, its elements need not be looked at.
        if self.table.get(other).is_some_and(|job| job.state == JobState::Pending) {
            return Some(Progress::Pending);
        }
        let records = self.table.records_of(other);
        let parts: Vec<Progress> = records.iter().filter_map(|id| self.table.get(*id)).map(progress_of).collect();
        let start = parts.iter().filter_map(|part| match part {
            Progress::Started { start } | Progress::Ended { start, .. } => Some(*start),
            Progress::Pending => None,
        });
        let start = start.max().unwrap_or_default();
        Some(match &parts[..] {
            parts if parts.contains(&Progress::Pending) => Progress::Pending,
            parts if parts.iter().any(|part| matches!(part, Progress::Started { .. })) => Progress::Started { start },
            parts => {
                let ok = parts.iter().all(|part| matches!(part, Progress::Ended { ok: true, .. }));
                Progress::Ended { ok: ok && self.rest_was_good(other, &records), start }
            }
        })
    }

    /// Whether those elements of an array of which there is no record in memory are COMPLETED. Of one that was cancelled
    /// alone there is none at all.
    fn rest_was_good(&self, array: JobId, records: &[JobId]) -> bool {
        let first = records.first().and_then(|id| self.table.get(*id)).and_then(|job| job.array.as_ref());
        let missing = first.map_or(0, |array| (array.spec.count() as usize).saturating_sub(records.len()));
        if missing == 0 {
            return true;
        }
        match self.store.completed_of(array) {
            Ok(completed) => completed.iter().filter(|id| self.table.get(**id).is_none()).count() == missing,
            Err(error) => {
                tracing::error!(%error, array, "elements not looked at");
                false
            }
        }
    }

    /// Whether no job of the same name and user runs, nor one that was submitted before waits.
    fn is_single(&self, job: &Job) -> bool {
        !self.table.jobs().any(|other| {
            let before = match other.state {
                JobState::Pending => other.id < job.id,
                JobState::Running | JobState::Suspended => other.id != job.id,
                _ => false,
            };
            before
                && other.array_job_id() != job.array_job_id()
                && other.leader_id() != job.leader_id()
                && other.request.user.uid == job.request.user.uid
                && other.request.name == job.request.name
        })
    }

    /// Notes a job under all it waits for.
    fn note(&mut self, id: JobId) {
        let Some(job) = self.table.get(id) else { return };
        let is_part = job.array.as_ref().is_some_and(|array| array.task_id.is_none());
        for condition in &job.dependency.conditions {
            if let Some(key) = self.key(job, &condition.dependency) {
                let seen = self.progress(key);
                let watch = self.dependents.on.entry(key).or_default();
                watch.seen = seen;
                watch.waiting.insert(id);
            }
            match condition.dependency {
                Dependency::Singleton => {
                    self.dependents.singletons.entry(name_of(job)).or_default().insert(id);
                }
                Dependency::On { kind: DependencyKind::AfterCorr, job: other, .. } if is_part => {
                    self.dependents.corresponding.entry(other).or_default().insert(id);
                }
                Dependency::On { .. } => {}
            }
        }
    }

    /// Wakes those who wait for what has changed since the last commit, and those who wait for them.
    pub(super) fn wake_dependents(&mut self) {
        let mut looked_at = BTreeSet::new();
        while !self.dependents.is_empty() {
            let waits = |id: &JobId| self.table.get(*id).is_none_or(|job| job.state == JobState::Pending);
            let changed: Vec<JobId> = self.dirty.difference(&looked_at).copied().filter(|id| !waits(id)).collect();
            if changed.is_empty() {
                break;
            }
            let mut arrays = BTreeSet::new();
            for id in changed {
                looked_at.insert(id);
                let Some(job) = self.table.get(id) else { continue };
                let (array, progress) = (job.array.as_ref().map(|array| array.job_id), progress_of(job));
                // Several where they were cancelled together before any of them had a record.
                let tasks = job.array.iter().flat_map(|array| array.pending.iter().chain(array.task_id));
                let tasks: Vec<u32> = tasks.collect();
                let name = (job.is_finished() && !self.dependents.singletons.is_empty()).then(|| name_of(job));
                // An element's own number may be named as well.
                if array != Some(id) {
                    self.wake((id, None), Some(progress));
                }
                if let Some(array) = array {
                    arrays.insert(array);
                    for task in tasks {
                        self.wake((array, Some(task)), Some(progress));
                        if matches!(progress, Progress::Ended { .. }) {
                            self.wake_corresponding(array, task);
                        }
                    }
                }
                if let Some(name) = name {
                    self.wake_singletons(&name);
                }
            }
            for array in arrays {
                if self.dependents.on.contains_key(&(array, None)) {
                    self.wake((array, None), self.progress((array, None)));
                }
            }
        }
    }

    /// A pending element is no more, and there is no record of it.
    pub(super) fn element_dropped(&mut self, array: JobId, task: u32) {
        self.wake((array, Some(task)), None);
    }

    fn wake(&mut self, key: Key, progress: Option<Progress>) {
        for id in self.dependents.woken(key, progress) {
            self.reconsider(id);
        }
    }

    /// Looks at a job again; also at one that is held, while what it waits for is known.
    fn reconsider(&mut self, id: JobId) {
        let Some(job) = self.table.get(id).filter(|job| job.state == JobState::Pending) else { return };
        match job.hold {
            Hold::None => self.look_at(id, now()),
            _ => drop(self.settle(id, now())),
        }
    }

    /// An element has ended: those of other arrays that correspond to it become jobs of their own.
    fn wake_corresponding(&mut self, array: JobId, task: u32) {
        let Some(waiting) = self.dependents.corresponding.remove(&array) else { return };
        for id in waiting {
            let part =
                |job: &Job| job.array.as_ref().is_some_and(|a| a.task_id.is_none() && job.state == JobState::Pending);
            if !self.table.get(id).is_some_and(part) {
                continue;
            }
            if let Some(element) = self.single_out(id, task) {
                self.reconsider(element);
            }
            if self.table.get(id).is_some_and(part) {
                self.dependents.corresponding.entry(array).or_default().insert(id);
            }
        }
    }

    /// A job of that name has ended or has another name now: the first that waits for that may be let go. Those behind
    /// it wait for it.
    pub(super) fn wake_singletons(&mut self, name: &Name) {
        while let Some(waiting) = self.dependents.singletons.get_mut(name) {
            let Some(id) = waiting.pop_first() else {
                self.dependents.singletons.remove(name);
                return;
            };
            let waits = |job: &Job| {
                job.state == JobState::Pending
                    && name_of(job) == *name
                    && job.dependency.conditions.iter().any(|c| c.dependency == Dependency::Singleton)
            };
            if self.table.get(id).is_some_and(waits) {
                self.reconsider(id);
                return;
            }
        }
    }

    /// Elements whose counterparts are over already become jobs of their own.
    pub(super) fn single_out_corresponding(&mut self, id: JobId) {
        let Some(job) = self.table.get(id).filter(|job| job.hold == Hold::None) else { return };
        let others = job.dependency.conditions.iter().filter_map(|c| match c.dependency {
            Dependency::On { kind: DependencyKind::AfterCorr, job, task: DependencyTask::All, .. } => Some(job),
            _ => None,
        });
        let records: Vec<JobId> = others.flat_map(|other| self.table.records_of(other)).collect();
        let over = records.into_iter().filter_map(|id| self.table.get(id)).filter(|job| job.is_finished());
        let tasks: Vec<u32> = over.filter_map(task_of).collect();
        for task in tasks {
            if let Some(element) = self.single_out(id, task) {
                self.reconsider(element);
            }
        }
    }

    /// What `scontrol update Dependency=` sets.
    ///
    /// # Errors
    /// Slurm's refusals of what can never be.
    pub(super) fn changed_dependency(&self, id: JobId, list: &DependencyList) -> Result<Unmet, Errno> {
        if list.expands() {
            return Err(Errno::NotSupported);
        }
        let unmet = self.unmet(list);
        let own = self.table.get(id).map_or(id, Job::array_job_id);
        if names(&unmet).any(|other| other == id || other == own) {
            return Err(Errno::Dependency);
        }
        let mut seen = BTreeSet::new();
        let mut next: Vec<JobId> = names(&unmet).collect();
        while let Some(other) = next.pop() {
            if other == id || other == own {
                return Err(Errno::CircularDependency);
            }
            if seen.insert(other) {
                let records = self.table.records_of(other);
                next.extend(records.iter().filter_map(|id| self.table.get(*id)).flat_map(|job| names(&job.dependency)));
            }
        }
        Ok(unmet)
    }
}

/// The jobs that conditions name.
fn names(unmet: &Unmet) -> impl Iterator<Item = JobId> {
    unmet.conditions.iter().filter_map(|c| match c.dependency {
        Dependency::On { job, .. } => Some(job),
        Dependency::Singleton => None,
    })
}
