//! Heterogeneous jobs as job groups: what goes wrong on the way, and who is ended by whom. `e2e` has one that goes well.

use super::{
    lab::{Place, SkyLab},
    server::Fault,
};
use std::{fs, time::Duration};

const AGES: Duration = Duration::from_secs(3600);

/// A line of script that leaves a mark for each time it runs.
fn mark(lab: &SkyLab) -> String {
    format!("echo $SLURM_JOB_ID >> {}", lab.home().join("ran").display())
}

fn marks(lab: &SkyLab) -> usize {
    fs::read_to_string(lab.home().join("ran")).unwrap_or_default().lines().count()
}

/// Submits one of two components that says on both where it runs; and that it did so, once.
fn submitted(at: &Place) -> u32 {
    at.submit("-n1 -o out : -n2", &format!("{}; srun --het-group=0,1 -l echo here | sort", mark(at.lab)))
}

#[track_caller]
fn exact_and_once(at: &Place, job: u32) {
    at.lab.until_accounted(job, "COMPLETED|0:0\nCOMPLETED|0:0");
    assert_eq!(at.read("out"), "0: here\n1: here\n2: here\n");
    let server = at.lab.server();
    assert_eq!((server.jobs().len(), server.runs(), marks(at.lab)), (2, 2, 1));
}

/// How its components ended.
#[track_caller]
fn until_ended(lab: &SkyLab, job: u32, how: &str) {
    lab.until(&format!("sacct -X -n -P -j {job} -o state | sed 's/ by .*//' | paste -sd ' '"), how);
}

#[test]
fn a_submission_s_lost_answer_is_looked_up() {
    for fault in [Fault::AnswerLost, Fault::Busy, Fault::InterruptedAfter] {
        let lab = SkyLab::fake();
        let at = lab.place("w");
        lab.server().fault("/jobs/launch", fault, 1);
        let job = submitted(&at);
        exact_and_once(&at, job);
        assert!(lab.server().faults_are_used_up());
    }
}

#[test]
fn a_controller_killed_in_a_submission_sends_it_once() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    lab.server().fault("/jobs/launch", Fault::AnswerLost, 1);
    lab.server().set(|s| _ = s.work_of.insert("/jobs/launch".into(), Duration::from_millis(700)));
    let job = submitted(&at);
    lab.until_true("the submission", || !lab.server().requests("/jobs/launch").is_empty());
    lab.kill_controller();
    lab.until_true("the job at the server", || !lab.server().jobs().is_empty());
    lab.until(&format!("squeue -h -S i -j {job} -o %i"), &format!("{job}+0\n{job}+1"));
    exact_and_once(&at, job);
}

#[test]
fn a_controller_killed_before_the_components_have_met_brings_them_together() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    lab.server().fault("/exec", Fault::Unauthorized, 1);
    let job = submitted(&at);
    lab.until_true("the first attempt", || !lab.server().requests("/exec").is_empty());
    lab.kill_controller();
    lab.sh("squeue").ok();
    exact_and_once(&at, job);
}

#[test]
fn a_controller_killed_while_it_runs_goes_on_with_all_of_it() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    let script = format!("{}; echo up; until [ -e {}/go ]; do sleep 0.1; done; exit 3", mark(&lab), at.dir.display());
    let job = at.submit("-n1 -o out : -n2", &script);
    at.until_file("out", "up\n");
    lab.kill_controller();
    lab.until(&format!("squeue -h -S i -j {job} -o '%i %t'"), &format!("{job}+0 R\n{job}+1 R"));
    at.file("go", "");
    lab.until_accounted(job, "FAILED|3:0\nFAILED|3:0");
    assert_eq!((lab.server().runs(), marks(&lab)), (2, 1));
}

#[test]
fn a_component_that_cannot_start_ends_the_whole_and_says_so() {
    let bad = "[[partition]]\nname = \"bad\"\ninfra = \"slurm/lab/gpu\"\nsetup = \"echo no such module; exit 1\"";
    let lab = SkyLab::fake_with("", bad);
    let at = lab.place("w");
    let job = at.submit("-n1 -o out : -p bad -n1", &format!("{}; echo ran", mark(&lab)));
    until_ended(&lab, job, "FAILED FAILED");
    let out = at.read("out");
    assert!(out.starts_with("skyslurm: error: SkyPilot could not start the job: component 1: "), "{out}");
    lab.until_all_is_over_there();
    assert_eq!(marks(&lab), 0);
}

#[test]
fn what_cannot_be_placed_says_why() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    let job = at.submit("-n1 -o out : -c 40", "echo ran");
    until_ended(&lab, job, "FAILED FAILED");
    assert!(at.read("out").contains("Catalog does not contain any instances"), "{}", at.read("out"));
    lab.until_all_is_over_there();
}

