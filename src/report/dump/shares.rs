//! Shares: `sshare --json` (`SHARES_RESP_MSG` of Slurm's parsers), as where jobs have priorities by age alone (priority/basic).

use super::{
    tree::{Field, Records, value_of},
    value::*,
};
use crate::report::{
    associations::ROOT,
    share_fields::{Row as Share, tres_names},
};

/// All shares that are shown, in one record.
pub struct ShareList;

impl Records for ShareList {
    type Row<'a> = Vec<Share<'a>>;
    const FIELDS: &'static [Field<Self>] = &[
        Field { path: "shares", value: |r| Value::List(r.iter().map(value_of::<One>).collect()) },
        Field { path: "total_shares", value: |_| int(0) },
    ];
    const SINGLE: bool = true;
}

/// One share.
struct One;

impl Records for One {
    type Row<'a> = Share<'a>;
    const FIELDS: &'static [Field<Self>] = FIELDS;
}

const fn row(path: &'static str, value: for<'r, 'a> fn(&'r Share<'a>) -> Value<'r>) -> Field<One> {
    Field { path, value }
}

/// What is said of each TRES.
fn tres<'a>(row: &Share, value: Value<'a>) -> Value<'a> {
    let one = |name| Value::Map(vec![("name", text(name)), ("value", value.clone())]);
    Value::List(tres_names(row.cluster).map(one).collect())
}

/// What Slurm's "not set" becomes here: the largest number of 64 bits as one with a fraction.
const NOT_COUNTED: f64 = 18_446_744_073_709_551_615.0;

fn zero<'a>() -> Value<'a> {
    Value::Number(Number::Float(0.0))
}

#[rustfmt::skip]
const FIELDS: &[Field<One>] = &[
    row("id", |r| int(r.association.id)),
    row("cluster", |r| text(&r.cluster.name)),
    row("name", |r| text(r.association.user.unwrap_or(r.association.account))),
    // A user's is the account.
    row("parent", |r| match r.association.user {
        Some(_) => text(r.association.account),
        None => or_empty(r.association.parent),
    }),
    row("partition", |_| text("")),
    row("shares_normalized", |_| Value::Number(Number::Float(NOT_COUNTED))),
    row("shares", |r| if r.association.account == ROOT { UNSET } else { number(1) }),
    row("tres/run_seconds", |r| tres(r, number(0))),
    row("tres/group_minutes", |r| tres(r, INFINITE)),
    row("tres/usage", |r| tres(r, Value::Float(0.0))),
    row("effective_usage", |_| zero()),
    row("usage_normalized", |_| Value::Number(Number::Unset { fraction: true })),
    row("usage", |_| int(0)),
    row("fairshare/factor", |_| zero()),
    row("fairshare/level", |_| zero()),
    row("type", |r| words([if r.association.user.is_some() { "USER" } else { "ASSOCIATION" }])),
];
