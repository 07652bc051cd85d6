//! What carries a handed job: a managed job of SkyPilot's or, for an interactive allocation, a cluster of its own.
//!
//! All that differs between the two is here. A managed job is queued, started and cleared away by the server; a cluster is
//! there from [`submit`] until it is taken down, and has the job as the first in its queue.

mod cluster;
mod seen;

pub use seen::{Seen, Status};

use super::{
    client::{Client, Error, Launch, LogOf, Rows},
    names,
    shared::Shared,
};
use crate::job::{Job, Kind};
use std::{sync::Arc, time::Duration};
use tokio::sync::{Notify, watch};

/// So often the log of a managed job's cluster is tried before the job's own is, which lags behind but is always there.
const CLUSTER_TRIES: u32 = 5;

/// A managed job whose agent has ended is over there within this time.
const WINDING_DOWN: Duration = Duration::from_secs(180);

/// What could not be ended is tried again after this.
const AGAIN: Duration = Duration::from_secs(30);

/// The number of the first job in a cluster's queue.
const FIRST: u32 = 1;

/// By what means a job is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// A managed job.
    Managed,
    /// A cluster of its own.
    Cluster,
}

impl Means {
    /// Those for a job.
    pub fn of(job: &Job) -> Self {
        match job.request.kind {
            Kind::Batch => Self::Managed,
            Kind::Interactive | Kind::NoShell => Self::Cluster,
        }
    }
}

/// What carries a job that the server has.
#[derive(Clone, Debug)]
pub struct Vehicle {
    means: Means,
    /// The name it has there.
    pub name: String,
    /// The managed job's number, or the job's in the cluster's queue.
    pub number: u32,
    /// Which task of how many it is, where it is one of a job group.
    part: Option<(u32, u32)>,
}

/// What is known of a job there, as it changes. `None`: nothing yet.
pub struct Watch {
    pub known: watch::Receiver<Option<Seen>>,
    hurry: Arc<Notify>,
}

impl Watch {
    /// Something has happened, or is about to: the server is asked soon.
    pub fn hurry(&self) {
        self.hurry.notify_one();
    }
}

/// Has the server take on what is called `name`, whose task this is; its numbers.
///
/// # Errors
/// [`Error::MayHaveHappened`] when the answer was lost: [`look_up`] tells.
pub async fn submit(client: &Client, means: Means, name: &str, launch: &Launch<'_>) -> Result<Vec<u32>, Error> {
    match means {
        Means::Managed => client.launch(launch).await,
        Means::Cluster => client.launch_cluster(name, launch.task, launch.blob).await.map(|()| vec![FIRST]),
    }
}

/// The numbers of what the server has that is called `name`, ascending.
pub async fn look_up(client: &Client, means: Means, name: &str) -> Result<Vec<u32>, Error> {
    let mut numbers = match means {
        Means::Managed => {
            let rows = client.queue(Rows::Named(name)).await?;
            rows.iter().filter(|r| r.job_name == name).map(|r| r.job_id).collect()
        }
        // A cluster is in the table some time after its launch was taken, and a launch is forgotten some time after its end.
        Means::Cluster if !client.launches(name).await?.is_empty() => vec![FIRST],
        Means::Cluster => client.clusters(Some(&[name]), false).await?.iter().map(|_| FIRST).collect(),
    };
    numbers.sort_unstable();
    numbers.dedup(); // a group has a row for each task
    Ok(numbers)
}

impl Vehicle {
    /// What carries `job`, which the server has under `number`.
    pub fn of(job: &Job, number: u32) -> Self {
        let name = job.remote.as_ref().map(|r| r.name.clone()).unwrap_or_default();
        let means = Means::of(job);
        let group = job.het.filter(|_| means == Means::Managed);
        Self { means, name, number, part: group.map(|het| (het.offset, het.size)) }
    }

    /// The name of its cluster.
    pub fn cluster(&self) -> String {
        match self.means {
            Means::Managed => names::cluster(&self.name, self.number),
            Means::Cluster => self.name.clone(),
        }
    }

    /// Watches it, until the answer is dropped.
    pub fn watch(&self, shared: &Shared) -> Watch {
        match self.means {
            Means::Managed => self.watch_task(shared, self.part.map_or(0, |(task, _)| task)),
            Means::Cluster => cluster::watch(shared.client.clone(), shared.poll.clone(), self.name.clone()),
        }
    }

    /// Watches a task of the same group.
    pub fn watch_task(&self, shared: &Shared, task: u32) -> Watch {
        Watch { known: shared.poll.watch(self.number, task), hurry: shared.poll.bell() }
    }

    /// The log to read of a job that was `seen` so, when its cluster's was tried so often in vain; `None`: there is none now.
    pub fn log(&self, seen: &Seen, tries: u32) -> Option<LogOf> {
        let of_cluster = || LogOf::Cluster(self.cluster());
        let of_job = || Some(LogOf::Job(self.number, self.part.map(|(task, _)| task)));
        match self.means {
            Means::Cluster => seen.has_cluster.then(of_cluster),
            Means::Managed if seen.is_over() => of_job(),
            Means::Managed if seen.status != Status::Running && !seen.has_cluster => None,
            Means::Managed if tries < CLUSTER_TRIES => Some(of_cluster()),
            Means::Managed => of_job(),
        }
    }

    /// Ends it there, whatever it is doing. Ending it twice is ending it.
    pub async fn end(&self, client: &Client) -> Result<(), Error> {
        match self.means {
            Means::Managed => client.cancel(&[self.number]).await,
            Means::Cluster => cluster::end(client, &self.name).await,
        }
    }

    /// Ends it, however long that takes.
    pub async fn surely_end(&self, client: &Client) {
        while let Err(error) = self.end(client).await {
            tracing::warn!(name = self.name, number = self.number, %error, "not ended there");
            client.pause(AGAIN).await;
        }
    }

    /// Sees to it that a job whose agent has ended is over there too: at once, or after a time in which it ends by itself.
    pub async fn see_off(self, shared: Arc<Shared>, at_once: bool) {
        shared.hold(&self.name);
        let all_over = async {
            for task in 0..self.part.map_or(1, |(_, tasks)| tasks) {
                let mut watch = self.watch_task(&shared, task);
                let _ = watch.known.wait_for(|seen| seen.as_ref().is_some_and(Seen::is_over)).await;
            }
        };
        if at_once || tokio::time::timeout(WINDING_DOWN, all_over).await.is_err() {
            self.surely_end(&shared.client).await;
        }
        shared.let_go(&self.name);
    }

    /// Whether it is there until it is taken away.
    pub fn stays(&self) -> bool {
        self.means == Means::Cluster
    }
}

/// Ends the cluster of this name, however long that takes: it is nobody's.
pub async fn clear(client: &Client, name: String) {
    Vehicle { means: Means::Cluster, name, number: FIRST, part: None }.surely_end(client).await;
}
