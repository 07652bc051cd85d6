//! The SkyPilot API over HTTP.
//!
//! One [`Client`] holds the connections to one server. What it asks is a request of the server's own: posted, given an
//! id, and waited for at `/api/get`. Broken connections and an overloaded server are waited out with growing pauses;
//! whether a submission whose answer was lost has happened is for the caller to look up.

mod endpoint;
mod error;

pub use endpoint::{Endpoint, EndpointError};
pub use error::Error;

use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

/// The API version this client was written against.
pub const API_VERSION: u32 = 62;

/// The oldest API version of a server that it speaks to (SkyPilot 0.11).
pub const OLDEST_API_VERSION: u32 = 24;

/// A SkyPilot API server, as one user sees it. Cheap to clone; its connections are shared.
#[derive(Clone)]
pub struct Client {}

/// `GET /api/health`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// `healthy`, `needs_auth`, ...
    pub status: String,
    /// The server's API version.
    pub api_version: u32,
    /// The server's version.
    pub version: String,
    /// Who we are to the server, if it says so.
    pub user: Option<String>,
}

/// One row of `/jobs/queue/v2`, and what follows from its text.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct QueueRow {
    /// SkyPilot's number of the job.
    pub job_id: u32,
    /// Its name.
    pub job_name: String,
    /// PENDING, STARTING, RUNNING, RECOVERING, CANCELLING, SUCCEEDED, FAILED, ...
    pub status: String,
    /// What it is doing, in words.
    pub details: Option<String>,
    /// Why it failed, in words.
    pub failure_reason: Option<String>,
    /// How often it was recovered.
    pub recovery_count: u32,
    /// When it was submitted, epoch seconds.
    pub submitted_at: Option<f64>,
    /// When it ended, epoch seconds.
    pub end_at: Option<f64>,
    /// Its cluster's name, where the server tells it.
    pub current_cluster_name: Option<String>,
    /// The same as the infra knows it.
    pub cluster_name_on_cloud: Option<String>,
}

/// Which rows of the queue.
#[derive(Clone, Debug)]
pub enum Rows<'a> {
    /// Of these jobs.
    Jobs(&'a [u32]),
    /// Of the caller's jobs whose name has this in it, finished ones too.
    Named(&'a str),
}

/// One of `/jobs/events`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct JobEvent {
    /// The status it came to.
    pub new_status: String,
    /// Why, in words.
    pub reason: Option<String>,
    /// When, `2026-11-20T16:16:08.379236`, UTC.
    pub timestamp: String,
}

/// Which log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOf {
    /// Of a managed job: `/jobs/logs`. Waits until it runs; goes on through its recoveries.
    Job(u32),
    /// Of the first job on a cluster: `/logs`. There as soon as the cluster is, gone with it.
    Cluster(String),
}

/// A log, as it comes.
pub struct Log {}

/// One way to run a task, as `/optimize` chose it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// `AWS (us-east-1)`, `Kubernetes (research)`
    pub infra: String,
    /// Instance type, or what stands for it.
    pub instance: String,
    /// Dollars an hour for all nodes, where the price is known.
    pub price_an_hour: Option<f64>,
}

/// A node of an infra that has nodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InfraNode {
    /// Its name.
    pub name: String,
    /// Slurm partition, for a Slurm infra.
    pub partition: Option<String>,
    /// CPUs it has; 0: not told.
    pub cpus: u32,
    /// CPUs that are free, where that is told.
    pub cpus_free: Option<u32>,
    /// Memory it has, MiB; 0: not told.
    pub memory: u64,
    /// Type of its GPUs.
    pub gpu_type: Option<String>,
    /// GPUs it has.
    pub gpus: u32,
    /// GPUs that are free.
    pub gpus_free: u32,
    /// Whether it takes work.
    pub ready: bool,
}

