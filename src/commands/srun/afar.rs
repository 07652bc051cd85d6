//! What of a step's request stays on this machine, where the job's nodes are others.

use crate::{
    agent::{
        Layout,
        step::{Bytes, StepRequest},
    },
    config::Config,
    engine::skypilot::travelling,
    host::directory,
    job::{ExportEnv, JobId, env::Environment},
    slurm::options::Options,
};

/// Whether the agent of job `id`, which is connected to here, is on another machine.
pub(in crate::commands) fn is(id: JobId) -> bool {
    Layout::new(&directory::state().join("spool"), id).way_in().exists()
}

/// Lets go along what is not this machine's own, as with a batch job.
pub(super) fn settle(request: &mut StepRequest, options: &Options) {
    if !is(request.job) {
        return;
    }
    // One that cannot be read has been complained of by the controller.
    let config = Config::read(&directory::config_file()).unwrap_or_default();
    let export = options.get("export").map_or(ExportEnv::Unset, |text| ExportEnv::Given(text.to_owned()));
    let whole = Environment::parse(&request.environment.0);
    let mut environment = Environment::parse(&travelling(&request.environment.0, &export, &config.skypilot.keep_home));
    if request.terminal.is_some() {
        // The terminal is here, and the programs there have to know it.
        for name in ["TERM", "COLORTERM"] {
            if let Some(value) = whole.get(name) {
                environment.set(name, value);
            }
        }
    }
    request.environment = Bytes(environment.to_block());
    request.from_afar = true;
}
