//! `skyslurm install` and `skyslurm uninstall`: the drop-in commands, their man pages and
//! completions, below a prefix.
//!
//! Everything is looked at before anything is written, and nothing that someone else put there
//! is ever replaced or removed.

mod manifest;
mod payload;

use super::terminal;
use crate::{
    host::{directory, user},
    slurm::options::Command,
};
use manifest::{Entry, Found, Thing, fingerprint};
use std::{
    env,
    ffi::OsString,
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

const USAGE: &str = "\
Usage: skyslurm install [--prefix DIR]
       skyslurm uninstall [--prefix DIR]

Puts the commands into DIR/bin, their man pages and completions below DIR/share, or takes
away what was put there. DIR is ~/.local, or /usr/local for root.
";

/// The program's name below the prefix; the commands are links to it.
const PROGRAM: &str = "bin/skyslurm";

/// Why it cannot be done.
#[derive(Debug, thiserror::Error)]
enum InstallError {
    /// The words were not understood.
    #[error("{0}")]
    Usage(String),
    /// Files of someone else are in the way.
    #[error(
        "{}: not put there by skyslurm, and left alone{}\nNothing was installed. Choose another place with --prefix, or move it away.",
        .0.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", "),
        if .0.iter().any(|p| p.parent().is_some_and(|d| d.ends_with("bin"))) { " (is Slurm itself installed here?)" } else { "" }
    )]
    InTheWay(Vec<PathBuf>),
    /// There is no manifest.
    #[error("nothing was installed in {}", .0.display())]
    NotInstalled(PathBuf),
    /// The system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Runs `skyslurm install`; `args` without its own name.
pub fn run(args: Vec<OsString>) -> u8 {
    finish(prefix(&args).and_then(|prefix| match prefix {
        Some(prefix) => {
            let program =
                env::current_exe().map_err(|source| InstallError::Io { path: "/proc/self/exe".into(), source })?;
            let mut text = install(&prefix, &program)?;
            text.push_str(&on_the_path(&prefix.join("bin"), env::var_os("PATH")));
            Ok(text)
        }
        None => Ok(USAGE.to_owned()),
    }))
}

/// Runs `skyslurm uninstall`.
pub fn remove(args: Vec<OsString>) -> u8 {
    finish(prefix(&args).and_then(|prefix| match prefix {
        Some(prefix) => {
            let mut text = uninstall(&prefix)?;
            let (config, state) = (directory::config_file(), directory::state());
            let left: Vec<String> =
                [config, state].iter().filter(|p| p.exists()).map(|p| p.display().to_string()).collect();
            if !left.is_empty() {
                text.push_str(&format!("Settings and jobs stay where they are: {}\n", left.join(", ")));
            }
            Ok(text)
        }
        None => Ok(USAGE.to_owned()),
    }))
}

fn finish(done: Result<String, InstallError>) -> u8 {
    match done {
        Ok(text) => terminal::print(&text),
        Err(error) => {
            terminal::eprint(&format!("skyslurm: error: {error}"));
            1
        }
    }
}

/// The prefix that the arguments name, absolute; `None` when they ask for help.
fn prefix(args: &[OsString]) -> Result<Option<PathBuf>, InstallError> {
    let words: Vec<_> = args.iter().map(|a| a.to_string_lossy()).collect();
    let words: Vec<&str> = words.iter().map(|w| w.as_ref()).collect();
    let given = match (words.as_slice(), args) {
        ([], _) if user::uid() == 0 => PathBuf::from("/usr/local"),
        ([], _) => directory::home().join(".local"),
        (["--help" | "-h"], _) => return Ok(None),
        (["--prefix", dir], [_, raw]) if !dir.is_empty() => raw.into(),
        ([word], _) if word.strip_prefix("--prefix=").is_some_and(|dir| !dir.is_empty()) => {
            word.strip_prefix("--prefix=").unwrap_or_default().into()
        }
        _ => return Err(InstallError::Usage(format!("not understood: {}\n{}", words.join(" "), USAGE.trim_end()))),
    };
    std::path::absolute(&given).map(Some).map_err(|source| InstallError::Io { path: given, source })
}

