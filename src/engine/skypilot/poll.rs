//! Asking the server how the jobs are: one question for all of them, at intervals that follow what happens and what the
//! answer costs. Where there is one job alone, its list of events tells whether there is anything new to be asked for.

use super::{
    client::{Client, Error, JobEvent, QueueRow, Rows},
    vehicle::Seen,
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::{Notify, watch};

/// The shortest pause between two questions.
const SHORTEST: Duration = Duration::from_secs(1);

/// The longest, while nothing happens.
const LONGEST: Duration = Duration::from_secs(20);

/// A question may take up this part of the time at most: answering costs the server a second or two.
const SHARE: u32 = 3;

/// What is known of one job there. `None`: nothing yet.
pub type Known = Option<Seen>;

/// Those who want to know, by number and task.
type Watched = HashMap<(u32, u32), watch::Sender<Known>>;

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
        let sender = jobs.entry((number, task)).or_insert_with(|| watch::channel(None).0);
        let receiver = sender.subscribe();
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
            (Some(why), None) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64);
                Some((now, why))
            }
        };
    }

    async fn run(self, client: Client) {
        let client = client.with_patience(Duration::ZERO);
        let mut lone = Lone::default();
        let mut pause = SHORTEST;
        loop {
            let numbers: Vec<u32> = {
                let mut jobs = lock(&self.jobs);
                jobs.retain(|_, sender| sender.receiver_count() > 0);
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
                [number] if lone.is_quiet(&client, number).await => Ok(Vec::new()),
                _ => client.queue(Rows::Jobs(&numbers)).await,
            };
            let cost = asked.elapsed();
            let changed = match answer {
                Ok(rows) => {
                    self.note_reach(None);
                    self.publish(rows)
                }
                Err(error) => {
                    tracing::warn!(%error, "SkyPilot's queue not read");
                    self.note_reach(Some(error.to_string()));
                    false
                }
            };
            pause = if changed { SHORTEST } else { (pause * 3 / 2).min(LONGEST) };
            let pause_now = pause.max(cost * SHARE);
            // Who is in a hurry does not wait longer than the server can bear.
            let least = (cost * SHARE).max(SHORTEST);
            tokio::time::sleep(least.min(pause_now)).await;
            tokio::select! {
                () = tokio::time::sleep(pause_now.saturating_sub(least)) => {}
                () = self.hurry.notified() => pause = SHORTEST,
            }
        }
    }

    /// Hands out what was learned; whether any of it is new.
    fn publish(&self, rows: Vec<QueueRow>) -> bool {
        let jobs = lock(&self.jobs);
        let mut changed = false;
        for row in rows {
            if let Some(sender) = jobs.get(&(row.job_id, row.task_id)) {
                let seen = Seen::from(row);
                changed |= sender.send_if_modified(|known| {
                    let is_new = known.as_ref() != Some(&seen);
                    *known = Some(seen);
                    is_new
                });
            }
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
