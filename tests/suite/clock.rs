//! The wall clock is set while jobs run, by hours and back: a laptop that wakes up, a time server that comes late.

use crate::harness::{Lab, ONE};
use std::{fs, time::Duration};

const HOUR: i64 = 3600;

/// CPU time the controller has used so far, ticks.
fn used(lab: &Lab) -> u64 {
    let pid = lab.controller().expect("a controller");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Nothing that was printed is less than nothing.
#[track_caller]
fn nothing_negative(lab: &Lab) {
    let shown = lab.sh("squeue -h -t all -o '%M'; sacct -n -P -o elapsed,elapsedraw,cputimeraw,suspended; scontrol show job | grep -o 'RunTime=[^ ]*'");
    let is_negative = |word: &str| word.starts_with('-') || word.contains("INVALID");
    assert!(shown.code == 0 && !shown.stdout.split(['\n', '|', '=']).any(is_negative), "{shown:?}");
}

#[test]
fn a_clock_that_is_set_ends_no_job_and_throws_nothing_away() {
    let config =
        ONE.replace("cpus = 2", "cpus = 16").replace("[controller]", "[controller]\npurge_job_after = \"2hours\"");
    let lab = Lab::new(&config);
    lab.set_clock(0);
    let past = lab.submit("-o past --wait --wrap true");
    let running = lab.submit("-t 1-0 -o running --wrap 'echo up; until [ -e go ]; do sleep 0.05; done; echo done'");
    let suspended = lab.submit("-t 1-0 -o suspended --wrap 'echo up; until [ -e go ]; do sleep 0.05; done; echo done'");
    let begins = lab.submit("--begin=now+2hours -o begins --wrap 'echo begun'");
    let stubborn = lab.submit("-o stubborn --wrap 'trap \"echo asked\" TERM; echo up; while :; do sleep 0.05; done'");
    ["running", "suspended", "stubborn"].iter().for_each(|name| drop(lab.until_file(name, "up")));
    lab.sh(&format!("scontrol suspend {suspended}")).ok();
    let misses = lab.submit("-n 16 -t 60 --deadline=now+3hours -o misses --wrap true");
    lab.until_state(begins, "PENDING");

    // Ahead, by more than the limits: what goes by the clock goes on, and what runs runs.
    lab.set_clock(25 * HOUR);
    // The controller looks at the clock once a minute, and whenever somebody asks it something.
    let ends = |job: u32| format!("squeue > /dev/null; sacct -X -n -P -j {job} -o state,exitcode");
    lab.until(&ends(begins), "COMPLETED|0:0");
    lab.until(&ends(misses), "DEADLINE|0:1");
    assert_eq!(lab.sh("sbatch -W -o new --wrap 'echo new'").code, 0);
    let shown = lab.sh(&format!("squeue -h -j {running} -o '%T %M'")).stdout;
    assert!(shown.starts_with("RUNNING 1-01:0"), "{shown}");
    lab.sh(&format!("scontrol update jobid={running} timelimit=23:00:00")).ok();
    assert_eq!(lab.sh(&format!("sacct -X -n -P -j {past} -o state")).ok(), "COMPLETED\n");
    nothing_negative(&lab);

    // KillWait is no matter of the clock either; nor is anything looked at again and again.
    lab.sh(&format!("scancel {stubborn}")).ok();
    lab.until_file("stubborn", "asked");
    lab.set_clock(-10 * HOUR);
    lab.until(&format!("squeue -h -t all -j {stubborn} -o %T"), "CANCELLED");
    assert_eq!(lab.sh("sbatch -W -o newer --wrap 'echo newer'").code, 0);
    assert_eq!(lab.sh(&format!("squeue -h -j {running} -o '%T %M'")).ok(), "RUNNING 0:00\n");
    nothing_negative(&lab);
    let before = used(&lab);
    std::thread::sleep(Duration::from_secs(2));
    let ticks = used(&lab) - before;
    assert!(ticks < 40, "the controller used {ticks} ticks in two seconds of nothing");

    lab.set_clock(0);
    lab.sh(&format!("scontrol resume {suspended}")).ok();
    lab.until_state(suspended, "RUNNING");
    lab.file("go", "");
    for job in [running, suspended] {
        lab.until(&ends(job), "COMPLETED|0:0");
    }
    assert_eq!((lab.read("running"), lab.read("suspended")), ("up\ndone\n".into(), "up\ndone\n".into()));
    nothing_negative(&lab);
    assert_eq!(lab.sh(&format!("sacct -X -n -P -j {past} -o state")).ok(), "COMPLETED\n");
}

/// Who waits for an allocation has half a minute of time, not of the clock, to come back to a new controller.
#[test]
fn a_clock_that_is_set_ends_no_allocation() {
    let lab = Lab::new(ONE);
    lab.set_clock(0);
    let filler = lab.submit("-n2 -o filler --wrap 'until [ -e go ]; do sleep 0.05; done'");
    lab.until_state(filler, "RUNNING");
    let mut waits = lab.command("salloc");
    let waits = waits.args(["-n2", "echo", "granted"]).stdout(fs::File::create(lab.work().join("said")).unwrap());
    waits.stderr(std::process::Stdio::null());
    let mut waits = waits.spawn().unwrap();
    lab.until("squeue -h -t PD -o %i", &format!("{}", filler + 1));
    lab.kill_controller();
    lab.sh("squeue").ok();
    lab.set_clock(25 * HOUR);
    lab.sh("squeue").ok();
    lab.file("go", "");
    assert!(waits.wait().unwrap().success());
    assert_eq!(lab.read("said"), "granted\n");
}
