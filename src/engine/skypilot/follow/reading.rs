//! Reading a job's log, in pieces and in turn with others, and what is found in it.

use super::{AGAIN, Follow, LAST_LOOKS, LATEST, LINES, NOT_YET, SHARE, SLICE};
use crate::{
    agent::{
        Event, EventKind,
        frame::{Found, Kind},
        wire::Control,
    },
    engine::{
        News,
        skypilot::{
            client::LogOf,
            output::Output,
            shared::{Meet, Shared},
            vehicle::Status,
            way_in::{self, Target, WayIn},
        },
    },
    job::{ExitStatus, Kind as JobKind},
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
    /// Opens the log; `true`: the job is over, and there is none.
    pub(super) fn open(&mut self) -> bool {
        let seen = self.seen.clone().unwrap_or_default();
        let is_last = seen.is_over();
        let is_starting = seen.status != Status::Running;
        let Some(of) = self.vehicle.log(&seen, self.tries) else {
            if is_last {
                self.ended_in_silence();
            } else {
                self.retry_at = Some(Instant::now() + NOT_YET);
            }
            return is_last;
        };
        tracing::debug!(job = self.job.id, is_last, ?of, "log opened");
        self.retry_at = None;
        self.tries += u32::from(!is_starting);
        self.reader.rewind();
        let (give, pieces) = mpsc::channel(4);
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move {
            let end = read(&shared, &of, !is_last, &give).await;
            let _ = give.send(Piece::End(end)).await;
        });
        self.attempt = Some(Attempt { pieces, task, is_last, is_early: is_starting, begun: Instant::now() });
        false
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
                    tracing::warn!(job = self.job.id, %gap, "log read again");
                    self.attempt = None;
                    self.retry_at = Some(Instant::now() + AGAIN);
                }
                self.is_over
            }
            Piece::End(end) => {
                let Some(attempt) = self.attempt.take() else { return false };
                tracing::debug!(job = self.job.id, ?end, attempt.is_last, "log ends");
                if attempt.is_last && end.is_ok() {
                    self.last_looks += 1;
                    if self.last_looks >= LAST_LOOKS {
                        self.ended_in_silence();
                        return true;
                    }
                }
                let pause = match attempt.is_early && !self.is_placed {
                    true => (attempt.begun.elapsed() * SHARE).clamp(NOT_YET, LATEST),
                    false => {
                        self.watch.hurry();
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
                        if self.target.take().is_some() {
                            way_in::close(&self.layout, &self.vehicle.cluster()).await;
                        }
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
                        Err(error) => tracing::warn!(job = self.job.id, %error, "event not understood"),
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
        tracing::debug!(job = self.job.id, kind = ?event.kind, "event");
        match &event.kind {
            // Of what is told of a further component nothing is to be done here.
            _ if event.component > 0 => {}
            EventKind::Awaits(meeting) => {
                self.shared.note_meet(self.job.id, Meet::At(meeting.clone()));
                return;
            }
            EventKind::Placed { placement } => {
                let node = placement.nodes.first().map(|n| n.node.clone()).unwrap_or_default();
                // After a restart of the controller it is heard of again.
                let is_known = std::mem::replace(&mut self.is_placed, true);
                if let Err(why) = self.open_files(&node) {
                    self.tell(News::Events(vec![event]));
                    return self.no_files(why).await;
                }
                if self.job.het.is_some() {
                    self.shared.note_meet(self.job.id, Meet::Met);
                }
                for limit in std::mem::take(&mut self.limits) {
                    self.send(limit);
                }
                if let Some((state, _)) = self.ending.filter(|_| !is_known && !self.is_cancelled) {
                    let uid = self.job.request.user.uid;
                    self.send(Control::Terminate { uid, state });
                }
            }
            EventKind::Reachable(reach) => {
                let (cluster, layout) = (self.vehicle.cluster(), self.layout.clone());
                let entry = self.shared.settings.ssh_config.unwrap_or(true);
                let target = Target { job: self.job.id, cluster, reach: reach.clone(), layout, entry };
                if !self.vehicle.stays() {
                    self.target = Some(target);
                    std::mem::take(&mut self.askers).into_iter().for_each(|answer| self.let_in(answer));
                } else if self.way_in.is_none() {
                    self.way_in = Some(WayIn::open(self.shared.client.clone(), target));
                }
            }
            // Who waits for it is told when there is a way in.
            EventKind::Started { .. } if self.way_in.is_some() => {
                self.ready = Some(event);
                return;
            }
            EventKind::Ended { state, .. } => {
                self.is_over = true;
                self.has_lost = *state == JobState::NodeFail;
            }
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
        if self.output.is_some() || shared || self.job.request.kind != JobKind::Batch {
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
