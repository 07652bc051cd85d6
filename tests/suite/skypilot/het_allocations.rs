//! Allocations of several components, each on a cluster of its own: all come to be, are one job and end together, or none does.

use super::{
    allocations::{begin, cancelled, until_all_are_gone},
    lab::SkyLab,
    server::Fault,
};
use crate::terminal::{CTRL_D, Terminal};
use std::{fs, process::Child, time::Duration};

const AGES: Duration = Duration::from_secs(3600);

/// A cluster of the second component is made for so long.
fn second_takes(lab: &SkyLab, time: Duration) {
    lab.server().set(|s| _ = s.starting_of.insert("second".into(), time));
}

/// Two components, of which the second has two nodes.
const TWO: &str = "-n1 -J first : -N2 --ntasks-per-node=1 -J second";

/// The clusters there are, or were, in the order of the components: of their names.
fn clusters(lab: &SkyLab) -> Vec<(String, &'static str)> {
    let mut clusters = lab.server().clusters();
    clusters.sort();
    clusters
}

/// Waits until the clusters are in these states.
#[track_caller]
fn until_clusters(lab: &SkyLab, states: &[&str]) {
    let is_so = || clusters(lab).iter().map(|(_, status)| *status).eq(states.iter().copied());
    lab.until_true(&format!("clusters that are {states:?}"), is_so);
}

/// How all components ended.
#[track_caller]
fn until_ended(lab: &SkyLab, how: &str) {
    lab.until("sacct -X -n -P -j 1 -o state,exitcode | paste -sd ' '", how);
    until_all_are_gone(lab);
}

fn both_cancelled() -> String {
    format!("{0} {0}", cancelled())
}

#[test]
fn each_component_is_a_cluster_and_all_are_one_job() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    let shell = "squeue -h -S i -o \"%i %j %t %D\"; echo $SLURM_HET_SIZE $SLURM_JOB_ID_HET_GROUP_1 $SLURM_JOB_NUM_NODES_HET_GROUP_1; \
                 srun -l --het-group=0,1 bash -c \"echo \\$SLURM_PROCID of \\$SLURM_NTASKS\" | sort; \
                 srun -l bash -c \"echo a\" : bash -c \"echo b\" | sort; \
                 for n in $SLURM_JOB_NODELIST_HET_GROUP_1; do srun scontrol show hostnames $n | wc -l; done; exit 3";
    let out = lab.sh(&format!("salloc {TWO} bash -c '{shell}'"));
    let told =
        "1+0 first R 1\n1+1 second R 2\n2 2 2\n0: 0 of 3\n1: 1 of 3\n2: 2 of 3\n0: a\n1: b\n2: b\n2\n".to_owned();
    assert_eq!((out.code, out.stdout), (3, told), "{}", out.stderr);
    assert!(out.stderr.contains("salloc: Granted job allocation 1\n"), "{}", out.stderr);
    assert!(out.stderr.ends_with("salloc: Relinquishing job allocation 1\n"), "{}", out.stderr);
    let accounted = lab.sh("sacct -n -P -j 1 -o jobid,jobname,state,exitcode,nnodes").stdout;
    let steps = "1+0|first|FAILED|3:0|1\n1+0.0|bash|COMPLETED|0:0|1\n1+0.1|bash|COMPLETED|0:0|1\n1+0.2|scontrol|COMPLETED|0:0|1\n\
                 1+1|second|FAILED|3:0|2\n1+1.0|bash|COMPLETED|0:0|2\n1+1.1|bash|COMPLETED|0:0|2\n";
    assert_eq!(accounted, steps);
    until_clusters(&lab, &["GONE", "GONE"]);
    let bodies: Vec<_> =
        lab.server().requests("/launch").into_iter().map(|r| String::from_utf8(r.body).unwrap()).collect();
    assert!(bodies.len() == 2 && bodies.iter().all(|body| body.contains("idle_minutes: 10")), "{bodies:?}");
    assert!(lab.server().jobs().is_empty(), "no managed job");
}

#[test]
fn srun_outside_a_job_has_components_too() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    let out = lab.sh("srun -n1 -l bash -c 'echo a $SLURM_PROCID' : -n2 bash -c 'echo b $SLURM_PROCID; exit 4' | sort; exit ${PIPESTATUS[0]}");
    assert_eq!((out.code, out.stdout.as_str()), (4, "0: a 0\n1: b 1\n2: b 2\n"), "{out:?}");
    until_ended(&lab, "FAILED|4:0 FAILED|4:0");
}

