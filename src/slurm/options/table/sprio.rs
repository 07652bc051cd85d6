//! sprio: of Slurm's options those that tell of itself. With priority/basic it gives no other answer, whatever it is asked.

use super::classes::*;
use crate::slurm::options::{Class::Inert, Command::Sprio, Kind::*, Row};

const NONE: &[&str] = &[];

const fn flag(name: &'static str, help: &'static str) -> Row {
    Row::flag(name, help).takes(Sprio, Inert("priorities have no factors"), NONE)
}

const fn value(name: &'static str, metavar: &'static str, help: &'static str) -> Row {
    Row::value(name, Text, metavar, help).takes(Sprio, Inert("priorities have no factors"), NONE)
}

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    flag("federation", "display jobs in federation if a member of one"),
    flag("noheader", "no headers on output").short('h'),
    value("jobs", "job_id(s)", "comma separated list of jobs to view, default is all").short('j'),
    flag("long", "long report").short('l'),
    flag("local", "display jobs on local cluster only"),
    Row::alias("cluster", "clusters"),
    value("clusters", "cluster_name", "cluster to issue commands to").short('M'),
    flag("norm", "display normalized values").short('n'),
    value("format", "format", "format specification").short('o'),
    value("partition", "partition_name(s)", "comma separated list of partitions").short('p'),
    value("sort", "fields", "comma separated list of fields to sort on").short('S'),
    flag("sibling", "display job records separately for each federated cluster"),
    value("user", "user_name(s)", "comma separated list of users to view").short('u'),
    flag("verbose", "verbosity level").short('v'),
    Row::flag("version", "output version information and exit").short('V').takes(Sprio, HONOURED, NONE),
    flag("weights", "show the weights for each priority factor").short('w'),
    Row::flag("help", "show this help message").takes(Sprio, HONOURED, NONE),
    Row::flag("usage", "display a brief summary of sprio options").takes(Sprio, HONOURED, NONE),
];
