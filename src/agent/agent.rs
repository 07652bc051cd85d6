//! The agent itself: its state, and the loop that waits and does what is due.

use super::{
    Launch, Layout,
    batch::{self, Output, Script, Start},
    event::EventKind,
    events::Events,
    limit::{Due, Limits},
    link::{Address, Link},
    log::{self, Log},
    namespace,
    noise::Key,
    output, processes,
    remote::{self, Delivery, Inbox, Litter, rendezvous},
    step::{manager::Manager, part::Part},
    wire::{Order, Request},
};
use crate::{
    host::ipc,
    job::{ExitStatus, StepId, Usage},
    slurm::{options::Refusal, state::JobState},
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
    net::TcpListener,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::{UnixListener, UnixStream},
    },
    path::PathBuf,
    time::{Duration, Instant},
};

/// `skyslurm agent SPOOL NODE`: runs one node of the job whose spool directory is `SPOOL` until the job is over.
/// `args` are `SPOOL` and `NODE`; the exit code is 0 unless there was nothing to run. Without arguments it is
/// started by SkyPilot, on a node that was made for a job ([`super::remote`]), and so it is with `run` and sbatch's words behind
/// it; the first node's exit code is then the script's.
pub fn main(args: &[OsString]) -> u8 {
    match run(args) {
        Ok(code) => code,
        Err(error) => {
            // What sbatch would say, it says in its own words.
            let refusal = error.get_ref().and_then(|inner| inner.downcast_ref::<Refusal>());
            let _ = match refusal {
                Some(refusal) => writeln!(io::stderr(), "{refusal}"),
                None => writeln!(io::stderr(), "skyslurm agent: error: {error}"),
            };
            refusal.map_or(1, |refusal| refusal.exit)
        }
    }
}

fn run(args: &[OsString]) -> io::Result<u8> {
    match args.split_first() {
        None => return remote::run(),
        Some((word, args)) if word == "run" => return remote::run_plain(args),
        _ => {}
    }
    let [spool, index] = args else {
        return Err(io::Error::other("usage: skyslurm agent SPOOL NODE"));
    };
    let index = index.to_str().and_then(|n| n.parse().ok()).ok_or_else(|| io::Error::other("NODE is no number"))?;
    let layout = Layout { dir: PathBuf::from(spool) };
    let _ = nix::unistd::setsid(); // whoever started us may end with its own session
    let launch: Launch = serde_json::from_slice(&fs::read(layout.launch())?).map_err(io::Error::other)?;
    Agent::new(launch, layout, index, take_signals()?, None)?.run()
}

/// What an agent on a node that was made for the job has besides.
pub(super) struct Elsewhere {
    /// How the first node's agent is reached; its own, on the first node.
    pub first: Address,
    /// Where other nodes' agents come to, on the first node of several.
    pub listener: Option<(TcpListener, Key)>,
    /// Connections that are there already.
    pub links: Vec<(Role, Link)>,
    /// stdout, on the first node.
    pub log: Option<Log>,
    /// Where the script's output goes.
    pub delivery: Delivery,
    /// What the controller asks.
    pub inbox: Option<Inbox>,
    /// What is to be removed when the job is over.
    pub litter: Option<Litter>,
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
    since: Instant,
}

/// What poll(2) was asked about.
#[derive(Clone, Copy)]
enum Source {
    Signals,
    Listener,
    /// Where other nodes' agents come to.
    Door,
    /// stdout takes more of the log.
    Log,
    /// The script wrote something for the log.
    Script(log::Pipe),
    Link(u64),
    Part {
        step: u32,
        pipe: super::step::part::Pipe,
    },
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
    /// The way to the first node's agent.
    pub first: Address,
    elsewhere: Option<Elsewhere>,
    /// What this process ends with.
    code: u8,
}

