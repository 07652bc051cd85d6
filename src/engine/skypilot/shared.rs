//! What the tasks of the engine share: the client, what is known of the jobs there, and whose turn it is.

use super::{
    client::{self, Client},
    inventory::Inventory,
    names::Names,
    poll::Poll,
    way_in::gate::Gates,
};
use crate::{
    agent::Meeting,
    config::{PartitionConfig, SkypilotConfig},
    engine::{News, Report},
    job::JobId,
};
use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc::UnboundedSender, watch};

/// Work directories may be so large where nothing is configured, bytes.
const WORKDIR_LIMIT: u64 = 10 << 30;

/// What the tasks of the engine share.
pub struct Shared {
    pub client: Client,
    pub poll: Poll,
    pub places: Places,
    pub progress: Arc<Progress>,
    /// One upload at a time.
    pub uploading: tokio::sync::Mutex<()>,
    pub settings: SkypilotConfig,
    pub spool: PathBuf,
    /// The program, as it runs: its file may have been replaced.
    pub program: PathBuf,
    /// What payloads are sealed with.
    pub key: [u8; 32],
    pub cluster: String,
    pub kill_wait: u32,
    pub over_time_limit: u32,
    /// How many jobs of each name are handed over now, or wind down.
    pub live: Mutex<HashMap<String, u32>>,
    /// How far the components of each heterogeneous job are with meeting each other, by its first one.
    pub meets: Mutex<HashMap<JobId, watch::Sender<Meet>>>,
    pub inventory: Inventory,
    pub names: Names,
    /// The ways there are to managed jobs.
    pub gates: Gates,
    pub reports: UnboundedSender<Report>,
}

/// How far the components of a heterogeneous job are with meeting each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Meet {
    /// The first one's node has not said yet where it is.
    #[default]
    Ahead,
    /// It waits for the others there.
    At(Meeting),
    /// They have met.
    Met,
    /// They never will: what has become of one of them.
    Never(String),
}

impl Shared {
    /// How far the components of the job that `leader` leads are, from now on.
    pub fn meet(&self, leader: JobId) -> watch::Receiver<Meet> {
        let mut meets = self.meets.lock().unwrap_or_else(PoisonError::into_inner);
        meets.entry(leader).or_default().subscribe()
    }

    /// They are this far.
    pub fn note_meet(&self, leader: JobId, meet: Meet) {
        let mut meets = self.meets.lock().unwrap_or_else(PoisonError::into_inner);
        meets.entry(leader).or_default().send_replace(meet);
    }

    /// Nobody asks any more.
    pub fn forget_meet(&self, leader: JobId) {
        self.meets.lock().unwrap_or_else(PoisonError::into_inner).remove(&leader);
    }

    /// Tells the controller something.
    pub fn tell(&self, job: JobId, news: News) {
        let _ = self.reports.send(Report { job, news });
    }

    /// A partition's configuration.
    pub fn partition(&self, name: &str) -> Option<PartitionConfig> {
        self.inventory.partition(name)
    }

    /// One more job of this name is ours.
    pub fn hold(&self, name: &str) {
        *self.live.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default() += 1;
    }

    /// One less.
    pub fn let_go(&self, name: &str) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = live.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                live.remove(name);
            }
        }
    }

    /// GPU types a partition offers, with their counts.
    pub async fn offered(&self, partition: &PartitionConfig) -> Result<Vec<(String, Vec<u32>)>, client::Error> {
        let mut all = Vec::new();
        for infra in &partition.infra.0 {
            all.extend(self.client.accelerators(infra).await?);
        }
        Ok(all)
    }

    /// The largest work directory that is copied, bytes.
    pub fn workdir_limit(&self) -> u64 {
        self.settings.workdir_limit.as_ref().map_or(WORKDIR_LIMIT, |limit| limit.0.0 << 20)
    }
}

/// Places for those who follow logs: so many connections at a time, first come, first served.
pub struct Places {
    free: Semaphore,
    waiting: AtomicUsize,
}

impl Places {
    /// So many places.
    pub fn new(count: u32) -> Self {
        Self { free: Semaphore::new(count.max(1) as usize), waiting: AtomicUsize::new(0) }
    }

    /// Waits for a place.
    pub async fn take(&self) -> Option<SemaphorePermit<'_>> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let place = self.free.acquire().await;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        place.ok()
    }

    /// Whether somebody waits.
    pub fn are_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

/// How far the upload that goes on is.
#[derive(Debug, Default)]
pub struct Progress {
    total: AtomicU64,
    done: AtomicU64,
}

impl Progress {
    /// Files of so many bytes are packed.
    pub fn begin(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
        self.done.store(0, Ordering::Relaxed);
    }

    /// So many of them are in the zip file.
    pub fn packed(&self, done: u64) {
        self.done.store(done / 2, Ordering::Relaxed);
    }

    /// A zip file of so many bytes is sent.
    pub fn sending(&self, total: u64) {
        self.total.store(total.max(1), Ordering::Relaxed);
        self.done.store(total / 2, Ordering::Relaxed);
    }

    /// So many of them are there.
    pub fn sent(&self, done: u64) {
        self.done.store(self.total.load(Ordering::Relaxed) / 2 + done / 2, Ordering::Relaxed);
    }

    /// All is there, or none will be.
    pub fn end(&self) {
        self.total.store(0, Ordering::Relaxed);
    }

    /// How much of how much; `None`: nothing goes on.
    pub fn now(&self) -> Option<(u64, u64)> {
        let total = self.total.load(Ordering::Relaxed);
        (total > 0).then(|| (self.done.load(Ordering::Relaxed), total))
    }
}
