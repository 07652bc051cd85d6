//! Finding the agent of a job.

use crate::{
    agent::Layout,
    controller::{
        api::{Call, Filter, Reply},
        client::Client,
    },
    host::{directory, ipc},
    job::JobId,
    slurm::{array::JobIdSpec, errno::Errno, hostlist, options::Refusal, state::JobState},
};
use std::{env, os::unix::net::UnixStream};

/// Connects to the agent of job `id` on this node, else to that on the job's first.
///
/// # Errors
/// What srun says when there is none.
pub(super) fn agent(id: JobId) -> Result<UnixStream, Refusal> {
    connect(id).ok_or_else(|| {
        let why = if is_pending(id) { Errno::JobPending } else { Errno::InvalidJobId };
        let lines = vec![
            format!("srun: error: Unable to confirm allocation for job {id}: {why}"),
            format!("srun: Check SLURM_JOB_ID environment variable. Expired or invalid job {id}"),
        ];
        Refusal { lines, exit: 1 }
    })
}

/// Whether the job waits, as far as a controller tells.
fn is_pending(id: JobId) -> bool {
    let filter = Filter { ids: vec![JobIdSpec::job(id)], ..Filter::default() };
    let asked = Client::running(&directory::state()).and_then(|mut client| client.ask(&Call::Jobs(filter)).ok());
    match asked {
        Some(Reply::Jobs(jobs)) => jobs.into_jobs().iter().any(|job| job.state == JobState::Pending),
        _ => false,
    }
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
