//! srun outside a job: gets an allocation, runs in it, gives it back.

use super::{afar, client, find, request::Plan};
use crate::{
    agent::step::Bytes,
    commands::{allocation::Wanted, terminal::refuse},
    job::{ExitStatus, env::Environment},
    slurm::options::{Command, Options},
};
use std::ffi::OsString;

/// Runs the step of `plan` in an allocation of its own.
pub(super) fn run(mut plan: Plan, options: &Options, program: &OsString, args: &[OsString]) -> u8 {
    let nodes = plan.request.nodes;
    let wanted = Wanted { command: Command::Srun, options, args, program: Some(program), nodes };
    if options.is_set("test-only") {
        return wanted.test_only().unwrap_or_else(|refusal| refuse(&refusal));
    }
    let allocation = match wanted.allocate() {
        Ok(allocation) => allocation,
        Err(refusal) => return refuse(&refusal),
    };
    plan.request.job = allocation.yours.job.id;
    plan.request.own_job = true;
    let mut environment = Environment::parse(&plan.request.environment.0);
    allocation.describe(options, &mut environment);
    plan.request.environment = Bytes(environment.to_block());
    let code = match find::agent(plan.request.job) {
        Ok(stream) => {
            afar::settle(&mut plan.request, options);
            client::run(plan, stream)
        }
        Err(refusal) => refuse(&refusal),
    };
    allocation.relinquish(status(code));
    code
}

/// How srun's exit code stands in accounting: above 128 it is a signal's.
fn status(code: u8) -> ExitStatus {
    match code.checked_sub(128) {
        Some(signal @ 1..=64) => ExitStatus::signaled(signal),
        _ => ExitStatus::exited(code),
    }
}
