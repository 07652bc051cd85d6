//! squeue.

use super::classes::*;
use crate::slurm::options::{Class, Command::Squeue, Kind::*, Row, Section::Help};

const NONE: &[&str] = &[];

const fn flag(name: &'static str, class: Class, env: &'static [&'static str], help: &'static str) -> Row {
    Row::flag(name, help).takes(Squeue, class, env)
}

const fn list(
    name: &'static str,
    metavar: &'static str,
    class: Class,
    env: &'static [&'static str],
    help: &'static str,
) -> Row {
    Row::value(name, Text, metavar, help).takes(Squeue, class, env)
}

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    list("accounts", "account(s)", HONOURED, &["SQUEUE_ACCOUNT"], "comma separated list of accounts to view, default is all accounts").short('A'),
    flag("all", HIDDEN, &["SQUEUE_ALL"], "display jobs in hidden partitions").short('a'),
    flag("array", HONOURED, &["SQUEUE_ARRAY"], "display one job array element per line").short('r'),
    flag("array-unique", HONOURED, &["SQUEUE_ARRAY_UNIQUE"], "display one unique pending job array element per line"),
    Row::alias("cluster", "clusters"),
    list("clusters", "cluster_name", HONOURED, &["SLURM_CLUSTERS"], "cluster to issue commands to").short('M'),
    flag("expand-patterns", HONOURED, NONE, "expand file name patterns in StdErr, StdIn and StdOut"),
    list("Format", "format", HONOURED, &["SQUEUE_FORMAT2"], "format specification by field names").short('O'),
    list("format", "format", HONOURED, &["SQUEUE_FORMAT"], "format specification").short('o'),
    flag("federation", FEDERATION, &["SQUEUE_FEDERATION"], "report federated information if a member of one"),
    flag("help", HONOURED, NONE, "show this help message").section(Help),
    flag("hide", HIDDEN, NONE, "do not display jobs in hidden partitions"),
    list("iterate", "seconds", HONOURED, NONE, "specify an iteration period").short('i'),
    list("jobs", "job(s)", HONOURED, NONE, "comma separated list of job IDs to view, default is all").short('j'),
    Row::optional("json", Text, "data_parser", "produce JSON output").takes(Squeue, HONOURED, NONE),
    flag("local", FEDERATION, &["SQUEUE_LOCAL"], "report information only about jobs on the local cluster"),
    flag("long", HONOURED, NONE, "long report").short('l'),
    list("licenses", "license names", HONOURED, &["SQUEUE_LICENSES"], "comma separated list of license names to view").short('L'),
    flag("me", HONOURED, NONE, "equivalent to --user=<my username>"),
    list("name", "job_name(s)", HONOURED, &["SQUEUE_NAMES"], "comma separated list of job names to view").short('n'),
    flag("noconvert", HONOURED, NONE, "don't convert units from their original type (e.g. 2048M won't be converted to 2G)"),
    Row::alias("node", "nodelist"),
    Row::alias("nodes", "nodelist"),
    list("nodelist", "hostlist", HONOURED, NONE, "list of nodes to view, default is all nodes").short('w'),
    flag("noheader", HONOURED, NONE, "no headers on output").short('h'),
    flag("notme", HONOURED, NONE, "equivalent to --user for all but me"),
    flag("only-job-state", HONOURED, NONE, "only query the state of jobs"),
    list("partitions", "partition(s)", HONOURED, &["SQUEUE_PARTITION"], "comma separated list of partitions to view, default is all partitions").short('p'),
    flag("priority", HONOURED, &["SQUEUE_PRIORITY"], "one line for each partition a job is submitted to, by priority").short('P'),
    list("qos", "qos(s)", HONOURED, &["SQUEUE_QOS"], "comma separated list of qos's to view, default is all qos's").short('q'),
    list("reservation", "name", HONOURED, NONE, "reservation to view, default is all").short('R'),
    flag("sib", FEDERATION, &["SQUEUE_SIB", "SQUEUE_SIBLING"], "report information about all sibling jobs on a federated cluster"),
    Row::alias("sibling", "sib"),
    list("sort", "fields", HONOURED, &["SQUEUE_SORT"], "comma separated list of fields to sort on").short('S'),
    flag("start", HONOURED, NONE, "print expected start times of pending jobs"),
    Row::optional("steps", Text, "step(s)", "comma separated list of job steps to view, default is all").short('s').takes(Squeue, HONOURED, NONE),
    list("states", "states", HONOURED, &["SQUEUE_STATES"], "comma separated list of states to view, default is pending and running, '--states=all' reports all states").short('t'),
    flag("usage", HONOURED, NONE, "display a brief summary of squeue options").section(Help),
    list("users", "user_name(s)", HONOURED, &["SQUEUE_USERS"], "comma separated list of users to view").short('u'),
    Row::alias("user", "users"),
    flag("verbose", HONOURED, NONE, "verbosity level").short('v'),
    flag("version", HONOURED, NONE, "output version information and exit").short('V'),
    Row::optional("yaml", Text, "data_parser", "produce YAML output").takes(Squeue, HONOURED, NONE),
];
