//! salloc, and srun outside a job, on a partition of SkyPilot's: the cluster that is made for it, its end in every way, and
//! what goes wrong.

use super::{lab::SkyLab, server::Fault};
use std::{process::Child, time::Duration};

/// Longer than any test.
const AGES: Duration = Duration::from_secs(3600);

/// The one cluster there is, or was.
fn cluster(lab: &SkyLab) -> (String, &'static str) {
    let clusters = lab.server().clusters();
    assert_eq!(clusters.len(), 1, "{clusters:?}");
    clusters[0].clone()
}

/// Waits until all clusters are gone, with all that ran there.
#[track_caller]
pub(super) fn until_all_are_gone(lab: &SkyLab) {
    let gone = || lab.server().clusters().iter().all(|(_, status)| *status == "GONE");
    lab.until_true("the end of all clusters", gone);
}

/// Waits until the server has a cluster in this state.
#[track_caller]
pub(super) fn until_there_is(lab: &SkyLab, state: &str) {
    lab.until_true(&format!("a cluster that is {state}"), || {
        lab.server().clusters().iter().any(|(_, status)| *status == state)
    });
}

/// Starts a line of shell, to go on beside the test; what it says goes to `said`.
pub(super) fn begin(lab: &SkyLab, line: &str) -> Child {
    let mut command = lab.command("bash");
    command.args(["-c", &format!("exec 2> said; {line}")]).current_dir(lab.work()).env("PWD", lab.work());
    command.spawn().unwrap()
}

pub(super) fn cancelled() -> String {
    format!("CANCELLED by {}|0:0", nix::unistd::geteuid())
}

#[test]
fn an_allocation_is_a_cluster_as_long_as_its_command_runs() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    let out = lab.sh("salloc -N2 --ntasks-per-node=1 bash -c 'squeue -h -o \"%t %D\"; srun -l bash -c \"echo \\$SLURM_PROCID in \\$PWD\" | sort; exit 3'");
    assert_eq!(out.code, 3, "{out:?}");
    let mut lines = out.stdout.lines();
    assert_eq!(lines.next(), Some("R 2"), "{out:?}");
    assert!(lines.next().is_some_and(|line| line.starts_with("0: 0 in /")), "{out:?}");
    assert!(lines.next().is_some_and(|line| line.starts_with("1: 1 in /")), "{out:?}");
    let said = out.stderr.as_str();
    assert!(said.contains("salloc: Granted job allocation 1\n"), "{said}");
    assert!(said.ends_with("salloc: Relinquishing job allocation 1\n"), "{said}");
    let told = lab.sh("sacct -n -P -j 1 -o jobid,jobname,state,exitcode,nnodes").stdout;
    assert_eq!(told, "1|interactive|FAILED|3:0|2\n1.0|bash|COMPLETED|0:0|2\n");
    until_all_are_gone(&lab);
    assert_eq!((cluster(&lab).1, lab.server().requests("/launch").len()), ("GONE", 1));
    assert!(lab.server().jobs().is_empty(), "no managed job");
    let body = String::from_utf8(lab.server().requests("/launch")[0].body.clone()).unwrap();
    assert!(body.contains("idle_minutes: 10") && body.contains("\"retry_until_up\":true"), "{body}");
}

#[test]
fn srun_outside_a_job_makes_a_cluster_for_its_step() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    let out = lab
        .sh("srun -n3 -l bash -c 'echo task $SLURM_PROCID of $SLURM_JOB_NAME; exit 4' | sort; exit ${PIPESTATUS[0]}");
    assert_eq!(
        (out.code, out.stdout.as_str()),
        (4, "0: task 0 of bash\n1: task 1 of bash\n2: task 2 of bash\n"),
        "{out:?}"
    );
    assert_eq!(lab.sh("sacct -X -n -P -j 1 -o jobname,state,exitcode").ok(), "bash|FAILED|4:0\n");
    until_all_are_gone(&lab);
}

