//! The agent itself: its state, and the loop that waits and does what is due.

use super::{
    Launch, Layout,
    batch::{self, Script, Start},
    event::EventKind,
    events::Events,
    limit::{Due, Limits},
    link::Link,
    namespace, output, processes,
    step::{manager::Manager, part::Part},
    wire::{Order, Request},
};
use crate::{
    host::ipc,
    job::{ExitStatus, StepId, Usage},
    slurm::state::JobState,
};
use nix::{
    errno::Errno,
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        prctl,
        signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
        signalfd::{SfdFlags, SignalFd},
        stat::{Mode, umask},
    },
};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::{self, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::{UnixListener, UnixStream},
    },
    path::PathBuf,
    time::Duration,
};

/// `skyslurm agent SPOOL NODE`: runs one node of the job whose spool directory is `SPOOL` until the job is over.
/// `args` are `SPOOL` and `NODE`; the exit code is 0 unless there was nothing to run.
pub fn main(args: &[OsString]) -> u8 {
    match run(args) {
        Ok(()) => 0,
        Err(error) => {
            let _ = writeln!(io::stderr(), "skyslurm agent: error: {error}");
            1
        }
    }
}

fn run(args: &[OsString]) -> io::Result<()> {
    let [spool, index] = args else {
        return Err(io::Error::other("usage: skyslurm agent SPOOL NODE"));
    };
    let index = index.to_str().and_then(|n| n.parse().ok()).ok_or_else(|| io::Error::other("NODE is no number"))?;
    let layout = Layout { dir: PathBuf::from(spool) };
    let _ = nix::unistd::setsid(); // whoever started us may end with its own session
    let launch: Launch = serde_json::from_slice(&fs::read(layout.launch())?).map_err(io::Error::other)?;
    Agent::new(launch, layout, index)?.run()
}

/// How the job is to end, once it was decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    pub state: JobState,
    pub cancelled_by: Option<u32>,
}

/// What a connection is for.
pub(super) enum Role {
    /// Nothing was said yet.
    New,
    /// srun.
    Client,
    /// Another node's agent, here on the first node.
    Node(usize),
    /// The first node's agent, there on another node.
    First,
    /// A node's part of a step, here on the first node.
    PartOf { step: u32, node: usize },
    /// The first node's agent, for our part of a step.
    Part(u32),
    /// One of two connections between which everything is handed on unread.
    Relay(u64),
}

/// A connection.
pub(super) struct Connection {
    pub link: Link,
    pub role: Role,
}

/// What poll(2) was asked about.
#[derive(Clone, Copy)]
enum Source {
    Signals,
    Listener,
    Link(u64),
    Part { step: u32, pipe: super::step::part::Pipe },
}

/// One node's agent.
pub(super) struct Agent {
    pub launch: Launch,
    pub layout: Layout,
    pub index: usize,
    listener: UnixListener,
    signals: SignalFd,
    pub connections: BTreeMap<u64, Connection>,
    last_connection: u64,
    pub script: Option<Script>,
    pub parts: Vec<Part>,
    pub manager: Manager,
    pub limits: Limits,
    pub ending: Option<Ending>,
    /// The script has ended (or an interactive allocation is given up): how.
    outcome: Option<ExitStatus>,
    /// No more is to come: what is left is being killed.
    pub closing: bool,
    pub events: Option<Events>,
    /// There may be children.
    has_children: bool,
    retry_first: Option<Duration>,
}

