//! salloc, and srun outside a job.

use crate::harness::{FOUR, Lab, ONE, RECORDED};
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
fn what_salloc_asks_for_is_what_it_gets() {
    let lab = Lab::new(
        &FOUR.replace("default_memory", "accounts = [\"a\", \"b\"]\nqos_list = [\"q\", \"normal\"]\ndefault_memory"),
    );
    lab.file("nodes", "node3,node4\n");
    let job = "scontrol show job $SLURM_JOB_ID";
    for (options, command, wanted) in [
        ("-A b", job, "Account=b "),
        ("--comment=hello", job, "Comment=hello "),
        ("--extra=more", job, "Extra=more\n"),
        ("-n1 --tres-per-task=cpu:2,gres/gpu", "env", "SLURM_TRES_PER_TASK=cpu=2,gres/gpu=1\n"),
        ("-J nm", job, "JobName=nm\n"),
        ("--nice=7", job, " Nice=7 "),
        ("--priority=77", job, "Priority=77 "),
        ("-q q", job, "QOS=q\n"),
        ("-t 7", job, "TimeLimit=00:07:00 "),
        ("-t 7 --time-min=5", job, "TimeMin=00:05:00"),
        ("-N2-3 --use-min-nodes", job, "NumNodes=2 "),
        ("-N2", job, "NumNodes=2 "),
        ("-n3", job, "NumTasks=3 "),
        ("-c2", job, "NumCPUs=2 "),
        ("--mincpus=2", job, "NumCPUs=2 "),
        ("--mem=50M", job, "MinMemoryNode=50M "),
        ("--mem-per-cpu=60M", job, "MinMemoryCPU=60M "),
        ("--gpus=1 --mem-per-gpu=70M", "env", "SLURM_MEM_PER_GPU=70\n"),
        ("--gres=gpu:1", job, "gres/gpu=1"),
        ("-G 2 -N2", job, "gres/gpu=2"),
        ("--gpus-per-node=1 -N2", "env", "SLURM_GPUS_PER_NODE=1\n"),
        ("--gpus-per-task=1 -n2", "env", "SLURM_GPUS_PER_TASK=1\n"),
        ("--gpus=1 --cpus-per-gpu=2", "env", "SLURM_CPUS_PER_GPU=2\n"),
        ("--gpus=1 --ntasks-per-gpu=1", "env", "SLURM_NTASKS_PER_GPU=1\n"),
        ("--gpus=1 --gpu-bind=single:1", "env", "SLURM_GPU_BIND=single:1\n"),
        ("-n4 --ntasks-per-node=2", job, "NumNodes=2 "),
        ("-n4 -N2 -m cyclic", "srun -l sh -c 'echo $SLURM_DISTRIBUTION'", "cyclic"),
        ("-O -n3 -N1", "srun sh -c 'echo $SLURM_NTASKS'", "3\n"),
        ("-w node[2-3]", job, " NodeList=node[2-3]\n"),
        ("-x node1", job, " NodeList=node2\n"),
        ("-F nodes", job, " NodeList=node[3-4]\n"),
        ("-p main", job, "Partition=main "),
        ("--exclusive", job, "NumCPUs=2 "),
        ("-s", job, "OverSubscribe=YES "),
        ("-M local", job, "JobState=RUNNING "),
        ("--wait-all-nodes=1", job, "JobState=RUNNING "),
        ("-D /", "pwd", "/\n"),
        ("--get-user-env", "env", "HOME=/"),
    ] {
        let out = lab.sh(&format!("salloc -Q {options} {command}"));
        assert!(out.code == 0 && out.stdout.contains(wanted), "salloc {options} {command}: {out:#?}");
    }
    // A login's variables go over those it was typed with.
    let home = lab.sh("HOME=/nowhere salloc -Q --get-user-env sh -c 'echo $HOME'");
    assert_ne!(home.ok(), "/nowhere\n");
    assert_eq!(
        lab.sh("salloc -F nosuch true").fails(1),
        "salloc: error: Unable to open nosuch: No such file or directory\n"
    );
    assert_eq!(lab.sh("srun -F nodes hostname | sort").ok(), "node3\nnode4\n");
    assert!(lab.sh("salloc -C nosuch true").code == 1);
    let said = lab.sh("salloc -v -N1 true").stderr;
    assert!(said.contains("salloc: nodes               : 1\n"), "{said}");
    for option in ["--help", "--usage", "--version"] {
        assert!(!lab.sh(&format!("salloc {option}")).ok().is_empty());
    }
}

