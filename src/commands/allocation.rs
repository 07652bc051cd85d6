//! An allocation for a command that works in it: salloc, or srun outside a job.

mod owner;
mod wait;

pub(super) use owner::Back;

use super::{check_cluster, srun::afar, terminal::eprint};
use crate::{
    agent::{
        link::Link,
        owner::{FromOwner, ToOwner, Yours},
        submitter::submitter,
    },
    controller::{
        api::{Call, Reply, Submission},
        client::{Client, ClientError},
    },
    host::directory,
    job::{
        ExitStatus, Job, JobId, Kind, Request as JobRequest,
        env::{self, Environment},
        resolve,
    },
    slurm::{
        count::NodeCount,
        errno::Errno,
        options::{Command, Options, Place, Refusal, refusals, refusals_of_allocation},
        state::JobState,
    },
};
use nix::{
    errno,
    poll::{PollFd, PollTimeout, poll},
    sys::signal::Signal,
};
use std::ffi::OsString;

/// What is wanted.
pub(super) struct Wanted<'a> {
    /// Who wants it.
    pub command: Command,
    /// With these options; of several components, those of the last, which has what was said of all.
    pub options: &'a Options,
    /// Said in these words.
    pub args: &'a [OsString],
    /// What it is to have: components of a heterogeneous job, or one.
    pub components: Vec<Wish<'a>>,
}

/// What one component of an allocation is to have.
pub(super) struct Wish<'a> {
    /// With these options.
    pub options: &'a Options,
    /// srun's command, by which the job is called where nothing else says how.
    pub program: Option<&'a OsString>,
    /// Fewest and most nodes, where the command knows better than its options.
    pub nodes: Option<(u32, u32)>,
}

/// What was got. Dropping it without a word ends it, as when we were killed.
pub(super) struct Allocation {
    /// The job, and where it is.
    pub yours: Yours,
    /// To the agent that keeps it; `None`: nobody has to (`salloc --no-shell`).
    pub link: Option<Link>,
    /// Whether that agent is on another machine, so that the connection may break while the allocation lives.
    pub is_afar: bool,
}

/// Signals that end the wait for an allocation.
const ENDING: [Signal; 7] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGPIPE,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

