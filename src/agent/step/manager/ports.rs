//! `--resv-ports`: ports for the tasks of a step to meet at.
//!
//! They are free on the first node when the step begins, and no other step of the job has them. Other nodes are not asked.

use super::Manager;
use std::{fmt, net::TcpListener, ops::Range};

/// Where they are taken from.
const RANGE: Range<u16> = 12000..19000;

/// The most a step may have.
pub(super) const MOST: u32 = 1000;

/// A row of ports, as `SLURM_STEP_RESV_PORTS` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ports(Range<u16>);

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "{}", self.0.start),
            _ => write!(f, "{}-{}", self.0.start, self.0.end.saturating_sub(1)),
        }
    }
}

impl Manager {
    /// So many free ports in a row. `None`: there are none.
    pub(super) fn free_ports(&self, count: u32) -> Option<Ports> {
        let taken = |port: u16| self.steps.values().any(|s| s.ports.as_ref().is_some_and(|p| p.0.contains(&port)));
        let free = |port: u16| !taken(port) && TcpListener::bind(("0.0.0.0", port)).is_ok();
        // Agents of one machine begin at different places, so that two do not find the same ports free at once.
        row(u16::try_from(count).ok()?, std::process::id(), free)
    }
}

/// The first free row, from a place on that the seed says.
fn row(count: u16, seed: u32, free: impl Fn(u16) -> bool) -> Option<Ports> {
    let length = RANGE.end - RANGE.start;
    let begin = u16::try_from(seed.wrapping_mul(2_654_435_761) % u32::from(length)).unwrap_or(0);
    let starts = (0..length).map(|n| RANGE.start + (begin + n) % length);
    let fits = |start: &u16| start.checked_add(count).is_some_and(|end| end <= RANGE.end);
    let mut starts = starts.filter(fits);
    starts.find(|start| (*start..start + count).all(&free)).map(|start| Ports(start..start + count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_free_and_in_one_piece() {
        assert_eq!(row(3, 0, |_| true).unwrap().to_string(), "12000-12002");
        assert_eq!(row(1, 0, |port| port > 12004).unwrap().to_string(), "12005");
        assert_eq!(row(2, 0, |port| port % 2 == 0), None);
        assert_ne!(row(3, 1, |_| true), row(3, 2, |_| true));
    }
}
