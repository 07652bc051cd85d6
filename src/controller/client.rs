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
    time::Duration,
};

/// How long an answer from afar is waited for.
const PATIENCE: Duration = Duration::from_secs(180);

/// Why the controller could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// This is a node that was made for a job: the controller is elsewhere.
    #[error("this node cannot reach the controller: ask where the job was submitted")]
    Elsewhere,
    /// It could not be started.
    #[error("the controller could not be started: {0}")]
    Start(String),
    /// It is asked from a node of a job elsewhere, and nothing has come back.
    #[error("the controller has not answered within three minutes; what was asked of it may still be done")]
    Silent,
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
    /// What is asked goes a long way: by the job's log, if the controller hears of it at all.
    is_far: bool,
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
            None if !directory::has_controller(state) => {
                let path = directory::desk(state);
                let stream = ipc::connect(&path).map_err(|_| ClientError::Elsewhere)?;
                Ok(Self { stream, path, is_far: true })
            }
            None => {
                super::start::start(state).map_err(ClientError::Start)?;
                let path = socket_path(state);
                let stream = ipc::connect(&path).map_err(|source| ClientError::Talk { path: path.clone(), source })?;
                Ok(Self { stream, path, is_far: false })
            }
        }
    }

    /// Connects if a controller is running.
    pub fn running(state: &Path) -> Option<Self> {
        let path = socket_path(state);
        ipc::connect(&path).ok().map(|stream| Self { stream, path, is_far: false })
    }

    /// Asks one thing.
    pub fn ask(&mut self, call: &Call) -> Result<Reply, ClientError> {
        self.pose(call)?;
        self.answer()
    }

    /// Asks two things at once; from afar, where answers may overtake each other, the second one behind the first answer.
    pub fn ask_both(&mut self, first: &Call, second: &Call) -> Result<(Reply, Reply), ClientError> {
        if self.is_far {
            return Ok((self.ask(first)?, self.ask(second)?));
        }
        self.pose(first)?;
        self.pose(second)?;
        Ok((self.answer()?, self.answer()?))
    }

    /// Asks one thing, whose answer may take a while.
    pub fn pose(&mut self, call: &Call) -> Result<(), ClientError> {
        let talk = |source| ClientError::Talk { path: self.path.clone(), source };
        if self.is_far {
            let patience = (!call.may_wait()).then_some(PATIENCE);
            self.stream.set_read_timeout(patience).map_err(talk)?;
        }
        ipc::send(&mut self.stream, &(PROTOCOL, call)).map_err(talk)
    }

    /// The answer to what was asked.
    pub fn answer(&mut self) -> Result<Reply, ClientError> {
        match ipc::receive::<(u16, Option<Reply>)>(&mut self.stream) {
            Ok((PROTOCOL, Some(reply))) => Ok(reply),
            Ok(_) => Err(ClientError::Version),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(ClientError::Version),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(ClientError::Silent),
            Err(source) => Err(ClientError::Talk { path: self.path.clone(), source }),
        }
    }
}