impl Wanted<'_> {
    /// Gets it, however long that takes.
    ///
    /// # Errors
    /// Slurm's refusal; or the lines that belong to an end by a signal or by scancel.
    pub fn allocate(&self) -> Result<Allocation, Refusal> {
        let (controller, reply) = self.put(Call::Submit)?;
        match reply {
            Reply::Submitted(id) => self.take(&self.wait(controller, id)?),
            other => Err(self.unasked(&other)),
        }
    }

    /// `--test-only`: says when and where it would start.
    ///
    /// # Errors
    /// Slurm's refusal.
    pub fn test_only(&self) -> Result<u8, Refusal> {
        match self.put(Call::TestOnly)?.1 {
            Reply::WouldStart(would) => eprint(&format!("{}: {would}", self.command.name())),
            Reply::Forecast(Ok(lines)) => {
                lines.iter().for_each(|line| eprint(&format!("{}: {line}", self.command.name())));
            }
            Reply::Forecast(Err(why)) => {
                let lines: Vec<String> = why.lines().map(str::to_owned).collect();
                return Err(self.refused(Errno::NodeConfigurationUnavailable, &lines, None));
            }
            other => return Err(self.unasked(&other)),
        }
        Ok(0)
    }

    /// Puts the job before the controller; refusals are errors.
    fn put(&self, call: fn(Box<Submission>) -> Call) -> Result<(Client, Reply), Refusal> {
        let submission = self.submission()?;
        let mut controller = Client::connect_at(&directory::state()).map_err(|e| self.unreachable(&e))?;
        if self.options.get("clusters").is_some()
            && let Reply::Cluster(cluster) = controller.ask(&Call::Cluster).map_err(|e| self.unreachable(&e))?
        {
            check_cluster(self.command, self.options.get("clusters"), &cluster.name)?;
        }
        let reply = controller.ask(&call(Box::new(submission))).map_err(|e| self.unreachable(&e))?;
        let (place, reply) = match reply {
            Reply::At(place, reply) => (place, *reply),
            reply => (Place::Here, reply),
        };
        match reply {
            Reply::Declined(refusal) => Err(refusal),
            Reply::Refused { errno, before, hint } => Err(self.refused(errno, &before, hint)),
            reply => {
                // srun says of the step what it has to say of that.
                let lines = match self.command {
                    Command::Srun => self.options.warnings_of_allocation(place),
                    _ => Options::warnings_of(self.components.iter().map(|wish| wish.options), place),
                };
                lines.iter().for_each(|line| eprint(line));
                Ok((controller, reply))
            }
        }
    }

    fn unasked(&self, reply: &Reply) -> Refusal {
        self.error(format!("the controller answered what was not asked: {reply:?}"))
    }

    /// `srun: `, `salloc: ` and words, unless nothing is to be said.
    pub fn say(&self, words: &str) {
        if !self.options.is_set("quiet") {
            eprint(&format!("{}: {words}", self.command.name()));
        }
    }

    fn error(&self, text: impl Into<String>) -> Refusal {
        Refusal::error(self.command, 1, text.into())
    }

    fn unreachable(&self, error: &ClientError) -> Refusal {
        self.error(error.to_string())
    }

    fn submission(&self) -> Result<Submission, Refusal> {
        let mut components = self.components.iter().map(|wish| self.request(wish)).collect::<Result<Vec<_>, _>>()?;
        let (request, refusals) = match components.is_empty() {
            true => return Err(self.error("no component")),
            false => components.remove(0),
        };
        Ok(Submission {
            request,
            array: None,
            script: Vec::new(),
            environment: Vec::new(),
            refusals,
            others: components,
        })
    }

    /// What a component asks for, and the places that cannot do it.
    fn request(&self, wish: &Wish) -> Result<(JobRequest, Vec<(Place, Refusal)>), Refusal> {
        let line: Vec<OsString> =
            std::iter::once(self.command.name().into()).chain(self.args.iter().cloned()).collect();
        let refusals = match self.command {
            Command::Srun => refusals_of_allocation(wish.options)?,
            _ => refusals(wish.options)?,
        };
        let request = resolve::resolve(self.command, wish.options, submitter(&line))?;
        let program = wish.program.map(|p| p.to_string_lossy().into_owned());
        let base = program.as_deref().map(|p| p.rsplit('/').next().unwrap_or(p).to_owned());
        let request = JobRequest {
            kind: if self.options.is_set("no-shell") { Kind::NoShell } else { Kind::Interactive },
            name: match request.name.is_empty() {
                true => base.unwrap_or_else(|| "interactive".into()),
                false => request.name.clone(),
            },
            command: program,
            nodes: match wish.nodes {
                Some((min, max)) => Some(NodeCount { min, max: Some(max) }),
                None => request.nodes,
            },
            ..request
        };
        Ok((request, refusals))
    }

    /// Slurm's way to say that the controller refused.
    fn refused(&self, errno: Errno, before: &[String], hint: Option<String>) -> Refusal {
        let name = self.command.name();
        let mut lines: Vec<String> = before.iter().map(|line| format!("{name}: error: {line}")).collect();
        lines.push(match self.command {
            Command::Salloc => format!("{name}: error: Job submit/allocate failed: {errno}"),
            _ => format!("{name}: error: Unable to allocate resources: {errno}"),
        });
        lines.extend(hint.map(|hint| format!("{name}: {hint}")));
        Refusal { lines, exit: 1 }
    }

    fn interrupted(&self, id: JobId) -> Refusal {
        let lines = match self.command {
            Command::Salloc => vec![
                format!("salloc: Job allocation {id} has been revoked."),
                "salloc: Job aborted due to signal".to_owned(),
            ],
            _ => {
                vec![
                    format!("srun: Job allocation {id} has been revoked"),
                    format!("srun: Force Terminated JobId={id}"),
                ]
            }
        };
        Refusal { lines, exit: 1 }
    }

    /// It was over before it began.
    fn ended(&self, job: &Job) -> Refusal {
        let id = job.id;
        if job.state != JobState::Cancelled {
            let why = job.detail.clone().unwrap_or_else(|| job.reason.text().to_owned());
            return self.error(format!("Unable to allocate resources: job {id} {}: {why}", job.state));
        }
        let name = self.command.name();
        let mut lines = vec![format!("{name}: Job has been cancelled")];
        if self.command == Command::Salloc {
            lines.push(format!("salloc: Job allocation {id} has been revoked."));
        }
        lines.extend(self.refused(Errno::TransitionStateNoUpdate, &[], None).lines);
        Refusal { lines, exit: 1 }
    }

    /// Becomes the owner of what was allocated.
    fn take(&self, job: &Job) -> Result<Allocation, Refusal> {
        let gone = |_| self.error(format!("Job allocation {} has been revoked", job.id));
        let (link, mut yours) = owner::own(job.id).map_err(gone)?;
        let is_afar = afar::is(job.id);
        if is_afar {
            // What the agent knows is how things are called where it is.
            yours = Yours { job: job.clone(), slurm_conf: directory::state().join("slurm.conf"), ..yours };
        }
        Ok(Allocation { yours, link: Some(link).filter(|_| !self.options.is_set("no-shell")), is_afar })
    }
}

