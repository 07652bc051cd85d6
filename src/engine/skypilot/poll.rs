//! Asking the server how the jobs are: one question for all of them, at intervals that follow what happens and what the
//! answer costs. Where there is one job alone, its list of events tells whether there is anything new to be asked for.

use super::{
    client::{Client, Error, JobEvent, QueueRow, Rows},
    vehicle::{Seen, Status},
};
use crate::host::clock;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{Notify, watch};

/// The shortest pause between two questions.
const SHORTEST: Duration = Duration::from_secs(1);

/// The longest, while nothing happens.
const LONGEST: Duration = Duration::from_secs(20);

/// The longest while the server does not answer: that costs it nothing.
const AWAY: Duration = Duration::from_secs(5);

/// A question may take up this part of the time at most: answering costs the server a second or two. But a server that is
/// slow for other reasons is asked after the longest pause.
const SHARE: u32 = 3;

/// A job that is in none of the answers for so long, and in none of so many, is not known there any more: the server was set
/// up anew, or has lost its database.
const UNKNOWN: (Duration, u32) = (Duration::from_secs(60), 5);

/// What is known of one job there. `None`: nothing yet.
pub type Known = Option<Seen>;

/// Those who want to know, by number and task.
type Watched = HashMap<(u32, u32), Watcher>;

/// One job, who wants to know of it, and in how many answers in a row it was not, since when.
struct Watcher {
    tell: watch::Sender<Known>,
    missed: Option<(Instant, u32)>,
}

impl Watcher {
    /// It is so; whether that is new.
    fn tell(&self, seen: Seen) -> bool {
        self.tell.send_if_modified(|known| {
            let is_new = known.as_ref() != Some(&seen);
            *known = Some(seen);
            is_new
        })
    }

    /// It is not in an answer that came `now`; whether that makes a difference.
    fn miss(&mut self, now: Instant) -> bool {
        let (since, times) = self.missed.get_or_insert((now, 0));
        *times += 1;
        if now.saturating_duration_since(*since) < UNKNOWN.0 || *times < UNKNOWN.1 {
            return false;
        }
        let last = self.tell.borrow().as_ref().map(|seen| seen.status);
        // What was only in the server's queue will never run; of the rest nobody knows.
        let status = if last == Some(Status::Pending) { Status::Lost } else { Status::Over };
        let detail = Some("the SkyPilot API server knows nothing of the job any more".to_owned());
        self.tell(Seen { status, detail, has_failed: true, has_cluster: false })
    }
}

/// The jobs that are asked about.
#[derive(Clone)]
pub struct Poll {
    jobs: Arc<Mutex<Watched>>,
    hurry: Arc<Notify>,
    reach: Arc<Mutex<Option<(i64, String)>>>,
}

impl Poll {
    /// Begins to ask `client`; must be called within a tokio runtime.
    pub fn start(client: Client) -> Self {
        let poll = Self { jobs: Arc::default(), hurry: Arc::default(), reach: Arc::default() };
        tokio::spawn(poll.clone().run(client));
        poll
    }

    /// What is known of a task of job `number`, from now on until the receiver is dropped. Only a job that is a group has more
    /// than the first, 0.
    pub fn watch(&self, number: u32, task: u32) -> watch::Receiver<Known> {
        let mut jobs = lock(&self.jobs);
        let new = || Watcher { tell: watch::channel(None).0, missed: None };
        let receiver = jobs.entry((number, task)).or_insert_with(new).tell.subscribe();
        drop(jobs);
        self.hurry();
        receiver
    }

    /// Something has happened or is about to: asks soon.
    pub fn hurry(&self) {
        self.hurry.notify_one();
    }

    /// What is rung for [`Poll::hurry`].
    pub fn bell(&self) -> Arc<Notify> {
        Arc::clone(&self.hurry)
    }

    /// Since when the server cannot be reached, and why.
    pub fn out_of_reach(&self) -> Option<(i64, String)> {
        lock(&self.reach).clone()
    }

    /// The server was reached, or was not.
    pub fn note_reach(&self, trouble: Option<String>) {
        let mut reach = lock(&self.reach);
        *reach = match (trouble, reach.take()) {
            (None, _) => None,
            (Some(why), Some((since, _))) => Some((since, why)),
            (Some(why), None) => Some((clock::now(), why)),
        };
    }

