//! What ssh's proxy command needs: `skyslurm ssh-proxy DOOR PATH WORKER`.
//!
//! It is started by whoever's ssh, in whatever environment: by an editor that knows no token. So what it is to know stands
//! in a file of the job's, which only the user can read.

use crate::engine::skypilot::client::{Client, Endpoint, Error};
use serde::{Deserialize, Serialize};
use std::{io, path::Path};

/// The file's content.
#[derive(Debug, Serialize, Deserialize)]
pub struct Door {
    /// The server, and the login.
    pub endpoint: Endpoint,
    /// SkyPilot's name of the cluster.
    pub cluster: String,
}

/// Why nobody gets through.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The file. Once the allocation is over there is none.
    #[error("{0}: {1}")]
    File(String, io::Error),
    /// The server.
    #[error(transparent)]
    Server(#[from] Error),
}

/// Connects stdin and stdout to the sshd of node `worker`.
///
/// # Errors
/// [`DoorError`]
pub async fn pass(door: &Path, path: &str, worker: usize) -> Result<(), DoorError> {
    let fail = |error| DoorError::File(door.display().to_string(), error);
    let bytes = std::fs::read(door).map_err(fail)?;
    let door: Door = serde_json::from_slice(&bytes).map_err(|_| fail(io::ErrorKind::InvalidData.into()))?;
    let client = Client::new(&door.endpoint)?;
    let (input, output) = (tokio::io::stdin(), tokio::io::stdout());
    Ok(client.ssh(path, (&door.cluster, worker), input, output).await?)
}
