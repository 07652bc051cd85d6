//! srun inside a job.

use crate::harness::{FOUR, Lab, ONE, RECORDED};
use std::process::Command;

/// What a batch script prints that runs this.
fn job(lab: &Lab, options: &str, script: &str) -> String {
    lab.file("x.sh", format!("#!/bin/bash\n{script}\n"));
    let out = lab.sh(&format!("sbatch --wait -Q -o out {options} x.sh"));
    assert!(out.stderr.is_empty(), "{out:?}");
    lab.read("out")
}

/// Whether virtual nodes can have host names of their own here.
pub fn namespaces() -> bool {
    let arguments: &[&str] = if crate::harness::is_root() {
        &["--uts", "hostname", "trial"]
    } else {
        &["--user", "--map-root-user", "--uts", "hostname", "trial"]
    };
    Command::new("unshare").args(arguments).output().is_ok_and(|o| o.status.success())
}

#[test]
fn a_step_runs_on_every_node() {
    let lab = Lab::new(FOUR);
    let out = job(
        &lab,
        "-N4 -n8",
        "srun -l bash -c 'echo $SLURMD_NODENAME $SLURM_NODEID.$SLURM_LOCALID.$SLURM_PROCID' | sort -n",
    );
    assert_eq!(
        out,
        "0: node1 0.0.0\n1: node1 0.1.1\n2: node2 1.0.2\n3: node2 1.1.3\n4: node3 2.0.4\n5: node3 2.1.5\n6: node4 3.0.6\n7: node4 3.1.7\n"
    );
    assert_eq!(
        lab.sh("sacct -n -P -o jobid,jobname,state,exitcode,ntasks,nnodes").ok(),
        "1|x.sh|COMPLETED|0:0||4\n1.batch|batch|COMPLETED|0:0|1|1\n1.0|bash|COMPLETED|0:0|8|4\n"
    );
}

#[test]
fn nodes_have_names_that_resolve() {
    if !namespaces() {
        return crate::harness::skip("this machine allows no namespaces");
    }
    let lab = Lab::new(FOUR);
    assert_eq!(job(&lab, "-N4", "srun hostname | sort"), "node1\nnode2\nnode3\nnode4\n");
    let script = "scontrol show hostnames; for n in $(scontrol show hostnames); do srun -l getent hosts $n >/dev/null || echo $n is unknown; done";
    assert_eq!(job(&lab, "-N4", script), "node1\nnode2\nnode3\nnode4\n");
}

#[test]
fn exit_codes_come_home() {
    let lab = Lab::new(ONE);
    let out = job(
        &lab,
        "-n2",
        "srun -n1 false; echo $?\nsrun bash -c 'exit $((SLURM_PROCID+3))'; echo $?\nsrun -n1 bash -c 'kill -9 $$'; echo $?\nsrun -n1 nosuchcommand; echo $?",
    );
    for line in [
        "srun: error: solo: task 0: Exited with exit code 1\n1\n",
        // In which order two tasks of a node end is theirs to say.
        "srun: error: solo: task 1: Exited with exit code 4\n",
        "\n4\n",
        "srun: error: solo: task 0: Killed\n",
        "\n137\n",
        "\n2\n",
    ] {
        assert!(out.contains(line), "{line:?} is not in {out}");
    }
    assert_eq!(lab.sh("sacct -n -X -P -o state,exitcode,derivedexitcode").ok(), "COMPLETED|0:0|4:0\n");
}

#[test]
fn a_bad_task_ends_the_step_if_asked() {
    let lab = Lab::new(ONE);
    let out = job(&lab, "-n2", "srun -K bash -c '[ $SLURM_PROCID = 0 ] && exit 5; sleep 3600'; echo rc $?");
    assert!(out.contains("rc 5\n") || out.contains("rc 137\n") || out.contains("rc 143\n"), "{out}");
}

#[test]
fn input_and_output_of_tasks() {
    let lab = Lab::new(ONE);
    assert_eq!(job(&lab, "-n2", "printf 'a\\n' | srun -l cat | sort"), "0: a\n1: a\n");
    assert_eq!(job(&lab, "-n2", "printf 'a\\n' | srun -l -i none cat | sort"), "");
    assert_eq!(job(&lab, "-n2", "printf 'a\\n' | srun -l -i 1 cat | sort"), "1: a\n");
    assert_eq!(
        job(
            &lab,
            "-n2",
            "srun -o o.%t -e e.%t bash -c 'echo o$SLURM_PROCID; echo e$SLURM_PROCID >&2'; cat o.0 o.1 e.0 e.1"
        ),
        "o0\no1\ne0\ne1\n"
    );
    assert_eq!(job(&lab, "-n2", "srun -o 1 bash -c 'echo $SLURM_PROCID'"), "1\n");
    assert_eq!(job(&lab, "-n2", "echo old > f; srun -n1 -o f --open-mode=append echo new; cat f"), "old\nnew\n");
    assert_eq!(job(&lab, "", "srun -u bash -c 'echo a; echo b >&2'").lines().count(), 2);
    assert_eq!(job(&lab, "", "head -c 300000 /dev/zero | tr '\\0' x | srun cat | wc -c").trim(), "300000");
}

