//! What SkyPilot tells a node of itself: its environment there.

use super::{COMPONENT, names};
use crate::{agent::Meeting, host::directory, job::env::Environment};
use sha2::{Digest, Sha256};
use std::{env, io, net::IpAddr, os::unix::ffi::OsStrExt, path::PathBuf};

/// How many ports may be the one.
const PORTS: usize = 8;

/// A node as SkyPilot describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Surroundings {
    /// Its place among the job's nodes (`SKYPILOT_NODE_RANK`).
    pub index: usize,
    /// The nodes' addresses, the first node's first (`SKYPILOT_NODE_IPS`).
    pub addresses: Vec<String>,
    /// The same as it was written, for all nodes alike.
    pub listed: String,
    /// GPUs of each node (`SKYPILOT_NUM_GPUS_PER_NODE`).
    pub gpus: u32,
    /// Which of the jobs that were submitted together (`SKYPILOT_JOB_RANK`).
    pub rank: u32,
    /// Which component of a heterogeneous job.
    pub component: usize,
    /// SkyPilot's number of the job (`SKYPILOT_MANAGED_JOB_ID`, else `SKYPILOT_INTERNAL_JOB_ID`, the cluster's); 0: none.
    pub job: u32,
    /// The run's name, the same on all its nodes (`SKYPILOT_TASK_ID`).
    pub task: String,
    /// Where SkyPilot puts the work directory: `~/sky_workdir`.
    pub workdir: PathBuf,
    /// This program.
    pub program: PathBuf,
}

impl Surroundings {
    /// Those of this process.
    pub fn find() -> io::Result<Self> {
        let variable = |name: &str| env::var(name).ok();
        let workdir = directory::home().join("sky_workdir");
        let mut found = Self { workdir, program: env::current_exe()?, ..Self::of(&variable) };
        // They are addresses where SkyPilot has been seen; a name would be looked up by every node for itself.
        for address in found.addresses.iter_mut().filter(|a| a.parse::<IpAddr>().is_err()) {
            if let Some(known) = names::look_up(address).into_iter().next() {
                *address = known;
            }
        }
        Ok(found)
    }

    /// What the controller seals with, beside the program.
    pub fn secret(&self) -> Option<[u8; 32]> {
        super::payload::key(self.program.parent()?).ok()
    }

    fn of(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let number = |name: &str| variable(name).and_then(|v| v.trim().parse::<f64>().ok()).map_or(0, |n| n as u32);
        let listed = variable("SKYPILOT_NODE_IPS").unwrap_or_default();
        let mut addresses: Vec<String> = listed.split_whitespace().map(str::to_owned).collect();
        if addresses.is_empty() {
            addresses.push("127.0.0.1".into());
        }
        Self {
            index: number("SKYPILOT_NODE_RANK") as usize,
            addresses,
            listed,
            gpus: number("SKYPILOT_NUM_GPUS_PER_NODE"),
            rank: number("SKYPILOT_JOB_RANK"),
            component: number(COMPONENT) as usize,
            job: match number("SKYPILOT_MANAGED_JOB_ID") {
                0 => number("SKYPILOT_INTERNAL_JOB_ID"),
                id => id,
            },
            task: variable("SKYPILOT_TASK_ID").unwrap_or_default(),
            ..Self::default()
        }
    }

    /// What the agents of this run, and no other of the same submission, know each other by.
    pub fn key(&self, secret: &[u8; 32]) -> [u8; 32] {
        key(self.rank, &self.task, &self.listed, secret)
    }

    /// What the other components have to know of the first node.
    pub fn meeting(&self) -> Meeting {
        let address = self.addresses.first().cloned().unwrap_or_default();
        Meeting { address, listed: self.listed.clone(), task: self.task.clone() }
    }
}

/// The key of the run whose first node is at `meeting`.
pub(super) fn key_at(meeting: &Meeting, secret: &[u8; 32]) -> [u8; 32] {
    key(0, &meeting.task, &meeting.listed, secret) // what has components is no array
}

fn key(rank: u32, task: &str, listed: &str, secret: &[u8; 32]) -> [u8; 32] {
    let text = format!("\0{rank}\0{task}\0{listed}");
    Sha256::new().chain_update(b"skyslurm agents").chain_update(secret).chain_update(text).finalize().into()
}

/// The ports the first node tries to listen on, and the others to find it at, in this order.
pub(super) fn ports(key: &[u8; 32]) -> Vec<u16> {
    let digest = Sha256::new().chain_update(b"skyslurm ports").chain_update(key).finalize();
    digest.chunks_exact(2).take(PORTS).map(|pair| 20_000 + u16::from_be_bytes([pair[0], pair[1]]) % 12_000).collect()
}

/// What of a node's environment speaks of another job or another step, and not of the node.
const FOREIGN: [&str; 10] =
    ["SLURM_", "SLURMD_", "SBATCH_", "SALLOC_", "SRUN_", "SPANK_", "PMI_", "PMI2_", "PMIX_", "SKYSLURM_"];

/// The node's own environment, without what another job has left in it.
pub(super) fn environment() -> Environment {
    let mut block = Vec::new();
    for (name, value) in env::vars_os() {
        if !FOREIGN.iter().any(|prefix| name.as_bytes().starts_with(prefix.as_bytes())) {
            block.extend([name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat());
        }
    }
    Environment::parse(&block)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(pairs: &[(&str, &str)]) -> Surroundings {
        Surroundings::of(&|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn skypilot_s_variables_are_read() {
        let seen = seen(&[
            ("SKYPILOT_NODE_RANK", "1"),
            ("SKYPILOT_NODE_IPS", "10.0.0.1\n10.0.0.2"),
            ("SKYPILOT_NUM_GPUS_PER_NODE", "8"),
            ("SKYPILOT_JOB_RANK", "3"),
        ]);
        assert_eq!((seen.index, seen.gpus, seen.rank), (1, 8, 3));
        assert_eq!(seen.addresses, ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(self::seen(&[]).addresses, ["127.0.0.1"]);
        assert_eq!(key_at(&self::seen(&[]).meeting(), &[1; 32]), self::seen(&[]).key(&[1; 32]));
    }

    #[test]
    fn each_run_has_a_key_of_its_own_and_ports_that_follow() {
        let (a, b) = (seen(&[]), seen(&[("SKYPILOT_JOB_RANK", "1")]));
        assert_ne!(a.key(&[1; 32]), b.key(&[1; 32]));
        assert_ne!(a.key(&[1; 32]), a.key(&[2; 32]));
        let found = ports(&a.key(&[1; 32]));
        assert_eq!(found, ports(&a.key(&[1; 32])));
        assert!(found.len() == PORTS && found.iter().all(|p| (20_000..32_000).contains(p)));
    }
}
