//! Reading a job's log, in pieces and in turn with others, and what is found in it.

use super::{AGAIN, CLUSTER_TRIES, Follow, LINES, NOT_YET, SHARE, SLICE, see_off};
use crate::{
    agent::{
        Event, EventKind,
        frame::{Found, Kind},
        wire::Control,
    },
    engine::{
        News,
        skypilot::{client::LogOf, names, output::Output, shared::Shared},
    },
    job::ExitStatus,
    slurm::{reason::Reason, state::JobState},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

/// A piece of a log.
pub(super) enum Piece {
    Bytes(Vec<u8>),
    End(Result<(), String>),
}

/// The reading of one log.
pub(super) struct Attempt {
    pieces: mpsc::Receiver<Piece>,
    task: JoinHandle<()>,
    /// Whether it was opened before the job was known to run.
    is_early: bool,
    begun: Instant,
    /// Whether it was opened when the job was known to be over.
    is_last: bool,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(super) async fn next(attempt: &mut Option<Attempt>) -> Piece {
    match attempt {
        Some(attempt) => attempt.pieces.recv().await.unwrap_or(Piece::End(Ok(()))),
        None => std::future::pending().await,
    }
}

impl Follow {
    /// Opens the log.
    pub(super) fn open(&mut self) {
        let is_last = self.is_terminal();
        let row = self.told.as_ref();
        let is_starting = row.is_none_or(|r| r.status != "RUNNING");
        if !is_last && is_starting && row.is_none_or(|r| r.cluster_name_on_cloud.is_none()) {
            self.retry_at = Some(Instant::now() + NOT_YET); // there is no cluster yet
            return;
        }
        let of_cluster = !is_last && self.tries < CLUSTER_TRIES;
        let of =
            if of_cluster { LogOf::Cluster(names::cluster(&self.name, self.number)) } else { LogOf::Job(self.number) };
        self.tries += u32::from(!is_starting);
        self.reader.rewind();
        let (give, pieces) = mpsc::channel(4);
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            let end = read(&shared, &of, !is_last, &give).await;
            let _ = give.send(Piece::End(end)).await;
        });
        tracing::debug!(number = self.number, is_last, of_cluster, "log opened");
        self.attempt = Some(Attempt { pieces, task, is_last, is_early: is_starting, begun: Instant::now() });
    }

    /// A piece of the log; `true`: the job is over.
    pub(super) async fn piece(&mut self, piece: Piece) -> bool {
        match piece {
            Piece::Bytes(bytes) => {
                let mut found = Vec::new();
                let gap = self.reader.read(&bytes, &mut found);
                for found in found {
                    if !self.is_over {
                        self.found(found).await;
                    }
                }
                if let Err(gap) = gap {
                    tracing::warn!(number = self.number, %gap, "log read again");
                    self.attempt = None;
                    self.retry_at = Some(Instant::now() + AGAIN);
                }
                if self.is_over {
                    tokio::spawn(see_off(Arc::clone(&self.shared), self.name.clone(), self.number));
                }
                self.is_over
            }
            Piece::End(end) => {
                let Some(attempt) = self.attempt.take() else { return false };
                tracing::debug!(number = self.number, ?end, attempt.is_last, "log ends");
                if attempt.is_last && end.is_ok() {
                    self.ended_in_silence();
                    return true;
                }
                let pause = match attempt.is_early && !self.is_placed {
                    true => NOT_YET.max(attempt.begun.elapsed() * SHARE),
                    false => {
                        self.shared.poll.hurry();
                        AGAIN
                    }
                };
                self.retry_at = Some(Instant::now() + pause);
                false
            }
        }
    }

    pub(super) async fn found(&mut self, found: Found) {
        match found {
            Found::Run(run) => {
                self.tries = 0;
                match self.run {
                    Some(known) if known == run => {}
                    known => {
                        if known.is_some() {
                            self.tell(News::RunsAnew);
                        }
                        self.output = None;
                        self.events.clear();
                        self.next_run = Some(run);
                        self.run = Some(run);
                    }
                }
                self.next_run = Some(run);
            }
            Found::Data(Kind::Event, bytes) => {
                self.events.extend_from_slice(&bytes);
                while let Some(end) = self.events.iter().position(|b| *b == b'\n') {
                    let line: Vec<u8> = self.events.drain(..=end).collect();
                    match serde_json::from_slice::<Event>(&line) {
                        Ok(event) => self.event(event).await,
                        Err(error) => tracing::warn!(number = self.number, %error, "event not understood"),
                    }
                }
            }
            Found::Data(kind, bytes) => self.write(kind == Kind::Error, &bytes).await,
            Found::Line(line) => {
                if self.lines.len() >= LINES {
                    self.lines.pop_front();
                }
                self.lines.push_back(line);
            }
        }
    }

    pub(super) async fn event(&mut self, event: Event) {
        tracing::debug!(number = self.number, kind = ?event.kind, "event");
        match &event.kind {
            EventKind::Placed { placement } => {
                let node = placement.nodes.first().map(|n| n.node.clone()).unwrap_or_default();
                self.is_placed = true;
                if let Err(why) = self.open_files(&node) {
                    self.tell(News::Events(vec![event]));
                    return self.no_files(why).await;
                }
                if let Some(limit) = self.limit.take() {
                    self.send(limit);
                }
                if let Some((state, _)) = self.ending.filter(|_| !self.is_cancelled) {
                    let uid = self.job.request.user.uid;
                    self.send(Control::Terminate { uid, state });
                }
            }
            EventKind::Ended { .. } => self.is_over = true,
            _ => {}
        }
        self.tell(News::Events(vec![event]));
    }

    /// Opens the output files.
    ///
    /// # Errors
    /// Why that cannot be, if it is the first time for this run.
    fn open_files(&mut self, node: &str) -> Result<(), String> {
        let Some(run) = self.next_run else { return Ok(()) };
        // Where the nodes see the directory, the agent writes the files itself.
        let shared = self.shared.partition(&self.job.partition).is_some_and(|p| p.sees(&self.job.request.work_dir));
        if self.output.is_some() || shared {
            return Ok(());
        }
        let is_first = Output::begun(&self.layout.dir) != Some(run);
        match Output::open(&self.job, node, run, &self.layout.dir) {
            Ok(output) => self.output = Some(output),
            Err((path, error)) => {
                let why = format!("{}: {error}", path.display());
                tracing::error!(job = self.job.id, why, "output file not opened");
                if is_first {
                    return Err(why);
                }
            }
        }
        Ok(())
    }

    /// Ends a job whose output has no place, as Slurm does.
    async fn no_files(&mut self, why: String) {
        self.tell(News::Gone {
            state: JobState::Failed,
            reason: Reason::JobLaunchFailure,
            exit: ExitStatus::NO_FILES,
            detail: Some(why),
        });
        self.cancel().await;
        self.is_over = true;
    }

    /// Writes output, however long the disk is full.
    pub(super) async fn write(&mut self, is_error: bool, bytes: &[u8]) {
        let Some(output) = &mut self.output else { return };
        let mut is_told = false;
        while let Err(error) = output.write(is_error, bytes) {
            if !matches!(error.raw_os_error(), Some(nix::libc::ENOSPC | nix::libc::EDQUOT)) {
                tracing::error!(job = self.job.id, %error, "output not written");
                return;
            }
            if !is_told {
                tracing::error!(job = self.job.id, %error, "output waits for space");
                is_told = true;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Reads a log, in its turn.
async fn read(shared: &Shared, of: &LogOf, follow: bool, give: &mpsc::Sender<Piece>) -> Result<(), String> {
    let _place = shared.places.take().await;
    let mut log =
        shared.client.clone().with_patience(Duration::ZERO).log(of, follow).await.map_err(|e| e.to_string())?;
    let begun = Instant::now();
    while let Some(bytes) = log.next().await.map_err(|e| e.to_string())? {
        if give.send(Piece::Bytes(bytes)).await.is_err() {
            break;
        }
        if follow && begun.elapsed() > SLICE && shared.places.are_wanted() {
            return Err("others wait".into());
        }
    }
    Ok(())
}
