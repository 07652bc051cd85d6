//! What jobs may have together: licenses, and the limits of a QOS or an account; and deadlines.

use crate::harness::{FOUR, Lab, ONE};

const WAITS: &str = "--wrap 'while [ ! -e go ]; do sleep 0.05; done'";

fn reason(lab: &Lab, id: u32, reason: &str) {
    lab.until(&format!("squeue -h -j {id} -o '%T %r'"), &format!("PENDING {reason}"));
}

#[test]
fn licenses_are_counted() {
    let lab = Lab::new(&format!("{ONE}licenses = {{ matlab = 4, foo = 1 }}\n"));
    assert!(lab.sh("sbatch -L nosuch --wrap true").fails(1).ends_with("failed: Invalid license specification\n"));
    assert!(lab.sh("sbatch -L matlab:5 --wrap true").fails(1).ends_with("failed: Invalid license specification\n"));
    let (first, second) = (lab.submit(&format!("-L matlab:3 {WAITS}")), lab.submit("-L matlab:2,foo --wrap true"));
    lab.until_state(first, "RUNNING");
    reason(&lab, second, "Licenses");
    let third = lab.submit("-L matlab --wrap true");
    lab.until_state(third, "COMPLETED");
    let shown = "LicenseName=foo\n    Total=1 Used=0 Free=1 Reserved=0 Remote=no\n\
                 LicenseName=matlab\n    Total=4 Used=3 Free=1 Reserved=0 Remote=no\n";
    assert_eq!(lab.sh("scontrol show licenses").ok(), shown);
    assert_eq!(lab.sh(&format!("squeue -h -j {second} -o %W")).ok(), "matlab:2,foo\n");
    lab.sh("skyslurm controller restart");
    reason(&lab, second, "Licenses");
    lab.sh(&format!("scontrol update jobid={second} licenses=foo")).ok();
    lab.until_state(second, "COMPLETED");
    lab.sh("touch go").ok();
    lab.until_state(first, "COMPLETED");
    assert!(lab.sh("scontrol show licenses matlab").ok().contains("Used=0"));
    assert_eq!(
        lab.sh("salloc -Q -L foo scontrol show lic foo -o").ok(),
        "LicenseName=foo Total=1 Used=1 Free=0 Reserved=0 Remote=no\n"
    );
}

#[test]
fn a_qos_and_an_account_have_limits() {
    let lab = Lab::new(&format!(
        "{FOUR}[qos.few]\nmax_jobs = 1\nmax_submit_jobs = 3\nmax_wall = \"10\"\n[qos.gpus]\n\
         max_tres_per_user = \"gres/gpu=2\"\n[account.small]\nmax_jobs = 2\ngrp_tres = \"gres/gpu=1\"\n"
    ));
    let first = lab.submit(&format!("-q few -t 5 {WAITS}"));
    lab.until_state(first, "RUNNING");
    let second = lab.submit("-q few -t 5 -a 1-2 --wrap true");
    reason(&lab, second, "QOSMaxJobsPerUserLimit");
    let words = "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates \
                 accounting/QOS policy (job submit limit, user's size and/or time limits)\n";
    assert_eq!(lab.sh("sbatch -q few --wrap true").fails(1), words);
    lab.sh(&format!("scancel {second}_1")).ok();
    let long = lab.submit("-q few -t 11 --wrap true");
    reason(&lab, long, "QOSMaxWallDurationPerJobLimit");
    // Others are not kept.
    lab.sh("sbatch -Q --wait --wrap true").ok();
    let gpus = lab.submit(&format!("-q gpus -N2 --gpus-per-node=1 {WAITS}"));
    lab.until_state(gpus, "RUNNING");
    let more = lab.submit("-q gpus --gpus=1 --wrap true");
    reason(&lab, more, "QOSMaxGRESPerUser");
    let small = lab.submit(&format!("-A small --gpus=1 {WAITS}"));
    lab.until_state(small, "RUNNING");
    let gpu = lab.submit("-A small --gpus=1 --wrap true");
    reason(&lab, gpu, "AssocGrpGRES");
    let other = lab.submit(&format!("-A small {WAITS}"));
    lab.until_state(other, "RUNNING");
    let third = lab.submit("-A small --wrap true");
    reason(&lab, third, "AssocMaxJobsLimit");
    lab.sh(&format!("scancel {long}; touch go")).ok();
    lab.until("squeue -h", "");
}

#[test]
fn a_job_that_cannot_end_before_its_deadline_is_ended() {
    let lab = Lab::new(ONE);
    let words = "Requested time limit is invalid (missing or exceeds some limit)";
    assert!(lab.sh("sbatch -t 5 --deadline=2020-01-01 --wrap true").fails(1).contains(words));
    assert!(lab.sh("sbatch -t 5 --time-min=6 --wrap true").fails(1).contains("Invalid time-min specification"));
    let late = lab.submit("-t 10 --deadline=now+5minutes --wrap true");
    let row = format!("squeue -h -j {late} -t all -o '%T %r'");
    assert_eq!(lab.sh(&row).ok(), "DEADLINE DeadLine\n");
    assert!(lab.sh(&format!("scontrol show job {late}")).ok().contains("ExitCode=0:1"));
    let held = lab.submit("-H -t 10 --deadline=now+5minutes --wrap true");
    assert_eq!(lab.sh(&format!("squeue -h -j {held} -o '%T %r'")).ok(), "PENDING JobHeldUser\n");
    lab.sh(&format!("scontrol release {held}")).ok();
    lab.until_state(held, "DEADLINE");
    let fits =
        lab.submit("-t 10 --time-min=2 --deadline=now+5minutes -o out --wrap 'squeue -h -j $SLURM_JOB_ID -o %l'");
    lab.until_state(fits, "COMPLETED");
    assert!(["5:00\n", "4:00\n"].contains(&lab.read("out").as_str()), "{}", lab.read("out"));
    let waits = lab.submit("-t 1 --begin=now+2hours --deadline=now+63 --wrap true");
    lab.until_state(waits, "DEADLINE");
    assert!(lab.sh("salloc -t 10 --deadline=now+5minutes true").code == 1);
}

#[test]
fn components_have_licenses_together_or_none() {
    let lab = Lab::new(&format!("{FOUR}licenses = {{ matlab = 1 }}\n"));
    lab.file("x.sh", "#!/bin/bash\necho $SLURM_HET_SIZE\n");
    let both = lab.submit("-n1 -L matlab : -n1 -L matlab x.sh");
    lab.until(&format!("squeue -h -j {both} -o '%T %r' | sort -u"), "PENDING Licenses");
    lab.sh("sbatch -Q --wait -o out -n1 -L matlab : -n1 x.sh").ok();
    assert_eq!(lab.read("out"), "2\n");
    lab.sh(&format!("scancel {both}")).ok();
}
