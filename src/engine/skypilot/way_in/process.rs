//! What keeps a way open: ssh, or `skyslurm relay`. A process that outlives the controller which started it, and is found by its
//! command line.

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

/// ssh's configuration, in a directory of the way's own. Nobody else's names it, so it marks the process.
pub const CONFIG: &str = "config";

/// The relay's plan there, which marks it likewise.
pub const RELAY: &str = "relay";

/// So long one may take to end by itself.
const ENDING: Duration = Duration::from_secs(3);

/// What one forwards.
pub struct Forward<'a> {
    /// The configuration: [`CONFIG`].
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
    let mut command = Command::new("ssh");
    command.arg("-F").arg(forward.config).args(forwards(forward.name, &there, forward.host));
    detached(command.current_dir(forward.dir), forward.log)
}

/// What ssh is told behind its configuration, to forward the socket `here` in its directory to `there`, as `-L` has it.
pub fn forwards(here: &str, there: &str, host: &str) -> Vec<String> {
    let options = [
        "BatchMode=yes",
        "ConnectTimeout=60",
        "ExitOnForwardFailure=yes",
        "LogLevel=ERROR",
        "StreamLocalBindMask=0177",
        "StreamLocalBindUnlink=yes",
    ];
    let options = options.into_iter().flat_map(|option| ["-o", option]);
    let words = ["-N", "-T"].into_iter().chain(options).map(str::to_owned);
    words.chain(["-L".to_owned(), format!("./{here}:{there}"), host.to_owned()]).collect()
}

/// Starts our own program as the relay whose plan is in the file `plan`.
///
/// # Errors
/// What of it cannot be had.
pub fn relay(plan: &Path, log: &Path) -> io::Result<Child> {
    let mut command = Command::new("/proc/self/exe");
    detached(command.arg0("skyslurm").arg("relay").arg(plan), log)
}

/// Starts a command so that it outlives us.
fn detached(command: &mut Command, log: &Path) -> io::Result<Child> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log)?);
    // SAFETY: setsid may be called between fork and exec.
    unsafe { command.pre_exec(|| setsid().map(drop).map_err(io::Error::from)) };
    command.spawn()
}

/// The processes that were started for the way whose files are in `dir`, by this controller or a former one.
pub fn find(dir: &Path) -> Vec<Pid> {
    let (ssh, relay) = (dir.join(CONFIG), dir.join(RELAY));
    let is_ours = |pid: i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = line.split(|b| *b == 0);
        let program = words.next().and_then(|program| program.rsplit(|b| *b == b'/').next());
        match (program, words.next(), words.next()) {
            (Some(b"ssh"), Some(b"-F"), Some(file)) => file == ssh.as_os_str().as_bytes(),
            (_, Some(b"relay"), Some(file)) => file == relay.as_os_str().as_bytes(),
            _ => false,
        }
    };
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| is_ours(*pid)).map(Pid::from_raw).collect()
}

/// Asks them to end.
pub fn dismiss(dir: &Path) {
    for pid in find(dir) {
        let _ = kill(pid, Signal::SIGTERM);
    }
}

/// Ends them, and waits until they are gone.
pub async fn end(dir: &Path) {
    let until = tokio::time::Instant::now() + ENDING;
    loop {
        let left = find(dir);
        if left.is_empty() {
            return;
        }
        let signal = if tokio::time::Instant::now() < until { Signal::SIGTERM } else { Signal::SIGKILL };
        for pid in left {
            if let Err(error) = kill(pid, signal)
                && error != Errno::ESRCH
            {
                return tracing::warn!(%pid, %error, "not ended");
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
