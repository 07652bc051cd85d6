//! A step so young that the controller has not heard of it: its agent has, if it can be reached from here.

use crate::{
    agent::{
        Layout,
        wire::{self, Answer, Control, Target},
    },
    controller::api::SignalJob,
    host::{directory, user},
    job::StepId,
};

/// Gives the order to the agent; whether it knew the step.
pub(super) fn signal(order: &SignalJob) -> bool {
    let id = &order.id;
    let number = id.step.as_deref().and_then(|step| step.parse().ok());
    let (Some(step), None, None) = (number, &id.tasks, &id.het) else { return false };
    let socket = Layout::new(&directory::state().join("spool"), id.job).socket(0);
    let (uid, signal) = (user::uid(), order.signal.unwrap_or(nix::libc::SIGKILL));
    let control = Control::Signal { uid, signal, target: Target::Step(StepId::Number(step)) };
    matches!(wire::control(&socket, &control), Ok(Answer::Done))
}
