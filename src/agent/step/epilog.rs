//! `--task-epilog`: a program behind each task.

use crate::{
    agent::{
        batch, output,
        spawn::{self, Program},
    },
    job::{ExitStatus, env::Environment},
};
use nix::unistd::{AccessFlags, access};
use std::{
    ffi::CString,
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

/// It is meant to be short: one that takes longer is killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is to be run when the task has ended, or runs.
pub(super) struct Epilog {
    /// `--task-epilog`
    pub path: String,
    /// Where the task was started.
    pub directory: String,
    /// The task's environment.
    pub environment: Environment,
    /// The task's stderr.
    pub error: OwnedFd,
    /// How the task ended and until when the epilog has to, once it runs.
    pub running: Option<(ExitStatus, Instant)>,
}

impl Epilog {
    /// Starts it behind a task that ended so. `None`: it cannot be run, and that was said.
    pub fn start(&mut self, exit: ExitStatus) -> Option<i32> {
        match self.try_start() {
            Ok(pid) => {
                self.running = Some((exit, Instant::now() + PATIENCE));
                Some(pid)
            }
            Err(_) => {
                self.say(&format!("Could not run user task_epilog [{}]: access denied", self.path));
                self.say("TaskEpilog failed status=-1");
                None
            }
        }
    }

    fn try_start(&mut self) -> io::Result<i32> {
        if !self.path.starts_with('/') {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        access(self.path.as_str(), AccessFlags::R_OK | AccessFlags::X_OK)?;
        batch::change_directory(&self.directory, |_| {});
        self.environment.set("SLURM_SCRIPT_CONTEXT", "epilog_task");
        let file = CString::new(self.path.as_str())?;
        // Nobody reads what it says on stdout (srun.txt).
        let null: OwnedFd = File::options().read(true).write(true).open("/dev/null")?.into();
        let program = Program {
            file: &file,
            arguments: std::slice::from_ref(&file),
            environment: &self.environment,
            stdio: [null.as_fd(), null.as_fd(), self.error.as_fd()],
            limits: &[],
            terminal: false,
            kept: None,
        };
        Ok(spawn::spawn(&program)?.as_raw())
    }

    /// It has ended so; gives how the task did.
    pub fn ended(self, status: ExitStatus) -> ExitStatus {
        if !status.is_success() {
            self.say(&format!("TaskEpilog failed status={}", status.0));
        }
        self.running.map_or(ExitStatus::default(), |(exit, _)| exit)
    }

    fn say(&self, text: &str) {
        output::message(&self.error, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn epilog(path: &str) -> (Epilog, File) {
        let (read, write) = nix::unistd::pipe().unwrap();
        let environment = Environment::parse(b"SLURM_PROCID=0\0");
        let epilog = Epilog { path: path.into(), directory: "/".into(), environment, error: write, running: None };
        (epilog, read.into())
    }

    #[test]
    fn one_that_cannot_be_run_is_said() {
        for path in ["none", "/nonexistent/epilog"] {
            let (mut epilog, mut error) = epilog(path);
            assert_eq!(epilog.start(ExitStatus::exited(3)), None);
            drop(epilog);
            let mut said = String::new();
            error.read_to_string(&mut said).unwrap();
            let expected = format!(
                "slurmstepd: error: Could not run user task_epilog [{path}]: access denied\n\
                 slurmstepd: error: TaskEpilog failed status=-1\n"
            );
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn a_failure_is_said_with_the_raw_status_and_changes_nothing() {
        let (mut epilog, mut error) = epilog("/bin/true");
        epilog.running = Some((ExitStatus::exited(4), Instant::now()));
        assert_eq!(epilog.ended(ExitStatus::exited(3)), ExitStatus::exited(4));
        let mut said = String::new();
        error.read_to_string(&mut said).unwrap();
        assert_eq!(said, "slurmstepd: error: TaskEpilog failed status=768\n");
    }
}
