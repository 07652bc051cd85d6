//! The SkyPilot API over HTTP.
//!
//! One [`Client`] holds the connections to one server. What it asks is a request of the server's own: posted, given an
//! id, and waited for at `/api/get`. Broken connections and an overloaded server are waited out with growing pauses;
//! whether a submission whose answer was lost has happened is for the caller to look up.
//!
//! What servers that are older than [`API_VERSION`] do not have (read in the releases' sources):
//!
//! | API version (release) | not there | here |
//! |---|---|---|
//! | below 56 (up to 0.12.3) | `num_jobs` outside of a pool | the elements of an array are submitted one by one ([`Client::takes_arrays`]) |
//! | below 41 (up to 0.11.2) | `/upload_v2` | `/upload` (`upload_v1`); a restarted controller sends all files anew |
//! | below 41 | what a launch needs of that | no clusters of our own: interactive allocations are refused |
//! | below 31 (0.11.0, 0.11.1) | job groups | heterogeneous jobs are refused |
//! | below 31 | `cluster_name_on_cloud` in `/jobs/queue/v2` (it refuses the question) | not asked for: a log is opened only once the job is RUNNING |
//! | below 31 | `/slurm_node_info`, `/slurm_gpu_availability`, infra `slurm` | an error that names the path |
//! | below 31 | `/jobs/events` | the queue is asked instead |
//! | below 24 | | refused |
//!
//! `/jobs/launch` (a pool and `num_jobs` too), `/jobs/cancel`, `/jobs/queue/v2`, `/jobs/logs`, `/logs`, `/exec`, `/optimize`,
//! `/enabled_clouds`, `/kubernetes_node_info`, `/realtime_kubernetes_gpu_availability`, `/list_accelerators` and `/api/*` are
//! there from 24 on, with all fields that are sent. Fields that a server does not know it ignores.

mod access;
mod answer;
mod blob;
mod calls;
mod cancel;
mod clusters;
mod cookies;
mod endpoint;
mod error;
mod http;
mod identity;
mod infra;
mod log;
mod optimize;
mod reach;
mod read;
mod request;
mod rows;
mod settings;
#[cfg(test)]
mod tests;
mod text;
mod upload_v1;
mod websocket;

pub use access::Access;
pub use endpoint::{Endpoint, EndpointError};
pub use error::Error;
pub use log::Log;
pub use rows::{Choice, ClusterRow, Health, InfraNode, JobEvent, LaunchRow, QueueRow};

use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::io::{AsyncRead, AsyncWrite};

/// The API version this client was written against.
pub const API_VERSION: u32 = 62;

/// The oldest API version of a server that it speaks to (SkyPilot 0.11).
pub const OLDEST_API_VERSION: u32 = 24;

/// A SkyPilot API server, as one user sees it. Cheap to clone; its connections are shared.
#[derive(Clone)]
pub struct Client {
    endpoint: Arc<Endpoint>,
    wire: Arc<http::Wire>,
    sent: Arc<upload_v1::Sent>,
    cancelling: Arc<cancel::Cancelling>,
    patience: Duration,
    /// How long an answer may take.
    within: Duration,
}

/// How long a server that is away is waited for.
const PATIENCE: Duration = Duration::from_secs(600);

/// How long an answer may take where nothing is configured. The server keeps a log awake every 30 seconds.
const WITHIN: Duration = Duration::from_secs(120);

