//! srun outside a job: gets an allocation, runs in it, gives it back.

use super::{afar, client, find, request::Plan};
use crate::{
    agent::step::Bytes,
    commands::{
        allocation::{Wanted, Wish},
        terminal::refuse,
    },
    job::{ExitStatus, env::Environment},
    slurm::options::{Command, Parsed},
};
use std::ffi::OsString;

/// Runs the step of `plans`, one for each of `components`, in an allocation of its own.
pub(super) fn run(mut plans: Vec<Plan>, components: &[&Parsed], args: &[OsString]) -> u8 {
    let Some(Parsed { options, .. }) = components.last() else { return 1 };
    let wishes = components.iter().zip(&plans).map(|(component, plan)| Wish {
        options: &component.options,
        program: component.operands.first(),
        nodes: plan.request.nodes,
    });
    let wanted = Wanted { command: Command::Srun, options, args, components: wishes.collect() };
    if options.is_set("test-only") {
        return wanted.test_only().unwrap_or_else(|refusal| refuse(&refusal));
    }
    let allocation = match wanted.allocate() {
        Ok(allocation) => allocation,
        Err(refusal) => return refuse(&refusal),
    };
    let job = allocation.yours.job.id;
    for plan in &mut plans {
        plan.request.job = job;
        plan.request.own_job = true;
        let mut environment = Environment::parse(&plan.request.environment.0);
        allocation.describe(&wanted.components, &mut environment);
        plan.request.environment = Bytes(environment.to_block());
    }
    let code = match find::agent(job) {
        Ok(stream) => {
            for (plan, wish) in plans.iter_mut().zip(&wanted.components) {
                afar::settle(&mut plan.request, wish.options);
            }
            client::run(plans, stream)
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
