//! What an agent is started with.

use crate::job::{Job, whole};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// One run of a job, the same for the agents on all its nodes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Launch {
    /// The job with its placement, as it starts.
    #[serde(with = "whole")]
    pub job: Job,
    /// `SLURM_CLUSTER_NAME`.
    pub cluster: String,
    /// The file the commands find their way by (`SLURM_CONF`).
    pub slurm_conf: PathBuf,
    /// Directory of the drop-in commands, put on the job's PATH.
    pub commands: PathBuf,
    /// The script's file, named `slurm_script`; `None` for an interactive allocation.
    pub script: Option<PathBuf>,
    /// The submitter's environment: a file of `NAME=value` ended by NUL each.
    pub environment: PathBuf,
    /// Each node's host name and address, in the order of the placement.
    pub hosts: Vec<Host>,
    /// Whether a node is given a host name of its own (virtual nodes).
    pub virtual_nodes: bool,
    /// Names and addresses put into `/etc/hosts` of a virtual node.
    pub etc_hosts: Option<PathBuf>,
    /// Seconds from TERM to KILL (`KillWait`).
    pub kill_wait: u32,
    /// Seconds over the limit that are let pass (`OverTimeLimit`).
    pub over_time_limit: u32,
    /// The job's spool directory: events, sockets.
    pub spool: Layout,
}

/// How a node is reached.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Host {
    /// Name that resolves on every node of the job.
    pub name: String,
    /// IP address.
    pub address: String,
}

/// The files of a running job, below its spool directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// `STATE/spool/job00034`
    pub dir: PathBuf,
}

impl Layout {
    /// The layout of job `id` below `spool`.
    pub fn new(spool: &Path, id: u32) -> Self {
        Self { dir: spool.join(format!("job{id:05}")) }
    }

    /// The [`Launch`], as JSON.
    pub fn launch(&self) -> PathBuf {
        self.dir.join("launch")
    }

    /// What the first node's agent has to say: one JSON [`super::Event`] a line, appended.
    pub fn events(&self) -> PathBuf {
        self.dir.join("events")
    }

    /// The socket of the agent on node `index`.
    pub fn socket(&self, index: usize) -> PathBuf {
        self.dir.join(format!("node{index}.sock"))
    }

    /// Where the engine wants to be told, by an empty datagram naming the job, that there are new events.
    pub fn poke(spool: &Path) -> PathBuf {
        spool.join("poke.sock")
    }
}
