//! srun at work: between its step, its files, and whoever sends it signals.

mod files;
mod signals;
mod streams;

use super::{bring, hooks, request::Plan, tasks::Tasks, terminal::Raw};
use crate::{
    agent::{
        link::Link,
        step::{Bytes, FromClient, FromPart, Source, ToClient, error_text},
        wire::Request,
    },
    commands::terminal::{eprint, take_signals},
    slurm::filename::expand,
};
use files::vars;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{signal::Signal, signalfd::SignalFd},
};
use std::{
    fs::File,
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    time::{Duration, Instant},
};
use streams::Streams;

/// A second ^C within so long is one that is meant.
const TWICE: Duration = Duration::from_secs(1);

/// How much of stdin is read at once.
const READ: usize = 64 << 10;

/// Runs a step through the agent at the other end of `stream`; a plan for each of its components.
pub(super) fn run(plans: Vec<Plan>, stream: UnixStream) -> u8 {
    plans.iter().flat_map(|plan| &plan.warnings).for_each(|line| eprint(line));
    match Client::new(plans, stream) {
        Ok(client) => client.run(),
        Err(text) => {
            eprint(&format!("srun: error: {text}"));
            1
        }
    }
}

enum Input {
    Stdin,
    File(File),
    None,
}

struct Client {
    /// That of the step; of several components, of the first.
    plan: Plan,
    /// Those of the further components.
    others: Vec<Plan>,
    link: Link,
    signals: SignalFd,
    input: Input,
    /// What was sent is not taken yet.
    input_due: bool,
    streams: Streams,
    tasks: Option<Tasks>,
    step: Option<u32>,
    kill_wait: u32,
    /// The step is being ended.
    aborted: bool,
    /// `Job step aborted` was said.
    said_aborted: bool,
    /// A second ^C came.
    interrupted: bool,
    /// The step was told to end for what its tasks did.
    terminated: bool,
    last_interrupt: Option<Instant>,
    last_sent: Option<Instant>,
    first_exit: Option<Instant>,
    /// Since when it waits for a place.
    waiting: Option<Instant>,
    raw: Option<Raw>,
    exit: Option<u8>,
    /// What `--prolog` and `--epilog` learn of the step.
    about: hooks::Step,
    /// Its tasks never started.
    unlaunched: bool,
}

/// What srun hears of itself.
const SIGNALS: [Signal; 10] = [
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGCONT,
    Signal::SIGALRM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
    Signal::SIGPIPE,
];

impl Client {
    /// `plans`: one, or one for each component of the step.
    fn new(mut plans: Vec<Plan>, stream: UnixStream) -> Result<Self, String> {
        let system = |e: io::Error| e.to_string();
        let signals = take_signals(&SIGNALS).map_err(|e| e.to_string())?;
        let plan = plans.first().ok_or("no component")?;
        let input = match (&plan.request.input, &plan.input) {
            (Source::Client, Some(pattern)) => {
                let file = File::open(expand(pattern, &vars(plan, None)));
                Input::File(file.map_err(|e| format!("Could not open stdin file: {}", error_text(&e)))?)
            }
            (Source::Client | Source::Rank(_), _) => Input::Stdin,
            _ => Input::None,
        };
        // What cannot be opened is found out before the step begins, not after.
        let streams = Streams::open(&plans)?;
        Ok(Self {
            link: Link::new(stream).map_err(system)?,
            signals,
            input,
            input_due: false,
            streams,
            plan: plans.remove(0),
            others: plans,
            tasks: None,
            step: None,
            kill_wait: 30,
            aborted: false,
            said_aborted: false,
            interrupted: false,
            terminated: false,
            last_interrupt: None,
            last_sent: None,
            first_exit: None,
            waiting: None,
            raw: None,
            exit: None,
            about: hooks::Step::default(),
            unlaunched: false,
        })
    }

    fn run(mut self) -> u8 {
        let mut plans: Vec<&mut Plan> = std::iter::once(&mut self.plan).chain(&mut self.others).collect();
        let request = Request::Step(plans.iter_mut().map(|plan| std::mem::take(&mut plan.request)).collect());
        self.link.send(&request);
        if let Request::Step(requests) = request {
            plans.into_iter().zip(requests).for_each(|(plan, request)| plan.request = request);
        }
        loop {
            if let Some(exit) = self.exit {
                drop(self.raw.take());
                return exit;
            }
            if self.link.closed {
                drop(self.raw.take());
                self.tell(match self.plan.request.from_afar {
                    true => "srun: error: The connection to the job's nodes is broken: the step has ended",
                    false => "srun: error: The agent of the job is gone",
                });
                return self.tasks.as_ref().map_or(1, |t| t.exit_code().max(1));
            }
            if let Err(error) = self.turn() {
                self.tell(&format!("srun: error: {error}"));
                return 1;
            }
        }
    }

