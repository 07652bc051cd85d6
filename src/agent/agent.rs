//! The agent itself: its state, the loop, and how the job begins and ends.

mod connections;
mod signals;
mod waiting;

use connections::Connection;
pub(super) use connections::Role;
pub(super) use signals::take_signals;

use super::{
    Launch, Layout,
    asking::Asking,
    batch::{self, Output, Script, Start},
    broadcast::{Broadcast, Receiving},
    component::Component,
    event::{EventKind, Reach},
    events::Events,
    limit::{Due, Limits},
    link::{Address, Link},
    log::Log,
    memory, namespace,
    noise::Key,
    oom, output,
    owner::{Owner, ToOwner},
    processes,
    remote::{self, Delivery, Inbox, Litter},
    step::{manager::Manager, part::Part, prepare},
    wire::Order,
};
use crate::{
    host::ipc,
    job::{ExitStatus, StepId, Usage},
    slurm::{options::Refusal, state::JobState},
};
use nix::{
    libc,
    sys::{
        prctl,
        signalfd::SignalFd,
        stat::{Mode, umask},
    },
};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::{self, Write},
    net::TcpListener,
    os::unix::net::UnixListener,
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
        Some((word, args)) if word == prepare::WORD => return Ok(prepare::main(args)),
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
    /// Where who is elsewhere comes to, on the first node: the other nodes' agents, where there are any, and the user's
    /// own programs. Each has a key of its own.
    pub doors: Vec<(TcpListener, Key)>,
    /// Connections that are there already.
    pub links: Vec<(Role, Link)>,
    /// Where commands ask the controller.
    pub desk: Option<UnixListener>,
    /// What they ask, on the first node.
    pub asking: Option<Asking>,
    /// stdout, on the first node.
    pub log: Option<Log>,
    /// Where the script's output goes.
    pub delivery: Delivery,
    /// What the controller asks.
    pub inbox: Option<Inbox>,
    /// This node's address for the world, where it is known.
    pub public: Option<String>,
    /// The port of the door that the user's own programs come to.
    pub door: Option<u16>,
    /// What is to be removed when the job is over.
    pub litter: Option<Litter>,
}

/// So long the first node's agent is waited for.
const FIRST: Duration = Duration::from_secs(1);

/// How the job is to end, once it was decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    pub state: JobState,
    pub cancelled_by: Option<u32>,
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
    /// Files that are brought for the nodes, by their bringer's connection.
    pub broadcasts: BTreeMap<u64, Broadcast>,
    /// Files that are written here, by connection.
    pub receiving: BTreeMap<u64, Receiving>,
    pub limits: Limits,
    /// The further components of a heterogeneous job, here on its first node.
    pub components: Vec<Component>,
    pub owner: Owner,
    pub ending: Option<Ending>,
    /// The script has ended (or an interactive allocation is given up): how.
    outcome: Option<ExitStatus>,
    /// No more is to come: what is left is being killed.
    pub closing: bool,
    pub events: Option<Events>,
    /// There may be children.
    has_children: bool,
    /// What the kernel killed for want of memory.
    pub oom: oom::Counter,
    /// What it said as the script began.
    oom_before: Option<u64>,
    /// What the agent itself killed of the script for want of memory.
    pub(super) oom_kills: u64,
    /// The agent's own watch on memory, where that is limited.
    pub(super) memory: Option<memory::Watch>,
    retry_first: Option<Duration>,
    /// The way to the first node's agent.
    pub first: Address,
    pub elsewhere: Option<Elsewhere>,
    /// What this process ends with.
    code: u8,
}

