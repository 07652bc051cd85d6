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
fn a_step_may_be_cancelled_as_soon_as_it_has_a_number() {
    let lab = Lab::new(ONE);
    let step = "srun bash -c 'scancel $SLURM_JOB_ID.$SLURM_STEP_ID; sleep 1000'";
    let script = format!("#!/bin/bash\nfor i in 1 2 3 4 5; do {step}; done\ntrue\n");
    lab.file("job.sh", script);
    let id = lab.submit("-o out job.sh");
    lab.until_accounted(id, "COMPLETED|0:0");
    let out = lab.read("out");
    assert!(!out.contains("Kill job error") && out.matches(&format!("*** STEP {id}.")).count() == 5, "{out}");
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

/// The agent of a node, by its place in the job.
fn agent(lab: &Lab, index: usize) -> i32 {
    let end = format!(" {index} ");
    let found = lab.processes().into_iter().find(|(_, line)| line.contains("agent ") && line.ends_with(&end));
    found.unwrap_or_else(|| panic!("{:#?}", lab.processes())).0
}

/// No process of the jobs is left.
fn until_nothing_runs(lab: &Lab) {
    lab.until_true("the end of all sleeps", || !lab.processes().iter().any(|(_, line)| line.contains("sleep 36")));
}

#[test]
fn a_node_that_dies_in_a_step_fails_the_job() {
    for (node, index) in [("node2", 1), ("node1", 0)] {
        let lab = Lab::new(FOUR);
        let id =
            lab.submit("--no-requeue -N2 -o out --wrap 'srun -N2 -n2 bash -c \"touch up.\\$SLURM_PROCID; sleep 3600\"; echo rc $?'");
        lab.until_true("its tasks", || ["up.0", "up.1"].iter().all(|name| lab.work().join(name).exists()));
        let mut outside = lab.command("srun");
        let outside = outside.args(["--jobid", &id.to_string(), "--overlap", "-N2", "-n2", "sleep", "3601"]);
        let mut outside = outside.stderr(std::process::Stdio::piped()).spawn().unwrap();
        lab.until(&format!("squeue -h -s -j {id} -o %i | grep -F .1"), &format!("{id}.1"));
        lab.sh(&format!("kill -9 {}", agent(&lab, index))).ok();
        let begun = std::time::Instant::now();
        lab.until_accounted(id, "NODE_FAIL|0:0");
        let out = outside.wait().unwrap();
        assert!(!out.success(), "{node}: {out:?}");
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{node}: {:?}", begun.elapsed());
        until_nothing_runs(&lab);
        // The step's end is known, too.
        let steps = lab.sh(&format!("sacct -n -P -j {id}.0 -o state")).stdout;
        assert!(!steps.contains("RUNNING"), "{node}: {steps}");
        assert_eq!(lab.sh("squeue -h; sinfo -h -o %t").ok(), "idle\n", "{node}");
    }
}

#[test]
fn an_allocation_whose_node_dies_is_told() {
    for index in [1, 0] {
        let lab = Lab::new(FOUR);
        let held = lab
            .command("salloc")
            .args(["-N2", "srun", "-N2", "-n2", "bash", "-c", "touch up.$SLURM_PROCID; sleep 3600"])
            .stderr(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        lab.until_true("its tasks", || ["up.0", "up.1"].iter().all(|name| lab.work().join(name).exists()));
        let begun = std::time::Instant::now();
        lab.sh(&format!("kill -9 {}", agent(&lab, index))).ok();
        let out = held.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(
            said.contains("salloc: Job allocation 1 has been revoked.\n") && !said.contains("Relinquishing"),
            "{index}: {said}"
        );
        assert!(!out.status.success(), "{index}: {out:?}");
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{index}: {:?}", begun.elapsed());
        lab.until_accounted(1, "NODE_FAIL|0:0");
        until_nothing_runs(&lab);
    }
}

#[test]
fn what_is_killed_behind_our_back_is_noticed() {
    let lab = Lab::new(ONE);
    // A task.
    let id = lab.submit("-o out --wrap 'srun bash -c \"echo \\$\\$ > pid; exec sleep 3600\"; echo rc $?'");
    lab.until_true("its task", || !lab.read("pid").is_empty());
    lab.sh("kill -9 $(cat pid)").ok();
    lab.until_accounted(id, "COMPLETED|0:0");
    assert!(lab.read("out").contains("srun: error: solo: task 0: Killed\n") && lab.read("out").ends_with("rc 137\n"));
    // The batch shell, with a step under way.
    let id = lab.submit("-o out2 --wrap 'echo $$ > shell; srun bash -c \"touch up; sleep 3600\"'");
    lab.until_true("its step", || lab.work().join("up").exists());
    lab.sh("kill -9 $(cat shell)").ok();
    lab.until_accounted(id, "FAILED|0:9");
    until_nothing_runs(&lab);
    // srun itself, in a job and in one of its own.
    let id = lab.submit("-o out3 --wrap 'srun sleep 3600 & until squeue -h -s -o %i | grep -q \"$SLURM_JOB_ID.0\"; do sleep 0.02; done; kill -9 $!; wait $!; echo rc $?; srun echo next'");
    lab.until_accounted(id, "COMPLETED|0:0");
    assert!(lab.read("out3").contains("rc 137\n") && lab.read("out3").ends_with("next\n"), "{}", lab.read("out3"));
    until_nothing_runs(&lab);
}

#[test]
fn a_step_s_signals() {
    let lab = Lab::new(FOUR);
    let task = "trap \"echo task \\$SLURM_PROCID got USR1\" USR1; touch up.\\$SLURM_PROCID; until [ -e end ]; do sleep 0.02; done";
    let id = lab.submit(&format!(
        "-N2 -o out --wrap 'trap \"\" USR1; srun -n2 bash -c '\"'\"'{}'\"'\"'; echo rc $?'",
        task.replace("\\$", "$")
    ));
    lab.until_true("its tasks", || ["up.0", "up.1"].iter().all(|name| lab.work().join(name).exists()));
    lab.until(&format!("squeue -h -s -j {id} -o %i | grep -F .0"), &format!("{id}.0"));
    lab.sh(&format!("scancel -s USR1 {id}.0")).ok();
    for task in ["task 0 got USR1", "task 1 got USR1"] {
        lab.until_file("out", task);
    }
    assert!(lab.sh(&format!("scancel {id}.7")).code != 0);
    lab.file("end", "");
    lab.until_accounted(id, "COMPLETED|0:0");
    assert!(lab.read("out").ends_with("rc 0\n"), "{}", lab.read("out"));
}
