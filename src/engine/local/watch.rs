//! What the agents say, read from their event files.
//!
//! One task a job: it reads when it is poked and when the first node's agent ends. After a
//! restart of the controller the agent is no child any more; then the end of a connection
//! to its socket tells that it is gone.

use crate::{
    agent::{Event, EventKind, Layout, kill_orphans},
    engine::{News, Report},
    host::ipc,
    job::JobId,
};
use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::AsyncReadExt,
    net::{UnixDatagram, UnixStream},
    process::Child,
    sync::{Notify, mpsc::UnboundedSender},
    task::JoinHandle,
};

/// Who is to be woken when a job's agent pokes.
#[derive(Clone, Default)]
pub struct Pokes(Arc<Mutex<HashMap<JobId, Arc<Notify>>>>);

impl Pokes {
    /// Listens at `path` for datagrams that name a job.
    pub fn listen(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = ipc::bind_datagram(path)?;
        socket.set_nonblocking(true)?;
        let socket = UnixDatagram::from_std(socket)?;
        let pokes = Self::default();
        let wake = pokes.clone();
        tokio::spawn(async move {
            let mut text = [0; 32];
            while let Ok(length) = socket.recv(&mut text).await {
                let id = std::str::from_utf8(&text[..length]).ok().and_then(|t| t.trim().parse().ok());
                if let Some(notify) = id.and_then(|id| wake.find(id)) {
                    notify.notify_one();
                }
            }
        });
        Ok(pokes)
    }

    fn find(&self, id: JobId) -> Option<Arc<Notify>> {
        self.0.lock().ok()?.get(&id).cloned()
    }

    fn add(&self, id: JobId) -> Arc<Notify> {
        let notify = Arc::new(Notify::new());
        if let Ok(mut all) = self.0.lock() {
            all.insert(id, Arc::clone(&notify));
        }
        notify
    }

    fn remove(&self, id: JobId) {
        if let Ok(mut all) = self.0.lock() {
            all.remove(&id);
        }
    }
}

/// The eye on one job.
pub struct Watch {
    id: JobId,
    pokes: Pokes,
    task: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.pokes.remove(self.id);
        self.task.abort();
    }
}

impl Watch {
    /// On a job whose agents are children of this process, the first node's first.
    pub fn children(
        id: JobId,
        spool: Layout,
        children: Vec<Child>,
        pokes: &Pokes,
        reports: UnboundedSender<Report>,
    ) -> Self {
        let mut children = children.into_iter();
        let first = children.next();
        for mut other in children {
            tokio::spawn(async move { other.wait().await });
        }
        Self::spawn(id, spool, pokes, reports, async move {
            if let Some(mut first) = first {
                let _ = first.wait().await;
            }
        })
    }

    /// On a job whose agents were started by a former controller; or were about to be.
    pub fn adopted(id: JobId, spool: Layout, pokes: &Pokes, reports: UnboundedSender<Report>) -> Self {
        let (layout, news) = (spool.clone(), reports.clone());
        Self::spawn(id, spool, pokes, reports, async move {
            // An agent that was just started may not listen yet.
            for _ in 0..100 {
                if let Ok(mut stream) = connect(&layout.socket(0)).await {
                    let _ = stream.read(&mut [0; 1]).await;
                    return;
                }
                if !layout.launch().exists() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            // An agent makes the event file before anything else. Once we have made it, none will run.
            if std::fs::create_dir_all(&layout.dir).and_then(|()| std::fs::File::create_new(layout.events())).is_ok() {
                let _ = news.send(Report { job: id, news: News::NeverStarted });
                std::future::pending().await
            }
        })
    }

    fn spawn(
        id: JobId,
        spool: Layout,
        pokes: &Pokes,
        reports: UnboundedSender<Report>,
        gone: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let notify = pokes.add(id);
        let task = tokio::spawn(async move {
            let mut reader = EventReader { offset: 0, spool };
            let mut gone = std::pin::pin!(gone);
            let mut over = false;
            let mut lost = false;
            // Events of before this watch.
            notify.notify_one();
            while !over && !lost {
                tokio::select! {
                    biased;
                    () = notify.notified() => {}
                    () = &mut gone => lost = true,
                }
                let events = reader.read();
                over = events.iter().any(|e| e.component == 0 && matches!(e.kind, EventKind::Ended { .. }));
                if !events.is_empty() {
                    let _ = reports.send(Report { job: id, news: News::Events(events) });
                }
            }
            if !over {
                let text = std::fs::read(reader.spool.launch()).unwrap_or_default();
                if let Ok(launch) = serde_json::from_slice(&text) {
                    kill_orphans(&launch, None);
                }
                let _ = reports.send(Report { job: id, news: News::Lost });
            }
            if !lost {
                // The agent has said its last word; it is waited for, lest it stay a zombie.
                gone.await;
            }
        });
        Self { id, pokes: pokes.clone(), task }
    }
}

/// Reads an event file on from where it stopped.
struct EventReader {
    offset: u64,
    spool: Layout,
}

impl EventReader {
    fn read(&mut self) -> Vec<Event> {
        use std::os::unix::fs::FileExt;
        let Ok(file) = std::fs::File::open(self.spool.events()) else { return Vec::new() };
        let length = file.metadata().map_or(0, |m| m.len());
        let mut bytes = vec![0; length.saturating_sub(self.offset) as usize];
        if bytes.is_empty() || file.read_exact_at(&mut bytes, self.offset).is_err() {
            return Vec::new();
        }
        // A line without its end is still being written.
        let Some(end) = bytes.iter().rposition(|b| *b == b'\n') else { return Vec::new() };
        self.offset += end as u64 + 1;
        bytes[..=end]
            .split(|b| *b == b'\n')
            .filter(|line| !line.is_empty())
            .filter_map(|line| {
                serde_json::from_slice(line)
                    .inspect_err(
                        |error| tracing::warn!(%error, dir = %self.spool.dir.display(), "event not understood"),
                    )
                    .ok()
            })
            .collect()
    }
}

/// Connects without blocking for long: the other end is on this machine.
async fn connect(socket: &Path) -> io::Result<UnixStream> {
    let stream = ipc::connect(socket)?;
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}
