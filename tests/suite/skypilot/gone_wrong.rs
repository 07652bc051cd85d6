//! A server that has gone wrong altogether: what it answers is garbage, on all paths at once; or it does not answer in time.

use super::{lab::SkyLab, server::Fault};
use crate::harness::say;
use std::{
    fs,
    time::{Duration, Instant},
};

/// Longer than any test.
const AGES: Duration = Duration::from_secs(3600);

/// The most memory the controller had so far, MiB.
fn most_memory(lab: &SkyLab) -> u64 {
    let pid = lab.controller().expect("a controller");
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() / 1024
}

/// A system that takes an answer for lost after three seconds, before a server that keeps logs awake.
fn impatient() -> SkyLab {
    let lab = SkyLab::fake_with("answer_within = 3", "");
    lab.server().set(|s| s.heartbeat = Duration::from_millis(500));
    lab
}

#[test]
fn garbage_on_all_paths_at_once() {
    let lab = impatient();
    let at = lab.place("w");
    let mark = |name: &str| format!("echo {name}.$SLURM_JOB_ID >> {}", lab.home().join("ran").display());
    let go = lab.home().join("go");
    let running =
        at.submit("-o running", &format!("{}; until [ -e {} ]; do sleep 0.1; done; seq 2000", mark("a"), go.display()));
    lab.until_state(running, "RUNNING");
    lab.server().set(|s| s.garbage = 3);
    let begun = Instant::now();
    let batch = at.submit("-o batch", &format!("{}; seq 1000", mark("b")));
    let array = at.submit("--array=0-3 -o array.%a", &format!("{}; echo $SLURM_ARRAY_TASK_ID", mark("c")));
    let endless = at.submit("-o endless", &format!("{}; sleep 3600", mark("d")));
    let mut cancelled = false;
    // Until each path that is asked again and again has had all kinds of it.
    lab.until_true("garbage of all kinds", || {
        let asked = Instant::now();
        assert_eq!(lab.sh("squeue -h").code, 0);
        assert!(asked.elapsed() < Duration::from_secs(2), "squeue waits for the server: {:?}", asked.elapsed());
        if !cancelled && lab.server().garbage().values().sum::<usize>() > 20 {
            lab.sh(&format!("scancel {endless}")).ok();
            cancelled = true;
        }
        lab.server().garbage().values().sum::<usize>() >= 40
    });
    let storm = begun.elapsed();
    assert!(most_memory(&lab) < 300, "{} MiB", most_memory(&lab));
    lab.server().set(|s| s.garbage = 0);
    let begun = Instant::now();
    fs::write(go, "").unwrap();
    lab.until_accounted(running, "COMPLETED|0:0");
    lab.until_accounted(batch, "COMPLETED|0:0");
    lab.until(&format!("sacct -X -n -P -j {array} -o state,exitcode | uniq -c"), "4 COMPLETED|0:0");
    lab.until_accounted(endless, &format!("CANCELLED by {}|0:0", nix::unistd::geteuid()));
    let wrong = lab.server().garbage().values().sum::<usize>();
    say(&format!(
        "{wrong} wrong answers in {storm:?}; all as it should be {:?} later; none lost, none twice",
        begun.elapsed()
    ));
    let lines = |n: u32| (1..=n).map(|i| format!("{i}\n")).collect::<String>();
    assert_eq!((at.read("running"), at.read("batch")), (lines(2000), lines(1000)));
    let ran = fs::read_to_string(lab.home().join("ran")).unwrap();
    let of = |name: &str| ran.lines().filter(|line| line.starts_with(name)).count();
    assert_eq!((of("a"), of("b"), of("c")), (1, 1, 4), "{ran}");
    assert!(of("d") <= 1, "{ran}");
    // What was cancelled is over there, too; FAILED, where its agent was told before the server was.
    lab.until_all_is_over_there();
}

