//! PMI: how the processes of an MPI program find each other when srun starts them (`--mpi=pmi2`).
//!
//! A task speaks to the agent of its node ([`server`]) over a socket whose number stands in `PMI_FD`, by the protocol
//! its library has: PMI-1's lines ([`wire1`]) or PMI-2's counted commands ([`wire2`]). Both begin with the same line.
//! Values it puts become known to all tasks in a fence, which the first node's agent brings about ([`exchange`]).
//!
//! The protocols are those of MPICH's `simple` PMI; names, limits and answers are those of Slurm's plugin mpi/pmi2.

mod client;
pub(super) mod exchange;
mod mapping;
pub(super) mod server;
mod store;
mod wire1;
mod wire2;

use super::Bytes;
use serde::{Deserialize, Serialize};

/// A key and its value.
pub(super) type Pair = (Bytes, Bytes);

/// What a node's server says to the first node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Up {
    /// All tasks here are in the fence; what they have put since the last one.
    Fence(Vec<Pair>),
    /// A name for a port.
    Publish(Bytes, Bytes),
    /// A name is not to be found any more.
    Unpublish(Bytes),
    /// Which port has a name?
    Lookup(Bytes),
    /// The step is to be killed.
    Abort,
}

/// What the first node says to a node's server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Down {
    /// The fence is complete: what all tasks have put. `None`: it was more than there is room for.
    Fence(Option<Vec<Pair>>),
    /// The answer to the first name that was not answered yet: the port; whether it worked.
    Name(Option<Bytes>, bool),
}

/// What a task asks for. The names are those of the tables in [`wire1`] and [`wire2`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    FullInit,
    Maxes,
    UniverseSize,
    AppNum,
    JobId,
    Put,
    Get,
    Fence,
    GetNodeAttribute,
    PutNodeAttribute,
    GetJobAttribute,
    Publish,
    Unpublish,
    Lookup,
    Spawn,
    Abort,
    Finalize,
}

/// A row of a protocol's table: what is asked, what answers, what it is.
type Row = (&'static str, &'static str, Command);

/// Keys and values as they come, some more than once.
type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Asked {
    /// Its name.
    name: String,
    /// What came with it.
    pairs: Pairs,
}

impl Asked {
    fn get(&self, key: &str) -> Option<&[u8]> {
        self.pairs.iter().find(|(k, _)| k == key.as_bytes()).map(|(_, value)| value.as_slice())
    }

    fn is_true(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value.eq_ignore_ascii_case(b"TRUE"))
    }
}

/// What arrived is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid client request")]
struct Garbage;

/// The longest request (`PMII_MAX_COMMAND_LEN`), bytes.
const LONGEST: usize = 64 << 10;

/// Which protocol a task speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    One,
    Two,
}

impl Wire {
    fn table(self) -> &'static [Row] {
        match self {
            Self::One => &wire1::TABLE,
            Self::Two => &wire2::TABLE,
        }
    }

    /// The first request in `bytes` and its length, if it is there in full.
    fn parse(self, bytes: &[u8]) -> Result<Option<(Asked, usize)>, Garbage> {
        match self {
            Self::One => wire1::parse(bytes),
            Self::Two => wire2::parse(bytes),
        }
    }

    /// Appends an answer to `to`.
    fn write(self, name: &str, pairs: &[(&str, &[u8])], to: &mut Vec<u8>) {
        match self {
            Self::One => wire1::write(name, pairs, to),
            Self::Two => wire2::write(name, pairs, to),
        }
    }
}
