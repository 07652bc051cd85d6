//! Time, as the agent needs it.

use crate::host::clock;
use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

pub(super) use clock::now;

/// The moment `at` (epoch seconds) by the clock as it was when this was asked for first, at the agent's start; so a wall clock
/// that is set while the job runs moves no limit, nor one that is changed later. (Slurm's limits are moved.) `None` if it is too
/// far away to be told.
pub(super) fn moment(at: i64) -> Option<Instant> {
    static START: OnceLock<(Instant, i64)> = OnceLock::new();
    let (instant, wall) = *START.get_or_init(|| (Instant::now(), now()));
    moment_from(instant, at.saturating_sub(wall))
}

/// So many seconds after `start`; of what is long past it, `start` itself.
fn moment_from(start: Instant, seconds: i64) -> Option<Instant> {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    match seconds < 0 {
        true => Some(start.checked_sub(distance).unwrap_or(start)),
        false => start.checked_add(distance),
    }
}

/// Now, as messages of slurmstepd write it: `2026-11-20T11:36:47` in local time.
pub(super) fn stamp() -> String {
    clock::local().format("%Y-%m-%dT%H:%M:%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_follow_each_other_as_their_seconds_do() {
        let (now, at) = (Instant::now(), now());
        let ahead = moment(at + 100).unwrap();
        assert!(ahead > now + Duration::from_secs(90) && ahead < now + Duration::from_secs(110));
        assert_eq!(moment(at + 160).unwrap() - ahead, Duration::from_secs(60));
        assert!(moment(at - 100).unwrap() <= now && moment(i64::MIN).is_some());
        let _ = moment(i64::MAX);
    }
}
