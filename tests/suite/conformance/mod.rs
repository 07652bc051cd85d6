//! What a real Slurm printed, command by command, against what this program prints.
//!
//! `CONFORMANCE=sbatch cargo test --test suite conformance -- --nocapture` replays one capture.
//! `CONFORMANCE_UPDATE=1` writes `AGREED` anew; `CONFORMANCE_ALL=1` runs the exceptions too.

mod capture;
mod compare;
mod known;
mod normal;
mod tolerated;

use crate::harness::{Lab, RECORDED, say};
use capture::{Entry, Printed};
use std::{env, fmt::Write, fs, thread};

const CAPTURES: [&str; 23] = [
    "env",
    "sbatch",
    "directives",
    "files",
    "scancel",
    "squeue",
    "sacct",
    "accounts",
    "sinfo",
    "srun",
    "salloc",
    "extra",
    "enforced",
    "limits",
    "mail",
    "dependency",
    "het",
    "components",
    "reports",
    "reservations",
    "nodes",
    "odd",
    "random",
];

/// What came of one capture.
#[derive(Default)]
struct Report {
    commands: usize,
    agreed: usize,
    /// Commands that differ, and how.
    differ: Vec<(String, String)>,
    /// Commands that are not compared, and why.
    excepted: Vec<(String, String)>,
}

#[test]
fn captures_agree() {
    let only = env::var("CONFORMANCE").ok();
    let chosen: Vec<&str> =
        CAPTURES.into_iter().filter(|c| only.as_deref().is_none_or(|o| o.split(',').any(|o| o == *c))).collect();
    // Each in a system of its own, all at once: most of the time is waiting.
    let reports: Vec<(&str, Report)> = thread::scope(|scope| {
        let started: Vec<_> = chosen.iter().map(|name| (*name, scope.spawn(|| replay(name)))).collect();
        started.into_iter().map(|(name, t)| (name, t.join().unwrap())).collect()
    });
    for (name, report) in &reports {
        say(shown(name, report).trim_end());
    }
    if env::var_os("CONFORMANCE_UPDATE").is_some() {
        return update(&reports);
    }
    let mut faults: Vec<(&str, String)> = reports.iter().map(|(name, report)| (*name, judged(name, report))).collect();
    // Captures look at jobs so many seconds after they began, and a busy machine may be late once.
    for (name, fault) in faults.iter_mut().filter(|(_, fault)| !fault.is_empty()) {
        say(&format!("{name} again, after\n{fault}"));
        *fault = judged(name, &replay(name));
    }
    let faults: String = faults.into_iter().map(|(_, fault)| fault).collect();
    assert!(faults.is_empty(), "differences from a real Slurm:\n{faults}");
}

/// What of a report is not explained; empty if nothing is.
fn judged(name: &str, report: &Report) -> String {
    let mut faults = String::new();
    for (command, how) in &report.differ {
        let _ = writeln!(faults, "{name}: $ {command}\n    {how}");
    }
    let before = known::agreed().get(name).copied().unwrap_or(0);
    if report.agreed < before {
        let _ = writeln!(faults, "{name}: {} commands agree, {before} did", report.agreed);
    }
    faults
}

/// `env: 27 of 28 agree`, and the others with their reasons.
fn shown(name: &str, report: &Report) -> String {
    let compared = report.commands - report.excepted.len();
    let mut out = format!("{name}: {} of {compared} agree, {} excepted\n", report.agreed, report.excepted.len());
    for (command, why) in &report.excepted {
        let _ = writeln!(out, "  excepted: {why}\n    $ {command}");
    }
    for (command, how) in &report.differ {
        let _ = writeln!(out, "  differs: $ {command}\n    {how}");
    }
    out
}

fn update(reports: &[(&str, Report)]) {
    let mut agreed = known::agreed();
    agreed.extend(reports.iter().map(|(name, report)| ((*name).to_owned(), report.agreed)));
    let rows: String = agreed.iter().map(|(name, n)| format!("{name}\t{n}\n")).collect();
    let head = "# How many commands of each capture agree; fewer is a failure.";
    fs::write(known::directory().join("AGREED"), format!("{head}\n{rows}")).unwrap();
}

