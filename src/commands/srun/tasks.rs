//! What srun knows of its tasks, and what it says of them.

use crate::{
    job::ExitStatus,
    slurm::{idset::IdSet, signal::signal_text},
};

/// The tasks of the step.
pub(super) struct Tasks {
    /// `190.0`
    step: String,
    nodes: Vec<String>,
    /// For each node the first task of its component: messages count from there.
    bases: Vec<u32>,
    running: IdSet,
    exited: IdSet,
    /// Whether to say `Force Terminated` at the end.
    forced: bool,
    highest: u8,
    /// There was not enough memory for one.
    out_of_memory: bool,
}

impl Tasks {
    /// Those of a step as it begins. `firsts`: the place of the first node of each of its components.
    pub fn new(step: String, nodes: Vec<String>, layout: &[Vec<u32>], firsts: &[usize]) -> Self {
        let running = layout.iter().flatten().copied().collect();
        let first_task = |node: usize| {
            let first = firsts.iter().rfind(|first| **first <= node).copied().unwrap_or(0);
            layout.iter().take(first).map(|ids| ids.len() as u32).sum()
        };
        let bases = (0..layout.len()).map(first_task).collect();
        Self { step, nodes, bases, running, exited: IdSet::new(), forced: false, highest: 0, out_of_memory: false }
    }

    /// `StepId=190.0`
    pub fn step(&self) -> String {
        format!("StepId={}", self.step)
    }

    /// `launching StepId=176.0 on host node1, 1 tasks: 0`, a line for each node.
    pub fn launching(&self, layout: &[Vec<u32>]) -> Vec<String> {
        let line = |(node, ids): (&String, &Vec<u32>)| {
            let list: IdSet = ids.iter().copied().collect();
            format!("launching {} on host {node}, {} tasks: {list}", self.step(), ids.len())
        };
        self.nodes.iter().zip(layout).map(line).collect()
    }

    /// How many.
    pub fn count(&self) -> u32 {
        (self.running.len() + self.exited.len()) as u32
    }

    /// Whether some have ended and some have not.
    pub fn some_wait_for_others(&self) -> bool {
        !self.running.is_empty() && !self.exited.is_empty()
    }

    /// Whether one was ended by KILL or TERM.
    pub fn was_forced(&self) -> bool {
        self.forced
    }

    /// The highest exit code, a signal as 128 and its number; 1 where there was not enough memory.
    pub fn exit_code(&self) -> u8 {
        if self.out_of_memory { ExitStatus::OUT_OF_MEMORY.shell_code() } else { self.highest }
    }

    /// Tasks ended. What there is to say of it: `node1: tasks 0-2: Exited with exit code 1`, or `Completed`.
    /// That there was not enough memory is said once.
    pub fn ended(&mut self, node: usize, ids: &[u32], exit: ExitStatus) -> Option<String> {
        let ids: IdSet = ids.iter().copied().collect();
        for id in ids.iter() {
            self.running.remove(id);
            self.exited.insert(id);
        }
        self.highest = self.highest.max(exit.shell_code());
        let what = match i32::from(exit.signal()) {
            _ if exit == ExitStatus::OUT_OF_MEMORY => {
                if std::mem::replace(&mut self.out_of_memory, true) {
                    return None;
                }
                "Out Of Memory".to_owned()
            }
            0 if exit.is_success() => "Completed".to_owned(),
            0 => format!("Exited with exit code {}", exit.code()),
            signal => {
                self.forced |= signal == 9 || signal == 15;
                let core = if exit.0 & 0x80 != 0 { " (core dumped)" } else { "" };
                format!("{}{core}", signal_text(signal))
            }
        };
        let base = self.bases.get(node).copied().unwrap_or(0);
        let node = self.nodes.get(node).map_or("", String::as_str);
        let shown: IdSet = ids.iter().map(|id| id.saturating_sub(base)).collect();
        Some(format!("{node}: {}: {what}", named(&shown)))
    }

    /// `StepId=190.0 tasks 0-1: running`, and those that have ended.
    pub fn status(&self) -> Vec<String> {
        [(&self.running, "running"), (&self.exited, "exited")]
            .iter()
            .filter(|(ids, _)| !ids.is_empty())
            .map(|(ids, state)| format!("{} {}: {state}", self.step(), named(ids)))
            .collect()
    }
}

fn named(ids: &IdSet) -> String {
    let s = if ids.len() == 1 { "" } else { "s" };
    format!("task{s} {ids}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks() -> Tasks {
        Tasks::new("190.0".into(), vec!["node1".into(), "node2".into()], &[vec![0, 1, 2], vec![3]], &[0])
    }

    #[test]
    fn messages_are_those_of_the_captures() {
        let mut t = tasks();
        let said = t.ended(0, &[0, 1, 2], ExitStatus::exited(1)).unwrap();
        assert_eq!(said, "node1: tasks 0-2: Exited with exit code 1");
        assert_eq!(t.status(), ["StepId=190.0 task 3: running", "StepId=190.0 tasks 0-2: exited"]);
        assert!(t.some_wait_for_others() && !t.was_forced());
        assert_eq!(t.ended(1, &[3], ExitStatus::signaled(9)).unwrap(), "node2: task 3: Killed");
        assert_eq!((t.exit_code(), t.was_forced()), (137, true));
    }

    #[test]
    fn messages_count_the_tasks_of_a_component() {
        let nodes = vec!["node1".into(), "node2".into()];
        let mut t = Tasks::new("12.0".into(), nodes, &[vec![0], vec![1, 2]], &[0, 1]);
        let said = t.ended(1, &[1, 2], ExitStatus::exited(4)).unwrap();
        assert_eq!(said, "node2: tasks 0-1: Exited with exit code 4"); // het.txt
    }

    #[test]
    fn want_of_memory_is_said_once_and_is_all_that_counts() {
        let mut t = tasks();
        assert_eq!(t.ended(1, &[3], ExitStatus::signaled(9)).unwrap(), "node2: task 3: Killed");
        let oom = ExitStatus::OUT_OF_MEMORY;
        assert_eq!(t.ended(0, &[1, 2], oom).unwrap(), "node1: tasks 1-2: Out Of Memory");
        assert_eq!(t.ended(0, &[0], oom), None);
        assert_eq!((t.exit_code(), t.count()), (1, 4));
    }

    #[test]
    fn a_fault_is_not_forced() {
        let mut t = tasks();
        assert_eq!(t.ended(1, &[3], ExitStatus(11)).unwrap(), "node2: task 3: Segmentation fault");
        assert_eq!(t.ended(0, &[0], ExitStatus::default()).unwrap(), "node1: task 0: Completed");
        assert!(!t.was_forced());
    }
}
