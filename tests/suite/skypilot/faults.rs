//! What goes wrong, and what a user sees of it. Only the test's own server can be told to.

use super::{
    lab::{Place, SkyLab},
    server::Fault,
};
use std::{
    fs,
    time::{Duration, Instant},
};

const AGES: Duration = Duration::from_secs(3600);

/// A line of script that leaves a mark for each time it runs.
fn mark(lab: &SkyLab) -> String {
    format!("echo $SLURM_JOB_ID >> {}", lab.home().join("ran").display())
}

/// What scontrol shows of a job, whose reason has `_` for blanks there as in Slurm.
fn shown(lab: &SkyLab, job: u32) -> String {
    lab.sh(&format!("scontrol show job {job}")).stdout.replace('_', " ")
}

/// How often scripts ran.
fn marks(lab: &SkyLab) -> usize {
    fs::read_to_string(lab.home().join("ran")).unwrap_or_default().lines().count()
}

/// A script whose output takes a while, and what it prints.
fn slow_script(lab: &SkyLab) -> (String, String) {
    let script = format!("{}; for i in $(seq 60); do seq -f \"$i %.0f\" 200; sleep 0.05; done", mark(lab));
    let wanted = (1..=60).flat_map(|i| (1..=200).map(move |n| format!("{i} {n}\n"))).collect();
    (script, wanted)
}

/// The job completed, its output is exact, and all happened once.
#[track_caller]
fn exact_and_once(at: &Place, job: u32, file: &str, wanted: &str) {
    at.lab.until_accounted(job, "COMPLETED|0:0");
    assert_eq!(at.read(file), wanted);
    assert_eq!((at.lab.server().jobs().len(), at.lab.server().runs(), marks(at.lab)), (1, 1, 1));
}

#[test]
fn a_preempted_job_runs_again_and_knows_it() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    let job = at.submit(
        "--open-mode=append -o out",
        "echo run ${SLURM_RESTART_COUNT:-0}; [ -n \"$SLURM_RESTART_COUNT\" ] || sleep 3600",
    );
    at.until_file("out", "run 0\n");
    lab.until_state(job, "RUNNING");
    lab.server().set(|s| s.starting = AGES);
    let sky = lab.server().jobs()[0].0;
    lab.server().preempt(sky);
    lab.until(&format!("squeue -h -j {job} -o %t"), "PD");
    lab.server().set(|s| s.starting = Duration::ZERO);
    lab.until(&format!("sacct -X -n -P -j {job} -o state,exitcode | tail -1"), "COMPLETED|0:0");
    assert!(at.read("out").ends_with("run 1\n"), "{}", at.read("out"));
    // SkyPilot would tell the script nothing of its restart: it is submitted anew, and the first one is gone.
    assert_eq!(lab.server().requests("/jobs/launch").len(), 2);
    lab.until_true("the first one's end", || lab.server().jobs().iter().any(|(.., status)| *status == "CANCELLED"));
}

#[test]
fn a_preempted_job_that_may_not_be_requeued_ends() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    let job = at.submit("--no-requeue -o out", &format!("{}; echo up; sleep 3600", mark(&lab)));
    at.until_file("out", "up\n");
    lab.until_state(job, "RUNNING");
    // Nodes are not made anew in an instant.
    lab.server().set(|s| s.starting = AGES);
    lab.server().preempt(lab.server().jobs()[0].0);
    lab.until_true("its end", || {
        ["PREEMPTED", "NODE_FAIL"].contains(&lab.sh(&format!("sacct -X -n -P -j {job} -o state")).stdout.trim())
    });
    assert_eq!(marks(&lab), 1);
}

#[test]
fn a_job_whose_nodes_vanish_has_failed_by_them() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    let job = at.submit("-o out", "echo up; sleep 3600");
    at.until_file("out", "up\n");
    lab.until_state(job, "RUNNING");
    lab.server().vanish(lab.server().jobs()[0].0, "FAILED_CONTROLLER", "Unexpected error occurred.");
    lab.until(&format!("sacct -X -n -P -j {job} -o state"), "NODE_FAIL");
}

