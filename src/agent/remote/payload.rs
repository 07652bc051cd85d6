//! What travels with a job to its nodes: sealed, so that neither a process list nor a log nor a page of
//! SkyPilot's shows a secret of it. The key travels apart, in a file beside the agent program.

use super::seal;
use crate::job::{Job, JobId, Shape, all, whole};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    io,
    path::{Path, PathBuf},
};

/// The variable the sealed payload travels in; or the name of its file below the agent's directory, after `@`.
pub const VARIABLE: &str = "SKYSLURM_JOB";

/// Which component of a heterogeneous job a task is, from 0.
pub const COMPONENT: &str = "SKYSLURM_COMPONENT";

/// The file in a further component's [`inbox`] with the [`crate::agent::Meeting`], as JSON.
pub const MEETING: &str = "meeting";

/// Where the agent of a job looks for what it is told, below the job's work directory.
pub fn inbox(name: &str, rank: u32) -> String {
    format!(".skyslurm/control/{name}-{rank}")
}

/// What the user's own programs are known by at the first node of the job that is called `name` there, the `rank`th of
/// those that share the name. `key` is what its payload was sealed with, which nobody but the user has.
pub fn door_key(key: &[u8; 32], name: &str, rank: u32) -> [u8; 32] {
    let job = format!("\0{rank}\0{name}");
    Sha256::new().chain_update(b"skyslurm door").chain_update(key).chain_update(job).finalize().into()
}

/// What the agents of the job that is called `name` there know each other by; of one with components, all of them, whichever
/// controller has sent them. `key` as above.
pub fn secret(key: &[u8; 32], name: &str) -> [u8; 32] {
    Sha256::new().chain_update(b"skyslurm secret").chain_update(key).chain_update(name).finalize().into()
}

/// The file beside the program that holds the key: 32 bytes.
pub const KEY: &str = "key";

/// All that the agents need of a job. One for all ranks of an array that were submitted together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Payload {
    /// The job. Of an array: the record of its first element here; each rank is made of it and `elements`.
    #[serde(with = "whole")]
    pub job: Job,
    /// By `SKYPILOT_JOB_RANK`: the element's job id and index; `None`: it was cancelled before it was submitted, and
    /// ends at once. Empty for a job that is no array.
    pub elements: Vec<Option<(JobId, u32)>>,
    /// The further components of a heterogeneous job.
    #[serde(with = "all")]
    pub others: Vec<Job>,
    /// The nodes of each component, the first one's first.
    pub shapes: Vec<Shape>,
    /// The script.
    pub script: Vec<u8>,
    /// The environment to export: `NAME=value`, each ended by NUL.
    pub environment: Vec<u8>,
    /// `SLURM_CLUSTER_NAME`
    pub cluster: String,
    /// What its agents know each other by: [`secret`].
    pub secret: [u8; 32],
    /// Seconds from TERM to KILL (`KillWait`).
    pub kill_wait: u32,
    /// Seconds over the limit that are let pass (`OverTimeLimit`).
    pub over_time_limit: u32,
    /// What `module load` is to do on a node without modules: name and shell commands.
    pub modules: Vec<(String, String)>,
    /// How files come and go.
    pub delivery: Delivery,
}

/// How a job's directory and output are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delivery {
    /// The directory was copied to `~/sky_workdir`; the output goes into the log in frames.
    Copied,
    /// The nodes see the directory under its own path; the agent writes the output files there itself, and
    /// only events go into the log.
    Shared,
    /// Nobody waits for it: the script's output goes where the agent's own does, unless files are named, and
    /// events go nowhere.
    Plain,
}

/// Why a payload cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// There is none.
    #[error("{VARIABLE} is not set: this is no job of skyslurm's")]
    Missing,
    /// A file of it.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was sealed with another key, or is damaged.
    #[error("the job's description cannot be read: it is damaged or not meant for this agent")]
    Sealed,
}

impl Payload {
    /// The payload as text: compressed, sealed with `key`, base64.
    ///
    /// # Errors
    /// When there is no randomness to be had, for one.
    pub fn seal(&self, key: &[u8; 32]) -> io::Result<String> {
        seal::seal(&postcard::to_stdvec(self).map_err(io::Error::other)?, b"", key)
    }

    /// The reverse.
    ///
    /// # Errors
    /// [`PayloadError::Sealed`].
    pub fn open(text: &str, key: &[u8; 32]) -> Result<Self, PayloadError> {
        let plain = seal::open(text, b"", key).ok_or(PayloadError::Sealed)?;
        postcard::from_bytes(&plain).map_err(|_| PayloadError::Sealed)
    }

    /// The payload of the job this process was started for: `variable` is the value of [`VARIABLE`], `beside` the
    /// directory of the program, with the key.
    ///
    /// # Errors
    /// [`PayloadError`]
    pub fn find(variable: Option<&str>, beside: &Path) -> Result<Self, PayloadError> {
        let variable = variable.filter(|v| !v.is_empty()).ok_or(PayloadError::Missing)?;
        let key = &key(beside)?;
        match variable.strip_prefix('@') {
            // A name, and no path that leads elsewhere.
            Some(name) if !name.is_empty() && !name.contains('/') => {
                Self::open(&String::from_utf8_lossy(&read(&beside.join(name))?), key)
            }
            Some(_) => Err(PayloadError::Sealed),
            None => Self::open(variable, key),
        }
    }

