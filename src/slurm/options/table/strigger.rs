//! strigger: there are no triggers, and none can be set.

use super::classes::*;
use crate::slurm::options::{
    Class,
    Class::{Inert, Refused},
    Command::Strigger,
    Row,
};

const NONE: &[&str] = &[];

/// What Slurm says to whom they are not allowed.
const NO_TRIGGER: Class = Refused("=slurm_set_trigger: Access/permission denied");

const fn flag(name: &'static str, class: Class, help: &'static str) -> Row {
    Row::flag(name, help).takes(Strigger, class, NONE)
}

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    flag("clear", NO_TRIGGER, "clear or delete a trigger"),
    flag("get", HONOURED, "get trigger information"),
    flag("set", NO_TRIGGER, "create a trigger"),
    flag("noheader", Inert("there is nothing to stand under one"), "do not print header in output").short('n'),
    flag("verbose", Inert("there is no more to tell"), "print detailed event logging").short('v'),
    flag("version", HONOURED, "display version number").short('V'),
    flag("help", HONOURED, "show this help message").short('h'),
    flag("usage", HONOURED, "display brief usage message"),
];