#[test]
fn a_submission_s_lost_answer_is_looked_up() {
    for fault in [Fault::AnswerLost, Fault::Cut, Fault::Busy, Fault::Interrupted, Fault::InterruptedAfter] {
        let lab = SkyLab::fake();
        let at = lab.place("w");
        lab.server().fault("/jobs/launch", fault, 1);
        let job = at.submit("-o out", &format!("{}; echo done", mark(&lab)));
        exact_and_once(&at, job, "out", "done\n");
        assert!(lab.server().faults_are_used_up());
    }
}

/// What a proxy says while the server is restarted, and what no server would say: asked again, it says what is so.
#[test]
fn wrong_answers_are_not_believed() {
    const PAGE: &str = "<html><title>Bad Gateway</title></html>";
    let lab = SkyLab::fake();
    let at = lab.place("w");
    // The submission's answer is lost, and whether it was heard is asked of a server that knows nothing.
    lab.server().fault("/jobs/launch", Fault::AnswerLost, 1);
    for (status, text) in [(500, "Internal Server Error"), (502, PAGE)] {
        lab.server().fault("/jobs/queue/v2", Fault::Says(status, text), 1);
    }
    let job = at.submit("-o out", &format!("{}; echo done", mark(&lab)));
    exact_and_once(&at, job, "out", "done\n");
    assert!(lab.server().faults_are_used_up());
    assert_eq!(lab.server().requests("/jobs/launch").len(), 1);
}

#[test]
fn a_server_that_falls_over_itself_is_asked_again() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    for path in ["/jobs/launch", "/jobs/queue/v2", "/upload_v2"] {
        lab.server().fault(path, Fault::Says(500, "Internal Server Error"), 1);
    }
    let job = at.submit("-o out", &format!("{}; echo done", mark(&lab)));
    exact_and_once(&at, job, "out", "done\n");
    assert!(lab.server().faults_are_used_up());
}

#[test]
fn an_array_s_lost_answer_is_looked_up() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    lab.server().fault("/jobs/launch", Fault::AnswerLost, 1);
    let job = at.submit("--array=0-3 -o out.%a", &format!("{}; echo $SLURM_ARRAY_TASK_ID", mark(&lab)));
    lab.until(&format!("sacct -X -n -P -j {job} -o state | sort | uniq -c"), "4 COMPLETED");
    assert_eq!((lab.server().jobs().len(), marks(&lab)), (4, 4));
    assert!((0..4).all(|i| at.read(&format!("out.{i}")) == format!("{i}\n")));
}

#[test]
fn a_controller_killed_in_a_submission_sends_it_once() {
    for fault in [Fault::Silence(Duration::from_secs(2)), Fault::AnswerLost] {
        let lab = SkyLab::fake();
        let at = lab.place("w");
        lab.server().fault("/jobs/launch", fault, 1);
        lab.server().set(|s| _ = s.work_of.insert("/jobs/launch".into(), Duration::from_millis(700)));
        let job = at.submit("-o out", &format!("{}; echo done", mark(&lab)));
        lab.until_true("the submission", || !lab.server().requests("/jobs/launch").is_empty());
        lab.kill_controller();
        lab.until_true("the job at the server", || !lab.server().jobs().is_empty());
        lab.sh("squeue").ok();
        exact_and_once(&at, job, "out", "done\n");
    }
}

#[test]
fn a_controller_killed_in_a_log_goes_on_where_it_was() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    let (script, wanted) = slow_script(&lab);
    let job = at.submit("-o out", &script);
    for from in ["5 1\n", "20 1\n", "40 1\n"] {
        at.until_file("out", &format!("\n{from}"));
        lab.kill_controller();
        lab.sh("squeue").ok();
    }
    exact_and_once(&at, job, "out", &wanted);
}

#[test]
fn a_server_that_is_down_is_waited_for() {
    // Before the submission; while the job waits; while it runs; while it ends.
    for phase in 0..4 {
        let lab = SkyLab::fake();
        let at = lab.place("w");
        let (script, wanted) = slow_script(&lab);
        if phase == 0 {
            lab.server().down();
        }
        if phase == 1 {
            lab.server().set(|s| s.pending = AGES);
        }
        let job = at.submit("-o out", &script);
        match phase {
            0 => {}
            1 => lab.until_true("the job at the server", || !lab.server().jobs().is_empty()),
            2 => drop(at.until_file("out", "\n5 1\n")),
            _ => drop(at.until_file("out", "\n55 1\n")),
        }
        lab.server().down();
        lab.server().set(|s| s.pending = Duration::ZERO);
        let begun = Instant::now();
        let squeue = lab.sh("squeue -h -o %i");
        assert!(begun.elapsed() < Duration::from_secs(5) && squeue.stdout == format!("{job}\n"), "{squeue:?}");
        if phase > 0 {
            lab.until_true("the job's work", || lab.server().runs() == 1);
        }
        std::thread::sleep(Duration::from_secs(3));
        lab.server().up();
        exact_and_once(&at, job, "out", &wanted);
    }
}

