//! A step that somebody on another machine asks for: what of its request means something here.

use crate::{
    agent::{
        Launch, batch,
        step::{Bytes, StepRequest},
    },
    job::env::Environment,
};
use std::fs;

/// Puts srun's environment on top of the node's own, and finds its directory here.
pub(super) fn settle(launch: &Launch, request: &mut StepRequest) {
    let mut environment = Environment::parse(&fs::read(&launch.environment).unwrap_or_default());
    environment.merge(&Environment::parse(&request.environment.0));
    if let Some(made) = &launch.made {
        request.directory = Bytes(made.submitted(&request.directory.0));
        if let Some(dir) = environment.get("SLURM_SUBMIT_DIR") {
            let dir = made.submitted(dir);
            environment.set("SLURM_SUBMIT_DIR", dir);
        }
    }
    environment.set("PWD", request.directory.0.as_slice());
    batch::provide(&mut environment, launch);
    request.environment = Bytes(environment.to_block());
}
