//! Commands about what is not configured here. They say so as Slurm does where it is not.

use super::{
    ask,
    terminal::{eprint, print, refuse},
};
use crate::slurm::options::{self, Command, Refusal};
use std::ffi::OsString;

/// What sprio says where priorities have no factors.
const SPRIO: [&str; 3] = [
    "You are not running a supported priority plugin",
    "(priority/basic).",
    "Only 'priority/multifactor' is supported.",
];

/// Runs sprio or scrontab; the exit code.
pub fn run(command: Command, args: Vec<OsString>) -> u8 {
    let parsed = match options::parse(command, &args, &ask::env) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal),
    };
    if let Some(text) = super::asked_for(&parsed, command) {
        return print(&text);
    }
    if command == Command::Sprio {
        SPRIO.iter().for_each(|line| eprint(line));
        return 1;
    }
    refuse(&Refusal::fatal(command, "scrontab is disabled on this cluster"))
}