/// A submission.
#[derive(Clone, Debug, Default)]
pub struct Launch<'a> {
    /// The task, as YAML with its header document.
    pub task: &'a str,
    /// Pool to run in.
    pub pool: Option<&'a str>,
    /// How many of it (`num_jobs`).
    pub count: u32,
    /// Blob its files are in.
    pub blob: Option<&'a str>,
}

impl Client {
    /// A client for `endpoint`. Nothing is sent yet.
    ///
    /// # Errors
    /// When the endpoint's address or credentials cannot be used.
    pub fn new(endpoint: &Endpoint) -> Result<Self, Error> {
        let _ = endpoint;
        todo!("client")
    }

    /// Waits at most `limit` for a server that cannot be reached before a call fails (default: 10 minutes).
    pub fn with_patience(self, limit: Duration) -> Self {
        let _ = limit;
        todo!("client")
    }

    /// Who the server is. Needs no credentials.
    pub async fn health(&self) -> Result<Health, Error> {
        todo!("client")
    }

    /// Submits managed jobs; their numbers, ascending.
    ///
    /// # Errors
    /// [`Error::MayHaveHappened`] when the answer was lost: look the name up before trying again.
    pub async fn launch(&self, launch: &Launch<'_>) -> Result<Vec<u32>, Error> {
        let _ = launch;
        todo!("client")
    }

    /// Has managed jobs cancelled. Unknown ones are passed over.
    pub async fn cancel(&self, jobs: &[u32]) -> Result<(), Error> {
        let _ = jobs;
        todo!("client")
    }

    /// Rows of the queue, one for each job.
    pub async fn queue(&self, rows: Rows<'_>) -> Result<Vec<QueueRow>, Error> {
        let _ = rows;
        todo!("client")
    }

    /// What happened to one job, newest first.
    pub async fn events(&self, job: u32) -> Result<Vec<JobEvent>, Error> {
        let _ = job;
        todo!("client")
    }

    /// A log from its start: followed until its job ends, or as it is now.
    pub async fn log(&self, of: &LogOf, follow: bool) -> Result<Log, Error> {
        let _ = (of, follow);
        todo!("client")
    }

    /// Has a task executed on a cluster that exists; never makes one. A task without `run` only brings its workdir.
    pub async fn exec(&self, cluster: &str, task: &str, blob: Option<&str>) -> Result<(), Error> {
        let _ = (cluster, task, blob);
        todo!("client")
    }

    /// Where the server would run a task.
    pub async fn optimize(&self, task: &str) -> Result<Vec<Choice>, Error> {
        let _ = task;
        todo!("client")
    }

    /// The infra that is enabled: `kubernetes/research`, `slurm/lab`, `aws`.
    pub async fn enabled(&self) -> Result<Vec<String>, Error> {
        todo!("client")
    }

    /// The nodes of an infra that has nodes (`slurm/...`, `kubernetes/...`, `ssh/...`); none for a cloud.
    pub async fn nodes(&self, infra: &str) -> Result<Vec<InfraNode>, Error> {
        let _ = infra;
        todo!("client")
    }

    /// GPUs an infra offers: type and the counts in which they can be had.
    pub async fn accelerators(&self, infra: &str) -> Result<BTreeMap<String, Vec<u32>>, Error> {
        let _ = infra;
        todo!("client")
    }

    /// Whether the server has a blob of `size` bytes; asking keeps it.
    pub async fn has_blob(&self, id: &str, size: u64) -> Result<bool, Error> {
        let _ = (id, size);
        todo!("client")
    }

    /// Uploads the file at `path` as blob `id`. `sent` is told how many bytes have gone.
    pub async fn upload(&self, id: &str, path: &std::path::Path, sent: &(dyn Fn(u64) + Sync)) -> Result<(), Error> {
        let _ = (id, path, sent);
        todo!("client")
    }
}

impl Log {
    /// The next piece; `None` at its end. `<sky-payload>` control lines are left in.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        todo!("client")
    }
}