impl Agent {
    fn new(launch: Launch, layout: Layout, index: usize) -> io::Result<Self> {
        let signals = take_signals()?;
        prctl::set_child_subreaper(true)?;
        umask(Mode::from_bits_truncate(0o077));
        let events = match index {
            0 => Some(Events::create(&layout, launch.job.id)?),
            _ => None,
        };
        // The name appears only when somebody listens behind it: who finds it and is refused knows that the job is over.
        let draft = layout.dir.join(format!("node{index}.sock.new"));
        let listener = ipc::listen(&draft)?;
        fs::rename(&draft, layout.socket(index))?;
        listener.set_nonblocking(true)?;
        umask(Mode::from_bits_truncate(launch.job.request.umask & 0o777));
        if launch.virtual_nodes {
            let name = launch.job.placement.as_ref().and_then(|p| p.nodes.get(index)).map_or("", |n| &n.node);
            namespace::enter(name, launch.etc_hosts.as_deref());
        }
        let manager = Manager::new(&launch.job);
        Ok(Self {
            limits: if index == 0 { Limits::new(&launch) } else { Limits::default() },
            launch,
            layout,
            index,
            listener,
            signals,
            connections: BTreeMap::new(),
            last_connection: 0,
            script: None,
            parts: Vec::new(),
            manager,
            ending: None,
            outcome: None,
            closing: false,
            events,
            has_children: false,
            retry_first: None,
        })
    }

    /// The name of this node.
    pub fn node_name(&self) -> &str {
        self.launch.job.placement.as_ref().and_then(|p| p.nodes.get(self.index)).map_or("", |n| &n.node)
    }

    /// Notes an event; only the first node's agent tells.
    pub fn note(&mut self, kind: EventKind) {
        if let Some(events) = &mut self.events {
            events.push(kind);
        }
    }

    fn run(mut self) -> io::Result<()> {
        match self.index {
            0 => self.start_job(),
            _ => self.join_first(Duration::from_millis(1)),
        }
        loop {
            while let Some(due) = self.limits.due() {
                self.on_due(due);
            }
            self.kill_overdue_steps();
            self.settle();
            if let Some(events) = &mut self.events {
                events.tell();
            }
            if self.is_over() && self.events.as_ref().is_none_or(Events::is_told) {
                return Ok(());
            }
            for source in self.wait()? {
                self.serve(source);
            }
        }
    }

    fn start_job(&mut self) {
        let Some(script) = self.launch.script.clone() else {
            self.note(EventKind::Started { pid: 0 });
            return;
        };
        let started = batch::start(&self.launch, &script);
        let pid = match &started {
            Start::Running(script) => script.pid,
            Start::Failed(_) => 0,
        };
        self.note(EventKind::Started { pid: pid.unsigned_abs() });
        self.note(EventKind::StepStarted(batch::step(&self.launch)));
        match started {
            Start::Running(script) => {
                self.script = Some(script);
                self.has_children = true;
            }
            Start::Failed(exit) => self.script_ended(exit, Usage::default()),
        }
    }

    fn script_ended(&mut self, exit: ExitStatus, usage: Usage) {
        self.outcome = Some(exit);
        let cancelled_by = None;
        let state = match exit {
            batch::NO_FILES => JobState::Cancelled,
            exit => batch::state_of(exit),
        };
        self.note(EventKind::StepEnded { id: StepId::Batch, state, exit, usage, cancelled_by });
    }

