//! sacct.

use super::classes::*;
use crate::slurm::options::{
    Class,
    Class::{Inert, Refused},
    Command::Sacct,
    Kind::*,
    Row,
};

const NONE: &[&str] = &[];

const fn flag(name: &'static str, class: Class, help: &'static str) -> Row {
    Row::flag(name, help).takes(Sacct, class, NONE)
}

const fn value(name: &'static str, metavar: &'static str, class: Class, help: &'static str) -> Row {
    Row::value(name, Text, metavar, help).takes(Sacct, class, NONE)
}

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    flag("allusers", HONOURED, "display jobs for all users").short('a'),
    value("accounts", "account,...", HONOURED, "use this comma separated list of accounts to select jobs to display").short('A'),
    flag("allocations", HONOURED, "only show statistics relevant to the job allocation itself").short('X'),
    flag("allclusters", FEDERATION, "display jobs ran on all clusters").short('L'),
    flag("array", HONOURED, "show the pending elements of a job array one by one"),
    value("associations", "id,...", HONOURED, "only send data about these associations").short('x'),
    flag("brief", HONOURED, "equivalent to '--format=jobid,state,exitcode'").short('b'),
    flag("batch-script", HONOURED, "print batch script of job").short('B'),
    flag("completion", Refused("=Slurm job completion is disabled"), "use job completion instead of accounting data").short('c'),
    value("constraints", "constraint,...", HONOURED, "select jobs by their constraints").short('C'),
    Row::alias("cluster", "clusters"),
    value("clusters", "names", HONOURED, "only send data about these clusters").short('M'),
    value("delimiter", "characters", HONOURED, "characters used to separate the fields with -p or -P; default is '|'"),
    flag("duplicates", HONOURED, "display all of a job's records when it was requeued, not only the last").short('D'),
    value("endtime", "time", HONOURED, "select jobs eligible before this time").short('E'),
    flag("env-vars", HONOURED, "print the environment the batch script was launched with"),
    flag("expand-patterns", HONOURED, "expand file name patterns in StdErr, StdIn and StdOut"),
    Row::flag("federation", "report jobs from federation if a member of one").takes(Sacct, FEDERATION, &["SACCT_FEDERATION"]),
    value("file", "file", Refused("accounting is kept in one file; name its state directory: SKYSLURM_STATE_DIR"), "read data from the specified file").short('f'),
    value("flags", "flag,...", HONOURED, "select jobs by how they were scheduled").short('F'),
    Row::alias("fields", "format"),
    Row::value("format", Text, "field,...", "comma separated list of fields (\"--helpformat\" lists them)").short('o').takes(Sacct, HONOURED, &["SACCT_FORMAT"]),
    value("gid", "group,...", HONOURED, "use this comma separated list of groups to select jobs to display").short('g'),
    Row::alias("group", "gid"),
    flag("helpformat", HONOURED, "print a list of fields that can be specified with --format").short('e'),
    flag("help", HONOURED, "print this description of use").short('h'),
    value("jobs", "job(.step),...", HONOURED, "display information about these jobs or job steps").short('j'),
    Row::optional("json", Text, "data_parser", "produce JSON output").takes(Sacct, HONOURED, NONE),
    Row::flag("local", "report information only about jobs on the local cluster").takes(Sacct, FEDERATION, &["SACCT_LOCAL"]),
    flag("long", HONOURED, "equivalent to specifying --format with most of the fields").short('l'),
    value("name", "jobname,...", HONOURED, "display jobs that have any of these names"),
    value("nnodes", "N", HONOURED, "return jobs which ran on this many nodes (N = min[-max])").short('i'),
    value("ncpus", "N", HONOURED, "return jobs which ran on this many cpus (N = min[-max])").short('I'),
    value("nodelist", "nodes", HONOURED, "display jobs that ran on any of these nodes").short('N'),
    flag("noconvert", HONOURED, "don't convert units from their original type (e.g. 2048M won't be converted to 2G)"),
    flag("noheader", HONOURED, "no header will be added to the beginning of output").short('n'),
    flag("parsable", HONOURED, "output will be '|' delimited with a '|' at the end").short('p'),
    flag("parsable2", HONOURED, "output will be '|' delimited without a '|' at the end").short('P'),
    value("partition", "partition,...", HONOURED, "comma separated list of partitions to select jobs from").short('r'),
    value("qos", "qos,...", HONOURED, "only send data about jobs using these qos").short('q'),
    value("reason", "reason,...", HONOURED, "select jobs by the reason they had to wait").short('R'),
    value("state", "state,...", HONOURED, "select jobs by their state now or in the time that is asked for").short('s'),
    value("starttime", "time", HONOURED, "select jobs eligible after this time; default is 00:00:00 of the current day").short('S'),
    value("timelimit-min", "time", HONOURED, "only send data about jobs with this timelimit").short('k'),
    value("timelimit-max", "time", HONOURED, "upper end of the range that --timelimit-min begins").short('K'),
    flag("truncate", HONOURED, "truncate times to --starttime and --endtime").short('T'),
    Row::value("units", Units, "KMGTP", "display values in specified unit type").takes(Sacct, HONOURED, NONE),
    Row::alias("uid", "user"),
    flag("use-local-uid", Inert("user names are this machine's own"), "look up user names on this machine"),
    flag("usage", HONOURED, "display brief usage message"),
    value("user", "user,...", HONOURED, "use this comma separated list of users to select jobs to display").short('u'),
    flag("verbose", HONOURED, "report the state of variables during processing").short('v'),
    flag("version", HONOURED, "print version").short('V'),
    value("wckeys", "wckey,...", Inert("workload keys are not recorded: no job has one"), "only send data about these wckeys").short('W'),
    Row::optional("whole-hetjob", Choice(&["yes", "no"]), "yes|no", "retrieve all components of a heterogeneous job").takes(Sacct, HONOURED, NONE),
    Row::optional("yaml", Text, "data_parser", "produce YAML output").takes(Sacct, HONOURED, NONE),
];
