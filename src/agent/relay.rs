//! Brings the socket of an agent that is elsewhere to this machine: what connects here is connected to its door there, and
//! handed on unread, encrypted between the two. A process of its own, which goes when nobody has used it for a while.

use super::{link::Link, noise::Key};
use crate::host::ipc;
use nix::{
    errno::Errno,
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    net::{SocketAddr, TcpStream},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{net::UnixListener, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The end there has so long to show that it is the right one.
const KNOCK: Duration = Duration::from_secs(10);

/// How often is looked whether what carries the connections is still there.
const LOOK: Duration = Duration::from_secs(1);

/// What is to be done; in a file that nobody else can read.
#[derive(Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The socket that is made. With it goes the directory of this file.
    pub here: PathBuf,
    /// The agent's door.
    pub there: There,
    /// What opens it.
    pub key: Key,
    /// It ends when nobody was connected for so long, seconds.
    pub idle: u64,
}

/// Where the door is.
#[derive(Debug, Serialize, Deserialize)]
pub enum There {
    /// At this address.
    Address(SocketAddr),
    /// Behind a socket that a command makes and serves for as long as it runs, in the directory it is started in.
    Behind {
        /// The socket.
        socket: PathBuf,
        /// The command, its arguments, and the directory.
        command: (PathBuf, Vec<String>, PathBuf),
    },
}

/// Why it has ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The file.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The command.
    #[error("{}: {source}", path.display())]
    Command {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The command has ended, and said why.
    #[error("the connection has ended")]
    Ended,
    /// Waiting.
    #[error(transparent)]
    Wait(#[from] io::Error),
}

/// Does what the plan in `file` says, until nobody needs it any more.
///
/// # Errors
/// [`RelayError`]
pub fn run(file: &Path) -> Result<(), RelayError> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| RelayError::File { path, source }
    };
    let bytes = fs::read(file).map_err(fail(file))?;
    let plan: Plan = serde_json::from_slice(&bytes).map_err(|e| fail(file)(e.into()))?;
    let mut carrier = match &plan.there {
        There::Address(_) => None,
        There::Behind { command, .. } => Some(start(command)?),
    };
    let _ = fs::remove_file(&plan.here);
    let listener = ipc::listen(&plan.here).map_err(fail(&plan.here))?;
    listener.set_nonblocking(true)?;
    let ended = Relay { plan: &plan, listener, pairs: Vec::new(), idle_since: Instant::now() }.serve(&mut carrier);
    let _ = fs::remove_file(&plan.here);
    if let Some(carrier) = &mut carrier {
        let _ = carrier.kill();
        let _ = carrier.wait();
    }
    // While it stands, whatever is wrong is to be read in it.
    if let (Ok(()), Some(dir)) = (&ended, file.parent()) {
        let _ = fs::remove_dir_all(dir);
    }
    ended
}

/// Starts what carries the connections. It is not left behind.
fn start((program, args, dir): &(PathBuf, Vec<String>, PathBuf)) -> Result<Child, RelayError> {
    let mut command = Command::new(program);
    command.args(args).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null());
    // SAFETY: prctl may be called between fork and exec.
    unsafe {
        command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        });
    }
    command.spawn().map_err(|source| RelayError::Command { path: program.clone(), source })
}

/// A client here, and its connection there.
struct Pair {
    here: Link,
    there: Link,
    since: Instant,
}

struct Relay<'a> {
    plan: &'a Plan,
    listener: UnixListener,
    pairs: Vec<Pair>,
    idle_since: Instant,
}

