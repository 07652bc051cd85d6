//! One handed job, from its submission to its end: what its log says goes into the output files and to the controller,
//! what the controller wants goes to its agent or to the server.

use super::{
    client::{LogOf, QueueRow},
    control,
    imp::Shared,
    names,
    output::{self, Output},
    submit::{self, Group, Stage},
};
use crate::{
    agent::{
        Event, EventKind, Layout,
        frame::{Found, Kind, Reader},
        wire::Control,
    },
    engine::News,
    job::{ExitStatus, Job},
    slurm::{reason::Reason, state::JobState},
};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver},
    task::JoinHandle,
    time::Instant,
};

/// How a job ends of which nothing ever ran.
pub const NEVER_RAN: ExitStatus = ExitStatus(1 << 8);

/// A log that ended too early, or is not there yet, is opened again after this.
const AGAIN: Duration = Duration::from_secs(2);

/// So often the log of the cluster is tried before the job's own is, which lags behind but is always there.
const CLUSTER_TRIES: u32 = 5;

/// While others wait for a place, a log is followed for so long at a time.
const SLICE: Duration = Duration::from_secs(20);

/// An agent that was asked to end its job has `KillWait` and this.
const PATIENCE: Duration = Duration::from_secs(45);

/// A job whose agent has ended is over there within this time.
const WINDING_DOWN: Duration = Duration::from_secs(180);

/// Lines of others that are kept to explain a job that never began.
const LINES: usize = 20;

/// A piece of a log.
enum Piece {
    Bytes(Vec<u8>),
    End(Result<(), String>),
}

