//! The files that go with a job: the agent's directory and the work directory, as a blob that the server keeps and knows
//! by its content.
//!
//! Nothing here speaks to the server. [`pack`] looks at the work directory, and writes a zip file only if the server
//! has to be sent one.
//!
//! The blob holds `agent/skyslurm`, `agent/NAME` of each small file, and `workdir/...`: directories (empty ones too), files,
//! and symbolic links as links. What a link leads to outside the work directory goes along in its place: the server takes no
//! link that leads out. Names and links are UTF-8, as the server reads nothing else.
//!
//! What stays home: what `.skyignore` in the work directory names, or else what git ignores (`rules`); and what cannot be in a
//! zip file ([`Pack::left_out`]). `.git` goes along, as with SkyPilot's own client.

mod archive;
mod hash;
mod link;
mod rules;
mod tree;

#[cfg(test)]
mod tests;

use hash::{Cache, Hash};
use sha2::{Digest, Sha256};
use std::{
    io,
    path::{Path, PathBuf},
};
use tree::{Entry, Source, Tree};

/// Where in the blob, and in the task's `file_mounts_mapping`, the agent's directory is.
pub const AGENT: &str = "agent";

/// Where the work directory is.
pub const WORKDIR: &str = "workdir";

/// The agent program, below [`AGENT`].
pub const PROGRAM: &str = "skyslurm";

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
    /// A file cannot be read (or the zip file not written).
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is too much of it.
    #[error("{} holds more than {}", path.display(), shown(*limit))]
    TooLarge {
        /// The directory.
        path: PathBuf,
        /// The limit, bytes.
        limit: u64,
    },
    /// A name, or where a link leads, is not UTF-8.
    #[error("{}: SkyPilot takes only names in UTF-8", path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// A file became another between [`pack`] and [`Pack::write`]: pack again.
    #[error("{} changed while it was read", path.display())]
    Changed {
        /// Which.
        path: PathBuf,
    },
}

impl PackError {
    /// A file that cannot be read.
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |source| Self::File { path: path.to_owned(), source }
    }
}

/// What was looked at and can be packed.
#[derive(Debug)]
pub struct Pack {
    /// Hex SHA-256 over names and contents: the blob's id, as SkyPilot's client makes it (`_compute_zip_blob_id`).
    pub id: String,
    /// Bytes of all files before packing.
    pub size: u64,
    /// Bytes that were read for it; the rest was known.
    pub read: u64,
    /// What does not go along although nobody said so: sockets, pipes, devices, and links that lead in
    /// circles, or out of the work directory to nothing, to one of these, or to a directory around them.
    pub left_out: Vec<PathBuf>,
    /// Sorted by name.
    entries: Vec<(Entry, Hash)>,
    cache: PathBuf,
}

/// Looks at all files, and reads those that have changed since they were looked at last (`cache`, a file, remembers
/// them; without it they are read).
///
/// # Errors
/// [`PackError`]; after [`PackError::Changed`] (a file went away meanwhile) it can be tried again.
pub fn pack(contents: &Contents, cache: &Path) -> Result<Pack, PackError> {
    let mut tree = Tree::default();
    tree.agent(contents.program, contents.files)?;
    if let Some(workdir) = contents.workdir {
        tree.workdir(workdir, contents.limit)?;
    }
    tree.entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let mut hashes = Cache::load(cache);
    let (mut id, mut size, mut entries) = (Sha256::new(), 0, Vec::with_capacity(tree.entries.len()));
    for mut entry in tree.entries {
        let hash = match &mut entry.source {
            Source::Directory => hash::of(b""),
            Source::Link(target) => hash::of(target.as_bytes()),
            Source::Bytes(bytes) => hash::of(bytes),
            Source::File { path, stamp, size } => {
                let (hash, read) = hashes.hash(path, stamp)?;
                *size = read;
                hash
            }
        };
        id.update(entry.name.as_bytes());
        id.update(hash);
        size += entry.source.size();
        entries.push((entry, hash));
    }
    hashes.save(cache);
    let id = id.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Pack { id, size, read: hashes.read, left_out: tree.left_out, entries, cache: cache.to_owned() })
}

impl Pack {
    /// Writes the zip file to `path`, for the user alone; `done` is told how many bytes of `size` are in it.
    /// Its length is returned; nothing is left at `path` when it fails.
    ///
    /// # Errors
    /// When a file cannot be read (any more), or is another than the id says, or `path` cannot be written.
    pub fn write(&self, path: &Path, done: &dyn Fn(u64)) -> Result<u64, PackError> {
        archive::write(&self.entries, path, done).inspect_err(|error| {
            let _ = std::fs::remove_file(path);
            if matches!(error, PackError::Changed { .. }) {
                // Should a file have changed unseen, it must not be believed again.
                let _ = std::fs::remove_file(&self.cache);
            }
        })
    }
}

/// `10 GiB`, `512 MiB`, `1.5 KiB`: bytes for people.
pub fn shown(bytes: u64) -> String {
    const UNITS: [(u32, &str); 4] = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let Some((shift, unit)) = UNITS.into_iter().find(|(shift, _)| bytes >> shift > 0) else {
        return format!("{bytes} bytes");
    };
    let tenths = ((u128::from(bytes) * 10) >> shift) as u64;
    match tenths % 10 {
        0 => format!("{} {unit}", tenths / 10),
        tenth => format!("{}.{tenth} {unit}", tenths / 10),
    }
}

/// Writes a zip file of one small file to `path`, and gives its blob's id.
///
/// # Errors
/// When `path` cannot be written.
pub fn pack_one(name: &str, content: &[u8], path: &Path) -> Result<String, PackError> {
    let mut names: Vec<String> = name.match_indices('/').map(|(at, _)| name[..=at].to_owned()).collect();
    let directory = |name| (Entry { name, mode: 0o755, source: Source::Directory }, hash::of(b""));
    let mut entries: Vec<(Entry, Hash)> = names.drain(..).map(directory).collect();
    let file = Entry { name: name.to_owned(), mode: 0o600, source: Source::Bytes(content.to_vec()) };
    entries.push((file, hash::of(content)));
    let mut id = Sha256::new();
    for (entry, hash) in &entries {
        id.update(entry.name.as_bytes());
        id.update(hash);
    }
    archive::write(&entries, path, &|_| {})?;
    Ok(id.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
