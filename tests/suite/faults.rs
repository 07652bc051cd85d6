//! What is promised, while things are broken: the controller is killed all the time under submissions, completions,
//! cancels and clients that are killed as well.
//!
//! `SKYSLURM_FAULTS=500 cargo test --release --test suite faults:: -- --nocapture` (bench/faults) kills it so often, and
//! prints figures; without it the test is short.

use crate::harness::{FOUR, Lab, say};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Lines each job prints.
const LINES: usize = 20;

/// A job that says that it ran, and prints numbered lines.
const SCRIPT: &str = "#!/bin/bash\necho $SLURM_JOB_ID >> ran\nfor i in {1..20}; do echo line $i; done\n";

/// Numbers that look random; the same ones for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    fn pause(&mut self, most: u64) {
        thread::sleep(Duration::from_millis(self.below(most)));
    }
}

/// What the clients were told, by job id.
#[derive(Default)]
struct Told {
    submitted: BTreeSet<u32>,
    unanswered: u32,
    cancelled: BTreeSet<u32>,
}

fn submit_until(lab: &Lab, seed: u64, stop: &AtomicBool) -> Told {
    let (mut told, mut dice, mut last) = (Told::default(), Dice(seed), None);
    while !stop.load(Ordering::Relaxed) {
        let options = match (dice.below(4), last) {
            (0, Some(last)) => format!("-d afterany:{last}"),
            (1, _) => "-n2".to_owned(),
            _ => String::new(),
        };
        let out = lab.sh(&format!("sbatch --parsable -o out-%j {options} job.sh"));
        match out.stdout.trim().parse() {
            Ok(id) => {
                told.submitted.insert(id);
                last = Some(id);
                // Whether or not it is answered it may have been done.
                if dice.below(5) == 0 {
                    lab.sh(&format!("scancel {id}"));
                    told.cancelled.insert(id);
                }
            }
            Err(_) => told.unanswered += 1,
        }
    }
    told
}

