//! `skyslurm ssh-proxy DOOR PATH WORKER`: what ssh runs to get to a node of an allocation on SkyPilot. Not for people.

use super::terminal::eprint;
use crate::engine::skypilot::way_in::door;
use std::{ffi::OsString, path::Path};

/// Runs it; `args` without its own name.
pub fn run(args: &[OsString]) -> u8 {
    let [file, path, worker] = args else {
        eprint("usage: skyslurm ssh-proxy DOOR PATH WORKER");
        return 1;
    };
    let (Some(path), Some(worker)) = (path.to_str(), worker.to_str().and_then(|w| w.parse().ok())) else {
        eprint("skyslurm ssh-proxy: error: PATH or WORKER is none");
        return 1;
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprint(&format!("skyslurm ssh-proxy: error: {error}"));
            return 1;
        }
    };
    let passed = runtime.block_on(door::pass(Path::new(file), path, worker));
    // A read of stdin may be on its way in a thread of its own: nobody waits for it.
    runtime.shutdown_background();
    match passed {
        Ok(()) => 0,
        Err(error) => {
            eprint(&format!("skyslurm ssh-proxy: error: {error}"));
            1
        }
    }
}
