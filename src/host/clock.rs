//! The wall clock, the one place where it is read: it says when something happened, and when what was asked for by the clock is
//! due (`--begin`, `--deadline`, reservations, retention). Somebody may set it at any time, by hours and back; so how long
//! something lasts is never measured by it, but by `Instant`.

use chrono::{DateTime, Local};
use std::{
    env, fs,
    path::PathBuf,
    sync::OnceLock,
    time::{SystemTime, UNIX_EPOCH},
};

/// Names a file with the seconds by which the clock is to be wrong. For tests: without it nothing is read.
const WRONG_BY: &str = "SKYSLURM_DEBUG_CLOCK";

/// Epoch seconds.
pub fn now() -> i64 {
    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let real =
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX));
    match FILE.get_or_init(|| env::var_os(WRONG_BY).map(PathBuf::from)) {
        None => real,
        Some(file) => {
            let wrong = fs::read_to_string(file).ok().and_then(|text| text.trim().parse::<i64>().ok());
            real.saturating_add(wrong.unwrap_or(0))
        }
    }
}

/// The same in the user's zone.
pub fn local() -> DateTime<Local> {
    DateTime::from_timestamp(now(), 0).unwrap_or_default().with_timezone(&Local)
}
