//! `--prolog` and `--epilog`: programs that srun itself runs before and behind the step.

use super::{eprint, tasks::Tasks};
use crate::{agent::step::error_text, slurm::options::Options};
use nix::{
    sys::signal::SigSet,
    unistd::{AccessFlags, access},
};
use std::{
    env,
    ffi::OsString,
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::Command,
};

/// What is run around a step, by srun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hooks {
    /// `--prolog`
    pub prolog: Option<String>,
    /// `--epilog`
    pub epilog: Option<String>,
    /// The step's command, their arguments.
    pub command: Vec<OsString>,
}

impl Hooks {
    /// Those of these options; `none` is no program.
    pub fn new(options: &Options, command: &[OsString]) -> Self {
        let program = |name| options.get(name).filter(|p| !p.eq_ignore_ascii_case("none")).map(str::to_owned);
        Self { prolog: program("prolog"), epilog: program("epilog"), command: command.to_vec() }
    }

    /// Runs the prolog, if there is one. The error is a line for stderr; the step is not to start then.
    pub fn before(&self, step: &Step) -> Result<(), String> {
        match self.run(self.prolog.as_deref(), "prolog_srun", step) {
            0 => Ok(()),
            code => Err(format!("srun: error: srun prolog failed rc = {code}. Aborting step.")),
        }
    }

    /// Runs the epilog, if there is one.
    pub fn behind(&self, step: &Step) {
        match self.run(self.epilog.as_deref(), "epilog_srun", step) {
            0 => {}
            code => eprint(&format!("srun: error: srun epilog failed status={code}")),
        }
    }

    /// Runs one to its end; its exit code. One that cannot be run is said and is no failure (srun.txt).
    fn run(&self, program: Option<&str>, context: &str, step: &Step) -> i32 {
        let Some(name) = program else { return 0 };
        let denied = |error: &io::Error| {
            eprint(&format!("srun: Access denied for {name}: {}", error_text(error)));
            0
        };
        let Some(path) = find(name) else {
            return denied(&io::Error::from_raw_os_error(nix::libc::ENOENT));
        };
        let mut command = Command::new(path);
        command.args(&self.command).envs(step.variables()).env("SLURM_SCRIPT_CONTEXT", context);
        // SAFETY: only a system call: srun takes its signals from a descriptor, the program does not.
        unsafe { command.pre_exec(|| SigSet::empty().thread_set_mask().map_err(io::Error::from)) };
        match command.status() {
            Err(error) => denied(&error),
            Ok(status) if status.signal().is_some() => {
                eprint("srun: error: script did not exit normally");
                1
            }
            Ok(status) => status.code().unwrap_or(1),
        }
    }
}

/// A program from the directory srun is in, or from the PATH, that may be read and executed.
fn find(name: &str) -> Option<PathBuf> {
    let usable = |path: &PathBuf| path.is_file() && access(path, AccessFlags::R_OK | AccessFlags::X_OK).is_ok();
    let here = std::path::absolute(name).ok().filter(usable);
    let on_path = || {
        let path = env::var_os("PATH").filter(|_| Path::new(name).components().count() == 1)?;
        env::split_paths(&path).map(|dir| dir.join(name)).find(usable)
    };
    here.or_else(on_path)
}

/// What such a program learns of the step.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    number: u32,
    tasks: u32,
    nodes: usize,
    tasks_per_node: String,
    umask: u32,
}

impl Step {
    /// Step `number` with these tasks, started with this umask.
    pub fn new(number: u32, tasks: &Tasks, layout: &[Vec<u32>], umask: u32) -> Self {
        let tasks_per_node = crate::slurm::layout::repetitions(layout.iter().map(|ids| ids.len() as u32));
        Self { number, tasks: tasks.count(), nodes: layout.len(), tasks_per_node, umask }
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("SLURM_NNODES", self.nodes.to_string()),
            ("SLURM_NPROCS", self.tasks.to_string()),
            ("SLURM_NTASKS", self.tasks.to_string()),
            ("SLURM_STEPID", self.number.to_string()),
            ("SLURM_STEP_ID", self.number.to_string()),
            ("SLURM_TASKS_PER_NODE", self.tasks_per_node.clone()),
            ("SLURM_UMASK", format!("{:04o}", self.umask)),
            ("SRUN_DEBUG", "3".into()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hooks(prolog: &str) -> Hooks {
        Hooks { prolog: Some(prolog.into()), ..Hooks::default() }
    }

    #[test]
    fn what_a_prolog_exits_with_decides() {
        let step = Step::default();
        assert_eq!(hooks("true").before(&step), Ok(()));
        assert_eq!(hooks("false").before(&step), Err("srun: error: srun prolog failed rc = 1. Aborting step.".into()));
        assert_eq!(hooks("/nonexistent/prolog").before(&step), Ok(()));
        assert_eq!(Hooks::default().before(&step), Ok(()));
    }

    #[test]
    fn it_learns_of_the_step() {
        let layout = [vec![0, 1], vec![2, 3]];
        let tasks = Tasks::new("9.3".into(), vec!["a".into(), "b".into()], &layout, &[0]);
        let variables = Step::new(3, &tasks, &layout, 0o22).variables();
        assert!(variables.contains(&("SLURM_TASKS_PER_NODE", "2(x2)".into())), "{variables:?}");
        assert!(
            variables.contains(&("SLURM_STEP_ID", "3".into())) && variables.contains(&("SLURM_NTASKS", "4".into()))
        );
    }
}
