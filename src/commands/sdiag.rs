//! sdiag(1): what the controller has done since it began.

use super::{
    ask, dump,
    terminal::{eprint, print, refuse},
};
use crate::{
    controller::{
        api::{Call, Counts, Reply, Status},
        client::Client,
    },
    report::{
        clock::{Clock, local},
        dump::{Statistics, StatisticsRecord},
    },
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
    let dump = match dump::read(&parsed.options, Sdiag, &args) {
        Ok(dump) => dump,
        Err(stop) => return stop.say(),
    };
    match Client::connect().and_then(|mut client| client.ask(&Call::Status)) {
        Ok(Reply::Status(status)) => match dump {
            Some(dump) => dump.print::<StatisticsRecord>("statistics", &[counted(&status)], &[], ""),
            None => print(&statistics(&counted(&status), |when| Clock::new(local, None, when).ctime())),
        },
        Ok(_) => refuse(&Refusal { lines: vec![format!("slurm_get_statistics: {}", Errno::ConnectFailure)], exit: 1 }),
        Err(error) => refuse(&Refusal::error(Sdiag, 1, error.to_string())),
    }
}

fn counted(status: &Status) -> Statistics {
    let Counts { submitted, started, completed, cancelled, failed, .. } = status.counts;
    let Counts { cycles, last_cycle, max_cycle, sum_cycles, depth, queue, .. } = status.counts;
    let Status { now, since, pending, running, .. } = *status;
    Statistics {
        now,
        since,
        cycles,
        last_cycle,
        max_cycle,
        sum_cycles,
        depth,
        queue,
        submitted,
        started,
        completed,
        cancelled,
        failed,
        pending,
        running,
    }
}

/// What is printed. Of backfilling and of calls no statistics are kept, and so their sections are missing.
fn statistics(s: &Statistics, time: impl Fn(i64) -> String) -> String {
    let Statistics { now, since, .. } = s;
    let line = "*".repeat(55);
    let mut out = format!("{line}\nsdiag output at {} ({now})\n", time(*now));
    out.push_str(&format!("Data since      {} ({since})\n{line}\n", time(*since)));
    out.push_str("Server thread count:  1\nAgent queue size:     0\nAgent count:          0\n");
    out.push_str("Agent thread count:   0\nDBD Agent queue size: 0\n\n");
    out.push_str(&format!("Jobs submitted: {}\nJobs started:   {}\n", s.submitted, s.started));
    out.push_str(&format!("Jobs completed: {}\nJobs canceled:  {}\n", s.completed, s.cancelled));
    out.push_str(&format!("Jobs failed:    {}\n\n", s.failed));
    out.push_str(&format!("Job states ts:  {} ({now})\n", time(*now)));
    out.push_str(&format!("Jobs pending:   {}\nJobs running:   {}\n\n", s.pending, s.running));
    out.push_str("Main schedule statistics (microseconds):\n");
    out.push_str(&format!("\tLast cycle:   {}\n\tMax cycle:    {}\n", s.last_cycle, s.max_cycle));
    out.push_str(&format!("\tTotal cycles: {}\n\tMean cycle:   {}\n", s.cycles, s.mean(s.sum_cycles)));
    out.push_str(&format!("\tMean depth cycle:  {}\n", s.mean(s.depth)));
    out.push_str(&format!("\tCycles per minute: {}\n\tLast queue length: {}\n", s.per_minute(), s.queue));
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
        let out = statistics(&counted(&status), |_| "Fri Nov 27 18:41:25 2026".into());
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
