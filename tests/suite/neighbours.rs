//! Bad neighbours: what jobs and their submitters do that harms nobody but themselves.

use crate::harness::{FOUR, Lab, ONE, say};
use std::{fs, os::unix::fs::symlink, time::Instant};

/// An environment of a megabyte, arguments of 128 kB each, a script as large as one may be.
#[test]
fn large_environments_and_arguments_arrive() {
    let lab = Lab::new(ONE);
    let line = "for i in $(seq 20); do export BIG_$i=$(head -c 50000 /dev/zero | tr '\\0' x); done; \
                a=$(head -c 100000 /dev/zero | tr '\\0' y); \
                sbatch --parsable --wait -Q -o out count.sh \"$a\" \"$a\"";
    lab.file("count.sh", "#!/bin/bash\necho ${#1} ${#2} $#\ncat /proc/self/environ | tr '\\0' '\\n' | grep -c ^BIG_\nsrun -n1 bash -c 'echo ${#BIG_20}'\n");
    lab.sh(line).ok();
    assert_eq!(lab.read("out"), "100000 100000 2\n20\n50000\n");
    // More than execve(2) takes of one.
    lab.sh("a=$(head -c 131000 /dev/zero | tr '\\0' y); sbatch --wait -Q -o out count.sh \"$a\"").ok();
    assert!(lab.read("out").starts_with("131000 0 1\n"), "{}", lab.read("out"));
}

/// Daemons with sessions of their own, and children that have children as fast as they are killed: all die with the job.
#[test]
fn what_a_job_leaves_behind_dies_with_it() {
    let lab = Lab::new(ONE);
    lab.file(
        "breeds",
        "#!/bin/bash\n[ -e stop ] && exit\n(setsid bash ./breeds $1 & setsid bash ./breeds $1 &) \nsleep 3600.$1\n",
    );
    let daemon = "(setsid nohup bash -c \"sleep 3600.1\" > /dev/null 2>&1 < /dev/null & disown); nohup sleep 3600.2 & ";
    let daemons = lab.submit(&format!("-o /dev/null --wrap '{daemon} true'"));
    lab.until_accounted(daemons, "COMPLETED|0:0");
    let none =
        |lab: &Lab| !lab.processes().iter().any(|(_, line)| line.contains("sleep 3600") || line.contains("breeds"));
    assert!(none(&lab), "{:?}", lab.processes());
    // At most so many, for the sake of whoever runs this: 64 processes more than there are.
    let limit = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().parse::<u32>().is_ok())
        .count()
        + 200;
    let bomb = lab.submit(&format!(
        "-n1 -o bomb --wrap 'ulimit -u {limit} 2> /dev/null; bash ./breeds 3 & sleep 1; touch bred; sleep 3600'"
    ));
    lab.until_true("the bomb", || lab.work().join("bred").exists());
    lab.file("stop", "");
    lab.sh(&format!("scancel {bomb}")).ok();
    lab.until_state(bomb, "CANCELLED");
    lab.until_true("the end of all of it", || none(&lab));
    let next = lab.submit("-o next --wrap 'echo fine'");
    lab.until_accounted(next, "COMPLETED|0:0");
}

/// A path of the submitter's is the submitter's wish, with `..` and links in it; a name is not a path.
#[test]
fn output_goes_where_the_submitter_says_and_nowhere_else() {
    let lab = Lab::new(ONE);
    fs::create_dir_all(lab.work().join("a/b")).unwrap();
    symlink("a/b", lab.work().join("link")).unwrap();
    symlink("nowhere/at/all", lab.work().join("dangling")).unwrap();
    let run = |options: &str| lab.sh(&format!("sbatch --wait -Q {options} --wrap 'echo ran'")).code;
    assert_eq!((run("-o a/b/../up"), lab.read("a/up")), (0, "ran\n".into()));
    assert_eq!((run("-o link/out"), lab.read("a/b/out")), (0, "ran\n".into()));
    assert_ne!(run("-o dangling"), 0);
    assert_eq!((run("-o $'new\\nline'"), lab.read("new\nline")), (0, "ran\n".into()));
    // A file of somebody's that the link leads to is written, as by the shell; the link stays one.
    symlink("target", lab.work().join("linked")).unwrap();
    assert_eq!((run("-o linked"), lab.read("target")), (0, "ran\n".into()));
    assert!(fs::symlink_metadata(lab.work().join("linked")).unwrap().is_symlink());
    // A job's name with a path in it is looked up as it stands: there is no such directory, or there is one.
    assert_ne!(run("-J ../../up/x -o got-%x"), 0);
    assert!(!lab.home().join("up").exists());
}

/// Thousands that wait for others, and the largest array: whoever asks is answered, and the controller stays small.
/// `SKYSLURM_FAULTS=500` (bench/faults): 10,000 of them, and the times are printed.
#[test]
fn a_long_queue_with_dependencies_is_asked_about() {
    let many = if std::env::var_os("SKYSLURM_FAULTS").is_some() { 10_000 } else { 500 };
    let mut lab = Lab::new(FOUR);
    lab.set_patience(std::time::Duration::from_secs(900));
    let array = lab.submit("-H -a 0-99999 -o /dev/null --wrap true");
    let first = lab.submit("-H -o /dev/null --wrap true");
    let begun = Instant::now();
    lab.sh(&format!(
        "last={first}; for i in $(seq {many}); do last=$(sbatch --parsable -d afterany:$last,afterok:{array}_$i -o /dev/null --wrap true) || exit; done"
    ))
    .ok();
    let submitted = begun.elapsed();
    let time = |line: &str| {
        let mut command = lab.command("bash");
        // One shell for all of them, so that it is squeue that is timed.
        command.args(["-c", &format!("for i in $(seq 100); do a=$EPOCHREALTIME; {line} > /dev/null; b=$EPOCHREALTIME; echo $((${{b/./}} - ${{a/./}})); done")]);
        let mut times: Vec<u32> = lab.run(&mut command).ok().lines().map(|l| l.parse().unwrap()).collect();
        times.sort_unstable();
        (times[50], times[98])
    };
    let one = time(&format!("squeue -h -j {first}"));
    let all = time("squeue -h -t PD -o %i");
    let pid = lab.controller().unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak: u64 =
        status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok()).unwrap();
    assert_eq!(lab.sh("squeue -h -t PD -o %i | wc -l").ok(), format!("{}\n", many + 2));
    // The first's end decides nothing for those that wait for elements, too; the array's end decides all.
    let begun = Instant::now();
    lab.sh(&format!("scancel {array}")).ok();
    lab.until("squeue -h -t PD -o %r | sort | uniq -c | tr -s ' ' | grep -c Never", "1");
    let decided = begun.elapsed();
    say(&format!(
        "{many} dependent jobs submitted in {submitted:?}; squeue of one p50 {} us p99 {} us, of all p50 {} us p99 {} us; controller at most {peak} KiB; all decided in {decided:?}",
        one.0, one.1, all.0, all.1
    ));
    assert!(peak < 200_000, "{peak} KiB");
    lab.sh("scancel -u $USER").ok();
    lab.until("squeue -h", "");
}
