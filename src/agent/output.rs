//! The files a job's processes write to and read from.

use super::clock;
use crate::job::{Job, OpenMode, files::Files};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::fd::AsFd,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// Opens a file for output.
pub(super) fn create(path: &Path, append: bool) -> io::Result<File> {
    OpenOptions::new().create(true).write(true).append(append).truncate(!append).open(path)
}

/// So long after its submission a script waits for the directories of its files.
///
/// Programs that name a directory after the job (submitit's `log_%j`) make it when sbatch has told them the number. A real
/// Slurm takes a tenth of a second to the script's first line, and so does not come before them; here it takes far less.
const MADE_WITHIN: Duration = Duration::from_secs(3);

/// The same for a file of a job submitted at `submitted` (epoch seconds): its directory may be about to be made.
fn create_soon(path: &Path, append: bool, submitted: i64) -> io::Result<File> {
    let since = u64::try_from(clock::now().saturating_sub(submitted)).unwrap_or(0);
    let deadline = Instant::now() + MADE_WITHIN.saturating_sub(Duration::from_secs(since));
    loop {
        match create(path, append) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(5));
            }
            opened => return opened,
        }
    }
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
    /// Opens them: `--input`, `--output`, `--error`, `--open-mode`, and sbatch(1)'s defaults for them; with `own` the default
    /// is where the agent's own output goes.
    pub fn open(job: &Job, node_name: &str, own: bool) -> io::Result<Self> {
        let append = job.request.open_mode == Some(OpenMode::Append);
        let own = own && job.request.output.is_none();
        let files = Files::of(job, node_name);
        let input = input(job, node_name)?;
        let output = match own {
            true => io::stdout().as_fd().try_clone_to_owned()?.into(),
            false => create_soon(&files.output, append, job.submit_time)?,
        };
        let error = match files.error {
            Some(path) => create_soon(&path, append, job.submit_time)?,
            None if own => io::stderr().as_fd().try_clone_to_owned()?.into(),
            None => output.try_clone()?,
        };
        Ok(Self { input, output, error })
    }
}

/// Opens the script's stdin.
pub(super) fn input(job: &Job, node_name: &str) -> io::Result<File> {
    File::open(Files::of(job, node_name).input.as_deref().unwrap_or(Path::new("/dev/null")))
}

/// Writes a line of slurmstepd's. A full disk is not the agent's to report.
pub(super) fn message(to: impl AsFd, text: &str) {
    let line = format!("slurmstepd: error: {text}\n");
    if let Ok(to) = to.as_fd().try_clone_to_owned() {
        let _ = File::from(to).write_all(line.as_bytes());
    }
}
