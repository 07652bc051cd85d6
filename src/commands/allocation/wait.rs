//! Waiting for an allocation.

use super::{ENDING, Wanted, owner::cancel};
use crate::{
    commands::terminal::take_signals,
    controller::{
        api::{Call, Reply},
        client::{Client, ClientError},
    },
    host::directory,
    job::{Job, JobId},
    slurm::{
        errno::Errno,
        options::{Command, Refusal},
        reason::Reason,
        state::JobState,
    },
};
use nix::{
    errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signalfd::SignalFd,
};
use std::{
    os::fd::AsFd,
    time::{Duration, Instant},
};

/// So long a controller that went away is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

impl Wanted<'_> {
    /// Waits until the job has its nodes.
    pub(super) fn wait(&self, controller: Client, id: JobId) -> Result<Job, Refusal> {
        let immediate = self.options.is_set("immediate");
        let patience = self.options.get("immediate").and_then(|text| text.parse().ok()).unwrap_or(0);
        let deadline = immediate.then(|| Instant::now() + Duration::from_secs(patience));
        let signals = take_signals(&ENDING).map_err(|e| self.error(e.to_string()))?;
        let mut controller = Some(controller);
        let mut knows = false;
        loop {
            let job = match self.ask(&mut controller, id, knows, deadline.filter(|_| knows), &signals)? {
                Answer::Job(job) => job,
                Answer::Gone => return Err(self.error(Errno::InvalidJobId.to_string())),
                Answer::Signal => {
                    cancel(id);
                    return Err(self.interrupted(id));
                }
                Answer::Late => return Err(self.busy(id)),
            };
            match job.state {
                JobState::Pending if immediate && patience == 0 => return Err(self.busy(id)),
                JobState::Pending => {
                    knows = true;
                    self.say_waiting(&job);
                }
                state if state.is_finished() => return Err(self.ended(&job)),
                _ => {
                    if knows {
                        self.say(&format!("job {id} has been allocated resources"));
                    }
                    return Ok(*job);
                }
            }
        }
    }

    /// One question, asked again of the next controller when this one goes away.
    fn ask(
        &self,
        controller: &mut Option<Client>,
        id: JobId,
        knows: bool,
        deadline: Option<Instant>,
        signals: &SignalFd,
    ) -> Result<Answer, Refusal> {
        // Since when there is none. A question may have waited for long before.
        let mut gone: Option<Instant> = None;
        loop {
            let mut client = match controller.take() {
                Some(client) => client,
                None => match Client::connect_at(&directory::state()) {
                    Ok(client) => client,
                    Err(_) if is_recent(&mut gone) => {
                        std::thread::sleep(Duration::from_millis(100));
                        continue;
                    }
                    Err(error) => return Err(self.unreachable(&error)),
                },
            };
            let Ok(()) = client.pose(&Call::Granted { id, knows }) else { continue };
            let asked = Instant::now();
            if let Some(answer) = first(&client, signals, deadline).map_err(|e| self.error(e.to_string()))? {
                return Ok(answer);
            }
            gone = gone.filter(|_| asked.elapsed() < PATIENCE);
            match client.answer() {
                Ok(Reply::Jobs(jobs)) => {
                    *controller = Some(client);
                    return Ok(jobs.into_jobs().pop().map_or(Answer::Gone, |job| Answer::Job(Box::new(job))));
                }
                Ok(_) => return Ok(Answer::Gone),
                Err(error @ ClientError::Version) => return Err(self.unreachable(&error)),
                Err(_) if is_recent(&mut gone) => {}
                Err(error) => return Err(self.unreachable(&error)),
            }
        }
    }

    fn say_waiting(&self, job: &Job) {
        let id = job.id;
        if matches!(
            job.reason,
            Reason::PartitionNodeLimit | Reason::PartitionTimeLimit | Reason::PartitionConfig | Reason::PartitionDown
        ) {
            self.say(&Errno::PartitionConfigurationUnavailable.to_string());
        }
        if self.command == Command::Salloc {
            self.say(&format!("Pending job allocation {id}"));
        }
        self.say(&format!("job {id} queued and waiting for resources"));
    }

    /// `--immediate`, and it was not.
    fn busy(&self, id: JobId) -> Refusal {
        cancel(id);
        self.error("Unable to allocate resources: Requested nodes are busy")
    }
}

/// Whether a controller that is found to be away, since `gone` or now, has not been so for long.
fn is_recent(gone: &mut Option<Instant>) -> bool {
    gone.get_or_insert_with(Instant::now).elapsed() < PATIENCE
}

/// What came first.
enum Answer {
    /// The job has got on.
    Job(Box<Job>),
    /// There is no such job (any more).
    Gone,
    /// A signal.
    Signal,
    /// The deadline.
    Late,
}

/// Waits for an answer (`None`), a signal or the deadline.
fn first(client: &Client, signals: &SignalFd, deadline: Option<Instant>) -> std::io::Result<Option<Answer>> {
    loop {
        let mut fds = [PollFd::new(client.as_fd(), PollFlags::POLLIN), PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        let timeout = match deadline.map(|d| d.saturating_duration_since(Instant::now())) {
            Some(Duration::ZERO) => return Ok(Some(Answer::Late)),
            Some(left) => PollTimeout::try_from(left.as_millis().min(3_600_000) as i32 + 1).unwrap_or(PollTimeout::MAX),
            None => PollTimeout::NONE,
        };
        match poll(&mut fds, timeout) {
            Err(errno::Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        if fds[0].any() == Some(true) {
            return Ok(None);
        }
        if fds[1].any() == Some(true) && signals.read_signal()?.is_some() {
            return Ok(Some(Answer::Signal));
        }
    }
}
