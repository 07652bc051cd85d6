//! Time limits, warnings, requeues.

use crate::harness::{Lab, ONE, RECORDED};
use std::time::{Duration, Instant};

/// The smallest limit is a minute, so that this takes a little more; all of it at once.
#[test]
fn a_job_ends_at_its_time_limit() {
    let lab = Lab::new(&ONE.replace("cpus = 2", "cpus = 8"));
    let start = Instant::now();
    let obeys = lab.submit("-t 1 -o obeys --wrap 'echo up; sleep 3600'");
    let stubborn = lab.submit("-t 1 -o stubborn --wrap 'trap \"echo asked\" TERM; while :; do sleep 0.05; done'");
    let step = lab.submit("-t 1 -o step --wrap 'srun sleep 3600'");
    let shortened = lab.submit("-t 10 -o shortened --wrap 'echo up; sleep 3600'");
    let longer = lab.submit("-t 1 -o longer --wrap 'echo up; sleep 3600'");
    lab.until_file("shortened", "up");
    lab.until_file("longer", "up");
    lab.sh(&format!("scontrol update jobid={shortened} timelimit=1; scontrol update jobid={longer} timelimit=2")).ok();
    let ids = format!("{obeys},{stubborn},{step},{shortened}");
    let until = Instant::now() + Duration::from_secs(100);
    while !lab.sh(&format!("squeue -h -j {ids}")).stdout.is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(start.elapsed() >= Duration::from_secs(60), "too early: {:?}", start.elapsed());
    assert_eq!(
        lab.sh(&format!("sacct -n -X -P -j {ids} -o state,exitcode | sort | uniq -c")).ok().trim(),
        "4 TIMEOUT|0:0"
    );
    assert_eq!(lab.sh(&format!("squeue -h -j {longer} -o %T")).ok(), "RUNNING\n");
    assert!(
        lab.read("obeys").contains("CANCELLED AT") && lab.read("obeys").contains("DUE TO TIME LIMIT ***"),
        "{}",
        lab.read("obeys")
    );
    assert!(lab.read("stubborn").contains("asked\n"));
    assert!(lab.read("step").contains(&format!("*** STEP {step}.0 ON solo CANCELLED AT ")), "{}", lab.read("step"));
}

/// `OverTimeLimit` and `KillWait`: a minute more than was asked for, and between TERM and KILL the time that is configured.
#[test]
#[ignore = "takes two minutes"]
fn a_job_may_be_late_where_that_is_allowed() {
    let lab = Lab::new(&format!("{}over_time_limit = 1\n", ONE.replace("kill_wait = 1", "kill_wait = 3")));
    let stubborn = "trap 'date +%s > asked' TERM; while :; do date +%s >> alive; sleep 0.1; done";
    lab.file("stubborn", format!("#!/bin/bash\ndate +%s > begun\n{stubborn}\n"));
    let id = lab.submit("-t 1 -o out stubborn");
    lab.until_true("its start", || lab.work().join("begun").exists());
    let until = Instant::now() + Duration::from_secs(150);
    while !lab.sh(&format!("squeue -h -j {id}")).stdout.is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(500));
    }
    lab.until_accounted(id, "TIMEOUT|0:0");
    let last = |name| lab.read(name).lines().last().unwrap_or_default().parse::<i64>().unwrap();
    let [begun, asked, alive] = ["begun", "asked", "alive"].map(last);
    assert!(asked - begun >= 119 && alive - asked >= 2, "{begun} {asked} {alive}");
}

#[test]
fn a_warning_comes_before_the_limit() {
    let lab = Lab::new(ONE);
    // 58 seconds before the end of a minute.
    lab.submit(
        "-t 1 --signal=B:USR1@58 -o batch --wrap 'trap \"echo warned; exit 0\" USR1; while :; do sleep 0.05; done'",
    );
    lab.submit("-t 1 --signal=USR2@58 -o step --wrap 'srun bash -c \"trap \\\"echo step warned; exit 0\\\" USR2; while :; do sleep 0.05; done\"'");
    lab.until_file("batch", "warned");
    lab.until_file("step", "step warned");
    lab.until("squeue -h", "");
    assert_eq!(lab.sh("sacct -n -X -P -o state").ok(), "COMPLETED\nCOMPLETED\n");
}

