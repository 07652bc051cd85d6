//! The job table in memory: what is served, and the queue.

use crate::{
    job::{Job, JobId, Needs},
    slurm::array::{JobIdSpec, TaskSel},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

/// A place in the queue: partition tier, priority, id; least is first.
type Place = (Reverse<u16>, Reverse<u32>, JobId);

/// What is kept of a job beside its record.
#[derive(Debug)]
struct Entry {
    job: Job,
    /// Its place, while it waits in the queue.
    place: Option<Place>,
    needs: Arc<Needs>,
}

/// Unfinished jobs, and those that ended lately.
#[derive(Debug, Default)]
pub struct Table {
    entries: BTreeMap<JobId, Entry>,
    queue: BTreeSet<Place>,
    /// The records of each array and each heterogeneous job, its own id's among them.
    wholes: HashMap<JobId, BTreeSet<JobId>>,
    /// The records of elements, but for those that have their array's own.
    tasks: HashMap<(JobId, u32), JobId>,
    /// How many elements of each array have nodes.
    running: HashMap<JobId, u32>,
    /// Equal needs are one, so that comparing them is comparing addresses.
    needs: HashSet<Arc<Needs>>,
    /// Elements that were pending when their array came in, of arrays in memory.
    elements: u64,
    last_id: JobId,
}

/// The element a record is, unless it has its array's own number.
fn task_of(job: &Job) -> Option<(JobId, u32)> {
    let array = job.array.as_ref().filter(|array| array.job_id != job.id)?;
    Some((array.job_id, array.task_id?))
}

/// The array or heterogeneous job that a job is of.
fn whole_of(job: &Job) -> Option<JobId> {
    job.array.as_ref().map(|array| array.job_id).or(job.het.map(|het| het.leader))
}

impl Table {
    /// An empty table; the next id is one more than `last_id`.
    pub fn new(last_id: JobId) -> Self {
        Self { last_id, ..Self::default() }
    }

    /// A fresh job id.
    pub fn next_id(&mut self) -> JobId {
        self.last_id += 1;
        self.last_id
    }

    /// The last id given out.
    pub fn last_id(&self) -> JobId {
        self.last_id
    }

    /// Adds a record.
    pub fn insert(&mut self, job: Job, needs: Needs) {
        let needs = self.intern(needs);
        self.insert_shared(job, needs);
    }

    /// Adds a record whose needs are another's in this table.
    pub fn insert_shared(&mut self, job: Job, needs: Arc<Needs>) {
        if let Some(key) = task_of(&job) {
            self.tasks.insert(key, job.id);
        }
        if let Some(whole) = whole_of(&job) {
            self.wholes.entry(whole).or_default().insert(job.id);
        }
        self.elements += u64::from(job.count() - 1);
        self.entries.insert(job.id, Entry { job, place: None, needs });
    }

    /// Removes a record.
    pub fn remove(&mut self, id: JobId) -> Option<Job> {
        self.dequeue(id);
        let entry = self.entries.remove(&id)?;
        if let Some(key) = task_of(&entry.job) {
            self.tasks.remove(&key);
        }
        if let Some(whole) = whole_of(&entry.job)
            && let Some(records) = self.wholes.get_mut(&whole)
        {
            records.remove(&id);
            if records.is_empty() {
                self.wholes.remove(&whole);
            }
        }
        if Arc::strong_count(&entry.needs) == 2 {
            self.needs.remove(&entry.needs);
        }
        Some(entry.job)
    }

    fn intern(&mut self, needs: Needs) -> Arc<Needs> {
        if let Some(known) = self.needs.get(&needs) {
            return Arc::clone(known);
        }
        let needs = Arc::new(needs);
        self.needs.insert(Arc::clone(&needs));
        needs
    }

    /// The record with this id.
    pub fn get(&self, id: JobId) -> Option<&Job> {
        self.entries.get(&id).map(|e| &e.job)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, id: JobId) -> Option<&mut Job> {
        self.entries.get_mut(&id).map(|e| &mut e.job)
    }

    /// What a job needs.
    pub fn needs(&self, id: JobId) -> Option<&Arc<Needs>> {
        self.entries.get(&id).map(|e| &e.needs)
    }

    /// Its needs are others now.
    pub fn set_needs(&mut self, id: JobId, needs: Needs) {
        let needs = self.intern(needs);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.needs = needs;
        }
    }

    /// All records, oldest id first.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.entries.values().map(|e| &e.job)
    }

    /// Puts a job into the queue, or to its new place in it.
    pub fn enqueue(&mut self, id: JobId, tier: u16) {
        self.dequeue(id);
        if let Some(entry) = self.entries.get_mut(&id) {
            let place = (Reverse(tier), Reverse(entry.job.priority), id);
            entry.place = Some(place);
            self.queue.insert(place);
        }
    }

    /// Takes a job out of the queue.
    pub fn dequeue(&mut self, id: JobId) {
        if let Some(place) = self.entries.get_mut(&id).and_then(|e| e.place.take()) {
            self.queue.remove(&place);
        }
    }

    /// Whether a job waits in the queue.
    pub fn is_queued(&self, id: JobId) -> bool {
        self.entries.get(&id).is_some_and(|e| e.place.is_some())
    }

    /// Whether anything waits in the queue.
    pub fn has_queue(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The queue, best first.
    pub fn queue(&self) -> impl Iterator<Item = (&Job, &Arc<Needs>)> {
        self.queue.iter().filter_map(|(.., id)| self.entries.get(id)).map(|e| (&e.job, &e.needs))
    }

    /// The records of the array or heterogeneous job (or the one job) that `id` is the number of.
    pub fn records_of(&self, id: JobId) -> Vec<JobId> {
        match self.wholes.get(&id) {
            Some(records) => records.iter().copied().collect(),
            None => self.entries.contains_key(&id).then_some(id).into_iter().collect(),
        }
    }

    /// Whether it is the number of an array.
    pub fn is_array(&self, id: JobId) -> bool {
        let record = self.wholes.get(&id).and_then(|records| self.get(*records.first()?));
        record.is_some_and(|job| job.array.is_some())
    }

    /// Which component of a heterogeneous job a job is.
    fn offset(&self, id: JobId) -> Option<u32> {
        Some(self.get(id)?.het?.offset)
    }

    /// The components of the heterogeneous job that a job belongs to; of another job, that job.
    pub fn components(&self, id: JobId) -> Vec<JobId> {
        self.get(id).map_or_else(Vec::new, |job| match job.het {
            Some(het) => self.records_of(het.leader),
            None => vec![id],
        })
    }

    /// How many elements of an array have nodes.
    pub fn running_elements(&self, array: JobId) -> u32 {
        self.running.get(&array).copied().unwrap_or(0)
    }

    /// An element of an array was given nodes (`1`), or gave them back (`-1`).
    pub fn count_running(&mut self, array: JobId, change: i32) {
        let count = self.running.entry(array).or_default();
        *count = count.saturating_add_signed(change);
        if *count == 0 {
            self.running.remove(&array);
        }
    }

    /// The record that an element is, or is part of.
    pub fn element(&self, array: JobId, task: u32) -> Option<JobId> {
        let own = self.get(array).and_then(|job| job.array.as_ref());
        let is_own = own.is_some_and(|a| a.task_id == Some(task) || (a.task_id.is_none() && a.pending.contains(task)));
        if is_own { Some(array) } else { self.tasks.get(&(array, task)).copied() }
    }

    /// The record of an element; with the element, if the record is that of a pending part.
    fn find_element(&self, array: JobId, task: u32) -> Option<(JobId, Option<u32>)> {
        let id = self.element(array, task)?;
        let is_part = self.get(id)?.array.as_ref()?.task_id.is_none();
        Some((id, is_part.then_some(task)))
    }

    /// The records a specification names, each with the elements of a pending part it means (`None`: all of it).
    pub fn find(&self, spec: &JobIdSpec) -> Vec<(JobId, Option<u32>)> {
        let Some(tasks) = &spec.tasks else {
            let records = self.records_of(spec.job).into_iter();
            return match spec.het {
                Some(offset) => records.filter(|id| self.offset(*id) == Some(offset)).map(|id| (id, None)).collect(),
                None => records.map(|id| (id, None)).collect(),
            };
        };
        match tasks {
            TaskSel::All => self.records_of(spec.job).into_iter().map(|id| (id, None)).collect(),
            TaskSel::One(task) => self.find_element(spec.job, *task).into_iter().collect(),
            TaskSel::Set(tasks) => {
                let found = tasks.iter().filter_map(|task| self.find_element(spec.job, task));
                // A part that is named to the last element is meant as a whole: it stays one record.
                let named = |id| {
                    let pending = self.get(id).and_then(|job| job.array.as_ref()).map(|array| &array.pending);
                    pending.is_some_and(|pending| pending.ranges().flatten().all(|task| tasks.contains(task)))
                };
                let mut wholes = BTreeMap::new();
                let mut seen = BTreeSet::new();
                found
                    .map(|(id, task)| (id, task.filter(|_| !*wholes.entry(id).or_insert_with(|| named(id)))))
                    .filter(|one| seen.insert(*one))
                    .collect()
            }
        }
    }

    /// Whether there are more than `most` unfinished jobs, elements counted.
    pub fn has_more_than(&self, most: u64) -> bool {
        // Counted only where it could be so.
        self.entries.len() as u64 + self.elements > most
            && self.jobs().filter(|j| !j.is_finished()).map(|j| u64::from(j.count())).sum::<u64>() > most
    }
}
