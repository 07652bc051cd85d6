//! Memory limits where no cgroup enforces them: the agent looks itself at what the job's processes have.
//!
//! It does what the kernel does in a cgroup with Slurm's `ConstrainRAMSpace`: when the job, or a step with memory of its
//! own, has more than it was given, its largest process is killed, and the step that was in is OUT_OF_MEMORY.
//!
//! What counts is what cannot be taken back: anonymous memory and shared memory. Page cache and mapped files do not. What
//! several processes share (workers that were forked, `/dev/shm`) counts once: the sum of each one's `RssAnon` and
//! `RssShmem`, which is cheap, counts it several times, and says only whether the proportional sets of `smaps_rollup`
//! (`Pss_Anon`, `Pss_Shmem`), which cost a walk over all pages, have to be read.
//!
//! It looks again when the rest could be used up at [`SPEED`], so that a job far from its limit is left alone; what grows
//! faster is over its limit for a moment.

use super::{agent::Agent, processes};
use std::{
    fs,
    time::{Duration, Instant},
};

/// Bytes a second that a job is taken to need at most.
const SPEED: u64 = 1 << 30;

/// The pauses between two looks.
const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(10);

/// The watch of one node's agent.
#[derive(Debug)]
pub(super) struct Watch {
    /// What the job may have here, bytes.
    limit: u64,
    next: Instant,
}

impl Watch {
    /// Over a job that may have so many MiB here; `None`: as much as there is.
    pub fn new(mib: Option<u64>) -> Option<Self> {
        let limit = mib.filter(|mib| *mib > 0)?.saturating_mul(1 << 20);
        Some(Self { limit, next: Instant::now() + pause(limit) })
    }

    /// Something began that may have so many bytes.
    pub fn began(&mut self, limit: u64) {
        self.next = self.next.min(Instant::now() + pause(limit));
    }

    /// How long until it is time to look.
    pub fn wait(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }
}

/// How long what has so much left may be left alone.
fn pause(left: u64) -> Duration {
    Duration::from_millis((left.saturating_mul(1000) / SPEED).min(60_000)).clamp(SHORTEST, LONGEST)
}

/// What a process has, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Has {
    pid: i32,
    bytes: u64,
}

/// The sum of lines `NAME: N kB`.
fn sum_of(text: &str, names: [&str; 2]) -> u64 {
    let value = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let kib = names.contains(&name).then(|| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())?;
        kib.map(|kib| kib.saturating_mul(1024))
    };
    text.lines().filter_map(value).fold(0, u64::saturating_add)
}

/// What processes have, by a file of theirs. Of one that may not be looked at, or is gone, nothing is known.
fn measure(pids: &[i32], file: &str, names: [&str; 2]) -> Vec<Has> {
    let read = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    pids.iter().map(|pid| Has { pid: *pid, bytes: sum_of(&read(pid), names) }).collect()
}

/// If these processes have more than `limit`, the one that has most; and how much is left of it.
fn too_much(pids: &[i32], limit: u64) -> (Option<i32>, u64) {
    let total = |all: &[Has]| all.iter().fold(0_u64, |sum, has| sum.saturating_add(has.bytes));
    let most = total(&measure(pids, "status", ["RssAnon", "RssShmem"]));
    if most <= limit {
        return (None, limit - most);
    }
    let exact = measure(pids, "smaps_rollup", ["Pss_Anon", "Pss_Shmem"]);
    match total(&exact) {
        all if all <= limit => (None, limit - all),
        _ => (exact.iter().max_by_key(|has| has.bytes).map(|has| has.pid), 0),
    }
}

impl Agent {
    /// Kills what has too much memory, if it is time to look.
    pub(super) fn watch_memory(&mut self) {
        let Some(watch) = self.memory.as_ref().filter(|watch| watch.wait().is_zero()) else { return };
        let limit = watch.limit;
        let all = processes::descendants();
        let mut victims = Vec::new();
        let (victim, mut left) = too_much(&all, limit);
        victims.extend(victim);
        let tree = self.has_limited_parts().then(processes::Tree::look);
        for (pids, limit) in tree.iter().flat_map(|tree| self.limited_parts(tree)) {
            let (victim, rest) = too_much(&pids, limit);
            left = left.min(rest);
            victims.extend(victim.filter(|pid| !victims.contains(pid)));
        }
        for pid in victims {
            self.blame(pid);
            processes::send(pid, nix::libc::SIGKILL);
        }
        if let Some(watch) = &mut self.memory {
            watch.next = Instant::now() + pause(left);
        }
    }

    /// Notes in which step a process has too much.
    fn blame(&mut self, pid: i32) {
        let tree = processes::Tree::look();
        if !self.blame_part(&tree, pid) {
            self.oom_kills += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_far_from_its_limit_is_left_alone() {
        assert_eq!([0, 1 << 30, 5 << 30, u64::MAX].map(|left| pause(left).as_millis()), [500, 1000, 5000, 10_000]);
        assert!(Watch::new(None).is_none() && Watch::new(Some(0)).is_none());
    }

    #[test]
    fn lines_of_memory_are_summed_up() {
        let text = "VmRSS:\t 900 kB\nRssAnon:\t     100 kB\nRssFile:\t 700 kB\nRssShmem:\t   2 kB\nRssAnon: x kB\n";
        assert_eq!(sum_of(text, ["RssAnon", "RssShmem"]), 102 << 10);
        assert_eq!(sum_of("", ["RssAnon", "RssShmem"]), 0);
    }

    /// Two processes that have the same 60 MiB between them have 60 MiB, and one that has them alone is found.
    #[test]
    fn what_is_shared_counts_once() {
        let script = "import os, sys\nb = bytearray(b'x') * (60 << 20)\npids = [os.fork() for _ in range(1)]\n\
                      print(len(b), flush=True)\nsys.stdin.read()";
        let mut child = std::process::Command::new("python3")
            .args(["-c", script])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        let both: Vec<_> = (0..2).filter_map(|_| lines.next()?.ok()).collect();
        assert_eq!(both.len(), 2);
        let first = child.id() as i32;
        let forked = fs::read_to_string(format!("/proc/{first}/task/{first}/children")).unwrap();
        let pids: Vec<i32> = forked.split_whitespace().map(|pid| pid.parse().unwrap()).chain([first]).collect();
        assert_eq!(pids.len(), 2);
        let rss: u64 = measure(&pids, "status", ["RssAnon", "RssShmem"]).iter().map(|has| has.bytes).sum();
        assert!(rss > 120 << 20, "{rss}");
        assert_eq!(too_much(&pids, 90 << 20).0, None);
        assert!(too_much(&pids, 50 << 20).0.is_some_and(|pid| pids.contains(&pid)));
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
