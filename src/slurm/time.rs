//! Time limits and elapsed times: how `--time` is read and how times are shown.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// More minutes than this do not fit Slurm's 32-bit seconds; it shows such a
/// limit as `UNLIMITED`.
const MOST_MINUTES: u64 = u32::MAX as u64 / 60;

/// A job's time limit.
///
/// `FromStr` is the grammar of `--time` in sbatch(1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TimeLimit {
    /// No limit: `0`, `-1`, `INFINITE`, `UNLIMITED`, whatever the case.
    Unlimited,
    /// Whole minutes, as Slurm keeps them: seconds are rounded up.
    Minutes(u32),
}

/// Not one of `--time`'s forms. The command says which option it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("Invalid time limit specification")]
pub struct TimeError;

impl TimeLimit {
    /// The limit in seconds, `None` without one.
    pub fn seconds(self) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::Minutes(minutes) => Some(u64::from(minutes) * 60),
        }
    }

    /// As squeue's `%l` shows it: `1-00:00:00`, `30:00`, `UNLIMITED`.
    pub fn squeue(&self) -> String {
        match self {
            Self::Unlimited => "UNLIMITED".into(),
            Self::Minutes(minutes) => elapsed_squeue(i64::from(*minutes) * MINUTE),
        }
    }

    /// As `scontrol show job` shows it: `1-00:00:00`, `00:30:00`, `UNLIMITED`.
    pub fn scontrol(&self) -> String {
        match self {
            Self::Unlimited => "UNLIMITED".into(),
            Self::Minutes(minutes) => elapsed_sacct(i64::from(*minutes) * MINUTE),
        }
    }
}

impl FromStr for TimeLimit {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let unlimited = ["-0", "-1", "infinite", "unlimited"];
        if unlimited.iter().any(|word| word.eq_ignore_ascii_case(text)) {
            return Ok(Self::Unlimited);
        }
        let minutes = seconds(text)?.map_or(u64::MAX, |seconds| seconds.div_ceil(60));
        match u32::try_from(minutes) {
            Ok(minutes) if minutes > 0 && u64::from(minutes) < MOST_MINUTES => Ok(Self::Minutes(minutes)),
            _ => Ok(Self::Unlimited),
        }
    }
}

/// The seconds of a time as limits are written, `30`, `1:30`, `2-12:00`; `None`: more than can be counted.
///
/// # Errors
/// If it is none.
pub fn seconds(text: &str) -> Result<Option<u64>, TimeError> {
    Ok(match text.split_once('-') {
        // `1-` is a day: Slurm reads the missing hours as none.
        Some((days, "")) => number(days)?.checked_mul(DAY as u64),
        Some((days, clock)) => {
            let clock = match fields(clock)?.as_slice() {
                [h] => sum(&[(*h, HOUR)]),
                [h, m] => sum(&[(*h, HOUR), (*m, MINUTE)]),
                [h, m, s] => sum(&[(*h, HOUR), (*m, MINUTE), (*s, 1)]),
                _ => return Err(TimeError),
            };
            let days = number(days)?.checked_mul(DAY as u64);
            days.zip(clock).and_then(|(days, clock)| days.checked_add(clock))
        }
        None => match fields(text)?.as_slice() {
            [m] => sum(&[(*m, MINUTE)]),
            [m, s] => sum(&[(*m, MINUTE), (*s, 1)]),
            [h, m, s] => sum(&[(*h, HOUR), (*m, MINUTE), (*s, 1)]),
            _ => return Err(TimeError),
        },
    })
}

/// The numbers between the colons.
fn fields(text: &str) -> Result<Vec<u64>, TimeError> {
    text.split(':').take(4).map(number).collect()
}

/// Digits only: no sign, no blank, no fraction. Too many digits are very long.
fn number(text: &str) -> Result<u64, TimeError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(TimeError);
    }
    Ok(text.parse().unwrap_or(u64::MAX))
}

fn sum(parts: &[(u64, i64)]) -> Option<u64> {
    parts.iter().try_fold(0u64, |sum, (count, unit)| sum.checked_add(count.checked_mul(unit.unsigned_abs())?))
}

