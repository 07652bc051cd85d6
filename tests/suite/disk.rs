//! Disks that are full: the controller's, and that of a job's output.

use crate::harness::{FOUR, Lab, ONE, skip};
use std::{fs, path::PathBuf, process::Command};

/// Fills the file system of the state directory to its last byte; gives what it is filled with.
fn fill(lab: &Lab) -> PathBuf {
    let file = lab.state().join("fill");
    for size in ["4k", "1"] {
        lab.sh(&format!(
            "dd if=/dev/zero of={0} oflag=append conv=notrunc bs={size} 2>/dev/null; true",
            file.display()
        ));
    }
    file
}

/// Jobs that end, that wait for them, that are put back and that begin while nothing can be written: none is lost, none
/// runs twice, and all is as it should be when there is space again.
#[test]
fn nothing_is_lost_while_the_state_directory_is_full() {
    let lab = Lab::new(FOUR);
    if !lab.state_on_a_disk_of("3m") {
        return skip("no permission to mount a small file system");
    }
    let gate = "until [ -e go ]; do sleep 0.02; done; echo $SLURM_JOB_ID >> ran";
    let runs = lab.submit(&format!("-o /dev/null --wrap '{gate}; srun -n1 echo step > step; exit 3'"));
    let back = lab.submit(
        "--open-mode=append -o back --wrap 'echo run ${SLURM_RESTART_COUNT-0}; until [ -e go ]; do sleep 0.02; done'",
    );
    let next = lab.submit(&format!("-d afterany:{runs} -o next --wrap 'echo $SLURM_JOB_ID >> ran'"));
    let held = lab.submit("-H -N4 -o /dev/null --wrap 'echo $SLURM_JOB_ID >> ran'");
    lab.until_file("back", "run 0");
    let filled = fill(&lab);
    lab.file("large.sh", format!("#!/bin/bash\n#{}\n", "x".repeat(100_000)));
    let refused = lab.sh("sbatch large.sh");
    let said = refused.fails(1);
    assert!(
        said.contains("database or disk is full")
            && said.ends_with(
                "sbatch: error: Batch job submission failed: I/O error writing script/environment to file\n"
            ),
        "{said}"
    );
    // Questions are answered all the same.
    assert_eq!(lab.sh("squeue -h -t R -o %i | sort").ok(), format!("{runs}\n{back}\n"));
    lab.sh(&format!("scontrol requeue {back}"));
    lab.file("go", "");
    lab.until_file("step", "step");
    lab.sh(&format!("scontrol release {held}"));
    // It is killed on top of it: what was not on disk is heard of again from the agents.
    let controller = lab.controller();
    fs::remove_file(&filled).unwrap();
    lab.until_accounted(runs, "FAILED|3:0");
    lab.until_accounted(next, "COMPLETED|0:0");
    lab.until_accounted(held, "COMPLETED|0:0");
    lab.until_accounted(back, "COMPLETED|0:0");
    assert_eq!(lab.controller(), controller, "it did not go on, but was started again");
    assert_eq!(lab.sh("sort -n ran").ok(), format!("{runs}\n{next}\n{held}\n"));
    assert_eq!(
        lab.sh(&format!("sacct -n -P -j {runs} -o jobid,state,exitcode | tail -n 1")).ok(),
        format!("{runs}.0|COMPLETED|0:0\n")
    );
    let again = lab.submit("-o /dev/null large.sh");
    lab.until_accounted(again, "COMPLETED|0:0");
    lab.kill_controller();
    assert_eq!(lab.sh("sacct -X -n -P -o state | sort | uniq -c | tr -s ' '").ok(), " 4 COMPLETED\n 1 FAILED\n");
}

/// A controller that finds no space as it starts says so, and starts when there is some.
#[test]
fn a_controller_without_space_says_so() {
    let lab = Lab::new(ONE);
    if !lab.state_on_a_disk_of("1m") {
        return skip("no permission to mount a small file system");
    }
    let held = lab.submit("-H -o /dev/null --wrap true");
    lab.sh("skyslurm controller stop").ok();
    let filled = fill(&lab);
    let out = lab.sh("squeue -h -o %i");
    let said = format!(
        "squeue: error: the controller could not be started: {}: disk I/O error\n",
        lab.state().join("skyslurm.db").display()
    );
    assert!(out.fails(1).starts_with(&said), "{out:?}");
    fs::remove_file(&filled).unwrap();
    assert_eq!(lab.sh("squeue -h -o %i").ok(), format!("{held}\n"));
    lab.sh(&format!("scontrol release {held}")).ok();
    lab.until_accounted(held, "COMPLETED|0:0");
}

/// A file system of its own below the work directory, until it is dropped.
struct Small(PathBuf);

impl Small {
    fn new(lab: &Lab) -> Option<Self> {
        let dir = lab.work().join("small");
        fs::create_dir(&dir).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&dir).status();
        mount.is_ok_and(|status| status.success()).then_some(Self(dir))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// As with Slurm the job itself is told by write(2), and what it makes of that is its end.
#[test]
fn a_job_whose_output_has_no_space_goes_on() {
    let lab = Lab::new(ONE);
    let Some(small) = Small::new(&lab) else { return skip("no permission to mount a small file system") };
    let batch = lab.submit("-o small/out --wrap 'head -c 1M /dev/zero; echo head $? > told; exit 0'");
    lab.until_accounted(batch, "COMPLETED|0:0");
    assert_eq!(lab.read("told"), "head 1\n");
    fs::remove_file(small.0.join("out")).unwrap();
    let step = lab.submit("-o small/out --wrap 'srun head -c 1M /dev/zero; echo $? > told; exit 4'");
    lab.until_accounted(step, "FAILED|4:0");
    assert!(!lab.read("told").is_empty());
    drop(small);
}
