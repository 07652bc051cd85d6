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