/// The process of the first node's agent of a job on this machine; `None` where it does not come.
fn first_agent(layout: &Layout) -> Option<i32> {
    let begun = Instant::now();
    loop {
        match ipc::connect(&layout.socket(0)) {
            Ok(stream) => return ipc::peer_pid(&stream).ok(),
            Err(e) if e.kind() == io::ErrorKind::NotFound && begun.elapsed() < FIRST => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(_) => return None,
        }
    }
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
        if launch.virtual_nodes {
            let name = launch.node_name(index);
            namespace::enter(name, launch.etc_hosts.as_deref(), || (index > 0).then(|| first_agent(&layout)).flatten());
        }
        // The name appears only when somebody listens behind it: who finds it and is refused knows that the job is over.
        let draft = layout.dir.join(format!("node{index}.sock.new"));
        let listener = ipc::listen(&draft)?;
        fs::rename(&draft, layout.socket(index))?;
        listener.set_nonblocking(true)?;
        umask(Mode::from_bits_truncate(launch.job.request.umask & 0o777));
        let made = launch.made.is_some();
        let owner = if index == 0 { Owner::of(&launch.job, made) } else { Owner::default() };
        let manager = Manager::new(&launch);
        let memory = memory::Watch::new(launch.memory_limit(index));
        let first = elsewhere.as_ref().map_or_else(|| Address::Socket(layout.socket(0)), |e| e.first.clone());
        Ok(Self {
            limits: if index == 0 { Limits::new(&launch) } else { Limits::default() },
            components: if index == 0 { Component::of(&launch) } else { Vec::new() },
            owner,
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
            broadcasts: BTreeMap::new(),
            receiving: BTreeMap::new(),
            ending: None,
            outcome: None,
            closing: false,
            events,
            has_children: false,
            oom: oom::Counter::of_own_cgroup(made),
            oom_before: None,
            oom_kills: 0,
            memory,
            retry_first: None,
            first,
            elsewhere,
            code: 0,
        })
    }

    /// The name of this node.
    pub fn node_name(&self) -> &str {
        self.launch.node_name(self.index)
    }

    /// Whether this node was made for the job, so that whoever wants something of it comes over a network.
    pub fn is_elsewhere(&self) -> bool {
        self.launch.made.is_some()
    }

    /// Notes an event; only the first node's agent tells.
    pub fn note(&mut self, kind: EventKind) {
        self.note_of(0, kind);
    }

    /// The same of a component of a heterogeneous job.
    pub fn note_of(&mut self, component: u32, kind: EventKind) {
        if let Some(events) = &mut self.events {
            events.push(component, kind);
        } else if let Some(log) = self.elsewhere.as_mut().and_then(|e| e.log.as_mut()) {
            log.event(component, kind);
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
            self.end_components();
            self.kill_overdue_steps();
            self.miss_owner();
            self.kill_overdue_epilogs();
            self.drop_stuck_watchers();
            self.answer_overdue();
            self.watch_memory();
            self.ask_again();
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
        if self.elsewhere.is_some() {
            let placements: Vec<_> = self.launch.jobs().map(|job| job.placement.clone().unwrap_or_default()).collect();
            let own = placements.first().filter(|_| placements.len() > 1).map(|placement| placement.nodes.len());
            for (component, placement) in (0..).zip(placements) {
                self.note_of(component, EventKind::Placed { placement });
            }
            let (socket, hosts) = (self.layout.socket(0), self.launch.hosts.clone());
            let around = self.elsewhere.as_ref();
            let (public, door) = (around.and_then(|e| e.public.clone()), around.and_then(|e| e.door));
            self.note(EventKind::Reachable(Reach { socket, hosts, own, public, door }));
        }
        let Some(script) = self.launch.script.clone() else {
            self.note(EventKind::Started { pid: 0 });
            return;
        };
        self.oom_before = self.oom.read();
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

    fn script_ended(&mut self, mut exit: ExitStatus, usage: Usage) {
        // A job that is being ended is killed by us.
        let killed = self.ending.is_none() && self.oom.may_be(exit);
        let kills = self.oom_kills + self.oom.claim(self.oom_before, (killed && self.oom_kills == 0).into());
        if kills > 0 && self.ending.is_none() {
            exit = ExitStatus::OUT_OF_MEMORY;
            self.say(&oom::message(kills, self.launch.job.id, StepId::Batch));
        }
        self.outcome = Some(exit);
        let cancelled_by = None;
        let state = match exit {
            ExitStatus::NO_FILES => JobState::Cancelled,
            exit => batch::state_of(exit),
        };
        self.note(EventKind::StepEnded { id: StepId::Batch, state, exit, usage, cancelled_by });
    }

    /// An interactive allocation is given back.
    pub(super) fn relinquish(&mut self, exit: ExitStatus) {
        if self.launch.script.is_none() && !self.closing {
            self.outcome.get_or_insert(exit);
        }
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
            None if exit == ExitStatus::OUT_OF_MEMORY => (JobState::OutOfMemory, exit, None),
            None => (JobState::Failed, exit, None),
        };
        let derived_exit = self.manager.highest_exit();
        if self.elsewhere.is_some() {
            self.code = if self.ending.is_some() { 1 } else { exit.shell_code() };
        }
        self.note(EventKind::Ended { state, exit, derived_exit, cancelled_by });
        self.tell_owner(&ToOwner::Over);
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
