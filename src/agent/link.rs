//! A connection: frames in and out, never waiting.

use crate::host::ipc;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
};

/// Over so many bytes that wait to be sent, nothing more is taken in for a connection.
const FULL: usize = 256 << 10;

/// How much is read at once.
const READ: usize = 64 << 10;

/// One connection. Today a Unix socket; an encrypted one would have the same face.
pub(crate) struct Link {
    stream: UnixStream,
    input: Vec<u8>,
    read: usize,
    output: Vec<u8>,
    sent: usize,
    finishing: bool,
    /// The other end has closed, or cannot be reached.
    pub closed: bool,
}

impl Link {
    /// A connection on `stream`.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, input: Vec::new(), read: 0, output: Vec::new(), sent: 0, finishing: false, closed: false })
    }

    /// Puts `value` on its way.
    pub fn send(&mut self, value: &impl Serialize) {
        match ipc::frame(value) {
            Ok(frame) => self.send_raw(&frame),
            Err(_) => self.closed = true,
        }
    }

    /// Puts bytes on their way that are frames already.
    pub fn send_raw(&mut self, frames: &[u8]) {
        if self.output.is_empty() {
            self.output.reserve(frames.len());
        }
        self.output.extend_from_slice(frames);
        self.flush();
    }

    /// Sends what can be sent now.
    pub fn flush(&mut self) {
        while let Some(rest) = self.output.get(self.sent..).filter(|r| !r.is_empty() && !self.closed) {
            match self.stream.write(rest) {
                Ok(n) if n > 0 => self.sent += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                _ => self.closed = true,
            }
        }
        if self.closed || self.sent == self.output.len() {
            self.output = Vec::new();
            self.sent = 0;
            self.closed |= self.finishing;
        } else if self.sent > FULL {
            self.output.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Closes the connection once all is sent.
    pub fn close_when_sent(&mut self) {
        self.finishing = true;
        self.flush();
    }

    /// Takes in what has arrived.
    pub fn fill(&mut self) {
        let before = self.input.len();
        self.input.resize(before + READ, 0);
        let read = self.stream.read(self.input.get_mut(before..).unwrap_or_default());
        let got = match &read {
            Ok(n) => *n,
            Err(_) => 0,
        };
        self.input.truncate(before + got);
        match read {
            Ok(0) => self.closed = true,
            Err(e) if !matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => self.closed = true,
            _ => {}
        }
    }

    /// The next frame that is there in full. One that says nothing sensible closes the connection.
    pub fn receive<T: DeserializeOwned>(&mut self) -> Option<T> {
        let rest = self.input.get(self.read..).unwrap_or_default();
        let length = rest.get(..4).and_then(|l| l.try_into().ok()).map(u32::from_be_bytes);
        if length.is_some_and(|l| l > ipc::MAX_FRAME) {
            self.fail();
            return None;
        }
        let body = length.and_then(|l| rest.get(4..4 + l as usize));
        let Some(body) = body else {
            // What was read is dropped once for all frames that came together.
            self.input.drain(..self.read);
            self.read = 0;
            if self.input.is_empty() {
                self.input = Vec::new();
            }
            return None;
        };
        let value = ipc::parse(body);
        self.read += 4 + body.len();
        if value.is_err() {
            self.fail();
        }
        value.ok()
    }

    /// Everything that has arrived, for one who hands it on unread.
    pub fn take_raw(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.input)
    }

    fn fail(&mut self) {
        self.closed = true;
        self.input = Vec::new();
        self.read = 0;
    }

    /// Bytes that wait to be sent.
    pub fn waiting(&self) -> usize {
        self.output.len() - self.sent
    }

    /// Whether so much waits that nothing should be added that can be kept back.
    pub fn is_full(&self) -> bool {
        self.waiting() >= FULL
    }

    /// The socket.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_arrive_whole_however_they_are_cut() {
        let (a, b) = UnixStream::pair().unwrap();
        let (mut a, mut b) = (Link::new(a).unwrap(), Link::new(b).unwrap());
        let frame = ipc::frame(&"hello".to_owned()).unwrap();
        a.send_raw(&frame[..3]);
        b.fill();
        assert_eq!(b.receive::<String>(), None);
        a.send_raw(&frame[3..]);
        a.send(&"again".to_owned());
        b.fill();
        assert_eq!(b.receive::<String>().as_deref(), Some("hello"));
        assert_eq!(b.receive::<String>().as_deref(), Some("again"));
        drop(a);
        b.fill();
        assert!(b.closed);
    }

    #[test]
    fn more_than_a_socket_holds_waits_and_arrives() {
        let (a, b) = UnixStream::pair().unwrap();
        let (mut a, mut b) = (Link::new(a).unwrap(), Link::new(b).unwrap());
        let big = "x".repeat(3 << 20);
        a.send(&big);
        assert!(a.is_full());
        let got = loop {
            b.fill();
            a.flush();
            if let Some(got) = b.receive::<String>() {
                break got;
            }
        };
        assert_eq!(got, big);
        assert_eq!(a.waiting(), 0);
    }

    #[test]
    fn nonsense_closes() {
        let (mut a, b) = UnixStream::pair().unwrap();
        let mut b = Link::new(b).unwrap();
        a.write_all(&[255; 9]).unwrap();
        b.fill();
        assert!(b.receive::<String>().is_none() && b.closed);
    }
}
