//! The controller: started on demand, alone, private, and not to be killed by anything that happens to it.

use crate::harness::{FOUR, Lab, ONE, PROGRAM, is_root, skip};
use std::{
    fs,
    os::unix::fs::{MetadataExt, chown},
    thread,
};

/// A script that runs until the test makes the file `go`.
const GATED: &str = "--wrap 'echo up; while [ ! -e go ]; do sleep 0.05; done; echo end; exit 3'";

#[test]
fn it_starts_on_demand_and_survives_its_terminal() {
    let lab = Lab::new(ONE);
    assert_eq!(lab.controller(), None);
    lab.sh("setsid -w bash -c 'sbatch --hold --wrap true; kill -HUP 0'");
    let pid = lab.controller().expect("a controller");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!(fields[3].parse(), Ok(pid), "it leads a session of its own");
    assert_eq!(fields[4], "0", "it has no terminal");
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap().to_str(), Some("/"));
    assert_eq!(lab.sh("squeue -h -o %i").ok(), "1\n");
}

#[test]
fn there_is_one_for_a_state_directory() {
    let lab = Lab::new(ONE);
    lab.sh("skyslurm controller start").ok();
    let pid = lab.controller();
    assert!(lab.sh("skyslurm controller start").ok().contains("running already"));
    let second = lab.sh(&format!("timeout 20 {PROGRAM} controller run"));
    assert!(
        second.code == 1 && format!("{}{}", second.stdout, second.stderr).contains("running already"),
        "{second:?}"
    );
    assert_eq!(lab.controller(), pid);
    lab.sh("skyslurm controller restart").ok();
    assert_ne!(lab.controller(), pid);
    // Two state directories are two systems.
    let out = lab.sh("sbatch -Q --hold --wrap true; SKYSLURM_STATE_DIR=$PWD/other squeue -h; SKYSLURM_STATE_DIR=$PWD/other skyslurm controller stop");
    assert_eq!(out.stdout.lines().count(), 1, "{out:?}");
    lab.sh("skyslurm controller stop").ok();
    assert_eq!(lab.sh("skyslurm controller status").code, 1);
}

#[test]
fn its_files_are_the_user_s_alone() {
    let lab = Lab::new(ONE);
    lab.sh("umask 000; sbatch --wait -Q -o /dev/null --wrap true").ok();
    assert_eq!(fs::metadata(lab.state()).unwrap().mode() & 0o777, 0o700);
    let socket = lab.sh(&format!("find {} -type s", lab.state().display())).ok().to_owned();
    for path in socket.lines() {
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o077, 0, "{path}");
    }
    assert!(!socket.is_empty());
}

#[test]
fn a_job_goes_on_while_it_is_stopped() {
    let lab = Lab::new(ONE);
    let id = lab.submit(&format!("-o out {GATED}"));
    lab.until_file("out", "up");
    let waits = lab.submit("-n2 -o /dev/null --wrap true");
    lab.sh("skyslurm controller stop").ok();
    lab.sh("touch go").ok();
    lab.until_file("out", "end");
    lab.sh("skyslurm controller start").ok();
    lab.until_state(id, "FAILED");
    assert_eq!(
        lab.sh(&format!("sacct -n -P -j {id} -o jobid,state,exitcode")).ok(),
        "1|FAILED|3:0\n1.batch|FAILED|3:0\n"
    );
    lab.until_state(waits, "COMPLETED");
}

#[test]
fn nothing_is_lost_when_it_is_killed() {
    let lab = Lab::new(ONE);
    let id = lab.submit(&format!("-o out {GATED}"));
    lab.until_file("out", "up");
    let held = lab.submit("--hold --array=1-3 --wrap true");
    let waits = lab.submit("-n2 -o /dev/null --wrap true");
    lab.kill_controller();
    // The next command starts another one, which finds the job still running.
    assert_eq!(lab.sh("squeue -h -r -S i -o '%i %t' | sort").ok(), "1 R\n2_1 PD\n2_2 PD\n2_3 PD\n3 PD\n");
    lab.kill_controller();
    lab.sh("touch go").ok();
    lab.until_file("out", "end");
    lab.until_state(id, "FAILED");
    assert_eq!(lab.sh(&format!("sacct -n -X -P -j {id} -o state,exitcode")).ok(), "FAILED|3:0\n");
    lab.until_state(waits, "COMPLETED");
    lab.sh(&format!("scontrol release {held}")).ok();
    lab.until("squeue -h", "");
    assert_eq!(lab.submit("--hold --wrap true"), 6, "ids are not given twice");
}

