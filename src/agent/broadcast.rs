//! Files for the nodes of a job: sbcast(1) and srun's `--bcast`.
//!
//! Who has the file brings it to the first node's agent piece by piece; that hands each piece to the agents of the nodes and
//! asks for the next when all have written it. So a file takes no more memory than a piece, and it travels on the same
//! connections as everything else.

mod receive;
mod send;

pub(super) use receive::Receiving;
pub(super) use send::Broadcast;

use super::{Launch, step::Bytes};
use serde::{Deserialize, Serialize};

/// How much is sent at once.
pub const PIECE: usize = 512 << 10;

/// A file that is to be written on nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Job it is for.
    pub job: u32,
    /// Step it is for: to its nodes only.
    pub step: Option<u32>,
    /// Where it is written.
    pub to: Destination,
    /// Its mode.
    pub mode: u32,
    /// Last access and modification, seconds and nanoseconds; `None`: as it is written.
    pub times: Option<[(i64, i64); 2]>,
    /// Write it over one that is there.
    pub force: bool,
}

/// Where a file goes on a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Destination {
    /// An absolute path.
    pub path: Bytes,
    /// The path is a directory, and the file gets a name of its own on each node.
    pub named: bool,
    /// A directory `PATH_libs` is made beside it, for this file of a program's libraries.
    pub library: Option<String>,
}

impl Destination {
    /// The program's path on `node` in `step`.
    pub(super) fn program(&self, launch: &Launch, step: u32, node: &str) -> Vec<u8> {
        let mut path = self.path.0.clone();
        if self.named {
            while path.len() > 1 && path.ends_with(b"/") {
                path.pop();
            }
            path.extend_from_slice(format!("/slurm_bcast_{}.{step}_{node}", launch.job.id).as_bytes());
        }
        launch.made.as_ref().map_or(path.clone(), |made| made.localized(&path))
    }

    /// The directory of the program's libraries.
    pub(super) fn libraries(&self, launch: &Launch, step: u32, node: &str) -> Vec<u8> {
        [&self.program(launch, step, node)[..], b"_libs"].concat()
    }
}

/// What is said to who brings a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToSender {
    /// It cannot be sent: why, in Slurm's words.
    Refused(String),
    /// All have taken what was sent; the next piece, please.
    Taken,
    /// Nodes that could not, with the system's number of the error. Nothing follows.
    Failed(Vec<(String, i32)>),
    /// It is written. Nothing follows.
    Done,
}

/// A piece of a file, from who brings it to the nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// Its next bytes.
    Bytes(Bytes),
    /// That was all.
    End,
}

/// What a node says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromReceiver {
    /// What came is written.
    Taken,
    /// It could not be: the system's number of the error.
    Failed(i32),
    /// All is written.
    Done,
}
