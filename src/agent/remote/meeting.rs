//! How the nodes of further components find the first node of a heterogeneous job.
//!
//! Each component is a task of its own, which SkyPilot tells nothing of the others on most infra. So the first node says in the
//! job's log where it is, the controller brings that to the other components' nodes as a file, and they knock there.

use super::{
    rendezvous::{Knocking, NotFound, pause, wait_for},
    surroundings::key_at,
};
use crate::agent::{Meeting, link::Link, noise::Key};
use nix::sys::signalfd::SignalFd;
use std::{
    fs,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

/// How often the file is looked for.
const PERIOD: Duration = Duration::from_millis(500);

/// After so long at a closed door the file is read again: the first node may be another by now.
const DOOR: Duration = Duration::from_secs(10);

/// Waits for `file` and knocks where it says, until the first node opens: its address, the connection, and the key. `nodes`
/// are those of all components.
pub(super) fn find(
    file: &Path,
    secret: &[u8; 32],
    nodes: usize,
    signals: &SignalFd,
    until: Instant,
) -> Result<(SocketAddr, Link, Key), NotFound> {
    let mut closed = NotFound::Untold;
    loop {
        let meeting = fs::read(file).ok().and_then(|text| serde_json::from_slice::<Meeting>(&text).ok());
        if let Some(meeting) = meeting {
            let (key, until) = (key_at(&meeting, secret), until.min(Instant::now() + DOOR));
            match (Knocking { address: &meeting.address, key, signals, until, pause: pause(nodes) }).knock() {
                Ok((address, link)) => return Ok((address, link, key)),
                Err(away @ NotFound::Away(_)) => closed = away,
                Err(error) => return Err(error),
            }
        }
        if Instant::now() >= until {
            return Err(closed);
        }
        wait_for(signals, [], until.min(Instant::now() + PERIOD))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::remote::rendezvous::{FromNode, Gathering, Info, listen};
    use nix::sys::{signal::SigSet, signalfd::SfdFlags};

    #[test]
    fn a_node_waits_to_be_told_where_the_first_one_is() {
        let dir = tempfile::tempdir().unwrap();
        let (file, secret) = (dir.path().join("meeting"), [7; 32]);
        let no_signals =
            || SignalFd::with_flags(&SigSet::empty(), SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).unwrap();
        let signals = no_signals();
        assert!(matches!(find(&file, &secret, 2, &signals, Instant::now()), Err(NotFound::Untold)));
        let task = format!("run-{}", std::process::id()); // another test's ports are others
        let meeting = Meeting { address: "127.0.0.1".into(), listed: "127.0.0.1".into(), task };
        let key = key_at(&meeting, &secret);
        let listener = listen("127.0.0.1", &key).unwrap();
        let other = std::thread::spawn({
            let file = file.clone();
            move || {
                let until = Instant::now() + Duration::from_secs(20);
                let (_, mut link, found) = find(&file, &secret, 2, &no_signals(), until).unwrap();
                link.send(&FromNode::Here(Box::new(Info { index: 1, ..Info::default() })));
                (found, link)
            }
        });
        std::fs::write(&file, "not all of it is here ye").unwrap();
        std::fs::write(&file, serde_json::to_vec(&meeting).unwrap()).unwrap();
        let mut gathering = Gathering::new(&listener, key, &signals, 2);
        while !gathering.is_complete() {
            gathering.turn(Duration::from_secs(1)).unwrap();
        }
        assert_eq!(other.join().unwrap().0, key);
    }
}