#[test]
fn a_shell_is_on_the_first_component_s_first_node() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    let mut terminal = Terminal::open(&lab);
    terminal.line("salloc -n1 : -n2", "salloc: Granted job allocation 1");
    terminal.keys("PS1='on the'' node> '\n");
    terminal.until("on the node> ");
    let shown = terminal.line(
        "echo $SLURM_JOB_ID of $SLURM_HET_SIZE; srun -l --het-group=0,1 echo here | sort; echo all$((40 + 2))",
        "all42",
    );
    assert!(shown.contains("1 of 2\r\n") && shown.contains("0: here\r\n1: here\r\n2: here\r\n"), "{shown}");
    terminal.keys(CTRL_D);
    terminal.until("salloc: Relinquishing job allocation 1");
    until_ended(&lab, "COMPLETED|0:0 COMPLETED|0:0");
}

#[test]
fn a_component_is_cancelled_alone_and_its_cluster_goes() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    lab.sh(&format!("salloc -Q --no-shell {TWO} : -n1 -J third")).ok();
    assert_eq!(lab.sh("srun --jobid=1 -l --het-group=0-2 echo | sort").ok(), "0: \n1: \n2: \n3: \n");
    lab.sh("scancel 1+1").ok();
    until_clusters(&lab, &["UP", "GONE", "UP"]);
    lab.until("squeue -h -S i -o '%i %t'", "1+0 R\n1+2 R");
    assert_eq!(lab.sh("srun --jobid=1 -l --het-group=0,2 echo | sort").ok(), "0: \n1: \n");
    lab.sh("scancel 1").ok();
    until_ended(&lab, &format!("{0} {0} {0}", cancelled()));
}

#[test]
fn all_of_it_waits_until_all_are_there() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    second_takes(&lab, AGES);
    let mut salloc = begin(&lab, &format!("exec salloc {TWO} bash -c 'echo up > up'"));
    until_clusters(&lab, &["UP", "INIT"]);
    lab.until("squeue -h -S i -o '%i %t'", "1+0 CF\n1+1 CF");
    let refused = lab.sh("scancel 1+1");
    assert!(refused.fails(60).contains("individual component"), "{refused:?}");
    lab.sh("scontrol update job 1+1 timelimit=7").ok();
    assert!(fs::metadata(lab.work().join("up")).is_err());
    second_takes(&lab, Duration::ZERO);
    assert!(salloc.wait().unwrap().success(), "{}", lab.read("said"));
    until_ended(&lab, "COMPLETED|0:0 COMPLETED|0:0");
    assert_eq!(lab.read("up"), "up\n");
    assert_eq!(lab.sh("sacct -X -n -P -j 1 -o timelimit").ok(), "UNLIMITED\n00:07:00\n");
}

/// An allocation with a command that has come so far, and stays there.
fn at_stage(stage: &str, salloc: &str, command: &str) -> Option<(SkyLab, Child)> {
    let lab = SkyLab::with_nodes()?;
    match stage {
        "QUEUED" => lab.server().set(|s| s.pending = AGES),
        "INIT" => second_takes(&lab, AGES),
        _ => {}
    }
    let salloc = begin(&lab, &format!("exec {salloc} bash -c 'echo up > up; {command}'"));
    match stage {
        "QUEUED" => until_clusters(&lab, &["QUEUED", "QUEUED"]),
        "INIT" => until_clusters(&lab, &["UP", "INIT"]),
        _ => drop(lab.until_file("up", "up\n")),
    }
    Some((lab, salloc))
}

#[test]
fn scancel_ends_all_at_every_stage() {
    for stage in ["QUEUED", "INIT", "UP"] {
        let Some((lab, mut salloc)) = at_stage(stage, &format!("salloc -K {TWO}"), "exec sleep 3600") else { return };
        lab.sh("scancel 1").ok();
        until_ended(&lab, &both_cancelled());
        salloc.wait().unwrap();
        assert!(lab.read("said").contains("Job allocation 1 has been revoked."), "{stage}");
        assert_eq!(lab.server().requests("/launch").len(), 2, "{stage}");
    }
}

