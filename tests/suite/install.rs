//! `skyslurm install` as a user runs it, and the drop-in names of a checkout.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_skyslurm");
const COMMANDS: [&str; 11] =
    ["sattach", "sstat", "sbcast", "sbatch", "srun", "salloc", "squeue", "scancel", "sacct", "sinfo", "scontrol"];

/// Runs `program` with a home directory of its own.
fn run(program: &Path, home: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(args).env_clear().env("HOME", home).env("PATH", home.join("prefix/bin"));
    command.output().unwrap()
}

#[test]
fn installed_commands_run_and_go_again() {
    let home = tempfile::tempdir().unwrap();
    let prefix = home.path().join("prefix");
    let at = ["--prefix", prefix.to_str().unwrap()];
    let done = run(Path::new(PROGRAM), home.path(), &["install", at[0], at[1]]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(!String::from_utf8_lossy(&done.stdout).contains("not on the PATH"));
    for name in COMMANDS {
        let version = run(&prefix.join("bin").join(name), home.path(), &["--version"]);
        let said = String::from_utf8_lossy(&version.stdout).into_owned();
        assert!(said.starts_with("slurm 24.11."), "{name}: {said}");
    }
    let gone = run(&prefix.join("bin/skyslurm"), home.path(), &["uninstall", at[0], at[1]]);
    assert_eq!(gone.status.code(), Some(0), "{}", String::from_utf8_lossy(&gone.stderr));
    assert_eq!(fs::read_dir(&prefix).unwrap().count(), 0);
    let again = run(Path::new(PROGRAM), home.path(), &["uninstall", at[0], at[1]]);
    assert_eq!(again.status.code(), Some(1));
}

#[test]
fn a_checkout_has_the_drop_in_names() {
    let shims = Path::new(env!("CARGO_MANIFEST_DIR")).join("shims");
    for name in COMMANDS {
        assert_eq!(fs::read_link(shims.join(name)).unwrap(), Path::new("skyslurm"), "{name}");
    }
}