impl Agent {
    /// An agent for node `index` of `launch`. `signals` were taken by [`take_signals`].
    pub fn new(
        launch: Launch,
        layout: Layout,
        index: usize,
        signals: SignalFd,
        elsewhere: Option<Elsewhere>,
    ) -> io::Result<Self> {
        prctl::set_child_subreaper(true)?;
        umask(Mode::from_bits_truncate(0o077));
        let events = match index {
            0 if elsewhere.is_none() => Some(Events::create(&layout, launch.job.id)?),
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
        let first = elsewhere.as_ref().map_or_else(|| Address::Socket(layout.socket(0)), |e| e.first.clone());
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
            first,
            elsewhere,
            code: 0,
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
        } else if let Some(log) = self.elsewhere.as_mut().and_then(|e| e.log.as_mut()) {
            log.event(kind);
        }
    }

    /// The log, where the script's output goes there.
    fn script_log(&mut self) -> Option<&mut Log> {
        self.elsewhere.as_mut().filter(|e| e.delivery == Delivery::Copied).and_then(|e| e.log.as_mut())
    }

    /// Runs the job to its end; the exit code of this process.
    pub fn run(mut self) -> io::Result<u8> {
        let links = self.elsewhere.as_mut().map(|e| std::mem::take(&mut e.links)).unwrap_or_default();
        let made = self.elsewhere.is_some();
        let known: Vec<u64> = links.into_iter().map(|(role, link)| self.adopt(link, role)).collect();
        match self.index {
            0 => self.start_job(),
            _ if made => {}
            _ => self.join_first(Duration::from_millis(1)),
        }
        known.into_iter().for_each(|id| self.on_link(id)); // something may have come with what was said before
        loop {
            self.take_orders();
            while let Some(due) = self.limits.due() {
                self.on_due(due);
            }
            self.kill_overdue_steps();
            self.settle();
            if let Some(events) = &mut self.events {
                events.tell();
            }
            let log = self.elsewhere.as_mut().and_then(|e| e.log.as_mut());
            let logged = log.is_none_or(|log| {
                log.flush();
                !log.is_due()
            });
            if self.is_over() && logged && self.events.as_ref().is_none_or(Events::is_told) {
                // The first node's agent takes us for gone when our connection is.
                drop(self.elsewhere.take());
                return Ok(self.code);
            }
            for source in self.wait()? {
                self.serve(source);
            }
        }
    }

