//! scancel: of what waits, of what runs, of parts.

use crate::harness::{FOUR, Lab, ONE, user_name};

#[test]
fn a_pending_job_is_gone_at_once() {
    let lab = Lab::new(ONE);
    let id = lab.submit("--hold --wrap true");
    lab.sh(&format!("scancel {id}")).ok();
    assert_eq!(lab.sh("squeue -h").ok(), "");
    assert_eq!(lab.sh("squeue -h -t all -o '%T %r'").ok(), "CANCELLED JobHeldUser\n");
}

#[test]
fn a_running_job_ends_with_all_its_processes() {
    let lab = Lab::new(ONE);
    let id = lab.submit("-o out --wrap 'setsid sleep 3600 & trap \"\" TERM; echo up; sleep 3601; sleep 3602'");
    lab.until_file("out", "up");
    lab.sh(&format!("scancel {id}")).ok();
    lab.until(
        &format!("sacct -n -P -j {id} -o jobid,state,exitcode"),
        &format!("{id}|CANCELLED by {}|0:0\n{id}.batch|CANCELLED|0:9", nix::unistd::geteuid()),
    );
    lab.until_true("the end of all sleeps", || !lab.processes().iter().any(|(_, line)| line.contains("sleep 36")));
    assert!(lab.read("out").contains(&format!("error: *** JOB {id} ON solo CANCELLED AT ")), "{}", lab.read("out"));
}

#[test]
fn an_element_goes_and_the_others_stay() {
    let lab = Lab::new(FOUR);
    let id = lab.submit("--array=1-4 -o out.%a --wrap 'echo up; sleep 3600'");
    for element in 1..=4 {
        lab.until_file(&format!("out.{element}"), "up");
    }
    lab.sh(&format!("scancel {id}_2")).ok();
    lab.until_state(format!("{id}_2"), "CANCELLED");
    assert_eq!(lab.sh(&format!("squeue -h -j {id} -o '%i %t' | sort")).ok(), "1_1 R\n1_3 R\n1_4 R\n");
}

#[test]
fn a_step_goes_and_the_job_stays() {
    let lab = Lab::new(ONE);
    let id = lab.submit("-o out --wrap 'srun sleep 3600; echo first $?; srun sleep 3601; echo second $?'");
    lab.until(&format!("squeue -h -s -j {id} -o %i | grep -F .0"), &format!("{id}.0"));
    lab.sh(&format!("scancel {id}.0")).ok();
    lab.until_file("out", "first ");
    lab.until(&format!("squeue -h -s -j {id} -o %i | grep -F .1"), &format!("{id}.1"));
    assert_eq!(lab.sh(&format!("squeue -h -j {id} -o %T")).ok(), "RUNNING\n");
}

#[test]
fn signals_reach_whom_they_are_for() {
    let lab = Lab::new(ONE);
    let id = lab.submit("-o out --wrap 'trap \"echo batch got it\" USR1; echo up; while :; do sleep 0.05; done'");
    lab.until_file("out", "up");
    lab.sh(&format!("scancel -b -s USR1 {id}")).ok();
    lab.until_file("out", "batch got it");
    // Without -b or -f only steps are told.
    let out = lab.sh(&format!("scancel -s USR2 {id}; sleep 0.3; squeue -h -j {id} -o %T"));
    assert_eq!(out.ok(), "RUNNING\n");
    assert_eq!(lab.sh(&format!("scancel -s BOGUS {id}")).stderr, "Unknown job signal: BOGUS\n");
}

#[test]
fn filters_choose() {
    let lab = Lab::new(ONE);
    lab.sh("for n in a b c d; do sbatch -Q --hold -J $n --wrap true; done; sbatch -Q -J run -o out --wrap 'echo up; sleep 3600'").ok();
    lab.until_file("out", "up");
    lab.sh("scancel -n a").ok();
    lab.sh("scancel -t PENDING -n b,c").ok();
    lab.sh("scancel --state=RUNNING --me").ok();
    lab.until("squeue -h -o %j | sort | tr '\\n' ' '", "b c d");
    lab.sh(&format!("scancel -u {}", user_name())).ok();
    assert_eq!(lab.sh("squeue -h").ok(), "");
}

#[test]
fn a_job_may_be_cancelled_as_soon_as_it_has_an_id() {
    let lab = Lab::new(ONE);
    lab.sh("for i in 1 2 3 4 5 6 7 8; do scancel $(sbatch --parsable -o /dev/null --wrap 'sleep 3600'); done").ok();
    lab.until("squeue -h", "");
    assert_eq!(lab.sh("sacct -n -X -P -o state%9 | cut -c1-9 | sort | uniq -c").ok().trim(), "8 CANCELLED");
}
