//! A connection: frames in and out, never waiting.

use super::noise::{Key, Session};
use crate::host::ipc;
use nix::{
    errno::Errno,
    poll::PollFlags,
    sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrStorage, sockopt},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    ops::Range,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
};

/// Over so many bytes that wait to be sent, nothing more is taken in for a connection.
const FULL: usize = 256 << 10;

/// How much is read at once.
const READ: usize = 64 << 10;

/// How the first node's agent is reached from another node.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    /// It is on this machine.
    Socket(PathBuf),
    /// It is on another one.
    Node(SocketAddr, Key),
}

impl Address {
    /// Connects. Over the network that goes on behind the scenes: what is sent meanwhile waits.
    pub fn dial(&self) -> io::Result<Link> {
        match self {
            Self::Socket(path) => Link::new(ipc::connect(path)?),
            Self::Node(address, key) => Link::connecting(*address, key),
        }
    }
}

/// One connection: a Unix socket on one machine, and between two an encrypted one with the same face.
pub(crate) struct Link {
    stream: Stream,
    input: Vec<u8>,
    read: usize,
    output: Vec<u8>,
    sent: usize,
    finishing: bool,
    /// The other end has closed, or cannot be reached.
    pub closed: bool,
}

enum Stream {
    Plain(UnixStream),
    Secret(TcpStream, Box<Session>),
}

impl Link {
    /// A connection on `stream`.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self::on(Stream::Plain(stream), Vec::new()))
    }

    /// A connection that another node made.
    pub fn accepted(stream: TcpStream, key: &Key) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        prepare(&stream);
        let session = Session::accepting(key).map_err(io::Error::other)?;
        Ok(Self::on(Stream::Secret(stream, Box::new(session)), Vec::new()))
    }

    /// A connection to another node, that is being made.
    pub fn connecting(address: SocketAddr, key: &Key) -> io::Result<Self> {
        Self::calling(begin(address)?, key)
    }

    /// The same, where it was begun already.
    pub fn calling(stream: TcpStream, key: &Key) -> io::Result<Self> {
        let mut hello = Vec::new();
        let session = Session::connecting(key, &mut hello).map_err(io::Error::other)?;
        Ok(Self::on(Stream::Secret(stream, Box::new(session)), hello))
    }

    fn on(stream: Stream, output: Vec<u8>) -> Self {
        Self { stream, input: Vec::new(), read: 0, output, sent: 0, finishing: false, closed: false }
    }

    /// Whether it is known who is at the other end.
    pub fn is_trusted(&self) -> bool {
        match &self.stream {
            Stream::Plain(_) => true,
            Stream::Secret(_, session) => session.is_open(),
        }
    }

    /// Whether the other end is on another machine.
    pub fn is_far(&self) -> bool {
        matches!(self.stream, Stream::Secret(..))
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
        match &mut self.stream {
            Stream::Plain(_) => {
                if self.output.is_empty() {
                    self.output.reserve(frames.len());
                }
                self.output.extend_from_slice(frames);
            }
            Stream::Secret(_, session) => self.closed |= session.seal(frames, &mut self.output).is_err(),
        }
        self.flush();
    }

    /// Sends what can be sent now.
    pub fn flush(&mut self) {
        while let Some(rest) = self.output.get(self.sent..).filter(|r| !r.is_empty() && !self.closed) {
            let written = match &mut self.stream {
                Stream::Plain(stream) => stream.write(rest),
                Stream::Secret(stream, _) => stream.write(rest),
            };
            match written {
                Ok(n) if n > 0 => self.sent += n,
                Err(e) if self.is_for_later(&e) => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                _ => self.closed = true,
            }
        }
        if self.closed || self.sent == self.output.len() {
            self.output = Vec::new();
            self.sent = 0;
            self.closed |= self.finishing && self.waiting() == 0;
        } else if self.sent > FULL {
            self.output.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Whether an error means no more than that it is not the time yet.
    fn is_for_later(&self, error: &io::Error) -> bool {
        match error.kind() {
            io::ErrorKind::WouldBlock => true,
            io::ErrorKind::NotConnected => !self.is_trusted(), // it is being made
            _ => false,
        }
    }

    /// Closes the connection once all is sent.
    pub fn close_when_sent(&mut self) {
        self.finishing = true;
        self.flush();
    }

    /// Takes in what has arrived.
    pub fn fill(&mut self) {
        let read = match &mut self.stream {
            Stream::Plain(stream) => {
                let before = self.input.len();
                self.input.resize(before + READ, 0);
                let read = stream.read(self.input.get_mut(before..).unwrap_or_default());
                self.input.truncate(before + read.as_ref().map_or(0, |n| *n));
                read
            }
            Stream::Secret(stream, session) => {
                let mut bytes = vec![0; READ];
                let read = stream.read(&mut bytes);
                let arrived = bytes.get(..read.as_ref().map_or(0, |n| *n)).unwrap_or_default();
                self.closed |= session.open(arrived, &mut self.input, &mut self.output).is_err();
                read
            }
        };
        match read {
            Ok(0) => self.closed = true,
            Err(e) if !self.is_for_later(&e) && e.kind() != io::ErrorKind::Interrupted => self.closed = true,
            _ => {}
        }
        if matches!(self.stream, Stream::Secret(..)) && !self.output.is_empty() {
            self.flush();
        }
    }

    /// The next frame that is there in full. One that says nothing sensible closes the connection.
    pub fn receive<T: DeserializeOwned>(&mut self) -> Option<T> {
        let body = self.next_frame()?;
        let value = ipc::parse(self.input.get(body).unwrap_or_default());
        if value.is_err() {
            self.fail();
        }
        value.ok()
    }

    /// The body of the next frame, for one who does not know what it says.
    pub fn receive_unread(&mut self) -> Option<Vec<u8>> {
        self.next_frame().map(|body| self.input.get(body).unwrap_or_default().to_vec())
    }

    /// Where in the input the body of the next frame is; it counts as read.
    fn next_frame(&mut self) -> Option<Range<usize>> {
        let rest = self.input.get(self.read..).unwrap_or_default();
        let length = rest.get(..4).and_then(|l| l.try_into().ok()).map(u32::from_be_bytes);
        if length.is_some_and(|l| l > ipc::MAX_FRAME) {
            self.fail();
            return None;
        }
        let Some(length) = length.map(|l| l as usize).filter(|l| rest.len() >= 4 + l) else {
            // What was read is dropped once for all frames that came together.
            self.input.drain(..self.read);
            self.read = 0;
            if self.input.is_empty() {
                self.input = Vec::new();
            }
            return None;
        };
        let body = self.read + 4..self.read + 4 + length;
        self.read = body.end;
        Some(body)
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

    /// What to wait for: more from the other end, and room for what waits to be sent.
    pub fn interest(&self) -> PollFlags {
        if self.waiting() > 0 { PollFlags::POLLIN | PollFlags::POLLOUT } else { PollFlags::POLLIN }
    }

    /// Bytes that wait to be sent.
    pub fn waiting(&self) -> usize {
        let held = match &self.stream {
            Stream::Plain(_) => 0,
            Stream::Secret(_, session) => session.held(),
        };
        self.output.len() - self.sent + held
    }

    /// Whether so much waits that nothing should be added that can be kept back.
    pub fn is_full(&self) -> bool {
        self.waiting() >= FULL
    }

    /// The socket.
    pub fn fd(&self) -> BorrowedFd<'_> {
        match &self.stream {
            Stream::Plain(stream) => stream.as_fd(),
            Stream::Secret(stream, _) => stream.as_fd(),
        }
    }
}

/// Begins to connect, without waiting.
pub(crate) fn begin(address: SocketAddr) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let stream = TcpStream::from(socket::socket(family, SockType::Stream, flags, None)?);
    prepare(&stream);
    match socket::connect(stream.as_raw_fd(), &SockaddrStorage::from(address)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(stream),
        Err(errno) => Err(errno.into()),
    }
}

