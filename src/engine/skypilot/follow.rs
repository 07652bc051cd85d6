//! One handed job, from its submission to its end: what its log says goes into the output files and to the controller,
//! what the controller wants goes to its agent or to the server.

pub mod component;
mod orders;
mod reading;

use super::{
    group::{Group, Stage, rank},
    output::{self, Output},
    shared::{Meet, Shared},
    submit,
    vehicle::{Seen, Status, Vehicle, Watch},
    way_in::{Target, WayIn},
};
use crate::{
    agent::{Event, Layout, frame::Reader, wire::Control},
    engine::News,
    job::{ExitStatus, Job},
    slurm::{reason::Reason, state::JobState},
};
use reading::{Attempt, next};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    sync::{
        mpsc::{self, UnboundedReceiver},
        oneshot, watch,
    },
    time::Instant,
};

/// What is wanted of a followed job.
pub enum Order {
    /// By its agent.
    Control(Control),
    /// A way to its agent; what is answered when there is one, or never will be.
    WayIn(oneshot::Sender<Result<(), String>>),
}

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

/// But not later than this: who does not answer does not work.
const LATEST: Duration = Duration::from_secs(30);

/// So often the whole log of a job that is over is read before it is taken to have ended without a word: what is sent in place of
/// a log may look like one.
const LAST_LOOKS: u32 = 3;

/// What the server did not end it is asked to end again after this.
const END_AGAIN: Duration = Duration::from_secs(5);

/// While others wait for a place, a log is followed for so long at a time.
const SLICE: Duration = Duration::from_secs(20);

/// An agent that was asked to end its job has `KillWait` and this.
const PATIENCE: Duration = Duration::from_secs(45);

/// What is said to who wants to get into a job whose agent has not been heard of.
const NOT_YET_RUNNING: &str = "its agent has not been heard of yet";

/// Lines of others that are kept to explain a job that never began.
const LINES: usize = 20;

/// A job that is followed.
struct Follow {
    shared: Arc<Shared>,
    job: Job,
    vehicle: Vehicle,
    watch: Watch,
    rank: u32,
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
    /// That was for want of a node: what SkyPilot makes anew of that is not wanted.
    has_lost: bool,
    /// What was seen of it last.
    seen: Option<Seen>,
    attempt: Option<Attempt>,
    tries: u32,
    /// How often the log was read to its end since the job is over.
    last_looks: u32,
    retry_at: Option<Instant>,
    /// The state it is to end in, and when the agent has had its time.
    ending: Option<(JobState, Instant)>,
    is_cancelled: bool,
    /// The server is to end it, and has not taken that yet.
    is_unwanted: bool,
    /// New time limits, of components too, for when the agent runs.
    limits: Vec<Control>,
    /// How far it is with meeting its other components.
    meet: Option<watch::Receiver<Meet>>,
    /// How an allocation's steps get to its nodes.
    way_in: Option<WayIn>,
    /// How a managed job's agent is reached, once it has told.
    target: Option<Target>,
    /// Who wants to be let in.
    askers: Vec<oneshot::Sender<Result<(), String>>>,
    /// Held by who opens a way.
    opening: Arc<tokio::sync::Mutex<()>>,
    /// The allocation is ready once there is a way in.
    ready: Option<Event>,
    to_agent: Option<mpsc::UnboundedSender<Control>>,
    unreached: Option<UnboundedReceiver<Control>>,
}

