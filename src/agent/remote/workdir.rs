//! The job's work directory where a copy of it was brought to the node.

use crate::job::Request;
use std::{
    collections::VecDeque,
    fs, io,
    io::Read,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};

/// So many files are looked at, those nearest to the top first: a job does not wait for a data set to be searched.
const FILES: usize = 5_000;

/// The copy under its own path, as far as that could be; what was made for it is removed at the end.
#[derive(Default)]
pub(in crate::agent) struct Workdir {
    /// Directories, the outermost first, and then the link.
    made: Vec<PathBuf>,
}

impl Workdir {
    /// Makes `copy` reachable under the path `request` names. Where that cannot be (something else has the path, or it
    /// may not be made), the job starts in `copy`, and `SLURM_SUBMIT_DIR` names it if it was the same directory.
    pub fn provide(request: &mut Request, copy: &Path) -> Self {
        let mut workdir = Self::default();
        let wanted = PathBuf::from(&request.work_dir);
        let same = || matches!((wanted.canonicalize(), copy.canonicalize()), (Ok(a), Ok(b)) if a == b);
        if same() || workdir.link(&wanted, copy).is_ok() || same() {
            return workdir;
        }
        let copy = copy.to_string_lossy().into_owned();
        if request.submit_dir == request.work_dir {
            request.submit_dir.clone_from(&copy);
        }
        request.work_dir = copy;
        workdir
    }

    fn link(&mut self, wanted: &Path, copy: &Path) -> io::Result<()> {
        if !copy.is_dir() || fs::symlink_metadata(wanted).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let missing = wanted.ancestors().skip(1).take_while(|dir| !dir.exists());
        let mut made: Vec<PathBuf> = missing.map(Path::to_owned).collect();
        made.reverse();
        match made.first() {
            None => symlink(copy, wanted)?,
            // All at once, so that of two agents that do this at the same time one has made all of it, or nothing.
            Some(top) => {
                let draft = top.with_file_name(format!(".skyslurm-{:08x}", super::state::random()));
                let link = draft.join(wanted.strip_prefix(top).map_err(io::Error::other)?);
                let whole = fs::create_dir_all(link.parent().unwrap_or(&draft))
                    .and_then(|()| symlink(copy, &link))
                    .and_then(|()| fs::rename(&draft, top));
                if let Err(error) = whole {
                    let _ = fs::remove_dir_all(&draft);
                    return Err(error);
                }
            }
        }
        made.push(wanted.to_owned());
        self.made = made;
        Ok(())
    }
}

impl Drop for Workdir {
    fn drop(&mut self) {
        for path in self.made.iter().rev() {
            // A directory in which something else was put stays.
            let _ = if path.is_symlink() { fs::remove_file(path) } else { fs::remove_dir(path) };
        }
    }
}

/// SkyPilot brings files without their modes: programs (ELF) and scripts (`#!`) can be executed again. Of the first
/// [`FILES`] files.
pub(super) fn restore_modes(copy: &Path) {
    let mut directories = VecDeque::from([copy.to_owned()]);
    let mut left = FILES;
    while let Some(directory) = directories.pop_front() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && entry.file_name() != ".git" {
                directories.push_back(entry.path());
            } else if kind.is_file() {
                if left == 0 {
                    return;
                }
                left -= 1;
                restore_mode(&entry.path());
            }
        }
    }
}

fn restore_mode(path: &Path) {
    let executable = || -> io::Result<Option<u32>> {
        let mut file = fs::File::open(path)?;
        let seen = file.metadata()?;
        let (mode, mut head) = (seen.mode(), [0; 4]);
        if mode & 0o100 != 0 || seen.len() < 4 {
            return Ok(None);
        }
        file.read_exact(&mut head)?;
        // Whoever may read it may execute it.
        Ok((head.starts_with(b"#!") || head == *b"\x7fELF").then_some((mode & 0o7777) | (mode & 0o444) >> 2))
    };
    if let Ok(Some(mode)) = executable() {
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(mode));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(dir: &Path) -> Request {
        let dir = dir.to_str().unwrap().to_owned();
        Request { work_dir: dir.clone(), submit_dir: dir, ..Request::default() }
    }

    #[test]
    fn the_copy_is_reached_under_its_own_path_while_the_job_runs() {
        let top = tempfile::tempdir().unwrap();
        let copy = top.path().join("sky_workdir");
        fs::create_dir(&copy).unwrap();
        fs::write(copy.join("file"), "x").unwrap();
        let wanted = top.path().join("home/alice/project");
        let mut asked = request(&wanted);
        let workdir = Workdir::provide(&mut asked, &copy);
        assert_eq!(fs::read_to_string(wanted.join("file")).unwrap(), "x");
        assert_eq!(asked, request(&wanted));
        let second = Workdir::provide(&mut asked, &copy); // another agent on the same machine
        assert_eq!(asked, request(&wanted));
        drop(second);
        assert!(wanted.exists());
        drop(workdir);
        assert!(!top.path().join("home").exists() && copy.join("file").exists());
    }

    #[test]
    fn where_its_path_is_taken_the_job_starts_in_the_copy() {
        let top = tempfile::tempdir().unwrap();
        let (copy, taken) = (top.path().join("sky_workdir"), top.path().join("taken"));
        fs::create_dir(&copy).unwrap();
        fs::create_dir(&taken).unwrap();
        let mut asked = request(&taken);
        drop(Workdir::provide(&mut asked, &copy));
        assert_eq!(asked, request(&copy));
        assert!(taken.exists());
        let mut asked = Request { submit_dir: "/elsewhere".into(), ..request(&taken) };
        drop(Workdir::provide(&mut asked, &copy));
        assert_eq!((Path::new(&asked.work_dir), &*asked.submit_dir), (&*copy, "/elsewhere"));
    }

    #[test]
    fn programs_can_be_executed_again() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        for (name, bytes) in
            [("a.sh", &b"#!/bin/sh\n"[..]), ("bin/prog", b"\x7fELF..."), ("data", b"text"), ("s", b"#!")]
        {
            fs::write(dir.path().join(name), bytes).unwrap();
            fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(0o640)).unwrap();
        }
        restore_modes(dir.path());
        let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().mode() & 0o777;
        assert_eq!(["a.sh", "bin/prog", "data", "s"].map(mode), [0o750, 0o750, 0o640, 0o640]);
    }
}
