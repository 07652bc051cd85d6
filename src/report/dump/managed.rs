//! Accounts, clusters, QOS, TRES and users: `sacctmgr show ENTITY --json` (`ACCOUNT`, `CLUSTER_REC`, `QOS`, `TRES`, `USER` of
//! Slurm's parsers).

use super::{
    associations::{most, most_tres, short, wall},
    tree::{Field, Records},
    value::*,
};
use crate::{
    job::{Cluster, Node},
    report::{
        associations::{self, Association, ROOT},
        sacctmgr_fields::{Row, all_tres, description, organization},
    },
    slurm::limit::Limits,
};

/// A line of sacctmgr, and the associations it has if they are asked for.
pub struct Managed<'a> {
    /// The line.
    pub row: Row<'a>,
    /// What belongs to it.
    pub associations: Vec<Association<'a>>,
}

/// Declares what records of an entity there are.
macro_rules! records {
    ($(#[$about:meta] $name:ident = $fields:ident)*) => {$(
        #[$about]
        pub struct $name;

        impl Records for $name {
            type Row<'a> = Managed<'a>;
            const FIELDS: &'static [Field<Self>] = $fields;
        }
    )*};
}

records! {
    /// Accounts.
    AccountRecords = ACCOUNT
    /// The cluster.
    ClusterRecords = CLUSTER
    /// QOS.
    QosRecords = QOS
    /// TRES.
    TresRecords = TRES
    /// Users.
    UserRecords = USER
}

const fn row<K: for<'a> Records<Row<'a> = Managed<'a>>>(
    path: &'static str,
    value: for<'r, 'a> fn(&'r Managed<'a>) -> Value<'r>,
) -> Field<K> {
    Field { path, value }
}

/// A text about what there is not here.
const fn none<K: for<'a> Records<Row<'a> = Managed<'a>>>(path: &'static str) -> Field<K> {
    row(path, |_| text(""))
}

/// A list with nothing in it here.
const fn empty<K: for<'a> Records<Row<'a> = Managed<'a>>>(path: &'static str) -> Field<K> {
    row(path, |_| NONE)
}

/// A limit that nobody can set here.
const fn endless<K: for<'a> Records<Row<'a> = Managed<'a>>>(path: &'static str) -> Field<K> {
    row(path, |_| INFINITE)
}

fn short_ones<'r>(managed: &'r Managed<'_>) -> Value<'r> {
    Value::List(managed.associations.iter().map(|a| short(&managed.row.cluster.name, a)).collect())
}

/// How much of a TRES the cluster has.
fn count(kind: &str, name: &str, cluster: &Cluster) -> u64 {
    let sum = |of: &dyn Fn(&Node) -> u64| cluster.nodes.iter().map(of).fold(0, u64::saturating_add);
    match kind {
        "cpu" | "billing" => sum(&|node| node.cpus.into()),
        "mem" => sum(&|node| node.memory),
        "node" => sum(&|_| 1),
        "gres" => sum(&|node| node.gres.iter().filter(|gres| gres.name == name).map(|gres| gres.count).sum()),
        _ => 0,
    }
}

fn tres(cluster: &Cluster) -> Value<'static> {
    let one = |(kind, name, id): (&str, &str, u32)| {
        let count = count(kind, name, cluster);
        Value::Map(vec![
            ("type", text(kind.to_owned())),
            ("name", text(name.to_owned())),
            ("id", int(id)),
            ("count", int(count)),
        ])
    };
    Value::List(all_tres(cluster).into_iter().map(one).collect())
}

fn root() -> Association<'static> {
    Association { id: 1, account: ROOT, parent: None, user: None, depth: 0 }
}

fn limits<'r>(managed: &'r Managed<'_>) -> Option<&'r Limits> {
    managed.row.cluster.qos_limits.get(managed.row.name)
}

#[rustfmt::skip]
const ACCOUNT: &[Field<AccountRecords>] = &[
    row("associations", short_ones),
    empty("coordinators"),
    row("description", |r| written(|out| description(&r.row, out))),
    row("name", |r| text(r.row.name)),
    row("organization", |r| written(|out| organization(&r.row, out))),
    empty("flags"),
];

