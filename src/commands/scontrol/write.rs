//! `scontrol write batch_script`.

use super::{Words, keyword};
use crate::{
    commands::{
        ask::{AskError, Said},
        terminal::print_bytes,
    },
    controller::{
        api::{Call, Reply},
        client::Client,
    },
    slurm::{array::JobIdSpec, errno::Errno},
};

/// Writes a job's script to a file, `slurm-ID.sh` unless one is named, or to stdout for `-`.
pub fn run(words: &Words) -> Result<Said, AskError> {
    let [what, rest @ ..] = words.args else { return Ok(words.too_few()) };
    if !keyword::is(what, "batch_script", 1) {
        return Ok(Said::error(format!("invalid write argument:{what}")));
    }
    let (id, file) = match rest {
        [] => return Ok(words.too_few()),
        [id] => (id, None),
        [id, file] => (id, Some(file.as_str())),
        _ => return Ok(words.too_many()),
    };
    let failed = |errno: Errno| Said::error(format!("job script retrieval failed: {errno}"));
    let Ok(JobIdSpec { job: id, tasks: None, step: None, .. }) = id.parse() else {
        return Ok(failed(Errno::InvalidJobId));
    };
    // The components of a heterogeneous job have one script.
    let script = match Client::connect()?.ask(&Call::Script(id))? {
        Reply::Script(script) => script,
        Reply::Refused { errno, .. } => return Ok(failed(errno)),
        _ => return Err(AskError::Other),
    };
    if file == Some("-") {
        return Ok(Said { exit: print_bytes(&script), ..Said::default() });
    }
    let path = file.map_or_else(|| format!("slurm-{id}.sh"), str::to_owned);
    Ok(match std::fs::write(&path, script) {
        Ok(()) => Said::out(format!("batch script for job {id} written to {path}\n")),
        Err(error) => Said::error(format!("scontrol: error: failed to create file `{path}`: {error}")),
    })
}
