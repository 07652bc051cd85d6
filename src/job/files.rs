//! The files of a batch script: `--output`, `--error`, `--input` of sbatch(1) and what stands for them.

use super::Job;
use crate::slurm::filename::{Vars, expand};
use std::path::{Path, PathBuf};

/// Where a batch script's stdin, stdout and stderr come from and go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// `None`: /dev/null.
    pub input: Option<PathBuf>,
    /// stdout
    pub output: PathBuf,
    /// stderr; `None`: where stdout goes.
    pub error: Option<PathBuf>,
}

impl Files {
    /// The files of `job`, whose first node is `node`, seen from its work directory.
    pub fn of(job: &Job, node: &str) -> Self {
        let request = &job.request;
        let vars = vars(job, node, 0);
        let path = |pattern: &str| Path::new(&request.work_dir).join(expand(pattern, &vars));
        let default = if vars.array_task_id.is_some() { "slurm-%A_%a.out" } else { "slurm-%j.out" };
        let output = path(request.output.as_deref().unwrap_or(default));
        Self {
            input: request.input.as_deref().map(path),
            error: request.error.as_deref().map(path).filter(|error| *error != output),
            output,
        }
    }
}

/// What the letters of a file name pattern stand for in `job`. Step and task are the caller's.
pub fn vars(job: &Job, node_name: &str, node_index: usize) -> Vars {
    Vars {
        job_id: job.id,
        array_job_id: job.array_job_id(),
        array_task_id: job.array.as_ref().and_then(|a| a.task_id),
        step: "batch".into(),
        node_name: node_name.into(),
        node_index: u32::try_from(node_index).unwrap_or(u32::MAX),
        task_id: 0,
        user: job.request.user.name.clone(),
        job_name: job.request.name.clone(),
    }
}
