//! The API server is ended and started again, in every phase of a job and in every way: it remembers its requests, or it has
//! forgotten them, or it is another release that counts its API further.

use super::lab::{Place, SkyLab};
use std::{fs, time::Duration};

const AGES: Duration = Duration::from_secs(3600);

/// What the server is like after its restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anew {
    Remembers,
    Forgets,
    IsNewer,
}

/// When it is restarted.
const PHASES: [&str; 8] = ["before the answer", "PENDING", "STARTING", "RUNNING", "log", "cancel", "end", "group"];

fn restart(lab: &SkyLab, anew: Anew) {
    lab.server().down();
    if anew != Anew::Remembers {
        lab.server().forget_requests();
    }
    lab.server().set(|s| {
        (s.pending, s.starting) = (Duration::ZERO, Duration::ZERO);
        s.work_of.clear();
        s.api_version = if anew == Anew::IsNewer { 63 } else { 62 };
    });
    // A command that asks meanwhile has its answer.
    assert_eq!(lab.sh("squeue -h").code, 0);
    lab.server().up();
}

/// A job that is over, as it should be: its number of marks, its output and its end.
#[track_caller]
fn ended(at: &Place, job: u32, phase: &str) {
    let ran = fs::read_to_string(at.lab.home().join("ran")).unwrap_or_default();
    let times = ran.lines().filter(|line| *line == job.to_string()).count();
    if phase == "cancel" {
        at.lab.until_accounted(job, &format!("CANCELLED by {}|0:0", nix::unistd::geteuid()));
        return;
    }
    assert_eq!((times, at.read(&format!("out.{job}"))), (1, (1..=3000).map(|n| format!("{n}\n")).collect()), "{phase}");
}

fn in_every_phase(anew: Anew) {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    let mark = format!("echo $SLURM_JOB_ID >> {}", lab.home().join("ran").display());
    for phase in PHASES {
        let script = format!(
            "{mark}; seq 1000; until [ -e {0}/go.$SLURM_JOB_ID ]; do sleep 0.05; done; seq 1001 2000; sleep 0.3; seq 2001 3000",
            lab.home().display()
        );
        let sent = lab.server().requests("/jobs/launch").len();
        match phase {
            "before the answer" => {
                lab.server().set(|s| _ = s.work_of.insert("/jobs/launch".into(), Duration::from_millis(700)))
            }
            "PENDING" => lab.server().set(|s| s.pending = AGES),
            "STARTING" => lab.server().set(|s| s.starting = AGES),
            _ => {}
        }
        let job = at.submit(if phase == "group" { "-n1 -o out.%j : -n1" } else { "-o out.%j" }, &script);
        let output = format!("out.{job}");
        let go = || fs::write(lab.home().join(format!("go.{job}")), "").unwrap();
        lab.until_true("the submission", || lab.server().requests("/jobs/launch").len() > sent);
        let status = || lab.server().jobs().last().map_or("", |(.., status)| *status);
        match phase {
            "before the answer" => {}
            "PENDING" | "STARTING" => lab.until_true(phase, || status() == phase),
            "RUNNING" | "group" => lab.until(&format!("squeue -h -j {job} -o %t | sort -u"), "R"),
            _ => drop(at.until_file(&output, "\n1000\n")),
        }
        match phase {
            "log" => go(),
            "cancel" => drop(lab.sh(&format!("scancel {job}"))),
            "end" => {
                go();
                at.until_file(&output, "\n2000\n");
            }
            _ => {}
        }
        restart(&lab, anew);
        if phase != "cancel" {
            go();
        }
        if phase != "cancel" {
            lab.until(&format!("sacct -X -n -P -j {job} -o state,exitcode | sort -u"), "COMPLETED|0:0");
        }
        ended(&at, job, phase);
        lab.until_all_is_over_there();
    }
    assert_eq!(lab.server().jobs().len(), PHASES.len() + 1, "{:?}", lab.server().jobs());
    assert_eq!(lab.server().runs(), PHASES.len() + 1);
}

#[test]
fn a_server_that_remembers() {
    in_every_phase(Anew::Remembers);
}

#[test]
fn a_server_that_has_forgotten_its_requests() {
    in_every_phase(Anew::Forgets);
}

#[test]
fn a_server_of_another_release() {
    in_every_phase(Anew::IsNewer);
}

