//! Jobs that wait for others: what `dependency.txt` of the captures does not show.

use crate::harness::{Lab, ONE};

const WAITS: &str = "--wrap 'while [ ! -e go ]; do sleep 0.05; done; exit $(cat go)'";

/// Reason and what is waited for, of a job in memory.
fn waits(lab: &Lab, id: u32) -> String {
    lab.sh(&format!("squeue -h -j {id} -o '%r %E'")).ok().trim().to_owned()
}

#[test]
fn a_chain_goes_on_by_itself() {
    let lab = Lab::new(ONE);
    let first = lab.submit(WAITS);
    let mut last = first;
    for _ in 0..3 {
        last = lab.submit(&format!("-d afterok:{last} --wrap 'echo $SLURM_JOB_ID >> order'"));
    }
    lab.until_state(first, "RUNNING");
    assert_eq!(waits(&lab, first + 1), format!("Dependency afterok:{first}(unfulfilled)"));
    lab.file("go", "0");
    lab.until_state(last, "COMPLETED");
    assert_eq!(lab.read("order"), format!("{}\n{}\n{}\n", first + 1, first + 2, last));
}

#[test]
fn a_new_controller_knows_who_waits_for_whom() {
    let lab = Lab::new(ONE);
    let first = lab.submit(&format!("-J x {WAITS}"));
    let good = lab.submit(&format!("-d afterok:{first} --wrap true"));
    let bad = lab.submit(&format!("-d afternotok:{first} --wrap true"));
    let single = lab.submit("-J x -d singleton --wrap true");
    let array = lab.submit(&format!("-a 1-2 -d after:{good} --wrap true"));
    let corresponding = lab.submit(&format!("-a 1-3 -d aftercorr:{array} --wrap true"));
    lab.until_state(first, "RUNNING");
    lab.sh("skyslurm controller stop").ok();
    // It ends while nobody looks.
    lab.file("go", "0");
    lab.sh("while pgrep -f 'cat g[o]' > /dev/null; do sleep 0.05; done");
    lab.sh("skyslurm controller start");
    for id in [good, single] {
        lab.until_state(id, "COMPLETED");
    }
    lab.until(
        &format!("squeue -h -j {bad} -o '%r %E'"),
        &format!("DependencyNeverSatisfied afternotok:{first}(failed)"),
    );
    lab.until(&format!("squeue -h -j {array} -t all -o %T | sort -u"), "COMPLETED");
    let counterpart = format!("squeue -h -j {corresponding} -t all -o '%K %T %r' | sort");
    lab.until(&counterpart, "1 COMPLETED None\n2 COMPLETED None\n3 COMPLETED None");
    // What can never be stays so.
    lab.sh("skyslurm controller restart");
    assert_eq!(waits(&lab, bad), format!("DependencyNeverSatisfied afternotok:{first}(failed)"));
    lab.sh(&format!("scontrol update jobid={bad} dependency=afterok:{first}")).ok();
    lab.until_state(bad, "COMPLETED");
}

#[test]
fn a_job_that_can_never_start_is_cancelled_where_that_is_wanted() {
    let lab = Lab::new(&format!("{ONE}kill_invalid_depend = true\n"));
    let first = lab.submit(WAITS);
    let killed = lab.submit(&format!("-d afterok:{first} --wrap true"));
    let kept = lab.submit(&format!("-d afterok:{first} --kill-on-invalid-dep=no --wrap true"));
    let after_killed = lab.submit(&format!("-d afterany:{killed} --wrap true"));
    let also_killed = lab.submit(&format!("-d afterok:{killed} --wrap true"));
    lab.file("go", "1");
    lab.until_state(first, "FAILED");
    lab.until_state(after_killed, "COMPLETED");
    lab.until_state(also_killed, "CANCELLED");
    let row = format!("sacct -X -n -P -j {killed} -o state,start,end,nodelist | sed 's/20[0-9T:-]*/T/g'");
    assert_eq!(lab.sh(&row).ok(), "CANCELLED|T|T|None assigned\n");
    assert_eq!(waits(&lab, kept), format!("DependencyNeverSatisfied afterok:{first}(failed)"));
    let shown = lab.sh(&format!("scontrol show job {kept}"));
    assert!(shown.ok().contains("KillOInInvalidDependent=No"), "{}", shown.stdout);
    lab.sh(&format!("scancel {kept}")).ok();
}

#[test]
fn a_requeued_job_is_not_over() {
    let lab = Lab::new(ONE);
    let first = lab.submit(&format!("--requeue {WAITS}"));
    let second = lab.submit(&format!("-d afterany:{first} --wrap true"));
    lab.until_state(first, "RUNNING");
    lab.sh(&format!("scontrol requeue {first}")).ok();
    lab.until(
        &format!("squeue -h -j {first} -o '%T'; scontrol show job {first} | grep -o Restarts=1"),
        "RUNNING\nRestarts=1",
    );
    assert_eq!(waits(&lab, second), format!("Dependency afterany:{first}(unfulfilled)"));
    lab.file("go", "0");
    lab.until_state(second, "COMPLETED");
}

/// Its elements leave the memory one by one while others run on.
#[test]
fn an_array_is_judged_by_all_its_elements() {
    let lab = Lab::new(&format!("{ONE}min_job_age = 0\n"));
    let script =
        "--wrap 'while [ ! -e go$SLURM_ARRAY_TASK_ID ]; do sleep 0.05; done; exit $(cat go$SLURM_ARRAY_TASK_ID)'";
    let good = lab.submit(&format!("-a 1-2 {script}"));
    lab.file("go1", "0");
    lab.until(&format!("squeue -h -r -j {good} -o %K"), "2");
    let after_good = lab.submit(&format!("-H -d afterok:{good} --wrap 'echo good >> ran'"));
    let keeper = lab.submit(&format!("-d afternotok:{good} --wrap 'echo never >> ran'"));
    lab.sh(&format!("scontrol release {after_good}")).ok();
    lab.file("go2", "0");
    lab.until("cat ran", "good");
    assert_eq!(waits(&lab, keeper), format!("DependencyNeverSatisfied afternotok:{good}_*(failed)"));
    lab.sh("rm go1 go2; scancel --me").ok();
    let bad = lab.submit(&format!("-a 1-2 {script}"));
    lab.file("go1", "1");
    lab.until(&format!("squeue -h -r -j {bad} -o %K"), "2");
    let after_bad = lab.submit(&format!("-d afterok:{bad} --wrap 'echo never >> ran'"));
    let element = lab.submit(&format!("-d afterok:{bad}_2 --wrap 'echo element >> ran'"));
    lab.file("go2", "0");
    lab.until("cat ran", "good\nelement");
    let _ = element;
    lab.until(&format!("squeue -h -j {after_bad} -o %r"), "DependencyNeverSatisfied");
}

#[test]
fn minutes_after_the_start_are_waited_for() {
    let lab = Lab::new(ONE);
    let first = lab.submit(WAITS);
    lab.until_state(first, "RUNNING");
    let second = lab.submit(&format!("-d after:{first}+1 --wrap true"));
    let third = lab.submit(&format!("-d after:{first} --wrap true"));
    lab.until_state(third, "COMPLETED");
    assert_eq!(waits(&lab, second), format!("Dependency after:{first}+1(unfulfilled)"));
    lab.sh("touch go; echo 0 > go");
}
