//! sdiag.

use super::classes::*;
use crate::slurm::options::{
    Class,
    Class::{Inert, Refused},
    Command::Sdiag,
    Kind::*,
    Row,
};

const NONE: &[&str] = &[];

/// Calls are not counted by kind and user.
const NO_RPCS: Class = Inert("no statistics of remote procedure calls are kept");

const fn flag(name: &'static str, class: Class, help: &'static str) -> Row {
    Row::flag(name, help).takes(Sdiag, class, NONE)
}

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    flag("all", NO_RPCS, "all statistics").short('a'),
    flag("reset", Refused("counts begin with the controller: skyslurm controller restart"), "reset statistics").short('r'),
    Row::alias("cluster", "clusters"),
    Row::value("clusters", Text, "name", "direct the request to a specific cluster").short('M').takes(Sdiag, HONOURED, NONE),
    flag("sort-by-id", NO_RPCS, "sort RPCs by id").short('i'),
    flag("sort-by-time", NO_RPCS, "sort RPCs by total run time").short('t'),
    flag("sort-by-time2", NO_RPCS, "sort RPCs by average run time").short('T'),
    Row::optional("json", Text, "data_parser", "produce JSON output").takes(Sdiag, HONOURED, NONE),
    Row::optional("yaml", Text, "data_parser", "produce YAML output").takes(Sdiag, HONOURED, NONE),
    flag("version", HONOURED, "display current version number").short('V'),
    flag("help", HONOURED, "show this help message").short('h'),
    flag("usage", HONOURED, "display brief usage message"),
];
