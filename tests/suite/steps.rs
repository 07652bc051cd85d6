//! Steps: srun in a batch script, with a real agent on every node of the job.

use super::agent::{Run, bash, ended, step};
use skyslurm::{
    agent::{
        EventKind,
        wire::{Control, Target},
    },
    job::{GresShare, StepId},
    slurm::state::JobState,
};
use std::fs;

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

fn gpus(run: Run, per_node: u32) -> Run {
    run.ask(|r| r.gres = vec![skyslurm::slurm::gres::Gres { name: "gpu".into(), type_: None, count: per_node.into() }])
        .with(|l| {
            for node in &mut l.job.placement.as_mut().unwrap().nodes {
                node.gres.push(GresShare { name: "gpu".into(), kind: None, ids: (0..per_node).collect() });
            }
        })
}

#[test]
fn a_step_runs_and_is_told_of() {
    let (out, events, _run) = bash("srun echo hello; echo rc=$?").run();
    assert_eq!(out, "hello\nrc=0\n");
    let begun = events.iter().find_map(|e| match e {
        EventKind::StepStarted(s) if s.id == StepId::Number(0) => Some(s.clone()),
        _ => None,
    });
    let begun = begun.unwrap();
    assert_eq!((begun.name.as_str(), begun.tasks, begun.cpus, begun.nodes), ("echo", 1, 1, vec!["node1".to_owned()]));
    assert_eq!(step(&events, StepId::Number(0)), (JobState::Completed, "0:0".into()));
}

#[test]
fn tasks_are_laid_out_over_nodes_with_labels() {
    let (out, _, _run) =
        bash("srun -n4 -l bash -c 'echo $SLURM_PROCID $SLURMD_NODENAME $SLURM_GTIDS'").nodes(&[3, 1]).run();
    assert_eq!(sorted(&out), ["0: 0 node1 0,1,2", "1: 1 node1 0,1,2", "2: 2 node1 0,1,2", "3: 3 node2 3"]);
}

#[test]
fn a_task_has_the_environment_of_the_capture() {
    let script =
        "srun bash -c 'env' | grep -E '^(SLURM|ENV|TMPDIR|BAR|SRUN)' | grep -vE 'TIME|CONF|_DIR|TASK_PID' | sort";
    let (out, _, _run) = bash(script).nodes(&[2]).ask(|r| r.ntasks = Some(1)).run();
    let expected = "BAR=fromshell ENVIRONMENT=BATCH SLURMD_NODENAME=node1 SLURM_CLUSTER_NAME=lab SLURM_CPUS_ON_NODE=2 \
        SLURM_DISTRIBUTION=cyclic SLURM_GTIDS=0 SLURM_JOBID=7 SLURM_JOB_CPUS_PER_NODE=2 SLURM_JOB_GID=1235 SLURM_JOB_ID=7 \
        SLURM_JOB_NAME=test SLURM_JOB_NODELIST=node1 SLURM_JOB_NUM_NODES=1 SLURM_JOB_PARTITION=gpu SLURM_JOB_UID=1234 \
        SLURM_JOB_USER=alice SLURM_LAUNCH_NODE_IPADDR=127.0.0.1 SLURM_LOCALID=0 SLURM_NNODES=1 SLURM_NODEID=0 \
        SLURM_NODELIST=node1 SLURM_NPROCS=1 SLURM_NTASKS=1 SLURM_PRIO_PROCESS=0 SLURM_PROCID=0 \
        SLURM_SRUN_COMM_HOST=127.0.0.1 SLURM_SRUN_COMM_PORT=0 SLURM_STEPID=0 SLURM_STEP_ID=0 SLURM_STEP_LAUNCHER_PORT=0 SLURM_STEP_NODELIST=node1 SLURM_STEP_NUM_NODES=1 \
        SLURM_STEP_NUM_TASKS=1 SLURM_STEP_TASKS_PER_NODE=1 SLURM_SUBMIT_HOST= SLURM_TASKS_PER_NODE=1 \
        SLURM_TOPOLOGY_ADDR=node1 SLURM_TOPOLOGY_ADDR_PATTERN=node SLURM_UMASK=0022 SRUN_DEBUG=3 TMPDIR=/tmp";
    assert_eq!(out.split_whitespace().collect::<Vec<_>>(), expected.split_whitespace().collect::<Vec<_>>());
}

