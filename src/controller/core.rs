//! The controller itself: one task that owns the job table, its store and the engine.
//!
//! It works in batches. All messages that have come in are applied to the table; what they
//! changed is committed together; only then are they answered, jobs started that were given
//! nodes, and the files of those that ended removed.

use super::{
    api::{Call, PROTOCOL, Reply, Status},
    counts::Counts,
    dependency::Dependents,
    grant::Waiter,
    notify::{Messenger, News},
    purge::Retention,
    recent::Recent,
    store::{Store, StoreError},
    table::Table,
};
use crate::{
    agent::wire::Which,
    config::Config,
    engine::{Engine, Report, Start},
    host::{clock::now, ipc},
    job::{Job, JobId, JobList, Request, Reservation},
    slurm::{errno::Errno, options::Place, reason::Reason, state::JobState},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    io::ErrorKind,
    path::PathBuf,
    sync::Weak,
    time::Instant,
};
use tokio::sync::oneshot;

/// So many jobs are started before new questions are looked at.
const LAUNCHES: usize = 8;

/// A question, and where its answer (a frame) goes.
pub struct Message {
    /// What is asked.
    pub call: Call,
    /// Who asks.
    pub uid: u32,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Vec<u8>>,
}

/// The controller.
pub struct Core {
    pub(super) config: Config,
    pub(super) state_dir: PathBuf,
    pub(super) table: Table,
    pub(super) store: Store,
    pub(super) engine: Box<dyn Engine>,
    pub(super) since: i64,
    /// Jobs that changed since the last commit.
    pub(super) dirty: BTreeSet<JobId>,
    /// Steps that changed since: job and place in its list.
    dirty_steps: BTreeSet<(JobId, usize)>,
    /// Runs of jobs that were put back since.
    pub(super) earlier_runs: Vec<Job>,
    /// Jobs that are over and have left the table.
    pub(super) recent: Recent,
    /// Jobs that have nodes and are started after the next commit.
    unlaunched: Vec<JobId>,
    /// Jobs that are to be started.
    pub(super) launching: VecDeque<JobId>,
    /// Handed jobs of which a former controller may have told the other system already.
    pub(super) again: HashSet<JobId>,
    /// Set when the last commit failed: the next one waits a second.
    retry: bool,
    /// Jobs that ended, whose files go after the next commit.
    over: Vec<JobId>,
    /// Answers that go out after the next commit.
    answers: Vec<(oneshot::Sender<Vec<u8>>, Reply)>,
    /// Jobs of this batch's submissions, with where the answer goes.
    pub(super) submitted: Vec<(JobId, oneshot::Sender<Vec<u8>>)>,
    /// Who waits for the end of a job or an array.
    pub(super) waiting: Vec<(JobId, oneshot::Sender<Vec<u8>>)>,
    /// Questions from inside jobs that wait for something.
    pub(super) waiting_afar: HashSet<(JobId, Which)>,
    /// Who waits for an interactive allocation.
    pub(super) granting: Vec<Waiter>,
    /// Interactive allocations whose agents answer.
    pub(super) ready: HashSet<JobId>,
    /// Allocations that wait, and until when for who wants them.
    pub(super) orphans: HashMap<JobId, Instant>,
    /// Jobs by the time at which something is due: begin time, end of `MinJobAge`.
    pub(super) due: BTreeMap<i64, Vec<JobId>>,
    /// Who waits for which other jobs.
    pub(super) dependents: Dependents,
    /// What has happened to jobs since the last commit.
    pub(super) news: Vec<News>,
    /// Arrays of whose end mail was sent.
    pub(super) news_told: HashSet<JobId>,
    /// Runs what tells of it.
    pub(super) messenger: Messenger,
    /// The reservations.
    pub(super) reservations: Vec<Reservation>,
    /// They are to be written.
    pub(super) reservations_changed: bool,
    /// Up to when it was seen to what begins and ends of them, epoch seconds.
    pub(super) reservations_seen: i64,
    /// When old jobs are looked for.
    pub(super) retention: Retention,
    /// Whether the queue must be looked at.
    pub(super) reschedule: bool,
    /// Scripts and environments that stand in the spool directory.
    pub(super) files: HashSet<PathBuf>,
    /// What the last job asked for, while it is kept.
    pub(super) last_request: Weak<Request>,
    /// What has been done.
    pub(super) counts: Counts,
    /// Set when the controller is to end.
    pub(super) stopping: bool,
}

