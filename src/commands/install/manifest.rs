//! The list of what an installation put below its prefix, so that exactly this can be taken away.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

/// Where the manifest is, below the prefix.
pub const PATH: &str = "share/skyslurm/manifest";

/// One thing that was put there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A directory that was not there before.
    Directory,
    /// A symbolic link with this target.
    Link(String),
    /// A file whose content has this [`fingerprint`].
    File(u64),
}

/// What is found at the place of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// What was put there.
    Same,
    /// Something else.
    Other,
}

/// A thing and its path below the prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Below the prefix.
    pub path: String,
    /// What is there.
    pub thing: Thing,
}

impl Entry {
    /// Looks whether it is still as it was put there.
    pub fn look(&self, prefix: &Path) -> Found {
        let path = prefix.join(&self.path);
        let Ok(seen) = fs::symlink_metadata(&path) else { return Found::Nothing };
        let same = match &self.thing {
            Thing::Directory => seen.is_dir(),
            Thing::Link(target) => fs::read_link(&path).is_ok_and(|t| t == Path::new(target)),
            Thing::File(print) => seen.is_file() && fs::read(&path).is_ok_and(|bytes| fingerprint(&bytes) == *print),
        };
        if same { Found::Same } else { Found::Other }
    }
}

/// FNV-1a: tells a changed file from an unchanged one, no more is asked of it.
pub fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Reads the manifest below a prefix; `None` when there is none.
///
/// # Errors
/// When it cannot be read. Lines that are not understood are passed over.
pub fn read(prefix: &Path) -> io::Result<Option<Vec<Entry>>> {
    match fs::read_to_string(prefix.join(PATH)) {
        Ok(text) => Ok(Some(parse(&text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The text of a manifest: `kind<TAB>detail<TAB>path`, a line each.
pub fn render(entries: &[Entry]) -> String {
    let mut text = String::from("# What `skyslurm install` put here; `skyslurm uninstall` takes it away.\n");
    for Entry { path, thing } in entries {
        let (kind, detail) = match thing {
            Thing::Directory => ("directory", String::new()),
            Thing::Link(target) => ("link", target.clone()),
            Thing::File(print) => ("file", format!("{print:016x}")),
        };
        text.push_str(&format!("{kind}\t{detail}\t{path}\n"));
    }
    text
}

fn parse(text: &str) -> Vec<Entry> {
    text.lines().filter_map(line).collect()
}

fn line(text: &str) -> Option<Entry> {
    let mut parts = text.splitn(3, '\t');
    let (kind, detail, path) = (parts.next()?, parts.next()?, parts.next()?);
    let thing = match kind {
        "directory" => Thing::Directory,
        "link" => Thing::Link(detail.to_owned()),
        "file" => Thing::File(u64::from_str_radix(detail, 16).ok()?),
        _ => return None,
    };
    // Whatever the file says, nothing outside of the prefix is touched.
    let inside = PathBuf::from(path).components().all(|part| matches!(part, Component::Normal(_)));
    (inside && !path.is_empty()).then(|| Entry { path: path.to_owned(), thing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let entry = |path: &str, thing| Entry { path: path.into(), thing };
        let entries = [
            entry("bin", Thing::Directory),
            entry("bin/sbatch", Thing::Link("skyslurm".into())),
            entry("share/man/man1/sbatch.1", Thing::File(fingerprint(b"page"))),
        ];
        assert_eq!(parse(&render(&entries)), entries);
    }

    #[test]
    fn nothing_outside_of_the_prefix() {
        assert_eq!(parse("file\t0\t../x\nfile\t0\t/etc/passwd\nlink\t\t\nfile\tx\ta\nhello\n"), []);
    }
}
