//! scancel.

use super::classes::*;
use crate::slurm::options::{Class, Class::Inert, Command::Scancel, Kind::*, Row, Section::Help};

const NONE: &[&str] = &[];

const fn flag(name: &'static str, class: Class, env: &'static [&'static str], help: &'static str) -> Row {
    Row::flag(name, help).takes(Scancel, class, env)
}

const fn value(
    name: &'static str,
    metavar: &'static str,
    class: Class,
    env: &'static [&'static str],
    help: &'static str,
) -> Row {
    Row::value(name, Text, metavar, help).takes(Scancel, class, env)
}

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    value("account", "account", HONOURED, &["SCANCEL_ACCOUNT"], "act only on jobs charging this account").short('A'),
    flag("batch", HONOURED, &["SCANCEL_BATCH"], "signal batch shell for specified job").short('b'),
    flag("ctld", HONOURED, &["SCANCEL_CTLD"], "send request directly to slurmctld"),
    Row::alias("cluster", "clusters"),
    value("clusters", "names", HONOURED, &["SLURM_CLUSTERS"], "clusters to issue commands to").short('M'),
    flag("cron", Inert("there are no jobs of scrontab"), NONE, "confirm the cancellation of a job of scrontab").short('c'),
    flag("full", HONOURED, &["SCANCEL_FULL"], "signal batch shell and all steps for specified job").short('f'),
    flag("help", HONOURED, NONE, "show this help message").section(Help),
    flag("hurry", Inert("there is no burst buffer to be staged out"), &["SCANCEL_HURRY"], "avoid burst buffer stage out").short('H'),
    flag("interactive", HONOURED, &["SCANCEL_INTERACTIVE"], "require response from user for each job").short('i'),
    Row::alias("jobname", "name"),
    flag("me", HONOURED, NONE, "act only on jobs of this user"),
    value("name", "job_name", HONOURED, &["SCANCEL_NAME"], "act only on jobs with this name").short('n'),
    Row::value("nodelist", Hostlist, "hosts", "act only on jobs on these nodes").short('w').takes(Scancel, HONOURED, NONE),
    value("partition", "partition", HONOURED, &["SCANCEL_PARTITION"], "act only on jobs in this partition").short('p'),
    value("qos", "qos", HONOURED, &["SCANCEL_QOS"], "act only on jobs with this quality of service").short('q'),
    flag("quiet", HONOURED, NONE, "disable warnings").short('Q'),
    value("reservation", "reservation", HONOURED, NONE, "act only on jobs with this reservation").short('R'),
    value("sibling", "cluster_name", ONE_CLUSTER, NONE, "remove an active sibling job from a federated job"),
    value("signal", "name | integer", HONOURED, NONE, "signal to send to job, default is SIGKILL").short('s'),
    value("state", "states", HONOURED, &["SCANCEL_STATE"], "act only on jobs in this state.  Valid job states are PENDING, RUNNING and SUSPENDED").short('t'),
    flag("usage", HONOURED, NONE, "display brief usage message").section(Help),
    value("user", "user_name", HONOURED, &["SCANCEL_USER"], "act only on jobs of this user").short('u'),
    flag("verbose", HONOURED, &["SCANCEL_VERBOSE"], "verbosity level").short('v'),
    flag("version", HONOURED, NONE, "output version information and exit").short('V'),
    value("wckey", "wckey", Inert("workload keys are not recorded: no job has one"), &["SCANCEL_WCKEY"], "act only on jobs with this workload characterization key"),
];
