//! The beginning of a step.

use super::{PartState, Running, limit, ports::Ports};
use crate::{
    agent::{
        agent::{Agent, Role},
        event::EventKind,
        link::Link,
        step::{Launching, Mpi, StepRequest, ToClient, account::Plan, pmi::exchange::Exchange},
    },
    job::{ExitStatus, Step, StepId, Usage},
    slurm::state::JobState,
};
use std::{collections::VecDeque, os::unix::net::UnixStream};

impl Agent {
    pub(super) fn start_step(&mut self, client: u64, request: StepRequest, plan: Plan, waited: bool) {
        let step = self.manager.next;
        self.manager.next += 1;
        self.manager.account.take(&plan);
        let nodes: Vec<String> = plan.nodes.iter().map(|n| self.manager.account.name(n.index).to_owned()).collect();
        self.note(EventKind::StepStarted(record(step, &request, &plan, &nodes)));
        let created = ToClient::Created {
            step,
            nodes: nodes.clone(),
            layout: plan.layout.clone(),
            waited,
            kill_wait: self.launch.kill_wait,
        };
        self.send(client, &created);
        let launcher = self.launch.hosts.first().map_or("127.0.0.1", |h| &h.address).to_owned();
        let most = plan.layout.iter().map(Vec::len).max().unwrap_or(0) as u32;
        let wanted = request.setup.ports.map(|n| if n == 0 { most + 1 } else { n });
        let ports = wanted.and_then(|count| self.manager.free_ports(count));
        let mut parts: Vec<PartState> = plan.nodes.iter().map(|_| PartState::default()).collect();
        for (place, (share, part)) in plan.nodes.iter().zip(&mut parts).enumerate() {
            part.launching = Some(Box::new(Launching {
                step,
                request: request.clone(),
                nodes: nodes.clone(),
                layout: plan.layout.clone(),
                distribution: plan.distribution.clone(),
                node: place,
                cpus: share.cpus,
                cpu_ids: share.cpu_ids.clone(),
                gpus: share.gpus.clone(),
                ports: ports.as_ref().map(Ports::to_string),
                launcher: launcher.clone(),
            }));
        }
        let pmi = (request.mpi == Mpi::Pmi2).then(|| Box::new(Exchange::new(&plan.layout)));
        let running = Running {
            client: Some(client),
            plan,
            parts,
            exit: ExitStatus::default(),
            usage: Usage::default(),
            cancelled_by: None,
            kill_at: None,
            end_at: limit::end(request.time_limit),
            timed_out: false,
            held: request.held,
            ports,
            input_from: None,
            inputs: VecDeque::new(),
            pmi,
        };
        self.manager.steps.insert(step, running);
        if !request.held {
            self.launch_parts(step);
        }
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

fn record(step: u32, request: &StepRequest, plan: &Plan, nodes: &[String]) -> Step {
    Step {
        id: StepId::Number(step),
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