/// The reading of one log.
struct Attempt {
    pieces: mpsc::Receiver<Piece>,
    task: JoinHandle<()>,
    /// Whether it was opened when the job was known to be over.
    is_last: bool,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A job that is followed.
struct Follow {
    shared: Arc<Shared>,
    job: Job,
    name: String,
    rank: u32,
    number: u32,
    layout: Layout,
    reader: Reader,
    output: Option<Output>,
    /// The run that is in the files.
    run: Option<u32>,
    /// The run that is being read, until its files are open.
    next_run: Option<u32>,
    lines: VecDeque<String>,
    /// An event that has not come to its end.
    events: Vec<u8>,
    /// The agent runs.
    is_placed: bool,
    /// The agent has said how the job ended.
    is_over: bool,
    /// The row that was told last.
    told: Option<QueueRow>,
    attempt: Option<Attempt>,
    tries: u32,
    retry_at: Option<Instant>,
    /// The state it is to end in, and when the agent has had its time.
    ending: Option<(JobState, Instant)>,
    is_cancelled: bool,
    /// A new time limit, for when the agent runs.
    limit: Option<Control>,
    to_agent: Option<mpsc::UnboundedSender<Control>>,
    unreached: Option<UnboundedReceiver<Control>>,
}

/// Follows a job that is being submitted with `group`.
pub async fn submitted(shared: Arc<Shared>, job: Job, group: Arc<Group>, mut orders: UnboundedReceiver<Control>) {
    let rank = job.remote.as_ref().map_or(0, |r| r.rank);
    let mut stage = group.stage();
    let mut wanted: Vec<Control> = Vec::new();
    let number = loop {
        let now = stage.borrow_and_update().clone();
        match now {
            Stage::Taken(numbers) => break numbers.get(rank as usize).copied(),
            Stage::Failed(why) => {
                let end = wanted.iter().rev().find_map(ended_by);
                match end {
                    Some(state) => shared.tell(job.id, gone(state, None)),
                    None => submit::failed(&shared, &job, &why),
                }
                return;
            }
            Stage::Gathering => {
                if let Some(state) = wanted.iter().rev().find_map(ended_by).filter(|_| group.withdraw(rank)) {
                    shared.tell(job.id, gone(state, None));
                    return;
                }
            }
            Stage::Underway => {}
        }
        tokio::select! {
            changed = stage.changed() => if changed.is_err() { return },
            order = orders.recv() => match order {
                None => return,
                Some(order) => {
                    if let Some(state) = ended_by(&order) && group.withdraw(rank) {
                        shared.tell(job.id, gone(state, None));
                        return;
                    }
                    wanted.push(order);
                }
            },
        }
    };
    let Some(number) = number else {
        return submit::failed(&shared, &job, "the server has fewer jobs than were submitted");
    };
    shared.tell(job.id, News::Taken(number));
    adopted(shared, job, number, orders, wanted).await;
}

/// Follows a job that SkyPilot has under `number`.
pub async fn adopted(
    shared: Arc<Shared>,
    job: Job,
    number: u32,
    mut orders: UnboundedReceiver<Control>,
    wanted: Vec<Control>,
) {
    let layout = Layout::new(&shared.spool, job.id);
    let remote = job.remote.clone().unwrap_or_default();
    let run = Output::begun(&layout.dir);
    let mut known = shared.poll.watch(number);
    let mut follow = Follow {
        reader: Reader::new(),
        name: remote.name,
        rank: remote.rank,
        is_placed: job.state == JobState::Running,
        number,
        layout,
        output: None,
        run,
        next_run: None,
        lines: VecDeque::new(),
        events: Vec::new(),
        is_over: false,
        told: None,
        attempt: None,
        tries: 0,
        retry_at: None,
        ending: None,
        is_cancelled: false,
        limit: None,
        to_agent: None,
        unreached: None,
        shared,
        job,
    };
    for order in wanted {
        if follow.order(order).await {
            return;
        }
    }
    loop {
        let deadline = follow.deadline();
        let Follow { attempt, unreached, .. } = &mut follow;
        tokio::select! {
            order = orders.recv() => match order {
                None => return,
                Some(order) => if follow.order(order).await { return },
            },
            changed = known.changed() => {
                let row = known.borrow_and_update().clone();
                match (changed, row) {
                    (Ok(()), Some(row)) => if follow.status(row).await { return },
                    (Ok(()), None) => {}
                    (Err(_), _) => return,
                }
            }
            piece = next(attempt) => if follow.piece(piece).await { return },
            lost = missed(unreached) => follow.not_reached(&lost).await,
            () = tokio::time::sleep_until(deadline) => if follow.due().await { return },
        }
    }
}

async fn next(attempt: &mut Option<Attempt>) -> Piece {
    match attempt {
        Some(attempt) => attempt.pieces.recv().await.unwrap_or(Piece::End(Ok(()))),
        None => std::future::pending().await,
    }
}

async fn missed(unreached: &mut Option<UnboundedReceiver<Control>>) -> Control {
    if let Some(unreached) = unreached
        && let Some(control) = unreached.recv().await
    {
        return control;
    }
    std::future::pending().await
}

/// The state a job is to end in by this order.
fn ended_by(order: &Control) -> Option<JobState> {
    match order {
        Control::Terminate { state, .. } => Some(*state),
        _ => None,
    }
}

fn gone(state: JobState, detail: Option<String>) -> News {
    let reason = if state == JobState::NodeFail { Reason::NodeDown } else { Reason::None };
    News::Gone { state, reason, exit: ExitStatus::default(), detail }
}

impl Follow {
    fn deadline(&self) -> Instant {
        let ending = self.ending.map(|(_, at)| at).filter(|_| !self.is_cancelled);
        let far = Instant::now() + Duration::from_secs(3600);
        [self.retry_at, ending].into_iter().flatten().min().unwrap_or(far)
    }

    fn tell(&self, news: News) {
        self.shared.tell(self.job.id, news);
    }

    /// What the controller wants; `true`: the job is over.
    async fn order(&mut self, order: Control) -> bool {
        match &order {
            Control::Terminate { state, .. } => {
                let wait = Duration::from_secs(self.shared.kill_wait.into()) + PATIENCE;
                self.ending = Some((*state, Instant::now() + wait));
                if self.is_placed && !self.is_over {
                    self.send(order);
                    return false;
                }
                // Nothing of it runs yet, and once the server has taken this nothing will.
                let state = *state;
                if self.cancel().await {
                    self.tell(gone(state, None));
                    return true;
                }
                false
            }
            Control::TimeLimit(_) if !self.is_placed => {
                self.limit = Some(order);
                false
            }
            _ => {
                if self.is_placed {
                    self.send(order);
                }
                false
            }
        }
    }

