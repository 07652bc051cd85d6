//! sstat.

use super::classes::*;
use crate::slurm::options::{Class::Inert, Command::Sstat, Kind::*, Row};

const NONE: &[&str] = &[];

const fn flag(name: &'static str, help: &'static str) -> Row {
    Row::flag(name, help).takes(Sstat, HONOURED, NONE)
}

const fn value(name: &'static str, metavar: &'static str, help: &'static str) -> Row {
    Row::value(name, Text, metavar, help).takes(Sstat, HONOURED, NONE)
}

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    flag("allsteps", "print all steps for the given jobs when no step is specified").short('a'),
    flag("helpformat", "print a list of fields that can be specified with --format").short('e'),
    flag("help", "print this description of use").short('h'),
    value("jobs", "job(.step),...", "display the usage of these jobs' lowest numbered running steps, or of these job steps").short('j'),
    flag("noheader", "no header will be added to the beginning of output").short('n'),
    Row::alias("fields", "format"),
    value("format", "field,...", "comma separated list of fields (\"--helpformat\" lists them)").short('o'),
    flag("noconvert", "don't convert units from their original type (e.g. 2048M won't be converted to 2G)"),
    flag("pidformat", "list the pids running for each job step (JobId,Nodes,Pids)").short('i'),
    flag("parsable", "output will be '|' delimited with a '|' at the end").short('p'),
    flag("parsable2", "output will be '|' delimited without a '|' at the end").short('P'),
    flag("usage", "display brief usage message"),
    Row::flag("verbose", "report the state of variables during processing").short('v').takes(Sstat, Inert("there is no more to tell"), NONE),
    flag("version", "print version").short('V'),
];
