//! The state directory of one agent on a node that was made for a job: what a controller's state directory is to the
//! agents on its own machine.

use crate::{
    agent::Layout,
    host::{directory, ipc},
    job::JobId,
    slurm::options::Command,
};
use std::{
    env, fs, io,
    io::Write,
    os::unix::{
        fs::{DirBuilderExt, OpenOptionsExt, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

/// A private directory with a short path (that of a socket has to be short), removed with all in it at the end.
pub(in crate::agent) struct State {
    pub dir: PathBuf,
}

impl State {
    /// Makes it below /tmp, or below `TMPDIR` where /tmp cannot be written, with the drop-in commands, which are
    /// all `program`.
    pub fn make(program: &Path, cluster: &str) -> io::Result<Self> {
        let places = ["/tmp".into(), env::var_os("TMPDIR").map_or_else(|| "/var/tmp".into(), PathBuf::from)];
        let [first, second] = places;
        let state = Self { dir: private(&first).or_else(|_| private(&second))? };
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

/// Makes a directory of this user's alone, with a name that nobody else has.
fn private(below: &Path) -> io::Result<PathBuf> {
    for _ in 0..100 {
        let dir = below.join(format!("skyslurm-{:08x}", random()));
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