    /// Has the order brought to the agent, after those before it.
    fn send(&mut self, order: Control) {
        if self.to_agent.is_none() {
            let (to_agent, mut orders) = mpsc::unbounded_channel::<Control>();
            let (lost, unreached) = mpsc::unbounded_channel();
            let (shared, name, rank, number) = (Arc::clone(&self.shared), self.name.clone(), self.rank, self.number);
            // A controller that was restarted does not know what the last one has sent.
            let mut serial = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(0));
            tokio::spawn(async move {
                while let Some(order) = orders.recv().await {
                    serial += 1;
                    let to = (name.as_str(), rank, number);
                    if let Err(error) = control::send(&shared.client, &shared.spool, to, serial, &order).await {
                        tracing::warn!(number, error, "agent not reached");
                        let _ = lost.send(order);
                    }
                }
            });
            self.to_agent = Some(to_agent);
            self.unreached = Some(unreached);
        }
        if let Some(to_agent) = &self.to_agent {
            let _ = to_agent.send(order);
        }
    }

    /// An order did not reach the agent: a job that was to end is ended by the server.
    async fn not_reached(&mut self, order: &Control) {
        if ended_by(order).is_some() && !self.is_over {
            self.cancel().await;
        }
    }

    /// Has the server cancel the job; whether it took that.
    async fn cancel(&mut self) -> bool {
        match self.shared.client.cancel(&[self.number]).await {
            Ok(()) => {
                self.is_cancelled = true;
                self.shared.poll.hurry();
                true
            }
            Err(error) => {
                tracing::warn!(number = self.number, %error, "not cancelled");
                if let Some((_, at)) = &mut self.ending {
                    *at = Instant::now() + AGAIN;
                }
                false
            }
        }
    }

