//! Telling what happened: the job's event file, and the poke that says there is something new in it.

use super::{Event, EventKind, Layout};
use crate::{host::ipc, job::JobId};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    time::{Duration, Instant},
};

/// A poke waits so long for more to tell; the end of a step or of the job does not wait, nor does an allocation that is ready:
/// somebody waits for these.
const GATHER: Duration = Duration::from_millis(15);

/// A full disk is tried again after this.
const RETRY: Duration = Duration::from_millis(500);

/// The writer of a job's event file.
pub(super) struct Events {
    file: File,
    poke: Option<PathBuf>,
    job: JobId,
    /// What is not written yet.
    due: Vec<u8>,
    /// When to poke, or to write again what could not be written.
    again: Option<Instant>,
    is_urgent: bool,
    is_over: bool,
}

impl Events {
    /// Makes the event file of `layout`. It must not be there: a controller that found none of it
    /// after a restart has made it, and has put the job back into the queue.
    pub fn create(layout: &Layout, job: JobId) -> io::Result<Self> {
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(layout.events())?;
        let poke = layout.dir.parent().map(Layout::poke);
        Ok(Self { file, poke, job, due: Vec::new(), again: None, is_urgent: false, is_over: false })
    }

    /// Notes that something happened now. It is told with the next [`Events::tell`].
    pub fn push(&mut self, component: u32, kind: EventKind) {
        self.is_urgent |=
            matches!(kind, EventKind::Started { pid: 0 } | EventKind::StepEnded { .. } | EventKind::Ended { .. });
        self.is_over |= component == 0 && matches!(kind, EventKind::Ended { .. });
        let event = Event { time: super::clock::now(), component, kind };
        if serde_json::to_writer(&mut self.due, &event).is_ok() {
            self.due.push(b'\n');
        }
    }

    /// Writes what is due, and pokes the engine when it is time. That nobody listens to the poke is no
    /// error: the file is what counts. What cannot be written, since the disk is full, stays due.
    pub fn tell(&mut self) {
        let now = Instant::now();
        if !self.due.is_empty() {
            while !self.due.is_empty() {
                match self.file.write(&self.due) {
                    Ok(written) => drop(self.due.drain(..written)),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return self.again = Some(now + RETRY),
                }
            }
            let poke_at = if std::mem::take(&mut self.is_urgent) { now } else { now + GATHER };
            self.again = Some(self.again.map_or(poke_at, |earlier| earlier.min(poke_at)));
        }
        if self.again.is_some_and(|at| at <= now) {
            self.again = None;
            let poked = self.poke.as_ref().map(|poke| ipc::send_datagram(poke, self.job.to_string().as_bytes()));
            // An engine that is busy is poked again; the end of the job it sees by our end.
            if let Some(Err(error)) = poked
                && error.kind() == io::ErrorKind::WouldBlock
                && !self.is_over
            {
                self.again = Some(now + GATHER);
            }
        }
    }

    /// Whether all was written.
    pub fn is_told(&self) -> bool {
        self.due.is_empty()
    }

    /// How long until [`Events::tell`] has something to do.
    pub fn wait(&self) -> Option<Duration> {
        self.again.map(|at| at.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::ExitStatus;
    use crate::slurm::state::JobState;

    #[test]
    fn events_are_lines_and_come_with_one_poke() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), 7);
        std::fs::create_dir(&layout.dir).unwrap();
        let poked = ipc::bind_datagram(&Layout::poke(dir.path())).unwrap();
        let mut events = Events::create(&layout, 7).unwrap();
        events.push(0, EventKind::Started { pid: 1 });
        let exit = ExitStatus::exited(3);
        events.push(1, EventKind::Ended { state: JobState::Failed, exit, derived_exit: exit, cancelled_by: None });
        events.tell();
        events.tell();
        let text = std::fs::read_to_string(layout.events()).unwrap();
        let read: Vec<Event> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(read.len(), 2);
        let mut buffer = [0; 16];
        let n = poked.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], b"7");
        poked.set_nonblocking(true).unwrap();
        assert!(poked.recv(&mut buffer).is_err());
    }
}
