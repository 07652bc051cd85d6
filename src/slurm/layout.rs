//! Where the tasks of a step go: `--distribution` of srun(1).

/// How tasks go to the nodes of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Consecutive tasks share a node.
    Block,
    /// One to each node in turn.
    Cyclic,
    /// So many to each node in turn.
    Plane(u32),
}

/// The global ids of the tasks of each node, in ascending order.
///
/// `slots` is how many tasks each node has room for. As slurmctld does (`env.txt`, `-N2 -n5`), block first deals
/// the tasks out in turn to see how many each node gets, and then numbers them node by node.
///
/// `None` where there are more tasks than slots and not `overcommit`.
pub fn lay_out(tasks: u32, slots: &[u32], order: &Order, overcommit: bool) -> Option<Vec<Vec<u32>>> {
    let room: u64 = slots.iter().map(|s| u64::from(*s)).sum();
    if slots.is_empty() || (u64::from(tasks) > room && !overcommit) {
        return (tasks == 0).then(|| vec![Vec::new(); slots.len()]);
    }
    let at_once = match order {
        Order::Plane(size) => (*size).max(1),
        _ => 1,
    };
    let mut nodes: Vec<Vec<u32>> = vec![Vec::new(); slots.len()];
    let mut next = 0;
    while next < tasks {
        let full = nodes.iter().zip(slots).all(|(ids, slots)| ids.len() >= *slots as usize);
        for (ids, slots) in nodes.iter_mut().zip(slots) {
            for _ in 0..at_once {
                if next < tasks && (full || ids.len() < *slots as usize) {
                    ids.push(next);
                    next += 1;
                }
            }
        }
    }
    if *order == Order::Block {
        let mut next = 0..;
        for ids in &mut nodes {
            ids.iter_mut().zip(&mut next).for_each(|(id, number)| *id = number);
        }
    }
    Some(nodes)
}

/// The order where none was asked for: cyclic for at most one task a node, else block.
pub fn default_order(tasks: u32, nodes: usize) -> Order {
    if tasks as usize <= nodes { Order::Cyclic } else { Order::Block }
}

/// Counts as `SLURM_TASKS_PER_NODE` writes them: `2(x3),1`.
pub fn repetitions(counts: impl IntoIterator<Item = u32>) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for count in counts {
        match runs.last_mut() {
            Some((value, times)) if *value == count => *times += 1,
            _ => runs.push((count, 1)),
        }
    }
    let shown: Vec<String> = runs
        .iter()
        .map(|(value, times)| if *times == 1 { value.to_string() } else { format!("{value}(x{times})") })
        .collect();
    shown.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(nodes: &[Vec<u32>]) -> Vec<usize> {
        nodes.iter().map(Vec::len).collect()
    }

    #[test]
    fn block_is_that_of_the_captures() {
        let nodes = lay_out(5, &[4, 1], &Order::Block, false).unwrap(); // env.txt: -N 2 -n 5
        assert_eq!(nodes, [vec![0, 1, 2, 3], vec![4]]);
        let nodes = lay_out(4, &[2, 2, 2], &Order::Block, false).unwrap(); // srun(1)
        assert_eq!(nodes, [vec![0, 1], vec![2], vec![3]]);
        let nodes = lay_out(12, &[9, 1, 1, 1], &Order::Block, false).unwrap(); // srun.txt: -N4 -n12
        assert_eq!(counts(&nodes), [9, 1, 1, 1]);
    }

    #[test]
    fn cyclic_and_plane_are_those_of_the_captures() {
        let nodes = lay_out(6, &[2, 2, 2], &Order::Cyclic, false).unwrap(); // env.txt: GTIDS
        assert_eq!(nodes, [vec![0, 3], vec![1, 4], vec![2, 5]]);
        let nodes = lay_out(7, &[64, 64], &Order::Plane(2), false).unwrap();
        assert_eq!(nodes, [vec![0, 1, 4, 5], vec![2, 3, 6]]);
    }

    #[test]
    fn too_many_tasks_are_refused_unless_overcommitted() {
        assert_eq!(lay_out(2, &[1], &Order::Block, false), None);
        assert_eq!(lay_out(2, &[1], &Order::Block, true).unwrap(), [vec![0, 1]]);
        assert_eq!(lay_out(1, &[], &Order::Block, true), None);
        assert_eq!(lay_out(3, &[0, 0], &Order::Block, true).map(|n| counts(&n)), Some(vec![2, 1]));
    }

    #[test]
    fn orders_where_none_was_asked_for() {
        assert_eq!(default_order(2, 2), Order::Cyclic);
        assert_eq!(default_order(3, 2), Order::Block);
    }

    #[test]
    fn repetitions_are_slurms() {
        assert_eq!(repetitions([2, 2, 2, 1]), "2(x3),1");
        assert_eq!(repetitions([4, 1]), "4,1");
        assert_eq!(repetitions([]), "");
    }
}
