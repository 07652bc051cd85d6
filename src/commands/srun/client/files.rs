//! The files that srun itself reads and writes.

use crate::{
    agent::step::error_text,
    commands::srun::request::Plan,
    slurm::filename::{Vars, expand},
};
use std::{env, fs::File, io};

/// What the letters of a pattern for a file of srun's own stand for.
pub(super) fn vars(plan: &Plan, step: Option<u32>) -> Vars {
    let number = |name: &str| env::var(name).ok().and_then(|v| v.parse().ok());
    let job = plan.request.job;
    Vars {
        job_id: job,
        array_job_id: number("SLURM_ARRAY_JOB_ID").unwrap_or(job),
        array_task_id: number("SLURM_ARRAY_TASK_ID"),
        step: step.map(|s| s.to_string()).unwrap_or_default(),
        node_name: env::var("SLURMD_NODENAME").unwrap_or_default(),
        node_index: 0,
        task_id: 0,
        user: env::var("SLURM_JOB_USER").or_else(|_| env::var("USER")).unwrap_or_default(),
        job_name: env::var("SLURM_JOB_NAME").unwrap_or_else(|_| plan.request.name.clone()),
    }
}

/// Whether a pattern has the step's number in it.
pub(super) fn needs_step(pattern: &str) -> bool {
    pattern
        .split('%')
        .skip(1)
        .any(|after| after.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(['s', 'J']))
}

pub(super) fn create(plan: &Plan, pattern: &str, step: Option<u32>) -> io::Result<File> {
    let append = plan.request.append;
    let mut options = File::options();
    options.create(true).write(true).append(append).truncate(!append).open(expand(pattern, &vars(plan, step)))
}

/// The file for a pattern, if there is one and its name is known before the step is.
pub(super) fn open(plan: &Plan, pattern: Option<&str>, what: &str) -> Result<Option<File>, String> {
    match pattern.filter(|p| !needs_step(p)) {
        Some(pattern) => {
            create(plan, pattern, None).map(Some).map_err(|e| format!("Could not open {what} file: {}", error_text(&e)))
        }
        None => Ok(None),
    }
}