/// Follows a job that is being submitted with `group`.
pub async fn submitted(shared: Arc<Shared>, job: Job, group: Arc<Group>, mut orders: UnboundedReceiver<Order>) {
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
                Some(Order::WayIn(answer)) => drop(answer.send(Err(NOT_YET_RUNNING.into()))),
                Some(Order::Control(order)) => {
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
    mut orders: UnboundedReceiver<Order>,
    wanted: Vec<Control>,
) {
    let layout = Layout::new(&shared.spool, job.id);
    let run = Output::begun(&layout.dir);
    let vehicle = Vehicle::of(&job, number);
    let mut follow = Follow {
        reader: Reader::new(),
        watch: vehicle.watch(&shared),
        vehicle,
        rank: rank(&job),
        is_placed: job.state == JobState::Running,
        layout,
        output: None,
        run,
        next_run: None,
        lines: VecDeque::new(),
        events: Vec::new(),
        is_over: false,
        has_lost: false,
        seen: None,
        attempt: None,
        tries: 0,
        last_looks: 0,
        retry_at: None,
        ending: None,
        is_cancelled: false,
        is_unwanted: false,
        limits: Vec::new(),
        meet: job.het.map(|_| shared.meet(job.id)),
        way_in: None,
        target: None,
        askers: Vec::new(),
        opening: Arc::default(),
        ready: None,
        to_agent: None,
        unreached: None,
        shared,
        job,
    };
    let is_over = follow.run(&mut orders, wanted).await;
    drop(orders); // before anything is waited for: who still has them takes the job for one that is followed
    follow.leave(is_over).await;
}

async fn is_open(way_in: &mut Option<WayIn>) -> Result<(), String> {
    match way_in {
        Some(way_in) => way_in.ready().await,
        None => std::future::pending().await,
    }
}

/// What has become of a component that will never come.
async fn never(meet: &mut Option<watch::Receiver<Meet>>) -> String {
    if let Some(meet) = meet
        && let Ok(meet) = meet.wait_for(|meet| matches!(meet, Meet::Never(_))).await
        && let Meet::Never(why) = meet.clone()
    {
        return why;
    }
    std::future::pending().await
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

/// Not by us.
fn cancelled_there() -> News {
    gone(JobState::Cancelled, Some("cancelled in SkyPilot".into()))
}

impl Follow {
    fn deadline(&self) -> Instant {
        let ending = self.ending.map(|(_, at)| at).filter(|_| !self.is_cancelled);
        let far = Instant::now() + Duration::from_secs(3600);
        [self.retry_at, ending].into_iter().flatten().min().unwrap_or(far)
    }

    /// Follows it to its end (`true`), or to ours.
    async fn run(&mut self, orders: &mut UnboundedReceiver<Order>, wanted: Vec<Control>) -> bool {
        for order in wanted {
            if self.order(order).await {
                return true;
            }
        }
        loop {
            let deadline = self.deadline();
            let Self { watch, attempt, unreached, way_in, meet, .. } = self;
            let is_over = tokio::select! {
                order = orders.recv() => match order {
                    None => return false,
                    Some(Order::Control(order)) => self.order(order).await,
                    Some(Order::WayIn(answer)) => {
                        self.let_in(answer);
                        false
                    }
                },
                changed = watch.known.changed() => {
                    let seen = watch.known.borrow_and_update().clone();
                    match (changed, seen) {
                        (Ok(()), Some(seen)) => self.status(seen).await,
                        (Ok(()), None) => false,
                        (Err(_), _) => return false,
                    }
                }
                piece = next(attempt) => self.piece(piece).await,
                lost = missed(unreached) => {
                    self.not_reached(&lost).await;
                    false
                }
                ready = is_open(way_in), if self.ready.is_some() => self.way_is_open(ready),
                why = never(meet), if !self.is_placed => {
                    self.never_began(why);
                    self.cancel().await;
                    true
                }
                () = tokio::time::sleep_until(deadline) => self.due().await,
            };
            if is_over {
                return true;
            }
        }
    }

    /// It is followed no longer. What of a job that is over does not go by itself is taken away.
    async fn leave(mut self, is_over: bool) {
        if let Some(way_in) = self.way_in.take().filter(|_| is_over) {
            way_in.close().await;
        }
        // One that was cancelled before it had begun is ended already.
        let is_left = self.is_over || self.is_unwanted || (self.vehicle.stays() && !self.is_cancelled);
        if is_over && is_left {
            let at_once = self.has_lost || self.is_unwanted || self.vehicle.stays();
            tokio::spawn(self.vehicle.clone().see_off(Arc::clone(&self.shared), at_once));
        }
    }

    /// The agent answers here; or never will. `true`: the job is over.
    fn way_is_open(&mut self, ready: Result<(), String>) -> bool {
        match (ready, self.ready.take()) {
            (Ok(()), ready) => {
                self.tell(News::Events(ready.into_iter().collect()));
                false
            }
            (Err(why), _) => {
                let (state, reason) = (JobState::Failed, Reason::JobLaunchFailure);
                self.tell(News::Gone { state, reason, exit: NEVER_RAN, detail: Some(why) });
                true
            }
        }
    }

    fn tell(&self, news: News) {
        self.shared.tell(self.job.id, news);
    }

    /// Something is due; `true`: the job is over.
    async fn due(&mut self) -> bool {
        let now = Instant::now();
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            if self.open() {
                return true;
            }
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
    async fn status(&mut self, seen: Seen) -> bool {
        tracing::debug!(job = self.job.id, ?seen, "seen");
        let status = seen.status;
        match status {
            Status::Recovering if (self.is_placed || self.run.is_some()) && self.ending.is_none() => {
                self.tell(News::Preempted);
                // It is submitted anew, with its count of restarts: what SkyPilot recovers is not wanted.
                self.cancel().await;
                return true;
            }
            Status::Running => {
                let is_news = self.seen.as_ref().is_none_or(|before| before.status != status);
                self.seen = Some(seen.clone());
                if self.attempt.is_none() && (is_news || self.retry_at.is_none()) {
                    self.open();
                }
            }
            // Its log may be there before the server says that it runs, but not at once.
            Status::Starting | Status::Recovering if self.attempt.is_none() && self.retry_at.is_none() => {
                self.retry_at = Some(Instant::now() + WARMING);
            }
            _ => {}
        }
        if !self.is_placed && !seen.is_over() {
            self.tell(waits(&seen));
        }
        let over = seen.is_over();
        self.seen = Some(seen);
        if over {
            self.retry_at = None;
            // A log that is being followed ends by itself; what it has left out is read once more after it.
            if self.attempt.is_none() {
                return self.open();
            }
            self.retry_at = Some(Instant::now() + SLICE);
        }
        false
    }

    /// The server says that the job is over, and the agent has not said how.
    fn ended_in_silence(&self) {
        let seen = self.seen.clone().unwrap_or_default();
        if let Some((state, _)) = self.ending {
            return self.tell(gone(state, None));
        }
        let why = seen.detail.unwrap_or_default();
        let news = match seen.status {
            // The queue has it again, under another name.
            Status::Lost if !self.is_placed => News::NeverStarted,
            Status::Cancelled => cancelled_there(),
            _ if self.is_placed => gone(JobState::NodeFail, Some(why)),
            _ => return self.never_began(why),
        };
        self.tell(news);
    }

    /// Nothing of the job has run, and nothing will.
    fn never_began(&self, why: String) {
        let mut text = format!("SkyPilot could not start the job: {why}");
        for line in &self.lines {
            text.push_str("\n  ");
            text.push_str(line);
        }
        output::say(&self.job, &text);
        let (state, reason) = (JobState::Failed, Reason::JobLaunchFailure);
        self.tell(News::Gone { state, reason, exit: NEVER_RAN, detail: Some(why) });
    }
}

/// What was seen of a job that does not run yet.
fn waits(seen: &Seen) -> News {
    let configuring = matches!(seen.status, Status::Starting | Status::Running);
    let reason = if seen.status == Status::Pending { Reason::Priority } else { Reason::Resources };
    News::Waits { reason, detail: seen.detail.clone(), configuring }
}
