//! What an agent is started with.

use crate::job::{Job, NodeShare, all, whole};
use serde::{Deserialize, Serialize};
use std::{
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// One run of a job, the same for the agents on all its nodes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Launch {
    /// The job with its placement, as it starts.
    #[serde(with = "whole")]
    pub job: Job,
    /// The further components of a heterogeneous job. Their nodes stand behind those of `job`: one index goes over all.
    #[serde(default, with = "all")]
    pub others: Vec<Job>,
    /// `SLURM_CLUSTER_NAME`.
    pub cluster: String,
    /// The file the commands find their way by (`SLURM_CONF`).
    pub slurm_conf: PathBuf,
    /// Directory of the drop-in commands, put on the job's PATH.
    pub commands: PathBuf,
    /// The script's file, named `slurm_script`; `None` for an interactive allocation.
    pub script: Option<PathBuf>,
    /// The submitter's environment: a file of `NAME=value` ended by NUL each.
    pub environment: PathBuf,
    /// Each node's host name and address, in the order of the placement.
    pub hosts: Vec<Host>,
    /// Whether a node is given a host name of its own (virtual nodes).
    pub virtual_nodes: bool,
    /// Names and addresses put into `/etc/hosts` of a virtual node.
    pub etc_hosts: Option<PathBuf>,
    /// Seconds from TERM to KILL (`KillWait`).
    pub kill_wait: u32,
    /// Seconds over the limit that are let pass (`OverTimeLimit`).
    pub over_time_limit: u32,
    /// Whether the job may have no more memory than it was given (`ConstrainRAMSpace`).
    #[serde(default)]
    pub enforce_memory: bool,
    /// The job's spool directory: events, sockets.
    pub spool: Layout,
    /// What there is to it on nodes that were made for the job.
    #[serde(default)]
    pub made: Option<Made>,
}

impl Launch {
    /// The job, or all components of a heterogeneous one.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        std::iter::once(&self.job).chain(&self.others)
    }

    /// What there is of each node, by its index.
    pub fn shares(&self) -> impl Iterator<Item = &NodeShare> {
        self.jobs().flat_map(|job| job.placement.iter().flat_map(|placement| &placement.nodes))
    }

    /// Memory that node `index` may use of its node, MiB; `None`: as much as there is. What nobody asked for, neither the
    /// job nor the configuration, is no limit.
    pub fn memory_limit(&self, index: usize) -> Option<u64> {
        let job = self.jobs().nth(self.component_of(index) as usize)?;
        let share = self.shares().nth(index).filter(|_| self.enforce_memory && job.request.memory.is_some())?;
        Some(share.memory)
    }

    /// The name of node `index`.
    pub fn node_name(&self, index: usize) -> &str {
        self.shares().nth(index).map_or("", |share| &share.node)
    }

    /// Which component node `index` is of.
    pub fn component_of(&self, index: usize) -> u32 {
        let mut behind = 0;
        let ends = self.jobs().map(|job| {
            behind += job.placement.as_ref().map_or(0, |placement| placement.nodes.len());
            behind
        });
        ends.take_while(|end| *end <= index).count() as u32
    }
}

/// What the agent of a node that was made for the job has to know besides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// What `module load` is to do where there are no modules: name and shell commands.
    pub modules: Vec<(String, String)>,
    /// What is elsewhere here than on the first node: the path there, the path here.
    pub moved: Vec<(PathBuf, PathBuf)>,
    /// The work directory where the job was submitted, and on the first node, if it is not found there under the same path.
    #[serde(default)]
    pub workdir: Option<(PathBuf, PathBuf)>,
}

impl Made {
    /// The same of one that is text.
    pub fn localized_text(&self, path: &str) -> String {
        String::from_utf8_lossy(&self.localized(path.as_bytes())).into_owned()
    }

    /// A path of the first node's, or a list of paths, as it is here.
    pub fn localized(&self, paths: &[u8]) -> Vec<u8> {
        let local =
            |path: &[u8]| self.moved.iter().find_map(|moved| replaced(path, moved)).unwrap_or_else(|| path.to_vec());
        paths.split(|b| *b == b':').map(local).collect::<Vec<_>>().join(&b':')
    }

    /// A path of the submitter's, as it is on the first node.
    pub fn submitted(&self, path: &[u8]) -> Vec<u8> {
        self.workdir.as_ref().and_then(|moved| replaced(path, moved)).unwrap_or_else(|| path.to_vec())
    }
}

/// `path` with `here` in place of `there`, if it is that or below it.
fn replaced(path: &[u8], (there, here): &(PathBuf, PathBuf)) -> Option<Vec<u8>> {
    let rest = path.strip_prefix(there.as_os_str().as_bytes())?;
    (rest.is_empty() || rest.starts_with(b"/")).then(|| [here.as_os_str().as_bytes(), rest].concat())
}

/// How a node is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Name that resolves on every node of the job.
    pub name: String,
    /// IP address.
    pub address: String,
}

/// The files of a running job, below its spool directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// `STATE/spool/job00034`
    pub dir: PathBuf,
}

impl Layout {
    /// The layout of job `id` below `spool`.
    pub fn new(spool: &Path, id: u32) -> Self {
        Self { dir: spool.join(format!("job{id:05}")) }
    }

    /// The [`Launch`], as JSON.
    pub fn launch(&self) -> PathBuf {
        self.dir.join("launch")
    }

    /// What the first node's agent has to say: one JSON [`super::Event`] a line, appended.
    pub fn events(&self) -> PathBuf {
        self.dir.join("events")
    }

    /// The socket of the agent on node `index`.
    pub fn socket(&self, index: usize) -> PathBuf {
        self.dir.join(format!("node{index}.sock"))
    }

    /// What the way to an agent that is elsewhere needs. It is there if, and only if, [`Layout::socket`] leads elsewhere.
    pub fn way_in(&self) -> PathBuf {
        self.dir.join("ssh")
    }

    /// Where the engine wants to be told, by an empty datagram naming the job, that there are new events.
    pub fn poke(spool: &Path) -> PathBuf {
        spool.join("poke.sock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_first_node_s_are_found_here() {
        let made = Made { moved: vec![("/tmp/a".into(), "/tmp/b".into())], ..Made::default() };
        assert_eq!(made.localized(b"/tmp/a/bin:/usr/bin:/tmp/abc:/tmp/a"), b"/tmp/b/bin:/usr/bin:/tmp/abc:/tmp/b");
        assert_eq!(made.localized(b""), b"");
        let made = Made { workdir: Some(("/home/a/p".into(), "/root/wd".into())), ..Made::default() };
        let found = ["/home/a/p/sub", "/home/a/p", "/home/a/pq"].map(|path| made.submitted(path.as_bytes()));
        assert_eq!(found, ["/root/wd/sub", "/root/wd", "/home/a/pq"].map(|path| path.as_bytes().to_vec()));
    }
}
