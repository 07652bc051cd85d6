//! Several engines as one: each has its own partitions, and a job belongs to the engine that has its first one.

use super::{Candidate, Engine, Forecast, Given, Opening, Planned, Schedule, Sending, Start, Unfit};
use crate::{
    agent::wire::{Control, Which},
    job::{Job, JobId, Needs, Node, Partition, Request},
    slurm::errno::Errno,
};
use std::{collections::HashMap, io};
use tokio::sync::oneshot;

/// Engines side by side.
pub struct Engines {
    engines: Vec<Box<dyn Engine>>,
    /// Names of partitions in the order in which they are to be shown.
    order: Vec<String>,
    /// Which engine has a job.
    home: HashMap<JobId, usize>,
}

impl Engines {
    /// These engines; partitions are shown in `order`, others after them.
    pub fn new(engines: Vec<Box<dyn Engine>>, order: Vec<String>) -> Self {
        Self { engines, order, home: HashMap::new() }
    }

    fn index(&self, partition: &str) -> Option<usize> {
        if self.engines.len() == 1 {
            return Some(0);
        }
        let first = partition.split(',').next().unwrap_or_default();
        self.engines.iter().position(|e| e.partitions().iter().any(|p| p.name == first))
    }

    fn of(&self, partition: &str) -> Option<&dyn Engine> {
        self.index(partition).and_then(|i| self.engines.get(i)).map(|e| &**e)
    }

    /// The engine a job is with.
    fn home(&mut self, job: JobId) -> Option<&mut Box<dyn Engine>> {
        let index = self.home.get(&job).copied()?;
        self.engines.get_mut(index)
    }
}

impl Engine for Engines {
    fn partitions(&self) -> Vec<Partition> {
        let last = self.engines.len().saturating_sub(1);
        let of = |index: usize, engine: &dyn Engine| {
            let mut partitions = engine.partitions();
            if self.order.is_empty() && index != last {
                // Where no partitions are configured each engine has a default; the one that was asked for is the last,
                // and while it has none there is none: a job that is meant to go away does not run here instead.
                partitions.iter_mut().for_each(|p| p.default = false);
            }
            partitions
        };
        let mut all: Vec<Partition> = self.engines.iter().enumerate().flat_map(|(i, e)| of(i, &**e)).collect();
        let place = |name: &str| self.order.iter().position(|n| n == name).unwrap_or(usize::MAX);
        all.sort_by_key(|p| place(&p.name));
        all
    }

    fn nodes(&self) -> Vec<Node> {
        self.engines.iter().flat_map(|e| e.nodes()).collect()
    }

    fn fits(&self, needs: &Needs, partition: &str, enforce: bool) -> Result<(), Unfit> {
        let unknown = Unfit { errno: Errno::InvalidPartition, before: None };
        self.of(partition).ok_or(unknown)?.fits(needs, partition, enforce)
    }

    fn accepts(&self, request: &Request, partition: &str) -> Result<(), String> {
        self.of(partition).map_or(Ok(()), |e| e.accepts(request, partition))
    }

    fn accepts_together(&self, jobs: &[Job]) -> Result<(), String> {
        let Some(first) = jobs.first() else { return Ok(()) };
        let index = self.index(&first.partition);
        match jobs.iter().find(|job| self.index(&job.partition) != index) {
            Some(other) => Err(format!(
                "the nodes of partitions {} and {} do not reach each other: only one of them is on SkyPilot",
                first.partition, other.partition
            )),
            None => self.of(&first.partition).map_or(Ok(()), |engine| engine.accepts_together(jobs)),
        }
    }

    fn remote_name(&self, job: &Job) -> String {
        self.of(&job.partition).map_or_else(String::new, |e| e.remote_name(job))
    }

    fn forecast(&self, job: &Job) -> Option<Forecast> {
        self.of(&job.partition)?.forecast(job)
    }

    fn sending(&self, job: &Job) -> Sending {
        self.of(&job.partition).map_or(Sending::Done, |e| e.sending(job))
    }

    fn least_nodes(&self, needs: &Needs, partition: &str) -> u32 {
        self.of(partition).map_or(needs.min_nodes, |e| e.least_nodes(needs, partition))
    }

    fn out_of_reach(&self) -> Option<(i64, String)> {
        self.engines.iter().find_map(|e| e.out_of_reach())
    }