impl Relay<'_> {
    /// Serves until nobody has come for a while.
    fn serve(&mut self, carrier: &mut Option<Child>) -> Result<(), RelayError> {
        let idle = Duration::from_secs(self.plan.idle);
        loop {
            if let Some(carrier) = carrier
                && carrier.try_wait()?.is_some()
            {
                return Err(RelayError::Ended);
            }
            if !self.pairs.is_empty() {
                self.idle_since = Instant::now();
            }
            let left = idle.saturating_sub(self.idle_since.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            let looks = carrier.is_some() || self.pairs.iter().any(|pair| !pair.there.is_trusted());
            let busy = if self.pairs.is_empty() { left } else { idle };
            let wait = if looks { busy.min(LOOK) } else { busy };
            self.wait(wait)?;
            self.pairs.iter_mut().for_each(Pair::hand_on);
            self.pairs.retain(|pair| !pair.is_over());
            while let Ok((stream, _)) = self.listener.accept() {
                let own = nix::unistd::geteuid().as_raw();
                if ipc::peer_uid(&stream).is_ok_and(|uid| uid == own || uid == 0)
                    && let (Ok(here), Ok(there)) = (Link::new(stream), self.dial())
                {
                    self.pairs.push(Pair { here, there, since: Instant::now() });
                }
            }
        }
    }

    fn dial(&self) -> io::Result<Link> {
        match &self.plan.there {
            There::Address(address) => Link::connecting(*address, &self.plan.key),
            There::Behind { socket, .. } => {
                let stream = ipc::connect(socket)?;
                stream.set_nonblocking(true)?;
                // A stream like any other.
                Link::calling(TcpStream::from(OwnedFd::from(stream)), &self.plan.key)
            }
        }
    }

    fn wait(&self, timeout: Duration) -> io::Result<()> {
        let mut fds = vec![PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
        for pair in &self.pairs {
            for (link, other) in [(&pair.here, &pair.there), (&pair.there, &pair.here)] {
                let mut flags = PollFlags::empty();
                flags.set(PollFlags::POLLIN, !other.is_full());
                flags.set(PollFlags::POLLOUT, link.waiting() > 0);
                // Of one that has closed poll would tell for ever.
                if !link.closed && !flags.is_empty() {
                    fds.push(PollFd::new(link.fd(), flags));
                }
            }
        }
        // One more, since poll counts whole milliseconds.
        let millis = timeout.as_millis().saturating_add(1).min(i32::MAX as u128) as i32;
        match poll(&mut fds, PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl Pair {
    fn hand_on(&mut self) {
        pass(&mut self.here, &mut self.there);
        pass(&mut self.there, &mut self.here);
    }

    fn is_over(&self) -> bool {
        (self.here.closed && self.there.closed) || (!self.there.is_trusted() && self.since.elapsed() > KNOCK)
    }
}

/// What has arrived from one goes to the other, as far as that takes it.
fn pass(from: &mut Link, to: &mut Link) {
    if !from.closed && !to.is_full() {
        from.fill();
    }
    let bytes = from.take_raw();
    if !bytes.is_empty() {
        to.send_raw(&bytes);
    }
    to.flush();
    // What is on its way still arrives; then the other end closes, too.
    if from.closed {
        to.close_when_sent();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Read, io::Write, net::TcpListener, os::unix::net::UnixStream, thread};

    const KEY: Key = [5; 32];

    /// An agent's door that says everything twice, to one who has `key`.
    fn echo(key: Key) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let mut link = Link::accepted(listener.accept().unwrap().0, &key).unwrap();
            while !link.closed {
                let mut flags = PollFlags::POLLIN;
                flags.set(PollFlags::POLLOUT, link.waiting() > 0);
                let _ = poll(&mut [PollFd::new(link.fd(), flags)], PollTimeout::NONE);
                link.fill();
                let bytes = link.take_raw();
                link.send_raw(&bytes);
                link.send_raw(&bytes);
            }
        });
        address
    }

    /// A relay to `there` that ends at once when it is idle; it is connected to.
    fn relay(there: There) -> (tempfile::TempDir, thread::JoinHandle<Result<(), RelayError>>, UnixStream) {
        let dir = tempfile::tempdir().unwrap();
        let way = dir.path().join("ssh");
        fs::create_dir(&way).unwrap();
        let here = dir.path().join("here");
        let plan = Plan { here: here.clone(), there, key: KEY, idle: 1 };
        let file = way.join("relay");
        fs::write(&file, serde_json::to_vec(&plan).unwrap()).unwrap();
        let runs = thread::spawn(move || run(&file));
        let stream = loop {
            match ipc::connect(&here) {
                Ok(stream) => break stream,
                Err(_) => thread::yield_now(),
            }
        };
        (dir, runs, stream)
    }

    #[test]
    fn what_is_said_arrives_and_nothing_is_left_behind() {
        let (dir, runs, mut stream) = relay(There::Address(echo(KEY)));
        let said = vec![7; 3 << 20];
        let mut reader = stream.try_clone().unwrap();
        let heard = thread::spawn(move || {
            let mut heard = vec![0; 6 << 20];
            reader.read_exact(&mut heard).map(|()| heard.iter().all(|b| *b == 7))
        });
        stream.write_all(&said).unwrap();
        assert!(heard.join().unwrap().unwrap());
        drop(stream);
        runs.join().unwrap().unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn who_has_another_key_is_not_let_in() {
        let (_dir, runs, mut stream) = relay(There::Address(echo([6; 32])));
        stream.write_all(b"hello").unwrap();
        assert_eq!(stream.read(&mut [0; 9]).unwrap(), 0);
        runs.join().unwrap().unwrap();
    }

    #[test]
    fn it_ends_with_what_carries_it() {
        let command = ("sleep".into(), vec!["0.3".into()], "/".into());
        let (dir, runs, _) = relay(There::Behind { socket: "/nonexistent".into(), command });
        assert!(matches!(runs.join().unwrap(), Err(RelayError::Ended)));
        assert!(!dir.path().join("here").exists() && dir.path().join("ssh/relay").exists());
    }
}
