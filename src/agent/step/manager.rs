//! The first node's agent as the manager of the job's steps.

mod afar;
mod ending;
mod held;
mod limit;
mod measure;
mod ports;
mod request;
mod signals;
mod start;
mod watch;

use super::{
    FromClient, FromPart, Launching, StepRequest, ToClient, ToPart,
    account::{Account, Plan},
    pmi::{
        Up,
        exchange::{Due, Exchange},
    },
    worse,
};
use crate::{
    agent::{Launch, agent::Agent},
    job::{ExitStatus, StepId, Usage},
};
use measure::Gathering;
use nix::libc::{SIGKILL, SIGTERM};
use ports::Ports;
use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
    time::{Duration, Instant},
};
use watch::{Input, Watcher};

/// The steps of the job, here on its first node.
#[derive(Default)]
pub(in crate::agent) struct Manager {
    /// That of the job, or of each component of a heterogeneous one.
    accounts: Vec<Account>,
    next: u32,
    waiting: Vec<Waiting>,
    steps: BTreeMap<u32, Running>,
    highest: ExitStatus,
    watchers: BTreeMap<u64, Watcher>,
    /// What is gathered for sstat, by its connection.
    gathering: BTreeMap<u64, Gathering>,
}

/// A step that does not fit yet.
struct Waiting {
    client: u64,
    /// One for each of its components.
    requests: Vec<StepRequest>,
}

/// What a step has of one component: a step there, to accounting.
struct Group {
    /// What it is to accounting.
    id: StepId,
    /// Which component of the job.
    component: usize,
    plan: Plan,
    /// Its parts, among those of the step.
    parts: Range<usize>,
    exit: ExitStatus,
    usage: Usage,
}

impl Group {
    /// Whether it is of this component; `None`: of any.
    fn is_of(&self, component: Option<u32>) -> bool {
        component.is_none_or(|component| component as usize == self.component)
    }
}

/// A running step.
struct Running {
    client: Option<u64>,
    /// Whether the job is its srun's own.
    own_job: bool,
    /// All of it.
    plan: Plan,
    parts: Vec<PartState>,
    /// Those that are not over.
    groups: Vec<Group>,
    cancelled_by: Option<u32>,
    kill_at: Option<Instant>,
    /// When `--time` ends it.
    end_at: Option<Instant>,
    timed_out: bool,
    /// Its tasks wait for srun's word.
    held: bool,
    /// `--resv-ports`
    ports: Option<Ports>,
    /// Whose input its tasks are taking.
    input_from: Option<u64>,
    /// Input that comes then.
    inputs: VecDeque<Input>,
    /// What `--mpi=pmi2` needs.
    pmi: Option<Box<Exchange>>,
}

impl Running {
    /// The parts that a component has of it, by their places.
    fn parts_of(&self, component: u32) -> impl Iterator<Item = usize> {
        let groups = self.groups.iter().filter(move |group| group.is_of(Some(component)));
        groups.flat_map(|group| group.parts.clone())
    }

    /// The group a part is of.
    fn group_of(&mut self, part: usize) -> Option<&mut Group> {
        self.groups.iter_mut().find(|group| group.parts.contains(&part))
    }
}

#[derive(Default)]
struct PartState {
    connection: Option<u64>,
    /// What is to be said once it is connected.
    pending: Vec<ToPart>,
    /// What it is to be launched with, while its node's agent or srun's word is not there yet.
    launching: Option<Box<Launching>>,
    /// It has not taken the last input yet.
    input_due: bool,
    done: bool,
}

impl Manager {
    pub fn new(launch: &Launch) -> Self {
        let mut first = 0;
        let accounts = launch.jobs().map(|job| {
            let account = Account::new(job, first);
            first += account.names().count();
            account
        });
        Self { accounts: accounts.collect(), ..Self::default() }
    }

    /// The name of a node, by its index.
    fn name(&self, index: usize) -> &str {
        self.accounts.iter().flat_map(Account::names).nth(index).unwrap_or_default()
    }

    /// The running steps that have something of a component.
    pub fn steps_of(&self, component: u32) -> Vec<u32> {
        let has = |s: &Running| s.groups.iter().any(|group| group.is_of(Some(component)));
        self.steps.iter().filter(|(_, s)| has(s)).map(|(step, _)| *step).collect()
    }

    /// Whether no step is running.
    pub fn is_idle(&self) -> bool {
        self.steps.is_empty()
    }

    /// The highest exit code of all steps (`DerivedExitCode`).
    pub fn highest_exit(&self) -> ExitStatus {
        self.highest
    }

    /// srun's connection of a step.
    pub fn client_of(&self, step: u32) -> Option<u64> {
        self.steps.get(&step).and_then(|s| s.client)
    }

    /// The nodes of a running step, by their place in the job.
    pub fn nodes_of(&self, step: u32) -> Option<Vec<usize>> {
        Some(self.steps.get(&step)?.plan.nodes.iter().map(|share| share.index).collect())
    }

    /// How long until a step is to be killed.
    pub fn wait(&self) -> Option<Duration> {
        let next = self.steps.values().flat_map(|s| [s.kill_at, s.end_at]).flatten().min();
        let next = next.map(|at| at.saturating_duration_since(Instant::now()));
        next.into_iter().chain(self.patience()).chain(self.gathering_wait()).min()
    }
}

