//! Steps that exist, but whose tasks wait for srun's word: it has something to do before them (`--prolog`, `--bcast`).

use crate::{
    agent::{agent::Agent, wire::Order},
    job::ExitStatus,
};

impl Agent {
    /// Starts the tasks of a step on all nodes whose agents are there.
    pub(super) fn launch_parts(&mut self, step: u32) {
        let Some(running) = self.manager.steps.get_mut(&step) else {
            return;
        };
        running.held = false;
        let indices: Vec<(usize, usize)> =
            running.plan.nodes.iter().enumerate().map(|(place, share)| (place, share.index)).collect();
        let mut own = None;
        for (place, index) in indices {
            let connection = self.node_connection(index);
            let part = self.manager.steps.get_mut(&step).and_then(|s| s.parts.get_mut(place));
            let Some(part) = part.filter(|_| index == 0 || connection.is_some()) else {
                continue;
            };
            match (part.launching.take(), connection) {
                (Some(launching), _) if index == 0 => own = Some((place, launching)),
                (Some(launching), Some(connection)) => self.send(connection, &Order::Launch(launching)),
                _ => {}
            }
        }
        // The others are under way while we start ours.
        if let Some((place, launching)) = own {
            self.launch_own_part(step, place, *launching);
        }
    }

    /// Ends a step whose tasks still wait. `false`: they do not.
    pub(super) fn drop_held(&mut self, step: u32) -> bool {
        let Some(running) = self.manager.steps.get_mut(&step).filter(|s| s.held) else {
            return false;
        };
        running.groups.iter_mut().for_each(|group| group.exit = ExitStatus::exited(1));
        running.parts.iter_mut().for_each(|part| part.done = true);
        self.finish_step(step);
        true
    }
}
