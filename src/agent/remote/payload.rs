//! What travels with a job to its nodes: sealed, so that neither a process list nor a log nor a page of
//! SkyPilot's shows a secret of it. The key travels apart, in a file beside the agent program.

use crate::job::{Job, JobId, Shape, whole};
use base64::{Engine, prelude::BASE64_STANDARD};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, aead::Aead};
use flate2::{
    Compression,
    read::{ZlibDecoder, ZlibEncoder},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

/// The variable the sealed payload travels in; or the name of its file below the agent's directory, after `@`.
pub const VARIABLE: &str = "SKYSLURM_JOB";

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
    /// Its nodes.
    pub shape: Shape,
    /// The script.
    pub script: Vec<u8>,
    /// The environment to export: `NAME=value`, each ended by NUL.
    pub environment: Vec<u8>,
    /// `SLURM_CLUSTER_NAME`
    pub cluster: String,
    /// What its agents know each other by; made for this submission.
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

/// No payload is larger than this when it is unpacked: what is longer is damaged.
const LIMIT: u64 = 1 << 30;

const NONCE: usize = 12;

impl Payload {
    /// The payload as text: compressed, sealed with `key`, base64.
    ///
    /// # Errors
    /// When there is no randomness to be had, for one.
    pub fn seal(&self, key: &[u8; 32]) -> io::Result<String> {
        let plain = postcard::to_stdvec(self).map_err(io::Error::other)?;
        let mut packed = Vec::new();
        ZlibEncoder::new(&plain[..], Compression::default()).read_to_end(&mut packed)?;
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(io::Error::other)?;
        let sealed = ChaCha20Poly1305::new(key.into()).encrypt(&nonce.into(), &packed[..]).map_err(io::Error::other)?;
        Ok(BASE64_STANDARD.encode([&nonce[..], &sealed].concat()))
    }

    /// The reverse.
    ///
    /// # Errors
    /// [`PayloadError::Sealed`].
    pub fn open(text: &str, key: &[u8; 32]) -> Result<Self, PayloadError> {
        Self::unseal(text, key).ok_or(PayloadError::Sealed)
    }

    fn unseal(text: &str, key: &[u8; 32]) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(text.trim()).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        let packed = ChaCha20Poly1305::new(key.into()).decrypt(&(*nonce).into(), sealed).ok()?;
        let mut plain = Vec::new();
        ZlibDecoder::new(&packed[..]).take(LIMIT).read_to_end(&mut plain).ok()?;
        postcard::from_bytes(&plain).ok()
    }

    /// The payload of the job this process was started for, and the key it was sealed with: `variable` is the value of
    /// [`VARIABLE`], `beside` the directory of the program, with the key.
    ///
    /// # Errors
    /// [`PayloadError`]
    pub fn find(variable: Option<&str>, beside: &Path) -> Result<(Self, [u8; 32]), PayloadError> {
        let variable = variable.filter(|v| !v.is_empty()).ok_or(PayloadError::Missing)?;
        let read = |path: PathBuf| std::fs::read(&path).map_err(|source| PayloadError::File { path, source });
        let key = read(beside.join(KEY))?;
        let key: [u8; 32] = key.as_slice().try_into().map_err(|_| PayloadError::Sealed)?;
        let payload = match variable.strip_prefix('@') {
            // A name, and no path that leads elsewhere.
            Some(name) if !name.is_empty() && !name.contains('/') => {
                Self::open(&String::from_utf8_lossy(&read(beside.join(name))?), &key)
            }
            Some(_) => Err(PayloadError::Sealed),
            None => Self::open(variable, &key),
        };
        Ok((payload?, key))
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
            shape: Shape { tasks: vec![1], ..Shape::default() },
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
        assert_eq!(Payload::find(Some(&text), dir.path()).unwrap().0.job.id, 7);
        assert_eq!(Payload::find(Some("@large"), dir.path()).unwrap().0.job.id, 7);
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
