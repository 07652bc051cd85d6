//! From options to what is done around each task's program on its node.

use crate::{
    agent::step::Setup,
    slurm::{
        options::{Options, Refusal},
        time::TimeLimit,
    },
};

/// `--time` in minutes; `None`: as long as the job.
pub(super) fn time_limit(options: &Options) -> Option<u32> {
    match options.get("time")?.parse().ok()? {
        TimeLimit::Minutes(minutes) => Some(minutes),
        TimeLimit::Unlimited => None,
    }
}

/// What the options ask for around each task.
///
/// # Errors
/// srun's own refusals.
pub(super) fn resolve(options: &Options) -> Result<Setup, Refusal> {
    let text = |name: &str| options.get(name).map(str::to_owned);
    Ok(Setup { prolog: text("task-prolog"), epilog: text("task-epilog") })
}
