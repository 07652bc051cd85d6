//! Engines: what gives jobs nodes and runs them there.
//!
//! The controller owns the queue. An engine says which of it can start now and
//! where, starts what it is told to, and reports what happens.

pub mod local;
pub mod skypilot;

use crate::{
    agent::{Event, wire::Control},
    job::{Job, JobId, Needs, Node, Partition, Placement},
    slurm::{errno::Errno, reason::Reason, time::TimeLimit},
};
use std::{io, path::PathBuf, sync::Arc};

/// A job that may start, as the controller puts it before an engine.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The record in the queue: a job, or an array's pending part.
    pub id: JobId,
    /// How many may start now: 1, or so many elements as the throttle lets.
    pub count: u32,
    /// What each needs.
    pub needs: Arc<Needs>,
    /// The partitions it may run in, in order of preference.
    pub partitions: Vec<String>,
    /// Its time limit, for backfill.
    pub time_limit: TimeLimit,
}

/// What an engine makes of the queue.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    /// Which start now, in order: record, partition, placement. Their resources are taken.
    pub starts: Vec<(JobId, String, Placement)>,
    /// Why others do not; those it does not name keep the reason they have.
    pub reasons: Vec<(JobId, Reason)>,
}

/// Why a job can never run here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Slurm's error.
    pub errno: Errno,
    /// What Slurm prints before it.
    pub before: Option<&'static str>,
}

/// Something an engine has to tell.
#[derive(Clone, Debug)]
pub struct Report {
    /// Of which job.
    pub job: JobId,
    /// What.
    pub news: News,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum News {
    /// The agent said this.
    Events(Vec<Event>),
    /// The job's agent is gone and has not said how the job ended.
    Lost,
    /// The job was given nodes by a former controller, and nothing of it ever ran.
    NeverStarted,
}

/// A job to start, with the files its agents need.
#[derive(Clone, Debug)]
pub struct Start {
    /// The job with its placement.
    pub job: Job,
    /// The script, as a file; `None` for an interactive allocation.
    pub script: Option<PathBuf>,
    /// The environment to export, as a file.
    pub environment: PathBuf,
}

/// What gives jobs nodes and runs them there.
pub trait Engine {
    /// Its partitions, in the configuration's order.
    fn partitions(&self) -> Vec<Partition>;

    /// Its nodes with what is in use of them, in the configuration's order.
    fn nodes(&self) -> Vec<Node>;

    /// Whether some set of this partition's nodes, all free, could hold the job; with the
    /// limits that depend on how many nodes there are only if `enforce`.
    ///
    /// # Errors
    /// Slurm's refusal.
    fn fits(&self, needs: &Needs, partition: &str, enforce: bool) -> Result<(), Unfit>;

    /// Which of `queue`, best first, start now. Takes their resources.
    fn schedule(&mut self, queue: &mut dyn Iterator<Item = Candidate>, now: i64) -> Schedule;

    /// When and where a job would start, if only those that run now stood before it.
    fn would_start(&self, candidate: &Candidate, now: i64) -> Option<(i64, String, Placement)>;

    /// Starts a job on the placement it was given.
    ///
    /// # Errors
    /// When its agents could not be started; its resources stay taken until [`Engine::release`].
    fn start(&mut self, start: Start) -> io::Result<()>;

    /// Takes over a job that runs, after a restart of the controller. Takes its resources.
    fn adopt(&mut self, job: &Job);

    /// Asks the job's agent.
    fn control(&mut self, job: JobId, control: Control);

    /// The job's time limit was changed.
    fn limit_changed(&mut self, job: &Job);

    /// The job is over and its end is on disk: frees its resources and removes its files.
    fn release(&mut self, job: &Job);
}