#[test]
fn exit_codes_are_said_and_the_highest_is_sruns() {
    let (out, events, _run) = bash("srun -n2 bash -c 'exit $((SLURM_PROCID + 3))'; echo rc=$?").nodes(&[2]).run();
    let lines = sorted(&out);
    assert_eq!(lines[0], "rc=4");
    assert_eq!(lines[1], "srun: error: node1: task 0: Exited with exit code 3");
    assert_eq!(lines[2], "srun: error: node1: task 1: Exited with exit code 4");
    assert_eq!(step(&events, StepId::Number(0)), (JobState::Failed, "4:0".into()));
    assert_eq!(ended(&events), (JobState::Completed, "0:0".into(), "4:0".into()));
}

#[test]
fn a_killed_task_is_137_and_forced() {
    let (out, events, _run) =
        bash("srun bash -c 'kill -9 $$'; echo rc=$?; srun bash -c 'kill -11 $$' ; echo rc=$?").run();
    let expected = "srun: error: node1: task 0: Killed\nsrun: Force Terminated StepId=7.0\nrc=137\n\
                    srun: error: node1: task 0: Segmentation fault\nrc=139\n";
    assert_eq!(out.replace(" (core dumped)", ""), expected);
    assert_eq!(step(&events, StepId::Number(0)), (JobState::Cancelled, "0:9".into()));
}

#[test]
fn a_command_that_is_not_there_is_2_and_one_that_may_not_be_run_13() {
    let (out, _, _run) =
        bash("srun nosuchcommand; echo rc=$?; srun /tmp; echo rc=$?; touch noexec; srun ./noexec; echo rc=$?").run();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "slurmstepd: error: execve(): nosuchcommand: No such file or directory");
    assert_eq!(
        lines[1..4],
        [
            "srun: error: node1: task 0: Exited with exit code 2",
            "rc=2",
            "slurmstepd: error: execve(): /tmp: Permission denied"
        ]
    );
    assert!(lines[6].ends_with("/work/./noexec: Permission denied"), "{out}");
    assert_eq!(lines[8], "rc=13");
}

#[test]
fn stdin_goes_to_every_task_or_one_or_none() {
    let script = "printf 'a\\nb\\n' | srun -n2 -l cat | sort; echo --; printf 'a\\n' | srun -n2 -l -i none cat; \
                  printf 'a\\n' | srun -n2 -l --input=1 cat; printf 'f\\n' > in; srun -n2 -l --input=in cat | sort; \
                  srun -n2 --input=/nosuch cat; echo rc=$?";
    let (out, _, _run) = bash(script).nodes(&[2]).run();
    let expected = "0: a\n0: b\n1: a\n1: b\n--\n1: a\n0: f\n1: f\n\
                    srun: error: Could not open stdin file: No such file or directory\nrc=1\n";
    assert_eq!(out, expected);
}

