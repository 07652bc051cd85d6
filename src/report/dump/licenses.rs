//! Licenses: `scontrol show licenses --json` (`LICENSE` of Slurm's parsers).

use super::{
    tree::{Field, Records},
    value::*,
};

/// Licenses.
pub struct LicenseRecords;

/// Its name, how many there are, how many are in use.
type License = (String, u32, u32);

impl Records for LicenseRecords {
    type Row<'a> = &'a License;
    const FIELDS: &'static [Field<Self>] = FIELDS;
    const NONE: Option<&'static str> = Some("Zero licenses to dump");
}

const fn row(path: &'static str, value: for<'r, 'a> fn(&'r &'a License) -> Value<'r>) -> Field<LicenseRecords> {
    Field { path, value }
}

/// A number that is 0 where, as here, there is no such thing.
const fn zero(path: &'static str) -> Field<LicenseRecords> {
    row(path, |_| int(0))
}

#[rustfmt::skip]
const FIELDS: &[Field<LicenseRecords>] = &[
    row("LicenseName", |(name, ..)| text(name)),
    row("Total", |(_, total, _)| int(*total)),
    row("Used", |(_, _, used)| int(*used)),
    row("Free", |(_, total, used)| int(total.saturating_sub(*used))),
    row("Remote", |_| Value::Bool(false)),
    zero("Reserved"),
    zero("LastConsumed"),
    zero("LastDeficit"),
    zero("LastUpdate"),
];
