//! An error that ends a command before it did anything.

use super::Command;
use serde::{Deserialize, Serialize};

/// What a command says and how it exits when its arguments are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{}", .lines.join("\n"))]
pub struct Refusal {
    /// Complete lines for stderr, with their `sbatch: error: ` already in front.
    pub lines: Vec<String>,
    /// The exit code.
    pub exit: u8,
}

impl Refusal {
    /// `sbatch: error: MESSAGE`
    pub fn error(command: Command, exit: u8, message: impl AsRef<str>) -> Refusal {
        let line = format!("{}: error: {}", command.name(), message.as_ref());
        Refusal { lines: vec![line], exit }
    }

    /// What the controller would answer, in the words a command has for that: `sbatch: error: Batch job submission failed:
    /// MESSAGE`.
    pub fn by_controller(command: Command, message: impl AsRef<str>) -> Refusal {
        let failed = match command {
            Command::Salloc => "Job submit/allocate failed",
            Command::Srun => "Unable to allocate resources",
            _ => "Batch job submission failed",
        };
        Self::error(command, 1, format!("{failed}: {}", message.as_ref()))
    }

    /// `sbatch: fatal: MESSAGE`, which always exits 1.
    pub fn fatal(command: Command, message: impl AsRef<str>) -> Refusal {
        let line = format!("{}: fatal: {}", command.name(), message.as_ref());
        Refusal { lines: vec![line], exit: 1 }
    }

    /// getopt_long's own message, and the pointer to `--help`.
    pub(super) fn syntax(command: Command, message: impl AsRef<str>) -> Refusal {
        let name = command.name();
        let mut lines = vec![format!("{name}: {}", message.as_ref())];
        if command.points_to_help() {
            lines.push(format!("Try \"{name} --help\" for more information"));
        }
        Refusal { lines, exit: command.syntax_exit() }
    }

    /// The same with one more error line.
    pub fn and_error(mut self, command: Command, message: impl AsRef<str>) -> Refusal {
        self.lines.push(format!("{}: error: {}", command.name(), message.as_ref()));
        self
    }
}