#[test]
fn a_requeued_job_runs_again() {
    let lab = Lab::new(ONE);
    let script = "--wrap 'echo start ${SLURM_RESTART_COUNT-0}; [ \"$SLURM_RESTART_COUNT\" = 1 ] || sleep 3600'";
    let id = lab.submit(&format!("--requeue --open-mode=append -o out {script}"));
    lab.until_file("out", "start 0");
    lab.sh(&format!("scontrol requeue {id}")).ok();
    // Slurm lets it wait two minutes for its nodes to be cleaned; here they are when it has ended.
    lab.until_file("out", "start 1");
    assert!(lab.read("out").contains("DUE TO JOB REQUEUE ***"), "{}", lab.read("out"));
    lab.until_state(id, "COMPLETED");
    assert_eq!(lab.sh(&format!("sacct -n -X -P -j {id} -o state")).ok(), "COMPLETED\n");
    assert_eq!(lab.sh(&format!("sacct -n -X -P -D -j {id} -o state")).ok(), "REQUEUED\nCOMPLETED\n");
}

#[test]
fn a_job_may_refuse_to_be_requeued() {
    let lab = Lab::new(ONE);
    let id = lab.submit("--no-requeue -o out --wrap 'echo up; sleep 3600'");
    lab.until_file("out", "up");
    let out = lab.sh(&format!("scontrol requeue {id}"));
    assert!(!out.stderr.is_empty(), "{out:?}");
    assert_eq!(lab.sh(&format!("squeue -h -j {id} -o %T")).ok(), "RUNNING\n");
}

/// What a 22.05 with these partitions (small with MaxNodes=1 as well) said, for each of `EnforcePartLimits`: the reason for which a job waits, or the refusal.
#[test]
fn limits_of_partitions_are_enforced_as_configured() {
    let time = "Requested time limit is invalid (missing or exceeds some limit)";
    let (nodes, cpus) = ("Node count specification invalid", "More processors requested than permitted");
    let jobs: [(&str, [&str; 3]); 9] = [
        ("-p debug -t 60", ["PartitionTimeLimit", time, time]),
        ("-p small -N3", ["PartitionNodeLimit", nodes, nodes]),
        ("-p small -n 200", ["PartitionConfig", cpus, cpus]),
        ("-p debug,gpu -t 60", ["", "", time]),
        ("-p gpu,debug -t 60", ["", "", time]),
        ("-p debug,small -t 120", ["PartitionTimeLimit", time, time]),
        ("-p small,gpu -N3", ["", "", nodes]),
        ("-t 8-0", ["PartitionTimeLimit", time, time]),
        ("-p small,debug -N9", ["PartitionNodeLimit", nodes, nodes]),
    ];
    let small = "[[partition]]\nname = \"small\"\nnodes = \"node[1-2]\"\nmax_time = \"1:00:00\"\n[controller]";
    for (at, mode) in ["NO", "ANY", "ALL"].into_iter().enumerate() {
        let config = RECORDED.replace("[controller]", small);
        let lab = Lab::new(&format!("{config}enforce_part_limits = \"{mode}\"\n"));
        for (options, said) in &jobs {
            let out = lab.sh(&format!("sbatch -Q -J p {options} -o /dev/null --wrap true"));
            if said[at].contains(' ') {
                assert_eq!(
                    out.fails(1),
                    format!("sbatch: error: Batch job submission failed: {}\n", said[at]),
                    "{mode}: {options}"
                );
                continue;
            }
            out.ok();
            lab.until("squeue -h -t PD -n p -o %r", said[at]);
            lab.sh("scancel -n p").ok();
        }
    }
}
