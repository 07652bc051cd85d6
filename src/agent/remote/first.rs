//! The first node of a job: it waits for the others, of all components, and decides what the job has of them.

use super::{
    Delivery, Inbox, inbox,
    names::{self, Entries},
    rendezvous::{self, Gathering, Go, Info, ToNode},
    start::Node,
    state, surroundings,
};
use crate::{
    agent::{
        EventKind, Host,
        agent::{Elsewhere, Role},
        asking::Asking,
        clock,
        link::{Address, Link},
        log::Log,
        output,
        wire::Control,
    },
    job::{ExitStatus, MadeNode, Placement, Shape, files::Files},
    slurm::{idset::IdSet, state::JobState},
};
use std::{
    env, io,
    net::TcpListener,
    path::PathBuf,
    time::{Duration, Instant},
};

/// How long the first node waits for the others, in seconds; instead of [`PATIENCE`] and [`BETWEEN`].
const WAIT: &str = "SKYSLURM_WAIT_FOR_NODES";

/// Nodes of one task come up minutes apart, but not more than this.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

/// The tasks of a group are started together, but each gets its nodes when it gets them.
pub(super) const BETWEEN: Duration = Duration::from_secs(3600);

/// How long all may take to see to the names.
const NAMING: Duration = Duration::from_secs(30);

impl Node {
    /// Runs the job on its first node, once the others are there.
    pub fn first(self) -> io::Result<u8> {
        let delivery = self.payload.delivery;
        let apart = Files::of(&self.job, "").error.is_some();
        let run = state::random();
        let mut log = (delivery != Delivery::Plain).then(|| Log::new(run, apart));
        let mut inbox = self
            .job
            .remote
            .as_ref()
            .map(|remote| Inbox::new(self.around.workdir.join(inbox(&remote.name, remote.rank))));
        let listener = match self.around.addresses.first() {
            Some(address) if self.nodes() > 1 => Some(rendezvous::listen(address, &self.key)?),
            _ => None,
        };
        if let Some(log) = log.as_mut().filter(|_| self.counts.len() > 1) {
            log.event(0, EventKind::Awaits(self.around.meeting()));
            log.flush_all();
        }
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
        let copy = Some(&self.around.workdir).filter(|_| delivery == Delivery::Copied);
        let copies =
            copy.into_iter().flat_map(|copy| [Some(copy.clone()), copy.canonicalize().ok()]).flatten().collect();
        let asking = self.around.secret().filter(|_| log.is_some()).map(|key| Asking::new(key, run, copies));
        let address = self.around.addresses.first().map_or("", String::as_str);
        let own = self.door.and_then(|key| Some((rendezvous::listen(address, &key).ok()?, key)));
        let door = own.as_ref().and_then(|(listener, _)| Some(listener.local_addr().ok()?.port()));
        let elsewhere = Elsewhere {
            desk: self.desk(),
            asking,
            first: Address::Socket(self.layout.socket(0)),
            doors: listener.map(|listener| (listener, self.key)).into_iter().chain(own).collect(),
            door,
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
        let own = Host { name: info.name.clone(), address: info.address.clone() };
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
        let mut gathering = Gathering::new(listener, self.key, &self.signals, self.nodes());
        let (begun, mut naming) = (Instant::now(), None);
        let mut named: Option<(Vec<Host>, bool, Option<Entries>)> = None;
        loop {
            if named.is_none() && gathering.is_complete() {
                let hosts = names::choose(self.job.id, &self.hosts(&own, &gathering.infos()));
                gathering.tell(&ToNode::Names(hosts.clone()));
                let (right, entries) = names::provide(&hosts, 0, &self.state.dir);
                named = Some((hosts, right, entries));
                naming = Some(Instant::now() + NAMING);
            }
            if named.is_some() && gathering.is_complete() && gathering.checked().is_some() {
                break;
            }
            let until = naming.unwrap_or_else(|| begun + self.patience(&gathering.infos()));
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

    /// How long nodes that are not there are waited for.
    fn patience(&self, others: &[&Info]) -> Duration {
        let said = env::var(WAIT).ok().and_then(|s| s.parse().ok());
        let all_of_own = (1..self.around.addresses.len()).all(|i| is_there(others, i));
        said.map_or(if all_of_own { BETWEEN } else { PATIENCE }, Duration::from_secs)
    }

    /// All nodes in order; one that is not there is called by its address, if that is known.
    fn hosts(&self, own: &Info, others: &[&Info]) -> Vec<Host> {
        let host = |index: usize| {
            let known = others.iter().copied().chain([own]).find(|info| info.index == index);
            // Those of its own component it was told of by SkyPilot.
            let told = self.around.addresses.get(index).cloned();
            let address = told.or_else(|| known.map(|info| info.address.clone())).unwrap_or_default();
            Host { name: known.map_or_else(|| address.clone(), |info| info.name.clone()), address }
        };
        (0..self.nodes()).map(host).collect()
    }

    fn decide(&self, hosts: Vec<Host>, infos: &[Info]) -> Go {
        Go {
            placements: self.placements(&hosts, infos),
            hosts,
            start: clock::now(),
            state: self.state.dir.clone(),
            workdir: self.around.workdir.clone(),
            directory: PathBuf::from(&self.job.request.work_dir),
        }
    }

    fn missing(&self, own: &Info, others: &[&Info]) -> End {
        let hosts = self.hosts(own, others);
        let missing = |index: &usize| !is_there(others, *index);
        let of_own = (1..self.around.addresses.len()).filter(missing);
        let mut words: Vec<String> = of_own.filter_map(|i| hosts.get(i).map(|h| h.address.clone())).collect();
        let mut from = 0;
        for (component, count) in self.counts.iter().enumerate() {
            let absent = (from..from + count).filter(missing).count();
            from += count;
            // Of these it knows no addresses.
            if component > 0 && absent > 0 {
                words.push(format!("{absent} of component {component} ({count})"));
            }
        }
        let message = format!("nodes that did not join the job: {}", words.join(", "));
        let placement = self.placements(&hosts, &[]).into_iter().next().unwrap_or_default();
        End { state: JobState::NodeFail, cancelled_by: None, message: Some(message), placement }
    }

    /// What each component has of its nodes, which are `hosts`.
    fn placements(&self, hosts: &[Host], infos: &[Info]) -> Vec<Placement> {
        let mut from = 0;
        let of = |(shape, count): (&Shape, &usize)| {
            let part = from..from + count;
            from = part.end;
            placement(shape, hosts.get(part.clone()).unwrap_or_default(), infos.get(part).unwrap_or_default())
        };
        self.payload.shapes.iter().zip(&self.counts).map(of).collect()
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
}

/// Whether the node at `index` has come.
fn is_there(others: &[&Info], index: usize) -> bool {
    index == 0 || others.iter().any(|info| info.index == index)
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

#[cfg(test)]
mod tests {
    use super::{super::start::visible_gpus, *};

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
