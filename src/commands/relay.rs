//! `skyslurm relay PLAN`: what keeps a way to the agent of a managed job open. Not for people.

use super::terminal::eprint;
use crate::agent::relay;
use std::{ffi::OsString, path::Path};

/// Runs it; `args` without its own name.
pub fn run(args: &[OsString]) -> u8 {
    let [plan] = args else {
        eprint("usage: skyslurm relay PLAN");
        return 1;
    };
    match relay::run(Path::new(plan)) {
        Ok(()) => 0,
        Err(error) => {
            eprint(&format!("skyslurm relay: error: {error}"));
            1
        }
    }
}
