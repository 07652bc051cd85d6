//! Signals to steps, and their end before their tasks'.

use super::Running;
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

    /// `*** STEP 80.0 ON node1 CANCELLED AT ... ***` and a signal. The line is the first node's of the step.
    pub(super) fn cancel_step(&mut self, step: u32, signal: i32, words: &str) {
        let job = self.launch.job.id;
        let Some(running) = self.manager.steps.get_mut(&step) else {
            return;
        };
        let first = running.plan.nodes.first().map_or(0, |n| n.index);
        let stamp = crate::agent::clock::stamp();
        let node = self.manager.account.name(first);
        let line = format!("*** STEP {job}.{step} ON {node} CANCELLED AT {stamp}{words} ***");
        self.tell_client(step, &ToClient::Part { node: 0, said: FromPart::Message(line) });
        self.tell_parts(step, &ToPart::Cancel(signal));
    }

    pub(super) fn all_steps(&self) -> Vec<u32> {
        self.manager.steps.keys().copied().collect()
    }

    /// The job ends: TERM to all steps, and no new ones.
    pub(in crate::agent) fn cancel_steps(&mut self, words: &str) {
        let job = self.launch.job.id;
        for waiting in std::mem::take(&mut self.manager.waiting) {
            let text = format!("Unable to create step for job {job}: Job/step already completing or completed");
            self.send(waiting.client, &ToClient::Refused(text));
        }
        for step in self.all_steps() {
            self.tell_client(step, &ToClient::Aborted);
            self.cancel_step(step, SIGTERM, words);
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
            self.cancel_step(step, signal, "");
        } else {
            self.tell_parts(step, &ToPart::Signal(signal));
        }
        true
    }

    /// Kills all steps, now and without a word.
    pub(in crate::agent) fn kill_steps(&mut self) {
        for step in self.all_steps() {
            self.tell_parts(step, &ToPart::Signal(SIGKILL));
        }
    }
}
