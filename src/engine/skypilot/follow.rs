//! One handed job, from its submission to its end: what its log says goes into the output files and to the controller,
//! what the controller wants goes to its agent or to the server.

mod orders;
mod reading;

use super::{
    client::QueueRow,
    group::{Group, Stage, rank},
    output::{self, Output},
    shared::Shared,
    submit,
};
use crate::{
    agent::{Layout, frame::Reader, wire::Control},
    engine::News,
    job::{ExitStatus, Job},
    slurm::{reason::Reason, state::JobState},
};
use reading::{Attempt, next};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    sync::mpsc::{self, UnboundedReceiver},
    time::Instant,
};

/// How a job ends of which nothing ever ran.
pub const NEVER_RAN: ExitStatus = ExitStatus::exited(1);

/// A log that ended too early, or is not there yet, is opened again after this.
const AGAIN: Duration = Duration::from_secs(2);

/// A cluster's log is asked for so long after the cluster was begun.
const WARMING: Duration = Duration::from_secs(12);

/// Until there is one it is asked for again after this, or after so many times what asking took, which is the server's work.
const NOT_YET: Duration = Duration::from_secs(5);

/// See [`NOT_YET`].
const SHARE: u32 = 4;

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
    let rank = rank(&job);
    let mut stage = group.stage();
    let mut wanted: Vec<Control> = Vec::new();
    let number = loop {
        let now = stage.borrow_and_update().clone();
        match now {
            Stage::Taken(numbers) => break numbers.get(rank as usize).copied(),
            Stage::Apart => {
                let end = wanted.iter().rev().find_map(ended_by);
                return shared.tell(job.id, end.map_or(News::NeverStarted, |state| gone(state, None)));
            }
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
            "RECOVERING" if (self.is_placed || self.run.is_some()) && self.ending.is_none() => {
                self.tell(News::Preempted);
                // It is submitted anew, with its count of restarts: what SkyPilot recovers is not wanted.
                self.cancel().await;
                return true;
            }
            "RUNNING" | "WINDING_DOWN" => {
                let is_news = self.told.as_ref().is_none_or(|told| told.status != status);
                if self.attempt.is_none() && (is_news || self.retry_at.is_none()) {
                    self.told = Some(row.clone());
                    self.open();
                }
            }
            // Its log may be there before the server says that it runs, but not at once.
            "STARTING" | "RECOVERING" if self.attempt.is_none() && self.retry_at.is_none() => {
                self.retry_at = Some(Instant::now() + WARMING);
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
        while let Err(error) = shared.client.cancel(&[number]).await {
            tracing::warn!(number, %error, "not cancelled");
            tokio::time::sleep(WINDING_DOWN).await;
        }
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
