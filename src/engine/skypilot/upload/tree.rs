//! What is in the blob: a list of entries, before anything is read.

use super::{
    AGENT, PROGRAM, PackError, WORKDIR,
    hash::Stamp,
    link::{self, Way},
    rules,
};
use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// One entry of the zip file.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its name there; of a directory, with `/` at its end.
    pub(super) name: String,
    /// Permissions.
    pub(super) mode: u32,
    /// Its content.
    pub(super) source: Source,
}

/// Where the content of an entry comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// There is none.
    Directory,
    /// A symbolic link's target.
    Link(String),
    /// A file, as it was when it was looked at, and how many bytes of it count.
    File { path: PathBuf, stamp: Stamp, size: u64 },
    /// It is here.
    Bytes(Vec<u8>),
}

impl Source {
    /// Bytes that people would count.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Directory | Self::Link(_) => 0,
            Self::File { size, .. } => *size,
            Self::Bytes(bytes) => bytes.len() as u64,
        }
    }
}

/// Entries as they are found.
#[derive(Default)]
pub(super) struct Tree {
    pub(super) entries: Vec<Entry>,
    pub(super) left_out: Vec<PathBuf>,
    /// Bytes of the work directory.
    size: u64,
}

impl Tree {
    /// The agent's directory.
    pub(super) fn agent(&mut self, program: &Path, files: &[(&str, &[u8])]) -> Result<(), PackError> {
        self.entry(format!("{AGENT}/"), 0o755, Source::Directory);
        let meta = fs::metadata(program).map_err(PackError::file(program))?;
        self.file(format!("{AGENT}/{PROGRAM}"), program.to_owned(), &meta);
        for (name, bytes) in files {
            self.entry(format!("{AGENT}/{name}"), 0o600, Source::Bytes(bytes.to_vec()));
        }
        Ok(())
    }

    /// The work directory. That it is too large is found on the way.
    pub(super) fn workdir(&mut self, workdir: &Path, limit: u64) -> Result<(), PackError> {
        self.size = 0;
        let root = workdir.canonicalize().map_err(PackError::file(workdir))?;
        self.directory(WORKDIR, &mut vec![root], &|size| {
            if size > limit { Err(PackError::TooLarge { path: workdir.to_owned(), limit }) } else { Ok(()) }
        })?;
        // On its way from the server to the nodes `.gitignore` is obeyed once more, without its exceptions (`!kept`);
        // not where there is a `.skyignore`. What is here was chosen already.
        let ours = format!("{WORKDIR}/.skyignore");
        let obeyed = self.entries.iter().any(|e| e.name.ends_with("/.gitignore"));
        if obeyed && !self.entries.iter().any(|e| e.name == ours) {
            self.entry(ours, 0o644, Source::Bytes(Vec::new()));
        }
        Ok(())
    }

    /// The directory `roots.last()` and all in it, as `prefix`.
    fn directory(
        &mut self,
        prefix: &str,
        roots: &mut Vec<PathBuf>,
        check: &dyn Fn(u64) -> Result<(), PackError>,
    ) -> Result<(), PackError> {
        let Some(root) = roots.last().cloned() else { return Ok(()) };
        let meta = fs::metadata(&root).map_err(PackError::file(&root))?;
        self.entry(format!("{prefix}/"), meta.mode(), Source::Directory);
        let before = (self.entries.len(), self.left_out.len());
        for walk in rules::walks(&root)? {
            for found in walk {
                let path = match found {
                    Ok(found) if found.depth() == 0 => continue,
                    Ok(found) => found.into_path(),
                    Err(error) => match unread(error, &root) {
                        Some(error) => return Err(error),
                        None => continue,
                    },
                };
                self.found(path, prefix, roots, check)?;
                check(self.size)?;
            }
            if before != (self.entries.len(), self.left_out.len()) {
                break;
            }
        }
        Ok(())
    }

    /// One thing below `roots.last()`.
    fn found(
        &mut self,
        path: PathBuf,
        prefix: &str,
        roots: &mut Vec<PathBuf>,
        check: &dyn Fn(u64) -> Result<(), PackError>,
    ) -> Result<(), PackError> {
        let meta = match fs::symlink_metadata(&path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(PackError::File { path, source }),
        };
        let below = roots.last().and_then(|root| path.strip_prefix(root).ok()).and_then(Path::to_str);
        let Some(name) = below.map(|below| format!("{prefix}/{below}")) else {
            return Err(PackError::Name { path });
        };
        if meta.is_dir() {
            self.entry(format!("{name}/"), meta.mode(), Source::Directory);
        } else if meta.is_file() {
            self.file(name, path, &meta);
        } else if meta.is_symlink() {
            match link::way(&path, roots)? {
                Way::Keep(target) => self.entry(name, 0o777, Source::Link(target)),
                Way::Drop => self.left_out.push(path),
                Way::Copy(real) => {
                    let meta = fs::metadata(&real).map_err(PackError::file(&real))?;
                    if meta.is_dir() {
                        roots.push(real);
                        self.directory(&name, roots, check)?;
                        roots.pop();
                    } else {
                        self.file(name, real, &meta);
                    }
                }
            }
        } else {
            self.left_out.push(path);
        }
        Ok(())
    }

    fn file(&mut self, name: String, path: PathBuf, meta: &Metadata) {
        self.size += meta.len();
        let source = Source::File { path, stamp: Stamp::of(meta), size: meta.len() };
        self.entry(name, meta.mode(), source);
    }

    fn entry(&mut self, name: String, mode: u32, source: Source) {
        self.entries.push(Entry { name, mode: mode & 0o777, source });
    }
}

/// A directory that cannot be read; one that is gone by now is no error.
fn unread(error: ignore::Error, root: &Path) -> Option<PackError> {
    fn path(error: &ignore::Error) -> Option<&Path> {
        match error {
            ignore::Error::WithPath { path, .. } => Some(path),
            ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path(err),
            _ => None,
        }
    }
    let path = path(&error).unwrap_or(root).to_owned();
    let source = match error.into_io_error() {
        Some(source) if source.kind() == io::ErrorKind::NotFound => return None,
        // The bare error: what is around it says the path once more.
        Some(source) => source.raw_os_error().map(io::Error::from_raw_os_error).unwrap_or(source),
        None => return None,
    };
    Some(PackError::File { path, source })
}