/// Not the API server, but what leads the managed jobs is started again: it knows of those that run, and recovers the others.
#[test]
fn a_restart_of_the_jobs_controller() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    let script = format!(
        "echo run ${{SLURM_RESTART_COUNT:-first}}; until [ -e {}/go ]; do sleep 0.05; done; echo done",
        lab.home().display()
    );
    let submit = |name: &str| at.submit(&format!("-J {name} --open-mode=append -o {name}"), &script);
    let known = submit("known");
    lab.until(&format!("squeue -h -j {known} -o %t"), "R");
    at.until_file("known", "run first\n");
    // It runs, and the server does not know it yet.
    lab.server().set(|s| s.running_lag = AGES);
    let begun = submit("begun");
    at.until_file("begun", "run first\n");
    lab.server().set(|s| s.starting = AGES);
    let waiting = submit("waiting");
    let status = |at: usize| lab.server().jobs().get(at).map_or("", |(.., status)| *status);
    lab.until_true("its start", || status(2) == "STARTING");
    assert_eq!((status(0), status(1)), ("RUNNING", "STARTING"));

    lab.server().restart_jobs_controller();
    // What had not begun is still to begin; what had is back in the queue, as after a loss of its nodes.
    lab.until_true("what the jobs controller makes of it", || status(2) == "RECOVERING");
    lab.until(&format!("scontrol show job {begun} | grep -o 'Restarts=1'"), "Restarts=1");
    let shown = |job: u32| {
        lab.sh(&format!("squeue -h -j {job} -o %T; scontrol show job {job} | grep -o 'Restarts=.'"))
            .ok()
            .replace('\n', " ")
    };
    assert_eq!(
        [known, begun, waiting].map(shown),
        ["RUNNING Restarts=0 ", "PENDING Restarts=1 ", "PENDING Restarts=0 "]
    );

    lab.server().set(|s| (s.running_lag, s.starting) = (Duration::ZERO, Duration::ZERO));
    fs::write(lab.home().join("go"), "").unwrap();
    let ends = |job: u32| format!("sacct -D -X -n -P -j {job} -o state,exitcode");
    lab.until(&ends(known), "COMPLETED|0:0");
    lab.until(&ends(waiting), "COMPLETED|0:0");
    lab.until(&format!("{} | tail -n 1", ends(begun)), "COMPLETED|0:0");
    assert_eq!(lab.sh(&ends(begun)).ok(), "REQUEUED|0:0\nCOMPLETED|0:0\n");
    assert_eq!(at.read("known"), "run first\ndone\n");
    assert_eq!(at.read("waiting"), "run first\ndone\n");
    assert!(
        at.read("begun").starts_with("run first\n") && at.read("begun").ends_with("run 1\ndone\n"),
        "{}",
        at.read("begun")
    );
    assert_eq!(lab.server().requests("/jobs/launch").len(), 4);
    lab.until_all_is_over_there();
}

/// Its database is lost: what ran is lost with its nodes, what had not begun begins again; nobody waits for either for ever.
#[test]
fn a_server_that_has_lost_its_database() {
    let lab = SkyLab::fake().patient();
    let at = lab.place("w");
    let running = at.submit("-o running", "echo up; sleep 3600");
    at.until_file("running", "up\n");
    lab.until_state(running, "RUNNING");
    lab.server().set(|s| s.pending = AGES);
    let waiting = at.submit("-o waiting", "echo done");
    lab.until_true("both there", || lab.server().jobs().len() == 2);
    lab.until(&format!("squeue -h -j {waiting} -o '%t %r'"), "PD Priority");
    lab.server().down();
    lab.server().forget_requests();
    lab.server().forget_jobs();
    lab.server().set(|s| s.pending = Duration::ZERO);
    lab.server().up();
    lab.until_accounted(waiting, "COMPLETED|0:0");
    assert_eq!(at.read("waiting"), "done\n");
}

/// An allocation's cluster is made, and taken down, over a restart.
#[test]
fn an_allocation_over_restarts() {
    for anew in [Anew::Remembers, Anew::Forgets, Anew::IsNewer] {
        let Some(lab) = SkyLab::with_nodes() else { return };
        lab.server().set(|s| s.starting = AGES);
        let mut salloc = lab.command("bash");
        salloc.args([
            "-c",
            "exec 2> said; salloc -Q bash -c 'srun -Q echo stepped > stepped; until [ -e go ]; do sleep 0.05; done'",
        ]);
        let mut salloc = salloc.current_dir(lab.work()).env("PWD", lab.work()).spawn().unwrap();
        lab.until_true("its launch", || lab.server().clusters().iter().any(|(_, status)| *status != "QUEUED"));
        restart(&lab, anew);
        lab.until_file("stepped", "stepped\n");
        restart(&lab, anew);
        lab.file("go", "");
        lab.server().fault("/down", super::server::Fault::Cut, 1);
        assert!(salloc.wait().unwrap().success(), "{anew:?}: {}", lab.read("said"));
        restart(&lab, anew);
        lab.until("sacct -X -n -P -o state,exitcode | sort -u", "COMPLETED|0:0");
        lab.until_true("the end of all clusters", || lab.server().clusters().iter().all(|(_, s)| *s == "GONE"));
    }
}
