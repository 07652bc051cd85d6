//! Engines: what gives jobs nodes and runs them there.
//!
//! The controller owns the queue. An engine says which of it can start now and
//! where, starts what it is told to, and reports what happens.

mod engines;
pub mod local;
pub mod skypilot;

pub use engines::Engines;

use crate::{
    agent::{
        Event,
        wire::{Control, Which},
    },
    job::{ExitStatus, Job, JobId, Needs, Node, Partition, Placement, Request},
    slurm::{errno::Errno, reason::Reason, state::JobState, time::TimeLimit},
};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, io, path::PathBuf, pin::Pin, sync::Arc};
use tokio::sync::oneshot;

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
    /// The limit with which it would do as well, where that lets it start sooner (`--time-min`).
    pub time_min: Option<TimeLimit>,
    /// The further components of a heterogeneous job, which starts with all of them or not.
    pub others: Vec<Candidate>,
}

/// What a job is given: its record, partition, placement.
pub type Given = (JobId, String, Placement);

/// When and where a job that waits will probably start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Which record.
    pub job: JobId,
    /// Epoch seconds.
    pub start: i64,
    /// On what.
    pub placement: Placement,
}

/// What an engine makes of the queue.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    /// Which start now, in order. Their resources are taken.
    pub starts: Vec<Given>,
    /// Which of those, by their place in `starts`, have to end sooner than they asked for: minutes.
    pub shortened: Vec<(usize, u32)>,
    /// Which are handed now to a system that has a queue of its own: record, partition, how many of it together.
    pub handed: Vec<(JobId, String, u32)>,
    /// Why others do not; those it does not name keep the reason they have.
    pub reasons: Vec<(JobId, Reason)>,
}

/// Why a job can never run here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Slurm's error.
    pub errno: Errno,
    /// What Slurm prints before it.
    pub before: Option<Cow<'static, str>>,
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
    /// The system it was handed to has it, under this number.
    Taken(u32),
    /// What a handed job waits for.
    Waits {
        /// In Slurm's word.
        reason: Reason,
        /// In the system's words.
        detail: Option<String>,
        /// Whether its nodes are being made.
        configuring: bool,
    },
    /// A handed job runs anew, on other nodes: what it did before is void.
    RunsAnew,
    /// A handed job has lost its nodes.
    Preempted,
    /// A handed job is over, and there is nothing to be heard of an agent's.
    Gone {
        /// How.
        state: JobState,
        /// In Slurm's word.
        reason: Reason,
        /// How it ended, as far as it is known.
        exit: ExitStatus,
        /// In the system's words.
        detail: Option<String>,
    },
}

/// A job to start, with the files its agents need.
#[derive(Clone, Debug)]
pub struct Start {
    /// The job with its placement.
    pub job: Job,
    /// The further components of a heterogeneous job, with theirs.
    pub others: Vec<Job>,
    /// The script, as a file; `None` for an interactive allocation.
    pub script: Option<PathBuf>,
    /// The environment to export, as a file.
    pub environment: PathBuf,
    /// Whether a former controller may have started it already. Only a handed job can be started again.
    pub again: bool,
}

/// How far the files of a handed job are on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sending {
    /// They are there, or none are sent, or nothing can be sent now: nobody has to wait for it.
    #[default]
    Done,
    /// They are looked at.
    Looking,
    /// So many bytes of so many are there.
    Sent(u64, u64),
}

/// What `--test-only` says of a job that would be handed to another system; or why it cannot be had, in words.
pub type Forecast = Pin<Box<dyn Future<Output = Result<Vec<String>, String>> + Send>>;

/// The opening of a way to the agent of a job elsewhere; or why there is none, in words.
pub type Opening = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

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

    /// Whether a partition can do all that a request asks for beyond its needs.
    ///
    /// # Errors
    /// What not, and what to do instead, in words.
    fn accepts(&self, request: &Request, partition: &str) -> Result<(), String> {
        let _ = (request, partition);
        Ok(())
    }

    /// Whether these can be the components of one heterogeneous job; each is accepted by itself.
    ///
    /// # Errors
    /// Why not, in words.
    fn accepts_together(&self, jobs: &[Job]) -> Result<(), String> {
        let _ = jobs;
        Ok(())
    }

    /// A name for a job that is handed to another system, which nothing there has or had.
    fn remote_name(&self, job: &Job) -> String {
        format!("job-{}", job.id)
    }

    /// What another system would make of a job; `None` where [`Engine::would_start`] tells.
    fn forecast(&self, job: &Job) -> Option<Forecast> {
        let _ = job;
        None
    }

    /// How far the files of a handed job are.
    fn sending(&self, job: &Job) -> Sending {
        let _ = job;
        Sending::Done
    }

    /// Nodes a job of these needs shows while it waits in a partition.
    fn least_nodes(&self, needs: &Needs, partition: &str) -> u32 {
        let _ = partition;
        needs.min_nodes
    }

    /// Since when a system that jobs were handed to cannot be reached, and why: epoch seconds, words.
    fn out_of_reach(&self) -> Option<(i64, String)> {
        None
    }

    /// Which of `queue`, best first, start now. Takes their resources.
    fn schedule(&mut self, queue: &mut dyn Iterator<Item = Candidate>, now: i64) -> Schedule;

    /// When and where a job, with all its components, would start, if only those that run now stood before it.
    fn would_start(&self, candidate: &Candidate, now: i64) -> Option<(i64, Vec<Given>)>;

    /// When and where the jobs in `queue`, best first, will probably start; nothing of those of which nobody can know.
    fn plan(&self, queue: &mut dyn Iterator<Item = Candidate>, now: i64) -> Vec<Planned> {
        let _ = (queue, now);
        Vec::new()
    }

    /// Starts a job on the placement it was given.
    ///
    /// # Errors
    /// When its agents could not be started; its resources stay taken until [`Engine::release`].
    fn start(&mut self, start: Start) -> io::Result<()>;

    /// All that were to be started have been, for now: what is started together need not wait for more.
    fn started_all(&mut self) {}

    /// Takes over a job that runs, after a restart of the controller. Takes its resources.
    fn adopt(&mut self, job: &Job);

    /// Asks the job's agent.
    fn control(&mut self, job: JobId, control: Control);

    /// The job was suspended: its CPUs are free for others, its memory and generic resources stay its own.
    fn suspended(&mut self, job: &Job) {
        let _ = job;
    }

    /// A suspended job goes on, on its own CPUs, whoever has them meanwhile.
    fn resumed(&mut self, job: &Job) {
        let _ = job;
    }

    /// Has a way opened to the agent of a job that runs elsewhere: its socket appears in the job's spool directory. `None`:
    /// there is nothing to open.
    fn way_in(&mut self, job: JobId) -> Option<Opening> {
        let _ = job;
        None
    }

    /// What a command asks on a node that was made for the job; `None`: what came is no question of the job's.
    fn question(&self, job: JobId, which: Which, sealed: &str) -> Option<Vec<u8>> {
        let _ = (job, which, sealed);
        None
    }

    /// Answers the question with the frame that will come.
    fn answer(&mut self, job: JobId, which: Which, answer: oneshot::Receiver<Vec<u8>>) {
        let _ = (job, which, answer);
    }

    /// The job's time limit was changed.
    fn limit_changed(&mut self, job: &Job);

    /// The job is over and its end is on disk: frees its resources and removes its files.
    fn release(&mut self, job: &Job);
}
