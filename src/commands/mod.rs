//! One file per command: parse, ask, print. What a second command needs stands lower down.

mod allocation;
pub mod ask;
mod broadcast;
mod common;
pub mod controller;
pub mod doctor;
mod dump;
pub mod explain;
pub mod install;
mod relay;
pub mod sacct;
pub mod sacctmgr;
pub mod salloc;
pub mod sattach;
pub mod sbatch;
pub mod sbcast;
pub mod scancel;
pub mod scontrol;
pub mod sdiag;
pub mod seff;
pub mod sinfo;
pub mod small;
pub mod squeue;
pub mod srun;
mod ssh_proxy;
pub mod sshare;
pub mod sstat;
pub mod terminal;
pub mod translate;
mod who;

pub(crate) use common::{asked_for, check_cluster, iterate, seconds};

use crate::slurm::options::Command;
use std::ffi::{OsStr, OsString};

const USAGE: &str = "\
Usage: skyslurm COMMAND [ARGUMENTS]

  sbatch, srun, salloc, squeue, scancel, sacct, sinfo, scontrol, sattach, sbcast,
  sstat, sacctmgr, sshare, sprio, sdiag, seff, sreport, strigger, scrontab
                     as the command of that name
  controller start|stop|restart|status
                     the daemon that keeps the jobs
  explain SCRIPT [OPTIONS]
                     what becomes of every option that sbatch would find
  translate SCRIPT [OPTIONS]
                     the SkyPilot task that the job becomes
  doctor             what is configured, and whether the SkyPilot API server can be used
  install [--prefix DIR], uninstall [--prefix DIR]
                     put the commands on the PATH, with their pages; take them away
";

/// Runs the command that `name` is, or that is the first argument; gives its exit code.
pub fn dispatch(name: &OsStr, mut args: Vec<OsString>) -> u8 {
    if let Some(command) = name.to_str().and_then(Command::from_name) {
        return run(command, args);
    }
    if args.is_empty() {
        terminal::eprint(USAGE.trim_end());
        return 1;
    }
    let first = args.remove(0);
    match first.to_str() {
        Some("agent") => crate::agent::main(&args),
        Some("controller") => controller::run(args),
        Some("doctor") => doctor::run(args),
        Some("explain") => explain::run(args),
        Some("install") => install::run(args),
        Some("relay") => relay::run(&args),
        Some("ssh-proxy") => ssh_proxy::run(&args),
        Some("translate") => translate::run(args),
        Some("uninstall") => install::remove(args),
        Some("--version" | "-V") => terminal::print(concat!("skyslurm ", env!("CARGO_PKG_VERSION"), "\n")),
        Some("--help" | "-h" | "help") => terminal::print(USAGE),
        other => match other.and_then(Command::from_name) {
            Some(command) => run(command, args),
            None => {
                terminal::eprint(&format!("skyslurm: unknown command {}", first.to_string_lossy()));
                terminal::eprint(USAGE.trim_end());
                1
            }
        },
    }
}

fn run(command: Command, args: Vec<OsString>) -> u8 {
    match command {
        Command::Salloc => salloc::run(args),
        Command::Sacct => sacct::run(args),
        Command::Sattach => sattach::run(args),
        Command::Sbatch => sbatch::run(args),
        Command::Sbcast => sbcast::run(args),
        Command::Scancel => scancel::run(args),
        Command::Scontrol => scontrol::run(args),
        Command::Sinfo => sinfo::run(args),
        Command::Squeue => squeue::run(args),
        Command::Srun => srun::run(args),
        Command::Sstat => sstat::run(args),
        Command::Sacctmgr => sacctmgr::run(args),
        Command::Sshare => sshare::run(args),
        Command::Sdiag => sdiag::run(args),
        Command::Seff => seff::run(args),
        Command::Sprio | Command::Sreport | Command::Strigger | Command::Scrontab => small::run(command, args),
    }
}