#[test]
fn a_log_that_is_cut_often_is_read_to_its_end() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    lab.server().set(|s| s.cut_log_every = Some(20_000));
    let (script, wanted) = slow_script(&lab);
    let job = at.submit("-o out", &script);
    exact_and_once(&at, job, "out", &wanted);
}

#[test]
fn a_log_that_lasts_only_a_while_and_a_job_too_short_to_be_followed() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    lab.server().set(|s| {
        s.cut_log_after = Some(Duration::from_millis(300));
        s.misses_short_jobs = true;
        s.running_lag = Duration::from_millis(1);
        s.heartbeat = Duration::from_millis(50);
    });
    let (script, wanted) = slow_script(&lab);
    let job = at.submit("-o out", &script);
    exact_and_once(&at, job, "out", &wanted);
    let short = at.submit("-o short", "echo short");
    lab.until_accounted(short, "COMPLETED|0:0");
    assert_eq!(at.read("short"), "short\n");
}

#[test]
fn what_cannot_be_placed_says_why() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    lab.server().set(|s| s.unsatisfiable = Some("Task requires a GPU that nobody has".into()));
    let out = at.sh("sbatch --wait -o out --wrap true");
    assert_eq!(out.code, 1, "{out:?}");
    let shown = shown(&lab, 1);
    assert!(shown.contains("a GPU that nobody has") && !shown.contains('\x1b'), "{shown}");
    assert!(shown.contains("JobState=FAILED"), "{shown}");
}

#[test]
fn an_expired_token_is_named() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    lab.server().set(|s| s.token = Some("sky_another".into()));
    let job = at.sbatch("-o out --wrap 'echo done'");
    lab.until_true("the message", || lab.sh(&format!("scontrol show job {job}")).stdout.contains("token"));
    let reason = lab.sh(&format!("squeue -h -j {job} -o '%t %r'")).stdout;
    assert!(reason.starts_with("PD "), "{reason}");
    lab.server().set(|s| s.token = None);
    lab.until_accounted(job, "COMPLETED|0:0");
}

#[test]
fn any_name_is_a_name() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    for (number, name) in
        ["a 'b' \"c\" $(touch x) `d`", "--- &x *y: {z}", "ä→\u{1f600}", "a\nb: c", "x: !!python/object"]
            .iter()
            .enumerate()
    {
        at.file("job.sh", "#!/bin/bash\nprintf %s \"$SLURM_JOB_NAME\"\n");
        let file = format!("out.{number}");
        let out =
            lab.run(lab.command("sbatch").args(["--wait", "-o", &file, "-J", name, "job.sh"]).current_dir(&at.dir));
        assert_eq!((out.code, at.read(&file).as_str()), (0, *name), "{out:?}");
    }
    assert!(!at.dir.join("x").exists());
    assert_eq!(lab.server().jobs().len(), 5);
}

#[test]
fn scripts_of_any_size_but_without_nul() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    at.file("nul.sh", b"#!/bin/bash\necho a\0b\n");
    let out = at.sh("sbatch nul.sh");
    assert_eq!(out.code, 1);
    assert!(out.stderr.contains("contain a NULL character"), "{out:?}");
    let padding = "# 'quoted' \"twice\" $x `y` --- : |\n".repeat(7000);
    let job = at.submit("-o out", &format!("{padding}echo end"));
    lab.until_accounted(job, "COMPLETED|0:0");
    assert_eq!((at.read("out").as_str(), lab.server().jobs().len()), ("end\n", 1));
}

