//! Jobs that are stopped and go on.

use crate::harness::{FOUR, Lab, ONE};

/// A job whose script and step count up; gives what both have counted to.
const COUNTS: &str = "#!/bin/bash\ncount() { i=0; while :; do echo $((++i)) > $1; sleep 0.02; done; }\nexport -f count\n\
                      srun -n2 bash -c 'count step$SLURM_PROCID' & count script\n";

fn counted(lab: &Lab) -> [String; 3] {
    ["script", "step0", "step1"].map(|name| lab.read(name))
}

#[track_caller]
fn until_it_counts(lab: &Lab) {
    let before = counted(lab);
    lab.until_true("all of it to count", || {
        counted(lab).iter().zip(&before).all(|(now, before)| now != before && !now.is_empty())
    });
}

#[test]
fn a_suspended_job_stands_still_and_goes_on() {
    let lab = Lab::new(FOUR);
    lab.file("count.sh", COUNTS);
    let job = lab.submit("-N2 -n2 -t 1 -o /dev/null count.sh");
    until_it_counts(&lab);
    lab.sh(&format!("scontrol suspend {job}")).ok();
    lab.until(&format!("squeue -h -j {job} -o '%t %T'"), "S SUSPENDED");
    let mut last = counted(&lab);
    lab.until_true("it to stand still", || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        let now = counted(&lab);
        std::mem::replace(&mut last, now.clone()) == now
    });
    // A new controller leaves it so, and a time limit does not run.
    lab.sh("skyslurm controller restart");
    assert_eq!(lab.sh(&format!("squeue -h -j {job} -o %T")).ok(), "SUSPENDED\n");
    let time = format!("squeue -h -j {job} -o %M");
    let before = lab.sh(&time).stdout;
    std::thread::sleep(std::time::Duration::from_millis(1200));
    assert_eq!((lab.sh(&time).stdout, counted(&lab)), (before, last));
    let out = lab.sh(&format!("scancel -s USR1 {job}"));
    assert!(out.stderr.contains("Job can not be altered now, try again later"), "{out:?}");
    lab.sh(&format!("scontrol suspend {job}; scontrol resume {job}")).ok();
    until_it_counts(&lab);
    let again = lab.sh(&format!("scontrol resume {job}"));
    assert_eq!(again.fails(1), format!("Job is not suspended for job {job}\n"));
    let shown = lab.sh(&format!("scontrol show job {job}"));
    assert!(shown.ok().contains("JobState=RUNNING") && !shown.ok().contains("SuspendTime=None"), "{shown:?}");
    lab.sh(&format!("scontrol suspend {job}")).ok();
    lab.until(&format!("squeue -h -j {job} -o %T"), "SUSPENDED");
    lab.sh(&format!("scancel {job}")).ok();
    lab.until_state(job, "CANCELLED");
    let suspended = lab.sh(&format!("sacct -X -n -P -j {job} -o suspended")).stdout;
    assert_ne!(suspended, "00:00:00\n");
}

/// As a real one does it: the CPUs are others' meanwhile, and whoever goes on shares them.
#[test]
fn the_processors_of_a_suspended_job_are_others() {
    let lab = Lab::new(ONE);
    let loops = "until [ -e end ]; do sleep 0.02; done";
    let stopped = lab.submit(&format!("-n2 --mem=1G -o /dev/null --wrap '{loops}'"));
    lab.until_state(stopped, "RUNNING");
    let next = lab.submit(&format!("-n2 -o /dev/null --wrap '{loops}'"));
    let third = lab.submit("-n2 --mem=3500M -o /dev/null --wrap true");
    lab.sh(&format!("scontrol suspend {stopped}")).ok();
    lab.until_state(next, "RUNNING");
    // Its memory is its own.
    assert_eq!(lab.sh(&format!("squeue -h -j {third} -o %T; sinfo -h -o %C")).ok(), "PENDING\n2/0/0/2\n");
    lab.kill_controller();
    lab.sh(&format!("scontrol resume {stopped}")).ok();
    lab.until("squeue -h -t R -o %i | sort", &format!("{stopped}\n{next}"));
    // One that ends leaves the other what both had.
    lab.sh(&format!("scancel {next}")).ok();
    lab.until_state(next, "CANCELLED");
    lab.submit("-n1 -o /dev/null --wrap true");
    assert_eq!(lab.sh("squeue -h -t PD -o %i | wc -l; sinfo -h -o %C").ok(), "2\n2/0/0/2\n");
    lab.file("end", "");
    lab.until("squeue -h; sinfo -h -o %C", "0/2/0/2");
}

#[test]
fn what_does_not_run_is_not_suspended() {
    let lab = Lab::new(FOUR);
    let waits = lab.submit("-H --wrap true");
    assert_eq!(
        lab.sh(&format!("scontrol suspend {waits}")).fails(1),
        format!("Job is pending execution for job {waits}\n")
    );
    assert_eq!(
        lab.sh(&format!("scontrol resume {waits}")).fails(1),
        format!("Job is pending execution for job {waits}\n")
    );
    let over = lab.submit("--wrap true");
    lab.until_state(over, "COMPLETED");
    let words = format!("Job/step already completing or completed for job {over}\n");
    assert_eq!(lab.sh(&format!("scontrol suspend {over}")).fails(1), words);
}