    /// Waits for something and does what is due. What the agent said comes before signals: it may say what they mean.
    fn turn(&mut self) -> io::Result<()> {
        let wants_input = self.step.is_some() && !self.input_due;
        let input: Option<BorrowedFd> = match &self.input {
            // SAFETY: descriptor 0 is nobody's to close but this process's at its end.
            Input::Stdin if wants_input => Some(unsafe { BorrowedFd::borrow_raw(0) }),
            Input::File(file) if wants_input => Some(file.as_fd()),
            _ => None,
        };
        let mut fds = vec![
            PollFd::new(self.link.fd(), self.link.interest()),
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
        ];
        fds.extend(input.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        let timeout = match self.until_impatient() {
            Some(wait) => PollTimeout::try_from(wait.as_millis().min(3_600_000) as i32 + 1).unwrap_or(PollTimeout::MAX),
            None => PollTimeout::NONE,
        };
        match poll(&mut fds, timeout) {
            Err(Errno::EINTR) => return Ok(()),
            Err(errno) => return Err(errno.into()),
            Ok(_) => {}
        }
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        drop(fds);
        if ready.first() == Some(&true) {
            self.link.flush();
            self.link.fill();
            while self.exit.is_none()
                && let Some(said) = self.link.receive()
            {
                self.on_agent(said);
            }
        }
        // A step that is over has nobody left to hand a signal to.
        if ready.get(1) == Some(&true) && self.exit.is_none() {
            while let Ok(Some(info)) = self.signals.read_signal() {
                self.on_signal(info.ssi_signo as i32);
            }
        }
        if ready.get(2) == Some(&true) {
            self.read_input();
        }
        if self.until_impatient() == Some(Duration::ZERO) {
            self.first_exit = None;
            self.lose_patience();
        }
        Ok(())
    }

    fn on_agent(&mut self, said: ToClient) {
        let job = self.plan.request.job;
        match said {
            ToClient::Busy => {
                self.waiting = Some(Instant::now());
                self.info(&format!(
                    "srun: Job {job} step creation temporarily disabled, retrying (Requested nodes are busy)"
                ));
            }
            ToClient::Refused(text) => {
                text.lines().for_each(|line| self.tell(&format!("srun: error: {line}")));
                self.exit = Some(1);
            }
            ToClient::Warning(text) => self.tell(&format!("srun: {text}")),
            ToClient::Created { step, nodes, layout, firsts, waited, kill_wait } => {
                let tasks = Tasks::new(format!("{job}.{step}"), nodes, &layout, &firsts);
                if waited {
                    self.info(&format!("srun: Step created for {}", tasks.step()));
                }
                tasks.launching(&layout).iter().for_each(|line| self.verbose(line));
                self.begin(step, &layout, &firsts);
                self.kill_wait = kill_wait;
                self.about = hooks::Step::new(step, &tasks, &layout, self.plan.request.umask);
                self.tasks = Some(tasks);
                if self.plans().any(|plan| plan.request.held) {
                    self.release();
                }
            }
            ToClient::Part { node, said } => self.on_part(node, said),
            ToClient::Aborted => self.abort(),
            ToClient::PartAborted => self.say_aborted(),
            ToClient::InputTaken => self.input_due = false,
            ToClient::Done => {
                let tasks = self.tasks.take();
                if let Some(tasks) = tasks.as_ref().filter(|t| t.was_forced() && !self.aborted && !self.interrupted) {
                    self.info(&format!("srun: Force Terminated {}", tasks.step()));
                }
                self.plan.hooks.behind(&self.about);
                let exit = tasks.map_or(0, |t| t.exit_code());
                self.exit = Some(if self.unlaunched { exit.max(1) } else { exit });
            }
        }
    }

    /// Does what is to be done before the tasks, and lets them start.
    fn release(&mut self) {
        if let Err(line) = self.plan.hooks.before(&self.about) {
            eprint(&line);
            let step = self.tasks.as_ref().map(Tasks::step).unwrap_or_default();
            self.info(&format!("srun: {step} aborted before step completely launched."));
            self.unlaunched = true;
            self.abort();
            self.link.send(&FromClient::Kill);
            return;
        }
        let step = self.step.unwrap_or_default();
        let brought = self.plans().try_for_each(|plan| bring::program(plan, step));
        if let Err(lines) = brought {
            lines.iter().for_each(|line| eprint(line));
            self.exit = Some(1); // the step ends with us
            return;
        }
        self.link.send(&FromClient::Launch);
    }

    /// There is a step: the files whose names have its number in them can be opened, and labels are as wide as they
    /// have to be.
    fn begin(&mut self, step: u32, layout: &[Vec<u32>], firsts: &[usize]) {
        self.step = Some(step);
        let plans: Vec<&Plan> = std::iter::once(&self.plan).chain(&self.others).collect();
        for error in self.streams.begin(&plans, step, layout, firsts) {
            self.tell(&format!("srun: error: {error}"));
            self.exit = Some(1);
        }
        if self.plan.request.terminal.is_some() {
            self.raw = Raw::enter();
        }
        if matches!(self.input, Input::None) {
            self.link.send(&FromClient::InputEnd);
        }
    }

    fn plans(&self) -> impl Iterator<Item = &Plan> {
        std::iter::once(&self.plan).chain(&self.others)
    }

    fn on_part(&mut self, node: usize, said: FromPart) {
        match said {
            FromPart::Output { task, error, bytes } => {
                if let Some(output) = self.streams.of_task(task, error) {
                    output.write(task, &bytes.0);
                }
            }
            FromPart::OutputEnd { task, error } => {
                if let Some(output) = self.streams.of_task(task, error) {
                    output.end(task);
                }
            }
            FromPart::Message(text) => {
                let end = self.before_end();
                if let Some(stderr) = self.streams.of_node(node) {
                    stderr.put(format!("slurmstepd: error: {text}{end}\n").as_bytes());
                }
            }
            FromPart::Exited { tasks, exit } => {
                let said = self.tasks.as_mut().map(|t| t.ended(node, &tasks, exit));
                let hushed = self.interrupted && (self.aborted || !self.plan.disable_status) && exit.signal() > 0;
                match said.flatten() {
                    Some(said) if exit.is_success() => self.verbose(&said),
                    Some(said) if !hushed => self.tell(&format!("srun: error: {said}")),
                    _ => {}
                }
                self.first_exit.get_or_insert_with(Instant::now);
                let bad = self.plan.request.kill_on_bad_exit && !exit.is_success();
                if bad && !self.terminated && self.tasks.as_ref().is_some_and(Tasks::some_wait_for_others) {
                    self.terminated = true;
                    self.say_terminating();
                    self.link.send(&FromClient::Terminate);
                }
            }
            FromPart::InputTaken | FromPart::Done(_) | FromPart::Pmi(_) | FromPart::Measured(..) => {}
        }
    }

    /// What stands before the end of a line of ours: on a terminal that passes everything through, the next one would begin
    /// in the middle.
    fn before_end(&self) -> &'static str {
        if self.raw.is_some() { "\r" } else { "" }
    }