#[test]
fn without_a_shell_it_lives_until_it_is_cancelled() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    let out = lab.sh("salloc --no-shell -n2");
    assert!(out.code == 0 && out.stderr.ends_with("salloc: Granted job allocation 1\n"), "{out:?}");
    assert_eq!(lab.sh("srun --jobid=1 -n2 -l bash -c 'echo $SLURM_PROCID' | sort").ok(), "0: 0\n1: 1\n");
    lab.until_state(1, "RUNNING");
    lab.sh("scancel 1").ok();
    lab.until_accounted(1, &cancelled());
    until_all_are_gone(&lab);
}

#[test]
fn it_waits_is_configured_and_runs() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    lab.server().set(|s| (s.pending, s.starting) = (AGES, AGES));
    let mut salloc = begin(&lab, "exec salloc -K bash -c 'echo up > up; exec sleep 3600'");
    until_there_is(&lab, "QUEUED");
    lab.until("squeue -h -o '%t %r'", "PD Priority");
    lab.server().set(|s| s.pending = Duration::ZERO);
    lab.until("squeue -h -o %t", "CF");
    let shown = || lab.sh("scontrol show job 1").stdout;
    lab.until_true("where it is", || shown().contains("Setting_up_SkyPilot_runtime"));
    lab.server().set(|s| s.starting = Duration::ZERO);
    lab.until("squeue -h -o %t", "R");
    lab.until_file("up", "up\n");
    let said = lab.read("said");
    assert_eq!(
        said,
        "salloc: Pending job allocation 1\nsalloc: job 1 queued and waiting for resources\n\
         salloc: job 1 has been allocated resources\nsalloc: Granted job allocation 1\n"
    );
    lab.sh("scancel 1").ok();
    lab.until_accounted(1, &cancelled());
    lab.until_file("said", "salloc: Job allocation 1 has been revoked.\n");
    until_all_are_gone(&lab);
    salloc.wait().unwrap();
}

#[test]
fn what_cannot_be_had_says_why() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    lab.server().set(|s| s.unsatisfiable = Some("Task requires a GPU that nobody has".into()));
    let out = lab.sh("salloc true");
    let last = out.fails(1).lines().last().unwrap_or_default().to_owned();
    assert!(
        last.starts_with("salloc: error: Unable to allocate resources: ") && last.contains("nobody has"),
        "{out:?}"
    );
    assert!(lab.sh("sacct -X -n -P -j 1 -o state").ok().starts_with("FAILED"));
    until_all_are_gone(&lab);
    lab.server().set(|s| (s.api_version, s.unsatisfiable) = (40, None));
    lab.sh("sbatch --wait -Q -o /dev/null --wrap true").ok();
    let old = "the SkyPilot API server speaks API version 40; an interactive allocation needs 41";
    assert!(lab.sh("salloc true").fails(1).contains(old));
    let pool = SkyLab::fake_with("", "[[partition]]\nname = \"pool\"\npool = \"workers\"");
    assert!(pool.sh("srun -p pool true").fails(1).contains("pool workers take batch jobs only"));
}

#[test]
fn scancel_ends_it_at_every_stage() {
    for state in ["QUEUED", "INIT", "UP"] {
        let Some(lab) = SkyLab::with_nodes() else { return };
        lab.server().set(|s| match state {
            "QUEUED" => s.pending = AGES,
            "INIT" => s.starting = AGES,
            _ => {}
        });
        let mut salloc = begin(&lab, "exec salloc -K bash -c 'echo up > up; exec sleep 3600'");
        until_there_is(&lab, state);
        if state == "UP" {
            lab.until_file("up", "up\n");
        }
        lab.sh("scancel 1").ok();
        lab.until_accounted(1, &cancelled());
        until_all_are_gone(&lab);
        assert_eq!(lab.server().requests("/launch").len(), 1, "{state}");
        salloc.wait().unwrap();
        assert!(lab.read("said").contains("Job allocation 1 has been revoked."), "{state}");
    }
}

#[test]
fn a_client_that_is_killed_leaves_nothing() {
    for state in ["QUEUED", "INIT"] {
        let Some(lab) = SkyLab::with_nodes() else { return };
        lab.server().set(|s| match state {
            "QUEUED" => s.pending = AGES,
            _ => s.starting = AGES,
        });
        let mut salloc = begin(&lab, "exec salloc true");
        until_there_is(&lab, state);
        salloc.kill().unwrap();
        salloc.wait().unwrap();
        lab.until_accounted(1, &cancelled());
        until_all_are_gone(&lab);
    }
}

