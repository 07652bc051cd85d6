//! Signals: their names, their texts, and `--signal`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The names scancel(1) and `--signal` take, with Linux' numbers. Other signals go by number.
const NAMES: [(&str, i32); 16] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ABRT", 6),
    ("KILL", 9),
    ("USR1", 10),
    ("USR2", 12),
    ("ALRM", 14),
    ("TERM", 15),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
];

/// strsignal(3) in the C locale, from signal 1 on.
const TEXTS: [&str; 31] = [
    "Hangup",
    "Interrupt",
    "Quit",
    "Illegal instruction",
    "Trace/breakpoint trap",
    "Aborted",
    "Bus error",
    "Floating point exception",
    "Killed",
    "User defined signal 1",
    "Segmentation fault",
    "User defined signal 2",
    "Broken pipe",
    "Alarm clock",
    "Terminated",
    "Stack fault",
    "Child exited",
    "Continued",
    "Stopped (signal)",
    "Stopped",
    "Stopped (tty input)",
    "Stopped (tty output)",
    "Urgent I/O condition",
    "CPU time limit exceeded",
    "File size limit exceeded",
    "Virtual timer expired",
    "Profiling timer expired",
    "Window changed",
    "I/O possible",
    "Power failure",
    "Bad system call",
];

/// The highest signal Linux has.
const MAX_SIGNAL: i32 = 64;

/// Not a signal. scancel says `Unknown job signal: FOO`, sbatch `Invalid --signal specification`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("Unknown job signal: {0}")]
pub struct SignalError(pub String);

/// The number of `USR1`, `SIGUSR1` or `10`, in any case, blanks around it allowed.
pub fn parse_signal(text: &str) -> Result<i32, SignalError> {
    let word = text.trim();
    let upper = word.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let named = NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    let numbered = || word.parse().ok().filter(|number| (1..=MAX_SIGNAL).contains(number));
    named.or_else(numbered).ok_or_else(|| SignalError(text.to_owned()))
}

/// The name without SIG (`USR1`), for the signals that have one here.
pub fn signal_name(signal: i32) -> Option<&'static str> {
    NAMES.iter().find(|(_, number)| *number == signal).map(|(name, _)| *name)
}

/// The words for a death by this signal, as in `srun: error: node1: task 0: Killed`.
pub fn signal_text(signal: i32) -> String {
    let text = usize::try_from(signal).ok().and_then(|signal| signal.checked_sub(1)).and_then(|at| TEXTS.get(at));
    match text {
        Some(text) => (*text).to_owned(),
        // glibc keeps 32 and 33 for itself and counts from 34.
        None if (34..=MAX_SIGNAL).contains(&signal) => format!("Real-time signal {}", signal - 34),
        None => format!("Unknown signal {signal}"),
    }
}

/// `--signal=[{R|B}:]SIG[@SECONDS]`: a signal before the time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WarnSignal {
    /// `B:` only the batch shell gets it; else the steps do and the batch shell does not.
    pub batch_only: bool,
    /// `R:` the job may overlap a reservation with MaxStartDelay.
    pub reservation: bool,
    /// The signal's number.
    pub signal: i32,
    /// How long before the end, in seconds, at most 65535.
    pub seconds_before: u32,
}

/// What `seconds_before` is if nothing is said.
const DEFAULT_SECONDS: u32 = 60;

impl FromStr for WarnSignal {
    type Err = SignalError;

    fn from_str(text: &str) -> Result<Self, SignalError> {
        let wrong = || SignalError(text.to_owned());
        let (flags, rest) = text.split_once(':').unwrap_or(("", text));
        let mut warn = Self { batch_only: false, reservation: false, signal: 0, seconds_before: DEFAULT_SECONDS };
        for flag in flags.chars() {
            match flag {
                'B' | 'b' if !warn.batch_only => warn.batch_only = true,
                'R' | 'r' => warn.reservation = true,
                _ => return Err(wrong()),
            }
        }
        let signal = match rest.split_once('@') {
            Some((signal, seconds)) => {
                // `USR1@` is taken, and is at the end itself.
                let seconds = if seconds.is_empty() { Some(0) } else { seconds.trim_start().parse::<u16>().ok() };
                warn.seconds_before = seconds.ok_or_else(wrong)?.into();
                signal
            }
            None => rest,
        };
        warn.signal = parse_signal(signal).map_err(|_| wrong())?;
        Ok(warn)
    }
}

impl fmt::Display for WarnSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = match (self.reservation, self.batch_only) {
            (false, false) => "",
            (false, true) => "B:",
            (true, false) => "R:",
            (true, true) => "RB:",
        };
        match signal_name(self.signal) {
            Some(name) => write!(f, "{flags}{name}@{}", self.seconds_before),
            None => write!(f, "{flags}{}@{}", self.signal, self.seconds_before),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_numbers() {
        for (text, signal) in [
            ("USR1", 10),
            ("SIGUSR1", 10),
            ("usr1", 10),
            ("Sigterm", 15),
            ("10", 10),
            ("TERM ", 15),
            ("64", 64),
            ("XCPU", 24),
        ] {
            assert_eq!(parse_signal(text), Ok(signal), "{text}");
        }
        for bad in ["FOO", "0", "1x", "", "SEGV", "BUS", "CHLD", "RTMIN", "SIG9", "-1", "65", "USR1x"] {
            assert_eq!(parse_signal(bad), Err(SignalError(bad.into())), "{bad}");
        }
    }

    #[test]
    fn texts() {
        for (signal, text) in [
            (9, "Killed"),
            (15, "Terminated"),
            (11, "Segmentation fault"),
            (10, "User defined signal 1"),
            (31, "Bad system call"),
            (32, "Unknown signal 32"),
            (34, "Real-time signal 0"),
            (64, "Real-time signal 30"),
            (0, "Unknown signal 0"),
            (-3, "Unknown signal -3"),
        ] {
            assert_eq!(signal_text(signal), text);
        }
    }

    /// Asked of the recorded Slurm.
    #[test]
    fn warnings() {
        let warn = |batch_only, reservation, signal, seconds_before| {
            Ok(WarnSignal { batch_only, reservation, signal, seconds_before })
        };
        let table = [
            ("USR1", warn(false, false, 10, 60)),
            ("USR1@60", warn(false, false, 10, 60)),
            ("B:USR1", warn(true, false, 10, 60)),
            ("b:USR1", warn(true, false, 10, 60)),
            ("R:USR1", warn(false, true, 10, 60)),
            ("RB:USR1@10", warn(true, true, 10, 10)),
            ("BR:USR1", warn(true, true, 10, 60)),
            ("B:10@120", warn(true, false, 10, 120)),
            ("USR1@", warn(false, false, 10, 0)),
            ("USR1@65535", warn(false, false, 10, 65535)),
        ];
        for (text, result) in table {
            assert_eq!(text.parse::<WarnSignal>(), result, "{text}");
        }
        for bad in ["FOO", "@60", "USR1@x", "USR1@-1", "USR1@65536", "0", "", "B:", "B", "R@60", "B:@60", "X:USR1"] {
            assert_eq!(bad.parse::<WarnSignal>(), Err(SignalError(bad.into())), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(batch_only: bool, reservation: bool, signal in 1..=MAX_SIGNAL, seconds: u16) {
            let warn = WarnSignal { batch_only, reservation, signal, seconds_before: seconds.into() };
            prop_assert_eq!(warn.to_string().parse(), Ok(warn));
        }

        #[test]
        fn any_text(text in "\\PC*", signal: i32) { let _ = text.parse::<WarnSignal>(); signal_text(signal); }
    }
}
