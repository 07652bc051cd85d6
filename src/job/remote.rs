//! A job that another system runs for us.

use serde::{Deserialize, Serialize};

/// How a job is known to the system it was handed to. Decided, and on disk, before anything is sent,
/// so that what may have been sent is looked up by it and never sent twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Remote {
    /// The name it has there, and nothing else has. The elements of an array that are submitted together share it.
    pub name: String,
    /// Which of those that share the name, from 0 (`SKYPILOT_JOB_RANK`).
    pub rank: u32,
    /// How many share the name.
    pub count: u32,
    /// Its number there, once it is known.
    pub id: Option<u32>,
    /// What of its commands' questions was answered last, and is not answered twice: the run of its agent, the number.
    pub heard: Option<(u32, u64)>,
}
