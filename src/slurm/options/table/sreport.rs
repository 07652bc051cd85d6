//! sreport's options; its keywords (`cluster utilization`, ...) are operands.

use super::classes::*;
use crate::slurm::options::{Class, Class::Inert, Command::Sreport, Kind::*, Row};

const NONE: &[&str] = &[];

const fn flag(name: &'static str, class: Class, help: &'static str) -> Row {
    Row::flag(name, help).takes(Sreport, class, NONE)
}

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    flag("all_clusters", FEDERATION, "use all clusters instead of current").short('a'),
    flag("federation", FEDERATION, "generate reports for the federation if a member of one"),
    flag("help", HONOURED, "equivalent to \"help\" command").short('h'),
    flag("local", FEDERATION, "report local cluster, even when in federation of clusters"),
    Row::value("cluster", Text, "cluster_names", "clusters to generate reports for").short('M').takes(Sreport, HONOURED, NONE),
    flag("noheader", HONOURED, "don't print a header").short('n'),
    flag("parsable", HONOURED, "output will be '|' delimited with a '|' at the end").short('p'),
    flag("parsable2", HONOURED, "output will be '|' delimited without a '|' at the end").short('P'),
    flag("quiet", Inert("there is nothing to be quiet about"), "equivalent to \"quiet\" command").short('Q'),
    Row::value("time", Text, "time_format", "second, minute, hour, percent, secper, minper or hourper").short('t').takes(Sreport, HONOURED, NONE),
    Row::value("tres", Text, "tres_names", "resources to report on; without it CPUs").short('T').takes(Sreport, HONOURED, NONE),
    flag("usage", HONOURED, "equivalent to \"help\" command"),
    flag("verbose", Inert("there is no more to tell"), "equivalent to \"verbose\" command").short('v'),
    flag("version", HONOURED, "equivalent to \"version\" command").short('V'),
];