#[test]
fn output_goes_to_files_by_pattern() {
    let script = "srun -n2 -o s_%j_%s_%t_%n_%N_%x_%J_%A hostname; srun -n2 -o one_%s bash -c 'echo o; echo e >&2'; \
                  srun -n2 -o none echo x; srun -n2 -o 1 bash -c 'echo $SLURM_PROCID'; srun -n1 -o o -e e bash -c 'echo o; echo e >&2'; \
                  srun -n1 -o nodir/x echo; echo rc=$?";
    let (out, _, run) = bash(script).nodes(&[2]).run();
    let names: Vec<String> =
        fs::read_dir(run.work("")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    for name in ["s_7_0_0_0_node1_test_7.0_7", "s_7_0_1_0_node1_test_7.0_7", "one_1"] {
        assert!(names.iter().any(|n| n == name), "{names:?}");
    }
    assert_eq!(sorted(&run.text("one_1")), ["e", "e", "o", "o"]);
    assert_eq!((run.text("o"), run.text("e")), ("o\n".into(), "e\n".into()));
    assert_eq!(out, "1\nsrun: error: Could not open stdout file: No such file or directory\nrc=1\n");
}

#[test]
fn bytes_come_as_they_are_and_many_of_them() {
    let script = "srun head -c 5000000 /dev/urandom > a.bin; srun -n1 cat a.bin > b.bin; srun cat < a.bin > c.bin; \
                  cmp a.bin b.bin && cmp a.bin c.bin && stat -c %s a.bin; srun printf no-newline";
    let (out, _, _run) = bash(script).run();
    assert_eq!(out, "5000000\nno-newline");
}

#[test]
fn steps_wait_for_each_other_unless_exact() {
    let script = "srun -n1 bash -c 'touch one; until [ -e two ]; do sleep 0.01; done' & \
                  until [ -e one ]; do sleep 0.01; done; srun -n1 -J second true & p=$!; \
                  until grep -q disabled err; do sleep 0.01; done; touch two; wait $p; echo $?";
    let (out, _, run) = bash(script).nodes(&[2]).ask(|r| r.error = Some("err".into())).run();
    assert_eq!(out, "0\n");
    let expected = "srun: Job 7 step creation temporarily disabled, retrying (Requested nodes are busy)\n\
                    srun: Step created for StepId=7.1\n";
    assert_eq!(run.text("err"), expected);
}

#[test]
fn exact_steps_run_side_by_side() {
    let meet = |own, other| {
        format!("srun -n1 --exact bash -c 'touch {own}; until [ -e {other} ]; do sleep 0.01; done; echo met' & ")
    };
    let (out, _, _run) = bash(&format!("{}{}wait", meet("a", "b"), meet("b", "a"))).nodes(&[2]).run();
    assert_eq!(out, "met\nmet\n");
}

#[test]
fn what_does_not_fit_is_refused() {
    let script = "srun -n2 true; echo rc=$?; srun -w other true; echo rc=$?; srun -O -n2 echo over; srun --jobid=99 true; echo rc=$?";
    let (out, _, _run) = bash(script).run();
    let expected = "srun: error: Unable to create step for job 7: More processors requested than permitted\nrc=1\n\
                    srun: error: Unable to create step for job 7: Requested node configuration is not available\nrc=1\n\
                    over\nover\n\
                    srun: error: Unable to confirm allocation for job 99: Invalid job id specified\n\
                    srun: Check SLURM_JOB_ID environment variable. Expired or invalid job 99\nrc=1\n";
    assert_eq!(out, expected);
}

#[test]
fn fewer_tasks_than_nodes_is_warned_of() {
    let (out, _, _run) =
        bash("srun -n1 bash -c 'echo $SLURM_NNODES'; srun -N1 -n1 -w node2 bash -c 'echo $SLURMD_NODENAME'")
            .nodes(&[1, 1])
            .run();
    assert_eq!(out, "srun: Warning: can't run 1 processes on 2 nodes, setting nnodes to 1\n1\nnode2\n");
}

#[test]
fn gpus_are_all_seen_unless_bound() {
    let script = "srun -n2 -l bash -c 'echo $CUDA_VISIBLE_DEVICES'; srun -n2 --gpus-per-task=2 -l bash -c 'echo $CUDA_VISIBLE_DEVICES $SLURM_STEP_GPUS'; \
                  srun -n1 --gres=none bash -c 'echo none=$CUDA_VISIBLE_DEVICES'; srun -n1 --gpus=1 bash -c 'echo $CUDA_VISIBLE_DEVICES'";
    let (out, _, _run) = gpus(bash(script).nodes(&[2]), 4).run();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(sorted(&lines[..2].join("\n")), ["0: 0,1,2,3", "1: 0,1,2,3"]);
    assert_eq!(sorted(&lines[2..4].join("\n")), ["0: 0,1 0,1", "1: 2,3 2,3"]);
    assert_eq!(lines[4..], ["none=", "0"]);
}

#[test]
fn multi_prog_gives_each_task_its_own() {
    let script = "printf '0 echo zero %%t %%o\\n* bash -c \"echo rest $SLURM_PROCID %%o\"\\n' > mp; srun -n3 -l --multi-prog mp | sort; \
                  printf '0 echo a\\n' > mp2; srun -n2 --multi-prog mp2; echo rc=$?";
    let (out, _, _run) = bash(script).nodes(&[3]).run();
    let expected = "0: zero 0 0\n1: rest 1 0\n2: rest 2 1\n\
                    srun: error: Configuration file mp2 invalid, no record for task id 1\nrc=1\n";
    assert_eq!(out, expected);
}

#[test]
fn kill_on_bad_exit_ends_the_others() {
    let (out, _, _run) =
        bash("srun -n2 -K bash -c '[ $SLURM_PROCID = 0 ] && exit 5; sleep 1000'; echo rc=$?").nodes(&[2]).run();
    let out = out.replace("TIME ***\n", "TIME\n");
    let expected = "srun: error: node1: task 0: Exited with exit code 5\nsrun: Terminating StepId=7.0\n\
                    slurmstepd: error: *** STEP 7.0 ON node1 CANCELLED AT TIME\nsrun: error: node1: task 1: Terminated\n\
                    srun: Force Terminated StepId=7.0\nrc=143\n";
    assert_eq!(out, expected);
}

#[test]
fn a_step_can_be_cancelled() {
    let mut run = bash("srun bash -c 'touch started; sleep 1000'; echo rc=$?").start();
    run.wait_for("started");
    run.tell(&Control::Signal { uid: 5, signal: 9, target: Target::Step(StepId::Number(0)) });
    let events = run.finish();
    let expected = "srun: Job step aborted: Waiting up to 32 seconds for job step to finish.\n\
                    slurmstepd: error: *** STEP 7.0 ON node1 CANCELLED AT TIME ***\nsrun: error: node1: task 0: Killed\nrc=137\n";
    assert_eq!(run.output(), expected);
    assert_eq!(step(&events, StepId::Number(0)), (JobState::Cancelled, "0:9".into()));
    assert!(events.iter().any(|e| matches!(e, EventKind::StepEnded { cancelled_by: Some(5), .. })));
}

#[test]
fn cancelling_the_job_gives_its_steps_their_time() {
    let script = "trap 'echo shell got term' TERM; srun bash -c 'trap \"echo step got term; exit 6\" TERM; touch started; while :; do sleep 0.05; done' & wait; wait";
    let mut run = bash(script).start();
    run.wait_for("started");
    run.tell(&Control::Terminate { uid: 5, state: JobState::Cancelled });
    let events = run.finish();
    let out = run.output();
    for line in [
        "slurmstepd: error: *** JOB 7 ON node1 CANCELLED AT TIME ***",
        "slurmstepd: error: *** STEP 7.0 ON node1 CANCELLED AT TIME ***",
        "srun: got SIGCONT",
        "step got term",
        "shell got term",
        "srun: error: node1: task 0: Exited with exit code 6",
    ] {
        assert!(out.contains(line), "{line} lacks in\n{out}");
    }
    assert_eq!(step(&events, StepId::Number(0)), (JobState::Failed, "6:0".into()));
    assert_eq!(ended(&events).0, JobState::Cancelled);
}

#[test]
fn signals_to_srun_reach_the_tasks_or_end_them() {
    let script = "srun bash -c 'trap \"echo task got USR1; exit 0\" USR1; touch one; while :; do sleep 0.05; done' & p=$!; \
                  until [ -e one ]; do sleep 0.01; done; kill -USR1 $p; wait $p; echo rc=$?; \
                  srun bash -c 'touch two; sleep 1000' & p=$!; until [ -e two ]; do sleep 0.01; done; kill -TERM $p; wait $p; echo rc=$?; \
                  srun bash -c 'touch three; exec sleep 1000' & p=$!; until [ -e three ]; do sleep 0.01; done; kill -INT $p; sleep 0.2; kill -INT $p; wait $p; echo rc=$?";
    let (out, _, _run) = bash(&format!("set -m\n{script}")).run();
    let expected = "task got USR1\nrc=0\n\
        srun: forcing job termination\nsrun: Job step aborted: Waiting up to 32 seconds for job step to finish.\n\
        slurmstepd: error: *** STEP 7.1 ON node1 CANCELLED AT TIME ***\nsrun: error: node1: task 0: Killed\nrc=137\n\
        srun: interrupt (one more within 1 sec to abort)\nsrun: StepId=7.2 task 0: running\nsrun: sending Ctrl-C to StepId=7.2\nrc=130\n";
    // bash says so of the sleep in it, which hears the signal too.
    assert_eq!(out.replace("User defined signal 1\n", ""), expected);
}

#[test]
fn the_third_interrupt_is_the_end() {
    let script = "set -m; srun bash -c 'trap \"echo task got INT\" INT; touch up; while :; do sleep 0.05; done' & p=$!; \
                  until [ -e up ]; do sleep 0.01; done; for said in interrupt 'task got' forcing; do \
                  kill -INT $p; until grep -q \"$said\" slurm-7.out; do sleep 0.01; done; done; wait $p; echo rc=$?; \
                  srun bash -c 'touch two; exec sleep 1000' & p=$!; until [ -e two ]; do sleep 0.01; done; kill -HUP $p; wait $p; echo rc=$?";
    let (out, _, _run) = bash(script).run();
    let aborted =
        "srun: forcing job termination\nsrun: Job step aborted: Waiting up to 32 seconds for job step to finish.\n";
    let expected = format!(
        "srun: interrupt (one more within 1 sec to abort)\nsrun: StepId=7.0 task 0: running\nsrun: sending Ctrl-C to StepId=7.0\n\
         task got INT\n{aborted}slurmstepd: error: *** STEP 7.0 ON node1 CANCELLED AT TIME ***\nrc=137\n\
         {aborted}slurmstepd: error: *** STEP 7.1 ON node1 CANCELLED AT TIME ***\nsrun: error: node1: task 0: Killed\nrc=137\n"
    );
    assert_eq!(out, expected);
}

#[test]
fn a_step_ends_with_its_srun() {
    let script = "srun bash -c 'echo $$ > pid; sleep 1000' & until [ -s pid ]; do sleep 0.01; done; kill -9 $!; \
                  while kill -0 $(cat pid) 2>/dev/null; do sleep 0.01; done; srun echo next";
    let (out, events, _run) = bash(script).run();
    assert!(out.contains("next\n"), "{out}");
    assert_eq!(step(&events, StepId::Number(0)), (JobState::Cancelled, "0:9".into()));
}

#[test]
fn srun_works_on_other_nodes_too() {
    let (out, _, _run) =
        bash("srun -N1 -n1 -w node2 srun --overlap -N1 -n1 -w node1 bash -c 'echo $SLURMD_NODENAME $SLURM_STEP_ID'")
            .nodes(&[1, 1])
            .run();
    assert_eq!(out, "node1 1\n");
}

#[test]
fn what_a_task_leaves_behind_ends_with_its_step() {
    let (out, _, _run) = bash("srun bash -c 'setsid sleep 1000 & echo $! > pid; (setsid sleep 1000 &); echo hi'; kill -0 $(cat pid) 2>/dev/null || echo gone").run();
    assert_eq!(out, "hi\ngone\n");
}

#[test]
fn many_steps_leave_nothing_open() {
    let script = "agent=$(srun bash -c 'echo $PPID'); open() { ls /proc/$agent/fd | wc -l; }; before=$(open); \
                  for i in $(seq 50); do srun true; done; until [ $(open) -le $before ]; do sleep 0.01; done; echo closed";
    let (out, _, _run) = bash(script).run();
    assert_eq!(out, "closed\n");
}

#[test]
fn a_terminal_is_handed_to_the_first_task() {
    let script = "script -qec 'srun --pty bash -c \"test -t 0 && test -t 1 && echo on a terminal; exit 4\"' /dev/null; echo rc=$?; \
                  srun --pty bash -c 'tty'";
    let (out, _, _run) = bash(script).run();
    let out = out.replace(['\r', '\u{8}', '\u{4}'], "").replace("^@", "").replace("^D", "");
    let expected = "on a terminal\nsrun: error: node1: task 0: Exited with exit code 4\nrc=4\n\
                    srun: error: ioctl(TIOCGWINSZ): Inappropriate ioctl for device\n\
                    srun: error: Not using a pseudo-terminal, disregarding --pty option\nnot a tty\n\
                    srun: error: node1: task 0: Exited with exit code 1\n";
    assert_eq!(out, expected);
}

#[test]
fn others_are_waited_for_only_so_long() {
    let (out, _, _run) =
        bash("srun -n2 --wait=1 bash -c '[ $SLURM_PROCID = 0 ] && exit 0; sleep 1000'; echo rc=$?").nodes(&[2]).run();
    let expected = "srun: First task exited 1s ago\nsrun: StepId=7.0 task 1: running\nsrun: StepId=7.0 task 0: exited\n\
        srun: Terminating StepId=7.0\nsrun: Job step aborted: Waiting up to 32 seconds for job step to finish.\n\
        slurmstepd: error: *** STEP 7.0 ON node1 CANCELLED AT TIME ***\nsrun: error: node1: task 1: Killed\nrc=137\n";
    assert_eq!(out, expected);
}

#[test]
fn a_step_that_cannot_begin_at_once_may_be_given_up() {
    let script = "srun bash -c 'touch one; until [ -e two ]; do sleep 0.01; done' & until [ -e one ]; do sleep 0.01; done; \
                  srun --immediate true; echo rc=$?; touch two; wait; srun -r1 -N1 -n1 bash -c 'echo $SLURMD_NODENAME'";
    let (out, _, _run) = bash(script).nodes(&[1, 1]).ask(|r| r.ntasks = Some(2)).run();
    assert_eq!(out, "srun: error: Unable to create step for job 7: Requested nodes are busy\nrc=1\nnode2\n");
}

#[test]
fn a_job_without_one_of_its_nodes_ends() {
    let mut run = bash("touch started; sleep 1000").nodes(&[1, 1]).start();
    run.wait_for("started");
    run.wait_for_nodes();
    run.lose_node(1);
    assert_eq!(ended(&run.finish()).0, JobState::NodeFail);
    assert!(run.output().contains("DUE TO NODE FAILURE"), "{}", run.output());
}

#[test]
fn an_interrupt_can_be_meant_at_once() {
    let step = |option: &str, file: &str| {
        format!(
            // The signal is for sleep(1), not for a shell that has not become it yet.
            "srun {option} sleep 1000.$${file} & p=$!; until pgrep -xf \"/[a-z/]*sleep 1000.$${file}\" >/dev/null; do sleep 0.01; done; \
             kill -INT $p; wait $p; echo rc=$?\n"
        )
    };
    let (out, _, _run) =
        bash(&format!("set -m\n{}{}", step("--disable-status", "1"), step("--quit-on-interrupt", "2"))).run();
    let expected = "srun: sending Ctrl-C to StepId=7.0\nsrun: error: node1: task 0: Interrupt\nrc=130\n\
        srun: sending Ctrl-C to StepId=7.1\nsrun: forcing job termination\n\
        srun: Job step aborted: Waiting up to 32 seconds for job step to finish.\n\
        slurmstepd: error: *** STEP 7.1 ON node1 CANCELLED AT TIME ***\nrc=130\n";
    assert_eq!(out, expected);
}
