use super::*;
use crate::{
    agent::wire::Target,
    job::{ArrayRef, Job, Request},
    slurm::{array::ArraySpec, state::JobState},
};
use std::sync::Arc;

fn plan(words: &str) -> Plan {
    let args: Vec<_> = words.split_whitespace().map(Into::into).collect();
    Plan::read(&options::parse(Scancel, &args, &|_| None).unwrap()).unwrap()
}

fn job(id: u32, name: &str, state: JobState) -> Job {
    crate::report::sample_jobs::job(id, |request: &mut Request| request.name = name.into(), state)
}

fn array() -> Job {
    let spec = Arc::new(ArraySpec::parse("1-6%2", 1001).unwrap());
    let mut job = job(127, "arr", JobState::Pending);
    let pending = spec.ids.clone();
    job.array = Some(ArrayRef { job_id: 127, spec, throttle: Some(2), task_id: None, pending });
    job
}

fn chosen(words: &str, jobs: &[Job]) -> (Vec<String>, Vec<String>) {
    let (chosen, unknown) = select::choose(&plan(words), jobs);
    (chosen.iter().map(|c| c.order.id.to_string()).collect(), unknown)
}

#[test]
fn jobs_are_found_by_filters_and_ids_together() {
    let jobs = [
        job(1, "a", JobState::Running),
        job(2, "b", JobState::Pending),
        job(3, "a", JobState::Pending),
        job(4, "a", JobState::Completed),
        array(),
    ];
    let ids = |words| chosen(words, &jobs).0.join(" ");
    assert_eq!(ids("-n a"), "1 3");
    assert_eq!(ids("-n a,b"), "");
    assert_eq!(ids("-n a -t PENDING"), "3");
    assert_eq!(ids("-t PD 1 2 3"), "2 3");
    assert_eq!(ids("-p gpu -q normal -t R"), "1");
    assert_eq!(ids("-q other"), "");
    assert_eq!(ids("-R any"), "");
    assert_eq!(ids("-w node1,x"), "1");
    assert_eq!(ids("-s USR1 127_[5-9]"), "127_[5-6]");
    assert_eq!(ids("-t PD 127"), "127_[1-6]");
    assert_eq!(chosen("-s USR1 4 9 1", &jobs), (vec!["1".into()], vec!["4".into(), "9".into()]));
    assert_eq!(chosen("-s USR1 127_9", &jobs).1, ["127_9"]);
}

#[test]
fn questions_are_those_of_scancel_txt() {
    let jobs = [job(138, "wrap", JobState::Pending)];
    let (chosen, _) = select::choose(&plan("-i --name=wrap"), &jobs);
    assert_eq!(chosen[0].question, "Cancel job_id=138 name=wrap partition=gpu [y/n]? ");
    assert!(is_confirmed("", &mut &b"what\ny\n"[..]));
    assert!(!is_confirmed("", &mut &b"n\n"[..]));
    assert!(!is_confirmed("", &mut &b""[..]));
}

#[test]
fn failures_are_those_of_scancel_txt() {
    let of = |words, shown, step, errno| failure(&plan(words), shown, step, errno);
    assert_eq!(of("999999", "999999", false, Errno::InvalidJobId), (0, None));
    let said = "scancel: error: Kill job error on job id 999999: Invalid job id specified".to_owned();
    assert_eq!(of("-v 999999", "999999", false, Errno::InvalidJobId), (0, Some(said.clone())));
    assert_eq!(of("-s USR1 999999", "999999", false, Errno::InvalidJobId), (1, Some(said)));
    let (exit, line) = of("1.0", "1.0", true, Errno::InvalidJobId);
    assert_eq!(
        (exit, line.as_deref()),
        (1, Some("scancel: error: Kill job error on job step id 1.0: Invalid job id specified"))
    );
    let (exit, line) = of("220", "220", false, Errno::AccessDenied);
    assert_eq!(exit & 0xff, 210);
    assert_eq!(line.as_deref(), Some("scancel: error: Kill job error on job id 220: Access/permission denied"));
    let (exit, _) = of("7", "7", false, Errno::AlreadyDone);
    assert_eq!(exit, 0);
}

#[test]
fn steps_are_signalled_one_by_one() {
    let order = select::direct(&plan("12.3"), &"12.3".parse().unwrap());
    assert_eq!((order.signal, order.target), (Some(9), Target::Step(crate::job::StepId::Number(3))));
}
