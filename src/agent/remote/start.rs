//! From SkyPilot's start of the agent to a job that runs.

use super::{
    Delivery, MEETING, Payload, VARIABLE, door_key,
    first::{BETWEEN, PATIENCE},
    inbox, meeting,
    names::{self, Entries},
    plain, public,
    rendezvous::{self, FromNode, Go, Info, Knocking, NotFound, ToNode},
    state::State,
    surroundings::Surroundings,
    workdir::{self, Workdir},
};
use crate::{
    agent::{
        Launch, Layout, Made,
        agent::{Agent, Elsewhere, Role, take_signals},
        link::{Address, Link},
        noise::Key,
    },
    host::hardware,
    job::{Job, Kind, Shape},
    slurm::state::JobState,
};
use nix::sys::signalfd::SignalFd;
use std::{
    env,
    ffi::OsString,
    fs, io,
    net::SocketAddr,
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

/// What is removed when the job is over, in this order.
pub(in crate::agent) struct Litter {
    _entries: Option<Entries>,
    _workdir: Workdir,
    _state: State,
}

/// What every node has once it has looked around.
pub(super) struct Node {
    pub around: Surroundings,
    pub payload: Payload,
    /// The job, or its first component.
    pub job: Job,
    /// How many nodes each component has.
    pub counts: Vec<usize>,
    /// Its place among the nodes of all components.
    pub index: usize,
    pub key: Key,
    pub signals: SignalFd,
    pub state: State,
    pub layout: Layout,
    workdir: Workdir,
    /// Its address for the world. Asked for on the first node.
    pub public: Option<String>,
    /// What the user's own programs, elsewhere, are known by; `None`: nobody knows it.
    pub door: Option<Key>,
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
    let key = around.key(&payload.secret);
    let counts = match payload.shapes.as_slice() {
        [_, _, ..] => payload.shapes.iter().map(Shape::nodes).collect(),
        _ => vec![around.addresses.len()],
    };
    let index = counts.iter().take(around.component).sum::<usize>() + around.index;
    let public = (index == 0).then(public::address).flatten();
    let remote = job.remote.as_ref().filter(|_| job.request.kind == Kind::Batch);
    let secret = remote.and_then(|_| around.secret());
    let door = secret.zip(remote).map(|(secret, remote)| door_key(&secret, &remote.name, remote.rank));
    let node =
        Node { around, payload, job, counts, index, key, signals, state, layout, workdir, public, door, submitted };
    if index == 0 { node.first() } else { node.other() }
}

/// The first node is found: its address, the connection, its key; what is decided; and what was written into `/etc/hosts`.
type Joined = (SocketAddr, Link, Key, Go, Option<Entries>);

impl Node {
    pub fn info(&self) -> Info {
        Info {
            index: self.index,
            name: hardware::host_name(),
            address: self.around.addresses.get(self.around.index).cloned().unwrap_or_default(),
            cpus: hardware::cpus(),
            memory: memory(),
            gpus: self.around.gpus,
            gpu_ids: visible_gpus(&env::var("CUDA_VISIBLE_DEVICES").unwrap_or_default()),
        }
    }

    /// Where commands on this node ask the controller. Where none hears of the job there is none.
    pub fn desk(&self) -> Option<UnixListener> {
        (self.payload.delivery != Delivery::Plain).then(|| self.state.desk().ok()).flatten()
    }

    /// How many nodes all components have.
    pub fn nodes(&self) -> usize {
        self.counts.iter().sum()
    }

    fn other(self) -> io::Result<u8> {
        let (first, link, key, go, entries) = match self.join() {
            Ok(found) => found,
            // If the first node was there, it has said what became of the job.
            Err(NotFound::Signalled | NotFound::Gone) => return Ok(0),
            Err(error) => return Err(io::Error::other(error)),
        };
        let elsewhere = Elsewhere {
            desk: self.desk(),
            asking: None,
            first: Address::Node(first, key),
            doors: Vec::new(),
            door: None,
            links: vec![(Role::First, link)],
            log: None,
            delivery: self.payload.delivery,
            inbox: None,
            public: None,
            litter: None,
        };
        self.start(go, elsewhere, entries)
    }

    /// Finds the first node, and waits until it says that all are there.
    fn join(&self) -> Result<Joined, NotFound> {
        let (signals, pause) = (&self.signals, rendezvous::pause(self.nodes()));
        // Longer than the first node waits, which may have come up later.
        let until = Instant::now() + if self.payload.others.is_empty() { PATIENCE } else { BETWEEN } * 2;
        let address = self.around.addresses.first().map_or("", String::as_str);
        let knocking = Knocking { address, key: self.key, signals, until, pause };
        let own = self.around.component.checked_sub(1).and_then(|other| self.payload.others.get(other));
        let (first, mut link, key) = match own.and_then(|job| job.remote.as_ref()) {
            None => knocking.knock().map(|(first, link)| (first, link, self.key))?,
            Some(remote) => {
                let file = self.around.workdir.join(inbox(&remote.name, remote.rank)).join(MEETING);
                meeting::find(&file, &self.payload.secret, self.nodes(), signals, until)?
            }
        };
        link.send(&FromNode::Here(Box::new(self.info())));
        let mut entries = None;
        loop {
            match knocking.hear(&mut link)? {
                ToNode::Names(hosts) => {
                    let (right, made) = names::provide(&hosts, self.index, &self.state.dir);
                    entries = made;
                    link.send(&FromNode::Checked(right));
                }
                ToNode::Go(go) => return Ok((first, link, key, *go, entries)),
            }
        }
    }

    pub fn start(self, go: Go, mut elsewhere: Elsewhere, entries: Option<Entries>) -> io::Result<u8> {
        let mut job = self.job;
        let here = PathBuf::from(&job.request.work_dir);
        let workdir = Some((self.submitted, here.clone())).filter(|(there, here)| there != here);
        let mut others = self.payload.others;
        for (job, placement) in std::iter::once(&mut job).chain(&mut others).zip(go.placements) {
            job.placement = Some(placement);
            job.start_time = Some(go.start);
            job.state = JobState::Running;
        }
        let script = self.layout.dir.join("slurm_script");
        let moved = [(go.state, self.state.dir.clone()), (go.workdir, self.around.workdir), (go.directory, here)];
        let launch = Launch {
            others,
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
        Agent::new(launch, self.layout, self.index, self.signals, Some(elsewhere))?.run()
    }
}

/// Memory in MiB: the machine's, or what the container may have of it.
fn memory() -> u64 {
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limit = |file: &&str| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let limit = files.iter().find_map(limit).map(|bytes| bytes >> 20).filter(|mib| *mib > 0);
    limit.map_or_else(hardware::memory, |limit| limit.min(hardware::memory()))
}

/// The GPUs an outer job has left this one, where it names them by number.
pub(super) fn visible_gpus(variable: &str) -> Vec<u32> {
    variable.split(',').map(|id| id.trim().parse().ok()).collect::<Option<Vec<u32>>>().unwrap_or_default()
}
