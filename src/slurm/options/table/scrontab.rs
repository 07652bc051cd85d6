//! scrontab: as in Slurm where it is not enabled.

use super::classes::*;
use crate::slurm::options::{Class, Class::Inert, Command::Scrontab, Row};

const NONE: &[&str] = &[];

/// `ScronParameters=enable` is not set: whatever is asked for, the answer is one.
const DISABLED: Class = Inert("scrontab is disabled on this cluster");

const fn flag(name: &'static str, class: Class, help: &'static str) -> Row {
    Row::flag(name, help).takes(Scrontab, class, NONE)
}

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    flag("edit", DISABLED, "edit crontab").short('e'),
    flag("list", DISABLED, "list crontab").short('l'),
    flag("remove", DISABLED, "remove crontab").short('r'),
    flag("version", HONOURED, "display version number").short('V'),
    flag("help", HONOURED, "show this help message"),
    flag("usage", HONOURED, "display brief usage message"),
];
