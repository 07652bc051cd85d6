//! The first node's side of PMI: what the nodes of a step say to each other.

use super::{
    Down, Pair, Up,
    store::{ROOM, Store, total},
};
use crate::agent::step::Bytes;

/// The exchange of one step.
pub(in crate::agent) struct Exchange {
    /// Nodes with tasks, that are not in the fence.
    missing: Vec<bool>,
    /// Which nodes have tasks.
    nodes: Vec<bool>,
    /// What those in the fence have put.
    put: Vec<Pair>,
    /// What that costs.
    used: usize,
    names: Store,
    aborted: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agent) enum Due {
    /// Say this to all nodes.
    All(Down),
    /// Say this to the node that spoke.
    Back(Down),
    /// Kill the step.
    Kill,
    /// Nothing.
    Nothing,
}

impl Exchange {
    /// An exchange between nodes with these tasks.
    pub fn new(layout: &[Vec<u32>]) -> Self {
        let nodes: Vec<bool> = layout.iter().map(|ranks| !ranks.is_empty()).collect();
        Self { missing: nodes.clone(), nodes, put: Vec::new(), used: 0, names: Store::default(), aborted: false }
    }

    /// Hears from a node.
    pub fn hear(&mut self, node: usize, up: Up) -> Due {
        match up {
            Up::Fence(pairs) => {
                // A node comes once into each fence.
                if !self.missing.get_mut(node).is_some_and(std::mem::take) {
                    return Due::Nothing;
                }
                self.used += total(&pairs);
                if self.used <= ROOM {
                    self.put.extend(pairs);
                }
                if self.missing.contains(&true) {
                    return Due::Nothing;
                }
                self.missing.clone_from(&self.nodes);
                let (put, used) = (std::mem::take(&mut self.put), std::mem::take(&mut self.used));
                Due::All(Down::Fence(Some(put).filter(|_| used <= ROOM)))
            }
            Up::Publish(name, port) => {
                let worked = self.names.put(name.0, port.0);
                Due::Back(Down::Name(None, worked))
            }
            Up::Unpublish(name) => {
                self.names.remove(&name.0);
                Due::Back(Down::Name(None, true)) // Slurm does not mind one that is not there
            }
            Up::Lookup(name) => {
                let port = self.names.get(&name.0).map(|port| Bytes(port.to_vec()));
                let worked = port.is_some();
                Due::Back(Down::Name(port, worked))
            }
            Up::Abort if std::mem::replace(&mut self.aborted, true) => Due::Nothing,
            Up::Abort => Due::Kill,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Bytes {
        Bytes(text.into())
    }

    fn fence(pairs: &[(&str, &str)]) -> Up {
        Up::Fence(pairs.iter().map(|(k, v)| (bytes(k), bytes(v))).collect())
    }

    #[test]
    fn a_fence_is_complete_when_all_nodes_with_tasks_are_in_it() {
        let mut exchange = Exchange::new(&[vec![0, 1], vec![], vec![2]]);
        for _ in 0..2 {
            assert_eq!(exchange.hear(2, fence(&[("a", "1")])), Due::Nothing);
            assert_eq!(exchange.hear(2, fence(&[("a", "2")])), Due::Nothing);
            assert_eq!(exchange.hear(1, fence(&[])), Due::Nothing);
            assert_eq!(exchange.hear(7, fence(&[])), Due::Nothing);
            let all = Some(vec![(bytes("a"), bytes("1")), (bytes("b"), bytes("2"))]);
            assert_eq!(exchange.hear(0, fence(&[("b", "2")])), Due::All(Down::Fence(all)));
        }
    }

    #[test]
    fn too_much_fails_the_fence_and_not_the_next() {
        let mut exchange = Exchange::new(&[vec![0], vec![1]]);
        let half = Up::Fence(vec![(bytes("a"), Bytes(vec![0; ROOM / 2]))]);
        assert_eq!(exchange.hear(0, half.clone()), Due::Nothing);
        assert_eq!(exchange.hear(1, half), Due::All(Down::Fence(None)));
        assert_eq!(exchange.hear(0, fence(&[])), Due::Nothing);
        assert_eq!(exchange.hear(1, fence(&[])), Due::All(Down::Fence(Some(vec![]))));
    }

    #[test]
    fn names_are_found_until_they_are_taken_back() {
        let mut exchange = Exchange::new(&[vec![0]]);
        let none = Due::Back(Down::Name(None, false));
        let done = Due::Back(Down::Name(None, true));
        assert_eq!(exchange.hear(0, Up::Lookup(bytes("ocean"))), none);
        assert_eq!(exchange.hear(0, Up::Publish(bytes("ocean"), bytes("tag=1"))), done);
        assert_eq!(exchange.hear(0, Up::Lookup(bytes("ocean"))), Due::Back(Down::Name(Some(bytes("tag=1")), true)));
        assert_eq!(exchange.hear(0, Up::Unpublish(bytes("ocean"))), done);
        assert_eq!(exchange.hear(0, Up::Lookup(bytes("ocean"))), none);
        assert_eq!(exchange.hear(0, Up::Abort), Due::Kill);
        assert_eq!(exchange.hear(0, Up::Abort), Due::Nothing);
    }
}
