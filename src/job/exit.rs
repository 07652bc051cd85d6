//! How a process, a step or a job ended.

use serde::{Deserialize, Serialize};

/// A wait status, as wait(2) gives it and Slurm stores it (`squeue -O exit_code`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitStatus(pub u32);

impl ExitStatus {
    /// How a job ends whose files cannot be opened (`files.txt`: `0:53`).
    pub const NO_FILES: Self = Self(53);

    /// Of it a process was killed for want of memory: 0:125 (`SIG_OOM`, 253, which is no status that wait(2) gives).
    pub const OUT_OF_MEMORY: Self = Self(253);

    /// Ended by itself with `code` (0 to 255).
    pub const fn exited(code: u8) -> Self {
        Self((code as u32) << 8)
    }

    /// Ended by `signal` (1 to 64).
    pub fn signaled(signal: u8) -> Self {
        Self(u32::from(signal & 0x7f))
    }

    /// The exit code; 0 for a process that a signal ended.
    pub fn code(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// The signal that ended it; 0 for a process that ended by itself.
    pub fn signal(self) -> u8 {
        (self.0 & 0x7f) as u8
    }

    /// The worse of a job's steps so far and one more (`DerivedExitCode`), as slurmctld's `_internal_step_complete` has it:
    /// a step for want of memory takes the place of what was.
    pub fn derive(self, step: Self) -> Self {
        let takes_over =
            step == Self::OUT_OF_MEMORY || step.code() > self.code() || (self.is_success() && !step.is_success());
        if takes_over { step } else { self }
    }

    /// Whether it ended by itself with code 0.
    pub fn is_success(self) -> bool {
        self.code() == 0 && self.signal() == 0
    }

    /// `code:signal`, as sacct's ExitCode and scontrol's ExitCode print it.
    pub fn pair(self) -> String {
        format!("{}:{}", self.code(), self.signal())
    }

    /// What a shell makes of it, and srun returns: the code, or 128 and the signal; 1 for want of memory (`srun.c`).
    pub fn shell_code(self) -> u8 {
        match self.signal() {
            _ if self == Self::OUT_OF_MEMORY => 1,
            0 => self.code(),
            signal => 128 + signal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_those_of_the_captures() {
        assert_eq!(ExitStatus::exited(9).0, 2304); // extra.txt: squeue -O exit_code
        assert_eq!(ExitStatus::exited(9).pair(), "9:0");
        assert_eq!(ExitStatus::signaled(9).pair(), "0:9");
        assert_eq!(ExitStatus::signaled(15).shell_code(), 143); // srun.txt
        assert!(ExitStatus::default().is_success());
        let oom = ExitStatus::OUT_OF_MEMORY;
        assert_eq!((oom.pair().as_str(), oom.shell_code(), oom.is_success()), ("0:125", 1, false)); // slurm.h: SIG_OOM
    }
}
