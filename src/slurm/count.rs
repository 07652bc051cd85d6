//! Counts: `--nodes` and the plain positive numbers of `-n`, `-c` and others.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The node count of `-N`: `2`, `2-4`, `-4`, `1k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NodeCount {
    /// At least so many.
    pub min: u32,
    /// At most so many; `None` if one number was given, which is both.
    pub max: Option<u32>,
}

/// Why `-N` was refused, in Slurm's words (sbatch.txt).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NodeCountError {
    /// This part is not a number with perhaps k or m.
    #[error("\"{0}\" is not a valid node count")]
    Invalid(String),
    /// The range goes down. An upper end that is missing counts as -1.
    #[error("Maximum node count {max} is less than minimum node count {min}")]
    Order {
        /// The lower end.
        min: u32,
        /// The upper end.
        max: i64,
    },
}

impl NodeCount {
    /// The upper end, which is the lower one if none was given.
    pub fn most(self) -> u32 {
        self.max.unwrap_or(self.min)
    }

    /// What is left of it for so many tasks: no node is without one (nodes.txt).
    pub fn for_tasks(self, tasks: u32) -> Self {
        Self { min: self.min.min(tasks), max: self.max.map(|most| most.min(tasks)) }
    }

    /// What a command says when there are fewer tasks than these nodes, as a line for stderr.
    pub fn too_few_tasks(command: &str, nodes: u32, tasks: u32) -> Option<String> {
        let words =
            || format!("{command}: Warning: can't run {tasks} processes on {nodes} nodes, setting nnodes to {tasks}");
        (tasks < nodes).then(words)
    }
}

impl FromStr for NodeCount {
    type Err = NodeCountError;

    fn from_str(text: &str) -> Result<Self, NodeCountError> {
        let invalid = |part: &str| NodeCountError::Invalid(part.to_owned());
        let Some((low, high)) = text.split_once('-') else {
            let min = suffixed(text).ok_or_else(|| invalid(text))?;
            return Ok(Self { min, max: None });
        };
        // `-4` is `1-4`.
        let min = if low.is_empty() { 1 } else { suffixed(low).ok_or_else(|| invalid(low))? };
        if high.is_empty() {
            return Err(NodeCountError::Order { min, max: -1 });
        }
        let max = suffixed(high).ok_or_else(|| invalid(high))?;
        if max < min {
            return Err(NodeCountError::Order { min, max: i64::from(max) });
        }
        Ok(Self { min, max: Some(max) })
    }
}

impl fmt::Display for NodeCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.max {
            None => write!(f, "{}", self.min),
            Some(max) => write!(f, "{}-{max}", self.min),
        }
    }
}

/// A number with perhaps `k` (1024) or `m` (1024²), at most `i32::MAX`.
fn suffixed(text: &str) -> Option<u32> {
    let text = text.trim();
    let (digits, factor) = match text.as_bytes().last()? {
        b'k' | b'K' => (text.get(..text.len() - 1)?, 1 << 10),
        b'm' | b'M' => (text.get(..text.len() - 1)?, 1 << 20),
        _ => (text, 1),
    };
    whole(digits)?.checked_mul(factor).filter(|count| *count <= i32::MAX as u32)
}

/// Digits with perhaps a plus sign, within Slurm's 32-bit int.
fn whole(text: &str) -> Option<u32> {
    text.parse().ok().filter(|count| *count <= i32::MAX as u32)
}

/// Not a positive integer. The command makes the message,
/// `Invalid numeric value "abc" for --ntasks.`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("Invalid numeric value")]
pub struct CountError;

/// Reads the number of `-n`, `-c`, `--ntasks-per-node` and their kin: positive,
/// no suffix (`1k` is refused), a blank or plus sign in front allowed. A number that
/// no Slurm int holds is the largest one: the controller then finds it too many.
pub fn parse_count(text: &str) -> Result<u32, CountError> {
    const MOST: u32 = i32::MAX as u32;
    let text = text.trim_start();
    let digits = text.strip_prefix('+').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(CountError);
    }
    match digits.parse().unwrap_or(MOST).min(MOST) {
        0 => Err(CountError),
        count => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nodes(text: &str) -> String {
        match text.parse::<NodeCount>() {
            Ok(count) => format!("{}-{}", count.min, count.most()),
            Err(error) => error.to_string(),
        }
    }

    /// sbatch.txt, "bad values", and more asked of the same Slurm.
    #[test]
    fn nodes_as_recorded() {
        let table = [
            ("abc", "\"abc\" is not a valid node count"),
            ("0", "0-0"),
            ("-1", "1-1"),
            ("2-1", "Maximum node count 1 is less than minimum node count 2"),
            ("9", "9-9"),
            ("5-9", "5-9"),
            ("1k", "1024-1024"),
            ("2-", "Maximum node count -1 is less than minimum node count 2"),
            ("1-1k", "1-1024"),
            ("1M", "1048576-1048576"),
            ("-5", "1-5"),
            ("-1k", "1-1024"),
            ("0-2", "0-2"),
            ("+2", "2-2"),
            (" 2-3", "2-3"),
            ("2 ", "2-2"),
            ("1- 2", "1-2"),
            ("2-x", "\"x\" is not a valid node count"),
            ("x-2", "\"x\" is not a valid node count"),
            ("", "\"\" is not a valid node count"),
            ("1-2-3", "\"2-3\" is not a valid node count"),
            ("-1-2", "\"1-2\" is not a valid node count"),
            ("2,4", "\"2,4\" is not a valid node count"),
            ("1.5", "\"1.5\" is not a valid node count"),
            ("1g", "\"1g\" is not a valid node count"),
            ("2147483647", "2147483647-2147483647"),
            ("2147483648", "\"2147483648\" is not a valid node count"),
            ("2097152k", "\"2097152k\" is not a valid node count"),
        ];
        for (text, result) in table {
            assert_eq!(nodes(text), result, "{text}");
        }
    }

    #[test]
    fn counts_as_recorded() {
        for (text, count) in [
            ("1", 1),
            ("1000", 1000),
            ("+2", 2),
            (" 3", 3),
            ("2147483647", 2_147_483_647),
            ("99999999999", 2_147_483_647),
        ] {
            assert_eq!(parse_count(text), Ok(count), "{text}");
        }
        for bad in ["0", "abc", "1k", "1m", "2.5", "-1", "3 ", "3x", "0x3", ""] {
            assert_eq!(parse_count(bad), Err(CountError), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(min in 0u32..9999, more in proptest::option::of(0u32..9999)) {
            let count = NodeCount { min, max: more.map(|more| min + more) };
            prop_assert_eq!(count.to_string().parse(), Ok(count));
        }

        #[test]
        fn any_text(text in "\\PC*") { let _ = text.parse::<NodeCount>(); let _ = parse_count(&text); }
    }
}
