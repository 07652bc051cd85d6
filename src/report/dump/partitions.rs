//! Partitions: `scontrol show partition --json` (`PARTITION_INFO` of Slurm's parsers).

use super::{
    jobs::minutes,
    tree::{Field, Records},
    value::*,
};
use crate::{
    job::{Cluster, Partition},
    report::node_values::total,
    slurm::hostlist,
};

/// Partitions.
pub struct PartitionRecords;

/// One of them.
pub struct PartitionRecord<'a> {
    /// The partition.
    pub partition: &'a Partition,
    /// The cluster with its nodes.
    pub cluster: &'a Cluster,
}

impl Records for PartitionRecords {
    type Row<'a> = PartitionRecord<'a>;
    const FIELDS: &'static [Field<Self>] = FIELDS;
    const NONE: Option<&'static str> = Some("No partitions to dump");
}

type Write = for<'r, 'a> fn(&'r PartitionRecord<'a>) -> Value<'r>;

const fn row(path: &'static str, value: Write) -> Field<PartitionRecords> {
    Field { path, value }
}

/// A text about what there is not here.
const fn none(path: &'static str) -> Field<PartitionRecords> {
    row(path, |_| text(""))
}

/// A limit that there is not.
const fn unlimited(path: &'static str) -> Field<PartitionRecords> {
    row(path, |_| INFINITE)
}

/// A number that is not set here.
const fn unset(path: &'static str) -> Field<PartitionRecords> {
    row(path, |_| UNSET)
}

/// Slurm's mark of a number that is about a CPU and not about a node.
const OF_CPUS: i64 = i64::MIN;

#[rustfmt::skip]
const FIELDS: &[Field<PartitionRecords>] = &[
    none("nodes/allowed_allocation"),
    none("accounts/allowed"),
    none("groups/allowed"),
    none("qos/allowed"),
    none("alternate"),
    none("tres/billing_weights"),
    none("cluster"),
    row("select_type", |_| NONE),
    row("cpus/task_binding", |_| int(0)),
    row("defaults/memory_per_cpu", |r| int(r.partition.default_memory_per_cpu.map_or(0, |mib| OF_CPUS | mib as i64))),
    row("defaults/partition_memory_per_cpu", |r| number_or_unset(r.partition.default_memory_per_cpu)),
    row("defaults/partition_memory_per_node", |r| match r.partition.default_memory_per_cpu {
        Some(_) => UNSET,
        None => number(0),
    }),
    row("defaults/time", |r| r.partition.default_time.map_or(UNSET, minutes)),
    none("accounts/deny"),
    none("qos/deny"),
    row("grace_time", |_| int(0)),
    none("defaults/job"),
    unlimited("maximums/cpus_per_node"),
    unlimited("maximums/cpus_per_socket"),
    row("maximums/memory_per_cpu", |_| int(0)),
    unset("maximums/partition_memory_per_cpu"),
    row("maximums/partition_memory_per_node", |_| number(0)),
    unlimited("maximums/nodes"),
    row("maximums/shares", |_| int(1)),
    row("maximums/oversubscribe/jobs", |_| int(1)),
    row("maximums/oversubscribe/flags", |_| NONE),
    row("maximums/time", |r| minutes(r.partition.max_time)),
    row("minimums/nodes", |_| int(0)),
    row("name", |r| text(&r.partition.name)),
    row("nodes/configured", |r| text(hostlist::compress(&r.partition.nodes))),
    none("node_sets"),
    unset("maximums/over_time_limit"),
    row("priority/job_factor", |_| int(1)),
    row("priority/tier", |r| int(r.partition.priority_tier)),
    none("qos/assigned"),
    unset("timeouts/resume"),
    row("partition/state", |r| words([if r.partition.up { "UP" } else { "DOWN" }])),
    unset("suspend_time"),
    unset("timeouts/suspend"),
    row("cpus/total", |r| int(total(r.partition, r.cluster).cpu)),
    row("nodes/total", |r| int(r.partition.nodes.len())),
    row("tres/configured", |r| text(total(r.partition, r.cluster).to_string())),
];