#[test]
fn several_programs_in_a_step() {
    let lab = Lab::new(FOUR);
    lab.file("mp.conf", "# who does what\n0 echo zero task:%t offset:%o\n1-2 echo range task:%t offset:%o\n* bash -c 'echo rest $SLURM_PROCID'\n");
    assert_eq!(
        job(&lab, "-n4 -N2", "srun -l --multi-prog mp.conf | sort"),
        "0: zero task:0 offset:0\n1: range task:1 offset:0\n2: range task:2 offset:1\n3: rest 3\n"
    );
}

#[test]
fn steps_share_the_job_out() {
    let lab = Lab::new(FOUR);
    // With --exact both run at once: each waits for the other.
    let both = "srun -n1 -c1 --exact --mem=10 bash -c 'touch a; until [ -e b ]; do sleep 0.05; done' &\nsrun -n1 -c1 --exact --mem=10 bash -c 'touch b; until [ -e a ]; do sleep 0.05; done' &\nwait; echo both";
    assert_eq!(job(&lab, "-n2 -N1", both), "both\n");
    // Without, the second waits, and says so; --overlap does not wait.
    let out = job(&lab, "-n2 -N1", "srun -n1 sleep 1 & sleep 0.3; srun -n1 echo second; wait");
    assert!(
        out.contains("step creation temporarily disabled, retrying (Requested nodes are busy)")
            && out.ends_with("second\n"),
        "{out}"
    );
    assert_eq!(
        job(
            &lab,
            "-n2 -N1",
            "srun -n1 bash -c 'until [ -e over ]; do sleep 0.05; done' & sleep 0.3; srun -n1 --overlap touch over; wait; echo done"
        ),
        "done\n"
    );
    let out = job(
        &lab,
        "-n2 -N1",
        "srun -n1 --exclusive -c1 --mem=10 sleep 0.2 & srun -n1 --exclusive -c1 --mem=10 sleep 0.2 & wait; echo done",
    );
    assert_eq!(out, "done\n");
}

#[test]
fn a_step_is_smaller_than_its_job() {
    let lab = Lab::new(FOUR);
    let name = "bash -c 'echo $SLURMD_NODENAME'";
    assert_eq!(job(&lab, "-N4", &format!("srun -N1 -n1 -w node3 {name}")), "node3\n");
    assert_eq!(job(&lab, "-N4", &format!("srun -N2 -n2 -x node1 {name} | sort")), "node2\nnode3\n");
    assert_eq!(
        job(&lab, "-N4 -n8", &format!("srun --ntasks-per-node=1 -n4 -N4 {name} | sort")),
        "node1\nnode2\nnode3\nnode4\n"
    );
    assert_eq!(
        job(&lab, "-N2 -n4", &format!("srun -l -m cyclic {name} | sort")),
        "0: node1\n1: node2\n2: node1\n3: node2\n"
    );
    let out = job(&lab, "-n1", "srun -n3 true; echo $?");
    assert!(out.contains("More processors requested than permitted") && out.ends_with("1\n"), "{out}");
    assert_eq!(job(&lab, "-n1", "srun -O -n3 echo task"), "task\ntask\ntask\n");
    assert_eq!(
        job(&lab, "-n1", "srun -Q -D /tmp -J named pwd; sacct -n -P -j $SLURM_JOB_ID.0 -o jobname"),
        "/tmp\nnamed\n"
    );
    assert_eq!(job(&lab, "-n1", "srun --export=ALL,FOO=1 bash -c 'echo $FOO'"), "1\n");
    assert_eq!(
        job(&lab, "-n1", "J=$SLURM_JOB_ID; env -u SLURM_JOB_ID -u SLURM_JOBID srun --jobid=$J echo joined"),
        "joined\n"
    );
}

#[test]
fn a_task_s_gpus_processors_and_memory() {
    let lab = Lab::new(RECORDED);
    let gpus = "bash -c 'echo $CUDA_VISIBLE_DEVICES'";
    assert_eq!(job(&lab, "--gpus-per-node=4", &format!("srun {gpus}")), "0,1,2,3\n");
    assert_eq!(job(&lab, "--gpus-per-node=4", &format!("srun --gpus=1 {gpus}")), "0\n");
    assert_eq!(job(&lab, "--gpus-per-node=4", &format!("srun --gres=gpu:2 {gpus}")), "0,1\n");
    assert_eq!(job(&lab, "--gpus-per-node=4", &format!("srun --gpus-per-node=3 {gpus}")), "0,1,2\n");
    assert_eq!(job(&lab, "--gpus-per-node=4", &format!("srun --gres=none {gpus}")), "\n");
    assert_eq!(
        job(&lab, "--gpus-per-node=4 -n2", &format!("srun -l --gpus-per-task=2 {gpus} | sort")),
        "0: 0,1\n1: 2,3\n"
    );
    assert_eq!(job(&lab, "-n2 -c4", "srun bash -c 'echo $SLURM_CPUS_PER_TASK'"), "4\n4\n");
    assert_eq!(
        job(&lab, "-n4", "srun -n1 -c2 bash -c 'echo $SLURM_CPUS_PER_TASK $SLURM_CPUS_ON_NODE'").split(' ').next(),
        Some("2")
    );
    assert_eq!(job(&lab, "--mem=4G", "srun --mem=1G bash -c 'echo $SLURM_MEM_PER_NODE'"), "1024\n");
    assert_eq!(job(&lab, "-n2", "srun --mem-per-cpu=500 bash -c 'echo $SLURM_MEM_PER_CPU'"), "500\n500\n");
    assert_eq!(job(&lab, "--gpus=2 -n4", "srun --ntasks-per-gpu=2 bash -c 'echo $SLURM_NTASKS' | sort -u"), "4\n");
    assert_eq!(
        job(
            &lab,
            "--gpus=2 -c8",
            "srun --gpus=2 --cpus-per-gpu=2 --mem-per-gpu=100 bash -c 'echo $SLURM_CPUS_PER_GPU $SLURM_MEM_PER_GPU'"
        ),
        "2 100\n"
    );
}

