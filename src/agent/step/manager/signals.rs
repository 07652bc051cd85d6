//! Signals to steps, and their end before their tasks'.

use super::{Group, Running};
use crate::agent::{
    agent::Agent,
    step::{FromPart, ToClient, ToPart},
};
use nix::libc::{SIGKILL, SIGTERM};
use std::time::{Duration, Instant};

impl Agent {
    pub(super) fn kill_step_later(&mut self, step: u32) {
        let wait = Duration::from_secs(self.launch.kill_wait.into());
        if let Some(running) = self.manager.steps.get_mut(&step) {
            running.kill_at = Instant::now().checked_add(wait);
        }
    }

    pub(in crate::agent) fn kill_overdue_steps(&mut self) {
        self.end_overdue_steps();
        let now = Instant::now();
        let overdue = |s: &mut Running| s.kill_at.take_if(|at| *at <= now).is_some();
        let steps: Vec<u32> = self.manager.steps.iter_mut().filter_map(|(n, s)| overdue(s).then_some(*n)).collect();
        for step in steps {
            self.tell_parts(step, &ToPart::Signal(SIGKILL));
        }
    }

    /// `*** STEP 80.0 ON node1 CANCELLED AT ... ***` and a signal, to all of a step or to what it has of one component. The
    /// line is the first node's of the step; over several components of a heterogeneous job, the first node's of each.
    pub(super) fn cancel_step(&mut self, step: u32, of: Option<u32>, signal: i32, words: &str) {
        let Some(running) = self.manager.steps.get(&step) else {
            return;
        };
        let stamp = crate::agent::clock::stamp();
        let line = |group: &Group| {
            let job = self.launch.jobs().nth(group.component).map_or(0, |job| job.id);
            let first = group.plan.nodes.first().map_or(0, |n| n.index);
            let node = self.manager.name(first);
            (group.parts.start, format!("*** STEP {job}.{} ON {node} CANCELLED AT {stamp}{words} ***", group.id))
        };
        let lines: Vec<(usize, String)> = running.groups.iter().filter(|group| group.is_of(of)).map(line).collect();
        for (node, line) in lines {
            self.tell_client(step, &ToClient::Part { node, said: FromPart::Message(line) });
        }
        self.tell_parts_of(step, of, &ToPart::Cancel(signal));
    }

    /// A step ends since what it runs on ends: TERM.
    pub(in crate::agent) fn abort_step(&mut self, step: u32, words: &str) {
        self.tell_client(step, &ToClient::Aborted);
        self.cancel_step(step, None, SIGTERM, words);
    }

    /// What a step has of one component ends, since that does: TERM. The rest of it goes on.
    pub(in crate::agent) fn abort_step_of(&mut self, step: u32, component: u32, words: &str) {
        let is_all = |s: &Running| s.held || s.groups.iter().all(|group| group.is_of(Some(component)));
        if self.manager.steps.get(&step).is_some_and(is_all) {
            return self.abort_step(step, words);
        }
        self.tell_client(step, &ToClient::PartAborted);
        self.cancel_step(step, Some(component), SIGTERM, words);
    }

    /// Kills a step, now and without a word.
    pub(in crate::agent) fn kill_step(&mut self, step: u32) {
        self.tell_parts(step, &ToPart::Signal(SIGKILL));
    }

    /// Sends a signal to what a step has of one component. `false`: there is no such step.
    pub(in crate::agent) fn signal_component_of(&mut self, step: u32, component: u32, signal: i32) -> bool {
        let of = Some(component);
        let is_there = self.manager.steps.get(&step).is_some_and(|s| s.groups.iter().any(|group| group.is_of(of)));
        self.tell_parts_of(step, of, &ToPart::Signal(signal));
        is_there
    }

    pub(super) fn all_steps(&self) -> Vec<u32> {
        self.manager.steps.keys().copied().collect()
    }

    /// The job ends: TERM to all steps, and no new ones.
    pub(in crate::agent) fn cancel_steps(&mut self, words: &str) {
        self.refuse_waiting();
        for step in self.all_steps() {
            self.abort_step(step, words);
        }
    }

    /// Tells the steps whose srun has the job for itself; that of another is told by the job's owner.
    pub(in crate::agent) fn tell_own_steps(&mut self, message: &str) {
        let own: Vec<u32> = self.manager.steps.iter().filter(|(_, step)| step.own_job).map(|(n, _)| *n).collect();
        for step in own {
            self.tell_client(step, &ToClient::Warning(message.to_owned()));
        }
    }

    /// Sends a signal to all steps.
    pub(in crate::agent) fn signal_steps(&mut self, signal: i32) {
        for step in self.all_steps() {
            self.signal_step(step, signal, None);
        }
    }

    /// Sends a signal to one step; KILL by somebody cancels it. `false`: there is no such step.
    pub(in crate::agent) fn signal_step(&mut self, step: u32, signal: i32, by: Option<u32>) -> bool {
        let Some(running) = self.manager.steps.get_mut(&step) else {
            return false;
        };
        if signal == SIGKILL || signal == SIGTERM {
            if signal == SIGKILL {
                running.cancelled_by = by;
            }
            self.tell_client(step, &ToClient::Aborted);
            self.cancel_step(step, None, signal, "");
        } else {
            self.tell_parts(step, &ToPart::Signal(signal));
        }
        true
    }

    /// Kills all steps, now and without a word.
    pub(in crate::agent) fn kill_steps(&mut self) {
        for step in self.all_steps() {
            self.kill_step(step);
        }
    }
}