    async fn run(self, client: Client) {
        let client = client.with_patience(Duration::ZERO);
        let mut lone = Lone::default();
        let mut pause = SHORTEST;
        loop {
            let numbers: Vec<u32> = {
                let mut jobs = lock(&self.jobs);
                jobs.retain(|_, watcher| watcher.tell.receiver_count() > 0);
                let numbers: BTreeSet<u32> = jobs.keys().map(|(number, _)| *number).collect();
                numbers.into_iter().collect()
            };
            if numbers.is_empty() {
                self.hurry.notified().await;
                pause = SHORTEST;
                continue;
            }
            let asked = Instant::now();
            let answer = match numbers[..] {
                [number] if lone.is_quiet(&client, number).await => Ok(None),
                _ => client.queue(Rows::Jobs(&numbers)).await.map(Some),
            };
            let cost = (asked.elapsed() * SHARE).min(LONGEST);
            let changed = match answer {
                Ok(rows) => {
                    self.note_reach(None);
                    rows.is_some_and(|rows| self.publish(&numbers, rows, Instant::now()))
                }
                Err(error) => {
                    tracing::warn!(%error, "SkyPilot's queue not read");
                    self.note_reach(Some(error.to_string()));
                    pause = (pause * 3 / 2).min(AWAY);
                    client.pause(pause).await;
                    continue;
                }
            };
            pause = if changed { SHORTEST } else { (pause * 3 / 2).min(LONGEST) };
            let pause_now = pause.max(cost);
            // Who is in a hurry does not wait longer than the server can bear.
            let least = cost.max(SHORTEST);
            tokio::time::sleep(least.min(pause_now)).await;
            tokio::select! {
                () = tokio::time::sleep(pause_now.saturating_sub(least)) => {}
                () = self.hurry.notified() => pause = SHORTEST,
            }
        }
    }

    /// Hands out what was learned of those that were asked for; whether any of it is new.
    fn publish(&self, asked: &[u32], rows: Vec<QueueRow>, now: Instant) -> bool {
        let mut jobs = lock(&self.jobs);
        let mut changed = false;
        let mut told = BTreeSet::new();
        for row in rows {
            told.insert(row.job_id);
            if let Some(watcher) = jobs.get_mut(&(row.job_id, row.task_id)) {
                watcher.missed = None;
                changed |= watcher.tell(row.into());
            }
        }
        for (_, watcher) in jobs.iter_mut().filter(|((n, _), _)| !told.contains(n) && asked.binary_search(n).is_ok()) {
            changed |= watcher.miss(now);
        }
        changed
    }
}

/// One job that is the only one: what its events were when its row was read last.
#[derive(Default)]
struct Lone {
    read: Option<(u32, Instant)>,
    events: Option<Vec<JobEvent>>,
    /// The server is too old to tell events.
    is_untold: bool,
}

impl Lone {
    /// Whether nothing has happened to the job since its row was read, which was not long ago. If not it is read now.
    async fn is_quiet(&mut self, client: &Client, number: u32) -> bool {
        let is_fresh = self.read.is_some_and(|(n, at)| n == number && at.elapsed() < LONGEST);
        if !is_fresh {
            self.events = None;
        } else if !self.is_untold {
            // Asked for before the row, so that what happens in between is not missed.
            let events = client.events(number).await;
            self.is_untold = matches!(events, Err(Error::Version(_)));
            let events = events.ok();
            if events.is_some() && events == self.events {
                return true;
            }
            self.events = events;
        }
        self.read = Some((number, Instant::now()));
        false
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(status: &str) -> Vec<QueueRow> {
        vec![QueueRow { job_id: 7, status: status.into(), ..QueueRow::default() }]
    }

    /// What is thought of it when it was so when it was last seen; and after how many answers.
    fn after(last: &str) -> (Status, u32) {
        let poll = Poll { jobs: Arc::default(), hurry: Arc::default(), reach: Arc::default() };
        let (known, mut now) = (poll.watch(7, 0), Instant::now());
        assert!(poll.publish(&[7], row(last), now));
        // One that comes back was never away; what was not asked for may be missing.
        assert!(!poll.publish(&[7], Vec::new(), now) && !poll.publish(&[7], row(last), now));
        let mut answers = 1;
        while !poll.publish(&[7], Vec::new(), now) {
            assert!(!poll.publish(&[8], Vec::new(), now + UNKNOWN.0));
            now += Duration::from_secs(6);
            answers += 1;
        }
        let seen = known.borrow().clone().unwrap();
        assert!(seen.is_over() && seen.detail.is_some());
        (seen.status, answers)
    }

    #[test]
    fn a_job_that_the_server_does_not_know_any_more() {
        assert_eq!(after("PENDING"), (Status::Lost, 11));
        assert_eq!(after("RUNNING"), (Status::Over, 11));
        assert_eq!(after("STARTING"), (Status::Over, 11));
    }
}