#[test]
fn all_of_it_waits_and_is_cancelled_as_one() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    lab.server().set(|s| s.starting = AGES);
    let job = at.submit("-n1 -o out : -n1", &mark(&lab));
    let state = format!("squeue -h -S i -j {job} -o '%i %t'");
    lab.until(&state, &format!("{job}+0 CF\n{job}+1 CF"));
    let refused = at.sh(&format!("scancel {job}+1"));
    assert!(refused.fails(60).contains("individual component"), "{refused:?}");
    at.sh(&format!("scancel {job}")).ok();
    until_ended(&lab, job, "CANCELLED CANCELLED");
    lab.until_all_is_over_there();
    assert_eq!(marks(&lab), 0);
}

#[test]
fn a_component_is_cancelled_alone_and_the_first_one_with_all() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    let job = at.submit(
        "-n1 -o out : -n2 : -n1",
        "srun --het-group=0,1 bash -c '[ $SLURM_PROCID = 0 ] || sleep 3600'; echo step; srun --het-group=2 echo two; srun --het-group=1 true || echo gone; sleep 3600",
    );
    lab.until("squeue -h -s -o %i | grep -c '\\.0'", "1");
    at.sh(&format!("scancel {job}+1")).ok();
    let out = at.until_file("out", "gone\n");
    assert!(out.contains("step\ntwo\n"), "{out}");
    until_ended(&lab, job, "RUNNING CANCELLED RUNNING");
    // Nothing of the rest is touched, by its nodes' end neither.
    let ended = || lab.server().status(lab.server().part(1, 1));
    lab.until_true("its task's end", || ended() == "SUCCEEDED");
    at.sh(&format!("scancel {job}")).ok();
    until_ended(&lab, job, "CANCELLED CANCELLED CANCELLED");
    lab.until_all_is_over_there();
}

#[test]
fn nodes_that_are_lost_of_one_component_are_lost_to_all() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    let job = at.submit(
        "--open-mode=append --requeue -n1 -o out : -n1",
        "echo run ${SLURM_RESTART_COUNT:-0}; [ -n \"$SLURM_RESTART_COUNT\" ] || sleep 3600; srun --het-group=0,1 -l echo here | sort",
    );
    at.until_file("out", "run 0\n");
    lab.until(&format!("squeue -h -j {job} -t R -o %t"), "R\nR");
    lab.server().set(|s| s.starting = AGES);
    lab.server().preempt(lab.server().part(1, 1));
    lab.until_true("its return to the queue", || {
        lab.sh(&format!("squeue -h -j {job} -o %t")).stdout.lines().all(|state| ["PD", "CF"].contains(&state))
    });
    lab.server().set(|s| s.starting = Duration::ZERO);
    lab.until(&format!("sacct -X -n -P -j {job} -o state | tail -2"), "COMPLETED\nCOMPLETED");
    assert!(at.read("out").ends_with("run 1\n0: here\n1: here\n"), "{}", at.read("out"));
    lab.until_all_is_over_there();
}

#[test]
fn what_cannot_be_one_job_is_refused() {
    let more = "[[node]]\nname = \"n1\"\ncpus = 4\nmemory = \"1G\"\n[[partition]]\nname = \"here\"\nnodes = \"n1\"\n[[partition]]\nname = \"far\"\ninfra = \"aws/us-east-1\"\n\
                [[partition]]\nname = \"wide\"\ninfra = \"aws\"\n\
                [[partition]]\nname = \"pool\"\npool = \"p\"";
    let lab = SkyLab::fake_with("", more);
    let at = lab.place("w");
    for (line, words) in [
        ("sbatch -n1 : -p here --wrap true", "partitions sky and here do not reach each other"),
        ("sbatch -n1 : -p far --wrap true", "partitions sky and far do not reach each other"),
        ("sbatch -p pool -n1 : -p pool --wrap true", "the workers of pool p take one job each"),
        ("salloc -n1 : -p far true", "partitions sky and far do not reach each other"),
        ("srun -p wide -n1 true : -p wide true", "partition wide is on aws; name one region or context for it"),
    ] {
        let out = at.sh(line);
        assert!(out.fails(1).contains(words) && out.stderr.contains("Requested operation not supported"), "{out:?}");
    }
    let lab = SkyLab::fake();
    lab.server().set(|s| s.api_version = 30);
    // Who is submitted before the server's version is known fails; then it is refused.
    let submit = || lab.place("w").sh("sbatch --parsable -n1 -o out : -n1 --wrap 'echo ran'");
    let first = submit();
    if first.code == 0 {
        until_ended(&lab, first.stdout.trim().parse().unwrap(), "FAILED FAILED");
    }
    for out in std::iter::once(&submit()).chain(Some(&first).filter(|first| first.code != 0)) {
        assert!(out.fails(1).contains("SkyPilot has from 0.11.2 on"), "{out:?}");
    }
    assert!(lab.server().requests("/jobs/launch").is_empty());
}
