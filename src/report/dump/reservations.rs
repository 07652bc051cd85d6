//! Reservations: `scontrol show reservation --json` (`RESERVATION_INFO` of Slurm's parsers).

use super::{
    tree::{Field, Records},
    value::*,
};
use crate::{job::Reservation, slurm::hostlist};

/// Reservations.
pub struct ReservationRecords;

impl Records for ReservationRecords {
    type Row<'a> = &'a Reservation;
    const FIELDS: &'static [Field<Self>] = FIELDS;
}

const fn row(path: &'static str, value: for<'r, 'a> fn(&'r &'a Reservation) -> Value<'r>) -> Field<ReservationRecords> {
    Field { path, value }
}

/// A text about what there is not here.
const fn none(path: &'static str) -> Field<ReservationRecords> {
    row(path, |_| text(""))
}

#[rustfmt::skip]
const FIELDS: &[Field<ReservationRecords>] = &[
    row("accounts", |r| text(r.accounts.join(","))),
    none("burst_buffer"),
    row("core_count", |r| int(r.cpus)),
    row("core_specializations", |_| NONE),
    row("end_time", |r| number(r.end)),
    none("features"),
    row("flags", |r| words(r.flags.clone())),
    none("groups"),
    none("licenses"),
    row("max_start_delay", |_| int(0)),
    row("name", |r| text(&r.name)),
    row("node_count", |r| int(r.nodes.len())),
    row("node_list", |r| text(hostlist::compress(&r.nodes))),
    row("partition", |r| or_empty(r.partition.as_deref())),
    row("purge_completed/time", |r| number(r.purge)),
    row("start_time", |r| number(r.start)),
    row("watts", |_| Value::Map(Vec::new())),
    row("tres", |r| text(format!("cpu={}", r.cpus))),
    row("users", |r| text(r.users.join(","))),
];