/// Seconds as squeue's `%M` shows them: `0:07`, `1:02:03`, `2-03:04:05`.
/// Less than nothing is `INVALID`, as there.
pub fn elapsed_squeue(secs: i64) -> String {
    let Some((days, hours, minutes, seconds)) = split(secs) else {
        return "INVALID".into();
    };
    match (days, hours) {
        (0, 0) => format!("{minutes}:{seconds:02}"),
        (0, _) => format!("{hours}:{minutes:02}:{seconds:02}"),
        _ => format!("{days}-{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// Seconds as sacct's `Elapsed` and scontrol's `RunTime` show them:
/// `00:00:07`, `2-03:04:05`. Less than nothing is `INVALID`.
pub fn elapsed_sacct(secs: i64) -> String {
    let Some((days, hours, minutes, seconds)) = split(secs) else {
        return "INVALID".into();
    };
    match days {
        0 => format!("{hours:02}:{minutes:02}:{seconds:02}"),
        _ => format!("{days}-{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// Days, hours, minutes and seconds; `None` below zero.
fn split(secs: i64) -> Option<(i64, i64, i64, i64)> {
    (secs >= 0).then_some((secs / DAY, secs % DAY / HOUR, secs % HOUR / MINUTE, secs % MINUTE))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<TimeLimit>().map_or_else(|_| "refused".into(), |limit| limit.squeue())
    }

    /// sbatch.txt, "bad values", and more asked of the same Slurm.
    #[test]
    fn as_recorded() {
        let table = [
            ("-1", "UNLIMITED"),
            ("0", "UNLIMITED"),
            ("-0", "UNLIMITED"),
            ("infinite", "UNLIMITED"),
            ("UNLIMITED", "UNLIMITED"),
            ("90", "1:30:00"),
            ("1:30", "2:00"),
            ("1:30:00", "1:30:00"),
            ("2-3", "2-03:00:00"),
            ("2-3:4", "2-03:04:00"),
            ("2-3:4:5", "2-03:05:00"),
            ("1-2:3:4", "1-02:04:00"),
            ("1:2", "2:00"),
            ("0:90", "2:00"),
            ("0:5", "1:00"),
            ("0:0", "UNLIMITED"),
            ("0-0", "UNLIMITED"),
            ("1-", "1-00:00:00"),
            ("1-25", "2-01:00:00"),
            ("1:99:99", "2:41:00"),
            ("0:0:1", "1:00"),
            ("00:01:00", "1:00"),
            ("365-0", "365-00:00:00"),
            ("4294967295", "UNLIMITED"),
            ("71582788", "UNLIMITED"),
        ];
        for (text, limit) in table {
            assert_eq!(shown(text), limit, "{text}");
        }
        for bad in [
            "abc",
            "1:2:3:4:5",
            "1-2-3",
            "",
            "1:",
            ":30",
            "+5",
            "1.5",
            " 5",
            "5 ",
            "5m",
            "1:2:3:4",
            "1-2:",
            "1-:5",
            "2-3:4:",
            "infinitexyz",
            "INF",
            "unlim",
            "1-1:1:1:1",
            "-1:5",
            "--5",
            "1-a",
            "5\n",
            "-2",
        ] {
            assert_eq!(shown(bad), "refused", "{bad}");
        }
    }

    #[test]
    fn too_long_is_no_limit() {
        assert_eq!(shown("99999999999999999999999"), "UNLIMITED");
        assert_eq!(shown("99999999999999999-99999999999999999"), "UNLIMITED");
    }

    #[test]
    fn displays() {
        assert_eq!(TimeLimit::Minutes(1440).squeue(), "1-00:00:00");
        assert_eq!(TimeLimit::Minutes(30).squeue(), "30:00");
        assert_eq!(TimeLimit::Minutes(30).scontrol(), "00:30:00");
        assert_eq!(TimeLimit::Minutes(1440).scontrol(), "1-00:00:00");
        assert_eq!(elapsed_squeue(7), "0:07");
        assert_eq!(elapsed_squeue(3723), "1:02:03");
        assert_eq!(elapsed_squeue(183_845), "2-03:04:05");
        assert_eq!(elapsed_sacct(7), "00:00:07");
        assert_eq!(elapsed_sacct(183_845), "2-03:04:05");
        assert_eq!(elapsed_sacct(-1), "INVALID");
    }

    proptest! {
        #[test]
        fn round_trip(minutes in 1u32..10_000_000) {
            let limit = TimeLimit::Minutes(minutes);
            prop_assert_eq!(limit.squeue().parse(), Ok(limit));
            prop_assert_eq!(limit.scontrol().parse(), Ok(limit));
        }

        #[test]
        fn any_text(text in "\\PC*") { let _ = text.parse::<TimeLimit>(); }

        #[test]
        fn any_digits(text in "[0-9:-]*") { let _ = text.parse::<TimeLimit>(); }

        #[test]
        fn any_seconds(secs: i64) { elapsed_squeue(secs); elapsed_sacct(secs); }
    }
}
