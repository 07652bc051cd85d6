//! What travels with a job to its nodes: sealed, so that neither a process list nor a log nor a page of
//! SkyPilot's shows a secret of it. The key travels apart, in a file beside the agent program.

use crate::job::{Job, JobId, Shape, whole};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The variable the sealed payload travels in; or the name of its file below the agent's directory, after `@`.
pub const VARIABLE: &str = "SKYSLURM_JOB";

/// All that the agents need of a job. One for all ranks of an array that were submitted together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Payload {
    /// The job. Of an array: the record of its first element here; each rank is made of it and `elements`.
    #[serde(with = "whole")]
    pub job: Job,
    /// By `SKYPILOT_JOB_RANK`: the element's job id and index; `None`: it was cancelled before it was submitted, and
    /// ends at once. Empty for a job that is no array.
    pub elements: Vec<Option<(JobId, u32)>>,
    /// Its nodes.
    pub shape: Shape,
    /// The script.
    pub script: Vec<u8>,
    /// The environment to export: `NAME=value`, each ended by NUL.
    pub environment: Vec<u8>,
    /// `SLURM_CLUSTER_NAME`
    pub cluster: String,
    /// What its agents know each other by; made for this submission.
    pub secret: [u8; 32],
    /// Seconds from TERM to KILL (`KillWait`).
    pub kill_wait: u32,
    /// Seconds over the limit that are let pass (`OverTimeLimit`).
    pub over_time_limit: u32,
    /// What `module load` is to do on a node without modules: name and shell commands.
    pub modules: Vec<(String, String)>,
    /// How files come and go.
    pub delivery: Delivery,
}

/// How a job's directory and output are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// The directory was copied to `~/sky_workdir`; the output goes into the log in frames.
    Copied,
    /// The nodes see the directory under its own path; the agent writes the output files there itself, and
    /// only events go into the log.
    Shared,
}

/// Why a payload cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// There is none.
    #[error("{VARIABLE} is not set: this is no job of skyslurm's")]
    Missing,
    /// A file of it.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It was sealed with another key, or is damaged.
    #[error("the job's description cannot be read: it is damaged or not meant for this agent")]
    Sealed,
}

impl Payload {
    /// The payload as text: compressed, sealed with `key`, base64.
    pub fn seal(&self, key: &[u8; 32]) -> String {
        let _ = key;
        todo!("agent")
    }

    /// The reverse.
    ///
    /// # Errors
    /// [`PayloadError::Sealed`].
    pub fn open(text: &str, key: &[u8; 32]) -> Result<Self, PayloadError> {
        let _ = (text, key);
        todo!("agent")
    }
}