/// Clients that are killed in the middle: what they have printed by then counts.
fn killed_clients(lab: &Lab, seed: u64, stop: &AtomicBool) -> Told {
    let (mut told, mut dice) = (Told::default(), Dice(seed));
    while !stop.load(Ordering::Relaxed) {
        let mut command = lab.command("sbatch");
        command.args(["--parsable", "-o", "out-%j", "job.sh"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut client = command.spawn().unwrap();
        dice.pause(12);
        let _ = client.kill();
        let out = client.wait_with_output().unwrap();
        match String::from_utf8_lossy(&out.stdout).trim().parse() {
            Ok(id) => drop(told.submitted.insert(id)),
            Err(_) => told.unanswered += 1,
        }
    }
    told
}

#[test]
fn nothing_is_lost_or_doubled_whatever_is_killed() {
    let kills: u32 = std::env::var("SKYSLURM_FAULTS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let mut lab = Lab::new(&format!("{FOUR}min_job_age = 3600\n"));
    if kills > 12 {
        lab.set_patience(Duration::from_secs(1800));
    }
    lab.file("job.sh", SCRIPT);
    lab.sh("skyslurm controller start").ok();
    let (stop, begun) = (AtomicBool::new(false), Instant::now());
    let told: Vec<Told> = thread::scope(|scope| {
        let (lab, stop) = (&lab, &stop);
        let submitters = (1..=3).map(|seed| scope.spawn(move || submit_until(lab, seed * 7919, stop)));
        let mut clients: Vec<_> = submitters.collect();
        clients.push(scope.spawn(move || killed_clients(lab, 104_729, stop)));
        let mut dice = Dice(1_299_709);
        for _ in 0..kills {
            dice.pause(400);
            lab.kill_controller_if_any();
        }
        stop.store(true, Ordering::Relaxed);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    lab.until("squeue -h", "");
    let submitted: BTreeSet<u32> = told.iter().flat_map(|t| t.submitted.iter().copied()).collect();
    let cancelled: BTreeSet<u32> = told.iter().flat_map(|t| t.cancelled.iter().copied()).collect();
    let unanswered: u32 = told.iter().map(|t| t.unanswered).sum();
    let ends = lab.sh("sacct -X -n -P -S 2000-01-01 -a -o jobid,state,exitcode");
    let ends: BTreeMap<u32, String> = ends
        .ok()
        .lines()
        .filter_map(|l| l.split_once('|'))
        .filter_map(|(id, how)| Some((id.parse().ok()?, how.to_owned())))
        .collect();
    let mut runs: BTreeMap<u32, u32> = BTreeMap::new();
    for id in lab.read("ran").lines().filter_map(|l| l.parse().ok()) {
        *runs.entry(id).or_default() += 1;
    }
    // A job that waited and was cancelled is told of by its number.
    let end_of = |id: &u32| match ends.get(id) {
        Some(how) => how.clone(),
        None => lab.sh(&format!("sacct -X -n -P -j {id} -o state,exitcode")).stdout.trim().to_owned(),
    };
    let is_over = |how: &str| how.starts_with("COMPLETED|0:0") || how.starts_with("CANCELLED");
    let known: BTreeSet<u32> = submitted.iter().chain(ends.keys()).copied().collect();
    let lost: Vec<_> = submitted.iter().filter(|id| !is_over(&end_of(id))).map(|id| (*id, end_of(id))).collect();
    let doubled: Vec<_> = runs.iter().filter(|(_, runs)| **runs > 1).collect();
    let not_run: Vec<_> =
        known.iter().filter(|id| end_of(id).starts_with("COMPLETED") && !runs.contains_key(id)).collect();
    let wrongly: Vec<_> =
        known.iter().filter(|id| end_of(id).starts_with("CANCELLED") && !cancelled.contains(id)).collect();
    let whole: String = (1..=LINES).map(|i| format!("line {i}\n")).collect();
    let output = |id: &u32| fs::read_to_string(lab.work().join(format!("out-{id}"))).unwrap_or_default();
    let torn: Vec<_> = known.iter().filter(|id| end_of(id).starts_with("COMPLETED") && output(id) != whole).collect();
    let (seconds, bytes) =
        (begun.elapsed().as_secs(), fs::metadata(lab.state().join("skyslurm.db")).map_or(0, |m| m.len()));
    say(&format!(
        "controller killed {kills} times, {seconds} s; submitted {}, unanswered or killed clients {unanswered}, cancelled {}, \
         ran {}; lost {}, run twice {}, completed without running {}, output torn {}, cancelled by nobody {}; store {bytes} bytes",
        submitted.len(),
        cancelled.len(),
        runs.len(),
        lost.len(),
        doubled.len(),
        not_run.len(),
        torn.len(),
        wrongly.len(),
    ));
    assert!(submitted.len() as u32 > kills && !runs.is_empty(), "there was no load");
    assert!(
        lost.is_empty() && doubled.is_empty() && not_run.is_empty() && torn.is_empty() && wrongly.is_empty(),
        "lost {lost:?}, run twice {doubled:?}, not run {not_run:?}, torn {torn:?}, cancelled {wrongly:?}"
    );
}

/// Fifty shells submit at the same moment: each gets a number of its own, and each job runs.
#[test]
fn fifty_clients_at_once() {
    let lab = Lab::new(FOUR);
    let out =
        lab.sh("for i in $(seq 50); do sbatch --parsable -o /dev/null --wrap 'echo $SLURM_JOB_ID >> ran' & done; wait");
    let ids: BTreeSet<u32> = out.ok().lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(ids, (1..=50).collect());
    lab.until("squeue -h", "");
    let ran = lab.read("ran");
    assert_eq!(ran.lines().count(), 50);
    assert_eq!(ran.lines().map(|line| line.parse().unwrap()).collect::<BTreeSet<u32>>(), ids);
}

/// Names from users are data: in files, in YAML, in mail, in accounting.
#[test]
fn hostile_names_harm_nobody() {
    let lab = Lab::new(FOUR);
    let outside = lab.home().join("outside");
    for name in [
        "../../outside",
        "a/../../outside",
        "$(touch outside)",
        "a\nb",
        "%j%x%A",
        "-o",
        "'; touch outside; '",
        "ä\u{202e}ö",
    ] {
        let mut command = lab.command("sbatch");
        command.args(["--wait", "-Q", "-o", "got-%x", "--wrap", "echo ran", "-J", name]);
        let out = lab.run(&mut command);
        assert!(!outside.exists() && !lab.work().join("outside").exists(), "{name:?}: {out:?}");
        let shown = lab.sh("sacct -X -n -P -o jobname | tail -n 1");
        assert_eq!(shown.code, 0, "{name:?}");
    }
    // A link that points elsewhere is the user's own wish; a directory in the way is told.
    lab.sh("mkdir got-dir").ok();
    let id = lab.submit("-J dir -o got-%x --wrap true");
    lab.until_state(id, "FAILED");
}

/// An array of the largest size is one record until its elements start.
#[test]
fn an_array_of_a_hundred_thousand() {
    let lab = Lab::new(FOUR);
    let array = lab.submit("-H -a 0-99999 -o /dev/null --wrap true");
    assert_eq!(lab.sh("squeue -h -o '%i %T'").ok(), format!("{array}_[0-99999] PENDING\n"));
    assert_eq!(lab.sh("squeue -h -r | wc -l").ok(), "100000\n");
    let waits = lab.submit(&format!("-d afterany:{array}_77777 --wrap true"));
    let all = lab.submit(&format!("-d afternotok:{array} --wrap true"));
    lab.sh(&format!("scancel {array}_77777")).ok();
    lab.until_state(waits, "COMPLETED");
    lab.sh(&format!("scancel {array}")).ok();
    lab.until_state(all, "COMPLETED");
    let pid = lab.controller().unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    assert!(peak.is_some_and(|kib| kib < 200_000), "{peak:?} KiB");
}
