//! Groups of nodes: `sinfo --json` (`SINFO_DATA` of Slurm's parsers).

use super::{
    nodes,
    partitions::{PartitionRecord, PartitionRecords},
    tree::{Field, Records, value_of},
    value::*,
};
use crate::{
    host::user,
    job::{Cluster, Node},
    report::{
        node_fields::{cpu_counts, node_counts},
        node_groups::NodeRow,
        node_values as values,
    },
};

/// The lines of sinfo.
pub struct SinfoRows;

impl Records for SinfoRows {
    type Row<'a> = (NodeRow<'a>, &'a Cluster);
    const FIELDS: &'static [Field<Self>] = FIELDS;
}

type Row<'a> = (NodeRow<'a>, &'a Cluster);

const fn row(path: &'static str, value: for<'r, 'a> fn(&'r Row<'a>) -> Value<'r>) -> Field<SinfoRows> {
    Field { path, value }
}

/// A text about what there is not here.
const fn none(path: &'static str) -> Field<SinfoRows> {
    row(path, |_| text(""))
}

/// A number that is always the same here.
macro_rules! fixed {
    ($path:expr, $number:literal) => {
        row($path, |_| int($number))
    };
}

fn least<'a>(row: &Row<'_>, of: impl Fn(&Node) -> u64) -> Value<'a> {
    int(row.0.smallest(of))
}

fn most<'a>(row: &Row<'_>, of: impl Fn(&Node) -> u64) -> Value<'a> {
    int(row.0.largest(of))
}

fn of_first<'a>(row: &Row<'_>, of: impl Fn(&Node) -> String) -> Value<'a> {
    text(row.0.nodes.first().map(|node| of(node)).unwrap_or_default())
}

fn names<'r>(row: &'r Row<'_>, of: impl Fn(&'r Node) -> &'r str) -> Value<'r> {
    words(row.0.nodes.iter().map(|node| of(node)))
}

fn partition<'r>(row: &'r Row<'_>) -> Value<'r> {
    // The values do not outlive the record they are read of, so it is put into the value whole.
    let record = PartitionRecord { partition: row.0.partition, cluster: row.1 };
    value_of::<PartitionRecords>(&record).into_owned()
}

#[rustfmt::skip]
const FIELDS: &[Field<SinfoRows>] = &[
    fixed!("port", 0),
    row("node/state", |r| r.0.nodes.first().map_or(NONE, |node| nodes::states(node))),
    row("nodes/allocated", |r| int(node_counts(&r.0)[0])),
    row("nodes/idle", |r| int(node_counts(&r.0)[1])),
    row("nodes/other", |r| int(node_counts(&r.0)[2])),
    row("nodes/total", |r| int(r.0.nodes.len())),
    row("cpus/allocated", |r| int(cpu_counts(&r.0)[0])),
    row("cpus/idle", |r| int(cpu_counts(&r.0)[1])),
    row("cpus/other", |r| int(cpu_counts(&r.0)[2])),
    row("cpus/total", |r| int(cpu_counts(&r.0)[3])),
    row("cpus/minimum", |r| least(r, |n| n.cpus.into())),
    row("cpus/maximum", |r| most(r, |n| n.cpus.into())),
    fixed!("sockets/minimum", 1),
    fixed!("sockets/maximum", 1),
    row("cores/minimum", |r| least(r, |n| n.cpus.into())),
    row("cores/maximum", |r| most(r, |n| n.cpus.into())),
    fixed!("threads/minimum", 1),
    fixed!("threads/maximum", 1),
    fixed!("disk/minimum", 0),
    fixed!("disk/maximum", 0),
    row("memory/minimum", |r| least(r, |n| n.memory)),
    row("memory/maximum", |r| most(r, |n| n.memory)),
    fixed!("weight/minimum", 1),
    fixed!("weight/maximum", 1),
    fixed!("cpus/load/minimum", 0),
    fixed!("cpus/load/maximum", 0),
    row("memory/free/minimum", |_| UNSET),
    row("memory/free/maximum", |_| UNSET),
    row("cpus/per_node/max", |_| INFINITE),
    row("memory/allocated", |r| most(r, |n| n.memory_used)),
    row("features/total", |r| text(r.0.features().join(","))),
    row("features/active", |r| text(r.0.features().join(","))),
    row("gres/total", |r| of_first(r, values::gres)),
    row("gres/used", |r| of_first(r, |node| values::gres_used(node, r.0.context))),
    row("cluster", |r| text(&r.1.name)),
    none("comment"),
    none("extra"),
    row("reason/description", |r| or_empty(r.0.reason())),
    row("reason/time", |r| int(r.0.reason().and(r.0.nodes.first()).map_or(0, |node| node.since))),
    none("reservation"),
    row("reason/user", |r| text(r.0.reason().map(|_| user::name_of(user::uid())).unwrap_or_default())),
    none("resource_spec/cpus"),
    fixed!("resource_spec/memory", 0),
    row("nodes/hostnames", |r| names(r, |n| &n.host)),
    row("nodes/addresses", |r| names(r, |n| &n.address)),
    row("nodes/nodes", |r| names(r, |n| &n.name)),
    row("partition", partition),
];
