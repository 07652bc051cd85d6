//! Finding the agent of a job.

use super::afar;
use crate::{
    agent::Layout,
    commands::terminal::eprint,
    controller::{
        api::{Call, Filter, Reply},
        client::{Client, ClientError},
    },
    host::{directory, ipc},
    job::{Depth, Job, JobId, Kind},
    slurm::{
        array::JobIdSpec,
        hostlist,
        options::{Command, Refusal},
        state::JobState,
    },
};
use nix::poll::{PollFd, PollFlags, poll};
use std::{
    env,
    os::{fd::AsFd, unix::net::UnixStream},
    time::{Duration, Instant},
};

/// So long a way to the nodes that is broken is waited for.
const REOPENING: Duration = Duration::from_secs(20);

/// So long the agent of a job that runs here may take to answer.
const BEGINNING: Duration = Duration::from_secs(5);

/// One who waits for a way to the nodes is told so after this, milliseconds.
const AT_ONCE: u16 = 1000;

/// Why there is no agent of a job to be reached. The text is Slurm's of the nearest error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::commands) enum NotThere {
    /// It waits.
    #[error("Job is pending execution")]
    Pending,
    /// It runs on nodes that cannot be got into from here, for this reason.
    #[error("Communication connection failure: no connection leads to the job's nodes: {0}")]
    Away(String),
    /// There is a way in, which is not open now.
    #[error("Communication connection failure: the way to the job's nodes is broken, and is being opened again")]
    Broken,
    /// It is a component of a heterogeneous job; the first one's id is that of the job.
    #[error("Job not heterogeneous job leader")]
    NotLeader,
    /// There is no such job, or no more.
    #[error("Invalid job id specified")]
    Gone,
}

/// Connects to the agent of job `id` on this node, else to that on the job's first.
///
/// # Errors
/// What srun says when there is none.
pub(super) fn agent(id: JobId) -> Result<UnixStream, Refusal> {
    connect(Command::Srun, id).map_err(|why| {
        let mut lines = vec![format!("srun: error: Unable to confirm allocation for job {id}: {why}")];
        if !matches!(why, NotThere::Away(_) | NotThere::Broken) {
            lines.push(format!("srun: Check SLURM_JOB_ID environment variable. Expired or invalid job {id}"));
        }
        Refusal { lines, exit: 1 }
    })
}

/// The same for one who has other words. `command` says that it waits, if it does.
pub(in crate::commands) fn connect(command: Command, id: JobId) -> Result<UnixStream, NotThere> {
    let layout = Layout::new(&directory::state().join("spool"), id);
    let mut indices = vec![own_index(id), 0];
    indices.dedup();
    let begun = Instant::now();
    loop {
        if let Some(stream) = indices.iter().find_map(|index| ipc::connect(&layout.socket(*index)).ok()) {
            return Ok(stream);
        }
        let (why, most, pause) = match why_not(id) {
            Some(NotThere::Broken) => (NotThere::Broken, REOPENING, Duration::from_millis(200)),
            Some(NotThere::Away(_)) if begun.elapsed() <= REOPENING => {
                let_in(command, id)?;
                continue;
            }
            Some(why) => return Err(why),
            None => (NotThere::Gone, BEGINNING, Duration::from_millis(5)),
        };
        if begun.elapsed() > most {
            return Err(why);
        }
        std::thread::sleep(pause);
    }
}

/// The agent that knows of a component of a heterogeneous job, which is that of the first one, and which component it is; of
/// any other job its own, and 0.
pub(in crate::commands) fn connect_to_component(command: Command, id: JobId) -> Result<(UnixStream, u32), NotThere> {
    match connect(command, id) {
        Err(NotThere::NotLeader) => {
            let het = look_up(JobIdSpec::job(id)).and_then(|job| job.het).ok_or(NotThere::Gone)?;
            Ok((connect(command, het.leader)?, het.offset))
        }
        found => found.map(|stream| (stream, 0)),
    }
}

/// The job of an id, the first one of several, without its steps; as far as a controller that runs has it.
pub(in crate::commands) fn look_up(id: JobIdSpec) -> Option<Job> {
    let filter = Filter { ids: vec![id], depth: Depth::WithoutSteps, ..Filter::default() };
    match Client::running(&directory::state())?.ask(&Call::Jobs(filter)).ok()? {
        Reply::Jobs(jobs) => jobs.into_jobs().into_iter().next(),
        _ => None,
    }
}

/// Has the controller open a way to the nodes of a job elsewhere.
fn let_in(command: Command, id: JobId) -> Result<(), NotThere> {
    let lost = |error: ClientError| NotThere::Away(error.to_string());
    let mut client = Client::connect().map_err(lost)?;
    client.pose(&Call::WayIn(id)).map_err(lost)?;
    let mut fds = [PollFd::new(client.as_fd(), PollFlags::POLLIN)];
    if poll(&mut fds, AT_ONCE).is_ok_and(|ready| ready == 0) {
        let name = command.name();
        eprint(&format!("{name}: Waiting for a connection to the nodes of job {id}"));
    }
    match client.answer().map_err(lost)? {
        Reply::WayIn(opened) => opened.map_err(NotThere::Away),
        _ => Err(NotThere::Away("the controller gave an answer to something else".into())),
    }
}

/// As far as a controller tells; `None`: it runs here, and its agent does not answer yet, or is just ending.
fn why_not(id: JobId) -> Option<NotThere> {
    let job = look_up(JobIdSpec::job(id)).filter(|job| job.id == id);
    Some(match job {
        Some(job) if job.state == JobState::Pending => NotThere::Pending,
        Some(job) if !job.leads() => NotThere::NotLeader,
        // That of an allocation is kept open; that of a managed job is opened for who asks.
        Some(job) if job.is_away() && !job.is_finished() && job.request.kind != Kind::Batch && afar::is(id) => {
            NotThere::Broken
        }
        Some(job) if job.is_away() && !job.is_finished() => NotThere::Away(String::new()),
        Some(job) if job.state == JobState::Running => return None,
        _ => NotThere::Gone,
    })
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