#[test]
fn a_work_directory_that_is_too_large_is_refused() {
    let lab = SkyLab::fake_with("workdir_limit = \"1M\"", "");
    let at = lab.place("w");
    at.file("large", vec![7; 3 << 20]);
    // Said at once, or by the job that cannot go; in either case what and how much.
    let out = at.sh("sbatch -o out --wrap 'echo done'");
    lab.until_true("a message", || {
        let said = out.stderr.clone() + &shown(&lab, 1);
        said.contains("1 MiB") && said.contains(at.dir.to_str().unwrap())
    });
    assert!(lab.server().requests("/upload_v2").is_empty());
    at.file(".skyignore", "large\n");
    let job = at.sbatch("-o out --wrap 'echo done'");
    lab.until_accounted(job, "COMPLETED|0:0");
}

#[test]
fn states_go_from_waiting_to_the_end() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    lab.server().set(|s| {
        (s.pending, s.starting, s.running_lag) = (AGES, AGES, Duration::ZERO);
        s.details = Some("Launching (nodes allocated; Slurm job 4 on lab)".into());
    });
    let job = at.submit("-o out", "trap '' TERM; echo up; sleep 3600");
    let state = format!("squeue -h -j {job} -o %t");
    lab.until_true("the job at the server", || !lab.server().jobs().is_empty());
    lab.until(&state, "PD");
    let reason = lab.sh(&format!("squeue -h -j {job} -o %R")).stdout;
    assert!(reason.starts_with('(') && reason.trim() != "(None)", "{reason}");
    lab.server().set(|s| s.pending = Duration::ZERO);
    lab.until(&state, "CF");
    lab.until_true("where it is", || shown(&lab, job).contains("Slurm job 4 on lab"));
    lab.server().set(|s| s.starting = Duration::ZERO);
    lab.until(&state, "R");
    at.until_file("out", "up\n");
    lab.server().set(|s| _ = s.work_of.insert("/jobs/cancel".into(), Duration::from_secs(2)));
    lab.sh(&format!("scancel {job}")).ok();
    lab.until(&state, "CG");
    lab.until_accounted(job, &format!("CANCELLED by {}|0:0", nix::unistd::geteuid()));
}

/// Into the file of its errors, in the form of Slurm: what is said here is read there.
#[test]
fn a_message_comes_into_the_output() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    let job = at.submit("-o out -e err", "echo up; until [ -e end ]; do sleep 0.05; done");
    at.until_file("out", "up\n");
    lab.until_state(job, "RUNNING"); // the file may be there first
    assert_eq!(at.sh(&format!("scontrol notify {job} 'two  blanks' are kept")).ok(), "");
    at.until_file("err", "two  blanks are kept\n");
    // From inside the job as well.
    let own = at.submit("-o own", "scontrol notify $SLURM_JOB_ID to myself; until [ -e end ]; do sleep 0.05; done");
    at.until_file("own", "to myself\n");
    assert_eq!(
        (at.read("err").as_str(), at.read("out").as_str()),
        ("slurmstepd: error: two  blanks are kept\n", "up\n")
    );
    lab.sh(&format!("scancel {job} {own}")).ok();
    assert_eq!(lab.sh("scontrol notify 999 x").fails(1), "job notify failure: Invalid job id specified\n");
    lab.until_accounted(job, &format!("CANCELLED by {}|0:0", nix::unistd::geteuid()));
    assert_eq!(
        at.sh(&format!("scontrol notify {job} late")).fails(1),
        "job notify failure: Job/step already completing or completed\n"
    );
}

#[test]
fn questions_are_answered_at_once_by_a_slow_server_too() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    lab.server().set(|s| s.work = Duration::from_secs(20));
    let jobs: Vec<u32> = (0..3).map(|_| at.sbatch("-o out.%j --wrap 'echo done'")).collect();
    let begun = Instant::now();
    for _ in 0..5 {
        assert_eq!(lab.sh("squeue -h").ok().lines().count(), 3);
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    lab.server().set(|s| s.work = Duration::from_millis(5));
    for job in jobs {
        lab.until_accounted(job, "COMPLETED|0:0");
    }
}

#[test]
fn files_go_once_and_connections_are_few() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    at.file("data", vec![1; 100_000]);
    let jobs: Vec<u32> = (0..20).map(|_| at.sbatch("-o /dev/null --wrap 'cmp data data'")).collect();
    for job in jobs {
        lab.until_accounted(job, "COMPLETED|0:0");
    }
    let uploads = lab.server().requests("/upload_v2").len();
    assert!(lab.server().jobs().len() == 20 && (1..=2).contains(&uploads), "{uploads}");
    assert!(lab.server().most_connections() <= 64, "{}", lab.server().most_connections());
}

