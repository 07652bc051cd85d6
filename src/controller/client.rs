//! The commands' end of the controller's socket.

use super::api::{Call, PROTOCOL, Reply};
use crate::host::{directory, ipc};
use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    path::{Path, PathBuf},
};

/// Why the controller could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// This is a node that was made for a job: the controller is elsewhere.
    #[error("this node cannot reach the controller: ask where the job was submitted")]
    Elsewhere,
    /// It could not be started.
    #[error("the controller could not be started: {0}")]
    Start(String),
    /// It is of another version.
    #[error(
        "a controller of another version of skyslurm is running: `skyslurm controller restart` replaces it; jobs go on"
    )]
    Version,
    /// It went away while it was asked.
    #[error("the controller at {path} does not answer: {source}")]
    Talk {
        /// Its socket.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
}

/// A connection to the controller of one state directory.
pub struct Client {
    stream: UnixStream,
    path: PathBuf,
}

impl AsFd for Client {
    /// Can be read when there is an answer.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// The controller's socket in a state directory.
pub fn socket_path(state: &Path) -> PathBuf {
    state.join("controller.sock")
}

impl Client {
    /// Connects to the controller of the state directory in force, and starts it if none answers.
    pub fn connect() -> Result<Self, ClientError> {
        Self::connect_at(&directory::state())
    }

    /// The same for a given state directory.
    pub fn connect_at(state: &Path) -> Result<Self, ClientError> {
        match Self::running(state) {
            Some(client) => Ok(client),
            None if !directory::has_controller(state) => Err(ClientError::Elsewhere),
            None => {
                super::start::start(state).map_err(ClientError::Start)?;
                let path = socket_path(state);
                let stream = ipc::connect(&path).map_err(|source| ClientError::Talk { path: path.clone(), source })?;
                Ok(Self { stream, path })
            }
        }
    }

    /// Connects if a controller is running.
    pub fn running(state: &Path) -> Option<Self> {
        let path = socket_path(state);
        ipc::connect(&path).ok().map(|stream| Self { stream, path })
    }

    /// Asks one thing.
    pub fn ask(&mut self, call: &Call) -> Result<Reply, ClientError> {
        self.pose(call)?;
        self.answer()
    }

    /// Asks one thing, whose answer may take a while.
    pub fn pose(&mut self, call: &Call) -> Result<(), ClientError> {
        let talk = |source| ClientError::Talk { path: self.path.clone(), source };
        ipc::send(&mut self.stream, &(PROTOCOL, call)).map_err(talk)
    }

    /// The answer to what was asked.
    pub fn answer(&mut self) -> Result<Reply, ClientError> {
        match ipc::receive::<(u16, Option<Reply>)>(&mut self.stream) {
            Ok((PROTOCOL, Some(reply))) => Ok(reply),
            Ok(_) => Err(ClientError::Version),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(ClientError::Version),
            Err(source) => Err(ClientError::Talk { path: self.path.clone(), source }),
        }
    }
}
