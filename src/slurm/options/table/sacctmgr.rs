//! sacctmgr's options; its keywords (`show user`, ...) are operands.

use super::classes::*;
use crate::slurm::options::{Class, Class::Inert, Command::Sacctmgr, Kind::Text, Row};

const NONE: &[&str] = &[];

const fn flag(name: &'static str, class: Class, help: &'static str) -> Row {
    Row::flag(name, help).takes(Sacctmgr, class, NONE)
}

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    flag("help", HONOURED, "equivalent to \"help\" command").short('h'),
    flag("usage", HONOURED, "equivalent to \"help\" command"),
    flag("immediate", NOTHING_CHANGES, "commit changes immediately").short('i'),
    Row::optional("json", Text, "data_parser", "produce JSON output").takes(Sacctmgr, HONOURED, NONE),
    flag("noheader", HONOURED, "no header will be added to the beginning of output").short('n'),
    flag("oneliner", Inert("every record is a line"), "equivalent to \"oneliner\" command").short('o'),
    flag("parsable", HONOURED, "output will be '|' delimited with a '|' at the end").short('p'),
    flag("parsable2", HONOURED, "output will be '|' delimited without a '|' at the end").short('P'),
    flag("quiet", HONOURED, "equivalent to \"quiet\" command").short('Q'),
    flag("readonly", NOTHING_CHANGES, "equivalent to \"readonly\" command").short('r'),
    flag("associations", HONOURED, "equivalent to \"associations\" command").short('s'),
    flag("verbose", Inert("there is no more to tell"), "equivalent to \"verbose\" command").short('v'),
    Row::optional("yaml", Text, "data_parser", "produce YAML output").takes(Sacctmgr, HONOURED, NONE),
    flag("version", HONOURED, "equivalent to \"version\" command").short('V'),
];