#[test]
fn a_cancelled_job_is_cancelled_though_it_is_killed_meanwhile() {
    let lab = Lab::new(ONE);
    let id = lab.submit("-o out --wrap 'trap \"\" TERM; echo up; while :; do sleep 0.05; done'");
    lab.until_file("out", "up");
    lab.sh(&format!("scancel {id}")).ok();
    lab.kill_controller();
    lab.until_state(id, "CANCELLED");
    lab.until_true("the end of the job", || lab.processes().iter().all(|(_, line)| line.contains("controller run")));
}

#[test]
fn what_was_acknowledged_runs_once_though_it_is_killed_all_the_time() {
    let lab = Lab::new(FOUR);
    let submitted: Vec<u32> = thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let one = |_| lab.sh("sbatch --parsable -o /dev/null --wrap 'echo $SLURM_JOB_ID >> ran'");
                    (0..10).map(one).filter_map(|out| out.stdout.trim().parse().ok()).collect::<Vec<u32>>()
                })
            })
            .collect();
        for _ in 0..4 {
            thread::sleep(std::time::Duration::from_millis(150));
            if let Some(pid) = lab.controller() {
                let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
            }
        }
        clients.into_iter().flat_map(|c| c.join().unwrap()).collect()
    });
    lab.until("squeue -h", "");
    let mut ran: Vec<u32> = lab.read("ran").lines().map(|l| l.parse().unwrap()).collect();
    ran.sort_unstable();
    let once = ran.windows(2).all(|w| w[0] != w[1]);
    let lost: Vec<_> = submitted.iter().filter(|id| !ran.contains(id)).collect();
    assert!(
        once && lost.is_empty(),
        "lost: {lost:?}; ran: {ran:?}\n{}",
        lab.sh("sacct -n -X -P -o jobid,state,exitcode").stdout
    );
    assert!(submitted.len() >= 10, "{submitted:?}");
}

#[test]
fn twenty_clients_at_once_get_ids_of_their_own() {
    let lab = Lab::new(ONE);
    let line = "for i in $(seq 20); do sbatch --parsable --hold --wrap true & done; wait";
    let out = lab.sh(line);
    let mut ids: Vec<u32> = out.ok().lines().map(|l| l.parse().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=20).collect::<Vec<_>>());
}

#[test]
fn a_typing_error_in_the_configuration_is_named() {
    let lab = Lab::new("[[node]]\nname = \"a\"\ncpu = 4\n");
    let said = lab.sh("sbatch --wrap true").fails(1).to_owned();
    assert!(
        said.contains(&*lab.config().to_string_lossy()) && said.contains("line 3") && said.contains("cpu"),
        "{said}"
    );
    assert!(lab.sh("skyslurm controller start").fails(1).contains("line 3"));
    fs::write(lab.config(), ONE).unwrap();
    lab.sh("sbatch --wait -o /dev/null --wrap true").ok();
}

#[test]
fn another_user_s_state_directory_is_refused() {
    if !is_root() {
        return skip("only root can make a directory of another user");
    }
    let lab = Lab::new(ONE);
    fs::create_dir(lab.state()).unwrap();
    chown(lab.state(), Some(65534), None).unwrap();
    let out = lab.sh("sbatch --wrap true");
    assert!(out.code == 1 && out.stderr.contains("belongs to user") && out.stdout.is_empty(), "{out:?}");
    assert_eq!(fs::read_dir(lab.state()).unwrap().count(), 0);
}

#[test]
fn a_full_disk_is_an_error_and_loses_nothing() {
    let lab = Lab::new(ONE);
    if !lab.state_on_a_disk_of("2m") {
        return skip("no permission to mount a small file system");
    }
    let id = lab.submit("--hold --wrap true");
    let fill = lab.state().join("fill");
    lab.sh(&format!("dd if=/dev/zero of={} bs=4k 2>/dev/null; true", fill.display()));
    lab.file("large.sh", format!("#!/bin/bash\n#{}\n", "x".repeat(200_000)));
    let out = lab.sh("for i in 1 2 3; do sbatch --hold large.sh || exit; done");
    assert!(out.code == 1 && out.stderr.contains("sbatch: error: "), "{out:?}");
    let known = lab.sh("squeue -h -o %i | wc -l").ok().trim().to_owned();
    let acknowledged = 1 + out.stdout.lines().count();
    assert_eq!(known, acknowledged.to_string());
    fs::remove_file(&fill).unwrap();
    let next = lab.submit("--hold --wrap true");
    assert!(next > id);
    lab.kill_controller();
    assert_eq!(lab.sh("squeue -h -o %i | wc -l").ok().trim(), (acknowledged + 1).to_string());
}
