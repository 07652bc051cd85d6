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
    collections::BTreeMap,
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
    /// Whose answers are missing, and which of the step's nodes here they are about.
    due: BTreeMap<Part, usize>,
}

impl Gathering {
    fn new(steps: Vec<StepUsage>, due: BTreeMap<Part, usize>) -> Self {
        Self { until: Instant::now() + PATIENCE, steps, due }
    }

    /// Takes the answer of a part, once.
    fn take(&mut self, part: Part, tasks: Vec<TaskUsage>) {
        let Some(node) = self.due.remove(&part) else { return };
        let step = self.steps.iter_mut().find(|s| s.id == StepId::Number(part.0));
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
    /// Somebody wants to know what steps use of a component's nodes.
    pub(in crate::agent) fn on_usage(&mut self, asker: u64, component: u32, wanted: Steps) {
        let mut steps: Vec<StepUsage> = Vec::new();
        if component == 0
            && matches!(wanted, Steps::All | Steps::One(StepId::Batch))
            && let Some(pid) = self.running_script()
        {
            let node = NodeUsage { node: self.node_name().to_owned(), tasks: vec![Measure::now().task(0, pid)] };
            steps.push(StepUsage { id: StepId::Batch, nodes: vec![node] });
        }
        let (mut due, mut asked) = (BTreeMap::new(), Vec::new());
        for number in numbers(wanted, self.manager.steps_of(component).into_iter()) {
            let Some(running) = self.manager.steps.get(&number) else { continue };
            let parts: Vec<usize> = running.parts_of(component).collect();
            for (node, part) in parts.iter().enumerate() {
                if let Some(connection) = running.parts.get(*part).and_then(|part| part.connection) {
                    due.insert((number, *part), node);
                    asked.push(connection);
                }
            }
            steps.push(StepUsage { id: StepId::Number(number), nodes: self.manager.unmeasured(running, &parts) });
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
    fn unmeasured(&self, running: &Running, parts: &[usize]) -> Vec<NodeUsage> {
        let shares = parts.iter().filter_map(|part| running.plan.nodes.get(*part));
        let names = shares.map(|share| self.name(share.index).to_owned());
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
        let mut gathering = Gathering::new(vec![step], BTreeMap::from([((3, 4), 0), ((3, 5), 1)]));
        let now = Instant::now();
        gathering.take((3, 5), vec![task(1)]);
        gathering.take((3, 7), vec![task(7)]);
        gathering.take((3, 5), vec![]);
        assert!(!gathering.is_over(now) && gathering.is_over(now + PATIENCE));
        gathering.take((3, 4), vec![task(0)]);
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