    /// Something is due; `true`: the job is over.
    async fn due(&mut self) -> bool {
        let now = Instant::now();
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            self.open();
        }
        if let Some((state, at)) = self.ending
            && at <= now
            && !self.is_cancelled
            && self.cancel().await
            && !self.is_placed
        {
            self.tell(gone(state, None));
            return true;
        }
        false
    }

    /// What the server says of it; `true`: the job is over.
    async fn status(&mut self, row: QueueRow) -> bool {
        tracing::debug!(number = self.number, status = row.status, "status");
        let status = row.status.clone();
        match status.as_str() {
            "RECOVERING" if self.is_placed || self.run.is_some() => {
                if self.ending.is_none() {
                    self.tell(News::Preempted);
                    // It is submitted anew, with its count of restarts: what SkyPilot recovers is not wanted.
                    self.cancel().await;
                    return true;
                }
            }
            "STARTING" | "RUNNING" | "WINDING_DOWN" | "RECOVERING" => {
                if self.attempt.is_none() && self.retry_at.is_none() {
                    self.told = Some(row.clone());
                    self.open();
                }
            }
            _ => {}
        }
        if !self.is_placed {
            self.tell(waits(&row));
        }
        let over = is_terminal(&status);
        self.told = Some(row);
        if over {
            self.retry_at = None;
            // A log that is being followed ends by itself; what it has left out is read once more after it.
            if self.attempt.is_none() {
                self.open();
            } else {
                self.retry_at = Some(Instant::now() + SLICE);
            }
        }
        false
    }

    fn is_terminal(&self) -> bool {
        self.told.as_ref().is_some_and(|row| is_terminal(&row.status))
    }

    /// Opens the log.
    fn open(&mut self) {
        let is_last = self.is_terminal();
        let row = self.told.as_ref();
        let is_starting = row.is_none_or(|r| r.status != "RUNNING");
        if !is_last && is_starting && row.is_none_or(|r| r.cluster_name_on_cloud.is_none()) {
            return; // there is no cluster yet; the next row says more
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
        self.attempt = Some(Attempt { pieces, task, is_last });
    }

    /// A piece of the log; `true`: the job is over.
    async fn piece(&mut self, piece: Piece) -> bool {
        match piece {
            Piece::Bytes(bytes) => {
                let mut found = Vec::new();
                let gap = self.reader.read(&bytes, &mut found);
                for found in found {
                    self.found(found).await;
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
                let was_last = self.attempt.take().is_some_and(|a| a.is_last);
                tracing::debug!(number = self.number, ?end, was_last, "log ends");
                if was_last && end.is_ok() {
                    self.ended_in_silence();
                    return true;
                }
                self.shared.poll.hurry();
                self.retry_at = Some(Instant::now() + AGAIN);
                false
            }
        }
    }

    async fn found(&mut self, found: Found) {
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

    async fn event(&mut self, event: Event) {
        tracing::debug!(number = self.number, kind = ?event.kind, "event");
        match &event.kind {
            EventKind::Placed { placement } => {
                let node = placement.nodes.first().map(|n| n.node.clone()).unwrap_or_default();
                self.is_placed = true;
                self.open_files(&node).await;
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

    /// Opens the output files; where that cannot be, the job goes on without, as its output is lost anyway.
    async fn open_files(&mut self, node: &str) {
        let Some(run) = self.next_run else { return };
        if self.output.is_some() {
            return;
        }
        match Output::open(&self.job, node, run, &self.layout.dir) {
            Ok(output) => self.output = Some(output),
            Err((path, error)) => {
                tracing::error!(job = self.job.id, path = %path.display(), %error, "output file not opened");
            }
        }
    }

    /// Writes output, however long the disk is full.
    async fn write(&mut self, is_error: bool, bytes: &[u8]) {
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

    /// The server says that the job is over, and the agent has not said how.
    fn ended_in_silence(&self) {
        let row = self.told.clone().unwrap_or_default();
        if let Some((state, _)) = self.ending {
            return self.tell(gone(state, None));
        }
        let why = row
            .failure_reason
            .clone()
            .or(row.details.clone())
            .unwrap_or_else(|| format!("SkyPilot's status is {}", row.status));
        let why = strip(&why);
        let news = match row.status.as_str() {
            "CANCELLED" => News::Gone {
                state: JobState::Cancelled,
                reason: Reason::None,
                exit: ExitStatus::default(),
                detail: Some("cancelled in SkyPilot".into()),
            },
            _ if self.is_placed => gone(JobState::NodeFail, Some(why)),
            _ => {
                let mut text = format!("SkyPilot could not start the job: {why}");
                for line in &self.lines {
                    text.push_str("\n  ");
                    text.push_str(line);
                }
                output::say(&self.job, &text);
                News::Gone {
                    state: JobState::Failed,
                    reason: Reason::JobLaunchFailure,
                    exit: NEVER_RAN,
                    detail: Some(why),
                }
            }
        };
        self.tell(news);
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

/// What a row says of a job that does not run yet.
fn waits(row: &QueueRow) -> News {
    let detail = row.details.as_deref().map(strip).filter(|d| !d.is_empty());
    let configuring = matches!(row.status.as_str(), "STARTING" | "RUNNING");
    let reason = if row.status == "PENDING" { Reason::Priority } else { Reason::Resources };
    News::Waits { reason, detail, configuring }
}

/// Sees to it that a job whose agent has ended is over there too, after a time in which it ends by itself.
async fn see_off(shared: Arc<Shared>, name: String, number: u32) {
    shared.hold(&name);
    let mut known = shared.poll.watch(number);
    let over = known.wait_for(|row| row.as_ref().is_some_and(|r| is_terminal(&r.status)));
    if tokio::time::timeout(WINDING_DOWN, over).await.is_err() {
        let _ = shared.client.cancel(&[number]).await;
    }
    shared.let_go(&name);
}

/// Whether nothing comes after this status.
pub fn is_terminal(status: &str) -> bool {
    status == "SUCCEEDED" || status == "CANCELLED" || status.starts_with("FAILED")
}

/// A text of the server's in one line, without advice about its own commands.
fn strip(text: &str) -> String {
    let end = text.find("To see the details, run:").unwrap_or(text.len());
    let words = text.get(..end).unwrap_or(text).split_whitespace();
    words.collect::<Vec<_>>().join(" ")
}