/// Which rows of the queue.
#[derive(Clone, Debug)]
pub enum Rows<'a> {
    /// Of these jobs.
    Jobs(&'a [u32]),
    /// Of the caller's jobs whose name has this in it, finished ones too.
    Named(&'a str),
}

/// Which log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOf {
    /// Of a managed job, and which task of it where it has several: `/jobs/logs`. Waits until it runs; goes on through its
    /// recoveries.
    Job(u32, Option<u32>),
    /// Of the first job on a cluster: `/logs`. There as soon as the cluster is, gone with it.
    Cluster(String),
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
        Ok(Self {
            endpoint: Arc::new(endpoint.clone()),
            wire: Arc::new(http::Wire::new(endpoint)?),
            sent: Arc::default(),
            cancelling: Arc::default(),
            patience: PATIENCE,
            within: WITHIN,
        })
    }

    /// Its server, and who we are there.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Waits at most `limit` for a server that cannot be reached before a call fails (default: 10 minutes).
    pub fn with_patience(self, limit: Duration) -> Self {
        Self { patience: limit, ..self }
    }

    /// Takes an answer for lost after `limit` (default: 2 minutes). What the server has to do first counts only where
    /// nothing tells that it is still there.
    pub fn with_answers_within(self, limit: Duration) -> Self {
        Self { within: limit, ..self }
    }

    /// Waits so long; less, if the server was away and is back.
    pub async fn pause(&self, length: Duration) {
        self.wire.reach.pause(length).await;
    }

    /// Who the server is. Needs no credentials.
    pub async fn health(&self) -> Result<Health, Error> {
        calls::health(self).await
    }

    /// Submits managed jobs; their numbers, ascending.
    ///
    /// # Errors
    /// [`Error::MayHaveHappened`] when the answer was lost: look the name up before trying again. [`Error::Underway`] when the
    /// server works on it: ask for what [became](Client::launched_jobs) of it.
    pub async fn launch(&self, launch: &Launch<'_>) -> Result<Vec<u32>, Error> {
        calls::launch(self, launch).await
    }

    /// What became of a launch of `count` jobs that was [`Error::Underway`].
    ///
    /// # Errors
    /// The same as of the launch.
    pub async fn launched_jobs(&self, request: &str, count: u32) -> Result<Vec<u32>, Error> {
        calls::launched_jobs(self, request, count).await
    }

    /// Has managed jobs cancelled, together with others whose turn it is. Unknown ones are passed over; a server that is away is
    /// not waited for.
    pub async fn cancel(&self, jobs: &[u32]) -> Result<(), Error> {
        cancel::cancel(self, jobs).await
    }

    /// Rows of the queue, one for each job.
    pub async fn queue(&self, rows: Rows<'_>) -> Result<Vec<QueueRow>, Error> {
        calls::queue(self, rows).await
    }

    /// What happened to one job, newest first.
    pub async fn events(&self, job: u32) -> Result<Vec<JobEvent>, Error> {
        calls::events(self, job).await
    }

    /// A log from its start: followed until its job ends, or as it is now.
    pub async fn log(&self, of: &LogOf, follow: bool) -> Result<Log, Error> {
        log::open(self, of, follow).await
    }

    /// Has a task executed on a cluster that exists; never makes one. A task without `run` only brings its workdir.
    ///
    /// # Errors
    /// [`Error::MayHaveHappened`] when the answer was lost; `ClusterDoesNotExist` as the kind of [`Error::Refused`].
    pub async fn exec(&self, cluster: &str, task: &str, blob: Option<&str>) -> Result<(), Error> {
        calls::exec(self, cluster, task, blob).await
    }

    /// How one gets into a cluster of the caller's, that of a managed job included; `None`: there is none of that name, or nobody gets in.
    pub async fn access(&self, cluster: &str) -> Result<Option<Access>, Error> {
        access::access(self, cluster).await
    }

    /// Connects `input` and `output` to the sshd of a cluster's node `worker` through the server's websocket at `path`,
    /// until one side ends.
    pub async fn ssh(
        &self,
        path: &str,
        (cluster, worker): (&str, usize),
        input: impl AsyncRead + Unpin,
        output: impl AsyncWrite + Unpin,
    ) -> Result<(), Error> {
        websocket::splice(self, path, (cluster, worker), input, output).await
    }

    /// Has a cluster made with a task as its first job. Returns when the server has taken that on: it makes it until it is there.
    ///
    /// # Errors
    /// [`Error::MayHaveHappened`] when the answer was lost: look the name up ([`Client::launches`]) before trying again.
    pub async fn launch_cluster(&self, cluster: &str, task: &str, blob: Option<&str>) -> Result<(), Error> {
        clusters::launch(self, cluster, task, blob).await
    }

    /// Whether clusters can be launched, as far as the server has told its version.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn may_launch_clusters(&self) -> Result<(), Error> {
        clusters::may_launch(self)
    }

    /// What has or had the server make this cluster, newest first. A server that was restarted has forgotten it.
    pub async fn launches(&self, cluster: &str) -> Result<Vec<LaunchRow>, Error> {
        clusters::launches(self, cluster).await
    }

    /// Waits until a launch is over.
    ///
    /// # Errors
    /// How it failed: [`Error::Refused`]; [`Error::MayHaveHappened`] when the server knows nothing of it any more.
    pub async fn launched(&self, request: &str) -> Result<(), Error> {
        clusters::launched(self, request).await
    }

    /// The caller's clusters of these names, or all; as they really are (`look`), which takes the server seconds, or as
    /// it knows them.
    pub async fn clusters(&self, names: Option<&[&str]>, look: bool) -> Result<Vec<ClusterRow>, Error> {
        clusters::clusters(self, names, look).await
    }

    /// The status of a job in a cluster's queue; `None`: there is none of this number.
    pub async fn job_status(&self, cluster: &str, job: u32) -> Result<Option<String>, Error> {
        clusters::job_status(self, cluster, job).await
    }

    /// Ends requests that the server works on.
    pub async fn cancel_requests(&self, requests: &[String]) -> Result<(), Error> {
        clusters::cancel_requests(self, requests).await
    }

    /// Takes a cluster down, and all that it has; one that is not there is passed over.
    pub async fn down(&self, cluster: &str) -> Result<(), Error> {
        clusters::down(self, cluster).await
    }

    /// Where the server would run a task: what it chose, and then what else it considered.
    pub async fn optimize(&self, task: &str) -> Result<Vec<Choice>, Error> {
        optimize::optimize(self, task).await
    }

    /// The infra that is enabled: `kubernetes/research`, `slurm/lab`, `aws`.
    pub async fn enabled(&self) -> Result<Vec<String>, Error> {
        infra::enabled(self).await
    }

    /// The nodes of an infra that has nodes (`slurm/...`, `kubernetes/...`, `ssh/...`); none for a cloud.
    pub async fn nodes(&self, infra: &str) -> Result<Vec<InfraNode>, Error> {
        infra::nodes(self, infra).await
    }

    /// GPUs an infra offers: type and the counts in which they can be had.
    pub async fn accelerators(&self, infra: &str) -> Result<BTreeMap<String, Vec<u32>>, Error> {
        infra::accelerators(self, infra).await
    }

    /// Whether jobs outside of a pool can be submitted together, as far as the server has told its version.
    pub fn may_take_arrays(&self) -> bool {
        calls::may_take_arrays(self)
    }

    /// The same, asked for if it is not known.
    pub async fn takes_arrays(&self) -> Result<bool, Error> {
        calls::takes_arrays(self).await
    }

    /// Whether tasks can be submitted as a group, as far as is known.
    pub fn may_take_groups(&self) -> bool {
        calls::may_take_groups(self)
    }

    /// The same, asked for if it is not known.
    ///
    /// # Errors
    /// When it is not known and cannot be asked for.
    pub async fn takes_groups(&self) -> Result<bool, Error> {
        calls::takes_groups(self).await
    }

    /// Whether the server has a blob of `size` bytes; asking keeps it. A server that cannot be asked has what this client
    /// has sent to it.
    pub async fn has_blob(&self, id: &str, size: u64) -> Result<bool, Error> {
        blob::has(self, id, size).await
    }

    /// Uploads the file at `path` as blob `id`. `sent` is told how many bytes have gone.
    pub async fn upload(&self, id: &str, path: &std::path::Path, sent: &(dyn Fn(u64) + Sync)) -> Result<(), Error> {
        blob::upload(self, id, path, sent).await
    }
}