    fn start_job(&mut self) {
        if let Some(placement) = self.launch.job.placement.clone().filter(|_| self.elsewhere.is_some()) {
            self.note(EventKind::Placed { placement });
        }
        let Some(script) = self.launch.script.clone() else {
            self.note(EventKind::Started { pid: 0 });
            return;
        };
        let output = match self.elsewhere.as_mut().map(|e| (e.delivery, e.log.as_mut())) {
            Some((Delivery::Copied, Some(log))) => Output::Log(log),
            Some((Delivery::Plain, _)) => Output::Own,
            _ => Output::Files,
        };
        let started = batch::start(&self.launch, &script, output);
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
        if let Some(elsewhere) = &self.elsewhere {
            if let Some((door, _)) = &elsewhere.listener {
                sources.push(Source::Door);
                fds.push(PollFd::new(door.as_fd(), PollFlags::POLLIN));
            }
            if let Some(log) = &elsewhere.log {
                if log.is_due() {
                    sources.push(Source::Log);
                    // SAFETY: descriptor 1 is nobody's to close but this process's at its end.
                    fds.push(PollFd::new(unsafe { BorrowedFd::borrow_raw(1) }, PollFlags::POLLOUT));
                }
                for (pipe, fd) in log.pipes() {
                    sources.push(Source::Script(pipe));
                    fds.push(PollFd::new(fd, PollFlags::POLLIN));
                }
            }
        }
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
        let orders = self.elsewhere.as_ref().and_then(|e| e.inbox.as_ref()).map(Inbox::wait);
        let strangers = self.strangers().next().map(|(_, c)| rendezvous::SILENCE.saturating_sub(c.since.elapsed()));
        let waits = [self.limits.wait(), self.manager.wait(), self.retry_first, telling, orders, strangers];
        let timeout = waits.into_iter().flatten().min();
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
            Source::Door => self.open_door(),
            Source::Log => {} // it is flushed in every turn
            Source::Script(pipe) => {
                if let Some(log) = self.script_log() {
                    log.take(pipe);
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
        let Ok(link) = Link::new(stream) else { return };
        if self.index == 0 {
            self.adopt(link, Role::New);
        } else if let Ok(first) = self.first.dial() {
            // The account of the job is kept on the first node: what is said here is said there.
            let (here, there) = (self.adopt(link, Role::New), self.adopt(first, Role::New));
            self.set_role(here, Role::Relay(there));
            self.set_role(there, Role::Relay(here));
        }
    }

    /// Lets other nodes' agents in. Who they are shows when they speak; those who do not are sent away.
    fn open_door(&mut self) {
        let Some((door, key)) = self.elsewhere.as_ref().and_then(|e| e.listener.as_ref()) else {
            return;
        };
        let accept = || door.accept().ok().map(|(stream, _)| Link::accepted(stream, key));
        let links: Vec<Link> = std::iter::from_fn(accept).flatten().collect();
        for link in links {
            self.adopt(link, Role::New);
        }
        let surplus = self.strangers().count().saturating_sub(rendezvous::STRANGERS);
        let longest: Vec<u64> = self.strangers().take(surplus).map(|(id, _)| id).collect();
        longest.into_iter().for_each(|id| self.lost(id));
    }

    /// Connections from other machines that have not said what they are for, the oldest first.
    fn strangers(&self) -> impl Iterator<Item = (u64, &Connection)> {
        let stranger = |c: &Connection| matches!(c.role, Role::New) && c.link.is_far();
        self.connections.iter().map(|(id, c)| (*id, c)).filter(move |(_, c)| stranger(c))
    }

    /// Does what the controller asks, and sends away who has been silent for too long.
    fn take_orders(&mut self) {
        let orders = self.elsewhere.as_mut().and_then(|e| e.inbox.as_mut()).map(Inbox::take).unwrap_or_default();
        for control in orders {
            self.on_control(control);
        }
        let silent = |c: &Connection| c.since.elapsed() >= rendezvous::SILENCE;
        let silent: Vec<u64> = self.strangers().filter(|(_, c)| silent(c)).map(|(id, _)| id).collect();
        silent.into_iter().for_each(|id| self.lost(id));
    }

    /// Keeps a connection.
    pub fn adopt(&mut self, link: Link, role: Role) -> u64 {
        self.last_connection += 1;
        self.connections.insert(self.last_connection, Connection { link, role, since: Instant::now() });
        self.last_connection
    }

    /// Connects to the first node's agent, later again if it is not there yet.
    fn join_first(&mut self, delay: Duration) {
        match self.first.dial() {
            Ok(link) => {
                let id = self.adopt(link, Role::First);
                let index = self.index;
                self.send(id, &Request::Node { index });
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
            } else if self.index > 0 && self.elsewhere.is_some() {
                // SkyPilot ends the job on all its nodes: the first one's agent will say when it is over.
                self.signal_parts(libc::SIGTERM);
                self.limits.kill_after(self.launch.kill_wait);
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
            Due::Kill => {
                self.kill_all();
                self.closing |= self.index > 0;
            }
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
            if self.index == 0 && self.is_empty() && self.script_log().is_none_or(Log::finish) {
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
        if self.elsewhere.is_some() {
            self.code = if self.ending.is_some() { 1 } else { exit.shell_code() };
        }
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
    pub fn say(&mut self, text: &str) {
        if let Some(log) = self.script_log() {
            log.message(text);
        } else if let Some(error) = self.script.as_ref().and_then(|s| s.error.as_ref()) {
            output::message(error, text);
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
pub(super) fn take_signals() -> io::Result<SignalFd> {
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
