//! What commands on nodes that were made for a job ask the controller, which cannot be reached from there: it goes into the
//! log as events, and the answers come as orders. Both are sealed, since logs and servers are read by others.
//!
//! The agent does not read what is asked. A question is asked again while there is no answer, since a controller that was
//! restarted has forgotten who waits; what may not be done twice the controller knows by its number.

use super::{
    agent::Agent,
    event::EventKind,
    remote::seal::{open, seal},
    wire::Which,
};
use crate::job::JobId;
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// Without an answer it is asked again after this.
const AGAIN: Duration = Duration::from_secs(30);

/// No longer question is passed on: a log is no place for more.
const LONGEST: usize = 16 << 20;

/// What a question is sealed for.
pub fn question_about(job: JobId, (run, number): Which) -> Vec<u8> {
    format!("question {number} of run {run} of job {job}").into_bytes()
}

/// What an answer is sealed for: none of another run's, however late, is one to a question of this.
pub fn answer_about(job: JobId, (run, number): Which) -> Vec<u8> {
    format!("answer {number} to run {run} of job {job}").into_bytes()
}

/// The questions of a job.
pub(super) struct Asking {
    key: [u8; 32],
    run: u32,
    copies: Vec<PathBuf>,
    last: u64,
    open: Vec<Question>,
}

struct Question {
    number: u64,
    connection: u64,
    sealed: String,
    again: Instant,
}

impl Asking {
    /// For the run that the log bears the number of; the controller seals with `key`. `copies` are what the copy of its work
    /// directory is called.
    pub fn new(key: [u8; 32], run: u32, copies: Vec<PathBuf>) -> Self {
        Self { key, run, copies, last: 0, open: Vec::new() }
    }

    fn event(&self, question: &Question) -> EventKind {
        let (run, number, copies) = (self.run, question.number, self.copies.clone());
        EventKind::Asked { run, number, question: question.sealed.clone(), copies }
    }
}

impl Agent {
    fn asking(&mut self) -> Option<&mut Asking> {
        self.elsewhere.as_mut().and_then(|e| e.asking.as_mut())
    }

    /// A command asks.
    pub(super) fn on_question(&mut self, connection: u64, body: &[u8]) {
        let job = self.launch.job.id;
        let Some(asking) = self.asking().filter(|_| body.len() <= LONGEST) else { return self.turn_away(connection) };
        let number = asking.last + 1;
        let Ok(sealed) = seal(body, &question_about(job, (asking.run, number)), &asking.key) else {
            return self.turn_away(connection);
        };
        let question = Question { number, connection, sealed, again: Instant::now() + AGAIN };
        let event = asking.event(&question);
        asking.last = number;
        asking.open.push(question);
        self.note(event);
    }

    /// The controller has answered; `sealed` is a frame.
    pub(super) fn on_answer(&mut self, number: u64, sealed: &str) {
        let job = self.launch.job.id;
        let Some(asking) = self.asking() else { return };
        let Some(at) = asking.open.iter().position(|q| q.number == number) else { return };
        let Some(frame) = open(sealed, &answer_about(job, (asking.run, number)), &asking.key) else { return };
        let question = asking.open.swap_remove(at);
        if let Some(connection) = self.connections.get_mut(&question.connection) {
            connection.link.send_raw(&frame);
        }
    }

    /// Asks again what was not answered.
    pub(super) fn ask_again(&mut self) {
        let Some(asking) = self.asking() else { return };
        let now = Instant::now();
        let due: Vec<usize> = (0..asking.open.len()).filter(|at| asking.open[*at].again <= now).collect();
        due.iter().for_each(|at| asking.open[*at].again = now + AGAIN);
        let events: Vec<EventKind> = due.into_iter().map(|at| asking.event(&asking.open[at])).collect();
        events.into_iter().for_each(|event| self.note(event));
    }

    /// How long until something is asked again.
    pub(super) fn asking_wait(&self) -> Option<Duration> {
        let open = &self.elsewhere.as_ref()?.asking.as_ref()?.open;
        open.iter().map(|q| q.again.saturating_duration_since(Instant::now())).min()
    }

    /// Who asked is gone: nobody waits for the answer.
    pub(super) fn asker_lost(&mut self, connection: u64) {
        if let Some(asking) = self.asking() {
            asking.open.retain(|q| q.connection != connection);
        }
    }

    fn turn_away(&mut self, connection: u64) {
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.link.close_when_sent();
        }
    }
}
