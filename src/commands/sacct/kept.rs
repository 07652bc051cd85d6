//! `sacct --batch-script` and `--env-vars`: what was submitted with a job.

use super::super::{
    ask::{AskError, Said},
    terminal::stream,
};
use crate::{
    controller::{
        api::{Call, Reply},
        client::Client,
    },
    job::Job,
    slurm::options::{Command::Sacct, Refusal},
};
use std::io::Write;

/// Which of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The script.
    Script,
    /// The environment.
    Environment,
}

impl Kept {
    /// What is said when no job is named.
    pub fn of_which(self) -> Refusal {
        let what = match self {
            Kept::Script => "scripts",
            Kept::Environment => "environment",
        };
        let words = format!("When requesting job {what} you must also request specific jobs with the '-j' option.");
        Refusal::fatal(Sacct, words)
    }

    /// Prints it of these jobs; the exit code.
    pub fn print(self, client: &mut Client, jobs: &[&Job]) -> Result<u8, AskError> {
        let mut exit = 0;
        for job in jobs {
            let call = match self {
                Kept::Script => Call::Script(job.id),
                Kept::Environment => Call::Environment(job.id),
            };
            let text = match client.ask(&call)? {
                Reply::Script(text) => text,
                Reply::Refused { errno, .. } => {
                    exit = Said::error(format!("sacct: error: {errno}")).print();
                    continue;
                }
                _ => return Err(AskError::Other),
            };
            let title = match self {
                Kept::Script => format!("Batch Script for {}", job.id),
                Kept::Environment => format!("Environment used for {} (must be batch to display)", job.id),
            };
            let written = stream(|to| {
                writeln!(to, "{title}\n{}", "-".repeat(80))?;
                match self {
                    Kept::Script => to.write_all(&text)?,
                    // A variable ends in a NUL there, and in a line here.
                    Kept::Environment => {
                        for variable in text.split(|byte| *byte == 0).filter(|variable| !variable.is_empty()) {
                            to.write_all(variable)?;
                            to.write_all(b"\n")?;
                        }
                    }
                }
                writeln!(to)
            });
            exit = exit.max(written);
        }
        Ok(exit)
    }
}
