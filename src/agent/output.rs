//! The files a job's processes write to and read from.

use crate::{
    job::{Job, OpenMode},
    slurm::filename::{Vars, expand},
};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::fd::AsFd,
    path::{Path, PathBuf},
};

/// What the letters of a file name pattern stand for in `job`. Step and task are the caller's.
pub(super) fn vars(job: &Job, node_name: &str, node_index: usize) -> Vars {
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

/// The file that `pattern` names, seen from `directory`.
pub(super) fn path(directory: &Path, pattern: &str, vars: &Vars) -> PathBuf {
    directory.join(expand(pattern, vars))
}

/// Opens a file for output.
pub(super) fn create(path: &Path, append: bool) -> io::Result<File> {
    OpenOptions::new().create(true).write(true).append(append).truncate(!append).open(path)
}

/// The files of a batch script.
pub(super) struct ScriptFiles {
    /// stdin
    pub input: File,
    /// stdout
    pub output: File,
    /// stderr; the same open file as stdout unless `--error` was given.
    pub error: File,
}

impl ScriptFiles {
    /// Opens them: `--input`, `--output`, `--error`, `--open-mode`, and sbatch(1)'s defaults for them.
    pub fn open(job: &Job, node_name: &str) -> io::Result<Self> {
        let append = job.request.open_mode == Some(OpenMode::Append);
        let input = input(job, node_name)?;
        let [output_path, error_path] = output_paths(job, node_name);
        let output = create(&output_path, append)?;
        let error = if error_path == output_path { output.try_clone()? } else { create(&error_path, append)? };
        Ok(Self { input, output, error })
    }
}

/// Opens the script's stdin.
pub(super) fn input(job: &Job, node_name: &str) -> io::Result<File> {
    let directory = Path::new(&job.request.work_dir);
    match job.request.input.as_deref() {
        Some(pattern) => File::open(path(directory, pattern, &vars(job, node_name, 0))),
        None => File::open("/dev/null"),
    }
}

/// Where stdout and stderr of the script go; the same place unless `--error` was given.
pub(super) fn output_paths(job: &Job, node_name: &str) -> [PathBuf; 2] {
    let request = &job.request;
    let vars = vars(job, node_name, 0);
    let directory = Path::new(&request.work_dir);
    let default = if vars.array_task_id.is_some() { "slurm-%A_%a.out" } else { "slurm-%j.out" };
    let output = path(directory, request.output.as_deref().unwrap_or(default), &vars);
    let error = request.error.as_deref().map_or_else(|| output.clone(), |pattern| path(directory, pattern, &vars));
    [output, error]
}

/// Writes a line of slurmstepd's. A full disk is not the agent's to report.
pub(super) fn message(to: impl AsFd, text: &str) {
    let line = format!("slurmstepd: error: {text}\n");
    if let Ok(to) = to.as_fd().try_clone_to_owned() {
        let _ = File::from(to).write_all(line.as_bytes());
    }
}
