//! Job arrays.

use crate::harness::{FOUR, Lab, ONE};

#[test]
fn a_throttle_is_kept() {
    let lab = Lab::new(FOUR);
    lab.file("x.sh", "#!/bin/bash\nmkdir -p running; touch running/$SLURM_ARRAY_TASK_ID\nls running | wc -l >> counts\nsleep 0.2\nrm running/$SLURM_ARRAY_TASK_ID\n");
    lab.sh("sbatch --wait -Q -o /dev/null --array=1-8%2 x.sh").ok();
    let counts: Vec<u32> = lab.read("counts").lines().map(|l| l.trim().parse().unwrap()).collect();
    assert_eq!(counts.len(), 8);
    assert!(counts.iter().all(|n| *n <= 2) && counts.contains(&2), "{counts:?}");
}

#[test]
fn elements_are_numbered_and_the_last_keeps_the_array_s_id() {
    let lab = Lab::new(FOUR);
    let script = "echo $SLURM_ARRAY_TASK_ID $SLURM_ARRAY_JOB_ID $SLURM_JOB_ID $SLURM_ARRAY_TASK_COUNT $SLURM_ARRAY_TASK_MIN $SLURM_ARRAY_TASK_MAX $SLURM_ARRAY_TASK_STEP";
    lab.sh(&format!("sbatch --wait -Q -o out.%a --array=1,4,6-10:2 --wrap '{script}'")).ok();
    assert_eq!(
        lab.sh("cat out.1 out.4 out.6 out.8 out.10").ok(),
        "1 1 2 5 1 10 2\n4 1 3 5 1 10 2\n6 1 4 5 1 10 2\n8 1 5 5 1 10 2\n10 1 1 5 1 10 2\n"
    );
    assert_eq!(lab.sh("sacct -n -X -P -o jobid,jobidraw,state").ok().lines().count(), 5);
    assert_eq!(lab.sh("sacct -n -X -P -j 1_10 -o jobid,jobidraw,state").ok(), "1_10|1|COMPLETED\n");
}

#[test]
fn a_pending_array_is_one_line() {
    let lab = Lab::new(ONE);
    lab.submit("--hold --array=1-10%3 --wrap true");
    assert_eq!(lab.sh("squeue -h -o '%i %t %r'").ok(), "1_[1-10%3] PD JobHeldUser\n");
    assert_eq!(lab.sh("squeue -h -r -o '%i'").ok().lines().count(), 10);
    lab.submit("--array=1-4 --begin=now+1hour --wrap true");
    lab.sh("scancel 2_[1,3]").ok();
    assert_eq!(lab.sh("squeue -h -j 2 -o '%i'").ok(), "2_[2,4]\n");
}

#[test]
fn a_large_array_runs_to_its_end() {
    let lab = Lab::new(FOUR);
    lab.sh("sbatch --wait -Q -o /dev/null --array=0-199 --wrap 'echo $SLURM_ARRAY_TASK_ID >> ran'").ok();
    assert_eq!(lab.sh("sort -n ran | uniq | wc -l; wc -l < ran").ok(), "200\n200\n");
    assert_eq!(lab.sh("sacct -n -X -P -o state | sort | uniq -c").ok().trim(), "200 COMPLETED");
}
