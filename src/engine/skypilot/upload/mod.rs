//! The files that go with a job: the agent's directory and the work directory, as a blob that the server keeps and knows
//! by its content.
//!
//! Nothing here speaks to the server. [`pack`] looks at the work directory, and writes a zip file only if the server
//! has to be sent one.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Where in the blob, and in the task's `file_mounts_mapping`, the agent's directory is.
pub const AGENT: &str = "agent";

/// Where the work directory is.
pub const WORKDIR: &str = "workdir";

/// What to pack.
pub struct Contents<'a> {
    /// The agent program.
    pub program: &'a Path,
    /// Small files beside it: name and content (`key`; a large payload).
    pub files: &'a [(&'a str, &'a [u8])],
    /// The work directory; `None`: none goes along.
    pub workdir: Option<&'a Path>,
    /// Most bytes that the work directory may have.
    pub limit: u64,
}

/// Why it cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is too much of it.
    #[error("{} holds more than {}", path.display(), crate::engine::skypilot::upload::shown(*limit))]
    TooLarge {
        /// The directory.
        path: PathBuf,
        /// The limit, bytes.
        limit: u64,
    },
}

/// What was looked at and can be packed.
pub struct Pack {
    /// Hex SHA-256 over names and contents: the blob's id.
    pub id: String,
    /// Bytes of all files before packing.
    pub size: u64,
}

/// Looks at all files, and reads those that have changed since they were looked at last (`cache` remembers them).
///
/// # Errors
/// [`PackError`]
pub fn pack(contents: &Contents, cache: &Path) -> Result<Pack, PackError> {
    let _ = (contents, cache);
    todo!("upload")
}

impl Pack {
    /// Writes the zip file to `path`; `done` is told how many bytes of `size` are in it.
    ///
    /// # Errors
    /// When a file cannot be read (any more) or `path` cannot be written.
    pub fn write(&self, path: &Path, done: &dyn Fn(u64)) -> Result<u64, PackError> {
        let _ = (path, done);
        todo!("upload")
    }
}

/// `10 GiB`, `512 MiB`: bytes for people.
pub fn shown(bytes: u64) -> String {
    let _ = bytes;
    todo!("upload")
}

/// Writes a zip file of one small file to `path`, and gives its blob's id.
///
/// # Errors
/// When `path` cannot be written.
pub fn pack_one(name: &str, content: &[u8], path: &Path) -> Result<String, PackError> {
    let _ = (name, content, path);
    todo!("upload")
}
