//! salloc, and srun outside a job.

use crate::harness::{FOUR, Lab, ONE};
use std::{
    process::Stdio,
    time::{Duration, Instant},
};

/// All of [`ONE`]'s node is taken until `hog` is cancelled.
fn busy() -> Lab {
    let lab = Lab::new(ONE);
    lab.sh("sbatch -Q -J hog --exclusive -o /dev/null --wrap 'sleep 3600'").ok();
    lab.until("squeue -h -n hog -o %t", "R");
    lab
}

/// What sacct says of a job.
fn ended(lab: &Lab, job: u32) -> String {
    lab.sh(&format!("sacct -X -n -P -j {job} -o jobname,state,exitcode")).ok().trim().to_owned()
}

/// The highest number of a job.
fn last_job(lab: &Lab) -> u32 {
    let out = lab.sh("skyslurm controller status | sed -n 's/^last job id: //p'");
    out.ok().trim().parse().unwrap()
}

#[test]
fn an_allocation_ends_as_its_command_does() {
    let lab = Lab::new(FOUR);
    let granted = |id: u32| format!("salloc: Granted job allocation {id}\n");
    let given_back = |id: u32| format!("salloc: Relinquishing job allocation {id}\n");
    for (id, (command, code, how)) in [
        ("true", 0, "interactive|COMPLETED|0:0"),
        ("bash -c 'exit 3'", 3, "interactive|FAILED|3:0"),
        ("bash -c 'kill -9 $$'", 0, "interactive|FAILED|0:9"),
        ("bash -c 'kill -6 $$'", 1, "interactive|FAILED|0:6"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = id as u32 + 1;
        let out = lab.sh(&format!("salloc -N2 {command}"));
        assert_eq!((out.code, out.stderr), (code, granted(id) + &given_back(id)), "{command}");
        assert_eq!(ended(&lab, id), how);
    }
    assert_eq!(lab.sh("squeue -h").ok(), "");
}

#[test]
fn the_command_runs_here_and_srun_over_there() {
    let lab = Lab::new(FOUR);
    let script = "echo $SLURM_JOB_NODELIST $SLURM_NNODES; srun hostname | sort; srun -n1 -r1 -N1 hostname; exit 6";
    let out = lab.sh(&format!("echo '{script}' | salloc -Q -N2 --ntasks-per-node=1"));
    assert_eq!((out.code, out.stdout.as_str()), (6, "node[1-2] 2\nnode1\nnode2\nnode2\n"), "{out:?}");
    // What it was made with is what is left of it.
    assert_eq!(ended(&lab, 1), "interactive|FAILED|6:0");
    assert_eq!(lab.sh("sacct -n -P -j 1 -o jobid,state").ok(), "1|FAILED\n1.0|COMPLETED\n1.1|COMPLETED\n");
}

#[test]
fn srun_makes_a_job_of_its_own() {
    let lab = Lab::new(FOUR);
    assert_eq!(lab.sh("srun -N4 -l hostname | sort").ok(), "0: node1\n1: node2\n2: node3\n3: node4\n");
    let out = lab.sh("srun -n1 -N2 bash -c 'echo $SLURM_JOB_NAME $SLURM_NNODES; exit 4'");
    assert_eq!((out.code, out.stdout.as_str()), (4, "bash 1\n"));
    assert!(
        out.stderr.starts_with("srun: Warning: can't run 1 processes on 2 nodes, setting nnodes to 1\n"),
        "{out:?}"
    );
    assert_eq!(ended(&lab, 2), "bash|FAILED|4:0");
    let shown = lab.sh("scontrol show job 2").stdout;
    for part in ["Command=bash", "BatchFlag=0", "NumNodes=1", "Reason=NonZeroExitCode"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(
        lab.sh("srun -p nosuch true").fails(1),
        "srun: error: invalid partition specified: nosuch\nsrun: error: Unable to allocate resources: Invalid partition name specified\n"
    );
}

#[test]
fn srun_tells_when_it_would_start() {
    let lab = Lab::new(FOUR);
    let out = lab.sh("srun --test-only -n2 hostname");
    assert_eq!((out.code, out.stdout.as_str()), (0, ""));
    assert!(
        out.stderr.starts_with("srun: Job 1 to start at ")
            && out.stderr.ends_with(" using 2 processors on nodes node1 in partition main\n"),
        "{out:?}"
    );
    assert_eq!(lab.sh("sacct -X -n").ok(), "");
    let inside = lab.sh("salloc -Q srun --test-only hostname");
    assert!(inside.fails(1).contains("this is a job already"), "{inside:?}");
}

#[test]
fn nodes_are_waited_for() {
    let lab = busy();
    let out = lab.sh("(until grep -q queued said; do sleep 0.02; done; scancel -n hog) 2> /dev/null & srun hostname 2> said; r=$?; wait; cat said >&2; exit $r");
    assert_eq!((out.code, out.stdout.as_str()), (0, "solo\n"));
    assert_eq!(out.stderr, "srun: job 2 queued and waiting for resources\nsrun: job 2 has been allocated resources\n");
    lab.sh("sbatch -Q -J hog --exclusive -o /dev/null --wrap 'sleep 3600'").ok();
    lab.until("squeue -h -n hog -o %t", "R");
    let out = lab.sh("(until grep -q queued said2; do sleep 0.02; done; scancel -n hog) 2> /dev/null & salloc true 2> said2; r=$?; wait; cat said2 >&2; exit $r");
    assert_eq!(
        out.stderr,
        "salloc: Pending job allocation 4\nsalloc: job 4 queued and waiting for resources\n\
         salloc: job 4 has been allocated resources\nsalloc: Granted job allocation 4\nsalloc: Relinquishing job allocation 4\n"
    );
}

#[test]
fn at_once_or_not_at_all() {
    let lab = busy();
    let busy = "error: Unable to allocate resources: Requested nodes are busy\n";
    assert_eq!(lab.sh("srun -I true").fails(1), format!("srun: {busy}"));
    assert_eq!(lab.sh("salloc -I true").fails(1), format!("salloc: {busy}"));
    let begun = Instant::now();
    let out = lab.sh("srun --immediate=1 true");
    assert_eq!(out.fails(1), format!("srun: job 4 queued and waiting for resources\nsrun: {busy}"));
    assert!(begun.elapsed() > Duration::from_millis(900));
    assert_eq!(lab.sh("squeue -h -t PD").ok(), "");
}

#[test]
fn a_signal_ends_the_wait() {
    let lab = busy();
    for (signal, command, said) in [
        (
            "INT",
            "srun",
            "srun: job 2 queued and waiting for resources\nsrun: Job allocation 2 has been revoked\nsrun: Force Terminated JobId=2\n",
        ),
        (
            "TERM",
            "salloc",
            "salloc: Pending job allocation 3\nsalloc: job 3 queued and waiting for resources\nsalloc: Job allocation 3 has been revoked.\nsalloc: Job aborted due to signal\n",
        ),
    ] {
        let line = format!(
            "rm -f said; touch said; {command} true 2>> said & p=$!; until grep -q queued said; do sleep 0.02; done; kill -{signal} $p; wait $p; rc=$?; cat said >&2; exit $rc"
        );
        assert_eq!(lab.sh(&line).fails(1), said);
    }
    assert_eq!(lab.sh("squeue -h -t PD").ok(), "");
    assert!(ended(&lab, 2).starts_with("true|CANCELLED by "));
}

#[test]
fn scancel_ends_the_wait() {
    let lab = busy();
    let line = "srun -J pend true 2> said & p=$!; until grep -q queued said; do sleep 0.02; done; scancel -n pend; wait $p; r=$?; cat said >&2; exit $r";
    assert_eq!(
        lab.sh(line).fails(1),
        "srun: job 2 queued and waiting for resources\nsrun: Job has been cancelled\nsrun: error: Unable to allocate resources: Job/step already completing or completed\n"
    );
    let line = "salloc -J pend true 2> said & p=$!; until grep -q queued said; do sleep 0.02; done; scancel -n pend; wait $p; r=$?; cat said >&2; exit $r";
    assert_eq!(
        lab.sh(line).fails(1),
        "salloc: Pending job allocation 3\nsalloc: job 3 queued and waiting for resources\nsalloc: Job has been cancelled\nsalloc: Job allocation 3 has been revoked.\nsalloc: error: Job submit/allocate failed: Job/step already completing or completed\n"
    );
}

#[test]
fn who_is_killed_leaves_nothing_behind() {
    // While it waits.
    let lab = busy();
    lab.sh("srun true & p=$!; until squeue -h -t PD | grep -q .; do sleep 0.02; done; kill -9 $p; wait $p");
    lab.until("squeue -h -t PD | wc -l", "0");
    assert!(ended(&lab, 2).starts_with("true|CANCELLED by "));
    lab.sh("scancel -n hog").ok();
    // With an allocation; its steps end with it.
    lab.sh("salloc -Q bash -c 'srun sleep 3600 & echo up > up; wait' & p=$!; until [ -e up ]; do sleep 0.02; done; kill -9 $p");
    lab.until("squeue -h | wc -l", "0");
    let last = last_job(&lab);
    assert!(ended(&lab, last).starts_with("interactive|CANCELLED by "));
    // In a step of its own job.
    lab.sh("srun sleep 3600 & p=$!; until squeue -h -s -o %i | grep -q '[.]0$'; do sleep 0.02; done; kill -9 $p");
    lab.until("squeue -h | wc -l", "0");
    let how = ended(&lab, last + 1);
    assert!(how.starts_with("sleep|CANCELLED by "), "{how}");
}

#[test]
fn who_is_killed_as_soon_as_there_is_a_job_leaves_none() {
    let lab = busy();
    lab.sh("for i in 1 2 3 4 5 6 7 8; do srun true 2>/dev/null & p=$!; sleep 0.00$i; kill -9 $p; done; wait");
    lab.until("squeue -h -t PD | wc -l", "0");
}

#[test]
fn a_controller_s_end_is_not_the_allocation_s() {
    let lab = busy();
    let mut held = lab.command("salloc");
    held.args(["-Q", "bash", "-c", "srun hostname; echo done"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let held = held.current_dir(lab.work()).spawn().unwrap();
    lab.until("squeue -h -t PD -o %i", "2");
    lab.kill_controller();
    lab.until("squeue -h -o '%i %t' | sort", "1 R\n2 PD");
    lab.sh("scancel -n hog").ok();
    let out = held.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout), "solo\ndone\n");
    assert_eq!(ended(&lab, 2), "interactive|COMPLETED|0:0");
    // And in the middle of it.
    let line =
        "salloc -Q bash -c 'kill -9 $(skyslurm controller status | sed -n \"s/^pid: //p\"); srun hostname; exit 2'";
    let out = lab.sh(line);
    assert_eq!((out.code, out.stdout.as_str()), (2, "solo\n"), "{out:?}");
    lab.until("sacct -X -n -P -j 3 -o state,exitcode", "FAILED|2:0");
}

#[test]
fn one_that_is_taken_away_is_told() {
    let lab = Lab::new(ONE);
    // Without -K the command goes on.
    let line = "salloc bash -c 'touch up; until [ -e go ]; do sleep 0.02; done; echo went on' & p=$!; until [ -e up ]; do sleep 0.02; done; scancel 1; until squeue -h | wc -l | grep -q 0; do sleep 0.02; done; touch go; wait $p";
    let out = lab.sh(line);
    assert_eq!(out.stderr, "salloc: Granted job allocation 1\nsalloc: Job allocation 1 has been revoked.\n");
    assert_eq!((out.code, out.stdout.as_str()), (0, "went on\n"));
    let line = "rm up; salloc -K bash -c 'touch up; sleep 3600' & p=$!; until [ -e up ]; do sleep 0.02; done; scancel 2; wait $p";
    let out = lab.sh(line);
    assert_eq!(
        (out.code, out.stderr.as_str()),
        (1, "salloc: Granted job allocation 2\nsalloc: Job allocation 2 has been revoked.\n")
    );
    // A step is ended.
    let out = lab.sh("srun -J can sleep 3600 & p=$!; until squeue -h -s -o %i | grep -q '^3.0$'; do sleep 0.02; done; scancel -n can; wait $p");
    assert_eq!(out.code, 143, "{out:?}");
    assert!(
        out.stderr.contains("STEP 3.0 ON solo CANCELLED AT") && out.stderr.contains("task 0: Terminated"),
        "{out:?}"
    );
}

#[test]
fn without_a_shell_it_lives_until_it_is_cancelled() {
    let lab = Lab::new(ONE);
    let out = lab.sh("salloc -J nm --no-shell");
    assert_eq!((out.code, out.stderr.as_str()), (0, "salloc: Granted job allocation 1\n"));
    assert_eq!(lab.sh("squeue -h -o '%j %t'").ok(), "nm R\n");
    assert_eq!(lab.sh("srun --jobid=1 hostname").ok(), "solo\n");
    lab.sh("scancel 1").ok();
    lab.until("squeue -h | wc -l", "0");
    let out = lab.sh("J=$(sbatch --parsable --hold --wrap true); srun --jobid=$J hostname");
    assert_eq!(
        out.fails(1),
        "srun: error: Unable to confirm allocation for job 2: Job is pending execution\nsrun: Check SLURM_JOB_ID environment variable. Expired or invalid job 2\n"
    );
}

#[test]
fn what_belongs_to_the_allocation_is_not_dropped() {
    let lab = Lab::new(ONE);
    lab.sh("sbatch -Q --hold --wrap true").ok();
    assert_eq!(
        lab.sh("srun --reservation=r true").fails(1),
        lab.sh("sbatch --reservation=r --wrap true")
            .stderr
            .replace("sbatch: ", "srun: ")
            .replace("Batch job submission failed", "Unable to allocate resources")
    );
    assert_eq!(lab.sh("srun --comment=hello -J named bash -c 'scontrol show job $SLURM_JOB_ID | grep -o Comment=.*; echo $SLURM_JOB_NAME'").ok(), "Comment=hello \nnamed\n");
    assert_eq!(lab.sh("salloc -Q -D / pwd").ok(), "/\n");
    assert_eq!(lab.sh("salloc -D /nosuch pwd").fails(1), "salloc: error: chdir(/nosuch): No such file or directory\n");
}
