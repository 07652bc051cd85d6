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
    ask::right_cluster,
    asked_for, check_cluster,
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
    // On a node there may be no controller to ask; the job's own variables name the cluster.
    let is_right = match environment("SLURM_CLUSTER_NAME") {
        Some(cluster) => {
            check_cluster(Command::Srun, parsed.options.get("clusters"), &cluster).map_err(|refusal| refuse(&refusal))
        }
        None => right_cluster(Command::Srun, &parsed.options),
    };
    if let Err(code) = is_right {
        return code;
    }
    match find::agent(plan.request.job) {
        Ok(stream) => {
            afar::settle(&mut plan.request, &parsed.options);
            client::run(plan, stream)
        }
        Err(refusal) => refuse(&refusal),
    }
}
