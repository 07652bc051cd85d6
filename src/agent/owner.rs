//! The client of an interactive allocation: salloc, or srun outside a job. The allocation lives as long as it is connected.

use super::agent::{Agent, Role};
use crate::{
    job::{ExitStatus, Job, Kind, all, whole},
    slurm::state::JobState,
};
use serde::{Deserialize, Serialize};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// So long an allocation waits for its client, which may have died while the nodes were given.
const PATIENCE: Duration = Duration::from_secs(30);

/// The same where a way to the nodes has to be opened first.
const PATIENCE_AFAR: Duration = Duration::from_secs(300);

/// So long a client whose connection over a network has broken may take to come back.
pub const ABSENCE: Duration = Duration::from_secs(60);

/// A network that has broken has broken for the witness, too, within this time.
const DOUBT: Duration = Duration::from_secs(2);

/// What an allocation's client is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToOwner {
    /// The allocation is yours.
    Yours(Box<Yours>),
    /// It is being taken away; the state it will end in.
    Revoked(JobState),
    /// It is over. Nothing follows.
    Over,
}

/// An allocation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Yours {
    /// The job with its placement.
    #[serde(with = "whole")]
    pub job: Job,
    /// The further components of a heterogeneous job.
    #[serde(with = "all")]
    pub others: Vec<Job>,
    /// `SLURM_CLUSTER_NAME`
    pub cluster: String,
    /// `SLURM_CONF`
    pub slurm_conf: PathBuf,
}

/// What an allocation's client says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromOwner {
    /// It is not needed any more: how the command ended.
    Relinquish(ExitStatus),
}

/// The owner of an allocation, as its agent knows it.
#[derive(Debug, Default)]
pub(super) struct Owner {
    connection: Option<u64>,
    due: Option<Instant>,
    /// It was gone while the witness was there: most likely it was killed.
    is_doubtful: bool,
}

impl Owner {
    /// Who is to own `job`, from here or from afar.
    pub fn of(job: &Job, from_afar: bool) -> Self {
        let patience = if from_afar { PATIENCE_AFAR } else { PATIENCE };
        let due = (job.request.kind == Kind::Interactive).then(|| Instant::now() + patience);
        Self { connection: None, due, is_doubtful: false }
    }

    /// How long the owner is still waited for.
    pub fn wait(&self) -> Option<Duration> {
        self.due.map(|due| due.saturating_duration_since(Instant::now()))
    }
}

impl Agent {
    /// The owner has come.
    pub(super) fn on_own(&mut self, connection: u64) {
        if self.launch.job.request.kind == Kind::Interactive {
            self.set_role(connection, Role::Owner);
            self.owner = Owner { connection: Some(connection), ..Owner::default() };
        }
        let yours = Yours {
            job: self.launch.job.clone(),
            others: self.launch.others.clone(),
            cluster: self.launch.cluster.clone(),
            slurm_conf: self.launch.slurm_conf.clone(),
        };
        self.send(connection, &ToOwner::Yours(Box::new(yours)));
        if let Some(ending) = self.ending {
            self.send(connection, &ToOwner::Revoked(ending.state));
        }
    }

    pub(super) fn on_owner(&mut self, said: FromOwner) {
        match said {
            FromOwner::Relinquish(exit) => self.relinquish(exit),
        }
    }

    /// Whether somebody beside the owner has a connection that tells whether the way there is open.
    fn has_witness(&self) -> bool {
        self.connections.values().any(|c| matches!(c.role, Role::Witness))
    }

    /// A connection of the owner's is gone without a word. Over a network it may be the connection alone; but if the witness's
    /// stays, which goes the same way, it was the owner.
    pub(super) fn owner_gone(&mut self, connection: u64) {
        if self.owner.connection != Some(connection) {
            return; // it has come back before this was noticed
        }
        if self.is_elsewhere() && !self.closing && self.ending.is_none() {
            let is_doubtful = self.has_witness();
            let patience = if is_doubtful { DOUBT } else { ABSENCE };
            self.owner = Owner { connection: None, due: Some(Instant::now() + patience), is_doubtful };
        } else {
            self.owner_lost();
        }
    }

    /// The owner is gone, or has not come.
    fn owner_lost(&mut self) {
        self.owner = Owner::default();
        let user = self.launch.job.request.user.uid;
        self.terminate(Some(user), JobState::Cancelled);
    }

    /// Waits no longer for an owner who does not come.
    pub(super) fn miss_owner(&mut self) {
        if self.owner.wait() != Some(Duration::ZERO) {
            return;
        }
        if std::mem::take(&mut self.owner.is_doubtful) && !self.has_witness() {
            self.owner.due = Some(Instant::now() + ABSENCE);
        } else {
            self.owner_lost();
        }
    }

    pub(super) fn tell_owner(&mut self, what: &ToOwner) {
        if let Some(connection) = self.owner.connection {
            self.send(connection, what);
        }
    }
}
