//! Whether the controller answers: `scontrol ping --json` (`CONTROLLER_PING` of Slurm's parsers), and `sacctmgr ping --json`
//! (`SLURMDBD_PING`).

use super::{
    tree::{Field, Records},
    value::*,
};

/// A controller that was asked.
#[derive(Clone, Debug)]
pub struct Ping {
    /// Its host.
    pub host: String,
    /// Whether it answered.
    pub up: bool,
    /// How long that took, µs.
    pub latency: u128,
}

/// Controllers.
pub struct Pings;

impl Records for Pings {
    type Row<'a> = Ping;
    const FIELDS: &'static [Field<Self>] = FIELDS;
}

/// The database, which sacctmgr asks.
pub struct DatabasePings;

impl Records for DatabasePings {
    type Row<'a> = Ping;
    const FIELDS: &'static [Field<Self>] = &[
        Field { path: "hostname", value: |p| text(&p.host) },
        Field { path: "responding", value: |p| Value::Bool(p.up) },
        Field { path: "latency", value: |p| int(p.latency) },
        Field { path: "primary", value: |_| Value::Bool(true) },
    ];
}

const fn row(path: &'static str, value: for<'r> fn(&'r Ping) -> Value<'r>) -> Field<Pings> {
    Field { path, value }
}

const FIELDS: &[Field<Pings>] = &[
    row("hostname", |p| text(&p.host)),
    row("pinged", |p| text(if p.up { "UP" } else { "DOWN" })),
    row("responding", |p| Value::Bool(p.up)),
    row("latency", |p| int(p.latency)),
    row("mode", |_| text("primary")),
    row("primary", |_| Value::Bool(true)),
];
