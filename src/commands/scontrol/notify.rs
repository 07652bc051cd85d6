//! `scontrol notify`: a message for whoever looks at a job's output, or waits at its terminal.

use super::Words;
use crate::{
    commands::ask::{self, AskError, Said},
    controller::{
        api::{Call, Change},
        client::Client,
    },
    slurm::{array::JobIdSpec, errno::Errno},
};

/// Sends a message to a job: all words behind its id.
pub fn run(words: &Words) -> Result<Said, AskError> {
    let [id, message @ ..] = words.args else { return Ok(words.too_few()) };
    if message.is_empty() {
        return Ok(words.too_few());
    }
    let failure = |errno: Errno| Said::error(format!("job notify failure: {errno}"));
    if !id.starts_with(|c: char| ('1'..='9').contains(&c)) {
        // Slurm sends none, and no error of that is known to it.
        return Ok(Said::error(format!("Invalid job_id {id}job notify failure: No error")));
    }
    let Ok(spec @ JobIdSpec { step: None, .. }) = id.parse::<JobIdSpec>() else {
        return Ok(failure(Errno::InvalidJobId));
    };
    let call = Call::Change(vec![spec], Change::Notify(message.join(" ")));
    let result = ask::done(&mut Client::connect()?, &call)?.into_iter().next();
    Ok(result.unwrap_or(Ok(())).map_or_else(failure, |()| Said::default()))
}
