//! Time, as the agent needs it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Epoch seconds.
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

/// The moment `at` (epoch seconds) as this process's clock will show it, so that a wall clock that is set while the
/// job runs does not move its limits. `None` if it is too far away to be told.
pub(super) fn moment(at: i64) -> Option<Instant> {
    let seconds = at.saturating_sub(now());
    let now = Instant::now();
    match u64::try_from(seconds) {
        Ok(ahead) => now.checked_add(Duration::from_secs(ahead)),
        Err(_) => Some(now),
    }
}

/// Now, as messages of slurmstepd write it: `2026-11-20T11:36:47` in local time.
pub(super) fn stamp() -> String {
    chrono::Local::now().format("%Y-%m-%dT%H:%M:%S").to_string()
}
