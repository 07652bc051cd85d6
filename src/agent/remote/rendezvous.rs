//! How the agents of a job find each other: the first node listens, the others knock until it opens.

use super::surroundings::ports;
use crate::{
    agent::{
        Host,
        link::{self, Link},
        noise::Key,
    },
    job::Placement,
};
use nix::{
    errno::Errno,
    libc::SIGCHLD,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signalfd::SignalFd,
};
use serde::{Deserialize, Serialize};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    os::fd::AsFd,
    path::PathBuf,
    time::{Duration, Instant},
};

/// One who has not said who they are after this is shown out.
pub(in crate::agent) const SILENCE: Duration = Duration::from_secs(5);

/// At most so many who have not said who they are; the one who waits longest goes first.
pub(in crate::agent) const STRANGERS: usize = 128;

/// A port on which nobody answers is left after this.
const KNOCK: Duration = Duration::from_secs(2);

/// Every so often all ports are tried, mostly only the one that is almost always the right one.
const ALL_PORTS_EVERY: u32 = 8;

/// What a node tells the first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum FromNode {
    /// It is there.
    Here(Box<Info>),
    /// Whether the names lead where they should.
    Checked(bool),
}

/// A node.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Info {
    /// Its place in the job.
    pub index: usize,
    /// Its host name.
    pub name: String,
    /// Its address, as its component's nodes know it.
    pub address: String,
    /// CPUs it may use.
    pub cpus: u32,
    /// MiB.
    pub memory: u64,
    /// GPUs of the job there.
    pub gpus: u32,
    /// Their numbers there, where they do not count from 0.
    pub gpu_ids: Vec<u32>,
}

/// What the first node tells the others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum ToNode {
    /// See to it that these names lead where they should.
    Names(Vec<Host>),
    /// The job begins. From here on: [`crate::agent::wire::Order`].
    Go(Box<Go>),
}

/// What is decided.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Go {
    /// What each component has of its nodes, the first one's first.
    pub placements: Vec<Placement>,
    /// Their names and addresses.
    pub hosts: Vec<Host>,
    /// Epoch seconds.
    pub start: i64,
    /// State directory of the first node's agent.
    pub state: PathBuf,
    /// Where the copy of the work directory is on the first node.
    pub workdir: PathBuf,
    /// The directory the job starts in there: the copy, or the path under which it is reached.
    pub directory: PathBuf,
}

/// Listens on the address the others know, or on all if this is none of the machine's.
pub(super) fn listen(address: &str, key: &Key) -> io::Result<TcpListener> {
    let address: IpAddr = address.parse().map_err(io::Error::other)?;
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for ip in [address, any] {
        for port in ports(key) {
            match TcpListener::bind((ip, port)) {
                Ok(listener) => {
                    listener.set_nonblocking(true)?;
                    return Ok(listener);
                }
                Err(error) => last = error,
            }
        }
    }
    Err(last)
}

/// Whether a signal has come that ends the agent; that a child has ended is none.
pub(super) fn is_told_to_end(signals: &SignalFd) -> bool {
    let next = || signals.read_signal().ok().flatten();
    std::iter::from_fn(next).any(|signal| signal.ssi_signo != SIGCHLD as u32)
}

/// Somebody who knocks, or has come in.
struct Guest {
    link: Link,
    since: Instant,
    info: Option<Info>,
    checked: Option<bool>,
}

/// The first node, waiting for the others.
pub(super) struct Gathering<'a> {
    pub listener: &'a TcpListener,
    pub key: Key,
    /// What ends the wait.
    pub signals: &'a SignalFd,
    /// Nodes of the job.
    pub count: usize,
    guests: Vec<Guest>,
}

impl<'a> Gathering<'a> {
    pub fn new(listener: &'a TcpListener, key: Key, signals: &'a SignalFd, count: usize) -> Self {
        Self { listener, key, signals, count, guests: Vec::new() }
    }

