//! Logs as the server streams them: control lines, framing lines, the job's own lines; and the cuts.

use super::{
    http::Stream,
    jobs::is_over,
    log::{Ended, Log},
    server::{Settings, Shared},
};
use serde_json::json;
use std::{
    io,
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

/// What `/api/get` says of a log that was streamed.
pub const SUCCEEDED: i64 = 0;
const FAILED: i64 = 100;
const NOT_FOUND: i64 = 102;
const CANCELLED: i64 = 103;

const JOB_STARTED: &str = "\x1b[2m└── \x1b[0mJob started. Streaming logs... \x1b[2m(Ctrl-C to exit log streaming; job will not be killed)\x1b[0m\n";

/// A stream to one client, with what may cut it.
pub struct Tail<'a> {
    shared: &'a Arc<Shared>,
    job: u32,
    stream: Stream<'a>,
    /// To see whether the client is still there.
    client: TcpStream,
    begun: Instant,
    sent: usize,
    last: Instant,
    shown: String,
    generation: u64,
}

impl<'a> Tail<'a> {
    pub fn new(shared: &'a Arc<Shared>, job: u32, stream: Stream<'a>, client: TcpStream) -> Self {
        let generation = shared.lock().generation;
        let now = Instant::now();
        Self { shared, job, stream, client, begun: now, sent: 0, last: now, shown: String::new(), generation }
    }

    /// A managed job's log, as sky/jobs/utils.py `stream_logs_by_id` shows it.
    pub fn managed(mut self, follow: bool) -> io::Result<i64> {
        let id = self.job;
        let text = waiting("", "", id);
        for control in ["rich_init", "rich_update", "rich_start"] {
            self.control(control, &text)?;
        }
        let Some(status) = self.status() else {
            self.write(format!("Job {id} not found.\n").as_bytes())?;
            return self.end(NOT_FOUND);
        };
        if is_over(status) || status == "CANCELLING" {
            let (log, nodes, reason) = self.look();
            if log.bytes().is_empty() && status != "SUCCEEDED" && status != "CANCELLED" {
                let reason = reason.map_or(String::new(), |r| format!("\nFailure reason: {r}"));
                self.write(
                    format!("\x1b[33mJob {id} is already in terminal state {status}. For more details, run: sky jobs logs --controller {id}\x1b[0m{reason}\n").as_bytes(),
                )?;
            } else {
                self.write(resources(nodes).as_bytes())?;
                if !log.bytes().is_empty() {
                    self.write(JOB_STARTED.as_bytes())?;
                }
                self.log(&log, true)?;
                self.write(finished("Job finished", status).as_bytes())?;
            }
            self.control("rich_exit", "")?;
            return self.end(code(status));
        }
        let mut shown = false;
        loop {
            let (status, details, ready, ran) = {
                let state = self.shared.lock();
                let job = &state.jobs[&id];
                (job.status, job.details.clone(), job.cluster_is_up, job.runs > 0)
            };
            let missed = is_over(status) && ran && !shown && !self.settings().misses_short_jobs;
            if is_over(status) && !missed || status == "CANCELLING" {
                break;
            }
            if !missed && (status != "RUNNING" || !ready) {
                let status = if status == "RUNNING" { String::new() } else { format!(" (status: {status})") };
                let details = details.map_or(String::new(), |d| format!("\n  {d}"));
                self.control("rich_update", &waiting(&status, &details, id))?;
                self.idle()?;
                continue;
            }
            shown = true;
            self.control("rich_stop", "")?;
            let (log, nodes, _) = self.look();
            self.write(resources(nodes).as_bytes())?;
            self.write(JOB_STARTED.as_bytes())?;
            match self.log(&log, follow)? {
                None => break,
                Some(Ended::Code(code)) => {
                    self.write(finished("Job finished", if code == 0 { "SUCCEEDED" } else { "FAILED" }).as_bytes())?;
                    let status = self.until_it_is_noticed()?;
                    if status != "RECOVERING" {
                        break;
                    }
                    self.write(b"\n")?;
                }
                Some(Ended::Lost) => {
                    if is_over(self.until_it_is_noticed()?) {
                        break;
                    }
                    self.write(b"\x1b[33mThe job cluster is preempted or failed.\x1b[0m\n")?;
                }
            }
        }
        self.control("rich_exit", "")?;
        if !follow {
            return self.end(SUCCEEDED);
        }
        while !self.status().is_some_and(is_over) {
            self.idle()?;
        }
        let status = self.status().unwrap_or_default();
        self.write(finished(&format!("Managed job finished: {id}"), status).as_bytes())?;
        self.write(b"\n")?;
        self.end(code(status))
    }

