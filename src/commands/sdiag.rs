//! sdiag(1): what the controller has done since it began.

use super::{
    ask,
    terminal::{eprint, print, refuse},
};
use crate::{
    controller::{
        api::{Call, Counts, Reply, Status},
        client::Client,
    },
    report::clock::{Clock, local},
    slurm::{
        errno::Errno,
        options::{self, Command::Sdiag, Place, Refusal},
    },
};
use std::ffi::OsString;

/// Runs sdiag; the exit code.
pub fn run(args: Vec<OsString>) -> u8 {
    let parsed = match options::parse(Sdiag, &args, &ask::env) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal),
    };
    if let Some(text) = super::asked_for(&parsed, Sdiag) {
        return print(&text);
    }
    parsed.options.warnings(Place::Here).iter().for_each(|line| eprint(line));
    if let Err(exit) = ask::right_cluster(Sdiag, &parsed.options) {
        return exit;
    }
    match Client::connect().and_then(|mut client| client.ask(&Call::Status)) {
        Ok(Reply::Status(status)) => print(&statistics(&status, |when| Clock::new(local, None, when).ctime())),
        Ok(_) => refuse(&Refusal { lines: vec![format!("slurm_get_statistics: {}", Errno::ConnectFailure)], exit: 1 }),
        Err(error) => refuse(&Refusal::error(Sdiag, 1, error.to_string())),
    }
}

/// What is printed. Of backfilling and of calls no statistics are kept, and so their sections are missing.
fn statistics(status: &Status, time: impl Fn(i64) -> String) -> String {
    let Status { counts: c, since, now, .. } = status;
    let line = "*".repeat(55);
    let minutes = (now - since).max(60) as u64 / 60;
    let mean = |sum: u64, of: u64| sum.checked_div(of).unwrap_or(0);
    let Counts { cycles, last_cycle, max_cycle, .. } = c;
    let mut out = format!("{line}\nsdiag output at {} ({now})\n", time(*now));
    out.push_str(&format!("Data since      {} ({since})\n{line}\n", time(*since)));
    out.push_str("Server thread count:  1\nAgent queue size:     0\nAgent count:          0\n");
    out.push_str("Agent thread count:   0\nDBD Agent queue size: 0\n\n");
    out.push_str(&format!("Jobs submitted: {}\nJobs started:   {}\n", c.submitted, c.started));
    out.push_str(&format!("Jobs completed: {}\nJobs canceled:  {}\n", c.completed, c.cancelled));
    out.push_str(&format!("Jobs failed:    {}\n\n", c.failed));
    out.push_str(&format!("Job states ts:  {} ({now})\n", time(*now)));
    out.push_str(&format!("Jobs pending:   {}\nJobs running:   {}\n\n", status.pending, status.running));
    out.push_str("Main schedule statistics (microseconds):\n");
    out.push_str(&format!("\tLast cycle:   {last_cycle}\n\tMax cycle:    {max_cycle}\n\tTotal cycles: {cycles}\n"));
    out.push_str(&format!("\tMean cycle:   {}\n", mean(c.sum_cycles, *cycles)));
    out.push_str(&format!("\tMean depth cycle:  {}\n", mean(c.depth, *cycles)));
    out.push_str(&format!("\tCycles per minute: {}\n\tLast queue length: {}\n", mean(*cycles, minutes), c.queue));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that a real sdiag printed, but for the numbers.
    #[test]
    fn lines_are_slurms() {
        let counts = Counts { submitted: 317, started: 93, cycles: 4, sum_cycles: 30, depth: 8, ..Counts::default() };
        let status = Status {
            pid: 1,
            version: String::new(),
            since: 1000,
            pending: 2,
            running: 3,
            last_job_id: 9,
            now: 1120,
            counts,
        };
        let out = statistics(&status, |_| "Fri Nov 27 18:41:25 2026".into());
        for line in [
            "sdiag output at Fri Nov 27 18:41:25 2026 (1120)",
            "Data since      Fri Nov 27 18:41:25 2026 (1000)",
            "Server thread count:  1",
            "Jobs submitted: 317",
            "Jobs started:   93",
            "Jobs canceled:  0",
            "Jobs pending:   2",
            "Main schedule statistics (microseconds):",
            "\tTotal cycles: 4",
            "\tMean cycle:   7",
            "\tMean depth cycle:  2",
            "\tCycles per minute: 2",
        ] {
            assert!(out.lines().any(|l| l == line), "{line:?} in\n{out}");
        }
    }
}
