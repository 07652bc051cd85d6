//! Hashes of files, remembered from one time to the next.
//!
//! The cache is one file for all work directories: a version, a checksum, and rows with postcard, those used last first.
//! A row is believed while the file's stamp is the same. A file that was written just before it was hashed is not remembered: a
//! second write within the clock's grain would leave the stamp as it is.

use super::PackError;
use flate2::Crc;
use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    ffi::OsStr,
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read, Write as _},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// SHA-256.
pub(super) type Hash = [u8; 32];

/// Bytes that are read at once.
pub(super) const BLOCK: usize = 128 * 1024;

/// What the cache file begins with.
const VERSION: [u8; 8] = *b"skyhash1";

/// Most files that are remembered: about 20 MB.
const MOST: usize = 100_000;

/// A larger cache file is not ours.
const LARGEST: u64 = 256 << 20;

/// The coarsest clock of a file system (FAT, old NFS).
const GRAIN: Duration = Duration::from_secs(2);

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds; of the content, and of the inode (which nobody can set back).
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// A file whose hash is known.
type Row = (Stamp, Hash);

/// Hashes that are known.
#[derive(Default)]
pub(super) struct Cache {
    known: HashMap<PathBuf, Row>,
    used: Vec<(PathBuf, Row)>,
    /// There is something new to remember.
    new: bool,
    /// Bytes of files that were read.
    pub(super) read: u64,
}

impl Cache {
    /// What an earlier one saved; nothing if there is none, or it is damaged.
    pub(super) fn load(path: &Path) -> Self {
        let known = read_rows(path).unwrap_or_default().into_iter();
        Self { known: known.map(|(path, row)| (OsStr::from_bytes(&path).into(), row)).collect(), ..Self::default() }
    }

    /// Whether nothing is known.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Remembers what is new. Where that fails it is found out again.
    pub(super) fn save(&mut self, path: &Path) {
        if !self.new {
            return;
        }
        let used = self.used.iter().map(|(path, row)| (path, row));
        let rows = used.chain(&self.known).take(MOST).map(|(path, row)| (path.as_os_str().as_bytes(), *row));
        let _ = write_rows(path, &rows.collect::<Vec<_>>());
    }

    /// The hash of a file that was seen with `stamp`, and its size.
    pub(super) fn hash(&mut self, path: &Path, stamp: &Stamp) -> Result<(Hash, u64), PackError> {
        if let Some((path, row)) = self.known.remove_entry(path)
            && row.0 == *stamp
        {
            self.used.push((path, row));
            return Ok((row.1, stamp.size));
        }
        let now = SystemTime::now();
        let (mut file, before) = open(path)?;
        let mut sha = Sha256::new();
        let size = copy(&mut file, before.size(), path, &mut |block| {
            sha.update(block);
            Ok(())
        })?;
        self.read += size;
        let hash = sha.finalize().into();
        let stamp = Stamp::of(&before);
        let after = file.metadata().map_err(PackError::file(path))?;
        let settled = before.modified().is_ok_and(|modified| modified + GRAIN < now);
        if settled && Stamp::of(&after) == stamp {
            self.used.push((path.to_owned(), (stamp, hash)));
            self.new = true;
        }
        Ok((hash, size))
    }
}

/// SHA-256 of what is here.
pub(super) fn of(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// Opens what was a file a moment ago: never waits, even if it is a pipe by now.
pub(super) fn open(path: &Path) -> Result<(File, Metadata), PackError> {
    let open = || {
        let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)?;
        let meta = file.metadata()?;
        Ok((file, meta))
    };
    match open() {
        Ok((file, meta)) if meta.is_file() => Ok((file, meta)),
        Ok(_) => Err(PackError::Changed { path: path.to_owned() }),
        Err(error) if io::Error::kind(&error) == io::ErrorKind::NotFound => {
            Err(PackError::Changed { path: path.to_owned() })
        }
        Err(source) => Err(PackError::File { path: path.to_owned(), source }),
    }
}

/// Hands on the first `size` bytes of a file, or what there is; how many there were.
pub(super) fn copy(
    file: &mut File,
    size: u64,
    path: &Path,
    each: &mut dyn FnMut(&[u8]) -> Result<(), PackError>,
) -> Result<u64, PackError> {
    let (mut rest, mut block) = (file.take(size), vec![0; BLOCK.min(usize::try_from(size).unwrap_or(BLOCK).max(1))]);
    let mut copied = 0;
    loop {
        match rest.read(&mut block) {
            Ok(0) => return Ok(copied),
            Ok(n) => {
                each(block.get(..n).unwrap_or_default())?;
                copied += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(PackError::File { path: path.to_owned(), source }),
        }
    }
}

/// The rows of a cache file, if it is whole.
fn read_rows(path: &Path) -> Option<Vec<(Vec<u8>, Row)>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LARGEST).read_to_end(&mut bytes).ok()?;
    let (crc, rows) = bytes.strip_prefix(&VERSION)?.split_first_chunk()?;
    (u32::from_le_bytes(*crc) == crc_of(rows)).then(|| postcard::from_bytes(rows).ok())?
}

/// Writes a cache file beside the old one, and puts it in its place.
fn write_rows(path: &Path, rows: &[(&[u8], Row)]) -> io::Result<()> {
    let rows = postcard::to_stdvec(rows).map_err(io::Error::other)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let draft = PathBuf::from(name);
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(&[&VERSION[..], &crc_of(&rows).to_le_bytes(), &rows].concat())?;
        fs::rename(&draft, path)
    };
    write().inspect_err(|_| drop(fs::remove_file(&draft)))
}

fn crc_of(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}