    /// The job of rank `rank`; `None`: it was cancelled before it was submitted.
    ///
    /// # Errors
    /// When there is no such rank.
    pub fn job_of(&self, rank: u32) -> Result<Option<Job>, PayloadError> {
        let mut job = self.job.clone();
        if let Some(remote) = &mut job.remote {
            remote.rank = rank;
        }
        if self.elements.is_empty() {
            return Ok(Some(job));
        }
        match self.elements.get(rank as usize) {
            None => Err(PayloadError::Sealed),
            Some(None) => Ok(None),
            Some(Some((id, index))) => {
                job.id = *id;
                if let Some(array) = &mut job.array {
                    array.task_id = Some(*index);
                }
                Ok(Some(job))
            }
        }
    }
}

/// The key beside the program.
///
/// # Errors
/// [`PayloadError`]
pub(in crate::agent) fn key(beside: &Path) -> Result<[u8; 32], PayloadError> {
    read(&beside.join(KEY))?.as_slice().try_into().map_err(|_| PayloadError::Sealed)
}

fn read(path: &Path) -> Result<Vec<u8>, PayloadError> {
    std::fs::read(path).map_err(|source| PayloadError::File { path: path.into(), source })
}

#[cfg(test)]
pub(in crate::agent) mod tests {
    use super::*;
    use crate::{
        job::{ArrayRef, Remote, Request},
        slurm::{array::ArraySpec, idset::IdSet, time::TimeLimit},
    };
    use proptest::prelude::*;
    use std::sync::Arc;

    pub fn job(id: JobId) -> Job {
        Job {
            partition: "cloud".into(),
            time_limit: TimeLimit::Unlimited,
            eligible_time: Some(1),
            remote: Some(Remote { name: "job".into(), ..Remote::default() }),
            ..Job::new(
                id,
                Arc::new(Request { name: "test".into(), args: vec![b"\xff".to_vec()], ..Request::default() }),
                1,
            )
        }
    }

    fn payload(script: Vec<u8>, environment: Vec<u8>) -> Payload {
        Payload {
            job: job(7),
            elements: Vec::new(),
            others: Vec::new(),
            shapes: vec![Shape { tasks: vec![1], ..Shape::default() }],
            script,
            environment,
            cluster: "lab".into(),
            secret: [3; 32],
            kill_wait: 30,
            over_time_limit: 0,
            modules: vec![("cuda".into(), "export CUDA=1".into())],
            delivery: Delivery::Copied,
        }
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened_by_its_key_alone(script: Vec<u8>, environment: Vec<u8>, key: [u8; 32], bit in 0usize..10_000) {
            let payload = payload(script, environment);
            let text = payload.seal(&key).unwrap();
            let back = Payload::open(&format!("{text}\n"), &key).unwrap();
            prop_assert_eq!((&back.script, &back.environment, &back.job), (&payload.script, &payload.environment, &payload.job));
            let mut other = key;
            other[bit % 32] ^= 1;
            prop_assert!(Payload::open(&text, &other).is_err());
            let mut damaged = text.clone().into_bytes();
            let at = bit % damaged.len();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            prop_assert!(Payload::open(&String::from_utf8(damaged).unwrap(), &key).is_err());
        }

        #[test]
        fn nonsense_is_refused(text: String) {
            prop_assert!(Payload::open(&text, &[0; 32]).is_err());
        }
    }

    #[test]
    fn one_content_is_never_sealed_alike_twice() {
        let payload = payload(b"x".to_vec(), Vec::new());
        assert_ne!(payload.seal(&[1; 32]).unwrap(), payload.seal(&[1; 32]).unwrap());
    }

    #[test]
    fn it_is_found_in_the_variable_or_in_a_file_beside_the_program() {
        let dir = tempfile::tempdir().unwrap();
        let text = payload(b"x".to_vec(), Vec::new()).seal(&[1; 32]).unwrap();
        assert!(matches!(Payload::find(None, dir.path()), Err(PayloadError::Missing)));
        assert!(matches!(Payload::find(Some(&text), dir.path()), Err(PayloadError::File { .. })));
        std::fs::write(dir.path().join(KEY), [1; 32]).unwrap();
        std::fs::write(dir.path().join("large"), &text).unwrap();
        assert_eq!(Payload::find(Some(&text), dir.path()).unwrap().job.id, 7);
        assert_eq!(Payload::find(Some("@large"), dir.path()).unwrap().job.id, 7);
        assert!(Payload::find(Some("@../large"), dir.path()).is_err());
    }

    #[test]
    fn each_rank_is_an_element() {
        let mut payload = payload(Vec::new(), Vec::new());
        assert_eq!(payload.job_of(0).unwrap().unwrap().id, 7);
        let spec = Arc::new(ArraySpec::parse("3,5", 1000).unwrap());
        payload.job.array = Some(ArrayRef { job_id: 7, spec, throttle: None, task_id: Some(3), pending: IdSet::new() });
        payload.elements = vec![None, Some((9, 5))];
        assert_eq!(payload.job_of(0).unwrap(), None);
        let job = payload.job_of(1).unwrap().unwrap();
        assert_eq!((job.id, job.array.unwrap().task_id, job.remote.unwrap().rank), (9, Some(5), 1));
        assert!(payload.job_of(2).is_err());
    }
}
