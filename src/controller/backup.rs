//! A copy of the store, made while the controller works.

use super::store::StoreError;
use rusqlite::{Connection, OpenFlags};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Nothing is overwritten.
    #[error("{0} exists already")]
    Exists(PathBuf),
    /// The store cannot be read, or the copy not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The copy cannot be put in its place.
    #[error("{path}: {source}")]
    Write {
        /// Where it was to be.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Copies the store of a state directory, as it is at one moment, into a new file that only its user can read.
///
/// # Errors
/// When the file exists, the store cannot be read, or the copy cannot be written: then no file is left.
pub fn back_up(state: &Path, to: &Path) -> Result<(), BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    // It has scripts and environments in it. It takes its name when it is whole and on disk.
    let mut part = to.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let _ = fs::remove_file(&part);
    let result = copy(&super::daemon::store(state), &part).and_then(|()| {
        let write = |source| BackupError::Write { path: to.to_owned(), source };
        File::open(&part).and_then(|file| file.sync_all()).map_err(write)?;
        fs::rename(&part, to).map_err(write)
    });
    if result.is_err() {
        let _ = fs::remove_file(&part);
    }
    result
}

fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    let fail = |source| StoreError::Sqlite { path: from.to_owned(), source };
    let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let db = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(fail);
    let copied = db.and_then(|db| db.execute("VACUUM INTO ?1", [to.to_string_lossy()]).map_err(fail));
    nix::sys::stat::umask(before);
    copied?;
    Ok(())
}
