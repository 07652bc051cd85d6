//! seff: how well a job used what it had.

use super::{
    ask::{self, AskError, Said},
    terminal::{print, refuse},
};
use crate::{
    controller::{api::Filter, client::Client},
    report::{
        clock::{Clock, local},
        efficiency::efficiency,
        job_values,
        sacct_values::{Context, Units},
    },
    slurm::{
        array::{BITSTR_LEN, JobIdSpec},
        errno::Errno,
        options::{self, Command::Seff},
    },
};
use std::ffi::OsString;

/// The version whose output this is.
const VERSION: &str = "seff Version 2.1\n";

/// Runs seff; the exit code. As of Slurm's own it is 1 where only something about the command is told.
pub fn run(args: Vec<OsString>) -> u8 {
    let parsed = match options::parse(Seff, &args, &ask::env) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal),
    };
    if parsed.options.is_set("version") {
        return print(VERSION).max(1);
    }
    let [id] = parsed.operands.as_slice() else { return print(&options::help(Seff)).max(1) };
    if parsed.options.is_set("help") {
        return print(&options::help(Seff)).max(1);
    }
    match told(&id.to_string_lossy(), parsed.options.is_set("debug")) {
        Ok(said) => said.print(),
        Err(error) => Said::error(format!("seff: error: {error}")).print(),
    }
}

fn told(id: &str, debug: bool) -> Result<Said, AskError> {
    let not_found = Said { err: vec!["Job not found.".to_owned()], exit: 2, ..Said::default() };
    let Ok(id) = id.parse::<JobIdSpec>() else { return Ok(not_found) };
    let mut client = Client::connect()?;
    let jobs =
        match ask::accounting(&mut client, Filter { ids: vec![JobIdSpec { step: None, ..id }], ..Filter::default() }) {
            Err(AskError::Refused(Errno::InvalidJobId)) => Vec::new(),
            other => other?,
        };
    let cluster = ask::cluster(&mut client)?;
    let Some(job) = jobs.first() else { return Ok(not_found) };
    let jobs = job_values::Context {
        cluster: &cluster.name,
        partitions: &cluster.partitions,
        clock: Clock::new(local, None, cluster.now),
        bitstr_len: BITSTR_LEN,
        noconvert: false,
        expand: false,
    };
    Ok(Said::out(efficiency(job, &Context { jobs, units: Units::Best }, debug)))
}