    /// A line on stderr.
    fn tell(&self, line: &str) {
        eprint(&format!("{line}{}", self.before_end()));
    }

    fn info(&self, line: &str) {
        if !self.plan.quiet {
            self.tell(line);
        }
    }

    fn verbose(&self, text: &str) {
        if self.plan.verbose {
            self.tell(&format!("srun: {text}"));
        }
    }

    fn say_terminating(&self) {
        if let Some(tasks) = &self.tasks {
            self.info(&format!("srun: Terminating {}", tasks.step()));
        }
    }

    fn say_status(&self) {
        for line in self.tasks.iter().flat_map(Tasks::status) {
            self.info(&format!("srun: {line}"));
        }
    }

    fn abort(&mut self) {
        self.aborted = true;
        self.say_aborted();
    }

    fn say_aborted(&mut self) {
        if !std::mem::replace(&mut self.said_aborted, true) {
            let seconds = self.kill_wait + 2;
            self.tell(&format!("srun: Job step aborted: Waiting up to {seconds} seconds for job step to finish."));
        }
    }

    /// How long `--immediate` still waits for a place, or `--wait` for the other tasks.
    fn until_impatient(&self) -> Option<Duration> {
        if let (Some(since), Some(wait), None) = (self.waiting, self.plan.immediate, self.step) {
            return Some(Duration::from_secs(wait.into()).saturating_sub(since.elapsed()));
        }
        let wait = Duration::from_secs(self.plan.wait?);
        self.tasks.as_ref().filter(|t| t.some_wait_for_others())?;
        Some(wait.saturating_sub(self.first_exit?.elapsed()))
    }

    fn lose_patience(&mut self) {
        if self.step.is_none() {
            let job = self.plan.request.job;
            self.tell(&format!("srun: error: Unable to create step for job {job}: Requested nodes are busy"));
            self.exit = Some(1);
            return;
        }
        self.info(&format!("srun: First task exited {}s ago", self.plan.wait.unwrap_or_default()));
        self.say_status();
        self.say_terminating();
        self.abort();
        self.link.send(&FromClient::Kill);
    }

    fn read_input(&mut self) {
        let mut bytes = vec![0; READ];
        let read = match &mut self.input {
            Input::Stdin => nix::unistd::read(io::stdin(), &mut bytes).map_err(io::Error::from),
            Input::File(file) => file.read(&mut bytes),
            Input::None => return,
        };
        match read {
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Ok(n) if n > 0 => {
                bytes.truncate(n);
                self.link.send(&FromClient::Input(Bytes(bytes)));
                self.input_due = true;
            }
            _ => {
                self.input = Input::None;
                self.link.send(&FromClient::InputEnd);
            }
        }
    }
}
