//! Where a task's process may run and take its memory from.

use nix::{
    libc,
    sched::{CpuSet, sched_setaffinity},
    unistd::{Pid, getpid},
};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};

/// The CPUs of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::agent) struct Affinity {
    /// None: those it has.
    pub cpus: Vec<u32>,
    /// A line about it; `{pid}` is its process id.
    pub said: Option<String>,
}

/// The memory of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::agent) struct Memory {
    /// NUMA nodes; none: the one it runs at.
    pub nodes: Vec<u32>,
    /// Elsewhere, too, where there is no room.
    pub prefer: bool,
    /// A line about it; `{pid}` is its process id.
    pub said: Option<String>,
}

/// A line on stderr.
pub(super) fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{}", line.replace("{pid}", &getpid().to_string()));
}

impl Affinity {
    /// Binds this process. Where the system refuses, that is said instead.
    pub fn enter(&self) {
        let mut set = CpuSet::new();
        let known = self.cpus.iter().filter(|cpu| set.set(**cpu as usize).is_ok()).count();
        let bound = match known {
            0 => Ok(()),
            _ => sched_setaffinity(Pid::from_raw(0), &set),
        };
        match (&self.said, bound) {
            (Some(line), Ok(())) => tell(line),
            (Some(line), Err(_)) => tell(&line.replace(" set", " FAILED")),
            (None, _) => {}
        }
    }
}

const PREFERRED: libc::c_int = 1;
const BIND: libc::c_int = 2;

impl Memory {
    /// Binds this process' memory.
    pub fn enter(&self) {
        let mut mask = [0u64; 16];
        for node in &self.nodes {
            if let Some(word) = mask.get_mut(*node as usize / 64) {
                *word |= 1 << (node % 64);
            }
        }
        let mode = if self.prefer || self.nodes.is_empty() { PREFERRED } else { BIND };
        // SAFETY: set_mempolicy(2) reads as many bits of the mask as it is told, which are there.
        let done = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask.as_ptr(), 64 * mask.len()) };
        match (&self.said, done) {
            (Some(line), 0) => tell(line),
            (Some(line), _) => tell(&line.replace(" set", " FAILED")),
            (None, _) => {}
        }
    }
}
