//! Finding the agent of a job.

use crate::{
    agent::Layout,
    host::{directory, ipc},
    job::JobId,
    slurm::hostlist,
};
use std::{env, os::unix::net::UnixStream};

/// Connects to the agent of job `id` on this node, else to that on the job's first.
///
/// # Errors
/// The lines srun says when there is none.
pub(super) fn agent(id: JobId) -> Result<UnixStream, Vec<String>> {
    connect(id).ok_or_else(|| {
        vec![
            format!("srun: error: Unable to confirm allocation for job {id}: Invalid job id specified"),
            format!("srun: Check SLURM_JOB_ID environment variable. Expired or invalid job {id}"),
        ]
    })
}

/// The same for one who has other words.
pub(in crate::commands) fn connect(id: JobId) -> Option<UnixStream> {
    let layout = Layout::new(&directory::state().join("spool"), id);
    let mut indices = vec![own_index(id), 0];
    indices.dedup();
    indices.into_iter().find_map(|index| ipc::connect(&layout.socket(index)).ok())
}

/// This node's place in the job, if we are in it. `SLURM_NODEID` would be its place in the step.
fn own_index(id: JobId) -> usize {
    let inside = env::var("SLURM_JOB_ID").is_ok_and(|job| job == id.to_string());
    let place = || {
        let nodes = hostlist::expand(&env::var("SLURM_JOB_NODELIST").ok()?).ok()?;
        let own = env::var("SLURMD_NODENAME").ok()?;
        nodes.iter().position(|name| *name == own)
    };
    if inside { place().unwrap_or(0) } else { 0 }
}
