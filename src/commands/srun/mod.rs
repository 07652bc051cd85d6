//! srun: runs a step in the allocation it was called in, or in one of its own.

pub(super) mod afar;
mod bring;
mod client;
pub(super) mod find;
mod hooks;
mod mpi;
mod multi_prog;
pub(super) mod output;
mod outside;
mod request;
mod setup;
mod tasks;
pub(super) mod terminal;

use super::{
    asked_for,
    terminal::{eprint, print, refuse},
};
use crate::slurm::options::{self, Command, Place, Refusal};
use std::ffi::OsString;

/// Runs `srun` with `args`, those behind its name. The exit code is the highest of the tasks'.
pub fn run(args: Vec<OsString>) -> u8 {
    let environment = |name: &str| std::env::var(name).ok();
    let parsed = match options::parse(Command::Srun, &args, &environment) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal),
    };
    if let Some(text) = asked_for(&parsed, Command::Srun) {
        return print(&text);
    }
    if let Some((text, code)) = setup::help(&parsed.options).filter(|_| !parsed.operands.is_empty()) {
        print(text);
        return code;
    }
    for line in parsed.options.warnings(Place::Here) {
        eprint(&line);
    }
    if mpi::is_list(&parsed.options) {
        return print(mpi::LIST);
    }
    let mut plan = match request::plan(&parsed.options, &parsed.operands, &args) {
        Ok(plan) => plan,
        Err(refusal) => return refuse(&refusal),
    };
    if parsed.options.get("jobid").is_none() {
        let program = &parsed.operands[0]; // without one there is no plan
        return outside::run(plan, &parsed.options, program, &args);
    }
    if parsed.options.is_set("test-only") {
        let words = "--test-only: this is a job already; sbatch --test-only tells when another would start";
        return refuse(&Refusal::error(Command::Srun, 1, words));
    }
    match find::agent(plan.request.job) {
        Ok(stream) => {
            afar::settle(&mut plan.request, &parsed.options);
            client::run(plan, stream)
        }
        Err(refusal) => refuse(&refusal),
    }
}