/// Small frames go at once, and a node that is gone without a word is missed after a minute.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = socket::setsockopt(stream, sockopt::KeepAlive, &true);
    let _ = socket::setsockopt(stream, sockopt::TcpKeepIdle, &30);
    let _ = socket::setsockopt(stream, sockopt::TcpKeepInterval, &10);
    let _ = socket::setsockopt(stream, sockopt::TcpKeepCount, &3);
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

    /// Both ends of a secret connection.
    fn secret(key: Key, other: Key) -> (Link, Link) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let a = Link::connecting(listener.local_addr().unwrap(), &key).unwrap();
        (a, Link::accepted(listener.accept().unwrap().0, &other).unwrap())
    }

    #[test]
    fn between_nodes_it_is_the_same() {
        let (mut a, mut b) = secret([1; 32], [1; 32]);
        let big = "x".repeat(3 << 20);
        a.send(&big);
        a.send(&"last".to_owned());
        a.close_when_sent();
        assert!(a.is_full() && !a.closed && !b.is_trusted());
        b.send(&"back".to_owned());
        let (mut got, mut back) = (Vec::<String>::new(), None);
        while got.len() < 2 || back.is_none() {
            a.flush();
            a.fill();
            back = back.or_else(|| a.receive::<String>());
            b.fill();
            b.flush();
            got.extend(b.receive::<String>());
        }
        assert!(got[0] == big && got[1] == "last" && back.as_deref() == Some("back"));
        assert!(a.waiting() == 0 && b.is_trusted());
    }

    #[test]
    fn one_without_the_key_is_dropped() {
        let (mut a, mut b) = secret([1; 32], [2; 32]);
        a.send(&"hello".to_owned());
        while !b.closed {
            a.flush();
            b.fill();
        }
        assert!(!b.is_trusted() && b.receive::<String>().is_none());
    }

    #[test]
    #[ignore = "measures: cargo test --release --lib link -- --ignored --nocapture"]
    fn throughput() {
        let (mut a, mut b) = secret([1; 32], [1; 32]);
        let piece = vec![7u8; 64 << 10];
        const TOTAL: usize = 512 << 20;
        let start = std::time::Instant::now();
        let sender = std::thread::spawn(move || {
            let mut left = TOTAL;
            while left > 0 || a.waiting() > 0 {
                let mut fds =
                    [nix::poll::PollFd::new(a.fd(), nix::poll::PollFlags::POLLOUT | nix::poll::PollFlags::POLLIN)];
                let _ = nix::poll::poll(&mut fds, nix::poll::PollTimeout::NONE);
                a.flush();
                if !a.is_trusted() {
                    a.fill();
                }
                while left > 0 && !a.is_full() {
                    a.send_raw(&piece);
                    left -= piece.len();
                }
            }
            a
        });
        let mut got = 0;
        while got < TOTAL {
            let mut fds = [nix::poll::PollFd::new(b.fd(), nix::poll::PollFlags::POLLIN)];
            let _ = nix::poll::poll(&mut fds, nix::poll::PollTimeout::NONE);
            b.fill();
            got += b.take_raw().len();
            assert!(!b.closed);
        }
        drop(sender.join());
        let _ = writeln!(io::stderr(), "{:.0} MB/s", got as f64 / 1e6 / start.elapsed().as_secs_f64());
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
