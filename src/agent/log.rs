//! The agent's own stdout, where that is all that comes back from a node: the script's output and the
//! events of the job, in frames ([`super::frame`]).
//!
//! Nothing here waits: what stdout does not take is kept, and while much is kept nothing more is read from the script.

use super::{
    Event,
    event::EventKind,
    frame::{Kind, Writer},
};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::pipe2,
};
use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

/// Over so many bytes that wait to be written, the script has to wait with its output.
const FULL: usize = 256 << 10;

/// How much is read at once.
const READ: usize = 32 << 10;

/// A pipe that can be written to takes this much at least without waiting (`PIPE_BUF` of Linux).
const PIECE: usize = 4096;

/// The most that is taken out of one of the script's pipes before a line of slurmstepd's: what a pipe holds mostly.
const AHEAD: usize = 64 << 10;

/// One of the script's two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pipe {
    Output,
    Error,
}

/// What is said on stdout.
pub(super) struct Log {
    writer: Writer,
    due: Vec<u8>,
    sent: usize,
    output: Option<File>,
    error: Option<File>,
    /// Whether the script's stderr goes elsewhere than its stdout.
    apart: bool,
    /// Nobody reads any more.
    is_broken: bool,
}

impl Log {
    /// Begins the log of run `run`.
    pub fn new(run: u32, apart: bool) -> Self {
        let writer = Writer::new(run);
        Self { writer, due: Vec::new(), sent: 0, output: None, error: None, apart, is_broken: false }
    }

    /// The script's ends of its stdout and stderr.
    pub fn open(&mut self) -> io::Result<[OwnedFd; 2]> {
        let (ours, output) = pipe()?;
        self.output = Some(ours);
        let error = match self.apart {
            true => {
                let (ours, error) = pipe()?;
                self.error = Some(ours);
                error
            }
            false => output.try_clone()?,
        };
        Ok([output, error])
    }

    /// Says that something happened now.
    pub fn event(&mut self, component: u32, kind: EventKind) {
        let event = Event { time: super::clock::now(), component, kind };
        if let Ok(mut line) = serde_json::to_vec(&event) {
            line.push(b'\n'); // as in an event file
            self.put(Kind::Event, &line);
        }
    }

    /// A line of slurmstepd's, in the script's stderr, behind what the script has written.
    pub fn message(&mut self, text: &str) {
        for pipe in [Pipe::Output, Pipe::Error] {
            let mut left = AHEAD / READ;
            while left > 0 && self.take(pipe) {
                left -= 1;
            }
        }
        let kind = if self.apart { Kind::Error } else { Kind::Output };
        self.put(kind, format!("slurmstepd: error: {text}\n").as_bytes());
    }

    fn put(&mut self, kind: Kind, bytes: &[u8]) {
        if !self.is_broken {
            self.writer.write(kind, bytes, &mut self.due);
        }
    }

    /// The pipes to wait for, unless much is waiting already.
    pub fn pipes(&self) -> impl Iterator<Item = (Pipe, BorrowedFd<'_>)> {
        let full = self.is_full();
        [(Pipe::Output, &self.output), (Pipe::Error, &self.error)]
            .into_iter()
            .filter_map(|(pipe, file)| Some((pipe, file.as_ref()?.as_fd())))
            .filter(move |_| !full)
    }

    fn is_full(&self) -> bool {
        self.due.len() - self.sent >= FULL
    }

    /// Takes in what the script has written. `false`: there is no more for now.
    pub fn take(&mut self, pipe: Pipe) -> bool {
        let (file, kind) = match pipe {
            Pipe::Output => (&mut self.output, Kind::Output),
            Pipe::Error => (&mut self.error, Kind::Error),
        };
        let mut bytes = [0; READ];
        match file.as_mut().map(|file| file.read(&mut bytes)) {
            Some(Ok(n)) if n > 0 => {
                self.put(kind, bytes.get(..n).unwrap_or_default());
                true
            }
            Some(Err(e)) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => false,
            _ => {
                *file = None;
                false
            }
        }
    }

    /// The script and all it started are gone: takes in what is left. `true`: all was taken.
    pub fn finish(&mut self) -> bool {
        for pipe in [Pipe::Output, Pipe::Error] {
            while !self.is_full() && self.take(pipe) {}
        }
        if !self.is_full() {
            (self.output, self.error) = (None, None); // one who still has an end of it is none of the job's
        }
        self.output.is_none() && self.error.is_none()
    }

    /// Whether something waits to be written.
    pub fn is_due(&self) -> bool {
        self.sent < self.due.len()
    }

    /// Writes what stdout takes now.
    pub fn flush(&mut self) {
        let stdout = io::stdout();
        while let Some(rest) = self.due.get(self.sent..).filter(|rest| !rest.is_empty()) {
            let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::POLLOUT)];
            if !matches!(poll(&mut fds, PollTimeout::ZERO), Ok(n) if n > 0) {
                break;
            }
            match nix::unistd::write(stdout.as_fd(), rest.get(..PIECE).unwrap_or(rest)) {
                Ok(n) => self.sent += n,
                Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(_) => {
                    self.is_broken = true;
                    self.sent = self.due.len();
                }
            }
        }
        if self.sent == self.due.len() {
            self.due.clear();
            self.sent = 0;
        } else if self.sent > FULL {
            self.due.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Writes all there is, and waits for it.
    pub fn flush_all(&mut self) {
        let stdout = io::stdout();
        self.flush();
        while self.is_due() {
            let _ = poll(&mut [PollFd::new(stdout.as_fd(), PollFlags::POLLOUT)], PollTimeout::NONE);
            self.flush();
        }
    }
}

fn pipe() -> io::Result<(File, OwnedFd)> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
    fcntl(&read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((read.into(), write))
}
