//! srun: runs a step in the allocation it was called in.

mod client;
mod find;
mod mpi;
mod multi_prog;
mod output;
mod request;
mod tasks;
mod terminal;

use super::terminal::{eprint, print, refuse};
use crate::slurm::options::{self, Command, Place};
use std::ffi::OsString;

/// Runs `srun` with `args`, those behind its name. The exit code is the highest of the tasks'.
pub fn run(args: Vec<OsString>) -> u8 {
    let environment = |name: &str| std::env::var(name).ok();
    let parsed = match options::parse(Command::Srun, &args, &environment) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal),
    };
    if parsed.options.is_set("version") {
        return print(&format!("{}\n", options::version()));
    }
    if parsed.options.is_set("help") {
        return print(&options::help(Command::Srun));
    }
    if parsed.options.is_set("usage") {
        return print(&options::usage(Command::Srun));
    }
    for line in parsed.options.warnings(Place::Here) {
        eprint(&line);
    }
    if mpi::is_list(&parsed.options) {
        return print(mpi::LIST);
    }
    let plan = match request::resolve(&parsed.options, &parsed.operands, &args) {
        Ok(plan) => plan,
        Err(refusal) => return refuse(&refusal),
    };
    match find::agent(plan.request.job) {
        Ok(stream) => client::run(plan, stream),
        Err(lines) => {
            lines.iter().for_each(|line| eprint(line));
            1
        }
    }
}
