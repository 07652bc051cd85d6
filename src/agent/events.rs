//! Telling what happened: the job's event file, and the poke that says there is something new in it.

use super::{Event, EventKind, Layout};
use crate::{host::ipc, job::JobId};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

/// The writer of a job's event file.
pub(super) struct Events {
    file: File,
    poke: Option<PathBuf>,
    job: JobId,
    due: Vec<u8>,
}

impl Events {
    /// Makes the event file of `layout`. It must not be there: a controller that found none of it
    /// after a restart has made it, and has put the job back into the queue.
    pub fn create(layout: &Layout, job: JobId) -> io::Result<Self> {
        let file = OpenOptions::new().create_new(true).append(true).mode(0o600).open(layout.events())?;
        let poke = layout.dir.parent().map(Layout::poke);
        Ok(Self { file, poke, job, due: Vec::new() })
    }

    /// Notes that something happened now. It is told with the next [`Events::tell`].
    pub fn push(&mut self, kind: EventKind) {
        let event = Event { time: super::clock::now(), kind };
        if serde_json::to_writer(&mut self.due, &event).is_ok() {
            self.due.push(b'\n');
        }
    }

    /// Writes what is due, all at once, and pokes the engine. That nobody listens to the poke is no error:
    /// the file is what counts.
    pub fn tell(&mut self) -> io::Result<()> {
        if self.due.is_empty() {
            return Ok(());
        }
        self.file.write_all(&self.due)?;
        self.due.clear();
        if let Some(poke) = &self.poke {
            let _ = ipc::send_datagram(poke, self.job.to_string().as_bytes());
        }
        Ok(())
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
        events.push(EventKind::Started { pid: 1 });
        let exit = ExitStatus::exited(3);
        events.push(EventKind::Ended { state: JobState::Failed, exit, derived_exit: exit, cancelled_by: None });
        events.tell().unwrap();
        events.tell().unwrap();
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