#[test]
fn what_srun_says_of_itself() {
    let lab = Lab::new(ONE);
    assert!(lab.sh("srun --version").ok().starts_with("slurm "));
    for option in ["--help", "--usage"] {
        assert!(lab.sh(&format!("srun {option}")).ok().contains("srun"));
    }
    let out = job(&lab, "-n1", "srun -v true 2>&1 | grep -c srun:");
    assert_ne!(out, "0\n");
    assert_eq!(job(&lab, "-n1", "srun -Q true"), "");
}

#[test]
fn what_does_not_go_together_is_said_and_left_out() {
    let lab = Lab::new(FOUR);
    let out = job(&lab, "-N4 -n8", "srun --ntasks-per-node=1 -N4 echo task");
    assert!(out.contains("srun: Warning: can't honor --ntasks-per-node set to 1 which doesn't match the requested tasks 8 with the number of requested nodes 4. Ignoring --ntasks-per-node.\n"), "{out}");
    assert_eq!(out.matches("task\n").count(), 8);
}

#[test]
fn a_step_begins_further_on_or_not_at_all() {
    let lab = Lab::new(FOUR);
    assert_eq!(job(&lab, "-N3", "srun -r1 -N1 -n1 bash -c 'echo $SLURMD_NODENAME'"), "node2\n");
    let out = job(
        &lab,
        "-n1",
        "srun -n1 bash -c 'touch up; until [ -e over ]; do sleep 0.05; done' &\nuntil [ -e up ]; do sleep 0.05; done\nsrun -n1 --immediate echo no; echo rc $?; touch over; wait",
    );
    assert_eq!(out, "srun: error: Unable to create step for job 2: Requested nodes are busy\nrc 1\n");
}

#[test]
fn a_step_does_not_wait_long_for_its_last_tasks() {
    let lab = Lab::new(ONE);
    let out = job(&lab, "-n2", "srun --wait=1 bash -c '[ $SLURM_PROCID = 0 ] && exit 0; sleep 3600'; echo rc $?");
    assert!(out.contains("srun: First task exited 1s ago\n") && out.ends_with("rc 137\n"), "{out}");
}

#[test]
fn a_step_has_a_terminal() {
    let lab = Lab::new(ONE);
    lab.file("t.sh", "tty >/dev/null && echo a terminal of $TERM; exit 4\n");
    let out = job(&lab, "-n1", "script -qec 'srun --pty bash t.sh' /dev/null; echo rc $?");
    assert!(out.contains("a terminal of xterm") && out.ends_with("rc 4\n"), "{out:?}");
    let out = job(&lab, "-n1", "srun --pty bash t.sh; echo rc $?");
    assert!(
        out.contains("Not using a pseudo-terminal, disregarding --pty option") && out.ends_with("rc 4\n"),
        "{out:?}"
    );
}

#[test]
fn interrupts_are_asked_about_or_not() {
    let lab = Lab::new(ONE);
    let interrupted = |options: &str, signals: &str| {
        let script = format!(
            "srun -n1 {options} bash -c 'touch up; exec sleep 3600' & p=$!\nuntil [ -e up ]; do sleep 0.05; done; sleep 0.3; rm up\n{signals}\nwait $p; echo rc $?"
        );
        job(&lab, "-n1", &script)
    };
    let out = interrupted("", "kill -INT $p; sleep 2; kill -0 $p && echo goes on; kill -TERM $p");
    assert!(
        out.starts_with(
            "srun: interrupt (one more within 1 sec to abort)\nsrun: StepId=1.0 task 0: running\ngoes on\n"
        ),
        "{out}"
    );
    for option in ["-X", "--quit-on-interrupt"] {
        let out = interrupted(option, "kill -INT $p");
        assert!(
            out.contains("srun: sending Ctrl-C to StepId=") && !out.contains("one more") && out.ends_with("rc 130\n"),
            "{option}: {out}"
        );
    }
}
