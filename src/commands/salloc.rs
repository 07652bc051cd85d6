//! salloc(1): not there yet. It says so, and answers `--help` and `--version` as ever.

use super::{asked_for, terminal};
use crate::slurm::options::{Command, Refusal, parse};
use std::ffi::OsString;

/// Runs salloc; `args` without the program's name.
pub fn run(args: Vec<OsString>) -> u8 {
    let asked = parse(Command::Salloc, &args, &|name| std::env::var(name).ok());
    match asked.map(|parsed| asked_for(&parsed, Command::Salloc)) {
        Ok(Some(text)) => terminal::print(&text),
        Ok(None) => terminal::refuse(&Refusal::error(
            Command::Salloc,
            1,
            "salloc is not supported yet; submit a batch script with sbatch",
        )),
        Err(refusal) => terminal::refuse(&refusal),
    }
}
