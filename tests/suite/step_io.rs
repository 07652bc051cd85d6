//! What steps read and write: much of it, slowly, and with ends that are not both there.

use crate::harness::{FOUR, LIMIT, Lab, ONE};
use std::{
    fs,
    io::Read,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

/// Two nodes with room for 64 tasks.
const WIDE: &str = r#"
[[node]]
name = "node[1-2]"
cpus = 32
memory = "64G"

[controller]
kill_wait = 1
default_memory_per_cpu = "100M"
"#;

/// What a batch script prints that runs this.
fn job(lab: &Lab, options: &str, script: &str) -> String {
    lab.file("x.sh", format!("#!/bin/bash\n{script}\n"));
    let out = lab.sh(&format!("sbatch --wait -Q -o out {options} x.sh"));
    assert!(out.stderr.is_empty(), "{out:?}");
    lab.read("out")
}

/// The largest a process has been, KiB.
fn peak(pid: i32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The agents and the sruns of a lab.
fn ours(lab: &Lab) -> Vec<(i32, String)> {
    lab.processes().into_iter().filter(|(_, line)| line.contains("agent ") || line.starts_with("srun ")).collect()
}

/// The same of a script that takes long on a busy machine.
fn long_job(options: &str, script: &str) -> String {
    let mut lab = Lab::new(FOUR);
    lab.set_patience(LIMIT * 5);
    lab.file("x.sh", format!("#!/bin/bash\n{DATA}{script}\n"));
    let id = lab.submit(&format!("-o out {options} x.sh"));
    lab.until_accounted(id, "COMPLETED|0:0");
    lab.read("out")
}

/// Makes 200 MB that are like no others, with all values of a byte.
const DATA: &str =
    "head -c 200000000 /dev/zero | openssl enc -aes-128-ctr -pass pass:x -nosalt -pbkdf2 2>/dev/null > data
    sum() { sha256sum | cut -d' ' -f1; }\n";

#[test]
fn lines_do_not_mix() {
    let lab = Lab::new(FOUR);
    // Each has begun a line before one of them ends it.
    let task = r#"printf a; touch $SLURM_PROCID; until [ -e 0 ] && [ -e 1 ]; do sleep 0.02; done; sleep 0.1; echo b"#;
    assert_eq!(job(&lab, "-n2", &format!("srun sh -c '{task}'")), "ab\nab\n");
}

#[test]
fn bytes_come_out_as_they_were_written() {
    // From another node, to a pipe, to a file of the shell's, and to one of srun's.
    let script = "sum < data > sums
        srun -N1 -n1 -r1 cat data | sum >> sums
        srun -N1 -n1 -r1 cat data > copy; sum < copy >> sums
        srun -N1 -n1 -r1 -o copy cat data; sum < copy >> sums
        wc -l < sums; sort -u sums | wc -l";
    assert_eq!(long_job("-N2", script).split_whitespace().collect::<Vec<_>>(), ["4", "1"]);
}

#[test]
fn bytes_go_in_as_they_are() {
    // To one task, to all, and through a pipe to another node and back.
    let script = "head -c 100000000 data > part; sum < part > sums
        srun -N2 -n2 -i 1 sha256sum < part | cut -d' ' -f1 | grep -v ^e3b0c442 >> sums
        srun -N2 -n2 sha256sum < part | cut -d' ' -f1 >> sums
        cat part | srun -N1 -n1 -r1 cat | sum >> sums
        wc -l < sums; sort -u sums | wc -l";
    assert_eq!(long_job("-N2", script).split_whitespace().collect::<Vec<_>>(), ["5", "1"]);
}

#[test]
fn lines_of_many_tasks_stay_whole() {
    let lab = Lab::new(WIDE);
    let task = "for i in $(seq 50); do printf \"%s-\" $SLURM_PROCID; printf \"%s\" abcdefghijklmnopqrstuvwxyz; echo \" $i\"; done";
    let script = format!("srun -l bash -c '{task}' > lines; wc -l < lines");
    assert_eq!(job(&lab, "-N2 -n64", &script).trim(), "3200");
    let mut next = [1; 64];
    for line in lab.read("lines").lines() {
        let (label, text) = line.split_once(": ").unwrap();
        let task: usize = label.trim().parse().unwrap();
        assert_eq!(text, format!("{task}-abcdefghijklmnopqrstuvwxyz {}", next[task]), "{line}");
        next[task] += 1;
    }
}

/// srun in an allocation of its own, its stdout read by us.
fn reading(lab: &Lab, options: &[&str]) -> Child {
    let mut command = lab.command("srun");
    command.args(options).stdout(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_slow_reader_costs_no_memory() {
    let lab = Lab::new(FOUR);
    let mut srun = reading(&lab, &["-N2", "-n2", "bash", "-c", "echo up; exec head -c 100000000 /dev/zero"]);
    let mut out = srun.stdout.take().unwrap();
    let mut first = [0; 3];
    out.read_exact(&mut first).unwrap();
    // A task is our program for a moment, too.
    lab.until_true("srun and two agents alone", || ours(&lab).len() == 3);
    let begun: Vec<(i32, u64)> = ours(&lab).into_iter().map(|(pid, _)| (pid, peak(pid))).collect();
    // What nobody takes has to wait where it is written.
    let mut bytes = vec![0; 1 << 20];
    let mut got = 3;
    for _ in 0..20 {
        thread::sleep(Duration::from_millis(20));
        got += out.read(&mut bytes).unwrap();
    }
    for (pid, before) in &begun {
        assert!(peak(*pid) < before + 40_000, "{pid}: {before} {}", peak(*pid));
    }
    while let Ok(n @ 1..) = out.read(&mut bytes) {
        got += n;
    }
    for (pid, before) in begun {
        assert!(peak(pid) < before + 40_000, "{pid}: {before} {}", peak(pid));
    }
    assert_eq!((got, srun.wait().unwrap().code()), (200_000_006, Some(0)));
}

#[test]
fn a_task_that_does_not_read_costs_no_memory() {
    let lab = Lab::new(FOUR);
    let script = "srun -n2 -N2 bash -c 'until [ -e read ]; do sleep 0.02; done; cat >/dev/null' < /dev/zero & s=$!
        srun --overlap -n2 -N2 true; sleep 0.5; grep -h VmHWM /proc/$s/status /proc/$PPID/status; kill -9 $s; touch read; wait";
    let out = job(&lab, "-N2", script);
    let sizes: Vec<u64> =
        out.lines().filter_map(|l| l.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok()).collect();
    assert!(sizes.len() == 2 && sizes.iter().all(|size| *size < 60_000), "{out}");
}

#[test]
fn who_has_read_enough_does_not_end_the_step() {
    let lab = Lab::new(ONE);
    // As Slurm's srun does: the tasks go on, and what they write is dropped.
    let script =
        "srun bash -c 'seq 1000000 && echo wrote all >&2; exit 3' | head -n1; echo rc ${PIPESTATUS[0]}; srun echo next";
    let out = job(&lab, "", script);
    for line in ["1\n", "wrote all\n", "task 0: Exited with exit code 3\n", "rc 3\n", "next\n"] {
        assert!(out.contains(line), "{line} in {out}");
    }
}

#[test]
fn what_is_written_comes_at_once() {
    let lab = Lab::new(ONE);
    // A line; without its end only if it need not be one.
    for (options, begin) in [(&["-u"][..], "printf a"), (&[], "printf 'a\\nb'")] {
        let task = format!("{begin}; until [ -e on ]; do sleep 0.02; done; echo c");
        let mut srun = reading(&lab, &[options, &["bash", "-c", &task]].concat());
        let mut out = srun.stdout.take().unwrap();
        let mut byte = [0];
        out.read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"a");
        lab.file("on", "");
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        let wanted = if options.is_empty() { "\nbc\n" } else { "c\n" };
        assert_eq!((rest.as_str(), srun.wait().unwrap().code()), (wanted, Some(0)));
        fs::remove_file(lab.work().join("on")).unwrap();
    }
}

#[test]
fn ends_of_a_task_s_files_and_of_the_task_are_not_one() {
    let lab = Lab::new(ONE);
    // It closes stdout and goes on.
    let script = "srun -l bash -c 'echo a; exec >&-; sleep 0.2; echo b >&2; exit 3'; echo rc $?";
    let out = job(&lab, "", script);
    for line in ["0: a\n", "0: b\n", "task 0: Exited with exit code 3\n", "rc 3\n"] {
        assert!(out.contains(line), "{line} in {out}");
    }
    // It closes stdin, and what comes is dropped.
    let out = job(&lab, "", "head -c 5000000 /dev/zero | srun bash -c 'exec <&-; sleep 0.2; echo done'; echo rc $?");
    assert_eq!(out, "done\nrc 0\n");
    // It ends, and what it has started keeps stdout open: that is ended too, as the step is over.
    let out = job(&lab, "", "srun bash -c '(trap \"\" HUP; exec sleep 3600) & echo end'; echo rc $?");
    assert_eq!(out, "end\nrc 0\n");
    let out = job(&lab, "", "srun bash -c 'setsid bash -c \"exec -a hidden sleep 3600\" & echo end'; echo rc $?");
    assert_eq!(out, "end\nrc 0\n");
}

#[test]
fn a_thousand_steps_cost_no_memory() {
    let lab = Lab::new(FOUR);
    let count = if cfg!(debug_assertions) { 400 } else { 1000 };
    let script = format!(
        "srun -N2 -n2 bash -c 'echo $PPID > agent.$SLURM_NODEID'
        measure() {{ for i in 0 1; do a=$(cat agent.$i); echo $(grep VmRSS /proc/$a/status | tr -dc 0-9) $(ls /proc/$a/fd | wc -l); done; }}
        steps() {{ for i in $(seq $1); do srun -N2 -n2 true || echo failed; done; }}
        steps 50; measure; steps {count}; sleep 0.1; measure"
    );
    let out = job(&lab, "-N2", &script);
    let figures: Vec<Vec<u64>> =
        out.lines().map(|l| l.split_whitespace().map(|n| n.parse().unwrap()).collect()).collect();
    assert_eq!(figures.len(), 4, "{out}");
    for node in [0, 1] {
        assert!(figures[node + 2][0] < figures[node][0] + 1000, "memory: {out}");
        assert!(figures[node + 2][1] <= figures[node][1], "files: {out}");
    }
}