    /// The log of the job on a cluster, which is there.
    pub fn cluster(mut self, follow: bool) -> io::Result<i64> {
        let (log, nodes, _) = self.look();
        self.write(resources(nodes).as_bytes())?;
        self.write(JOB_STARTED.as_bytes())?;
        let ended = self.log(&log, follow)?;
        if let Some(Ended::Code(code)) = ended {
            self.write(finished("Job finished", if code == 0 { "SUCCEEDED" } else { "FAILED" }).as_bytes())?;
        }
        self.end(match ended {
            Some(Ended::Code(0)) => SUCCEEDED,
            Some(_) => FAILED,
            None => 101,
        })
    }

    fn log(&mut self, log: &Log, follow: bool) -> io::Result<Option<Ended>> {
        let mut from = 0;
        loop {
            let (bytes, ended) = log.read(from, Duration::from_millis(if follow { 50 } else { 0 }));
            from += bytes.len();
            self.write(&bytes)?;
            if ended.is_some() || (!follow && bytes.is_empty()) {
                return Ok(ended);
            }
            if bytes.is_empty() {
                self.watch()?;
            }
        }
    }

    /// Waits until the controller has noticed that a run is over.
    fn until_it_is_noticed(&mut self) -> io::Result<&'static str> {
        loop {
            match self.status() {
                Some("RUNNING" | "STARTING") => self.idle()?,
                status => return Ok(status.unwrap_or_default()),
            }
        }
    }

    fn status(&self) -> Option<&'static str> {
        self.shared.lock().jobs.get(&self.job).map(|j| j.status)
    }

    fn look(&self) -> (Arc<Log>, u32, Option<String>) {
        let state = self.shared.lock();
        let job = &state.jobs[&self.job];
        (job.log.clone(), job.task.nodes, job.failure_reason.clone())
    }

    fn settings(&self) -> Settings {
        self.shared.lock().settings.clone()
    }

    /// A control line, unless it says what the last one said.
    fn control(&mut self, kind: &str, text: &str) -> io::Result<()> {
        let inner = json!(format!("<{kind}>{text}</{kind}>")).to_string();
        let line = format!("<sky-payload>{inner}</sky-payload>\n");
        if line == self.shown {
            return Ok(());
        }
        self.write(line.as_bytes())?;
        self.shown = line;
        Ok(())
    }

    fn idle(&mut self) -> io::Result<()> {
        let state = self.shared.lock();
        drop(self.shared.changed.wait_timeout(state, Duration::from_millis(20)));
        self.watch()
    }

    /// Whether to go on: the client is there, and nothing cuts the stream.
    fn watch(&mut self) -> io::Result<()> {
        let settings = self.settings();
        if settings.cut_log_after.is_some_and(|limit| self.begun.elapsed() > limit) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        if self.last.elapsed() > settings.heartbeat {
            self.write(b"<sky-payload>\"<heartbeat></heartbeat>\"</sky-payload>\n")?;
        }
        self.client.set_nonblocking(true)?;
        let left = matches!(self.client.peek(&mut [0]), Ok(0));
        self.client.set_nonblocking(false)?;
        let state = self.shared.lock();
        if left || state.stopping || state.generation != self.generation {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.last = Instant::now();
        let cut = self.shared.with(|s| {
            let every = s.settings.cut_log_every?;
            let job = s.jobs.get_mut(&self.job)?;
            if self.sent + bytes.len() < job.cut + every {
                return None;
            }
            job.cut += every;
            Some(job.cut.saturating_sub(self.sent).min(bytes.len()))
        });
        self.stream.write(&bytes[..cut.unwrap_or(bytes.len())])?;
        self.sent += bytes.len();
        match cut {
            None => Ok(()),
            Some(_) => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    fn end(self, code: i64) -> io::Result<i64> {
        self.stream.end()?;
        Ok(code)
    }
}

fn waiting(status: &str, details: &str, id: u32) -> String {
    format!(
        "[bold cyan]Waiting for task to start[/]{status}. It may take a few minutes.{details}\n  [dim]View controller logs: sky jobs logs --controller {id}[/]"
    )
}

fn resources(nodes: u32) -> String {
    let s = if nodes == 1 { "" } else { "s" };
    format!("\x1b[2m├── \x1b[0m\x1b[2mWaiting for task resources on {nodes} node{s}.\x1b[0m\n")
}

fn finished(what: &str, status: &str) -> String {
    format!("\x1b[0m\x1b[32m✓ {what} (status: {status}).\x1b[0m\x1b[0m\n")
}

fn code(status: &str) -> i64 {
    match status {
        "SUCCEEDED" => SUCCEEDED,
        "CANCELLED" | "CANCELLING" => CANCELLED,
        _ => FAILED,
    }
}
