//! The state directory of one agent on a node that was made for a job: what a controller's state directory is to the
//! agents on its own machine.

use crate::{
    agent::Layout,
    host::{directory, ipc},
    job::JobId,
    slurm::options::Command,
};
use nix::fcntl::{Flock, FlockArg};
use std::{
    env, fs, io,
    io::Write,
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    time::Duration,
};

/// What the names of these directories begin with.
const PREFIX: &str = "skyslurm-";

/// A private directory with a short path (that of a socket has to be short), removed with all in it at the end. What an agent
/// that was killed has left is removed by the next one on its node.
pub(in crate::agent) struct State {
    pub dir: PathBuf,
    /// Held as long as the agent lives, however it ends.
    _life: Flock<fs::File>,
}

/// The file that is locked.
const LIFE: &str = "life";

/// One whose file is younger may not be locked yet.
const YOUNG: Duration = Duration::from_secs(60);

impl State {
    /// Makes it below /tmp, or below `TMPDIR` where /tmp cannot be written, with the drop-in commands, which are
    /// all `program`.
    pub fn make(program: &Path, cluster: &str) -> io::Result<Self> {
        let places = ["/tmp".into(), env::var_os("TMPDIR").map_or_else(|| "/var/tmp".into(), PathBuf::from)];
        places_of_the_dead(&places).iter().for_each(|dir| drop(fs::remove_dir_all(dir)));
        let [first, second] = &places;
        let dir = private(first).or_else(|_| private(second))?;
        let life = fs::File::create_new(dir.join(LIFE))?;
        let life = Flock::lock(life, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| errno)?;
        let state = Self { dir, _life: life };
        let (mark, none) = (directory::CONF_MARK, directory::NO_CONTROLLER);
        fs::write(
            state.conf(),
            format!("{mark}: the commands find the agent by this file's place\n{none}\nClusterName={cluster}\n"),
        )?;
        fs::create_dir(state.commands())?;
        for command in Command::ALL {
            symlink(program, state.commands().join(command.name()))?;
        }
        Ok(state)
    }

    /// `SLURM_CONF`
    pub fn conf(&self) -> PathBuf {
        self.dir.join("slurm.conf")
    }

    /// The directory of the commands.
    pub fn commands(&self) -> PathBuf {
        self.dir.join("bin")
    }

    /// Where commands on this node ask the controller.
    pub fn desk(&self) -> io::Result<UnixListener> {
        let desk = ipc::listen(&directory::desk(&self.dir))?;
        desk.set_nonblocking(true)?;
        Ok(desk)
    }

    /// Makes the spool directory of job `id`.
    pub fn spool(&self, id: JobId) -> io::Result<Layout> {
        let layout = Layout::new(&self.dir.join("spool"), id);
        fs::create_dir_all(&layout.dir)?;
        Ok(layout)
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// What is left of agents of this user's whose lives are over.
fn places_of_the_dead(places: &[PathBuf]) -> Vec<PathBuf> {
    let entries = places.iter().flat_map(|place| fs::read_dir(place).into_iter().flatten().flatten());
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    ours.map(|entry| entry.path()).filter(|dir| is_dead(dir)).collect()
}

/// Whether nobody holds the lock of a directory that is ours, and somebody could have.
fn is_dead(dir: &Path) -> bool {
    let own = nix::unistd::geteuid().as_raw();
    let is_ours = fs::symlink_metadata(dir).is_ok_and(|about| about.is_dir() && about.uid() == own);
    let Some(life) = is_ours.then(|| fs::File::open(dir.join(LIFE)).ok()).flatten() else { return false };
    let age = life.metadata().and_then(|about| about.modified()).ok().and_then(|at| at.elapsed().ok());
    age.is_some_and(|age| age > YOUNG) && Flock::lock(life, FlockArg::LockExclusiveNonblock).is_ok()
}

/// Makes a directory of this user's alone, with a name that nobody else has.
fn private(below: &Path) -> io::Result<PathBuf> {
    for _ in 0..100 {
        let dir = below.join(format!("{PREFIX}{:08x}", random()));
        match fs::DirBuilder::new().mode(0o700).create(&dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| dir),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// A number that is likely nobody else's.
pub(super) fn random() -> u32 {
    getrandom::u32().unwrap_or_else(|_| std::process::id())
}

/// Writes a new file of this user's alone.
pub(super) fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    fs::OpenOptions::new().create_new(true).write(true).mode(mode).open(path)?.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn what_the_dead_have_left_is_found_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let make = |name: &str, age: u64| {
            let dir = place.path().join(name);
            fs::create_dir(&dir).unwrap();
            let life = fs::File::create(dir.join(LIFE)).unwrap();
            life.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
            (dir, life)
        };
        let (dead, _) = make("skyslurm-dead", 100);
        let (_, life) = make("skyslurm-lives", 100);
        let _lives = Flock::lock(life, FlockArg::LockExclusiveNonblock).unwrap();
        make("skyslurm-young", 0);
        make("other", 100);
        fs::create_dir(place.path().join("skyslurm-of-another-kind")).unwrap();
        symlink(&dead, place.path().join("skyslurm-link")).unwrap();
        assert_eq!(places_of_the_dead(&[place.path().into()]), [dead]);
    }
}
