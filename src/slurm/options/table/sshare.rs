//! sshare.

use super::classes::*;
use crate::slurm::options::{Class, Class::Inert, Command::Sshare, Kind::*, Row};

const NONE: &[&str] = &[];

const fn flag(name: &'static str, class: Class, help: &'static str) -> Row {
    Row::flag(name, help).takes(Sshare, class, NONE)
}

const fn value(name: &'static str, metavar: &'static str, help: &'static str) -> Row {
    Row::value(name, Text, metavar, help).takes(Sshare, HONOURED, NONE)
}

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    flag("all", Inert("there is one user"), "list all users").short('a'),
    value("accounts", "accounts", "display specific accounts (comma separated list)").short('A'),
    flag("helpformat", HONOURED, "print a list of fields that can be specified with --format").short('e'),
    Row::optional("json", Text, "data_parser", "produce JSON output").takes(Sshare, HONOURED, NONE),
    flag("long", HONOURED, "include normalized usage in output").short('l'),
    Row::alias("cluster", "clusters"),
    value("clusters", "name", "cluster to issue commands to").short('M'),
    flag("partition", HONOURED, "print the partition part of the association").short('m'),
    flag("noheader", HONOURED, "omit header from output").short('n'),
    value("format", "field,...", "comma separated list of fields (\"--helpformat\" lists them)").short('o'),
    flag("parsable", HONOURED, "'|' delimited output with a trailing '|'").short('p'),
    flag("parsable2", HONOURED, "'|' delimited output without a trailing '|'").short('P'),
    value("users", "users", "display specific users (comma separated list)").short('u'),
    flag("Users", HONOURED, "display only user information").short('U'),
    flag("verbose", HONOURED, "display more information").short('v'),
    Row::optional("yaml", Text, "data_parser", "produce YAML output").takes(Sshare, HONOURED, NONE),
    flag("version", HONOURED, "display tool version number").short('V'),
    flag("help", HONOURED, "display this usage information").short('h'),
    flag("usage", HONOURED, "display this usage information"),
];
