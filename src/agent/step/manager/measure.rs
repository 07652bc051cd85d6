//! What running steps use: sstat(1).
//!
//! Every part of a step is asked. What has come when all have answered, or after a second, is the answer: nothing waits for a
//! node that is slow.

use super::{Running, ToPart};
use crate::{
    agent::{agent::Agent, measure::Measure, wire::Steps},
    job::{NodeUsage, StepId, StepUsage, TaskUsage},
};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// So long the parts have for an answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Part of a step: the step, and which of its nodes.
type Part = (u32, usize);

/// An answer that comes together.
pub(super) struct Gathering {
    until: Instant,
    steps: Vec<StepUsage>,
    /// Whose answers are missing.
    due: BTreeSet<Part>,
}

impl Gathering {
    fn new(steps: Vec<StepUsage>, due: BTreeSet<Part>) -> Self {
        Self { until: Instant::now() + PATIENCE, steps, due }
    }

    /// Takes the answer of a part, once.
    fn take(&mut self, part: Part, tasks: Vec<TaskUsage>) {
        let (step, node) = part;
        if !self.due.remove(&part) {
            return;
        }
        let step = self.steps.iter_mut().find(|s| s.id == StepId::Number(step));
        if let Some(node) = step.and_then(|s| s.nodes.get_mut(node)) {
            node.tasks = tasks;
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        self.due.is_empty() || self.until <= now
    }
}

/// Which of the numbered steps are meant, of those that run.
fn numbers(wanted: Steps, running: impl Iterator<Item = u32>) -> Vec<u32> {
    match wanted {
        Steps::All => running.collect(),
        Steps::Lowest => running.min().into_iter().collect(),
        Steps::One(id) => running.filter(|number| id == StepId::Number(*number)).collect(),
    }
}

impl Agent {
    /// Somebody wants to know what steps use.
    pub(in crate::agent) fn on_usage(&mut self, asker: u64, wanted: Steps) {
        let mut steps: Vec<StepUsage> = Vec::new();
        if matches!(wanted, Steps::All | Steps::One(StepId::Batch))
            && let Some(pid) = self.running_script()
        {
            let node = NodeUsage { node: self.node_name().to_owned(), tasks: vec![Measure::now().task(0, pid)] };
            steps.push(StepUsage { id: StepId::Batch, nodes: vec![node] });
        }
        let (mut due, mut asked) = (BTreeSet::new(), Vec::new());
        for number in numbers(wanted, self.manager.steps.keys().copied()) {
            let Some(running) = self.manager.steps.get(&number) else { continue };
            steps.push(StepUsage { id: StepId::Number(number), nodes: self.manager.unmeasured(running) });
            for (node, part) in running.parts.iter().enumerate() {
                if let Some(connection) = part.connection {
                    due.insert((number, node));
                    asked.push(connection);
                }
            }
        }
        self.manager.gathering.insert(asker, Gathering::new(steps, due));
        for connection in asked {
            self.send(connection, &ToPart::Measure(asker));
        }
    }

    /// A part has answered.
    pub(super) fn measured(&mut self, asker: u64, part: Part, tasks: Vec<TaskUsage>) {
        if let Some(gathering) = self.manager.gathering.get_mut(&asker) {
            gathering.take(part, tasks);
        }
    }

    /// A part has ended, and will not answer.
    pub(super) fn not_measured(&mut self, part: Part) {
        self.manager.gathering.values_mut().for_each(|g| g.take(part, Vec::new()));
    }

    /// Answers those who have waited for as long as they have to.
    pub(in crate::agent) fn answer_overdue(&mut self) {
        let now = Instant::now();
        let over = self.manager.gathering.iter().filter(|(_, g)| g.is_over(now));
        for asker in over.map(|(asker, _)| *asker).collect::<Vec<u64>>() {
            if let Some(gathering) = self.manager.gathering.remove(&asker) {
                self.send(asker, &gathering.steps);
            }
        }
    }
}

impl super::Manager {
    fn unmeasured(&self, running: &Running) -> Vec<NodeUsage> {
        let names = running.plan.nodes.iter().map(|share| self.name(share.index).to_owned());
        names.map(|node| NodeUsage { node, tasks: Vec::new() }).collect()
    }

    /// How long until somebody has waited enough.
    pub(super) fn gathering_wait(&self) -> Option<Duration> {
        let next = self.gathering.values().map(|g| g.until).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(task: u32) -> TaskUsage {
        TaskUsage { task, ..TaskUsage::default() }
    }

    #[test]
    fn an_answer_is_whole_when_all_have_answered_or_a_second_is_over() {
        let node = |name: &str| NodeUsage { node: name.into(), tasks: Vec::new() };
        let step = StepUsage { id: StepId::Number(3), nodes: vec![node("a"), node("b")] };
        let mut gathering = Gathering::new(vec![step], BTreeSet::from([(3, 0), (3, 1)]));
        let now = Instant::now();
        gathering.take((3, 1), vec![task(1)]);
        gathering.take((3, 7), vec![task(7)]);
        gathering.take((3, 1), vec![]);
        assert!(!gathering.is_over(now) && gathering.is_over(now + PATIENCE));
        gathering.take((3, 0), vec![task(0)]);
        assert!(gathering.is_over(now));
        let tasks: Vec<_> = gathering.steps[0].nodes.iter().map(|n| n.tasks.clone()).collect();
        assert_eq!(tasks, [[task(0)], [task(1)]]);
    }

    #[test]
    fn steps_are_chosen_from_those_that_run() {
        let of = |wanted| numbers(wanted, [2, 5].into_iter());
        assert_eq!((of(Steps::All), of(Steps::Lowest)), (vec![2, 5], vec![2]));
        assert_eq!((of(Steps::One(StepId::Number(5))), of(Steps::One(StepId::Number(3)))), (vec![5], vec![]));
        assert!(of(Steps::One(StepId::Batch)).is_empty());
    }
}
