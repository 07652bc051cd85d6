//! What a heterogeneous job tells of its components: each variable with `_HET_GROUP_` and the component's number.

use super::{Batch, Environment, batch::JOB};
use crate::job::Job;

/// What is of the whole, and not of each component.
const OF_ALL: [&str; 4] = ["SLURM_CLUSTER_NAME", "SLURM_CONF", "SLURM_SUBMIT_DIR", "SLURM_SUBMIT_HOST"];

/// Other names for what is there already; only salloc tells them of each component (`het.txt`).
const ALIASES: [&str; 3] = ["SLURM_JOBID", "SLURM_NNODES", "SLURM_NODELIST"];

/// What marks a variable of a component.
const MARK: &str = "_HET_GROUP_";

/// Adds what a batch script of several components is told of them. `jobs`: all, the first among them.
pub fn describe_components(environment: &mut Environment, jobs: &[&Job], cluster: &str, conf: &str) {
    components(environment, jobs, cluster, conf, &ALIASES);
}

/// The environment of salloc's command, where the allocation has several components: what is of the whole, and what is of
/// each.
pub fn describe_shell(environment: &mut Environment, jobs: &[&Job], cluster: &str, conf: &str) {
    super::batch::forget_another_job(environment);
    let Some(first) = jobs.first() else { return };
    let facts = Batch { job: first, cluster, conf, host: &first.request.submit_host };
    let of_all = |name: &str| name == "SLURM_JOB_ID" || OF_ALL.contains(&name);
    super::fill(environment, JOB.iter().filter(|(name, _)| of_all(name)).map(|(name, value)| (*name, value(&facts))));
    let tasks: u32 = jobs.iter().flat_map(|job| super::names::nodes(job)).map(|node| node.tasks).sum();
    for name in ["SLURM_NPROCS", "SLURM_NTASKS"] {
        environment.set(name, tasks.to_string());
    }
    components(environment, jobs, cluster, conf, &[]);
}

/// `SLURM_HET_SIZE`
pub fn size(environment: &mut Environment, jobs: usize) {
    environment.set("SLURM_HET_SIZE", jobs.to_string());
}

fn components(environment: &mut Environment, jobs: &[&Job], cluster: &str, conf: &str, without: &[&str]) {
    size(environment, jobs.len());
    for (number, job) in jobs.iter().enumerate() {
        let facts = Batch { job, cluster, conf, host: &job.request.submit_host };
        for (name, value) in JOB.iter().filter(|(name, _)| !OF_ALL.contains(name) && !without.contains(name)) {
            if let Some(value) = value(&facts) {
                environment.set(&format!("{name}{MARK}{number}"), value);
            }
        }
    }
}

/// Whether a variable tells of the components of a job.
pub(super) fn is_of_components(name: &[u8]) -> bool {
    name == b"SLURM_HET_SIZE" || (name.starts_with(b"SLURM_") && name.windows(MARK.len()).any(|w| w == MARK.as_bytes()))
}
