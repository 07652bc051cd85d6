//! The connection to one task: bytes in and out, never waiting.

use super::{Asked, Command, Garbage, Wire, wire1};
use nix::poll::PollFlags;
use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
};

/// Over so many bytes that wait to be read by the task, nothing more is done for it.
const FULL: usize = 64 << 10;

/// How much is read at once: more than most requests are long.
const READ: usize = 4 << 10;

/// A task, as its node's server sees it.
pub(super) struct Client {
    stream: Option<UnixStream>,
    /// What it speaks, once it has said so.
    wire: Option<Wire>,
    input: Vec<u8>,
    /// How much of the input was read.
    read: usize,
    output: Vec<u8>,
    /// It has said its last word.
    finished: bool,
    /// Requests of it that cannot be answered yet.
    pub waits: usize,
}

impl Client {
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let (input, output) = (Vec::new(), Vec::new());
        Ok(Self { stream: Some(stream), wire: None, input, read: 0, output, finished: false, waits: 0 })
    }

    /// The protocol; until it has begun, there is none.
    pub fn wire(&self) -> Option<Wire> {
        self.wire
    }

    /// What to wait for. Nothing more is taken in while `full`, or while the task does not take its answers.
    pub fn wants(&self, full: bool) -> Option<(BorrowedFd<'_>, PollFlags)> {
        let flags = match (self.output.is_empty(), full) {
            (false, _) => PollFlags::POLLOUT,
            (true, false) => PollFlags::POLLIN,
            (true, true) => return None,
        };
        self.stream.as_ref().map(|stream| (stream.as_fd(), flags))
    }

    /// Takes in what has arrived.
    pub fn fill(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        self.input.drain(..std::mem::take(&mut self.read));
        let mut bytes = [0; READ];
        let read = stream.read(&mut bytes);
        self.input.extend_from_slice(bytes.get(..read.as_ref().map_or(0, |n| *n)).unwrap_or_default());
        match read {
            Ok(n) if n > 0 => {}
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            _ => self.close(),
        }
        if self.input.is_empty() {
            self.input = Vec::new();
        }
    }

    /// The next request. None while the task has to read first.
    pub fn next(&mut self) -> Result<Option<Asked>, Garbage> {
        if self.finished || self.output.len() >= FULL {
            return Ok(None);
        }
        let rest = self.input.get(self.read..).unwrap_or_default();
        let asked = match self.wire {
            None => wire1::parse(rest)?,
            Some(wire) => wire.parse(rest)?,
        };
        Ok(asked.map(|(asked, length)| {
            self.read += length;
            asked
        }))
    }

    /// Answers the line both protocols begin with.
    pub fn begin(&mut self, asked: &Asked) -> Result<(), Garbage> {
        if asked.name != "init" {
            return Err(Garbage);
        }
        let (wire, version) = match asked.get("pmi_version") {
            Some(b"1") => (Some(Wire::One), [&b"0"[..], b"1", b"1"]),
            Some(b"2") => (Some(Wire::Two), [&b"0"[..], b"2", b"0"]),
            _ => (None, [&b"-1"[..], b"2", b"0"]),
        };
        self.wire = wire;
        let pairs = [("rc", version[0]), ("pmi_version", version[1]), ("pmi_subversion", version[2])];
        wire1::write("response_to_init", &pairs, &mut self.output);
        Ok(())
    }

    /// Answers a command; `thread`, where the request named one, hears it.
    pub fn answer(&mut self, command: Command, thread: Option<&[u8]>, pairs: &[(&str, &[u8])]) {
        let row = self.wire.and_then(|wire| Some((wire, wire.table().iter().find(|row| row.2 == command)?)));
        if let Some((wire, (_, name, _))) = row {
            self.write(wire, name, thread, pairs);
        }
    }

    /// Answers by name.
    pub fn write(&mut self, wire: Wire, name: &str, thread: Option<&[u8]>, pairs: &[(&str, &[u8])]) {
        if self.stream.is_none() {
            return;
        }
        let mut all: Vec<(&str, &[u8])> = thread.map(|thread| ("thrid", thread)).into_iter().collect();
        all.extend_from_slice(pairs);
        wire.write(name, &all, &mut self.output);
    }

    /// Sends what can be sent now. `true`: that is all there was.
    pub fn flush(&mut self) -> bool {
        let mut sent = 0;
        while let (Some(stream), Some(rest)) = (&mut self.stream, self.output.get(sent..).filter(|r| !r.is_empty())) {
            match stream.write(rest) {
                Ok(n) if n > 0 => sent += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                _ => self.close(),
            }
        }
        self.output.drain(..sent.min(self.output.len()));
        if self.output.is_empty() {
            self.output = Vec::new();
            if self.finished {
                self.close();
            }
        }
        self.output.is_empty()
    }

    /// Closes the connection once all is sent.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// Closes the connection.
    pub fn close(&mut self) {
        (self.stream, self.finished) = (None, true);
        (self.input, self.read, self.output) = (Vec::new(), 0, Vec::new());
    }
}
