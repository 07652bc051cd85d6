//! Nodes: `scontrol show node --json` (`NODE` of Slurm's parsers).

use super::{
    tree::{Field, Records},
    value::*,
};
use crate::{
    host::user,
    job::{Cluster, Node, Reservation},
    report::{
        node_groups::Context,
        node_state::{self, Shown},
        node_values as values,
    },
};

/// Nodes.
pub struct NodeRecords;

/// One of them.
pub struct NodeRecord<'a> {
    /// The node.
    pub node: &'a Node,
    /// Whose node it is.
    pub cluster: &'a Cluster,
    /// What all have in common.
    pub context: &'a Context<'a>,
}

impl Records for NodeRecords {
    type Row<'a> = NodeRecord<'a>;
    const FIELDS: &'static [Field<Self>] = FIELDS;
    const NONE: Option<&'static str> = Some("No nodes to dump");
}

const fn row(path: &'static str, value: for<'r, 'a> fn(&'r NodeRecord<'a>) -> Value<'r>) -> Field<NodeRecords> {
    Field { path, value }
}

/// A text about what there is not here.
const fn none(path: &'static str) -> Field<NodeRecords> {
    row(path, |_| text(""))
}

/// A number that is 0 where, as here, there is no such thing.
const fn zero(path: &'static str) -> Field<NodeRecords> {
    row(path, |_| int(0))
}

/// The base state, and the flags: that it takes no work, that it is reserved.
pub(super) fn states(node: &Node) -> Value<'static> {
    let base: &[&str] = match Shown::of(node) {
        Shown::Down => &["DOWN"],
        Shown::Idle => &["IDLE"],
        Shown::Allocated => &["ALLOCATED"],
        Shown::Mixed => &["MIXED"],
        Shown::Drained => &["IDLE", "DRAIN"],
        Shown::Draining if node.cpus_used >= node.cpus => &["ALLOCATED", "DRAIN"],
        Shown::Draining => &["MIXED", "DRAIN"],
    };
    words(base.iter().chain(node_state::flags(node.kept)).copied())
}

/// The reservation that it is set aside for now.
pub(super) fn reservation<'a>(node: &Node, cluster: &'a Cluster) -> Option<&'a str> {
    let of = |r: &&Reservation| r.is_active(cluster.now) && r.nodes.contains(&node.name);
    cluster.reservations.iter().find(of).map(|r| r.name.as_str())
}

/// Since when it is out of service: nobody notes another time than that.
fn reason_time(node: &Node) -> i64 {
    node.reason.as_ref().map_or(0, |_| node.since)
}

#[rustfmt::skip]
const FIELDS: &[Field<NodeRecords>] = &[
    row("architecture", |_| text(std::env::consts::ARCH)),
    none("burstbuffer_network_address"),
    row("boards", |_| int(1)),
    row("boot_time", |r| number(r.node.since)),
    none("cluster_name"),
    row("cores", |r| int(r.node.cpus)),
    zero("specialized_cores"),
    zero("cpu_binding"),
    zero("cpu_load"),
    row("free_mem", |_| UNSET),
    row("cpus", |r| int(r.node.cpus)),
    row("effective_cpus", |r| int(r.node.cpus)),
    none("specialized_cpus"),
    zero("energy/average_watts"),
    zero("energy/base_consumed_energy"),
    zero("energy/consumed_energy"),
    row("energy/current_watts", |_| number(0)),
    zero("energy/previous_consumed_energy"),
    zero("energy/last_collected"),
    row("external_sensors", |_| Value::Map(Vec::new())),
    none("extra"),
    row("power", |_| Value::Map(Vec::new())),
    row("features", |r| words(&r.node.features)),
    row("active_features", |r| words(&r.node.features)),
    none("gpu_spec"),
    row("gres", |r| text(values::gres(r.node))),
    row("gres_drained", |_| text("N/A")),
    row("gres_used", |r| text(values::gres_used(r.node, r.context))),
    none("instance_id"),
    none("instance_type"),
    row("last_busy", |r| number(if r.node.cpus_used > 0 { r.cluster.now } else { r.node.since })),
    none("mcs_label"),
    zero("specialized_memory"),
    row("name", |r| text(&r.node.name)),
    row("next_state_after_reboot", |_| words(["INVALID"])),
    row("address", |r| text(&r.node.address)),
    row("hostname", |r| text(&r.node.host)),
    row("state", |r| states(r.node)),
    row("operating_system", |_| text("Linux")),
    none("owner"),
    row("partitions", |r| words(values::partitions(r.node, r.cluster))),
    zero("port"),
    row("real_memory", |r| int(r.node.memory)),
    zero("res_cores_per_gpu"),
    none("comment"),
    row("reason", |r| or_empty(r.node.reason.as_deref())),
    row("reason_changed_at", |r| number(reason_time(r.node))),
    row("reason_set_by_user", |r| match r.node.reason {
        Some(_) => text(user::name_of(user::uid())),
        None => text(""),
    }),
    row("resume_after", |_| number(0)),
    row("reservation", |r| or_empty(reservation(r.node, r.cluster))),
    row("alloc_memory", |r| int(r.node.memory_used)),
    row("alloc_cpus", |r| int(r.node.cpus_used)),
    row("alloc_idle_cpus", |r| int(r.node.cpus.saturating_sub(r.node.cpus_used))),
    row("tres_used", |r| text(values::in_use(r.node).to_string())),
    row("tres_weighted", |r| Value::Float(f64::from(r.node.cpus_used))),
    row("slurmd_start_time", |r| number(r.node.since)),
    row("sockets", |_| int(1)),
    row("threads", |_| int(1)),
    zero("temporary_disk"),
    row("weight", |_| int(1)),
    row("tres", |r| text(values::has(r.node).to_string())),
    row("version", |r| text(r.context.version)),
];
