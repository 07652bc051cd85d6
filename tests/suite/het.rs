//! Heterogeneous jobs, where a capture (`het.txt`) does not show it: what happens when, and to whom.

use crate::harness::{FOUR, Lab};

/// How each component ended, and its steps but the script: `1+0|COMPLETED|0:0`.
fn accounted(lab: &Lab, job: u32) -> String {
    lab.sh(&format!("sacct -n -P -j {job} -o jobid,state,exitcode | sed 's/ by [0-9]*//' | grep -v batch"))
        .ok()
        .to_owned()
}

#[test]
fn components_start_together_or_not_at_all() {
    let lab = Lab::new(FOUR);
    let hog = lab.submit("-w node4 -N1 --exclusive -o /dev/null --wrap 'sleep 3600'");
    lab.until_state(hog, "RUNNING");
    let whole = lab.submit("-N2 -o out : -N2 --wrap 'srun -l --het-group=0,1 hostname | sort'");
    lab.until(
        &format!("squeue -h -S i -j {whole} -o '%i %t %r'"),
        &format!("{whole}+0 PD Resources\n{whole}+1 PD Resources"),
    );
    // Three nodes are free, and none is taken for a part of it.
    assert_eq!(lab.sh("sinfo -h -t idle -o %D").ok().trim(), "3");
    lab.sh(&format!("scancel {hog}")).ok();
    lab.until(&format!("sacct -X -n -P -j {whole} -o state"), "COMPLETED\nCOMPLETED");
    assert_eq!(lab.read("out"), "0: node1\n1: node2\n2: node3\n3: node4\n");
    let starts = lab.sh(&format!("sacct -X -n -P -j {whole} -o start | sort -u | wc -l"));
    assert_eq!(starts.ok().trim(), "1");
}

#[test]
fn a_component_that_is_held_holds_the_whole() {
    let lab = Lab::new(FOUR);
    // On a command line what is said last is the first one's, too.
    lab.file("job", "#!/bin/bash\n#SBATCH -n1 -o out\n#SBATCH hetjob\n#SBATCH -H -n1\necho ran\n");
    let whole = lab.submit("job");
    lab.until(&format!("squeue -h -S i -j {whole} -o '%i %r'"), &format!("{whole}+0 None\n{whole}+1 JobHeldUser"));
    lab.sh(&format!("scontrol release {whole}+1")).ok();
    lab.until_accounted(whole, "COMPLETED|0:0\nCOMPLETED|0:0");
    assert_eq!(lab.read("out"), "ran\n");
}

#[test]
fn a_component_is_ended_alone_and_its_nodes_are_others_then() {
    let lab = Lab::new(FOUR);
    lab.file("task", "#!/bin/bash\n[ $SLURM_PROCID -gt 0 ] && exec sleep 3600\nuntil [ -e go ]; do sleep 0.05; done\n");
    lab.file(
        "job",
        "#!/bin/bash\n#SBATCH -N1 --exclusive -o out\n#SBATCH hetjob\n#SBATCH -N3\nsrun --het-group=0,1 bash task & step=$!\n\
         until [ -e ended ]; do sleep 0.05; done; srun --het-group=1 true; echo refused $?\n\
         wait $step; echo step $?; srun hostname\n",
    );
    let whole = lab.submit("job");
    lab.until("squeue -h -s -o %i | grep -c '\\.0'", "2");
    let refused = lab.sh(&format!("srun --jobid={} true", whole + 1));
    assert!(refused.fails(1).contains("Job not heterogeneous job leader"), "{refused:?}");
    lab.sh(&format!("scancel {whole}+1")).ok();
    // The rest goes on, with its part of the step that was on both.
    lab.until(&format!("squeue -h -j {whole} -o '%i %T'"), &format!("{whole}+0 RUNNING"));
    let other = lab.submit("-N3 -o other --wrap 'srun hostname | sort'");
    lab.until_accounted(other, "COMPLETED|0:0");
    assert_eq!(lab.read("other"), "node2\nnode3\nnode4\n");
    let steps = accounted(&lab, whole);
    assert!(steps.contains(&format!("{whole}+0.0|RUNNING|0:0")), "{steps}");
    assert!(steps.contains(&format!("{whole}+1.0|CANCELLED|0:15")), "{steps}");
    lab.file("ended", "");
    lab.until_file("out", "refused 1\n");
    lab.file("go", "");
    lab.until(&format!("sacct -X -n -P -j {whole} -o state | sed 's/ by .*//'"), "COMPLETED\nCANCELLED");
    let out = lab.read("out");
    assert!(out.contains("already completing or completed") && out.ends_with("step 143\nnode1\n"), "{out}");
    let aborted = "srun: Job step aborted: Waiting up to 3 seconds for job step to finish.\n";
    assert_eq!(out.matches(aborted).count(), 1, "{out}");
    assert!(out.contains(&format!("*** STEP {}.0 ON node2 CANCELLED AT ", whole + 1)), "{out}");
    assert!(accounted(&lab, whole).contains(&format!("{whole}+0.0|COMPLETED|0:0")));
}

