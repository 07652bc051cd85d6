//! The end of a step's parts, and of the step.

use super::Group;
use crate::{
    agent::{
        agent::Agent,
        batch,
        event::EventKind,
        step::{FromPart, ToClient, worse},
    },
    job::{ExitStatus, StepId, Usage},
    slurm::state::JobState,
};
use std::collections::{BTreeMap, BTreeSet};

impl Agent {
    pub(super) fn part_done(&mut self, step: u32, node: usize) {
        self.not_measured((step, node));
        let Some(running) = self.manager.steps.get_mut(&step) else {
            return;
        };
        if let Some(part) = running.parts.get_mut(node) {
            part.done = true;
            let input_was_due = std::mem::take(&mut part.input_due);
            if let Some(connection) = part.connection.take() {
                self.connections.remove(&connection);
            }
            if input_was_due {
                self.input_taken(step);
            }
        }
        self.finish_groups(step);
        if self.manager.steps.get(&step).is_some_and(|s| s.parts.iter().all(|p| p.done)) {
            self.finish_step(step);
        }
    }

    /// What is over of a step: to accounting what it has of each component is a step there.
    fn finish_groups(&mut self, step: u32) {
        let Some(running) = self.manager.steps.get_mut(&step) else {
            return;
        };
        let parts = &running.parts;
        let runs = |group: &Group| parts.get(group.parts.clone()).is_some_and(|all| all.iter().any(|part| !part.done));
        let still: BTreeSet<_> = running.groups.iter().filter(|g| runs(g)).map(|g| (g.component, g.id)).collect();
        let is_over = |group: &Group| !still.contains(&(group.component, group.id));
        let (over, left): (Vec<Group>, Vec<Group>) = std::mem::take(&mut running.groups).into_iter().partition(is_over);
        running.groups = left;
        let (cancelled_by, timed_out) = (running.cancelled_by, running.timed_out);
        let mut of_components: BTreeMap<(usize, StepId), (ExitStatus, Usage)> = BTreeMap::new();
        for group in over {
            if let Some(account) = self.manager.accounts.get_mut(group.component) {
                account.give_back(&group.plan);
            }
            let (exit, usage) = of_components.entry((group.component, group.id)).or_default();
            *exit = worse(*exit, group.exit);
            usage.add(group.usage);
        }
        for ((component, id), (exit, usage)) in of_components {
            if component == 0 {
                self.manager.highest = self.manager.highest.derive(exit);
            }
            let state = match (cancelled_by, timed_out) {
                (Some(_), _) => JobState::Cancelled,
                (None, true) => JobState::Timeout,
                (None, false) => batch::state_of(exit),
            };
            let ended = EventKind::StepEnded { id, state, exit, usage, cancelled_by };
            self.note_of(component as u32, ended);
        }
    }

    /// A part's node is gone: its tasks are taken for killed.
    pub(in crate::agent) fn part_lost(&mut self, step: u32, node: usize) {
        let Some(running) = self.manager.steps.get_mut(&step) else {
            return;
        };
        let Some(part) = running.parts.get_mut(node).filter(|p| !p.done) else {
            return;
        };
        part.connection = None;
        let exit = ExitStatus::signaled(9);
        if let Some(group) = running.group_of(node) {
            group.exit = worse(group.exit, exit);
        }
        let tasks = running.plan.layout.get(node).cloned().unwrap_or_default();
        self.tell_client(step, &ToClient::Part { node, said: FromPart::Exited { tasks, exit } });
        self.part_done(step, node);
    }

    pub(super) fn finish_step(&mut self, step: u32) {
        self.finish_groups(step);
        let Some(running) = self.manager.steps.remove(&step) else {
            return;
        };
        // What srun hears, accounting knows already.
        if let Some(events) = &mut self.events {
            events.tell();
        }
        if let Some(client) = running.client {
            self.send(client, &ToClient::Done);
        }
        self.tell_watchers(step, &ToClient::Done);
        self.start_waiting();
    }
}
