//! Finding and signalling the processes of a job.
//!
//! The agent is the subreaper of all it starts, so every process of the job is below it, whatever sessions and
//! groups it made for itself, and when nothing is below it nothing is left.

use super::Launch;
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, getpid},
};
use std::{collections::BTreeMap, fs, os::unix::ffi::OsStrExt};

/// So often it is looked for orphans: one may have just had a child.
const ROUNDS: u32 = 10;

/// One process.
#[derive(Clone, Copy, Debug)]
struct Entry {
    parent: i32,
    session: i32,
}

/// The processes below the agent at one moment.
pub(super) struct Tree(BTreeMap<i32, Entry>);

impl Tree {
    /// Looks now.
    pub fn look() -> Self {
        let names = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = names.filter_map(|e| e.file_name().to_str().and_then(|n| n.parse::<i32>().ok()));
        Self(
            pids.filter_map(|pid| Some((pid, entry(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?)))
                .collect(),
        )
    }

    /// `roots` and all that descends from them.
    fn below(&self, roots: &[i32]) -> Vec<i32> {
        let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
        for (pid, entry) in &self.0 {
            children.entry(entry.parent).or_default().push(*pid);
        }
        let mut found = Vec::new();
        let mut next: Vec<i32> = roots.iter().rev().copied().collect();
        while let Some(pid) = next.pop() {
            if found.contains(&pid) {
                continue;
            }
            found.push(pid);
            next.extend(children.get(&pid).into_iter().flatten());
        }
        found
    }

    /// The processes that belong to `root`: those below it, and those of its session whose parents are gone.
    pub fn of(&self, root: i32) -> Vec<i32> {
        let me = getpid().as_raw();
        let mut roots = vec![root];
        roots.extend(self.0.iter().filter(|(_, e)| e.parent == me && e.session == root).map(|(pid, _)| *pid));
        self.below(&roots)
    }

    /// The agent's children that are none of `known`, nor of their sessions.
    pub fn strays(&self, known: &[i32]) -> Vec<i32> {
        let me = getpid().as_raw();
        let stray = |(pid, e): &(&i32, &Entry)| e.parent == me && !known.contains(pid) && !known.contains(&e.session);
        let roots: Vec<i32> = self.0.iter().filter(stray).map(|(pid, _)| *pid).collect();
        self.below(&roots)
    }

    /// Everything below the agent.
    pub fn all(&self) -> Vec<i32> {
        let me = getpid().as_raw();
        let mut found = self.below(&[me]);
        found.retain(|pid| *pid != me);
        found
    }
}

/// Parent and session from a line of `/proc/PID/stat`; the name in brackets may hold anything.
fn entry(stat: &str) -> Option<Entry> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(1);
    let parent = fields.next()?.parse().ok()?;
    let _group = fields.next()?;
    Some(Entry { parent, session: fields.next()?.parse().ok()? })
}

/// The agent's own children. `None` where the kernel does not tell.
pub(super) fn children() -> Option<Vec<i32>> {
    let text = fs::read_to_string("/proc/thread-self/children").ok()?;
    Some(text.split_whitespace().filter_map(|n| n.parse().ok()).collect())
}

/// Everything below the agent, by its processes' own lists of children: what that costs depends on the job alone.
pub(super) fn descendants() -> Vec<i32> {
    let children = |pid: i32| -> Option<Vec<i32>> {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
        let lists = threads.flatten().map(|thread| fs::read_to_string(thread.path().join("children")));
        Some(
            lists
                .flatten()
                .flat_map(|l| l.split_whitespace().filter_map(|n| n.parse().ok()).collect::<Vec<_>>())
                .collect(),
        )
    };
    if self::children().is_none() {
        return Tree::look().all(); // the kernel does not tell
    }
    let mut next = vec![getpid().as_raw()];
    let mut found = Vec::new();
    while let Some(pid) = next.pop() {
        let below = children(pid).unwrap_or_default();
        found.extend(&below);
        next.extend(below);
    }
    found
}

/// Whether process `pid` began in step `step` of job `job`, by the environment it was started with.
pub(super) fn began_in(pid: i32, job: u32, step: u32) -> bool {
    let block = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let environment = crate::job::env::Environment::parse(&block);
    environment.text("SLURM_JOB_ID") == Some(&job.to_string())
        && environment.text("SLURM_STEP_ID") == Some(&step.to_string())
}

/// Kills what an agent has left behind that was killed itself: on this machine, the processes that began in the job of
/// `launch`, by the environment they were started with, and all below them; of the node `node` or of all nodes.
pub fn kill_orphans(launch: &Launch, node: Option<&str>) {
    let job = launch.job.id.to_string();
    let is_ours = |pid: &i32| {
        let block = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let environment = crate::job::env::Environment::parse(&block);
        // What runs in an allocation without being started by an agent has no node's name: salloc's shell.
        environment.text("SLURM_JOB_ID") == Some(&job)
            && environment.get("SLURM_CONF") == Some(launch.slurm_conf.as_os_str().as_bytes())
            && environment.text("SLURMD_NODENAME").is_some_and(|name| node.is_none_or(|node| node == name))
    };
    for _ in 0..ROUNDS {
        let tree = Tree::look();
        let found: Vec<i32> = tree.0.keys().copied().filter(is_ours).collect();
        if found.is_empty() {
            return;
        }
        signal(&tree.below(&found), nix::libc::SIGKILL);
    }
}

/// Sends `signal` (1 to 64) to each process. Those that are gone are none the worse for it.
pub(super) fn signal(pids: &[i32], signal: i32) {
    for pid in pids {
        send(*pid, signal);
    }
}

/// Sends `signal` to one process.
pub(super) fn send(pid: i32, signal: i32) {
    if pid <= 1 {
        return;
    }
    match Signal::try_from(signal) {
        Ok(signal) => {
            let _ = kill(Pid::from_raw(pid), signal);
        }
        Err(_) => {
            // SAFETY: kill(2) of a process with a number that is no standard signal (a real-time one).
            unsafe { nix::libc::kill(pid, signal) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_lines_are_read_past_any_name() {
        let e = entry("17 (a) b) S 5) S 3 17 9 0 -1").unwrap();
        assert_eq!((e.parent, e.session), (3, 9));
        assert!(entry("17 (x").is_none());
    }

    #[test]
    fn a_grandchild_is_below() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sleep 60 & echo; wait"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = [0; 1];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
        let tree = Tree::look().of(child.id() as i32);
        assert_eq!(tree.len(), 2);
        signal(&tree, 9);
        child.wait().unwrap();
    }
}