#[test]
fn signals_go_to_the_component_that_is_named() {
    let lab = Lab::new(FOUR);
    lab.file("task", "#!/bin/bash\ntrap 'exit 5' USR1\ntouch up$SLURM_PROCID\nwhile :; do sleep 0.05; done\n");
    let whole = lab.submit("-n1 -o out : -n1 --wrap 'srun --het-group=0,1 bash task; echo $?'");
    lab.until("ls up0 up1 2>/dev/null | wc -l", "2");
    lab.sh(&format!("scancel -s USR1 {whole}+1")).ok();
    // What bash says of its own children may stand between.
    let out = lab.until_file("out", "srun: error: node2: task 0: Exited with exit code 5\n");
    assert!(!out.contains("node1"), "{out}");
    lab.sh(&format!("scancel -s USR1 {whole}.0")).ok();
    let out = lab.until_file("out", "\n5\n");
    assert!(out.contains("srun: error: node1: task 0: Exited with exit code 5\n"), "{out}");
    lab.until_accounted(whole, "COMPLETED|0:0\nCOMPLETED|0:0");
}

#[test]
fn the_whole_is_cancelled_requeued_and_outlives_its_controller() {
    let lab = Lab::new(FOUR);
    let script = "touch run${SLURM_RESTART_COUNT:-0}; srun --het-group=0,1 -l hostname | sort; until [ -e go ]; do sleep 0.05; done; exit 3";
    let whole = lab.submit(&format!("-n1 -o out : -n2 --wrap '{script}'"));
    lab.until("ls run0", "run0");
    lab.sh(&format!("scontrol requeue {whole}+1")).fails(1);
    lab.sh(&format!("scontrol requeue {whole}")).ok();
    lab.until("ls run1", "run1");
    lab.kill_controller();
    lab.until(&format!("squeue -h -S i -j {whole} -o '%i %t'"), &format!("{whole}+0 R\n{whole}+1 R"));
    lab.file("go", "");
    lab.until_accounted(whole, "FAILED|3:0\nFAILED|3:0");
    assert_eq!(lab.read("out"), "0: node1\n1: node2\n2: node2\n");
    lab.until("sinfo -h -t idle -o %D", "4");

    let whole = lab.submit("-n1 -o out2 : -n2 --wrap 'srun --het-group=0-1 sleep 3600'");
    lab.until("squeue -h -s -o %i | grep -c '\\.0'", "2");
    lab.sh(&format!("scancel {whole}")).ok();
    lab.until(&format!("sacct -X -n -P -j {whole} -o state | sed 's/ by .*//'"), "CANCELLED\nCANCELLED");
    lab.until("sinfo -h -t idle -o %D", "4");
}

#[test]
fn a_component_that_had_ended_is_requeued_with_the_whole() {
    let lab = Lab::new(&FOUR.replacen("[controller]", "[controller]\nmin_job_age = 1", 1));
    let whole = lab.submit("-n1 -o out : -n1 --wrap 'srun --het-group=0,1 -l echo run $SLURM_RESTART_COUNT | sort; until [ -e go ]; do sleep 0.05; done'");
    lab.until_file("out", "1: run\n");
    lab.sh(&format!("scancel {whole}+1")).ok();
    lab.until(&format!("sacct -X -n -P -j {whole} -o state | sed 's/ by .*//'"), "RUNNING\nCANCELLED");
    // Its record is kept, by the next controller as well.
    lab.until(&format!("squeue -h -t all -j {whole} -o %i | wc -l"), "2");
    lab.kill_controller();
    lab.sh(&format!("scontrol requeue {whole}")).ok();
    lab.until_file("out", "1: run 1\n");
    lab.file("go", "");
    lab.until_accounted(whole, "COMPLETED|0:0\nCOMPLETED|0:0");
    assert_eq!(lab.read("out"), "0: run 1\n1: run 1\n");
}

#[test]
#[ignore = "takes more than a minute"]
fn a_component_has_a_time_limit_of_its_own() {
    let mut lab = Lab::new(FOUR);
    lab.set_patience(std::time::Duration::from_secs(180));
    let whole =
        lab.submit("-n1 -t 5 -o out : -n1 -t 1 --wrap 'srun --het-group=1 sleep 3600; echo step $?; srun hostname'");
    lab.until(
        &format!("sacct -X -n -P -j {whole} -o state,exitcode,timelimit"),
        "COMPLETED|0:0|00:05:00\nTIMEOUT|0:0|00:01:00",
    );
    let out = lab.read("out");
    assert!(
        out.contains(&format!("*** STEP {}.0 ON node2 CANCELLED AT ", whole + 1))
            && out.contains(" DUE TO TIME LIMIT ***"),
        "{out}"
    );
    assert!(out.contains("step 143\n") && out.ends_with("node1\n"), "{out}");
    assert!(accounted(&lab, whole).contains(&format!("{whole}+1.0|CANCELLED|0:15")));
    assert!(lab.sh(&format!("scontrol show job {whole}+1")).ok().contains("JobState=TIMEOUT Reason=TimeLimit"));
}

