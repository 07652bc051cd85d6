//! The lines of sinfo: nodes of a partition that are alike in what is shown.

use super::{
    clock::Clock,
    field::{Column, Tells},
    node_fields::Nodes,
    node_state::{Shown, State, Wanted},
};
use crate::{
    job::{Job, Node, Partition},
    slurm::{idset::IdSet, state::JobState},
};
use std::collections::{BTreeMap, HashMap};

/// What a listing of nodes knows besides the nodes.
pub struct Context<'a> {
    /// How points in time are shown.
    pub clock: Clock,
    /// Which of a node's generic resources are in use: by node, name and type.
    pub used: BTreeMap<(&'a str, &'a str, Option<&'a str>), IdSet>,
    /// `-O version`
    pub version: &'a str,
    /// `--noconvert`
    pub noconvert: bool,
}

/// One line of sinfo.
pub struct NodeRow<'a> {
    /// The (first) partition.
    pub partition: &'a Partition,
    /// Its place in the configuration.
    pub partition_index: usize,
    /// The nodes; none if the partition has none that was asked for.
    pub nodes: Vec<&'a Node>,
    /// What all lines share.
    pub context: &'a Context<'a>,
}

/// Which nodes, and what keeps them apart.
pub struct Grouping<'a> {
    /// `--partition`
    pub partitions: Option<Vec<&'a str>>,
    /// `--nodes`
    pub nodes: Option<Vec<String>>,
    /// `--states`
    pub states: Option<Wanted>,
    /// `--responding`
    pub responding: bool,
    /// `--dead`
    pub dead: bool,
    /// `--exact`
    pub exact: bool,
    /// `--Node`: a line for every node in every partition
    pub each: bool,
    /// A partition without any such node has a line of its own
    pub empty: bool,
}

impl<'a> NodeRow<'a> {
    /// The state of the line's first node.
    pub fn state(&self) -> Option<State> {
        self.nodes.first().map(|node| State::of(node))
    }

    /// Where the state stands in sinfo's order.
    pub fn state_rank(&self) -> u32 {
        self.state().map_or(0, State::rank)
    }

    /// The first node's name.
    pub fn first_name(&self) -> &'a str {
        self.nodes.first().map_or("", |node| &node.name)
    }

    /// Why the first node is out of service.
    pub fn reason(&self) -> Option<&'a str> {
        self.nodes.first().and_then(|node| node.reason.as_deref())
    }

    /// The first node's features.
    pub fn features(&self) -> &'a [String] {
        self.nodes.first().map_or(&[], |node| &node.features)
    }

    /// The smallest of some quantity over the nodes.
    pub fn smallest(&self, of: impl Fn(&Node) -> u64) -> u64 {
        self.nodes.iter().map(|node| of(node)).min().unwrap_or(0)
    }

    /// The largest.
    pub fn largest(&self, of: impl Fn(&Node) -> u64) -> u64 {
        self.nodes.iter().map(|node| of(node)).max().unwrap_or(0)
    }
}

impl Grouping<'_> {
    /// The lines, in the order of the configuration.
    pub fn rows<'a>(
        &self,
        partitions: &'a [Partition],
        nodes: &'a [Node],
        columns: &[Column<Nodes>],
        context: &'a Context<'a>,
    ) -> Vec<NodeRow<'a>> {
        let by_name: HashMap<&str, &Node> = nodes.iter().map(|node| (node.name.as_str(), node)).collect();
        let mut rows: Vec<NodeRow> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for (partition_index, partition) in partitions.iter().enumerate() {
            if self.partitions.as_ref().is_some_and(|wanted| !wanted.contains(&partition.name.as_str())) {
                continue;
            }
            let line = |nodes| NodeRow { partition, partition_index, nodes, context };
            let mut any = false;
            for node in partition.nodes.iter().filter_map(|name| by_name.get(name.as_str()).copied()) {
                if !self.takes(node) {
                    continue;
                }
                any = true;
                let row = line(vec![node]);
                let place = *places.entry(self.key(&row, columns)).or_insert(rows.len());
                match rows.get_mut(place) {
                    // A node of two partitions that share a line counts once.
                    Some(row) if row.nodes.iter().any(|other| std::ptr::eq(*other, node)) => {}
                    Some(row) => row.nodes.push(node),
                    None => rows.push(row),
                }
            }
            if !any && self.empty && !self.each {
                rows.push(line(Vec::new()));
            }
        }
        rows
    }

    fn takes(&self, node: &Node) -> bool {
        let state = State::of(node);
        let named = self.nodes.as_ref().is_none_or(|names| names.contains(&node.name));
        let answers = state.shown != Shown::Down;
        named
            && self.states.as_ref().is_none_or(|wanted| wanted.takes(state))
            && (!self.responding || answers)
            && (!self.dead || !answers)
    }

    /// What a node shows in the columns that keep nodes apart: nodes with the same share a line.
    fn key(&self, row: &NodeRow, columns: &[Column<Nodes>]) -> String {
        let mut key = String::new();
        if self.each {
            super::table::number(&mut key, row.partition_index as i64);
            key.push('\0');
            key.push_str(row.first_name());
            return key;
        }
        for field in columns.iter().filter_map(|column| column.field) {
            if field.tells == Tells::Always || (field.tells == Tells::Exact && self.exact) {
                (field.write)(row, &mut key);
                key.push('\0');
            }
        }
        key
    }
}

/// Which of each node's generic resources the running jobs have.
pub fn used_gres(jobs: &[Job]) -> BTreeMap<(&str, &str, Option<&str>), IdSet> {
    let mut used: BTreeMap<_, IdSet> = BTreeMap::new();
    let running = jobs.iter().filter(|job| matches!(job.state, JobState::Running | JobState::Suspended));
    for share in running.filter_map(|job| job.placement.as_ref()).flat_map(|placement| &placement.nodes) {
        for gres in &share.gres {
            let key = (share.node.as_str(), gres.name.as_str(), gres.kind.as_deref());
            used.entry(key).or_default().union_with(&gres.ids);
        }
    }
    used
}