#[rustfmt::skip]
const CLUSTER: &[Field<ClusterRecords>] = &[
    row("controller/host", |r| text(r.row.host)),
    row("controller/port", |_| int(0)),
    // All nodes there are may be of this machine.
    row("flags", |r| if r.row.cluster.nodes.len() > 1 { words(["MULTIPLE_SLURMD"]) } else { NONE }),
    row("name", |r| text(&r.row.cluster.name)),
    row("nodes", |r| text(crate::slurm::hostlist::compress(names(r.row.cluster)))),
    none("select_plugin"),
    row("associations/root", |r| short(&r.row.cluster.name, &root())),
    row("rpc_version", |_| int(0)),
    row("tres", |r| tres(r.row.cluster)),
];

fn names(cluster: &Cluster) -> Vec<String> {
    cluster.nodes.iter().map(|node| node.name.clone()).collect()
}

#[rustfmt::skip]
const QOS: &[Field<QosRecords>] = &[
    row("description", |r| written(|out| description(&r.row, out))),
    row("flags", |r| if limits(r).is_some_and(|l| l.deny_on_limit) { words(["DENY_LIMIT"]) } else { NONE }),
    row("id", |r| int(r.row.id)),
    row("limits/grace_time", |_| int(0)),
    endless("limits/max/active_jobs/accruing"),
    row("limits/max/active_jobs/count", |r| most(limits(r).and_then(|l| l.grp_jobs))),
    row("limits/max/jobs/count", |r| most(limits(r).and_then(|l| l.grp_submit_jobs))),
    endless("limits/max/jobs/active_jobs/per/account"),
    row("limits/max/jobs/active_jobs/per/user", |r| most(limits(r).and_then(|l| l.max_jobs))),
    endless("limits/max/jobs/per/account"),
    row("limits/max/jobs/per/user", |r| most(limits(r).and_then(|l| l.max_submit_jobs))),
    row("limits/max/tres/total", |r| most_tres(limits(r).map(|l| &l.grp_tres), r.row.cluster)),
    empty("limits/max/tres/minutes/total"),
    empty("limits/max/tres/minutes/per/qos"),
    empty("limits/max/tres/minutes/per/job"),
    empty("limits/max/tres/minutes/per/account"),
    empty("limits/max/tres/minutes/per/user"),
    empty("limits/max/tres/per/account"),
    row("limits/max/tres/per/job", |r| most_tres(limits(r).map(|l| &l.max_tres), r.row.cluster)),
    empty("limits/max/tres/per/node"),
    row("limits/max/tres/per/user", |r| most_tres(limits(r).map(|l| &l.max_tres_per_user), r.row.cluster)),
    endless("limits/max/wall_clock/per/qos"),
    row("limits/max/wall_clock/per/job", |r| wall(limits(r))),
    endless("limits/max/accruing/per/account"),
    endless("limits/max/accruing/per/user"),
    row("limits/factor", |_| INFINITE_FRACTION),
    endless("limits/min/priority_threshold"),
    empty("limits/min/tres/per/job"),
    row("name", |r| text(r.row.name)),
    empty("preempt/list"),
    row("preempt/mode", |_| words(["DISABLED"])),
    endless("preempt/exempt_time"),
    row("priority", |_| number(0)),
    row("usage_factor", |_| Value::Number(Number::Float(1.0))),
    row("usage_threshold", |_| INFINITE_FRACTION),
];

#[rustfmt::skip]
const TRES: &[Field<TresRecords>] = &[
    row("type", |r| text(r.row.kind)),
    row("name", |r| text(r.row.name)),
    row("id", |r| int(r.row.id)),
    row("count", |_| int(0)),
];

#[rustfmt::skip]
const USER: &[Field<UserRecords>] = &[
    row("administrator_level", |_| words(["Administrator"])),
    row("associations", short_ones),
    empty("coordinators"),
    row("default/account", |r| text(associations::default_account(r.row.cluster))),
    none("default/wckey"),
    row("flags", |_| words(["NONE"])),
    row("name", |r| text(r.row.user)),
    none("old_name"),
    empty("wckeys"),
];