/// Runs one capture in a system of its own.
fn replay(name: &str) -> Report {
    let text = fs::read_to_string(known::directory().join(format!("{name}.txt"))).unwrap();
    let exceptions = known::exceptions();
    let lab = Lab::new(&config(name));
    if name == "mail" {
        let program = format!("mail_program = \"{}\"\n", lab.work().join("mailprog").display());
        fs::write(lab.config(), config(name) + &program).unwrap();
    }
    lab.file("ok.sh", "#!/bin/bash\necho ok\n");
    let mut report = Report::default();
    let entries = capture::parse(&text);
    for (at, entry) in entries.iter().cloned().enumerate() {
        match entry {
            Entry::File { name, content } => drop(lab.file(&name, content)),
            Entry::Prepare(line) => {
                if let Some(first) = next_id(name, &entries[at..]) {
                    use_up_ids(&lab, first);
                }
                drop(lab.sh(&normal::command(&line, 0)));
            }
            Entry::Command { line, printed } => {
                report.commands += 1;
                let why = exceptions.iter().find(|e| {
                    ["*", name].contains(&e.capture.as_str()) && known::fits(&e.pattern, &known::one_line(&line))
                });
                if let Some(exception) = why {
                    report.excepted.push((line.clone(), exception.reason.clone()));
                    if env::var_os("CONFORMANCE_ALL").is_none() {
                        continue;
                    }
                }
                match one(&lab, name, &line, &printed) {
                    None => report.agreed += 1,
                    Some(_) if why.is_some() => {}
                    Some(how) => report.differ.push((line, how)),
                }
            }
        }
    }
    report
}

/// The first job id that the commands from here on print.
fn next_id(capture: &str, entries: &[Entry]) -> Option<u64> {
    entries.iter().find_map(|entry| match entry {
        Entry::Command { line, printed } => {
            let (printed, _) = normal::recorded(capture, line, printed);
            compare::job_ids(line, &printed.stdout).first().copied()
        }
        _ => None,
    })
}

fn config(name: &str) -> String {
    match name {
        "enforced" => RECORDED.replace(
            "default_memory_per_cpu = \"2000M\"",
            "enforce_part_limits = \"ALL\"\naccounts = [\"research\"]\nqos_list = [\"normal\"]",
        ),
        "limits" => RECORDED.to_owned() + include_str!("../../../testdata/captures/limits.toml"),
        "reservations" => RECORDED.to_owned() + "accounts = [\"research\", \"agjobs\"]\n",
        _ => RECORDED.to_owned(),
    }
}

/// Runs one command and compares.
fn one(lab: &Lab, capture: &str, line: &str, printed: &Printed) -> Option<String> {
    let all = format!("{}{}", printed.stdout, printed.stderr);
    let mut ids = compare::Ids { recorded: compare::job_ids(line, &all), offset: None };
    if let Some(first) = ids.recorded.first() {
        use_up_ids(lab, *first);
    }
    let out = lab.sh(&normal::command(line, printed.code));
    let ours = normal::ours(lab, capture, line, &Printed { stdout: out.stdout, stderr: out.stderr, code: out.code });
    let (recorded, dropped) = normal::recorded(capture, line, printed);
    let unordered = |(of, pattern, _): &(&str, &str, &str)| *of == capture && known::fits(pattern, line);
    let (recorded, ours) = match tolerated::UNORDERED.iter().any(unordered) {
        true => (normal::sorted(recorded), normal::sorted(ours)),
        false => (recorded, ours),
    };
    compare::difference(&recorded, &ours, if line.contains("tail") { dropped } else { 0 }, &mut ids)
}

/// Job ids before `next` that the recorded system had given away: so most outputs are the same to the letter.
fn use_up_ids(lab: &Lab, next: u64) {
    let status = lab.sh("skyslurm controller status").stdout;
    let last = status.lines().find_map(|l| l.strip_prefix("last job id: ")?.parse().ok()).unwrap_or(0);
    if last + 1 < next && next < 1000 {
        lab.sh(&format!("for i in $(seq {}); do sbatch --test-only --wrap true; done", next - last - 1));
    }
}