#[test]
fn a_launch_whose_answer_was_lost_is_looked_up() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    lab.server().fault("/launch", Fault::AnswerLost, 1);
    assert_eq!(lab.sh("srun -Q echo done").ok(), "done\n");
    assert_eq!((cluster(&lab).0.starts_with("echo-1-"), lab.server().requests("/launch").len()), (true, 1));
    lab.server().fault("/launch", Fault::Cut, 1);
    assert_eq!(lab.sh("srun -Q echo done").ok(), "done\n");
    assert_eq!((lab.server().clusters().len(), lab.server().requests("/launch").len()), (2, 3));
    until_all_are_gone(&lab);
}

#[test]
fn a_launch_that_a_restart_of_the_server_ended_is_made_anew() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    lab.server().set(|s| s.starting = AGES);
    let mut srun = begin(&lab, "srun -Q echo done > out");
    until_there_is(&lab, "INIT");
    let (first, _) = cluster(&lab);
    lab.server().down();
    lab.server().forget_requests();
    lab.server().set(|s| s.starting = Duration::ZERO);
    lab.server().up();
    lab.until_file("out", "done\n");
    assert!(srun.wait().unwrap().success());
    until_all_are_gone(&lab);
    let clusters = lab.server().clusters();
    assert!(clusters.len() == 2 && clusters[0].0 == first && clusters[1].0 != first, "{clusters:?}");
    lab.until_accounted(1, "COMPLETED|0:0");
}

#[test]
fn nodes_that_are_lost_end_it() {
    for how in ["lost", "killed", "forgotten"] {
        let Some(lab) = SkyLab::with_nodes() else { return };
        lab.sh("salloc -Q --no-shell").ok();
        let (name, _) = cluster(&lab);
        match how {
            "lost" => lab.server().lose_cluster(&name),
            // Nobody who is left knows how it came to be.
            "forgotten" => {
                lab.kill_controller();
                lab.server().forget_requests();
                lab.server().lose_cluster(&name);
            }
            _ => lab.server().kill_on_cluster(&name),
        }
        lab.until_accounted(1, "NODE_FAIL|0:0");
        until_all_are_gone(&lab);
    }
}

#[test]
fn a_controller_that_is_killed_takes_up_what_is_its_own() {
    // Before the server has heard of it; while it makes the cluster; when that is there.
    for stage in ["unheard", "QUEUED", "INIT", "UP"] {
        let Some(lab) = SkyLab::with_nodes() else { return };
        lab.sh("sinfo").ok();
        match stage {
            "unheard" => lab.server().down(),
            "QUEUED" => lab.server().set(|s| s.pending = AGES),
            "INIT" => lab.server().set(|s| s.starting = AGES),
            _ => {}
        }
        let mut salloc = begin(&lab, "exec salloc -Q --no-shell");
        match stage {
            "unheard" => lab.until_true("an attempt", || lab.sh("squeue -h -o %r").stdout.starts_with("PartitionDown")),
            stage => until_there_is(&lab, stage),
        }
        lab.kill_controller();
        lab.server().set(|s| (s.pending, s.starting) = (Duration::ZERO, Duration::ZERO));
        lab.server().up();
        lab.until("squeue -h -o %t", "R");
        assert!(salloc.wait().unwrap().success(), "{stage}: {}", lab.read("said"));
        assert_eq!(lab.sh("srun --jobid=1 echo reached").ok(), "reached\n", "{stage}");
        lab.kill_controller();
        lab.sh("scancel 1").ok();
        lab.until_accounted(1, &cancelled());
        until_all_are_gone(&lab);
        assert_eq!(lab.server().clusters().len(), 1, "{stage}");
    }
}

#[test]
fn a_cluster_that_is_nobody_s_is_taken_down() {
    let Some(lab) = SkyLab::with_nodes() else { return };
    lab.server().fault("/down", Fault::Silence(AGES), 1);
    assert_eq!(lab.sh("srun -Q echo done").ok(), "done\n");
    lab.until_accounted(1, "COMPLETED|0:0");
    assert_eq!(cluster(&lab).1, "UP");
    lab.kill_controller();
    lab.sh("sinfo").ok();
    until_all_are_gone(&lab);
}