#[test]
fn a_client_that_is_killed_leaves_nothing() {
    for stage in ["QUEUED", "INIT", "UP"] {
        let waits = "until [ -e end ]; do sleep 0.05; done";
        let Some((lab, mut salloc)) = at_stage(stage, &format!("salloc {TWO}"), waits) else { return };
        salloc.kill().unwrap();
        salloc.wait().unwrap();
        until_ended(&lab, &both_cancelled());
        lab.file("end", ""); // what it had started is left alone, as by Slurm
    }
}

#[test]
fn one_that_cannot_be_had_ends_all() {
    let bad = "[[partition]]\nname = \"bad\"\ninfra = \"slurm/lab/gpu\"\nsetup = \"exit 1\"";
    // At once; and while the first one's agent waits for it.
    for (second, why) in [("-c 40", "Catalog does not contain any instances"), ("-p bad", "setup failed")] {
        let Some(lab) = SkyLab::with_nodes_with("", bad) else { return };
        second_takes(&lab, AGES);
        let mut salloc = begin(&lab, &format!("exec salloc -n1 -J first : -n1 -J second {second} true"));
        if second == "-p bad" {
            until_clusters(&lab, &["UP", "INIT"]);
            second_takes(&lab, Duration::ZERO);
        }
        until_ended(&lab, "FAILED|1:0 FAILED|1:0");
        assert_eq!(salloc.wait().unwrap().code(), Some(1));
        let said = lab.read("said");
        let words = "salloc: error: Unable to allocate resources: job 1 FAILED: component 1: ";
        assert!(said.contains(words) && said.contains(why), "{said}");
    }
}

#[test]
fn one_that_somebody_cancels_there_ends_all() {
    for which in [0, 1] {
        let Some(lab) = SkyLab::with_nodes() else { return };
        lab.server().set(|s| s.starting = AGES);
        let mut salloc = begin(&lab, &format!("exec salloc {TWO} true"));
        until_clusters(&lab, &["INIT", "INIT"]);
        let (name, _) = clusters(&lab)[which].clone();
        lab.server().cancel_launch(&name);
        lab.until("sacct -X -n -P -j 1 -o state,exitcode | paste -sd ' '", "CANCELLED|0:0 CANCELLED|0:0");
        until_all_are_gone(&lab);
        assert_eq!(salloc.wait().unwrap().code(), Some(1));
    }
}

#[test]
fn a_launch_that_goes_wrong_is_made_up_for_or_ends_all() {
    // The first one goes well.
    let then = |lab: &SkyLab, fault| {
        lab.server().fault("/launch", Fault::Late(Duration::ZERO), 1);
        lab.server().fault("/launch", fault, 1);
    };
    for (fault, sent) in [(Fault::AnswerLost, 2), (Fault::Busy, 3)] {
        let Some(lab) = SkyLab::with_nodes() else { return };
        then(&lab, fault);
        assert_eq!(lab.sh("srun -Q -l echo a : -n2 echo b | sort").ok(), "0: a\n1: b\n2: b\n", "{fault:?}");
        until_ended(&lab, "COMPLETED|0:0 COMPLETED|0:0");
        assert_eq!((lab.server().clusters().len(), lab.server().requests("/launch").len()), (2, sent), "{fault:?}");
        assert_eq!(lab.server().runs(), 2, "{fault:?}");
    }
    let Some(lab) = SkyLab::with_nodes() else { return };
    then(&lab, Fault::Says(400, "{\"detail\": \"no such cloud\"}"));
    let out = lab.sh("srun -Q echo a : -n2 echo b");
    assert!(out.fails(1).contains("no such cloud"), "{out:?}");
    until_ended(&lab, "FAILED|1:0 FAILED|1:0");
    assert_eq!(lab.server().clusters().len(), 1);
}

#[test]
fn a_launch_that_a_restart_of_the_server_ended_is_made_anew_with_the_others() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    second_takes(&lab, AGES);
    let mut srun = begin(&lab, "srun -Q -J first -l echo a : -J second echo b > out");
    until_clusters(&lab, &["UP", "INIT"]);
    lab.server().down();
    lab.server().forget_requests();
    second_takes(&lab, Duration::ZERO);
    lab.server().up();
    assert!(srun.wait().unwrap().success(), "{}", lab.read("said"));
    assert_eq!(lab.sh("sort out").ok(), "0: a\n1: b\n");
    until_ended(&lab, "COMPLETED|0:0 COMPLETED|0:0");
    let names: Vec<String> = clusters(&lab).into_iter().map(|(name, _)| name).collect();
    assert!(names.len() == 4 && names[1].starts_with("first-1-") && names[2].starts_with("second-2-"), "{names:?}");
}

