//! When something is due: the end of the time limit, the warning before it, the last resort after it.

use super::{Launch, clock};
use crate::slurm::{signal::WarnSignal, time::TimeLimit};
use std::time::{Duration, Instant};

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// `--signal`: the signal that was asked for.
    Warn(WarnSignal),
    /// The time limit is reached.
    End,
    /// TERM had its time: now KILL.
    Kill,
}

/// The moments a job has ahead of it.
#[derive(Debug, Default)]
pub(super) struct Limits {
    warn: Option<(Instant, WarnSignal)>,
    end: Option<Instant>,
    kill: Option<Instant>,
    /// Since when the job is suspended: nothing is due meanwhile.
    paused: Option<Instant>,
    /// How long it was suspended before.
    suspended: Duration,
}

impl Limits {
    /// Those of a job as it starts.
    pub fn new(launch: &Launch) -> Self {
        let mut limits = Self::default();
        let minutes = match launch.job.time_limit {
            TimeLimit::Minutes(minutes) => Some(minutes),
            TimeLimit::Unlimited => None,
        };
        limits.set(launch, minutes, true);
        limits
    }

    /// The job may now run for so many minutes. `warning`: whether the signal before the end is still to be sent.
    pub fn set(&mut self, launch: &Launch, minutes: Option<u32>, warning: bool) {
        let start = launch.job.start_time.unwrap_or_else(clock::now);
        let end = minutes.map(|m| start.saturating_add(i64::from(m) * 60));
        let over = i64::from(launch.over_time_limit);
        let suspended = self.suspended;
        let moment = |at: i64| clock::moment(at).and_then(|at| at.checked_add(suspended));
        self.end = end.and_then(|at| moment(at.saturating_add(over)));
        let asked = launch.job.request.signal.filter(|_| warning);
        self.warn =
            asked.zip(end).and_then(|(signal, end)| Some((moment(end - i64::from(signal.seconds_before))?, signal)));
    }

    /// Whether the signal before the end is still to be sent.
    pub fn warning_is_ahead(&self) -> bool {
        self.warn.is_some()
    }

    /// TERM was sent: KILL follows after `seconds`, and no limit before it.
    pub fn kill_after(&mut self, seconds: u32) {
        let kill = Instant::now().checked_add(Duration::from_secs(seconds.into()));
        *self = Self { kill, ..Self::default() };
    }

    /// The job is suspended: its time stands still. Whether it ran till now.
    pub fn pause(&mut self) -> bool {
        let ran = self.paused.is_none();
        self.paused.get_or_insert_with(Instant::now);
        ran
    }

    /// The job goes on: all that is ahead of it comes so much later. Whether it was suspended.
    pub fn go_on(&mut self) -> bool {
        let Some(since) = self.paused.take() else { return false };
        let pause = since.elapsed();
        self.suspended += pause;
        self.end = self.end.and_then(|at| at.checked_add(pause));
        self.warn = self.warn.and_then(|(at, signal)| Some((at.checked_add(pause)?, signal)));
        true
    }

    /// How long until something is due; `None`: nothing will be.
    pub fn wait(&self) -> Option<Duration> {
        if self.paused.is_some() {
            return None;
        }
        let next = [self.warn.map(|(at, _)| at), self.end, self.kill].into_iter().flatten().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// What is due now. It is told once.
    pub fn due(&mut self) -> Option<Due> {
        if self.paused.is_some() {
            return None;
        }
        let now = Instant::now();
        if let Some((_, signal)) = self.warn.take_if(|(at, _)| *at <= now) {
            return Some(Due::Warn(signal));
        }
        if self.end.take_if(|at| *at <= now).is_some() {
            return Some(Due::End);
        }
        self.kill.take_if(|at| *at <= now).map(|_| Due::Kill)
    }
}
