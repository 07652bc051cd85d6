//! The ssh that keeps a way open: a process that outlives the controller which started it, and is found by its command line.

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::{Pid, setsid},
};
use std::{
    fs::{self, File},
    io,
    os::unix::ffi::OsStrExt,
    path::Path,
    process::Stdio,
    time::Duration,
};
use tokio::process::{Child, Command};

/// So long one may take to end by itself.
const ENDING: Duration = Duration::from_secs(3);

/// What one forwards.
pub struct Forward<'a> {
    /// The configuration. Nobody else's names it, so it marks the process.
    pub config: &'a Path,
    /// The directory the socket is made in.
    pub dir: &'a Path,
    /// The socket's name there: a path may be too long for a socket.
    pub name: &'a str,
    /// The socket on the node.
    pub there: &'a Path,
    /// The host.
    pub host: &'a str,
    /// Where it complains.
    pub log: &'a Path,
}

/// Starts ssh.
///
/// # Errors
/// When there is none.
pub fn start(forward: &Forward) -> io::Result<Child> {
    let there = forward.there.to_str().ok_or(io::ErrorKind::InvalidInput)?;
    let there = there.replace('\\', "\\\\").replace(':', "\\:").replace('%', "%%");
    let log = File::create(forward.log)?;
    let mut command = Command::new("ssh");
    command.arg("-F").arg(forward.config).args(["-N", "-T"]);
    for option in [
        "BatchMode=yes",
        "ConnectTimeout=60",
        "ExitOnForwardFailure=yes",
        "LogLevel=ERROR",
        "StreamLocalBindMask=0177",
        "StreamLocalBindUnlink=yes",
    ] {
        command.args(["-o", option]);
    }
    command.arg("-L").arg(format!("./{}:{there}", forward.name)).arg(forward.host);
    command.current_dir(forward.dir).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    // SAFETY: setsid may be called between fork and exec.
    unsafe { command.pre_exec(|| setsid().map(drop).map_err(io::Error::from)) };
    command.spawn()
}

/// The processes of ssh that were started with `config`, by this controller or a former one.
pub fn find(config: &Path) -> Vec<Pid> {
    let wanted = config.as_os_str().as_bytes();
    let is_ours = |pid: i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = line.split(|b| *b == 0);
        let is_ssh = words.next().is_some_and(|program| program.rsplit(|b| *b == b'/').next() == Some(b"ssh"));
        is_ssh && words.next() == Some(b"-F") && words.next() == Some(wanted)
    };
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| is_ours(*pid)).map(Pid::from_raw).collect()
}

/// Asks them to end.
pub fn dismiss(config: &Path) {
    for pid in find(config) {
        let _ = kill(pid, Signal::SIGTERM);
    }
}

/// Ends them, and waits until they are gone.
pub async fn end(config: &Path) {
    let until = tokio::time::Instant::now() + ENDING;
    loop {
        let left = find(config);
        if left.is_empty() {
            return;
        }
        let signal = if tokio::time::Instant::now() < until { Signal::SIGTERM } else { Signal::SIGKILL };
        for pid in left {
            if let Err(error) = kill(pid, signal)
                && error != Errno::ESRCH
            {
                return tracing::warn!(%pid, %error, "ssh not ended");
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
