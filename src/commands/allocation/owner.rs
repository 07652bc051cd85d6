//! Being the owner of an allocation: the connection to its agent, and coming back where a network has broken it.

use super::Allocation;
use crate::{
    agent::{
        Layout,
        link::Link,
        owner::{ABSENCE, ToOwner, Yours},
        wire::Request,
    },
    controller::{
        api::{Call, Filter, Reply, SignalJob},
        client::Client,
    },
    host::{directory, ipc},
    job::{Job, JobId},
    slurm::{array::JobIdSpec, state::JobState},
};
use std::{
    io,
    time::{Duration, Instant},
};

/// So long an agent may take to answer.
const ANSWER: Duration = Duration::from_secs(20);

/// So long is waited for an agent that is to be told of the end; then the controller is asked to end the job.
const LAST_WORD: Duration = Duration::from_secs(15);

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// What came of an attempt to come back.
pub(in crate::commands) enum Back {
    /// It is ours again.
    Ours,
    /// There is no connection yet.
    NotYet,
    /// It was taken away meanwhile.
    Over(JobState),
}

/// Becomes the owner of a job's allocation.
pub(super) fn own(id: JobId) -> io::Result<(Link, Yours)> {
    let layout = Layout::new(&directory::state().join("spool"), id);
    let mut stream = ipc::connect(&layout.socket(0))?;
    stream.set_read_timeout(Some(ANSWER))?;
    ipc::send(&mut stream, &Request::Own)?;
    match ipc::receive(&mut stream)? {
        ToOwner::Yours(yours) => Ok((Link::new(stream)?, *yours)),
        _ => Err(io::ErrorKind::ConnectionRefused.into()),
    }
}

impl Allocation {
    /// Tries to come back after the connection broke at `since`.
    pub fn come_back(&mut self, since: Instant) -> Back {
        let id = self.yours.job.id;
        if let Ok((link, _)) = own(id) {
            self.link = Some(link);
            return Back::Ours;
        }
        match job(id) {
            Known::Job(job) if job.state.is_finished() => Back::Over(job.state),
            Known::None => Back::Over(JobState::NodeFail),
            // The agent does not wait longer.
            _ if since.elapsed() > ABSENCE + ANSWER => Back::Over(JobState::NodeFail),
            _ => Back::NotYet,
        }
    }

    /// Sees to it that there is a connection on which the allocation can be given back. Where that cannot be, the
    /// controller is asked to end it.
    pub(super) fn reach_again(&mut self) {
        let broken = self.link.as_mut().is_some_and(|link| {
            link.fill();
            link.closed
        });
        if !broken || !self.is_afar {
            return;
        }
        let since = Instant::now();
        while since.elapsed() < LAST_WORD {
            match self.come_back(since) {
                Back::NotYet => std::thread::sleep(PAUSE),
                Back::Ours | Back::Over(_) => return,
            }
        }
        cancel(self.yours.job.id);
    }
}

/// Has the controller end a job.
pub(super) fn cancel(id: JobId) {
    let one = SignalJob { id: JobIdSpec::job(id), signal: None, target: crate::agent::wire::Target::Steps };
    if let Ok(mut controller) = Client::connect_at(&directory::state()) {
        let _ = controller.ask(&Call::Signal(vec![one]));
    }
}

/// What the controller knows of a job.
enum Known {
    Job(Box<Job>),
    None,
    /// It cannot be asked.
    Unknown,
}

fn job(id: JobId) -> Known {
    let filter = Filter { ids: vec![JobIdSpec::job(id)], ..Filter::default() };
    match Client::running(&directory::state()).and_then(|mut client| client.ask(&Call::Jobs(filter)).ok()) {
        Some(Reply::Jobs(jobs)) => {
            jobs.into_jobs().into_iter().find(|job| job.id == id).map_or(Known::None, |job| Known::Job(Box::new(job)))
        }
        _ => Known::Unknown,
    }
}
