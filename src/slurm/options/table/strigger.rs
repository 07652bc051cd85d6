//! strigger: there are no triggers, and none may be set.

use super::classes::*;
use crate::slurm::options::{
    Class,
    Class::{Approximated, Inert},
    Command::Strigger,
    Kind::*,
    Row,
};

const NONE: &[&str] = &[];

/// As to a user who may not.
const MAY_NOT: Class = Approximated("slurm_set_trigger: Access/permission denied; use `[hooks]` of the configuration");
/// Of triggers that there are not.
const NO_CHOICE: Class = Inert("there are no triggers to choose from");

const fn flag(name: &'static str, class: Class, help: &'static str) -> Row {
    Row::flag(name, help).takes(Strigger, class, NONE)
}

const fn value(name: &'static str, metavar: &'static str, help: &'static str) -> Row {
    Row::value(name, Text, metavar, help).takes(Strigger, NO_CHOICE, NONE)
}

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    flag("clear", HONOURED, "clear or delete a trigger"),
    flag("get", HONOURED, "get trigger information"),
    flag("set", MAY_NOT, "create a trigger"),
    flag("burst_buffer", NO_CHOICE, "trigger event on burst buffer error"),
    flag("drained", NO_CHOICE, "trigger event when node added to DRAINED state").short('D'),
    flag("down", NO_CHOICE, "trigger event when node goes DOWN").short('d'),
    flag("fail", NO_CHOICE, "trigger event when node is expected to FAIL").short('F'),
    flag("fini", NO_CHOICE, "trigger event when job finishes").short('f'),
    value("flags", "flag", "trigger flags (perm)"),
    flag("idle", NO_CHOICE, "trigger event when node remains IDLE"),
    value("id", "id", "a trigger's ID number").short('i'),
    value("jobid", "id", "trigger related to specific jobid").short('j'),
    Row::alias("cluster", "clusters"),
    value("clusters", "cluster", "name of cluster to set/get trigger on").short('M'),
    Row::optional("node", Text, "host", "trigger related to specific node, all nodes by default").short('n').takes(Strigger, NO_CHOICE, NONE),
    flag("noheader", Inert("there is nothing to stand under one"), "do not print header in output"),
    value("offset", "seconds", "trigger's offset time from event, negative to precede").short('o'),
    value("program", "path", "pathname of program to execute when triggered").short('p'),
    flag("quiet", Inert("there is nothing to be quiet about"), "quiet mode (suppress informational messages)").short('Q'),
    flag("reconfig", NO_CHOICE, "trigger event on configuration changes").short('r'),
    flag("time", NO_CHOICE, "trigger event on job's time limit").short('t'),
    value("user", "user", "user name or ID to filter by"),
    flag("up", NO_CHOICE, "trigger event when node returned to service").short('u'),
    flag("verbose", Inert("there is no more to tell"), "print detailed event logging").short('v'),
    flag("version", HONOURED, "display version number").short('V'),
    flag("help", HONOURED, "show this help message").short('h'),
    flag("usage", HONOURED, "display brief usage message"),
];
