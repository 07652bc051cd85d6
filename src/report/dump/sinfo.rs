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
    type Row<'a> = SinfoRow<'a>;
    const FIELDS: &'static [Field<Self>] = FIELDS;
}

/// One of them.
pub struct SinfoRow<'a> {
    /// Its nodes.
    pub group: NodeRow<'a>,
    /// Whose nodes they are.
    pub cluster: &'a Cluster,
    /// Whether they are told: who asks for a cluster (`-M`) is.
    pub named: bool,
    /// Whether a column shows the names of hosts: they are told only then.
    pub hosts: bool,
    /// The same of their addresses.
    pub addresses: bool,
}

type Row<'a> = SinfoRow<'a>;

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
    int(row.group.smallest(of))
}

fn most<'a>(row: &Row<'_>, of: impl Fn(&Node) -> u64) -> Value<'a> {
    int(row.group.largest(of))
}

fn of_first<'a>(row: &Row<'_>, of: impl Fn(&Node) -> String) -> Value<'a> {
    text(row.group.nodes.first().map(|node| of(node)).unwrap_or_default())
}

fn names<'r>(row: &'r Row<'_>, of: impl Fn(&'r Node) -> &'r str) -> Value<'r> {
    words(row.group.nodes.iter().map(|node| of(node)))
}

fn partition<'r>(row: &'r Row<'_>) -> Value<'r> {
    // The values do not outlive the record they are read of, so it is put into the value whole.
    let record = PartitionRecord { partition: row.group.partition, cluster: row.cluster };
    value_of::<PartitionRecords>(&record).into_owned()
}

#[rustfmt::skip]
const FIELDS: &[Field<SinfoRows>] = &[
    fixed!("port", 0),
    row("node/state", |r| r.group.nodes.first().map_or_else(|| words(["UNKNOWN"]), |node| nodes::states(node))),
    row("nodes/allocated", |r| int(node_counts(&r.group)[0])),
    row("nodes/idle", |r| int(node_counts(&r.group)[1])),
    row("nodes/other", |r| int(node_counts(&r.group)[2])),
    row("nodes/total", |r| int(r.group.nodes.len())),
    row("cpus/allocated", |r| int(cpu_counts(&r.group)[0])),
    row("cpus/idle", |r| int(cpu_counts(&r.group)[1])),
    row("cpus/other", |r| int(cpu_counts(&r.group)[2])),
    row("cpus/total", |r| int(cpu_counts(&r.group)[3])),
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
    row("cpus/per_node/max", |r| if r.group.nodes.is_empty() { number(0) } else { INFINITE }),
    row("memory/allocated", |r| most(r, |n| n.memory_used)),
    row("features/total", |r| text(r.group.features().join(","))),
    row("features/active", |r| text(r.group.features().join(","))),
    row("gres/total", |r| of_first(r, values::gres)),
    row("gres/used", |r| of_first(r, |node| values::gres_used(node, r.group.context))),
    row("cluster", |r| text(if r.named { &r.cluster.name } else { "" })),
    none("comment"),
    none("extra"),
    row("reason/description", |r| or_empty(r.group.reason())),
    row("reason/time", |r| int(r.group.reason().and(r.group.nodes.first()).map_or(0, |node| node.since))),
    row("reservation", |r| or_empty(r.group.nodes.first().and_then(|node| nodes::reservation(node, r.cluster)))),
    row("reason/user", |r| match r.group.nodes.is_empty() {
        // That of the user number 0, as of nobody else is known.
        true => text("root"),
        false => or_blank(r.group.reason().map(|_| user::name_of(user::uid()))),
    }),
    none("resource_spec/cpus"),
    fixed!("resource_spec/memory", 0),
    row("nodes/hostnames", |r| if r.hosts { names(r, |n| &n.host) } else { NONE }),
    row("nodes/addresses", |r| if r.addresses { names(r, |n| &n.address) } else { NONE }),
    row("nodes/nodes", |r| names(r, |n| &n.name)),
    row("partition", partition),
];
