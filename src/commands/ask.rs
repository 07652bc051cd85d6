//! Asking the controller from a command, and what a command has to say afterwards.

use super::{
    check_cluster,
    terminal::{eprint, print, refuse},
};
use crate::{
    controller::{
        api::{Call, Cluster, Filter, Reply},
        client::{Client, ClientError},
    },
    engine::Planned,
    job::{Job, JobId},
    slurm::{
        errno::Errno,
        options::{Command, Options},
        state::JobState,
    },
};
use std::collections::HashMap;

/// Why a question went unanswered.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The controller cannot be reached.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It said no.
    #[error("{0}")]
    Refused(Errno),
    /// Its answer is none to this question.
    #[error("the controller gave an answer to something else")]
    Other,
}

/// What a command prints and how it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// For stdout.
    pub out: String,
    /// Lines for stderr.
    pub err: Vec<String>,
    /// The exit code.
    pub exit: u8,
}

impl Said {
    /// Only stdout, and success.
    pub fn out(out: String) -> Self {
        Self { out, ..Self::default() }
    }

    /// One line on stderr, and exit code 1.
    pub fn error(line: impl Into<String>) -> Self {
        Self { err: vec![line.into()], exit: 1, ..Self::default() }
    }

    /// Prints it and gives the exit code.
    pub fn print(&self) -> u8 {
        let written = if self.out.is_empty() { 0 } else { print(&self.out) };
        for line in &self.err {
            eprint(line);
        }
        self.exit.max(written)
    }
}

/// The value of an environment variable, for the option parser.
pub fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether `--clusters` names this one. If not, that is said, and the exit code is the error.
pub(crate) fn right_cluster(command: Command, options: &Options) -> Result<(), u8> {
    let Some(names) = options.get("clusters") else { return Ok(()) };
    let known = Client::connect().map_err(AskError::from).and_then(|mut client| cluster(&mut client));
    match known.map(|cluster| check_cluster(command, Some(names), &cluster.name)) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(refusal)) => Err(refuse(&refusal)),
        Err(error) => Err(Said::error(format!("{}: error: {error}", command.name())).print()),
    }
}

/// Jobs in memory.
pub fn jobs(client: &mut Client, filter: Filter) -> Result<Vec<Job>, AskError> {
    jobs_of(client.ask(&Call::Jobs(filter))?)
}

/// Puts into jobs that wait when and where they will probably start.
pub fn plan(client: &mut Client, jobs: &mut [Job]) -> Result<(), AskError> {
    let waits = |job: &Job| job.state == JobState::Pending && !job.is_away();
    if !jobs.iter().any(waits) {
        return Ok(());
    }
    let Reply::Planned(planned) = client.ask(&Call::Planned)? else { return Err(AskError::Other) };
    let mut planned: HashMap<JobId, Planned> = planned.into_iter().map(|one| (one.job, one)).collect();
    for job in jobs.iter_mut().filter(|job| waits(job)) {
        if let Some(Planned { start, placement, .. }) = planned.remove(&job.id) {
            (job.start_time, job.placement) = (Some(start), Some(placement));
        }
    }
    Ok(())
}

/// Jobs on record.
pub fn accounting(client: &mut Client, filter: Filter) -> Result<Vec<Job>, AskError> {
    jobs_of(client.ask(&Call::Accounting(filter))?)
}

/// The cluster.
pub fn cluster(client: &mut Client) -> Result<Cluster, AskError> {
    match client.ask(&Call::Cluster)? {
        Reply::Cluster(cluster) => Ok(*cluster),
        Reply::Refused { errno, .. } => Err(AskError::Refused(errno)),
        _ => Err(AskError::Other),
    }
}

/// Says how old what is shown of handed jobs is, if the system they are with cannot be reached.
pub(crate) fn warn_of_age(command: Command, cluster: &Cluster, jobs: &[Job]) {
    let Some((since, why)) = cluster.out_of_reach.as_ref().filter(|_| jobs.iter().any(Job::is_away)) else { return };
    let since = chrono::DateTime::from_timestamp(*since, 0).unwrap_or_default().with_timezone(&chrono::Local);
    let (name, at) = (command.name(), since.format("%H:%M:%S"));
    eprint(&format!("{name}: warning: {why}; what is shown of jobs that are there is as of {at}"));
}

/// One result for each thing that was to be done.
pub fn done(client: &mut Client, call: &Call) -> Result<Vec<Result<(), Errno>>, AskError> {
    match client.ask(call)? {
        Reply::Done(results) => Ok(results),
        Reply::Refused { errno, .. } => Err(AskError::Refused(errno)),
        _ => Err(AskError::Other),
    }
}

fn jobs_of(reply: Reply) -> Result<Vec<Job>, AskError> {
    match reply {
        Reply::Jobs(jobs) => Ok(jobs.into_jobs()),
        Reply::Refused { errno, .. } => Err(AskError::Refused(errno)),
        _ => Err(AskError::Other),
    }
}