impl Agent {
    /// The agent of node `index` of the job is there: it gets what waited for it.
    pub(in crate::agent) fn node_joined(&mut self, index: usize) {
        let on_it = |s: &Running| !s.held && s.plan.nodes.iter().any(|share| share.index == index);
        let steps: Vec<u32> = self.manager.steps.iter().filter(|(_, s)| on_it(s)).map(|(step, _)| *step).collect();
        for step in steps {
            self.launch_parts(step);
        }
    }

    pub(in crate::agent) fn part_joined(&mut self, step: u32, node: usize, connection: u64) {
        let part = self.manager.steps.get_mut(&step).and_then(|s| s.parts.get_mut(node));
        // One that is there already, or has ended, is not expected.
        let Some(part) = part.filter(|p| p.connection.is_none() && !p.done) else {
            self.connections.remove(&connection);
            return;
        };
        part.connection = Some(connection);
        for said in std::mem::take(&mut part.pending) {
            self.send(connection, &said);
        }
    }

    /// Says something to every part of a step.
    fn tell_parts(&mut self, step: u32, told: &ToPart) {
        self.tell_parts_of(step, None, told);
    }

    /// Says something to the parts of a step that are of a component; `None`: to all.
    fn tell_parts_of(&mut self, step: u32, of: Option<u32>, told: &ToPart) {
        if matches!(told, ToPart::Cancel(_) | ToPart::Signal(SIGKILL)) && self.drop_held(step) {
            return;
        }
        let Some(running) = self.manager.steps.get_mut(&step) else {
            return;
        };
        let mut connected = Vec::new();
        let groups = running.groups.iter().filter(|group| group.is_of(of));
        for at in groups.flat_map(|group| group.parts.clone()) {
            let Some(part) = running.parts.get_mut(at).filter(|p| !p.done) else { continue };
            match part.connection {
                Some(connection) => connected.push(connection),
                None => part.pending.push(told.clone()),
            }
        }
        for connection in connected {
            self.send(connection, told);
        }
    }

    /// Says something to the step's srun.
    fn tell_client(&mut self, step: u32, told: &ToClient) {
        if let Some(client) = self.manager.client_of(step) {
            self.send(client, told);
        }
        self.tell_watchers(step, told);
    }

    pub(in crate::agent) fn on_part_of(&mut self, step: u32, node: usize, said: FromPart) {
        let Some(running) = self.manager.steps.get_mut(&step) else {
            return;
        };
        match said {
            FromPart::InputTaken => {
                if let Some(part) = running.parts.get_mut(node) {
                    part.input_due = false;
                }
                self.input_taken(step);
            }
            FromPart::Pmi(up) => self.on_pmi(step, node, up),
            FromPart::Measured(asked, tasks) => self.measured(asked, (step, node), tasks),
            FromPart::Done(usage) => {
                if let Some(group) = running.group_of(node) {
                    group.usage.add(usage);
                }
                self.part_done(step, node);
            }
            said => {
                if let (FromPart::Exited { exit, .. }, Some(group)) = (&said, running.group_of(node)) {
                    group.exit = worse(group.exit, *exit);
                }
                self.tell_client(step, &ToClient::Part { node, said });
            }
        }
    }

    fn on_pmi(&mut self, step: u32, node: usize, up: Up) {
        let Some(running) = self.manager.steps.get_mut(&step) else { return };
        match running.pmi.as_mut().map_or(Due::Nothing, |pmi| pmi.hear(node, up)) {
            Due::All(down) => self.tell_parts(step, &ToPart::Pmi(down)),
            Due::Back(down) => {
                if let Some(connection) = running.parts.get(node).and_then(|p| p.connection) {
                    self.send(connection, &ToPart::Pmi(down));
                }
            }
            Due::Kill => {
                let user = self.launch.job.request.user.uid;
                self.signal_step(step, SIGKILL, Some(user));
            }
            Due::Nothing => {}
        }
    }

    pub(in crate::agent) fn on_client(&mut self, client: u64, said: FromClient) {
        let step = self.manager.steps.iter().find(|(_, s)| s.client == Some(client)).map(|(step, _)| *step);
        let Some(step) = step else { return };
        match said {
            FromClient::Input(bytes) => self.hand_on(step, watch::input(client, bytes)),
            FromClient::Launch => self.launch_parts(step),
            FromClient::InputEnd => self.tell_parts(step, &ToPart::InputEnd),
            FromClient::Signal(signal) => self.tell_parts(step, &ToPart::Signal(signal)),
            FromClient::Resize(rows, columns) => self.tell_parts(step, &ToPart::Resize(rows, columns)),
            // Where the job ends, its steps have been told so, and have their time.
            FromClient::Kill | FromClient::Terminate if self.ending.is_some() => {}
            FromClient::Kill => self.cancel_step(step, None, SIGKILL, ""),
            FromClient::Terminate => {
                self.cancel_step(step, None, SIGTERM, "");
                self.kill_step_later(step);
            }
        }
    }

    /// srun is gone: what it wanted, nobody wants any more.
    pub(in crate::agent) fn client_lost(&mut self, client: u64) {
        self.manager.waiting.retain(|w| w.client != client);
        let step = self.manager.steps.iter_mut().find(|(_, s)| s.client == Some(client));
        if let Some((step, running)) = step {
            running.client = None;
            let step = *step;
            self.tell_parts(step, &ToPart::Signal(SIGKILL));
        }
    }
}
