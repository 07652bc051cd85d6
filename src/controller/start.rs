//! Starting a controller in the background.

use super::{client::socket_path, daemon};
use crate::host::{directory, ipc};
use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// What the child says on its stdout when it answers.
const READY: &str = "ready\n";

/// Starts a controller for `state` that survives its terminal, and returns when one answers.
///
/// # Errors
/// Why it does not run, in words.
pub fn start(state: &Path) -> Result<(), String> {
    directory::make_private(state).map_err(|e| format!("{}: {e}", state.display()))?;
    let log = state.join("controller.log");
    let log = File::options().create(true).append(true).open(&log).map_err(|e| format!("{}: {e}", log.display()))?;
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let mut command = Command::new(program);
    // It belongs to no job, even if a job's process starts it.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"SLURM")) {
        command.env_remove(name);
    }
    let mut child = command
        .args(["controller", "run"])
        .env("SKYSLURM_STATE_DIR", state)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .current_dir("/")
        .spawn()
        .map_err(|e| e.to_string())?;
    let mut said = String::new();
    if let Some(mut out) = child.stdout.take() {
        let _ = out.read_to_string(&mut said);
    }
    if said == READY {
        return Ok(());
    }
    // Another command may have started one at the same time.
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        if ipc::connect(&socket_path(state)).is_ok() {
            return Ok(());
        }
        if !said.contains("running already") {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(match said.trim() {
        "" => format!("it ended at once; see {}", state.join("controller.log").display()),
        why => why.to_owned(),
    })
}

/// Waits until no controller of `state` is left; `false` if one still runs after `limit`.
pub fn wait_until_gone(state: &Path, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    while daemon::lock(state).is_err() {
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

/// `skyslurm controller run`: the controller itself. Says [`READY`], or why it cannot, on stdout, and closes it.
pub fn run(state: &Path) -> u8 {
    // Away from the terminal that started it; what it makes is its user's alone.
    let _ = nix::unistd::setsid();
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let level = std::env::var("SKYSLURM_LOG").ok().and_then(|l| l.parse().ok()).unwrap_or(tracing::Level::INFO);
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(false).init();
    let close = |text: &str| {
        let mut out = std::io::stdout();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        if let Ok(null) = File::options().write(true).open("/dev/null") {
            let _ = nix::unistd::dup2_stdout(null);
        }
    };
    match daemon::run(state, &directory::config_file(), || close(READY)) {
        Ok(()) => 0,
        Err(error) => {
            tracing::error!(%error, "controller does not run");
            close(&format!("{error}\n"));
            1
        }
    }
}