    /// Waits for something, at most as long as `timeout`, and takes it in. `true`: a signal says that it is over.
    pub fn turn(&mut self, timeout: Duration) -> io::Result<bool> {
        let mut fds = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
        ];
        for guest in &self.guests {
            let mut flags = PollFlags::POLLIN;
            flags.set(PollFlags::POLLOUT, guest.link.waiting() > 0);
            fds.push(PollFd::new(guest.link.fd(), flags));
        }
        let timeout = PollTimeout::try_from(timeout.as_millis().min(60_000) as i32 + 1).unwrap_or(PollTimeout::MAX);
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let signalled = is_told_to_end(self.signals);
        for guest in &mut self.guests {
            guest.link.flush();
            guest.link.fill();
            while let Some(said) = guest.link.receive::<FromNode>() {
                match said {
                    FromNode::Here(info) if info.index > 0 && info.index < self.count => guest.info = Some(*info),
                    FromNode::Here(_) => guest.link.closed = true,
                    FromNode::Checked(right) => guest.checked = Some(right),
                }
            }
        }
        while let Ok((stream, _)) = self.listener.accept() {
            if let Ok(link) = Link::accepted(stream, &self.key) {
                self.guests.push(Guest { link, since: Instant::now(), info: None, checked: None });
            }
        }
        self.show_out();
        Ok(signalled)
    }

    /// Ends what leads nowhere.
    fn show_out(&mut self) {
        self.guests.retain(|g| !g.link.closed && (g.info.is_some() || g.since.elapsed() < SILENCE));
        // Of two who say they are the same node, the one that came later is it.
        let index = |g: &Guest| g.info.as_ref().map(|i| i.index);
        let claims: Vec<Option<usize>> = self.guests.iter().map(index).collect();
        let mut at = 0;
        self.guests.retain(|_| {
            let (mine, later) = (claims.get(at).copied().flatten(), claims.get(at + 1..).unwrap_or_default());
            at += 1;
            mine.is_none() || !later.contains(&mine)
        });
        let strangers = self.guests.iter().filter(|g| g.info.is_none()).count();
        let mut surplus = strangers.saturating_sub(STRANGERS);
        self.guests.retain(|g| {
            let goes = g.info.is_none() && surplus > 0;
            surplus -= usize::from(goes);
            !goes
        });
    }

    /// The nodes that are there, but for the first.
    pub fn infos(&self) -> Vec<&Info> {
        self.guests.iter().filter_map(|g| g.info.as_ref()).collect()
    }

    /// Whether all are there.
    pub fn is_complete(&self) -> bool {
        self.infos().len() + 1 >= self.count
    }

    /// Tells all who are there.
    pub fn tell(&mut self, said: &ToNode) {
        for guest in self.guests.iter_mut().filter(|g| g.info.is_some()) {
            guest.link.send(said);
        }
    }

    /// Whether the names are right on all of them, once all have said so.
    pub fn checked(&self) -> Option<bool> {
        let said: Option<Vec<bool>> = self.guests.iter().filter(|g| g.info.is_some()).map(|g| g.checked).collect();
        said.map(|all| all.into_iter().all(|right| right))
    }

    /// The connections, by the nodes' places.
    pub fn into_links(self) -> Vec<(usize, Link)> {
        self.guests.into_iter().filter_map(|g| Some((g.info?.index, g.link))).collect()
    }
}

/// Why a node has not found the first.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotFound {
    /// A signal came.
    #[error("ended while it waited for the first node")]
    Signalled,
    /// Nobody has said where it is.
    #[error("nothing was heard of the job's first node")]
    Untold,
    /// It went away again.
    #[error("the first node's agent has ended")]
    Gone,
    /// It was not there in time.
    #[error("the first node's agent at {0} cannot be reached")]
    Away(String),
}

/// Another node's way to the first.
pub(super) struct Knocking<'a> {
    /// The first node's address.
    pub address: &'a str,
    pub key: Key,
    /// What ends the wait.
    pub signals: &'a SignalFd,
    pub until: Instant,
    /// Between two rounds: [`pause`].
    pub pause: Duration,
}

/// How long to wait between two rounds where a job has `nodes` nodes, so that the first one is not overrun: at most
/// some thousand knocks a second in all.
pub(super) fn pause(nodes: usize) -> Duration {
    Duration::from_micros(10_000 + 500 * nodes as u64)
}

impl Knocking<'_> {
    /// Knocks until the first node opens; gives its address and the connection.
    pub fn knock(&self) -> Result<(SocketAddr, Link), NotFound> {
        let away = || NotFound::Away(self.address.to_owned());
        let address: IpAddr = self.address.parse().map_err(|_| away())?;
        let ports = ports(&self.key);
        for round in 0.. {
            let tried = if round % ALL_PORTS_EVERY == 0 { ports.len() } else { 1 };
            for port in ports.iter().take(tried) {
                let address = SocketAddr::new(address, *port);
                if let Some(link) = self.try_at(address)? {
                    return Ok((address, link));
                }
            }
            if Instant::now() >= self.until {
                break;
            }
            self.poll([], Instant::now() + self.pause)?;
        }
        Err(away())
    }

    /// Whether the first node is at `address`.
    fn try_at(&self, address: SocketAddr) -> Result<Option<Link>, NotFound> {
        let until = Instant::now() + KNOCK;
        let Ok(stream) = link::begin(address) else { return Ok(None) };
        self.poll([PollFd::new(stream.as_fd(), PollFlags::POLLOUT)], until)?;
        // Most often nobody listens yet; a session is made only where somebody does.
        if !matches!(stream.take_error(), Ok(None)) || stream.peer_addr().is_err() {
            return Ok(None);
        }
        let Ok(mut link) = Link::calling(stream, &self.key) else { return Ok(None) };
        while !link.closed && !link.is_trusted() && Instant::now() < until {
            self.wait(&mut link, until)?;
        }
        Ok(Some(link).filter(|link| link.is_trusted() && !link.closed))
    }

    /// The next that the first node says.
    pub fn hear(&self, link: &mut Link) -> Result<ToNode, NotFound> {
        loop {
            if let Some(said) = link.receive() {
                return Ok(said);
            }
            if link.closed || Instant::now() >= self.until {
                return Err(NotFound::Gone);
            }
            self.wait(link, self.until)?;
        }
    }

    fn wait(&self, link: &mut Link, until: Instant) -> Result<(), NotFound> {
        let mut flags = PollFlags::POLLIN;
        flags.set(PollFlags::POLLOUT, link.waiting() > 0);
        if self.poll([PollFd::new(link.fd(), flags)], until)? {
            link.flush();
            link.fill();
        }
        Ok(())
    }

    fn poll<const N: usize>(&self, others: [PollFd; N], until: Instant) -> Result<bool, NotFound> {
        wait_for(self.signals, others, until)
    }
}

