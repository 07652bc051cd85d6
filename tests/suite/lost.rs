//! Jobs that lose their nodes: agents that are killed, a machine that is started again.

use crate::harness::{FOUR, Lab, ONE};

/// The agents of this system, and all that runs below them or was started with them: what a power failure takes away.
fn pull_the_plug(lab: &Lab) {
    // A controller first, so that it sees nothing of it.
    lab.kill_controller();
    let all = |lab: &Lab| lab.processes().into_iter().map(|(pid, _)| pid.to_string()).collect::<Vec<_>>();
    lab.until_true("the end of all processes", || {
        let pids = all(lab);
        lab.sh(&format!("kill -9 {} 2>/dev/null; true", pids.join(" ")));
        pids.is_empty()
    });
}

const COUNTS: &str = "echo run ${SLURM_RESTART_COUNT-0}; until [ -e end ]; do sleep 0.02; done; echo over";

#[test]
fn a_job_whose_agent_is_killed_waits_again_or_has_failed() {
    let lab = Lab::new(ONE);
    let again = lab.submit(&format!("--open-mode=append -o again --wrap '{COUNTS}; sleep 3600 &'"));
    let fails = lab.submit(&format!("--no-requeue -o fails --wrap 'sleep 3600 & {COUNTS}'"));
    lab.until_file("again", "run 0");
    lab.until_file("fails", "run 0");
    for id in [again, fails] {
        let pid = lab.sh(&format!("pgrep -f '[a]gent {}/spool/job{id:05} '", lab.state().display()));
        lab.sh(&format!("kill -9 {}", pid.ok().trim())).ok();
    }
    lab.until_accounted(fails, "NODE_FAIL|0:0");
    lab.until_file("again", "run 1");
    assert_eq!(lab.sh(&format!("squeue -h -t all -j {fails} -o '%t %r'")).ok(), "NF NodeDown\n");
    lab.until_true("the end of what was left", || lab.processes().iter().all(|(_, line)| !line.contains("sleep 3600")));
    lab.file("end", "");
    lab.until_accounted(again, "COMPLETED|0:0");
    assert_eq!(lab.read("again"), "run 0\nrun 1\nover\n");
    assert_eq!(lab.sh(&format!("sacct -X -D -n -P -j {again} -o state")).ok(), "NODE_FAIL\nCOMPLETED\n");
}

/// Its socket may come into the job's directory while that is being removed, which then stays: nobody may wait there for good.
#[test]
fn an_agent_that_comes_when_its_job_is_over_ends() {
    let lab = Lab::new(FOUR);
    let id = lab.submit("-N2 -o /dev/null --wrap 'sleep 3600'");
    lab.until_state(id, "RUNNING");
    let spool = lab.state().join(format!("spool/job{id:05}"));
    let line = format!(
        "mkdir late && cp {}/launch late && (timeout 60 skyslurm agent $PWD/late 1 & p=$!; \
         until [ -S late/node1.sock ]; do sleep 0.02; done; rm late/launch; wait $p)",
        spool.display()
    );
    lab.sh(&line).ok();
    assert!(lab.work().join("late").exists());
    lab.sh(&format!("scancel {id}")).ok();
}

/// The job kills its own agent whenever it runs: Slurm gives up after five times (`max_batch_requeue`), and holds it.
#[test]
fn a_job_that_loses_its_node_again_and_again_is_held() {
    let lab = Lab::new(ONE);
    let id = lab.submit("--open-mode=append -o runs --wrap 'echo run; kill -9 $PPID; sleep 3600'");
    lab.until(&format!("squeue -h -j {id} -o '%t %r'"), "PD JobHoldMaxRequeue");
    assert_eq!(lab.read("runs"), "run\n".repeat(6));
    lab.sh(&format!("scancel {id}")).ok();
    lab.until_state(id, "CANCELLED");
}

/// After a restart of the machine no process of a job is left, its sockets lead nowhere, and process ids are others'. No
/// id is on disk that could be mistaken: what is left of a job is found by its environment.
#[test]
fn a_machine_that_is_started_again() {
    let lab = Lab::new(FOUR);
    let again = lab.submit(&format!("--open-mode=append -o again --wrap '{COUNTS}'"));
    let fails = lab.submit(&format!("--no-requeue -o fails --wrap '{COUNTS}'"));
    let stopped = lab.submit(&format!("--open-mode=append -o stopped --wrap '{COUNTS}'"));
    let array = lab.submit(&format!("-a 0-1 --open-mode=append -o 'array.%a' --wrap '{COUNTS}'"));
    let over = lab.submit("-o over --wrap true");
    lab.until_accounted(over, "COMPLETED|0:0");
    let mut allocated = lab.command("salloc");
    let mut allocated =
        allocated.args(["-Q", "-J", "held", "sleep", "3600"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    lab.until("squeue -h -n held -o %t", "R");
    let waits = lab.submit(&format!("-N4 --exclusive -d afterany:{over} -o waits --wrap 'echo ran'"));
    for file in ["again", "fails", "stopped", "array.0", "array.1"] {
        lab.until_file(file, "run 0");
    }
    lab.sh(&format!("scontrol suspend {stopped}")).ok();
    pull_the_plug(&lab);
    allocated.wait().unwrap();
    // What a job had to say last was not read yet: it is believed.
    lab.until("squeue -h -n held", "");
    for file in ["again", "stopped", "array.0", "array.1"] {
        lab.until_file(file, "run 1");
    }
    lab.until_accounted(fails, "NODE_FAIL|0:0");
    lab.file("end", "");
    for id in [again, stopped, array] {
        lab.until(&format!("sacct -X -n -P -j {id} -o state | sort -u"), "COMPLETED");
    }
    assert_eq!(lab.read("fails"), "run 0\n");
    for file in ["again", "stopped", "array.0", "array.1"] {
        assert_eq!(lab.read(file), "run 0\nrun 1\nover\n", "{file}");
    }
    lab.until_accounted(waits, "COMPLETED|0:0");
    assert_eq!(lab.read("waits"), "ran\n");
}

#[test]
fn a_job_is_put_back_and_held() {
    let lab = Lab::new(ONE);
    let id = lab.submit(&format!("--open-mode=append -o out --wrap '{COUNTS}'"));
    lab.until_file("out", "run 0");
    lab.sh(&format!("scontrol requeuehold {id}")).ok();
    lab.until(&format!("squeue -h -j {id} -o '%T %r %p'"), "PENDING job requeued in held state 0.00000000000000");
    assert!(lab.sh(&format!("scontrol show job {id}")).ok().contains("Reason=job_requeued_in_held_state "));
    let words = format!("Job is pending execution for job {id}\n");
    assert_eq!(lab.sh(&format!("scontrol requeuehold {id}")).fails(1), words);
    lab.kill_controller();
    assert_eq!(lab.sh(&format!("squeue -h -j {id} -o %r")).ok(), "job requeued in held state\n");
    lab.sh(&format!("scontrol release {id}")).ok();
    lab.until_file("out", "run 1");
    lab.file("end", "");
    lab.until_accounted(id, "COMPLETED|0:0");
    // One that is over is put back, too.
    lab.sh(&format!("scontrol requeuehold {id}")).ok();
    assert_eq!(lab.sh(&format!("squeue -h -j {id} -o %r")).ok(), "job requeued in held state\n");
    lab.sh(&format!("scancel {id}")).ok();
}
