//! The user's own ssh: while an allocation lives, `~/.ssh/config` includes a file with its nodes.
//!
//! The files are in `~/.ssh/skyslurm`, named as the clusters. The line that includes them is put once at the top of the
//! configuration, as SkyPilot's client does it, and stays.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The entries of a home directory.
pub struct Entries {
    dir: PathBuf,
}

impl Entries {
    /// Those of the user with this home.
    pub fn of(home: &Path) -> Self {
        Self { dir: home.join(".ssh/skyslurm") }
    }

    /// Writes one, and sees to it that ssh finds it.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn write(&self, name: &str, text: &str) -> io::Result<()> {
        if let Some(ssh) = self.dir.parent() {
            fs::create_dir_all(ssh.parent().unwrap_or(ssh))?;
            make(ssh)?;
            make(&self.dir)?;
            include(&ssh.join("config"), &self.dir)?;
        }
        replace(&self.dir.join(name), text.as_bytes(), 0o600)
    }

    /// Removes one, if it is there.
    pub fn remove(&self, name: &str) {
        let _ = fs::remove_file(self.dir.join(name));
    }

    /// Removes those that are stale: of allocations that ended while nobody looked.
    pub fn tidy(&self, is_stale: impl Fn(&str) -> bool) {
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(&is_stale) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// A directory of the user's alone, if it is not there. One that is keeps its mode.
fn make(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    match fs::DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Puts the line at the top of `config`, unless it stands before all else that ssh would take for a host's.
fn include(config: &Path, dir: &Path) -> io::Result<()> {
    let wanted = format!("Include \"{}/*\"", dir.display());
    if wanted.chars().any(char::is_control) || wanted.matches('"').count() > 2 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let before = match fs::read(config) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(config).is_err() => Vec::new(),
        read => read?,
    };
    if has_line(&before, &wanted) {
        return Ok(());
    }
    let note = "# Added by skyslurm: the nodes of allocations, while they live.";
    let after = [format!("{note}\n{wanted}\n\n").as_bytes(), &before].concat();
    // A link stays one: what it leads to is replaced.
    let real = fs::canonicalize(config).unwrap_or_else(|_| config.to_owned());
    let mode = fs::metadata(&real).map_or(0o600, |seen| seen.permissions().mode() & 0o7777);
    replace(&real, &after, mode)
}

/// Whether `wanted` stands in the part that counts for all hosts.
fn has_line(config: &[u8], wanted: &str) -> bool {
    let lines = config.split(|b| *b == b'\n').map(|line| line.trim_ascii());
    let word = |line: &[u8], word: &[u8]| {
        let rest = line.get(word.len()..).unwrap_or_default();
        line.len() > word.len()
            && line[..word.len()].eq_ignore_ascii_case(word)
            && rest.first().is_some_and(|b| b.is_ascii_whitespace() || *b == b'=')
    };
    lines.take_while(|line| !word(line, b"host") && !word(line, b"match")).any(|line| line == wanted.as_bytes())
}

/// Writes a file in one step, with this mode. One that belongs to somebody else is left alone.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let own = nix::unistd::geteuid().as_raw();
    if fs::metadata(path).is_ok_and(|seen| seen.uid() != own) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let draft = dir.join(format!(".{}.skyslurm-{}", name.to_string_lossy(), std::process::id()));
    let _ = fs::remove_file(&draft);
    let written = (|| {
        let mut file = fs::OpenOptions::new().create_new(true).write(true).mode(mode).open(&draft)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    struct Home(tempfile::TempDir);

    impl Home {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }
        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }
        fn entries(&self) -> Entries {
            Entries::of(self.0.path())
        }
        fn read(&self, name: &str) -> String {
            fs::read_to_string(self.path(name)).unwrap().replace(self.0.path().to_str().unwrap(), "HOME")
        }
        fn mode(&self, name: &str) -> u32 {
            fs::metadata(self.path(name)).unwrap().mode() & 0o777
        }
    }

    const LINE: &str =
        "# Added by skyslurm: the nodes of allocations, while they live.\nInclude \"HOME/.ssh/skyslurm/*\"\n\n";

    #[test]
    fn the_first_entry_makes_what_is_not_there() {
        let home = Home::new();
        home.entries().write("a-1", "Host x\n").unwrap();
        assert_eq!(home.read(".ssh/config"), LINE);
        assert_eq!(home.read(".ssh/skyslurm/a-1"), "Host x\n");
        let modes = [".ssh", ".ssh/config", ".ssh/skyslurm", ".ssh/skyslurm/a-1"].map(|name| home.mode(name));
        assert_eq!(modes, [0o700, 0o600, 0o700, 0o600]);
        home.entries().write("a-1", "Host y\n").unwrap();
        assert_eq!((home.read(".ssh/config").as_str(), home.read(".ssh/skyslurm/a-1").as_str()), (LINE, "Host y\n"));
        home.entries().remove("a-1");
        home.entries().remove("a-1");
        assert!(!home.path(".ssh/skyslurm/a-1").exists());
    }

    #[test]
    fn what_the_user_wrote_stays() {
        let home = Home::new();
        fs::create_dir(home.path(".ssh")).unwrap();
        let own = b"Host *\n\tUser \xff\nInclude \"elsewhere\"\n";
        fs::write(home.path(".ssh/config"), own).unwrap();
        fs::set_permissions(home.path(".ssh/config"), fs::Permissions::from_mode(0o640)).unwrap();
        home.entries().write("a", "").unwrap();
        let after = fs::read(home.path(".ssh/config")).unwrap();
        assert!(after.ends_with(own) && after.starts_with(b"# Added"));
        assert_eq!(home.mode(".ssh/config"), 0o640);
        // Behind a host's line it counts for that host alone.
        let inner = format!("HOST x\n Include \"{}/*\"\n", home.path(".ssh/skyslurm").display());
        fs::write(home.path(".ssh/config"), inner).unwrap();
        home.entries().write("a", "").unwrap();
        assert!(home.read(".ssh/config").starts_with(LINE));
    }

    #[test]
    fn a_link_stays_a_link() {
        let home = Home::new();
        fs::create_dir_all(home.path("dotfiles")).unwrap();
        fs::create_dir(home.path(".ssh")).unwrap();
        fs::write(home.path("dotfiles/ssh"), "Host a\n").unwrap();
        symlink(home.path("dotfiles/ssh"), home.path(".ssh/config")).unwrap();
        home.entries().write("a", "").unwrap();
        assert!(home.path(".ssh/config").is_symlink());
        assert_eq!(home.read("dotfiles/ssh"), format!("{LINE}Host a\n"));
        // One that leads nowhere, or where we may not write, is not replaced.
        fs::remove_file(home.path("dotfiles/ssh")).unwrap();
        assert!(home.entries().write("a", "").is_err());
        assert!(home.path(".ssh/config").is_symlink() && !home.path("dotfiles/ssh").exists());
    }

    #[test]
    fn only_stale_ones_are_removed() {
        let home = Home::new();
        ["a-1", "b-2"].iter().for_each(|name| home.entries().write(name, "").unwrap());
        home.entries().tidy(|name| name == "b-2");
        assert!(home.path(".ssh/skyslurm/a-1").exists() && !home.path(".ssh/skyslurm/b-2").exists());
        Entries::of(Path::new("/nowhere")).tidy(|_| true);
    }
}
