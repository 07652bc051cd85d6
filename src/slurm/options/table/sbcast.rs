//! sbcast.

use super::classes::*;
use crate::slurm::options::{Class, Class::Inert, Command::Sbcast, Kind::*, Row, Section::Help};

const NONE: &[&str] = &[];
const PIECES: Class =
    Inert("a file goes in pieces of half a megabyte, to all nodes at once, and waits for the slowest");

const fn flag(name: &'static str, env: &'static [&'static str], help: &'static str) -> Row {
    Row::flag(name, help).takes(Sbcast, HONOURED, env)
}

#[rustfmt::skip]
pub(super) static ROWS: &[Row] = &[
    Row::optional("compress", Text, "lib", "compress the file being transmitted").short('C').takes(Sbcast, UNCOMPRESSED, &["SBCAST_COMPRESS"]),
    Row::value("exclude", Text, "path_list", "shared object paths to be excluded").takes(Sbcast, HONOURED, &["SBCAST_EXCLUDE"]),
    flag("force", &["SBCAST_FORCE"], "replace destination file as required").short('f'),
    Row::value("fanout", CountOrZero, "num", "specify message fanout").short('F').takes(Sbcast, PIECES, &["SBCAST_FANOUT"]),
    Row::value("jobid", Text, "#[+#][.#]", "specify job ID with optional hetjob offset and/or step ID").short('j').takes(Sbcast, HONOURED, &["SLURM_JOBID", "SLURM_JOB_ID"]),
    flag("preserve", &["SBCAST_PRESERVE"], "preserve modes and times of source file").short('p'),
    Row::optional("send-libs", Choice(&["yes", "no"]), "yes|no", "autodetect and broadcast executable's shared objects").takes(Sbcast, HONOURED, &["SBCAST_SEND_LIBS"]),
    Row::value("size", Text, "num", "block size in bytes (rounded off)").short('s').takes(Sbcast, PIECES, &["SBCAST_SIZE"]),
    Row::value("timeout", Text, "secs", "specify message timeout (seconds)").short('t').takes(Sbcast, Inert("a file is sent without timed messages"), &["SBCAST_TIMEOUT"]),
    flag("verbose", NONE, "provide detailed event logging").short('v'),
    flag("version", NONE, "print version information and exit").short('V'),
    flag("help", NONE, "show this help message").section(Help),
    flag("usage", NONE, "display brief usage message").section(Help),
];