/// Waits for `others`; whether the last of them is ready.
pub(super) fn wait_for<const N: usize>(
    signals: &SignalFd,
    others: [PollFd; N],
    until: Instant,
) -> Result<bool, NotFound> {
    let mut fds = vec![PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
    fds.extend(others);
    let left = until.saturating_duration_since(Instant::now()).as_millis().min(60_000) as i32 + 1;
    let _ = poll(&mut fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX));
    if is_told_to_end(signals) {
        return Err(NotFound::Signalled);
    }
    Ok(N > 0 && fds.last().is_some_and(|fd| fd.any().unwrap_or(false)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::{signal::SigSet, signalfd::SfdFlags};

    fn no_signals() -> SignalFd {
        SignalFd::with_flags(&SigSet::empty(), SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).unwrap()
    }

    fn key() -> Key {
        let mut key = [0; 32];
        getrandom::fill(&mut key).unwrap();
        key
    }

    fn knocking(key: Key, signals: &SignalFd) -> Knocking<'_> {
        let until = Instant::now() + Duration::from_secs(20);
        Knocking { address: "127.0.0.1", key, signals, until, pause: pause(2) }
    }

    /// One node finds the other, and is heard.
    fn meets(key: Key) -> usize {
        let other = std::thread::spawn(move || {
            let signals = no_signals();
            let knocking = knocking(key, &signals);
            let (address, mut link) = knocking.knock().unwrap();
            link.send(&FromNode::Here(Box::new(Info { index: 1, ..Info::default() })));
            assert!(matches!(knocking.hear(&mut link), Ok(ToNode::Names(hosts)) if hosts.is_empty()));
            link.send(&FromNode::Checked(true));
            assert!(matches!(knocking.hear(&mut link), Err(NotFound::Gone)));
            address.port()
        });
        let signals = no_signals();
        let listener = listen("127.0.0.1", &key).unwrap();
        let mut gathering = Gathering::new(&listener, key, &signals, 2);
        while !gathering.is_complete() {
            gathering.turn(Duration::from_secs(1)).unwrap();
        }
        gathering.tell(&ToNode::Names(Vec::new()));
        while gathering.checked().is_none() {
            gathering.turn(Duration::from_secs(1)).unwrap();
        }
        assert_eq!(gathering.checked(), Some(true));
        drop(gathering);
        drop(listener);
        let port = other.join().unwrap();
        ports(&key).iter().position(|p| *p == port).unwrap()
    }

    #[test]
    fn nodes_meet_at_the_first_free_port() {
        assert_eq!(meets(key()), 0);
    }

    #[test]
    fn somebody_else_s_ports_are_passed_by() {
        let key = key();
        // One that never says a word, and one that is another job's.
        let silent = TcpListener::bind(("127.0.0.1", ports(&key)[0])).unwrap();
        let other = TcpListener::bind(("127.0.0.1", ports(&key)[1])).unwrap();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = other.accept() {
                let mut link = Link::accepted(stream, &[1; 32]).unwrap();
                while !link.closed {
                    link.fill();
                }
            }
        });
        assert_eq!(meets(key), 2);
        drop(silent);
    }

    #[test]
    fn strangers_are_shown_out_when_they_are_too_many() {
        let (key, signals) = (key(), no_signals());
        let listener = listen("127.0.0.1", &key).unwrap();
        let mut gathering = Gathering::new(&listener, key, &signals, 2);
        let address = listener.local_addr().unwrap();
        let mut strangers = Vec::new();
        for _ in 0..STRANGERS + 20 {
            strangers.push(std::net::TcpStream::connect(address).unwrap());
            gathering.turn(Duration::ZERO).unwrap();
        }
        while gathering.guests.len() < STRANGERS {
            gathering.turn(Duration::from_secs(1)).unwrap();
        }
        assert!(gathering.guests.len() == STRANGERS && !gathering.is_complete());
    }
}
