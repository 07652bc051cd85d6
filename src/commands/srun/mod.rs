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
    let mut plans: Vec<Plan> = match components.iter().map(plan).collect() {
        Ok(plans) => plans,
        Err(refusal) => return refuse(&refusal),
    };
    if parsed.options.get("jobid").is_none() {
        return outside::run(plans, &components, &args);
    }
    if parsed.options.is_set("core-spec") {
        let when = "Set specialized cores at job allocation time.";
        eprint(&format!("srun: error: Ignoring --core-spec value for a job step within an existing job. {when}"));
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
    let job = plans.first().map_or(0, |plan| plan.request.job);
    match find::agent(job) {
        Ok(stream) => {
            if afar::is(job)
                && let Err(refusal) = Place::SkyPilot.refuse(&parsed.options)
            {
                return refuse(&refusal);
            }
            for (plan, component) in plans.iter_mut().zip(&components) {
                afar::settle(&mut plan.request, &component.options);
            }
            client::run(plans, stream)
        }
        Err(refusal) => refuse(&refusal),
    }
}
