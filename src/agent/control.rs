//! What the engine asks for: ending the job, signals, another limit.

use super::{
    agent::{Agent, Ending},
    clock,
    owner::ToOwner,
    processes,
    processes::Tree,
    wire::{Answer, Control, Target},
};
use crate::{
    job::StepId,
    slurm::{signal::WarnSignal, state::JobState},
};
use nix::libc::{SIGCONT, SIGKILL, SIGSTOP, SIGTERM};

impl Agent {
    pub(super) fn on_control(&mut self, control: Control) -> Answer {
        match control {
            Control::Terminate { uid, state } => {
                self.terminate(Some(uid), state);
                Answer::Done
            }
            Control::Signal { uid, signal, target } => self.on_signal(uid, signal, target),
            Control::Suspend => {
                if self.ending.is_none() && self.limits.pause() {
                    self.on_signal(0, SIGSTOP, Target::Full);
                }
                Answer::Done
            }
            Control::Resume => {
                if self.limits.go_on() {
                    self.on_signal(0, SIGCONT, Target::Full);
                }
                Answer::Done
            }
            Control::TimeLimit(minutes) => {
                if self.ending.is_none() {
                    let warning = self.limits.warning_is_ahead();
                    self.limits.set(&self.launch, minutes, warning);
                }
                Answer::Done
            }
            Control::Answer { number, answer } => {
                self.on_answer(number, &answer);
                Answer::Done
            }
            Control::Component(component, control) => self.on_component(component, *control),
        }
    }

    /// Begins to end the job, which will be in `state` then: TERM now, KILL later.
    pub(super) fn terminate(&mut self, uid: Option<u32>, state: JobState) {
        if self.ending.is_some() || self.closing {
            return;
        }
        if self.limits.go_on() {
            self.on_signal(0, SIGCONT, Target::Full);
        }
        self.ending = Some(Ending { state, cancelled_by: uid.filter(|_| state == JobState::Cancelled) });
        self.limits.kill_after(self.launch.kill_wait);
        self.tell_owner(&ToOwner::Revoked(state));
        let words = cancelled(state);
        if state != JobState::Completed {
            self.say_cancelled(words);
        }
        self.cancel_steps(words);
        if let Some(pid) = self.running_script() {
            let script = Tree::look().of(pid);
            processes::signal(&script, SIGCONT);
            processes::signal(&script, SIGTERM);
        }
    }

    /// `*** JOB 78 ON node1 CANCELLED AT 2026-11-20T11:36:47 ***`
    fn say_cancelled(&mut self, words: &str) {
        let (job, node, at) = (self.launch.job.id, self.node_name(), clock::stamp());
        self.say(&format!("*** JOB {job} ON {node} CANCELLED AT {at}{words} ***"));
    }

    pub(super) fn on_signal(&mut self, uid: u32, signal: i32, target: Target) -> Answer {
        match target {
            Target::Steps => self.signal_steps(signal),
            Target::Batch => {
                if let Some(pid) = self.running_script() {
                    processes::send(pid, signal);
                }
            }
            Target::Full => {
                if matches!(signal, SIGTERM | SIGKILL) {
                    self.say_cancelled("");
                }
                if let Some(pid) = self.running_script() {
                    processes::signal(&Tree::look().of(pid), signal);
                }
                self.signal_steps(signal);
            }
            Target::Step(StepId::Batch) => {
                if let Some(pid) = self.running_script() {
                    processes::signal(&Tree::look().of(pid), signal);
                }
            }
            Target::Step(StepId::Number(step)) => {
                if !self.signal_step(step, signal, Some(uid)) {
                    return Answer::NoSuchStep;
                }
            }
            Target::Step(_) => return Answer::NoSuchStep,
        }
        Answer::Done
    }

    /// `--signal`: to the steps, or with `B:` to the shell alone.
    pub(super) fn warn(&mut self, warning: WarnSignal) {
        if warning.batch_only {
            if let Some(pid) = self.running_script() {
                processes::send(pid, warning.signal);
            }
        } else {
            self.signal_steps(warning.signal);
        }
    }
}

/// Why, in the words behind `CANCELLED AT`.
pub(super) fn cancelled(state: JobState) -> &'static str {
    match state {
        JobState::Timeout => " DUE TO TIME LIMIT",
        JobState::Preempted => " DUE TO PREEMPTION",
        JobState::Pending | JobState::Requeued => " DUE TO JOB REQUEUE",
        JobState::NodeFail => " DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS",
        _ => "",
    }
}
