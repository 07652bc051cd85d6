//! scontrol's options; its keywords (`show job`, `update`, ...) are operands.

use super::classes::*;
use crate::slurm::options::{
    Class,
    Class::{Inert, Refused},
    Command::Scontrol,
    Kind::*,
    Row,
};

const NONE: &[&str] = &[];

const fn flag(name: &'static str, class: Class, env: &'static [&'static str], help: &'static str) -> Row {
    Row::flag(name, help).takes(Scontrol, class, env)
}

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    flag("all", HIDDEN, &["SCONTROL_ALL"], "equivalent to \"all\" command").short('a'),
    Row::alias("cluster", "clusters"),
    Row::value("clusters", Text, "names", "equivalent to \"cluster\" command").short('M').takes(Scontrol, HONOURED, &["SLURM_CLUSTERS"]),
    flag("details", HONOURED, NONE, "equivalent to \"details\" command").short('d'),
    flag("federation", FEDERATION, &["SCONTROL_FEDERATION"], "report federated job information if a member of one"),
    flag("future", Inert("no node is in state FUTURE"), &["SCONTROL_FUTURE"], "report information about nodes in \"FUTURE\" state").short('F'),
    flag("help", HONOURED, NONE, "equivalent to \"help\" command").short('h'),
    flag("hide", HIDDEN, NONE, "equivalent to \"hide\" command"),
    Row::optional("json", Text, "data_parser", "produce JSON output").takes(Scontrol, HONOURED, NONE),
    flag("local", FEDERATION, &["SCONTROL_LOCAL"], "report information only about jobs on the local cluster"),
    flag("oneliner", HONOURED, NONE, "equivalent to \"oneliner\" command").short('o'),
    flag("quiet", HONOURED, NONE, "equivalent to \"quiet\" command").short('Q'),
    flag("sibling", FEDERATION, &["SCONTROL_SIB", "SCONTROL_SIBLING"], "report information about all sibling jobs on a federated cluster"),
    Row::value("uid", Text, "uid", "update job as user \"uid\" instead of the invoking user").short('u').takes(Scontrol, Refused("a user's jobs are only that user's to change"), NONE),
    flag("usage", HONOURED, NONE, "equivalent to \"help\" command"),
    flag("verbose", Inert("there is no more to tell"), NONE, "equivalent to \"verbose\" command").short('v'),
    flag("version", HONOURED, NONE, "equivalent to \"version\" command").short('V'),
    Row::optional("yaml", Text, "data_parser", "produce YAML output").takes(Scontrol, HONOURED, NONE),
];