/// Installs `program` and what belongs to it; says what was done.
fn install(prefix: &Path, program: &Path) -> Result<String, InstallError> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| InstallError::Io { path, source }
    };
    let known = manifest::read(prefix).map_err(fail(&prefix.join(manifest::PATH)))?.unwrap_or_default();
    let image = fs::read(program).map_err(fail(program))?;
    let pages = payload::files();

    let mut wanted = vec![Entry { path: PROGRAM.into(), thing: Thing::File(fingerprint(&image)) }];
    wanted.extend(
        Command::ALL.map(|c| Entry { path: format!("bin/{}", c.name()), thing: Thing::Link("skyslurm".into()) }),
    );
    wanted.extend(
        pages.iter().map(|f| Entry { path: f.path.clone(), thing: Thing::File(fingerprint(f.text.as_bytes())) }),
    );

    // Ours is what the manifest says, unchanged, or what is already as it should be.
    let mine = |entry: &Entry| {
        let before = known.iter().find(|k| k.path == entry.path);
        entry.look(prefix) != Found::Other || before.is_some_and(|k| k.look(prefix) != Found::Other)
    };
    let in_the_way: Vec<PathBuf> = wanted.iter().filter(|e| !mine(e)).map(|e| prefix.join(&e.path)).collect();
    if !in_the_way.is_empty() {
        return Err(InstallError::InTheWay(in_the_way));
    }

    let mut entries = directories(prefix, &known, &wanted);
    entries.extend(wanted);
    // An older version's files that are no longer among them stay listed.
    let old = known.iter().filter(|k| !entries.iter().any(|e| e.path == k.path)).cloned().collect::<Vec<_>>();
    entries.extend(old);

    // The list goes first: whatever happens next, uninstall knows of it.
    write(prefix, manifest::PATH, manifest::render(&entries).as_bytes(), 0o644)?;
    let mut written = 0;
    for entry in entries.iter().filter(|e| e.look(prefix) != Found::Same) {
        match &entry.thing {
            Thing::Link(target) => link(prefix, &entry.path, target)?,
            Thing::File(_) if entry.path == PROGRAM => write(prefix, PROGRAM, &image, 0o755)?,
            Thing::File(_) => match pages.iter().find(|f| f.path == entry.path) {
                Some(page) => write(prefix, &page.path, page.text.as_bytes(), 0o644)?,
                None => continue,
            },
            Thing::Directory => continue,
        }
        written += 1;
    }
    let names = Command::ALL.map(Command::name).join(", ");
    Ok(match written {
        0 => format!("{} is up to date.\n", prefix.display()),
        _ => format!("Installed skyslurm as {names} in {}\n", prefix.join("bin").display()),
    })
}

/// The directories that installing makes, or made the last time, the outer ones first.
fn directories(prefix: &Path, known: &[Entry], wanted: &[Entry]) -> Vec<Entry> {
    let mut made: Vec<Entry> = Vec::new();
    let files = wanted.iter().map(|e| e.path.as_str()).chain([manifest::PATH]);
    for path in files {
        let mut above: Vec<&Path> = Path::new(path).ancestors().skip(1).filter(|p| *p != Path::new("")).collect();
        above.reverse();
        for dir in above {
            let path = dir.to_string_lossy().into_owned();
            let ours = |list: &[Entry]| list.iter().any(|e| e.path == path && e.thing == Thing::Directory);
            if !ours(&made) && (ours(known) || !prefix.join(dir).exists()) {
                made.push(Entry { path, thing: Thing::Directory });
            }
        }
    }
    made
}

/// Takes away what the manifest lists and nobody has changed since; says what was left.
fn uninstall(prefix: &Path) -> Result<String, InstallError> {
    let path = prefix.join(manifest::PATH);
    let entries = manifest::read(prefix)
        .map_err(|source| InstallError::Io { path: path.clone(), source })?
        .ok_or_else(|| InstallError::NotInstalled(prefix.to_owned()))?;
    let mut text = String::new();
    for entry in entries.iter().filter(|e| e.thing != Thing::Directory) {
        let path = prefix.join(&entry.path);
        match entry.look(prefix) {
            Found::Same => fs::remove_file(&path).map_err(|source| InstallError::Io { path, source })?,
            Found::Other => text.push_str(&format!("Left alone, changed since it was installed: {}\n", path.display())),
            Found::Nothing => {}
        }
    }
    fs::remove_file(&path).map_err(|source| InstallError::Io { path, source })?;
    // Those that are not empty hold something of others.
    for entry in entries.iter().rev().filter(|e| e.thing == Thing::Directory) {
        let _ = fs::remove_dir(prefix.join(&entry.path));
    }
    text.push_str(&format!("Removed skyslurm from {}\n", prefix.display()));
    Ok(text)
}

/// Puts a file in its place in one step, so that a running program may be replaced.
fn write(prefix: &Path, path: &str, bytes: &[u8], mode: u32) -> Result<(), InstallError> {
    place(prefix, path, |new| {
        fs::write(new, bytes)?;
        fs::set_permissions(new, fs::Permissions::from_mode(mode))
    })
}

fn link(prefix: &Path, path: &str, target: &str) -> Result<(), InstallError> {
    place(prefix, path, |new| symlink(target, new))
}

fn place(prefix: &Path, path: &str, make: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), InstallError> {
    let path = prefix.join(path);
    let mut new = path.clone().into_os_string();
    new.push(format!(".new{}", std::process::id()));
    let done = (|| {
        fs::create_dir_all(path.parent().unwrap_or(prefix))?;
        make(Path::new(&new))?;
        fs::rename(&new, &path)
    })();
    done.map_err(|source| {
        let _ = fs::remove_file(&new);
        InstallError::Io { path, source }
    })
}

/// What to do so that the commands in `bin` are the ones a shell finds; empty if they are.
fn on_the_path(bin: &Path, path: Option<OsString>) -> String {
    let path = path.unwrap_or_default();
    let dirs: Vec<PathBuf> = env::split_paths(&path).collect();
    let add = format!("    export PATH=\"{}:$PATH\"\n", bin.display());
    if !dirs.iter().any(|dir| dir == bin) {
        return format!("{} is not on the PATH. Add to your shell's start-up file:\n{add}", bin.display());
    }
    let found = dirs.iter().map(|dir| dir.join("sbatch")).find(|file| file.is_file());
    match found {
        Some(other) if other != bin.join("sbatch") => {
            format!("{} comes before it on the PATH. To use these commands:\n{add}", other.display())
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