    fn schedule(&mut self, queue: &mut dyn Iterator<Item = Candidate>, now: i64) -> Schedule {
        let owners: HashMap<String, usize> = match self.engines.len() {
            0 | 1 => HashMap::new(),
            _ => {
                let of = |i: usize, e: &dyn Engine| e.partitions().into_iter().map(move |p| (p.name, i));
                self.engines.iter().enumerate().flat_map(|(i, e)| of(i, &**e)).collect()
            }
        };
        let owner = |c: &Candidate| c.partitions.first().and_then(|p| owners.get(p)).copied().unwrap_or(0);
        let mut all = Schedule::default();
        let mut others: Vec<Candidate> = Vec::new();
        for (index, engine) in self.engines.iter_mut().enumerate() {
            let part = if index == 0 {
                // The first may stop early; what it did not look at is looked at by the others all the same.
                let part = engine.schedule(
                    &mut (&mut *queue).filter_map(|c| match owner(&c) {
                        0 => Some(c),
                        _ => {
                            others.push(c);
                            None
                        }
                    }),
                    now,
                );
                if !owners.is_empty() {
                    others.extend((&mut *queue).filter(|c| owner(c) != 0));
                }
                part
            } else {
                let (mine, rest) = std::mem::take(&mut others).into_iter().partition(|c| owner(c) == index);
                others = rest;
                let mine: Vec<Candidate> = mine;
                engine.schedule(&mut mine.into_iter(), now)
            };
            all.shortened.extend(part.shortened.into_iter().map(|(at, minutes)| (all.starts.len() + at, minutes)));
            all.starts.extend(part.starts);
            all.handed.extend(part.handed);
            all.reasons.extend(part.reasons);
        }
        all
    }

    fn would_start(&self, candidate: &Candidate, now: i64) -> Option<(i64, Vec<Given>)> {
        self.of(candidate.partitions.first()?)?.would_start(candidate, now)
    }

    fn plan(&self, queue: &mut dyn Iterator<Item = Candidate>, now: i64) -> Vec<Planned> {
        let queue: Vec<Candidate> = queue.collect();
        let owner = |c: &Candidate| c.partitions.first().and_then(|name| self.index(name));
        let of = |i: usize| queue.iter().filter(move |c| owner(c) == Some(i)).cloned();
        self.engines.iter().enumerate().flat_map(|(i, engine)| engine.plan(&mut of(i), now)).collect()
    }

    fn start(&mut self, start: Start) -> io::Result<()> {
        let index = self.index(&start.job.partition).ok_or(io::ErrorKind::NotFound)?;
        self.home.extend(std::iter::once(&start.job).chain(&start.others).map(|job| (job.id, index)));
        match self.engines.get_mut(index) {
            Some(engine) => engine.start(start),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn started_all(&mut self) {
        self.engines.iter_mut().for_each(|e| e.started_all());
    }

    fn adopt(&mut self, job: &Job) {
        // A partition that is gone from the configuration: local jobs run on, whatever it was called.
        let index = self.index(&job.partition).unwrap_or(usize::from(job.remote.is_some()));
        self.home.insert(job.id, index);
        if let Some(engine) = self.engines.get_mut(index) {
            engine.adopt(job);
        }
    }

    fn control(&mut self, job: JobId, control: Control) {
        if let Some(engine) = self.home(job) {
            engine.control(job, control);
        }
    }

    fn suspended(&mut self, job: &Job) {
        if let Some(engine) = self.home(job.id) {
            engine.suspended(job);
        }
    }

    fn resumed(&mut self, job: &Job) {
        if let Some(engine) = self.home(job.id) {
            engine.resumed(job);
        }
    }

    fn way_in(&mut self, job: JobId) -> Option<Opening> {
        self.home(job)?.way_in(job)
    }

    fn question(&self, job: JobId, which: Which, sealed: &str) -> Option<Vec<u8>> {
        self.engines.get(*self.home.get(&job)?)?.question(job, which, sealed)
    }

    fn answer(&mut self, job: JobId, which: Which, answer: oneshot::Receiver<Vec<u8>>) {
        if let Some(engine) = self.home(job) {
            engine.answer(job, which, answer);
        }
    }

    fn limit_changed(&mut self, job: &Job) {
        if let Some(engine) = self.home(job.id) {
            engine.limit_changed(job);
        }
    }

    fn release(&mut self, job: &Job) {
        if let Some(engine) = self.home(job.id) {
            engine.release(job);
        }
        self.home.remove(&job.id);
    }
}