/// Whatever is slow, nobody else waits for it; and what was done behind an answer that did not come in time was done once.
#[test]
fn nothing_waits_for_a_slow_answer_and_nothing_happens_twice() {
    const PATHS: [&str; 9] = [
        "/jobs/launch",
        "/api/get",
        "/jobs/queue/v2",
        "/jobs/events",
        "/jobs/logs",
        "/logs",
        "/upload_v2/blob",
        "/upload_v2",
        "/jobs/cancel",
    ];
    let lab = SkyLab::fake_with("answer_within = 3", "[[partition]]\nname = \"here\"\n");
    lab.server().set(|s| s.heartbeat = Duration::from_millis(500));
    let at = lab.place("w");
    for path in PATHS {
        lab.server().fault(path, Fault::Late(AGES), 1);
        lab.server().fault(path, Fault::Silence(Duration::from_secs(1)), 1);
        // Of a submission see below.
        if path != "/jobs/launch" {
            lab.server().fault(path, Fault::Silence(AGES), 1);
        }
    }
    let mark = format!("echo $SLURM_JOB_ID >> {}", lab.home().join("ran").display());
    let jobs: Vec<u32> = (0..3).map(|n| at.submit(&format!("-o out.{n}"), &format!("{mark}; seq 1000"))).collect();
    let endless = at.submit("-o endless", "sleep 3600");
    // What has nothing to do with it.
    for _ in 0..5 {
        let begun = Instant::now();
        assert_eq!(lab.sh("sbatch --wait -p here -o /dev/null --wrap true").code, 0);
        assert_eq!(lab.sh("squeue -h").code, 0);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
    lab.until_true("the last submission", || lab.server().jobs().len() >= 4);
    lab.sh(&format!("scancel {endless}")).ok();
    for (n, job) in jobs.iter().enumerate() {
        lab.until_accounted(job, "COMPLETED|0:0");
        assert_eq!(at.read(&format!("out.{n}")), (1..=1000).map(|i| format!("{i}\n")).collect::<String>());
    }
    lab.until_accounted(endless, &format!("CANCELLED by {}|0:0", nix::unistd::geteuid()));
    assert_eq!(fs::read_to_string(lab.home().join("ran")).unwrap().lines().count(), 3);
    assert_eq!(lab.server().jobs().len(), 4, "{:?}", lab.server().jobs());
}

#[test]
fn an_allocation_and_slow_answers() {
    let Some(lab) = SkyLab::with_nodes_with("answer_within = 3", "") else { return };
    lab.server().set(|s| s.heartbeat = Duration::from_millis(500));
    for path in ["/launch", "/api/status", "/status", "/job_status", "/api/get", "/logs", "/down"] {
        lab.server().fault(path, Fault::Late(AGES), 1);
    }
    assert_eq!(lab.sh("srun -Q echo done").ok(), "done\n");
    lab.until_accounted(1, "COMPLETED|0:0");
    lab.until_true("the cluster's end", || lab.server().clusters().iter().all(|(_, status)| *status == "GONE"));
    assert_eq!(lab.server().requests("/launch").len(), 1);
}

/// A submission that a proxy kept for longer than it was looked for comes to be after all: one of the two goes.
#[test]
fn a_submission_that_comes_to_be_after_all_is_cancelled() {
    let lab = impatient();
    let at = lab.place("w");
    lab.server().set(|s| s.pending = AGES);
    lab.server().fault("/jobs/launch", Fault::Silence(Duration::from_secs(30)), 1);
    let job = at.submit("-o out", "echo once >> ran");
    lab.until_true("the twin's end", || lab.server().jobs().iter().any(|(.., status)| *status == "CANCELLED"));
    lab.server().set(|s| s.pending = Duration::ZERO);
    lab.until_accounted(job, "COMPLETED|0:0");
    let mut all: Vec<_> = lab.server().jobs().into_iter().map(|(.., status)| status).collect();
    all.sort_unstable();
    assert_eq!((lab.server().runs(), all), (1, vec!["CANCELLED", "SUCCEEDED"]));
}

/// What SkyPilot recovers is submitted anew by us: the old one must not run beside it, though its cancelling was not understood.
#[test]
fn a_preempted_job_whose_cancelling_was_not_taken_is_cancelled_later() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    let script = "echo run ${SLURM_RESTART_COUNT:-0}; [ -n \"$SLURM_RESTART_COUNT\" ] || sleep 3600";
    let job = at.submit("--open-mode=append -o out", script);
    at.until_file("out", "run 0\n");
    lab.until_state(job, "RUNNING");
    lab.server().fault("/jobs/cancel", Fault::Says(418, "I am a teapot"), 1);
    lab.server().set(|s| s.starting = AGES);
    lab.server().preempt(lab.server().jobs()[0].0);
    lab.until_true("the first one's end", || lab.server().jobs().iter().any(|(.., status)| *status == "CANCELLED"));
    lab.server().set(|s| s.starting = Duration::ZERO);
    lab.until(&format!("sacct -X -n -P -j {job} -o state,exitcode | tail -1"), "COMPLETED|0:0");
    assert!(lab.server().faults_are_used_up());
    assert_eq!((at.read("out").as_str(), lab.server().runs()), ("run 0\nrun 1\n", 2));
}

/// The clock is set here and not there, or there and not here.
#[test]
fn a_clock_that_is_set_is_no_matter_to_jobs_there() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    lab.set_clock(0);
    let go = lab.home().join("go");
    let script = format!("echo up; until [ -e {} ]; do sleep 0.1; done; seq 1000", go.display());
    let job = at.submit("-t 1-0 -o out", &script);
    at.until_file("out", "up\n");
    lab.until_state(job, "RUNNING");
    for hours in [25, -10] {
        lab.set_clock(hours * 3600);
        let other = at.submit("-o other.%j", "echo other");
        at.until_file(&format!("other.{other}"), "other\n");
        // By the clock here it ended long ago, or has not ended yet.
        lab.until_true("its end", || lab.sh(&format!("squeue -h -j {other} -o %T")).stdout.is_empty());
        lab.sh(&format!("scontrol update jobid={job} timelimit=23:00:00")).ok();
        let shown = lab.sh("squeue -h -t all -o '%T %M'").ok().to_owned();
        assert!(shown.contains("RUNNING ") && !shown.contains(" -") && !shown.contains("INVALID"), "{shown}");
    }
    lab.set_clock(0);
    fs::write(go, "").unwrap();
    lab.until_accounted(job, "COMPLETED|0:0");
    assert_eq!(at.read("out"), "up\n".to_owned() + &(1..=1000).map(|i| format!("{i}\n")).collect::<String>());
}