impl Core {
    /// The controller as the store remembers it. Running jobs are taken over.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn new(
        config: Config,
        state_dir: PathBuf,
        mut store: Store,
        engine: Box<dyn Engine>,
    ) -> Result<Self, StoreError> {
        let since = now();
        let known = store.unfinished()?;
        let lately_since = since - i64::from(config.controller.min_job_age);
        let mut lately = store.ended_since(lately_since)?;
        let of_known: HashSet<JobId> = known.iter().map(|job| job.id).collect();
        lately.retain(|job| !of_known.contains(&job.id));
        let table = Table::new(store.last_id()?);
        let reservations = store.reservations()?;
        let mut core = Self {
            config,
            state_dir,
            table,
            store,
            engine,
            since,
            dirty: BTreeSet::new(),
            dirty_steps: BTreeSet::new(),
            earlier_runs: Vec::new(),
            recent: Recent::new(lately_since),
            unlaunched: Vec::new(),
            launching: VecDeque::new(),
            again: HashSet::new(),
            retry: false,
            over: Vec::new(),
            answers: Vec::new(),
            submitted: Vec::new(),
            waiting: Vec::new(),
            waiting_afar: HashSet::new(),
            granting: Vec::new(),
            ready: HashSet::new(),
            orphans: HashMap::new(),
            due: BTreeMap::new(),
            dependents: Dependents::default(),
            news: Vec::new(),
            news_told: HashSet::new(),
            messenger: Messenger::new(),
            reservations,
            reservations_changed: false,
            reservations_seen: since,
            retention: Retention::new(since),
            reschedule: true,
            files: HashSet::new(),
            last_request: Weak::new(),
            counts: Counts::default(),
            stopping: false,
        };
        core.clear_files(&known);
        // All of them first: some wait for others.
        let jobs: Vec<JobId> = lately.into_iter().chain(known).map(|job| core.insert(job)).collect();
        jobs.into_iter().for_each(|id| core.remember(id));
        core.look_at_reservations(since);
        Ok(core)
    }

    /// When something is due next, epoch seconds.
    pub fn next_due(&self) -> Option<i64> {
        let retry = self.retry.then(|| now() + 1);
        let purge = self.config.controller.purge_job_after.as_ref().map(|_| self.retention.due());
        self.due.keys().next().copied().into_iter().chain(retry).chain(purge).chain(self.reservation_due()).min()
    }

    /// Something about `id` is due at `time`.
    pub(super) fn due_at(&mut self, time: i64, id: JobId) {
        self.due.entry(time).or_default().push(id);
    }

    /// Whether the controller is to end.
    pub fn stopping(&self) -> bool {
        self.stopping
    }

    /// Works off what has come in, and answers it.
    pub fn batch(&mut self, messages: Vec<Message>, reports: Vec<Report>) {
        let now = now();
        self.expire(now);
        for report in reports {
            self.hear(report, now);
        }
        for message in messages {
            self.handle(message, now);
        }
        if !self.submitted.is_empty() || !self.answers.is_empty() {
            self.commit();
        }
        if !self.store.has_changes() {
            self.purge(now);
        }
    }

    /// Whether [`Core::work`] has something to do.
    pub fn has_work(&self) -> bool {
        self.reschedule || !self.launching.is_empty() || (self.has_changes() && !self.retry)
    }

    /// Whether there is something to commit, or to tell of.
    fn has_changes(&self) -> bool {
        !self.dirty.is_empty() || !self.news.is_empty() || self.reservations_changed
    }

    /// Does what nobody waits for an answer of: looks at the queue, starts jobs. A slice at a
    /// time, so that whoever asks meanwhile is answered soon.
    pub fn work(&mut self) {
        if self.reschedule {
            self.reschedule = false;
            self.run_queue(now());
        }
        // That a step began can wait for the next commit: after a restart it is read anew.
        if self.has_changes() {
            self.commit();
        }
        for _ in 0..LAUNCHES {
            let Some(id) = self.launching.pop_front() else { break };
            self.launch_now(id);
        }
        if self.launching.is_empty() {
            self.engine.started_all();
        }
        self.tell_granted();
    }

    pub(super) fn handle(&mut self, message: Message, now: i64) {
        let Message { call, uid, answer } = message;
        // Who only asks need not wait for a commit, which may fail.
        let asks = call.is_question();
        let reply = match call {
            Call::Submit(submission) => match self.submit(*submission, now) {
                Ok(id) => return self.submitted.push((id, answer)),
                Err(refusal) => refusal,
            },
            Call::TestOnly(submission) => match self.test_only(*submission, now) {
                Ok(reply) => reply,
                Err((place, forecast)) => {
                    tokio::spawn(async move { respond::<JobList>(answer, &Reply::Forecast(forecast.await).at(place)) });
                    return;
                }
            },
            Call::Jobs(filter) => {
                let list = JobList::to_depth(filter.depth, self.jobs(&filter));
                return respond(answer, &Reply::Jobs(Box::new(list)));
            }
            Call::Planned => Reply::Planned(self.planned(now)),
            Call::Accounting(filter) => {
                let tell = |jobs: Vec<&Job>| encoded(&Reply::Jobs(Box::new(JobList::to_depth(filter.depth, jobs))));
                match self.accounting(&filter, tell) {
                    Ok(told) => return drop(told.map(|frame| answer.send(frame))),
                    Err(error) => refused_by_store(&error),
                }
            }
            Call::Reserve(asked) => self.reserve(*asked, now),
            Call::ChangeReservation(asked) => self.change_reservation(*asked, now),
            Call::DeleteReservation(name) => self.delete_reservation(&name, now),
            Call::Cluster => Reply::Cluster(Box::new(self.cluster(now))),
            Call::Signal(list) => Reply::Done(list.iter().map(|one| self.signal(one, uid, now)).collect()),
            Call::Change(ids, change) => Reply::Done(ids.iter().map(|id| self.change(id, &change, uid, now)).collect()),
            Call::Wait(id) => return self.wait(id, answer),
            Call::Granted { id, knows } => return self.grant(id, knows, answer),
            Call::GiveUp(id) => {
                self.give_up(id, uid, now);
                Reply::Done(vec![Ok(())])
            }
            Call::Sending(id) => Reply::Sending(self.sending(id)),
            Call::WayIn(id) => match self.engine.way_in(id) {
                None => Reply::WayIn(Ok(())),
                Some(opening) => {
                    tokio::spawn(async move { respond::<JobList>(answer, &Reply::WayIn(opening.await)) });
                    return;
                }
            },
            Call::Script(id) => self.kept(id, |job| job.script),
            Call::Environment(id) => self.kept(id, |job| job.environment),
            Call::Status => Reply::Status(Box::new(Status {
                pid: std::process::id(),
                version: env!("CARGO_PKG_VERSION").into(),
                since: self.since,
                pending: self.count(JobState::Pending),
                running: self.count(JobState::Running),
                last_job_id: self.table.last_id(),
                now,
                counts: self.counts,
            })),
            Call::Stop => {
                self.stopping = true;
                Reply::Done(vec![Ok(())])
            }
        };
        let nothing_changed = self.dirty.is_empty() && !self.reservations_changed && !self.store.has_changes();
        if asks || (nothing_changed && !self.stopping) {
            return respond::<JobList>(answer, &reply);
        }
        self.answers.push((answer, reply));
    }

    fn count(&self, state: JobState) -> u32 {
        self.table.jobs().filter(|j| j.state == state).map(Job::count).sum()
    }

    /// Notes that a job changed.
    pub(super) fn save(&mut self, id: JobId) {
        self.dirty.insert(id);
    }

    /// Whether a job's last change is not on disk yet.
    pub(super) fn is_dirty(&self, id: JobId) -> bool {
        self.dirty.contains(&id)
    }

    /// Notes that a step changed.
    pub(super) fn save_step(&mut self, id: JobId, index: usize) {
        self.dirty_steps.insert((id, index));
    }

    /// Notes that a job was given nodes.
    pub(super) fn launch(&mut self, id: JobId) {
        self.unlaunched.push(id);
        self.save(id);
    }

    /// Takes a job that has nodes, but no agent yet, out of those to be started; `false` if it has been started.
    pub(super) fn unlaunch(&mut self, id: JobId) -> bool {
        let waiting = self.unlaunched.len() + self.launching.len();
        self.unlaunched.retain(|waits| *waits != id);
        self.launching.retain(|waits| *waits != id);
        self.unlaunched.len() + self.launching.len() < waiting
    }

    /// Notes that a job is over.
    pub(super) fn retire(&mut self, id: JobId) {
        self.over.push(id);
        self.save(id);
    }

    /// Puts the batch on disk, then tells and does what waited for that.
    fn commit(&mut self) {
        self.wake_dependents();
        match self.write() {
            Ok(()) => {
                for (id, answer) in std::mem::take(&mut self.submitted) {
                    let place = self.table.get(id).map_or(Place::Here, |job| self.place_of(job));
                    respond::<JobList>(answer, &Reply::Submitted(id).at(place));
                }
                for (answer, reply) in std::mem::take(&mut self.answers) {
                    respond::<JobList>(answer, &reply);
                }
                for id in std::mem::take(&mut self.over) {
                    if let Some(job) = self.table.get(id) {
                        self.engine.release(job);
                    }
                    self.reschedule = true;
                }
                self.launching.extend(self.unlaunched.drain(..));
                self.retry = false;
                self.tell_waiting();
                self.tell_granted();
                self.tell_news();
            }
            Err(error) => {
                tracing::error!(%error, "commit failed");
                self.store.roll_back();
                self.retry = true;
                // What was not submitted is forgotten; what happened stays to be written.
                for (id, answer) in std::mem::take(&mut self.submitted) {
                    for id in self.table.components(id) {
                        self.table.remove(id);
                        self.dirty.remove(&id);
                    }
                    respond::<JobList>(answer, &refused_by_store(&error));
                }
                for (answer, _) in std::mem::take(&mut self.answers) {
                    respond::<JobList>(answer, &refused_by_store(&error));
                }
            }
        }
    }

    fn write(&mut self) -> Result<(), StoreError> {
        for run in &self.earlier_runs {
            self.store.put_earlier_run(run)?;
        }
        for id in &self.dirty {
            if let Some(job) = self.table.get(*id) {
                self.store.put_job(job)?;
            }
        }
        for (id, index) in &self.dirty_steps {
            if let Some(step) = self.table.get(*id).and_then(|j| j.steps.get(*index)) {
                self.store.put_step(*id, *index, step)?;
            }
        }
        if self.reservations_changed {
            self.store.put_reservations(&self.reservations)?;
        }
        self.store.commit()?;
        self.reservations_changed = false;
        self.dirty.clear();
        self.dirty_steps.clear();
        self.earlier_runs.clear();
        Ok(())
    }

    fn launch_now(&mut self, id: JobId) {
        let Some(job) = self.table.get(id).cloned() else { return };
        let files = self.files_of(&job);
        let again = self.again.remove(&id);
        let components = self.table.components(id);
        let others =
            components.iter().filter(|other| **other != id).filter_map(|id| self.table.get(*id)).cloned().collect();
        let started = files
            .and_then(|(script, environment)| self.engine.start(Start { job, others, script, environment, again }));
        match started {
            Ok(()) if again => self.end_again(id),
            Ok(()) => {}
            // It starts when there is space again.
            Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                tracing::error!(job = id, %error, "not started yet");
                self.launch(id);
                self.retry = true;
                self.again.extend(again.then_some(id));
            }
            Err(error) => {
                tracing::error!(job = id, %error, "not started");
                self.fail_to_start(id, &error.to_string());
            }
        }
    }

    /// What is due by now: begin times, and the end of `MinJobAge`.
    fn expire(&mut self, now: i64) {
        self.retry = false;
        self.float_reservations(now);
        if self.reservation_due().is_some_and(|due| due <= now) {
            self.look_at_reservations(now);
        }
        while let Some(entry) = self.due.first_entry().filter(|e| *e.key() <= now) {
            let due = *entry.key();
            for id in entry.remove() {
                self.tell_time(id, due);
                self.miss_owner(id, now);
                let age = i64::from(self.config.controller.min_job_age);
                match self.table.get(id) {
                    // If the whole is requeued it is, too.
                    Some(job) if job.is_finished() && !job.leads() && self.goes_on(job.leader_id()) => {
                        self.due_at(now + age.max(1), id);
                    }
                    Some(job)
                        if job.is_finished() && job.end_time.unwrap_or(0) + age <= now && !self.dirty.contains(&id) =>
                    {
                        self.recent.extend(self.table.remove(id));
                        self.ready.remove(&id);
                    }
                    Some(job) if job.state == JobState::Pending => {
                        self.look_at(id, now);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Why the job may not start though nothing else was before it; sets it.
    pub(super) fn set_reason(&mut self, id: JobId, reason: Reason) {
        if let Some(job) = self.table.get_mut(id)
            && job.reason != reason
        {
            job.reason = reason;
            self.save(id);
        }
    }
}

/// An answer as it is sent.
fn encoded<L: serde::Serialize>(reply: &Reply<L>) -> Option<Vec<u8>> {
    let frame = ipc::frame(&(PROTOCOL, Some(reply)));
    frame.inspect_err(|error| tracing::error!(%error, "answer not sent")).ok()
}

/// Sends an answer; one that nobody waits for any more is dropped.
pub(super) fn respond<L: serde::Serialize>(answer: oneshot::Sender<Vec<u8>>, reply: &Reply<L>) {
    if let Some(frame) = encoded(reply) {
        drop(answer.send(frame));
    }
}

/// The store's trouble, as an answer.
pub(super) fn refused_by_store(error: &StoreError) -> Reply {
    Reply::Refused { errno: Errno::WritingToFile, before: vec![error.to_string()], hint: None }
}