impl Allocation {
    /// Adds to an environment what describes the allocation.
    pub fn describe(&self, wanted: &[Wish], environment: &mut Environment) {
        let Yours { job, others, cluster, slurm_conf } = &self.yours;
        let conf = slurm_conf.to_string_lossy();
        let components: Vec<&Job> = std::iter::once(job).chain(others).collect();
        // A default of memory is not told (env.txt, salloc).
        let asks = |wish: &Wish| ["mem", "mem-per-cpu", "mem-per-gpu"].iter().any(|name| wish.options.is_set(name));
        if !others.is_empty() && wanted.iter().all(|wish| wish.options.command() == Command::Salloc) {
            env::describe_shell(environment, &components, cluster, &conf);
            for number in wanted.iter().enumerate().filter(|(_, wish)| !asks(wish)).map(|(number, _)| number) {
                environment.unset(&format!("SLURM_MEM_PER_CPU_HET_GROUP_{number}"));
            }
            return;
        }
        env::shell(environment, &env::Batch { job, cluster, conf: &conf, host: &job.request.submit_host });
        if !wanted.first().is_some_and(asks) {
            environment.unset("SLURM_MEM_PER_CPU");
        }
        // srun tells its own tasks no more of the components than how many there are.
        if !others.is_empty() {
            env::size(environment, components.len());
        }
    }

    /// Gives it back, and waits until that is done and known.
    pub fn relinquish(self, exit: ExitStatus) {
        let id = self.yours.job.id;
        self.give_back(exit);
        if let Some(mut controller) = Client::running(&directory::state()) {
            let _ = controller.ask(&Call::Wait(id));
        }
    }

    fn give_back(mut self, exit: ExitStatus) {
        self.reach_again();
        let Some(mut link) = self.link else { return };
        link.send(&FromOwner::Relinquish(exit));
        while !link.closed {
            if matches!(poll(&mut [PollFd::new(link.fd(), link.interest())], PollTimeout::NONE), Err(e) if e != errno::Errno::EINTR)
            {
                return;
            }
            link.flush();
            link.fill();
            while let Some(said) = link.receive::<ToOwner>() {
                if matches!(said, ToOwner::Over) {
                    return;
                }
            }
        }
    }
}
