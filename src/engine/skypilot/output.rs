//! The output files of a job on the submit side, written as its log is read.
//!
//! A log may be read again from its start, by this controller or by the next one. So every byte is written at its own
//! place, and writing it again changes nothing; where a run's bytes begin is kept in a file beside the job's others.

use crate::job::{Job, Kind, OpenMode, files::Files};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

/// Which run the files have, and where in them it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Begun {
    run: u32,
    output: u64,
    error: u64,
}

/// The open files of one run.
pub struct Output {
    output: File,
    error: Option<File>,
    output_at: u64,
    error_at: u64,
}

impl Output {
    /// The run that `dir`, the job's spool directory, says was begun, if one was.
    pub fn begun(dir: &Path) -> Option<u32> {
        read(dir).map(|b| b.run)
    }

    /// Opens the files of `job` for `run`, whose first node is `node`. A run that is begun anew empties the files, or
    /// goes on behind what they hold (`--open-mode=append`).
    ///
    /// # Errors
    /// When a file cannot be opened; the path is in it.
    pub fn open(job: &Job, node: &str, run: u32, dir: &Path) -> Result<Self, (PathBuf, io::Error)> {
        let files = Files::of(job, node);
        let known = read(dir).filter(|b| b.run == run);
        let append = job.request.open_mode == Some(OpenMode::Append);
        let open = |path: &Path| -> Result<File, (PathBuf, io::Error)> {
            let truncate = known.is_none() && !append;
            let file = OpenOptions::new().create(true).write(true).truncate(truncate).open(path);
            file.map_err(|e| (path.to_owned(), e))
        };
        let end = |file: &File| file.metadata().map_or(0, |m| m.len());
        let output = open(&files.output)?;
        let error = files.error.as_deref().map(open).transpose()?;
        let begun = known.unwrap_or_else(|| Begun { run, output: end(&output), error: error.as_ref().map_or(0, end) });
        if known.is_none() {
            write(dir, &begun).map_err(|e| (dir.to_owned(), e))?;
        }
        Ok(Self { output, error, output_at: begun.output, error_at: begun.error })
    }

    /// Writes more of stdout; or of stderr, where that has a file of its own.
    ///
    /// # Errors
    /// When the disk is full, for one. Nothing of `bytes` counts as written then.
    pub fn write(&mut self, is_error: bool, bytes: &[u8]) -> io::Result<()> {
        let (file, at) = match (&self.error, is_error) {
            (Some(error), true) => (error, &mut self.error_at),
            _ => (&self.output, &mut self.output_at),
        };
        // What is no ordinary file (`/dev/null`, a pipe) has no places.
        let written = file.write_all_at(bytes, *at).or_else(|error| match error.raw_os_error() {
            Some(nix::libc::ESPIPE) => io::Write::write_all(&mut &*file, bytes),
            _ => Err(error),
        });
        written?;
        *at += bytes.len() as u64;
        Ok(())
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join("run")
}

fn read(dir: &Path) -> Option<Begun> {
    serde_json::from_slice(&fs::read(path(dir)).ok()?).ok()
}

fn write(dir: &Path, begun: &Begun) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let draft = dir.join(".run");
    fs::write(&draft, serde_json::to_vec(begun).map_err(io::Error::other)?)?;
    fs::rename(draft, path(dir))
}

/// Adds a line of ours to a job's output, for a job that ended without a word of its own.
/// Who waits for an interactive one is told otherwise.
pub fn say(job: &Job, text: &str) {
    if job.request.kind != Kind::Batch {
        return;
    }
    let files = Files::of(job, "");
    let file = OpenOptions::new().create(true).append(true).open(files.error.unwrap_or(files.output));
    if let Ok(mut file) = file {
        let _ = io::Write::write_all(&mut file, format!("skyslurm: error: {text}\n").as_bytes());
    }
}