#[test]
fn an_upload_that_takes_a_while_has_a_bar() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    lab.sh("skyslurm controller start").ok();
    lab.server().fault("/upload_v2", Fault::Silence(Duration::from_secs(2)), 1);
    // script(1) may go before its command does when its own input ends.
    lab.sh("mkfifo $HOME/keys").ok();
    let submit = "exec 3<> $HOME/keys; script -qec 'sbatch -o out --wrap \"echo done\"' /dev/null <&3";
    let shown = at.sh(submit).stdout;
    assert!(shown.starts_with("Submitted batch job 1") && shown.contains("uploading the work directory"), "{shown:?}");
    // The server has the files now: nothing to wait for, nothing to show. And no bar where there is no terminal.
    assert_eq!(at.sh(submit).stdout, "Submitted batch job 2\r\n");
    assert_eq!(at.sh("sbatch -o out --wrap true").ok(), "Submitted batch job 3\n");
    for job in 1..=3 {
        lab.until_accounted(job, "COMPLETED|0:0");
    }
}

#[test]
fn an_array_of_a_thousand_is_one_request() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    lab.server().set(|s| s.pending = AGES);
    let job = at.sbatch("--array=0-999 -o out.%a --wrap true");
    lab.until_true("the jobs at the server", || lab.server().jobs().len() == 1000);
    assert_eq!(lab.server().requests("/jobs/launch").len(), 1);
    assert_eq!(lab.sh(&format!("squeue -h -r -j {job} | wc -l")).ok(), "1000\n");
    lab.sh(&format!("scancel {job}")).ok();
    lab.until("squeue -h | wc -l", "0");
    lab.until_true("their end there", || lab.server().jobs().iter().all(|(.., status)| *status == "CANCELLED"));
}

#[test]
fn all_elements_of_an_array_run_whatever_ends_first() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    let job = at.sbatch(&format!("--array=0-59 -o out.%a --wrap '{}'", mark(&lab)));
    lab.until(&format!("sacct -X -n -P -j {job} -o state,exitcode | sort | uniq -c"), "60 COMPLETED|0:0");
    assert_eq!((lab.server().requests("/jobs/launch").len(), marks(&lab)), (1, 60));
}

#[test]
fn an_older_server_that_was_not_there_gets_an_array_one_by_one() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    lab.server().set(|s| s.api_version = 30);
    lab.server().down();
    let job = at.sbatch(&format!("--array=0-3 -o out.%a --wrap '{}'", mark(&lab)));
    lab.until_true("an attempt", || lab.sh("squeue -h -o %r").stdout.contains("PartitionDown"));
    lab.server().up();
    lab.until(&format!("sacct -X -n -P -j {job} -o state,exitcode | sort | uniq -c"), "4 COMPLETED|0:0");
    assert_eq!((lab.server().requests("/jobs/launch").len(), marks(&lab)), (4, 4));
}

#[test]
fn a_job_cancelled_in_a_submission_is_not_sent_again() {
    // Heard by the server, or not, before the controller was killed.
    for is_heard in [true, false] {
        let lab = SkyLab::fake();
        let at = lab.place("w");
        if is_heard {
            lab.server().fault("/jobs/launch", Fault::AnswerLost, 1);
            // The look-up takes a while, too.
            lab.server().fault("/jobs/queue/v2", Fault::Silence(Duration::from_secs(20)), 1);
            lab.server().set(|s| s.starting = AGES);
        } else {
            lab.sh("sinfo").ok();
            lab.server().down();
        }
        let job = at.submit("-o out", &mark(&lab));
        let asked = || match is_heard {
            true => !lab.server().jobs().is_empty(),
            false => shown(&lab, job).contains("Reason=PartitionDown"),
        };
        lab.until_true("the submission", asked);
        lab.kill_controller();
        lab.server().down();
        lab.sh(&format!("scancel {job}")).ok();
        lab.until_state(job, "COMPLETING");
        lab.kill_controller();
        lab.server().up();
        lab.until_accounted(job, &format!("CANCELLED by {}|0:0", nix::unistd::geteuid()));
        let all_over = || lab.server().jobs().iter().all(|(.., status)| *status == "CANCELLED");
        lab.until_true("its end there", all_over);
        assert_eq!((lab.server().requests("/jobs/launch").len(), marks(&lab)), (usize::from(is_heard), 0));
    }
}

