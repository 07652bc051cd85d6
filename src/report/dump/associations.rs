//! Associations: `sacctmgr show association --json` (`ASSOC` of Slurm's parsers), and the short form in which others name them.

use super::{
    tree::{Field, Records},
    value::*,
};
use crate::{
    job::Cluster,
    report::{
        associations::{self, Association},
        sacctmgr_fields::{Row, all_tres, of_account, of_users},
    },
    slurm::{
        limit::{Limits, MostTres, Resource},
        time::TimeLimit,
    },
};

/// Associations: lines of sacctmgr that have one.
pub struct AssociationRecords;

impl Records for AssociationRecords {
    type Row<'a> = Row<'a>;
    const FIELDS: &'static [Field<Self>] = FIELDS;
}

const fn row(path: &'static str, value: for<'r, 'a> fn(&'r Row<'a>) -> Value<'r>) -> Field<AssociationRecords> {
    Field { path, value }
}

/// A text about what there is not here.
const fn none(path: &'static str) -> Field<AssociationRecords> {
    row(path, |_| text(""))
}

/// A limit that nobody can set here.
const fn endless(path: &'static str) -> Field<AssociationRecords> {
    row(path, |_| INFINITE)
}

/// Limits of several TRES, or what is counted of them, which nobody can set here.
const fn empty(path: &'static str) -> Field<AssociationRecords> {
    row(path, |_| NONE)
}

/// `ASSOC_SHORT` of Slurm's parsers.
pub(super) fn short<'a>(cluster: &str, association: &Association<'a>) -> Value<'a> {
    Value::Map(vec![
        ("account", text(association.account)),
        ("cluster", text(cluster.to_owned())),
        ("partition", text("")),
        ("user", or_empty(association.user)),
        ("id", int(association.id)),
    ])
}

/// A number that there may be no limit to.
pub(super) fn most<'a>(limit: Option<u32>) -> Value<'a> {
    limit.map_or(INFINITE, number)
}

/// The same of TRES. One with a type has no number of its own here.
pub(super) fn most_tres<'a>(limit: Option<&MostTres>, cluster: &Cluster) -> Value<'a> {
    let known = all_tres(cluster);
    let of = |(resource, count): &(Resource, u64)| {
        let tres = resource.to_string();
        let (kind, name) = tres.split_once('/').unwrap_or((&tres, ""));
        let name_alone = name.split(':').next().unwrap_or_default();
        let id = known.iter().find(|tres| (tres.0, tres.1) == (kind, name_alone)).map_or(0, |tres| tres.2);
        let (kind, name) = (text(kind.to_owned()), text(name.to_owned()));
        Value::Map(vec![("type", kind), ("name", name), ("id", int(id)), ("count", int(*count as i64))])
    };
    Value::List(limit.map_or(&[][..], |most| &most.0).iter().map(of).collect())
}

/// The longest time limit, minutes.
pub(super) fn wall<'a>(limits: Option<&Limits>) -> Value<'a> {
    match limits.and_then(|limits| limits.max_wall) {
        Some(TimeLimit::Minutes(minutes)) => number(minutes),
        Some(TimeLimit::Unlimited) | None => INFINITE,
    }
}

fn account<'r>(row: &Row<'r>) -> &'r str {
    row.association.as_ref().map_or("", |a| a.account)
}

fn user<'r>(row: &Row<'r>) -> Option<&'r str> {
    row.association.as_ref().and_then(|a| a.user)
}

/// Where it stands in the tree: `/research/0-alice/`.
fn lineage(row: &Row) -> String {
    match (account(row), user(row)) {
        (associations::ROOT, None) => "/".into(),
        (account, None) => format!("/{account}/"),
        (account, Some(user)) => format!("/{account}/0-{user}/"),
    }
}

/// A user's account of jobs that name none; of every account but the root Slurm says so, too.
fn is_default(row: &Row) -> bool {
    match user(row) {
        Some(_) => account(row) == associations::default_account(row.cluster),
        None => account(row) != associations::ROOT,
    }
}

#[rustfmt::skip]
const FIELDS: &[Field<AssociationRecords>] = &[
    empty("accounting"),
    row("account", |r| text(account(r))),
    row("cluster", |r| text(&r.cluster.name)),
    none("comment"),
    none("default/qos"),
    empty("flags"),
    row("max/jobs/per/count", |r| most(of_account(r).and_then(|l| l.grp_jobs))),
    endless("max/jobs/per/accruing"),
    row("max/jobs/per/submitted", |r| most(of_account(r).and_then(|l| l.grp_submit_jobs))),
    row("max/jobs/per/wall_clock", |r| wall(of_users(r))),
    row("max/jobs/active", |r| most(of_users(r).and_then(|l| l.max_jobs))),
    endless("max/jobs/accruing"),
    row("max/jobs/total", |r| most(of_users(r).and_then(|l| l.max_submit_jobs))),
    row("max/tres/total", |r| most_tres(of_account(r).map(|l| &l.grp_tres), r.cluster)),
    empty("max/tres/group/minutes"),
    empty("max/tres/group/active"),
    empty("max/tres/minutes/total"),
    empty("max/tres/minutes/per/job"),
    row("max/tres/per/job", |r| most_tres(of_users(r).map(|l| &l.max_tres), r.cluster)),
    empty("max/tres/per/node"),
    endless("max/per/account/wall_clock"),
    // The listing has it.
    row("id", |_| Value::Untold),
    row("is_default", |r| Value::Bool(is_default(r))),
    row("lineage", |r| text(lineage(r))),
    endless("min/priority_threshold"),
    row("parent_account", |r| or_empty(r.association.as_ref().and_then(|a| a.parent))),
    none("partition"),
    endless("priority"),
    row("qos", |r| words(&r.cluster.qos)),
    row("shares_raw", |_| int(1)),
    row("user", |r| or_empty(user(r))),
];
