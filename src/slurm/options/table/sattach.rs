//! sattach.

use super::classes::*;
use crate::slurm::options::{Command::Sattach, Kind::*, Row, Section::Help};

const NONE: &[&str] = &[];

const fn flag(name: &'static str, help: &'static str) -> Row {
    Row::flag(name, help).takes(Sattach, HONOURED, NONE)
}

const fn task(name: &'static str, help: &'static str) -> Row {
    Row::value(name, CountOrZero, "taskid", help).takes(Sattach, HONOURED, NONE)
}

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    task("input-filter", "send stdin to only the specified task"),
    task("output-filter", "only print stdout from the specified task"),
    task("error-filter", "only print stderr from the specified task"),
    flag("label", "prepend task number to lines of stdout & stderr").short('l'),
    flag("layout", "print task layout info and exit (does not attach to tasks)"),
    flag("pty", "make stdin pass everything through, for a step with a terminal"),
    flag("quiet", "quiet mode (suppress informational messages)").short('Q'),
    flag("verbose", "verbose mode (multiple -v's increase verbosity)").short('v'),
    flag("version", "print the Slurm version and exit").short('V'),
    flag("help", "print this help message").short('h').section(Help),
    flag("usage", "print a brief usage message").short('u').section(Help),
];
