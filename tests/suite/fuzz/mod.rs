//! Every parser of bytes from outside, on bytes that are nearly right: none may panic, hang, or take memory without bound.
//!
//! What they are made of is what a real Slurm was told and said (`testdata/captures`), and messages of our own.
//! `SKYSLURM_FUZZ_SECONDS=3600 cargo test --test suite fuzz:: -- --nocapture` does it for so long, and prints how often
//! each parser was asked; without it a second. The properties beside the code are for so many cases as
//! `PROPTEST_CASES` says.

mod corpus;
mod mutate;
mod targets;

use crate::harness::say;
use mutate::{Dice, mutate};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeVal,
};
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use targets::TARGETS;

/// What takes more of a CPU than this hangs; by the clock, a machine that is busy with others would.
const HANGS: Duration = Duration::from_secs(30);

/// What a parser is at work on.
static NOW: Mutex<Option<(&str, Vec<u8>)>> = Mutex::new(None);
/// How many inputs were worked off.
static DONE: AtomicU64 = AtomicU64::new(0);

fn budget() -> Duration {
    let seconds = std::env::var("SKYSLURM_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1))
}

/// CPU time of this process.
fn spent() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let of = |time: TimeVal| Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1000);
    of(usage.user_time()) + of(usage.system_time())
}

/// Ends all of it where one input takes too long: a thread that hangs cannot be stopped.
fn watch(over: &AtomicBool) {
    let (mut seen, mut since) = (0, spent());
    while !over.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(100));
        let done = DONE.load(Ordering::Relaxed);
        if done != seen {
            (seen, since) = (done, spent());
        } else if spent() - since > HANGS {
            let now = NOW.lock().unwrap();
            let (name, input) = now.as_ref().unwrap();
            say(&format!("{name} hangs on {:?}", String::from_utf8_lossy(input)));
            std::process::abort();
        }
    }
}

#[test]
fn nothing_from_outside_makes_a_parser_panic() {
    let (over, until) = (AtomicBool::new(false), Instant::now() + budget());
    let seed = std::env::var("SKYSLURM_FUZZ_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let mut asked = vec![0_u64; TARGETS.len()];
    let mut slowest = (Duration::ZERO, "", Vec::new());
    let failed: Vec<(&str, Vec<u8>)> = thread::scope(|scope| {
        scope.spawn(|| watch(&over));
        let corpora: Vec<Vec<Vec<u8>>> = TARGETS.iter().map(|target| corpus::of(target.name)).collect();
        let (mut dice, mut failed) = (Dice::new(seed), Vec::new());
        'all: loop {
            for (at, target) in TARGETS.iter().enumerate() {
                for _ in 0..16 {
                    if Instant::now() >= until && asked.iter().all(|n| *n > 0) || failed.len() > 20 {
                        break 'all;
                    }
                    let input = mutate(&mut dice, &corpora[at]);
                    *NOW.lock().unwrap() = Some((target.name, input.clone()));
                    let begun = Instant::now();
                    if catch_unwind(AssertUnwindSafe(|| (target.parse)(&input))).is_err() {
                        failed.push((target.name, input.clone()));
                    }
                    if begun.elapsed() > slowest.0 {
                        slowest = (begun.elapsed(), target.name, input);
                    }
                    asked[at] += 1;
                    DONE.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        over.store(true, Ordering::Relaxed);
        failed
    });
    let counts: Vec<String> = TARGETS.iter().zip(&asked).map(|(t, n)| format!("{} {n}", t.name)).collect();
    let total: u64 = asked.iter().sum();
    let (time, name, input) = slowest;
    say(&format!("{total} inputs, {} parsers, {} panics; {}", TARGETS.len(), failed.len(), counts.join(", ")));
    say(&format!(
        "slowest: {name} {time:?} on {} bytes: {:?}",
        input.len(),
        String::from_utf8_lossy(&input[..input.len().min(200)])
    ));
    let shown: Vec<_> = failed.iter().map(|(name, input)| (name, String::from_utf8_lossy(input))).collect();
    assert!(failed.is_empty(), "{shown:#?}");
}

/// What `fuzz/` begins with: a directory for each target, in the one that `SKYSLURM_FUZZ_SEEDS` names.
#[test]
fn every_target_has_seeds() {
    let dir = std::env::var_os("SKYSLURM_FUZZ_SEEDS").map(PathBuf::from);
    for target in TARGETS {
        let seeds = corpus::of(target.name);
        assert!(!seeds.is_empty(), "{}", target.name);
        let Some(dir) = dir.as_ref().map(|dir| dir.join(target.name)) else { continue };
        fs::create_dir_all(&dir).unwrap();
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(dir.join(number.to_string()), seed).unwrap();
        }
    }
}

/// What took long once, in fifty minutes of it: it was the machine, and not the parser.
#[test]
fn what_took_long_once_does_not() {
    let long = format!("--dependency={}", "'foo:1'".repeat(2000));
    let begun = Instant::now();
    for target in TARGETS {
        (target.parse)(long.as_bytes());
    }
    assert!(begun.elapsed() < HANGS, "{:?}", begun.elapsed());
}
