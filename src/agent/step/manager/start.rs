//! The beginning of a step.

use super::{Group, PartState, Running, limit, ports::Ports};
use crate::{
    agent::{
        agent::{Agent, Role},
        event::EventKind,
        link::Link,
        step::{Launching, Mpi, StepRequest, ToClient, account::Plan, pmi::exchange::Exchange},
    },
    job::{ExitStatus, Step, StepId, Usage},
    slurm::{layout::repetitions, state::JobState},
};
use std::{collections::VecDeque, os::unix::net::UnixStream};

impl Agent {
    /// Starts a step, with a request and a plan for each of its components.
    pub(super) fn start_step(&mut self, client: u64, requests: Vec<StepRequest>, plans: Vec<Plan>, waited: bool) {
        let step = self.manager.next;
        self.manager.next += 1;
        let plan = Plan::joined(&plans);
        let nodes: Vec<String> = plan.nodes.iter().map(|n| self.manager.name(n.index).to_owned()).collect();
        let mut groups = Vec::new();
        let mut begin = 0;
        for (index, (request, plan)) in requests.iter().zip(plans).enumerate() {
            let parts = begin..begin + plan.nodes.len();
            begin = parts.end;
            let component = self.account_of(request);
            if let Some(account) = self.manager.accounts.get_mut(component) {
                account.take(&plan);
            }
            let id = match self.launch.others.is_empty() && requests.len() > 1 {
                true => StepId::Component(step, index as u32),
                false => StepId::Number(step),
            };
            let own = nodes.get(parts.clone()).unwrap_or_default();
            self.note_of(component as u32, EventKind::StepStarted(record(id, request, &plan, own)));
            groups.push(Group { id, component, plan, parts, exit: ExitStatus::default(), usage: Usage::default() });
        }
        let allocated = (requests.len() > 1 || !self.launch.others.is_empty()).then(|| self.allocated(&groups));
        let held = requests.iter().any(|request| request.held);
        let created = ToClient::Created {
            step,
            nodes: nodes.clone(),
            layout: plan.layout.clone(),
            firsts: groups.iter().map(|group| group.parts.start).collect(),
            waited,
            kill_wait: self.launch.kill_wait,
        };
        self.send(client, &created);
        let launcher = self.launch.hosts.first().map_or("127.0.0.1", |h| &h.address).to_owned();
        let most = plan.layout.iter().map(Vec::len).max().unwrap_or(0) as u32;
        let wanted = requests.iter().find_map(|request| request.setup.ports).map(|n| if n == 0 { most + 1 } else { n });
        let ports = wanted.and_then(|count| self.manager.free_ports(count));
        let mut parts: Vec<PartState> = plan.nodes.iter().map(|_| PartState::default()).collect();
        for (place, (share, part)) in plan.nodes.iter().zip(&mut parts).enumerate() {
            let group = groups.iter().position(|group| group.parts.contains(&place)).unwrap_or(0);
            let Some(request) = requests.get(group) else { continue };
            part.launching = Some(Box::new(Launching {
                step,
                request: request.clone(),
                nodes: nodes.clone(),
                layout: plan.layout.clone(),
                distribution: groups.get(group).map(|group| group.plan.distribution.clone()).unwrap_or_default(),
                node: place,
                cpus: share.cpus,
                cpu_ids: share.cpu_ids.clone(),
                gpus: share.gpus.clone(),
                ports: ports.as_ref().map(Ports::to_string),
                launcher: launcher.clone(),
                allocated: allocated.clone(),
            }));
        }
        let pmi =
            requests.iter().any(|request| request.mpi == Mpi::Pmi2).then(|| Box::new(Exchange::new(&plan.layout)));
        let running = Running {
            client: Some(client),
            plan,
            parts,
            groups,
            cancelled_by: None,
            kill_at: None,
            end_at: limit::end(requests.iter().filter_map(|request| request.time_limit).min()),
            timed_out: false,
            held,
            ports,
            input_from: None,
            inputs: VecDeque::new(),
            pmi,
        };
        self.manager.steps.insert(step, running);
        if !held {
            self.launch_parts(step);
        }
    }

    /// Which account a request is of: in a job of one, all of a step's components have that.
    fn account_of(&self, request: &StepRequest) -> usize {
        if self.launch.others.is_empty() { 0 } else { request.component() as usize }
    }

    /// `1,6,2`: the CPUs of the nodes that the components of a step have.
    fn allocated(&self, groups: &[Group]) -> String {
        let mut components: Vec<usize> = groups.iter().map(|group| group.component).collect();
        components.dedup();
        let jobs = components.iter().filter_map(|component| self.launch.jobs().nth(*component));
        let shares = jobs.flat_map(|job| job.placement.iter().flat_map(|placement| &placement.nodes));
        repetitions(shares.map(|share| share.cpus.len() as u32))
    }

    /// Our own part of a step is spoken to over a connection like any other's.
    pub(super) fn launch_own_part(&mut self, step: u32, node: usize, launching: Launching) {
        let Ok((here, there)) = UnixStream::pair() else {
            self.part_lost(step, node);
            return;
        };
        match Link::new(here) {
            Ok(link) => {
                let id = self.adopt(link, Role::PartOf { step, node });
                self.part_joined(step, node, id);
                self.launch_part(launching, Some(there));
            }
            Err(_) => self.part_lost(step, node),
        }
    }
}

fn record(id: StepId, request: &StepRequest, plan: &Plan, nodes: &[String]) -> Step {
    Step {
        id,
        name: request.name.clone(),
        state: JobState::Running,
        nodes: nodes.to_vec(),
        tasks: plan.layout.iter().map(|ids| ids.len() as u32).sum(),
        cpus: plan.nodes.iter().map(|n| n.cpus).sum(),
        memory: plan.nodes.iter().map(|n| n.memory).sum(),
        gpus: plan.nodes.iter().map(|n| n.gpus.len() as u32).sum(),
        tasks_per_node: plan.layout.iter().map(|ids| ids.len() as u32).collect(),
        start: crate::agent::clock::now(),
        end: None,
        exit: ExitStatus::default(),
        usage: Usage::default(),
        cancelled_by: None,
        command: request.command.clone(),
    }
}
