//! The further components of a heterogeneous job: each has a time limit of its own and may end before the others.

use super::{
    Launch,
    agent::{Agent, Ending},
    clock,
    control::cancelled,
    event::EventKind,
    wire::{Answer, Control, Order, Target},
};
use crate::{
    job::{ExitStatus, Job, StepId},
    slurm::{state::JobState, time::TimeLimit},
};
use nix::libc::{SIGKILL, SIGTERM};
use std::time::{Duration, Instant};

/// One of them, on the first node of the job.
#[derive(Debug)]
pub(super) struct Component {
    /// When its time limit ends it.
    end: Option<Instant>,
    /// How it ends, once that was decided.
    ending: Option<Ending>,
    /// When what is left of its steps is killed.
    kill: Option<Instant>,
    /// Its nodes' agents were told to go.
    told: bool,
    /// It is over.
    over: bool,
}

impl Component {
    /// Those of a job as it starts.
    pub fn of(launch: &Launch) -> Vec<Self> {
        let new = |job: &Job| {
            let minutes = match job.time_limit {
                TimeLimit::Minutes(minutes) => Some(minutes),
                TimeLimit::Unlimited => None,
            };
            Self { end: end(launch, job, minutes), ending: None, kill: None, told: false, over: false }
        };
        launch.others.iter().map(new).collect()
    }

    fn due(&self) -> Option<Instant> {
        self.end.into_iter().chain(self.kill).min()
    }
}

/// The end of a component that may run for so many minutes.
fn end(launch: &Launch, job: &Job, minutes: Option<u32>) -> Option<Instant> {
    let start = job.start_time.unwrap_or_else(clock::now);
    let over = i64::from(launch.over_time_limit);
    clock::moment(start.saturating_add(i64::from(minutes?) * 60).saturating_add(over))
}

impl Agent {
    /// Whether a component is ending or over. The first one does with the job.
    pub(super) fn component_ends(&self, component: u32) -> bool {
        self.component(component).is_some_and(|c| c.ending.is_some())
    }

    fn component(&self, component: u32) -> Option<&Component> {
        self.components.get((component as usize).checked_sub(1)?)
    }

    fn component_mut(&mut self, component: u32) -> Option<&mut Component> {
        self.components.get_mut((component as usize).checked_sub(1)?)
    }

    /// What is asked for one component.
    pub(super) fn on_component(&mut self, component: u32, control: Control) -> Answer {
        match control {
            Control::Terminate { uid, state } => self.end_component(component, Some(uid), state),
            Control::TimeLimit(minutes) => {
                let job = self.launch.jobs().nth(component as usize);
                let at = job.and_then(|job| end(&self.launch, job, minutes));
                if let Some(component) = self.component_mut(component).filter(|c| c.ending.is_none()) {
                    component.end = at;
                }
            }
            // The end of one component's part of a step is the step's.
            Control::Signal { uid, signal: signal @ (SIGKILL | SIGTERM), target: target @ Target::Step(_) } => {
                return self.on_signal(uid, signal, target);
            }
            Control::Signal { signal, target: Target::Step(StepId::Number(step)), .. } => {
                return match self.signal_component_of(step, component, signal) {
                    true => Answer::Done,
                    false => Answer::NoSuchStep,
                };
            }
            Control::Signal { uid, signal, target: target @ (Target::Batch | Target::Step(_)) } => {
                return self.on_signal(uid, signal, target);
            }
            Control::Signal { uid, signal, target } => {
                if target == Target::Full && component == 0 {
                    self.on_signal(uid, signal, Target::Step(StepId::Batch));
                }
                for step in self.manager.steps_of(component) {
                    self.signal_component_of(step, component, signal);
                }
            }
            // It is the whole job that is suspended, or told something, and that asks.
            Control::Component(..)
            | Control::Answer { .. }
            | Control::Suspend
            | Control::Resume
            | Control::Notify(_) => {}
        }
        Answer::Done
    }

    /// Begins to end a component: TERM to its steps now, KILL later. The rest of the job goes on.
    fn end_component(&mut self, component: u32, uid: Option<u32>, state: JobState) {
        let kill = Instant::now().checked_add(Duration::from_secs(self.launch.kill_wait.into()));
        let Some(ending) = self.component_mut(component).filter(|c| c.ending.is_none()) else { return };
        ending.ending = Some(Ending { state, cancelled_by: uid.filter(|_| state == JobState::Cancelled) });
        (ending.end, ending.kill) = (None, kill);
        for step in self.manager.steps_of(component) {
            self.abort_step_of(step, component, cancelled(state));
        }
        self.refuse_waiting();
    }

    /// Does what is due to components: limits, KILL, and the end where nothing is left of one.
    pub(super) fn end_components(&mut self) {
        let now = Instant::now();
        for component in (1..).take(self.components.len()) {
            let Some(state) = self.component_mut(component) else { continue };
            let limit = state.end.take_if(|at| *at <= now).is_some();
            let kill = state.kill.take_if(|at| *at <= now).is_some();
            if limit {
                self.end_component(component, None, JobState::Timeout);
            }
            if kill {
                for step in self.manager.steps_of(component) {
                    self.signal_component_of(step, component, SIGKILL);
                }
            }
            self.finish_component(component);
        }
    }

    fn finish_component(&mut self, component: u32) {
        let Some(Component { ending: Some(ending), told, over: false, .. }) = self.component(component) else { return };
        let (ending, told) = (*ending, *told);
        if !self.manager.steps_of(component).is_empty() {
            return;
        }
        let nodes = (0..self.launch.shares().count()).filter(|index| self.launch.component_of(*index) == component);
        let left: Vec<u64> = nodes.filter_map(|index| self.node_connection(index)).collect();
        if !told {
            left.iter().for_each(|id| self.send(*id, &Order::Finish));
        }
        if let Some(state) = self.component_mut(component) {
            (state.told, state.over, state.kill) = (true, left.is_empty(), None);
        }
        if !left.is_empty() {
            return;
        }
        let (state, exit) = (ending.state, ExitStatus::default());
        self.note_of(
            component,
            EventKind::Ended { state, exit, derived_exit: exit, cancelled_by: ending.cancelled_by },
        );
    }

    /// How long until something is due to a component.
    pub(super) fn components_wait(&self) -> Option<Duration> {
        let next = self.components.iter().filter_map(Component::due).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }
}
