//! `skyslurm controller start|stop|restart|status|backup`.

use super::terminal;
use crate::{
    controller::{
        api::{Call, Reply},
        backup::back_up,
        client::Client,
        start,
    },
    host::{directory, ipc},
};
use std::{ffi::OsString, path::Path, time::Duration};

const USAGE: &str = "Usage: skyslurm controller start|stop|restart|status|backup FILE\n";

/// Runs `skyslurm controller`.
pub fn run(args: Vec<OsString>) -> u8 {
    let state = directory::state();
    match args.first().and_then(|a| a.to_str()) {
        Some("start") => begin(&state),
        Some("stop") => end(&state),
        Some("restart") => match end(&state) {
            0 => begin(&state),
            code => code,
        },
        Some("status") => status(&state),
        Some("backup") => backup(&state, args.get(1)),
        // What `start` calls; in the foreground for those who want to watch it.
        Some("run") => start::run(&state),
        Some("--help" | "-h") => terminal::print(USAGE),
        _ => {
            terminal::eprint(USAGE.trim_end());
            1
        }
    }
}

/// Copies jobs and accounting into a file, whether or not a controller runs.
fn backup(state: &Path, to: Option<&OsString>) -> u8 {
    let Some(to) = to.map(Path::new) else {
        terminal::eprint(USAGE.trim_end());
        return 1;
    };
    match back_up(state, to) {
        Ok(()) => 0,
        Err(error) => {
            terminal::eprint(&format!("skyslurm: error: {error}"));
            1
        }
    }
}

fn begin(state: &Path) -> u8 {
    if Client::running(state).is_some() {
        return terminal::print("The controller is running already.\n");
    }
    match start::start(state) {
        Ok(()) => status(state),
        Err(why) => {
            terminal::eprint(&format!("skyslurm: error: the controller could not be started: {why}"));
            1
        }
    }
}

fn end(state: &Path) -> u8 {
    let Some(mut client) = Client::running(state) else {
        return terminal::print("No controller is running.\n");
    };
    // One of another version does not understand; its process is told as any other is.
    if client.ask(&Call::Stop).is_err()
        && let Ok(pid) = ipc::peer_pid(&client)
    {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
    }
    if start::wait_until_gone(state, Duration::from_secs(30)) {
        return terminal::print("The controller has ended; running jobs go on.\n");
    }
    terminal::eprint("skyslurm: error: the controller does not end");
    1
}

fn status(state: &Path) -> u8 {
    let Some(mut client) = Client::running(state) else {
        terminal::print(&format!("state directory: {}\nNo controller is running.\n", state.display()));
        return 1;
    };
    match client.ask(&Call::Status) {
        Ok(Reply::Status(s)) => terminal::print(&format!(
            "pid: {}\nversion: {}\nstate directory: {}\njobs pending: {}\njobs running: {}\nlast job id: {}\n",
            s.pid,
            s.version,
            state.display(),
            s.pending,
            s.running,
            s.last_job_id
        )),
        Ok(_) => 1,
        Err(error) => {
            terminal::eprint(&format!("skyslurm: error: {error}"));
            1
        }
    }
}