    /// Waits until something can be done, and says what.
    fn wait(&self) -> io::Result<Vec<Source>> {
        let mut sources = vec![Source::Signals, Source::Listener];
        let mut fds = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
        ];
        for (id, connection) in &self.connections {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::POLLIN, self.may_read(connection));
            flags.set(PollFlags::POLLOUT, connection.link.waiting() > 0);
            if !flags.is_empty() {
                sources.push(Source::Link(*id));
                fds.push(PollFd::new(connection.link.fd(), flags));
            }
        }
        for part in &self.parts {
            let full = self.connections.get(&part.connection).is_some_and(|c| c.link.is_full());
            part.pipes(full, |pipe, fd: BorrowedFd, flags| {
                sources.push(Source::Part { step: part.step(), pipe });
                // SAFETY: the pipe lives in `self.parts`, which is not touched before poll has returned.
                fds.push(PollFd::new(unsafe { BorrowedFd::borrow_raw(std::os::fd::AsRawFd::as_raw_fd(&fd)) }, flags));
            });
        }
        let telling = self.events.as_ref().and_then(Events::wait);
        let timeout = [self.limits.wait(), self.manager.wait(), self.retry_first, telling].into_iter().flatten().min();
        let timeout = match timeout {
            // One more, since poll counts whole milliseconds.
            Some(t) => PollTimeout::try_from(t.as_millis().saturating_add(1).min(i32::MAX as u128) as i32)
                .unwrap_or(PollTimeout::MAX),
            None => PollTimeout::NONE,
        };
        match poll(&mut fds, timeout) {
            Err(Errno::EINTR) | Ok(0) => {
                return Ok(self.retry_first.map(|_| Source::Listener).into_iter().collect());
            }
            Err(errno) => return Err(errno.into()),
            Ok(_) => {}
        }
        let ready = fds.iter().map(|fd| fd.any().unwrap_or(false));
        Ok(sources.into_iter().zip(ready).filter(|(_, ready)| *ready).map(|(source, _)| source).collect())
    }

    /// What arrives is left in the socket while those it is for cannot take it.
    fn may_read(&self, connection: &Connection) -> bool {
        let full = |id: &u64| self.connections.get(id).is_some_and(|c| c.link.is_full());
        match &connection.role {
            Role::Relay(other) => !full(other),
            Role::PartOf { step, .. } => !self.manager.client_of(*step).is_some_and(|id| full(&id)),
            _ => true,
        }
    }

    fn serve(&mut self, source: Source) {
        match source {
            Source::Signals => self.on_signals(),
            Source::Listener => {
                if let Some(delay) = self.retry_first.take() {
                    self.join_first(delay);
                }
                while let Ok((stream, _)) = self.listener.accept() {
                    self.greet(stream);
                }
            }
            Source::Link(id) => self.on_link(id),
            Source::Part { step, pipe } => self.on_pipe(step, pipe),
        }
    }

    /// Takes a new connection, if it is the job's user's (or root's).
    fn greet(&mut self, stream: UnixStream) {
        let owner = nix::unistd::geteuid().as_raw();
        if !ipc::peer_uid(&stream).is_ok_and(|uid| uid == owner || uid == 0) {
            return;
        }
        if self.index == 0 {
            self.adopt(stream, Role::New);
        } else if let Ok(first) = ipc::connect(&self.layout.socket(0)) {
            // The account of the job is kept on the first node: what is said here is said there.
            let (Some(here), Some(there)) = (self.adopt(stream, Role::New), self.adopt(first, Role::New)) else {
                return;
            };
            for (id, other) in [(here, there), (there, here)] {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.role = Role::Relay(other);
                }
            }
        }
    }

    /// Keeps a connection.
    pub fn adopt(&mut self, stream: UnixStream, role: Role) -> Option<u64> {
        let link = Link::new(stream).ok()?;
        self.last_connection += 1;
        self.connections.insert(self.last_connection, Connection { link, role });
        Some(self.last_connection)
    }

    /// Connects to the first node's agent, later again if it is not there yet.
    fn join_first(&mut self, delay: Duration) {
        match ipc::connect(&self.layout.socket(0)) {
            Ok(stream) => {
                if let Some(id) = self.adopt(stream, Role::First) {
                    let index = self.index;
                    self.send(id, &Request::Node { index });
                }
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.layout.dir.exists() => {
                self.retry_first = Some((delay * 2).min(Duration::from_millis(200)));
            }
            Err(_) => self.closing = true, // it was there and is gone: the job is over
        }
    }

    /// Sends a frame to a connection, if it is still there.
    pub fn send(&mut self, connection: u64, value: &impl serde::Serialize) {
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.link.send(value);
        }
    }

    fn on_link(&mut self, id: u64) {
        let may_read = self.connections.get(&id).is_some_and(|c| self.may_read(c));
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.link.flush();
        if may_read {
            connection.link.fill();
        }
        loop {
            let Some(connection) = self.connections.get_mut(&id) else {
                return;
            };
            let link = &mut connection.link;
            let went_on = match connection.role {
                Role::Relay(other) => {
                    let bytes = link.take_raw();
                    if let Some(other) = self.connections.get_mut(&other) {
                        other.link.send_raw(&bytes);
                    }
                    false
                }
                Role::New => link.receive().map(|request| self.on_request(id, request)).is_some(),
                Role::Client => link.receive().map(|said| self.on_client(id, said)).is_some(),
                Role::First => link.receive().map(|order| self.on_order(order)).is_some(),
                Role::PartOf { step, node } => link.receive().map(|said| self.on_part_of(step, node, said)).is_some(),
                Role::Part(step) => link.receive().map(|told| self.on_part(step, told)).is_some(),
                Role::Node(_) => link.receive::<Order>().is_some(), // says nothing after its name
            };
            if !went_on {
                break;
            }
        }
        if self.connections.get(&id).is_some_and(|c| c.link.closed) {
            self.lost(id);
        }
    }

    /// The other end of a connection is gone.
    fn lost(&mut self, id: u64) {
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        match connection.role {
            Role::Relay(other) => {
                // What is on its way still arrives; then the other end closes.
                if let Some(connection) = self.connections.get_mut(&other) {
                    connection.link.close_when_sent();
                    if connection.link.closed {
                        self.connections.remove(&other);
                    }
                }
            }
            Role::Client => self.client_lost(id),
            Role::PartOf { step, node } => self.part_lost(step, node),
            Role::Part(step) => self.part_cut_off(step),
            Role::First => self.closing = true,
            // Without one of its nodes a job cannot go on, unless it said that it can.
            Role::Node(_) if !self.closing && !self.launch.job.request.no_kill => {
                self.terminate(None, JobState::NodeFail);
            }
            Role::New | Role::Node(_) => {}
        }
    }

    fn on_request(&mut self, id: u64, request: Request) {
        match request {
            Request::Control(control) => {
                let answer = self.on_control(control);
                self.send(id, &answer);
            }
            Request::Step(request) => self.on_step_request(id, *request),
            Request::Node { index } => {
                self.set_role(id, Role::Node(index));
                if self.closing {
                    self.send(id, &Order::Finish);
                } else {
                    self.node_joined(index);
                }
            }
            Request::Part { step, node } => {
                self.set_role(id, Role::PartOf { step, node });
                self.part_joined(step, node, id);
            }
        }
    }

    pub fn set_role(&mut self, id: u64, role: Role) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.role = role;
        }
    }

    fn on_order(&mut self, order: Order) {
        match order {
            Order::Launch(launching) => self.launch_part(*launching, None),
            Order::Finish => self.closing = true,
        }
    }

    /// The connection to the agent of node `index` of the job.
    pub fn node_connection(&self, index: usize) -> Option<u64> {
        self.connections.iter().find(|(_, c)| matches!(c.role, Role::Node(i) if i == index)).map(|(id, _)| *id)
    }

    fn on_signals(&mut self) {
        while let Ok(Some(info)) = self.signals.read_signal() {
            if info.ssi_signo == libc::SIGCHLD as u32 {
                self.reap();
            } else if self.index > 0 {
                self.closing = true;
            } else {
                // The machine is going down, or somebody ends the agent by hand: as if the node had failed.
                self.terminate(None, JobState::NodeFail);
            }
        }
    }

    fn reap(&mut self) {
        loop {
            let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
            // SAFETY: both point to memory of the right type; a rusage of zeros is a valid one.
            let (pid, usage) = unsafe {
                let pid = libc::wait4(-1, &mut status, libc::WNOHANG, usage.as_mut_ptr());
                (pid, usage.assume_init())
            };
            if pid <= 0 {
                self.has_children = pid == 0;
                break;
            }
            let exit = ExitStatus((status & 0xff7f).unsigned_abs());
            let usage = measure(&usage);
            if self.script.as_ref().is_some_and(|s| s.pid == pid) {
                self.script_ended(exit, usage);
            } else {
                self.task_ended(pid, exit, usage);
            }
        }
        self.report_exits();
    }

    fn on_due(&mut self, due: Due) {
        match due {
            Due::Warn(warning) => self.warn(warning),
            Due::End => self.terminate(None, JobState::Timeout),
            Due::Kill => self.kill_all(),
        }
    }

    /// Ends all that is left, now.
    fn kill_all(&mut self) {
        processes::signal(&processes::Tree::look().all(), libc::SIGKILL);
        self.kill_steps();
    }

    /// Brings the job to its end when it is time for it.
    fn settle(&mut self) {
        if self.index == 0 && self.launch.script.is_none() && self.ending.is_some() && self.manager.is_idle() {
            self.outcome.get_or_insert_default();
        }
        // An srun of a job that is being ended says how its tasks ended; KILL comes after `kill_wait` anyway.
        let last_words = self.ending.is_some() && self.connections.values().any(|c| matches!(c.role, Role::Client));
        if self.outcome.is_some() && !self.closing && !last_words {
            self.closing = true;
            self.script_is_over();
        }
        if self.closing {
            if self.has_children {
                // What has lost its parent becomes a child of ours, so that in the end nothing is left.
                match processes::children() {
                    Some(children) => processes::signal(&children, libc::SIGKILL),
                    None => processes::signal(&processes::Tree::look().all(), libc::SIGKILL),
                }
            }
            if self.index == 0 && self.is_empty() {
                self.tell_the_end();
            }
        }
    }

    fn script_is_over(&mut self) {
        self.kill_steps();
        let nodes: Vec<u64> =
            self.connections.iter().filter(|(_, c)| matches!(c.role, Role::Node(_))).map(|(id, _)| *id).collect();
        for id in nodes {
            self.send(id, &Order::Finish);
        }
    }

    /// Nothing of the job is left anywhere.
    fn is_empty(&self) -> bool {
        !self.has_children
            && self.parts.is_empty()
            && self.manager.is_idle()
            && !self.connections.values().any(|c| matches!(c.role, Role::Node(_)))
    }

    fn tell_the_end(&mut self) {
        let Some(exit) = self.outcome else { return };
        let (state, exit, cancelled_by) = match self.ending {
            Some(ending) => (ending.state, ExitStatus::default(), ending.cancelled_by),
            None if exit.is_success() => (JobState::Completed, exit, None),
            None => (JobState::Failed, exit, None),
        };
        let derived_exit = self.manager.highest_exit();
        self.note(EventKind::Ended { state, exit, derived_exit, cancelled_by });
        self.outcome = None;
    }

    /// Whether the agent may go: the end is told, and what was said to others has been sent.
    fn is_over(&self) -> bool {
        self.closing
            && self.outcome.is_none()
            && self.is_empty()
            && self.connections.values().all(|c| c.link.waiting() == 0)
    }

    /// Writes a line of slurmstepd's to the script's stderr.
    pub fn say(&self, text: &str) {
        if let Some(script) = &self.script {
            output::message(&script.error, text);
        }
    }

    /// Whether the script is running.
    pub fn running_script(&self) -> Option<i32> {
        self.script.as_ref().filter(|_| self.outcome.is_none()).map(|s| s.pid)
    }

    /// A child was started.
    pub fn started_child(&mut self) {
        self.has_children = true;
    }
}

/// Blocks all signals, so that a child finds each at its default once they are let through, and takes those that
/// are the agent's business from a descriptor.
fn take_signals() -> io::Result<SignalFd> {
    SigSet::all().thread_set_mask()?;
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in Signal::iterator().filter(|s| !matches!(s, Signal::SIGKILL | Signal::SIGSTOP)) {
        // SAFETY: the default action runs no code of ours.
        unsafe { sigaction(signal, &default)? };
    }
    // The real-time ones, and the two that the C library keeps to itself.
    let default = [0u64; 4];
    for signal in 32..=64 {
        // SAFETY: the kernel's sigaction is four words; zeros are the default action.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), 0usize, 8usize) };
    }
    let mut mine = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        mine.add(signal);
    }
    Ok(SignalFd::with_flags(&mine, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?)
}

fn measure(usage: &libc::rusage) -> Usage {
    let us = |t: libc::timeval| u64::try_from(t.tv_sec * 1_000_000 + t.tv_usec).unwrap_or(0);
    Usage {
        user_us: us(usage.ru_utime),
        system_us: us(usage.ru_stime),
        max_rss_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0),
    }
}