#[test]
fn salloc_may_be_told_to_wait_and_to_warn() {
    let lab = Lab::new(ONE);
    for option in ["--hold", "--begin=now+1hour"] {
        let line = format!(
            "salloc {option} true 2> said & p=$!; until grep -qs queued said; do sleep 0.02; done; squeue -h -o %r; kill $p; wait $p"
        );
        let out = lab.sh(&line);
        let reason = if option == "--hold" { "JobHeldUser\n" } else { "BeginTime\n" };
        assert_eq!((out.code, out.stdout.as_str()), (1, reason));
    }
    // What comes before the step is there is lost, as in Slurm: there are ten seconds for that.
    let line = "salloc -Q -t 1 --signal=USR1@50 srun bash -c 'exec 2> /dev/null; trap \"echo warned; exit 0\" USR1; while :; do sleep 0.05; done'";
    assert_eq!(lab.sh(line).ok(), "warned\n");
}

#[test]
fn nodes_are_waited_for() {
    let lab = busy();
    let out = lab.sh("(until grep -qs queued said; do sleep 0.02; done; scancel -n hog) 2> /dev/null & srun hostname 2> said; r=$?; wait; cat said >&2; exit $r");
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
            "rm -f said; touch said; {command} true 2>> said & p=$!; until grep -qs queued said; do sleep 0.02; done; kill -{signal} $p; wait $p; rc=$?; cat said >&2; exit $rc"
        );
        assert_eq!(lab.sh(&line).fails(1), said);
    }
    assert_eq!(lab.sh("squeue -h -t PD").ok(), "");
    assert!(ended(&lab, 2).starts_with("true|CANCELLED by "));
}

#[test]
fn scancel_ends_the_wait() {
    let lab = busy();
    let line = "srun -J pend true 2> said & p=$!; until grep -qs queued said; do sleep 0.02; done; scancel -n pend; wait $p; r=$?; cat said >&2; exit $r";
    assert_eq!(
        lab.sh(line).fails(1),
        "srun: job 2 queued and waiting for resources\nsrun: Job has been cancelled\nsrun: error: Unable to allocate resources: Job/step already completing or completed\n"
    );
    let line = "salloc -J pend true 2> said & p=$!; until grep -qs queued said; do sleep 0.02; done; scancel -n pend; wait $p; r=$?; cat said >&2; exit $r";
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

#[test]
fn what_is_asked_of_the_wrong_cluster_or_display_is_refused() {
    let lab = Lab::new(ONE);
    let unknown = "srun: error: No cluster 'nosuch' known by database.\n\
                   srun: error: 'nosuch' can't be reached now, or it is an invalid entry for --cluster.  \
                   Use 'sacctmgr list clusters' to see available clusters.\n";
    assert_eq!(lab.sh("srun -M nosuch true").fails(1), unknown);
    assert_eq!(lab.sh("salloc -Q srun -M nosuch true").fails(1), unknown);
    assert_eq!(
        lab.sh(
            "c=$(scontrol show config | sed -n 's/^ClusterName *= //p'); srun -M $c echo a; salloc -Q srun -M $c echo b"
        )
        .ok(),
        "a\nb\n"
    );
    for command in ["srun", "salloc"] {
        let said = format!("{command}: error: No DISPLAY variable set, cannot setup x11 forwarding.\n");
        assert_eq!(lab.sh(&format!("{command} --x11 true")).fails(255), said);
    }
    assert_eq!(lab.sh("DISPLAY=:5 srun --x11 sh -c 'echo $DISPLAY'").ok(), ":5\n");
}

#[test]
fn a_task_is_given_what_it_asks_for() {
    let lab = Lab::new(RECORDED);
    let task = "echo $SLURM_CPUS_PER_TASK $CUDA_VISIBLE_DEVICES";
    let line = format!("srun -n2 --tres-per-task=cpu:3,gres/gpu:h100:2 sh -c '{task}' | sort");
    assert_eq!(lab.sh(&line).ok(), "3 0,1\n3 2,3\n");
}
