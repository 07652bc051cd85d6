//! Those who look on at a step beside its srun: sattach(1).
//!
//! A step waits for the slowest of them with what its tasks write, so that no output piles up here; one that takes
//! nothing for some time is left behind, so that none can keep a job from its end.

use super::{FromClient, FromPart, ToClient, ToPart};
use crate::agent::{
    agent::{Agent, Role},
    step::Bytes,
};
use std::time::{Duration, Instant};

/// So long one may take nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// One who looks on.
pub(super) struct Watcher {
    step: u32,
    /// The task its input is for; `None`: all.
    input: Option<u32>,
    /// How much waited for it when it last took something, and since when.
    waits: Option<(usize, Instant)>,
}

impl Watcher {
    /// Whether it has taken nothing for too long; `waiting` bytes wait for it now.
    fn is_stuck(&mut self, waiting: usize, now: Instant) -> bool {
        self.waits = match self.waits {
            _ if waiting == 0 => None,
            Some((before, since)) if waiting >= before => Some((waiting, since)),
            _ => Some((waiting, now)),
        };
        self.waits.is_some_and(|(_, since)| now.saturating_duration_since(since) >= PATIENCE)
    }
}

/// Input that is handed to the tasks when the one before it is taken.
pub(super) struct Input {
    pub from: u64,
    pub told: ToPart,
}

impl Agent {
    /// Somebody wants to look on at a step.
    pub(in crate::agent) fn on_attach(&mut self, id: u64, job: u32, step: u32, input: Option<u32>) {
        self.set_role(id, Role::Watcher);
        let running = self.manager.steps.get(&step).filter(|_| job == self.launch.job.id);
        let Some(running) = running else {
            let text = "Could not get job step info: Invalid job id specified";
            self.send(id, &ToClient::Refused(text.into()));
            return;
        };
        let nodes = running.plan.nodes.iter().map(|n| self.manager.name(n.index).to_owned()).collect();
        let layout = running.plan.layout.clone();
        let firsts = Vec::new();
        let created =
            ToClient::Created { step, nodes, layout, firsts, waited: false, kill_wait: self.launch.kill_wait };
        self.send(id, &created);
        self.manager.watchers.insert(id, Watcher { step, input, waits: None });
    }

    /// It said something: only its input is of interest.
    pub(in crate::agent) fn on_watcher(&mut self, id: u64, said: FromClient) {
        let (FromClient::Input(bytes), Some(watcher)) = (said, self.manager.watchers.get(&id)) else {
            return;
        };
        let told = match watcher.input {
            Some(task) => ToPart::InputFor(task, bytes),
            None => ToPart::Input(bytes),
        };
        self.hand_on(watcher.step, Input { from: id, told });
    }

    /// It is gone.
    pub(in crate::agent) fn watcher_lost(&mut self, id: u64) {
        self.manager.watchers.remove(&id);
    }

    /// Leaves behind those who take nothing.
    pub(in crate::agent) fn drop_stuck_watchers(&mut self) {
        let (now, connections) = (Instant::now(), &self.connections);
        let waiting = |id: &u64| connections.get(id).map_or(0, |c| c.link.waiting());
        let watchers = self.manager.watchers.iter_mut();
        let stuck = watchers.filter_map(|(id, w)| w.is_stuck(waiting(id), now).then_some(*id));
        for id in stuck.collect::<Vec<u64>>() {
            self.manager.watchers.remove(&id);
            self.connections.remove(&id);
        }
    }

    /// Tells those who look on what a part said, as far as it is for them.
    pub(super) fn tell_watchers(&mut self, step: u32, told: &ToClient) {
        let for_all = matches!(
            told,
            ToClient::Done
                | ToClient::Part {
                    said: FromPart::Output { .. }
                        | FromPart::OutputEnd { .. }
                        | FromPart::Exited { .. }
                        | FromPart::Message(_),
                    ..
                }
        );
        if for_all {
            let watchers = self.manager.watchers.iter().filter(|(_, w)| w.step == step);
            for id in watchers.map(|(id, _)| *id).collect::<Vec<u64>>() {
                self.send(id, told);
            }
        }
    }

    /// Hands input to the tasks of a step, or keeps it until that before it is taken.
    pub(super) fn hand_on(&mut self, step: u32, input: Input) {
        let Some(running) = self.manager.steps.get_mut(&step) else {
            return;
        };
        if running.input_from.is_some() {
            running.inputs.push_back(input);
            return;
        }
        running.input_from = Some(input.from);
        running.parts.iter_mut().for_each(|p| p.input_due = !p.done);
        self.tell_parts(step, &input.told);
        self.input_taken(step); // if there is none left to take it
    }

    /// When all parts have taken the last input, whose it was may send more, and the next is handed on.
    pub(super) fn input_taken(&mut self, step: u32) {
        let Some(running) = self.manager.steps.get_mut(&step) else {
            return;
        };
        if running.parts.iter().any(|p| p.input_due) {
            return;
        }
        let (from, next) = (running.input_from.take(), running.inputs.pop_front());
        if let Some(from) = from {
            self.send(from, &ToClient::InputTaken);
        }
        if let Some(next) = next {
            self.hand_on(step, next);
        }
    }
}

impl super::Manager {
    /// All who hear of a step: srun and those who look on.
    pub fn hearers_of(&self, step: u32) -> impl Iterator<Item = u64> {
        let watchers = self.watchers.iter().filter(move |(_, w)| w.step == step).map(|(id, _)| *id);
        self.client_of(step).into_iter().chain(watchers)
    }

    /// How long until one who takes nothing is left behind.
    pub(super) fn patience(&self) -> Option<Duration> {
        let next = self.watchers.values().filter_map(|w| w.waits).map(|(_, since)| since + PATIENCE).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }
}

/// srun's input.
pub(super) fn input(from: u64, bytes: Bytes) -> Input {
    Input { from, told: ToPart::Input(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_takes_nothing_is_stuck_in_the_end() {
        let mut watcher = Watcher { step: 0, input: None, waits: None };
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(!watcher.is_stuck(100, start) && !watcher.is_stuck(100, after(9)));
        assert!(!watcher.is_stuck(90, after(9)), "it has taken some");
        assert!(!watcher.is_stuck(120, after(18)) && watcher.is_stuck(120, after(19)));
        assert!(!watcher.is_stuck(0, after(40)) && !watcher.is_stuck(5, after(50)));
    }
}
