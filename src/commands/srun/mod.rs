//! srun: runs a step in the allocation it was called in, or in one of its own.

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
use crate::slurm::options::{self, Command, Parsed, Place, Refusal};
use request::Plan;
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
    let mut components: Vec<&Parsed> = parsed.components().collect();
    components.sort_by_key(|component| component.group);
    let plan = |component: &&Parsed| {
        let mut plan = request::plan(&component.options, &component.operands, &args)?;
        plan.request.component = component.group;
        Ok(plan)
    };
    let plans: Vec<Plan> = match components.iter().map(plan).collect() {
        Ok(plans) => plans,
        Err(refusal) => return refuse(&refusal),
    };
    if parsed.options.get("jobid").is_none() {
        return outside::run(plans, &components, &args);
    }
    if parsed.options.is_set("test-only") {
        let words = "--test-only: this is a job already; sbatch --test-only tells when another would start";
        return refuse(&Refusal::error(Command::Srun, 1, words));
    }
    match find::agent(plans.first().map_or(0, |plan| plan.request.job)) {
        Ok(stream) => client::run(plans, stream),
        Err(refusal) => refuse(&refusal),
    }
}
