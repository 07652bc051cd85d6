//! Programs that speak Slurm, as they come from PyPI: they run before this one and must not notice.
//!
//! `SKYSLURM_CONSUMERS` names a Python environment that has them (`consumers/requirements.txt`); `.ci/run` makes one.

use crate::harness::{Lab, skip};
use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

/// Four nodes; the account that programs guess from the last job.
const CONFIG: &str = r#"
[[node]]
name = "node[1-4]"
cpus = 4
memory = "16G"

[[partition]]
name = "main"
nodes = "node[1-4]"

[controller]
cluster_name = "lab"
account = "research"
kill_wait = 1
default_memory_per_cpu = "100M"
# What a Python takes is not what these tests are about.
enforce_memory = false
"#;

/// The environment's programs, if it is there.
fn programs() -> Option<PathBuf> {
    match std::env::var_os("SKYSLURM_CONSUMERS") {
        Some(venv) => Some(Path::new(&venv).canonicalize().unwrap().join("bin")),
        None => {
            skip(
                "SKYSLURM_CONSUMERS names no Python environment with submitit, dask-jobqueue, snakemake, parsl and torchx",
            );
            None
        }
    }
}

/// Runs one of the environment's programs with a file in the work directory; what it printed on stdout.
fn said(programs: &Path, file: &str, content: &str, line: &str) -> String {
    let mut lab = Lab::new(CONFIG);
    // They ask every few seconds, and a busy machine takes its time to load Python.
    lab.set_patience(Duration::from_secs(400));
    lab.file(file, content);
    let (out, err) = (lab.work().join("out"), lab.work().join("err"));
    let path = format!("{}:{}:/usr/local/bin:/usr/bin:/bin", lab.bin().display(), programs.display());
    let mut command = lab.command("bash");
    command.args(["-c", &format!("exec {line}")]).env("PATH", path);
    let mut child = command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap()).spawn().unwrap();
    let mut status = None;
    lab.until_true(&format!("the end of {line}"), || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    assert!(status.is_some_and(|s| s.success()), "{status:?}\n{}\n{}", lab.read("out"), lab.read("err"));
    let text = lab.read("out");
    // What it left is cancelled; workers take their time to end.
    lab.sh("scancel -u $USER").ok();
    lab.until("squeue -h", "");
    text
}

#[test]
fn torchx_runs_as_it_is() {
    let Some(programs) = programs() else { return };
    let out = said(&programs, "x.py", include_str!("consumers/uses_torchx.py"), "python x.py");
    assert_eq!(out, "state: SUCCEEDED\nsaid: ['one of 2', 'one of 2']\nruns: RUNNING\n");
}

#[test]
fn submitit_runs_as_it_is() {
    let Some(programs) = programs() else { return };
    let out = said(&programs, "x.py", include_str!("consumers/uses_submitit.py"), "python x.py");
    let expected = "\
one: 12
array: [11, 22, 33]
failed: True
cancelled: True
interrupted: resumed 1
tasks: [(0, 4, 0, 2), (1, 4, 0, 2), (2, 4, 1, 2), (3, 4, 1, 2)]
";
    assert_eq!(out, expected);
}

#[test]
fn dask_jobqueue_runs_as_it_is() {
    let Some(programs) = programs() else { return };
    let out = said(&programs, "x.py", include_str!("consumers/uses_dask.py"), "python x.py");
    assert_eq!(out, "sum: 285\n");
}

#[test]
fn parsl_runs_as_it_is() {
    let Some(programs) = programs() else { return };
    let out = said(&programs, "x.py", include_str!("consumers/uses_parsl.py"), "python x.py");
    assert_eq!(out, "squares: [0, 1, 4, 9]\n");
}

#[test]
fn snakemake_runs_as_it_is() {
    let Some(programs) = programs() else { return };
    let line = "bash -c 'snakemake --executor slurm -j 3 --default-resources slurm_account=research slurm_partition=main \
                --latency-wait 60 --slurm-init-seconds-before-status-checks 1 1>&2 && cat sum.txt'";
    let out = said(&programs, "Snakefile", include_str!("consumers/Snakefile"), line);
    assert_eq!(out, "0\n1\n2\n");
}
