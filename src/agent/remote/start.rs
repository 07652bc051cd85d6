//! From SkyPilot's start of the agent to a job that runs.

use super::{
    Delivery, Inbox, Payload, VARIABLE, inbox,
    names::{self, Entries},
    plain, public,
    rendezvous::{self, FromNode, Gathering, Go, Info, Knocking, NotFound, ToNode},
    state::{self, State},
    surroundings::{self, Surroundings},
    workdir::{self, Workdir},
};
use crate::{
    agent::{
        EventKind, Host, Launch, Layout, Made,
        agent::{Agent, Elsewhere, Role, take_signals},
        clock,
        link::{Address, Link},
        log::Log,
        noise::Key,
        output,
        wire::Control,
    },
    host::hardware,
    job::{ExitStatus, Job, Kind, MadeNode, Placement, Shape, files::Files},
    slurm::{idset::IdSet, state::JobState},
};
use nix::sys::signalfd::SignalFd;
use std::{
    env,
    ffi::OsString,
    fs, io,
    net::TcpListener,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// How long the first node waits for the others, in seconds; instead of [`PATIENCE`].
const WAIT: &str = "SKYSLURM_WAIT_FOR_NODES";

/// Nodes come up minutes apart, but not more than this.
const PATIENCE: Duration = Duration::from_secs(600);

/// How long all may take to see to the names.
const NAMING: Duration = Duration::from_secs(30);

/// What is removed when the job is over, in this order.
pub(in crate::agent) struct Litter {
    _entries: Option<Entries>,
    _workdir: Workdir,
    _state: State,
}

/// What every node has once it has looked around.
struct Node {
    around: Surroundings,
    payload: Payload,
    job: Job,
    key: Key,
    signals: SignalFd,
    state: State,
    layout: Layout,
    workdir: Workdir,
    /// Its address for the world. Asked for where somebody is to come in.
    public: Option<String>,
    /// The work directory as the submitter calls it.
    submitted: PathBuf,
}

/// `skyslurm agent`, started by SkyPilot: runs this node of the job until it is over. The exit code of the first
/// node's is the script's, that of the others 0.
pub(in crate::agent) fn run() -> io::Result<u8> {
    let around = Surroundings::find()?;
    let beside = around.program.parent().unwrap_or(Path::new("/"));
    let payload = Payload::find(env::var(VARIABLE).ok().as_deref(), beside).map_err(io::Error::other)?;
    begin(around, payload)
}

/// The same for `skyslurm agent run`, with what stands behind it.
pub(in crate::agent) fn run_plain(args: &[OsString]) -> io::Result<u8> {
    let around = Surroundings::find()?;
    let payload = plain::payload(args, &around).map_err(io::Error::other)?;
    begin(around, payload)
}

fn begin(around: Surroundings, payload: Payload) -> io::Result<u8> {
    let Some(mut job) = payload.job_of(around.rank).map_err(io::Error::other)? else {
        return Ok(0);
    };
    let signals = take_signals()?;
    let state = State::make(&around.program, &payload.cluster)?;
    let layout = state.spool(job.id)?;
    let mut request = (*job.request).clone();
    let submitted = PathBuf::from(&request.work_dir);
    let workdir = match payload.delivery {
        Delivery::Copied => {
            workdir::restore_modes(&around.workdir);
            Workdir::provide(&mut request, &around.workdir)
        }
        Delivery::Plain => {
            workdir::restore_modes(&around.workdir);
            Workdir::default()
        }
        Delivery::Shared => Workdir::default(),
    };
    job.request = Arc::new(request);
    job.state = JobState::Running;
    let key = around.key(&payload.secret);
    let is_first = around.index == 0;
    let public = (is_first && job.request.kind != Kind::Batch).then(public::address).flatten();
    let node = Node { around, payload, job, key, signals, state, layout, workdir, public, submitted };
    if node.around.index == 0 { node.first() } else { node.other() }
}

impl Node {
    fn info(&self) -> Info {
        Info {
            index: self.around.index,
            name: hardware::host_name(),
            cpus: hardware::cpus(),
            memory: memory(),
            gpus: self.around.gpus,
            gpu_ids: visible_gpus(&env::var("CUDA_VISIBLE_DEVICES").unwrap_or_default()),
        }
    }

    fn first(self) -> io::Result<u8> {
        let delivery = self.payload.delivery;
        let apart = Files::of(&self.job, "").error.is_some();
        let log = (delivery != Delivery::Plain).then(|| Log::new(state::random(), apart));
        let mut inbox = self
            .job
            .remote
            .as_ref()
            .map(|remote| Inbox::new(self.around.workdir.join(inbox(&remote.name, remote.rank))));
        let listener = match self.around.addresses.as_slice() {
            [address, _, ..] => Some(rendezvous::listen(address, &self.key)?),
            _ => None,
        };
        let met = match &listener {
            Some(listener) => self.meet(listener, &mut inbox),
            None => self.alone(),
        };
        let (go, links, entries) = match met {
            Ok(met) => met,
            Err(end) => {
                end.tell(log, delivery);
                return Ok(1);
            }
        };
        let script = self.layout.dir.join("slurm_script");
        state::write(&script, &self.payload.script, 0o700)?;
        let mut environment = surroundings::environment();
        environment.merge(&crate::job::env::Environment::parse(&self.payload.environment));
        environment.set("PWD", &self.job.request.work_dir); // a shell finds out if it is not there
        environment.unset("OLDPWD");
        state::write(&self.layout.dir.join("environment"), &environment.to_block(), 0o600)?;
        let elsewhere = Elsewhere {
            first: Address::Socket(self.layout.socket(0)),
            listener: listener.map(|listener| (listener, self.key)),
            links: links.into_iter().map(|(index, link)| (Role::Node(index), link)).collect(),
            log,
            delivery,
            inbox,
            public: self.public.clone(),
            litter: None,
        };
        self.start(go, elsewhere, entries)
    }

    fn alone(&self) -> Result<Met, End> {
        let info = self.info();
        let own = Host { name: info.name.clone(), address: self.address(0) };
        let mut hosts = names::choose(self.job.id, &[own]);
        let (right, entries) = names::provide(&hosts, 0, &self.state.dir);
        if !right {
            hosts = names::addresses(&hosts);
        }
        Ok((self.decide(hosts, &[info]), Vec::new(), entries))
    }

    /// The first node meets the others.
    fn meet(&self, listener: &TcpListener, inbox: &mut Option<Inbox>) -> Result<Met, End> {
        let own = self.info();
        let mut gathering = Gathering::new(listener, self.key, &self.signals, self.around.addresses.len());
        let patience = env::var(WAIT).ok().and_then(|s| s.parse().ok()).map_or(PATIENCE, Duration::from_secs);
        let mut until = Instant::now() + patience;
        let mut named: Option<(Vec<Host>, bool, Option<Entries>)> = None;
        loop {
            if named.is_none() && gathering.is_complete() {
                let hosts = names::choose(self.job.id, &self.hosts(&own, &gathering.infos()));
                gathering.tell(&ToNode::Names(hosts.clone()));
                let (right, entries) = names::provide(&hosts, 0, &self.state.dir);
                named = Some((hosts, right, entries));
                until = Instant::now() + NAMING;
            }
            if named.is_some() && gathering.is_complete() && gathering.checked().is_some() {
                break;
            }
            let lost = named.is_some() && !gathering.is_complete();
            if lost || Instant::now() >= until {
                return Err(self.missing(&own, &gathering.infos()));
            }
            if let Some(end) = self.asked_to_end(inbox, &own, &gathering.infos()) {
                return Err(end);
            }
            let wait = inbox.as_ref().map_or(Duration::MAX, Inbox::wait);
            let wait = wait.min(until.saturating_duration_since(Instant::now()));
            if gathering.turn(wait).unwrap_or(true) {
                return Err(End { message: None, ..self.missing(&own, &gathering.infos()) });
            }
        }
        let (mut hosts, right, entries) = named.unwrap_or_default();
        if !(right && gathering.checked() == Some(true)) {
            hosts = names::addresses(&hosts);
        }
        let mut infos: Vec<Info> = gathering.infos().into_iter().cloned().collect();
        infos.push(own);
        infos.sort_by_key(|info| info.index);
        let go = self.decide(hosts, &infos);
        gathering.tell(&ToNode::Go(Box::new(go.clone())));
        Ok((go, gathering.into_links(), entries))
    }

    fn address(&self, index: usize) -> String {
        self.around.addresses.get(index).cloned().unwrap_or_default()
    }

    /// All nodes in order; one that is not there is called by its address.
    fn hosts(&self, own: &Info, others: &[&Info]) -> Vec<Host> {
        let name = |index: usize| {
            let known = others.iter().copied().chain([own]).find(|info| info.index == index);
            known.map_or_else(|| self.address(index), |info| info.name.clone())
        };
        (0..self.around.addresses.len()).map(|i| Host { name: name(i), address: self.address(i) }).collect()
    }

    fn decide(&self, hosts: Vec<Host>, infos: &[Info]) -> Go {
        Go {
            placement: placement(&self.payload.shape, &hosts, infos),
            hosts,
            start: clock::now(),
            state: self.state.dir.clone(),
            workdir: self.around.workdir.clone(),
            directory: PathBuf::from(&self.job.request.work_dir),
        }
    }

    fn missing(&self, own: &Info, others: &[&Info]) -> End {
        let hosts = self.hosts(own, others);
        let missing: Vec<&str> = (1..hosts.len())
            .filter(|i| others.iter().all(|info| info.index != *i))
            .filter_map(|i| hosts.get(i).map(|h| &*h.address))
            .collect();
        let message = format!("nodes that did not join the job: {}", missing.join(", "));
        End {
            state: JobState::NodeFail,
            cancelled_by: None,
            message: Some(message),
            placement: placement(&self.payload.shape, &hosts, &[]),
        }
    }

    fn asked_to_end(&self, inbox: &mut Option<Inbox>, own: &Info, others: &[&Info]) -> Option<End> {
        let orders = inbox.as_mut().map(Inbox::take).unwrap_or_default();
        orders.into_iter().find_map(|order| match order {
            Control::Terminate { uid, state } => Some(End {
                state,
                cancelled_by: Some(uid).filter(|_| state == JobState::Cancelled),
                message: None,
                ..self.missing(own, others)
            }),
            _ => None,
        })
    }

    fn other(self) -> io::Result<u8> {
        let address = self.address(0);
        // Longer than the first node waits, which may have come up later.
        let until = Instant::now() + PATIENCE * 2;
        let pause = rendezvous::pause(self.around.addresses.len());
        let knocking = Knocking { address: &address, key: self.key, signals: &self.signals, until, pause };
        let found = knocking.knock().and_then(|(first, mut link)| {
            link.send(&FromNode::Here(Box::new(self.info())));
            let mut entries = None;
            loop {
                match knocking.hear(&mut link)? {
                    ToNode::Names(hosts) => {
                        let (right, made) = names::provide(&hosts, self.around.index, &self.state.dir);
                        entries = made;
                        link.send(&FromNode::Checked(right));
                    }
                    ToNode::Go(go) => return Ok((first, link, *go, entries)),
                }
            }
        });
        let (first, link, go, entries) = match found {
            Ok(found) => found,
            // If the first node was there, it has said what became of the job.
            Err(NotFound::Signalled | NotFound::Gone) => return Ok(0),
            Err(error) => return Err(io::Error::other(error)),
        };
        let elsewhere = Elsewhere {
            first: Address::Node(first, self.key),
            listener: None,
            links: vec![(Role::First, link)],
            log: None,
            delivery: self.payload.delivery,
            inbox: None,
            public: None,
            litter: None,
        };
        self.start(go, elsewhere, entries)
    }

    fn start(self, go: Go, mut elsewhere: Elsewhere, entries: Option<Entries>) -> io::Result<u8> {
        let mut job = self.job;
        let here = PathBuf::from(&job.request.work_dir);
        let workdir = Some((self.submitted, here.clone())).filter(|(there, here)| there != here);
        job.placement = Some(go.placement);
        job.start_time = Some(go.start);
        let script = self.layout.dir.join("slurm_script");
        let moved = [(go.state, self.state.dir.clone()), (go.workdir, self.around.workdir), (go.directory, here)];
        let launch = Launch {
            others: Vec::new(),
            script: Some(script).filter(|_| job.request.kind == Kind::Batch),
            job,
            cluster: self.payload.cluster,
            slurm_conf: self.state.conf(),
            commands: self.state.commands(),
            environment: self.layout.dir.join("environment"),
            hosts: go.hosts,
            virtual_nodes: false,
            etc_hosts: None,
            kill_wait: self.payload.kill_wait,
            over_time_limit: self.payload.over_time_limit,
            enforce_memory: false, // the node was made for the job: what it has is what the job may use
            spool: self.layout.clone(),
            made: Some(Made {
                modules: self.payload.modules,
                moved: moved.into_iter().filter(|(there, here)| there != here).collect(),
                workdir,
            }),
        };
        elsewhere.litter = Some(Litter { _entries: entries, _workdir: self.workdir, _state: self.state });
        Agent::new(launch, self.layout, self.around.index, self.signals, Some(elsewhere))?.run()
    }
}

/// Memory in MiB: the machine's, or what the container may have of it.
fn memory() -> u64 {
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limit = |file: &&str| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let limit = files.iter().find_map(limit).map(|bytes| bytes >> 20).filter(|mib| *mib > 0);
    limit.map_or_else(hardware::memory, |limit| limit.min(hardware::memory()))
}

/// All are there: what is decided, the connections, and what was written into `/etc/hosts`.
type Met = (Go, Vec<(usize, Link)>, Option<Entries>);

/// The job ends before it has begun.
struct End {
    state: JobState,
    cancelled_by: Option<u32>,
    message: Option<String>,
    placement: Placement,
}

impl End {
    /// Says so, where it is listened to.
    fn tell(self, log: Option<Log>, delivery: Delivery) {
        let Some(mut log) = log else {
            self.message.iter().for_each(|text| output::message(io::stderr(), text));
            return;
        };
        log.event(0, EventKind::Placed { placement: self.placement });
        self.message.iter().filter(|_| delivery == Delivery::Copied).for_each(|text| log.message(text));
        let (state, cancelled_by, exit) = (self.state, self.cancelled_by, ExitStatus::default());
        log.event(0, EventKind::Ended { state, exit, derived_exit: exit, cancelled_by });
        log.flush_all();
    }
}

/// What the job has of its nodes.
fn placement(shape: &Shape, hosts: &[Host], infos: &[Info]) -> Placement {
    let made = |(index, host): (usize, &Host)| {
        let info = infos.get(index).cloned().unwrap_or_default();
        MadeNode { name: host.name.clone(), cpus: info.cpus, memory: info.memory, gpus: info.gpus }
    };
    let nodes: Vec<MadeNode> = hosts.iter().enumerate().map(made).collect();
    let mut placement = shape.placement(&nodes);
    for (share, info) in placement.nodes.iter_mut().zip(infos) {
        for gres in share.gres.iter_mut().filter(|g| g.name == "gpu" && g.ids.len() == info.gpu_ids.len()) {
            gres.ids = info.gpu_ids.iter().copied().collect::<IdSet>();
        }
    }
    placement
}

/// The GPUs an outer job has left this one, where it names them by number.
fn visible_gpus(variable: &str) -> Vec<u32> {
    variable.split(',').map(|id| id.trim().parse().ok()).collect::<Option<Vec<u32>>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_those_that_an_outer_job_has_given() {
        assert_eq!(visible_gpus("2,3"), [2, 3]);
        assert_eq!(visible_gpus("GPU-1f,GPU-2e"), [0; 0]);
        assert_eq!(visible_gpus(""), [0; 0]);
        let shape = Shape { tasks: vec![1], cpus: Some(1), gpus: 2, ..Shape::default() };
        let host = Host { name: "a".into(), address: String::new() };
        let of =
            |gpu_ids| placement(&shape, std::slice::from_ref(&host), &[Info { gpus: 2, gpu_ids, ..Info::default() }]);
        assert_eq!(of(vec![2, 3]).nodes[0].gpus(), [2, 3].into_iter().collect());
        assert_eq!(of(vec![2]).nodes[0].gpus(), [0, 1].into_iter().collect());
    }
}