#[test]
fn an_output_file_that_cannot_be_fails_the_job() {
    let lab = SkyLab::fake();
    let at = lab.place("w");
    let job = at.submit("-o /no/such/dir/out", &format!("sleep 3600; {}", mark(&lab)));
    lab.until_accounted(job, "FAILED|0:53");
    let shown = shown(&lab, job);
    assert!(shown.contains("Reason=JobLaunchFailure") && shown.contains("/no/such/dir/out"), "{shown}");
    lab.until_true("its end there", || lab.server().jobs().iter().all(|(.., status)| *status == "CANCELLED"));
    assert_eq!(marks(&lab), 0);
}

#[test]
fn without_a_configuration_a_server_that_was_never_there_is_no_default() {
    let server = super::server::Server::start();
    server.down();
    let lab = crate::harness::Lab::new("");
    lab.sh(&format!("SKYPILOT_API_SERVER_ENDPOINT={} skyslurm controller start", server.url())).ok();
    let said = lab.sh("sbatch --wrap true");
    let wanted = "sbatch: error: Batch job submission failed: No partition specified or system default partition\n";
    assert!(said.fails(1).starts_with(wanted) && said.stderr.contains("skyslurm doctor"), "{said:?}");
    assert_eq!(lab.sh("sbatch --wait -Q -p local -o here --wrap 'echo here'; cat here").ok(), "here\n");
}

#[test]
fn without_a_configuration_the_server_s_infra_are_partitions() {
    let server = super::server::Server::start();
    let lab = crate::harness::Lab::new("");
    lab.sh(&format!("SKYPILOT_API_SERVER_ENDPOINT={} skyslurm controller start", server.url())).ok();
    assert_eq!(lab.sh("sinfo -h -o %P").ok().lines().collect::<Vec<_>>().join(" "), "local lab*");
    let out = lab.sh("sbatch --wait -Q -o there --wrap 'echo $SLURM_JOB_PARTITION ${SKYPILOT_NODE_RANK-here}'; sbatch --wait -Q -p local -o here --wrap 'echo $SLURM_JOB_PARTITION ${SKYPILOT_NODE_RANK-here}'; cat there here");
    assert_eq!(out.ok(), "lab 0\nlocal here\n");
}

#[test]
fn a_shared_directory_is_not_copied_and_the_nodes_write_there() {
    let shared = tempfile::tempdir_in("/tmp").unwrap();
    let dir = shared.path().to_str().unwrap();
    let lab = SkyLab::fake_with(
        "",
        &format!("[[partition]]\nname = \"shared\"\ninfra = \"slurm/lab\"\nshared = [\"{dir}\"]"),
    );
    std::fs::write(shared.path().join("large"), vec![1; 100_000]).unwrap();
    let script = "pwd; stat -c %s large; echo result > result; echo bad >&2";
    let out =
        lab.sh(&format!("cd {dir} && sbatch --wait -Q -p shared -o out -e err --wrap '{script}'; cat out err result"));
    assert_eq!(out.ok(), format!("{dir}\n100000\nbad\nresult\n"));
    let uploads = lab.server().requests("/upload_v2");
    assert!(!uploads.is_empty() && !uploads.iter().any(|r| String::from_utf8_lossy(&r.body).contains("workdir/large")));
}

#[test]
fn what_has_no_way_in_says_so() {
    let lab = SkyLab::fake_with("direct = false\ngate = false\n", "");
    let at = lab.place("w");
    let job = at.submit("-o out", "echo up; sleep 3600");
    at.until_file("out", "up\n");
    let said = "no connection leads to the job's nodes";
    for command in
        [format!("srun --jobid={job} true"), format!("sattach {job}.0"), format!("sbcast -j {job} out /tmp/x")]
    {
        let out = at.sh(&command);
        assert!(out.code != 0 && out.stderr.contains(said), "{command}: {out:?}");
    }
    lab.sh(&format!("scancel {job}")).ok();
}
