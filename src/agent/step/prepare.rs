//! What a task's process does before its program: `skyslurm agent task PREPARATION PROGRAM ARGUMENTS`.
//!
//! It is the task's own process that does it, as in slurmstepd, so that it has the task's number, its files, its environment
//! and its signals. Only a task that something was asked for begins this way.

mod place;
mod prolog;

pub(in crate::agent) use place::{Affinity, Memory};

use crate::agent::{batch, output, spawn::execve_message};
use nix::{errno::Errno, libc, sys::signal::SigSet};
use serde::{Deserialize, Serialize};
use std::{
    ffi::{CString, OsString},
    os::unix::ffi::OsStringExt,
};

/// The word behind `skyslurm agent`.
pub(in crate::agent) const WORD: &str = "task";

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::agent) struct Preparation {
    /// Its CPUs: `--cpu-bind`
    pub affinity: Option<Affinity>,
    /// Its memory: `--mem-bind`
    pub memory: Option<Memory>,
    /// Lines for its stderr.
    pub lines: Vec<String>,
    /// `--task-prolog`
    pub prolog: Option<String>,
}

impl Preparation {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The command that does it and becomes `arguments`, whose first is the program's file.
    pub fn command(&self, arguments: Vec<CString>) -> (CString, Vec<CString>) {
        let json = CString::new(serde_json::to_vec(self).unwrap_or_default()).unwrap_or_default();
        let words = ["skyslurm", "agent", WORD].into_iter().filter_map(|w| CString::new(w).ok());
        // What this process runs, under whatever name it is there.
        (c"/proc/self/exe".to_owned(), words.chain([json]).chain(arguments).collect())
    }
}

/// Prepares and becomes the program. Comes back with an exit code where that is not possible; why is said on stderr.
pub(in crate::agent) fn main(args: &[OsString]) -> u8 {
    let Some((preparation, words)) = args.split_first() else {
        return 1;
    };
    let Ok(preparation) = serde_json::from_slice::<Preparation>(preparation.as_encoded_bytes()) else {
        return 1;
    };
    if let Some(affinity) = &preparation.affinity {
        affinity.enter();
    }
    if let Some(memory) = &preparation.memory {
        memory.enter();
    }
    preparation.lines.iter().for_each(|line| place::tell(line));
    let mut environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    if let Some(path) = &preparation.prolog
        && let Err(code) = prolog::run(path, &mut environment)
    {
        return code;
    }
    let text = |word: &OsString| CString::new(word.clone().into_vec()).ok();
    let arguments: Vec<CString> = words.iter().filter_map(text).collect();
    let environment = environment.into_iter().filter_map(|(name, value)| {
        let entry = [name.into_vec(), b"=".to_vec(), value.into_vec()].concat();
        CString::new(entry).ok()
    });
    let errno = become_program(&arguments, &environment.collect::<Vec<_>>());
    let file = arguments.first().map(|f| f.to_string_lossy().into_owned()).unwrap_or_default();
    say(&execve_message(&file, errno));
    batch::exit_of(errno).code()
}

/// A line of slurmstepd's on stderr.
fn say(text: &str) {
    output::message(std::io::stderr(), text);
}

fn become_program(arguments: &[CString], environment: &[CString]) -> Errno {
    let Some(file) = arguments.first() else {
        return Errno::ENOENT;
    };
    // The library this program was built with ignores SIGPIPE; a task finds it as it is by default.
    // SAFETY: the default action runs no code of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let _ = SigSet::empty().thread_set_mask();
    nix::unistd::execve(file, arguments, environment).err().unwrap_or(Errno::UnknownErrno)
}