#[test]
fn a_node_that_is_lost_ends_the_whole() {
    let lab = Lab::new(FOUR);
    let whole = lab.submit("-n1 -o out : -N2 --wrap 'srun --het-group=0,1 sleep 3600'");
    lab.until("squeue -h -s -o %i | grep -c '\\.0'", "2");
    let agents = lab.processes();
    // The third node is the second component's.
    let of_third = |name: &str| name.contains("agent") && name.trim_end().ends_with(" 2");
    let (pid, _) = agents.iter().find(|(_, line)| of_third(line)).unwrap_or_else(|| panic!("{agents:?}"));
    lab.sh(&format!("kill -9 {pid}")).ok();
    lab.until(&format!("sacct -X -n -P -j {whole} -o state"), "NODE_FAIL\nNODE_FAIL");
    lab.until("sinfo -h -t idle -o %D", "4");
}

#[test]
fn an_allocation_has_its_components_and_gives_all_back() {
    let lab = Lab::new(FOUR);
    let out = lab.sh(
        "salloc -n1 : -N2 bash -c 'squeue -h -S i -o \"%i %N\"; srun --het-group=1 -N2 -n2 hostname | sort; exit 3'",
    );
    assert_eq!((out.code, out.stdout.as_str()), (3, "1+0 node1\n1+1 node[2-3]\nnode2\nnode3\n"), "{out:?}");
    lab.until_accounted(1, "FAILED|3:0\nFAILED|3:0");
    // No one waits any more for one that cannot be had yet.
    let hog = lab.submit("-N4 --exclusive -o /dev/null --wrap 'sleep 3600'");
    lab.until_state(hog, "RUNNING");
    lab.sh("timeout -s INT 1 salloc -n1 : -n1 true");
    lab.until("squeue -h -o %i", &hog.to_string());
}

#[test]
fn what_is_said_of_files_and_prologs_is_said_of_a_component() {
    let lab = Lab::new(FOUR);
    let out = lab.sh("srun -n1 -o a_%J echo A : -n2 -o b echo B : -n1 echo C");
    out.ok();
    assert_eq!((lab.read("a_1.0").as_str(), lab.sh("sort b").ok()), ("A\n", "B\nB\nC\n"));
    assert_eq!(out.stdout, "");
    let both = lab.sh("salloc -Q -n1 : -n1 srun -l --het-group=0,1 --prolog=none -o one hostname");
    both.ok();
    assert_eq!(lab.sh("sort one").ok(), "0: node1\n1: node2\n");
    let env = lab.sh("salloc -Q -n1 : -n1 bash -c 'sbatch --wait -o e --wrap \"env | grep -c HET_\"'; cat e");
    assert_eq!(env.stdout.lines().last(), Some("0"), "{env:?}");
}

/// As Slurm 22.05 shows them.
#[test]
fn components_of_a_step_in_an_ordinary_job_are_steps() {
    let lab = Lab::new(FOUR);
    let id = lab.submit("-N2 -n2 -o out --wrap 'srun -n1 sleep 1000 : -n1 sleep 1001; true'");
    let running = |job: &str| lab.sh(&format!("squeue -h -s -j {job} -o '%i %N' | sort")).stdout;
    lab.until_true("the step", || running(&id.to_string()).contains(&format!("{id}.0+1 ")));
    assert_eq!(running(&id.to_string()), format!("{id}.0+0 node1\n{id}.0+1 node2\n{id}.batch node1\n"));
    let shown = lab.sh(&format!("scontrol show step {id}.0 | grep -o 'StepId=[^ ]*\\|Tasks=1'")).stdout;
    assert_eq!(shown, format!("StepId={id}.0+0\nTasks=1\nStepId={id}.0+1\nTasks=1\n"));
    lab.sh(&format!("scancel {id}.0")).ok();
    lab.until_accounted(id, "COMPLETED|0:0");
    let uid = nix::unistd::geteuid();
    let step = |n: u32| format!("{id}.0+{n}|sleep|CANCELLED by {uid}|1|0:9\n");
    let kept = lab.sh(&format!("sacct -n -P -j {id}.0 -o jobid,jobname,state,ntasks,exitcode")).stdout;
    assert_eq!(kept, step(0) + &step(1));
    let said = lab.read("out");
    for (n, node) in [(0, "node1"), (1, "node2")] {
        assert!(said.contains(&format!("*** STEP {id}.0+{n} ON {node} CANCELLED AT ")), "{said}");
    }
}