#[test]
fn nodes_of_one_component_that_are_lost_end_all() {
    for (which, how) in [(0, "lost"), (1, "lost"), (1, "killed")] {
        let Some(lab) = SkyLab::with_nodes() else { return };
        lab.sh(&format!("salloc -Q --no-shell {TWO}")).ok();
        let (name, _) = clusters(&lab)[which].clone();
        match how {
            "lost" => lab.server().lose_cluster(&name),
            _ => lab.server().kill_on_cluster(&name),
        }
        until_ended(&lab, "NODE_FAIL|0:0 NODE_FAIL|0:0");
    }
}

/// A controller that is killed at some time, when the clusters are in these states.
fn is_taken_up(prepare: fn(&SkyLab), states: &[&str]) {
    let Some(lab) = SkyLab::with_nodes() else { return };
    lab.sh("sinfo").ok();
    prepare(&lab);
    let mut salloc = begin(&lab, &format!("exec salloc -Q --no-shell {TWO}"));
    until_clusters(&lab, states);
    lab.kill_controller();
    lab.server().heal();
    lab.until("squeue -h -S i -o '%i %t'", "1+0 R\n1+1 R");
    assert!(salloc.wait().unwrap().success(), "{}", lab.read("said"));
    assert_eq!(lab.sh("srun --jobid=1 -l --het-group=0,1 echo | sort").ok(), "0: \n1: \n2: \n");
    lab.kill_controller();
    lab.sh("scancel 1").ok();
    until_ended(&lab, &both_cancelled());
    assert_eq!((lab.server().clusters().len(), lab.server().runs()), (2, 2));
}

#[test]
fn a_controller_killed_between_the_launches_makes_the_second() {
    let halfway = |lab: &SkyLab| {
        lab.server().fault("/launch", Fault::Late(Duration::ZERO), 1);
        lab.server().fault("/launch", Fault::Busy, 1000);
    };
    is_taken_up(halfway, &["UP"]);
}

#[test]
fn a_controller_killed_while_one_is_made_brings_them_together() {
    is_taken_up(|lab| second_takes(lab, AGES), &["UP", "INIT"]);
}

#[test]
fn a_controller_killed_when_all_are_there_takes_them_up() {
    is_taken_up(|_| {}, &["UP", "UP"]);
}

#[test]
fn clusters_that_are_nobody_s_are_taken_down() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    lab.server().fault("/down", Fault::Silence(AGES), 2);
    lab.sh("srun -Q true : true").ok();
    lab.until("sacct -X -n -P -j 1 -o state", "COMPLETED\nCOMPLETED");
    until_clusters(&lab, &["UP", "UP"]);
    lab.kill_controller();
    lab.sh("sinfo").ok();
    until_all_are_gone(&lab);
}

#[test]
#[ignore = "takes more than half a minute"]
fn an_agent_that_died_before_the_first_one_was_there_is_not_waited_for() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    lab.server().set(|s| _ = s.starting_of.insert("first".into(), AGES));
    let mut salloc = begin(&lab, &format!("exec salloc {TWO} true"));
    until_clusters(&lab, &["INIT", "UP"]);
    lab.server().kill_on_cluster(&clusters(&lab)[1].0);
    lab.server().set(|s| s.starting_of.clear());
    until_ended(&lab, "FAILED|1:0 FAILED|1:0");
    assert_eq!(salloc.wait().unwrap().code(), Some(1));
    let said = lab.read("said");
    assert!(said.contains("job 1 FAILED: component 1: the agent ended without a word"), "{said}");
}

#[test]
#[ignore = "takes more than a minute"]
fn a_component_has_a_time_limit_of_its_own() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    let lab = lab.patient();
    lab.sh("salloc -Q --no-shell -t5 : -t1").ok();
    lab.until("sacct -X -n -P -j 1 -o state,timelimit", "RUNNING|00:05:00\nTIMEOUT|00:01:00");
    until_clusters(&lab, &["UP", "GONE"]);
    lab.sh("scancel 1").ok();
    until_ended(&lab, &format!("{} TIMEOUT|0:0", cancelled()));
}
