//! sinfo.

use super::classes::*;
use crate::slurm::options::{Class, Class::Inert, Command::Sinfo, Kind::*, Row, Section::Help};

const NONE: &[&str] = &[];

const fn flag(name: &'static str, class: Class, help: &'static str) -> Row {
    Row::flag(name, help).takes(Sinfo, class, NONE)
}

const fn value(
    name: &'static str,
    metavar: &'static str,
    class: Class,
    env: &'static [&'static str],
    help: &'static str,
) -> Row {
    Row::value(name, Text, metavar, help).takes(Sinfo, class, env)
}

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    Row::flag("all", "show all partitions (including hidden and those not accessible)").short('a').takes(Sinfo, HIDDEN, &["SINFO_ALL"]),
    Row::alias("cluster", "clusters"),
    value("clusters", "names", HONOURED, &["SLURM_CLUSTERS"], "clusters to issue commands to").short('M'),
    flag("dead", HONOURED, "show only non-responding nodes").short('d'),
    flag("exact", HONOURED, "group nodes only on exact match of configuration").short('e'),
    Row::flag("federation", "report federated information if a member of one").takes(Sinfo, FEDERATION, &["SINFO_FEDERATION"]),
    value("Format", "format", HONOURED, NONE, "long format specification").short('O'),
    value("format", "format", HONOURED, &["SINFO_FORMAT"], "format specification").short('o'),
    flag("future", Inert("no node is in state FUTURE"), "report node state information for nodes in state FUTURE").short('F'),
    flag("help", HONOURED, "show this help message").section(Help),
    flag("hide", HIDDEN, "do not show hidden or non-accessible partitions"),
    value("iterate", "seconds", HONOURED, NONE, "specify an iteration period").short('i'),
    Row::optional("json", Text, "data_parser", "produce JSON output").takes(Sinfo, HONOURED, NONE),
    Row::flag("local", "show only local cluster in a federation").takes(Sinfo, FEDERATION, &["SINFO_LOCAL"]),
    flag("long", HONOURED, "long output - displays more information").short('l'),
    flag("list-reasons", HONOURED, "list reason nodes are down or drained").short('R'),
    value("nodes", "NODES", HONOURED, NONE, "report on specific node(s)").short('n'),
    flag("noconvert", Inert("sinfo converts no value"), "don't convert units from their original type (e.g. 2048M won't be converted to 2G)"),
    flag("noheader", HONOURED, "no headers on output").short('h'),
    flag("Node", HONOURED, "Node-centric format").short('N'),
    value("partition", "PARTITION", HONOURED, &["SINFO_PARTITION"], "report on specific partition").short('p'),
    flag("responding", HONOURED, "report only responding nodes").short('r'),
    flag("reservation", HONOURED, "show only reservation information").short('T'),
    flag("summarize", HONOURED, "report state summary only").short('s'),
    value("sort", "fields", HONOURED, &["SINFO_SORT"], "comma separated list of fields to sort on").short('S'),
    value("states", "node_state", HONOURED, NONE, "specify what states of nodes to view").short('t'),
    flag("usage", HONOURED, "display brief usage message").section(Help),
    flag("verbose", Inert("there is no more to tell"), "verbosity level").short('v'),
    flag("version", HONOURED, "output version information and exit").short('V'),
    Row::optional("yaml", Text, "data_parser", "produce YAML output").takes(Sinfo, HONOURED, NONE),
];
