//! What a login gives: the environment behind `--export=NONE` and `--get-user-env`.

use crate::{
    host::user::{self, Passwd},
    job::env::Environment,
};
use nix::poll::{PollFd, PollFlags, poll};
use std::{
    io::Read,
    os::{fd::AsFd, unix::process::CommandExt},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// A profile that has not come to its end after this is left out (`GetEnvTimeout` of slurm.conf(5)).
const PATIENCE: Duration = Duration::from_secs(120);

/// Stands before the variables, since profiles print things.
const MARK: &[u8] = b"\0skyslurm-environment\0";

/// The environment of this user's login shell; what is certain of it where the shell does not tell.
pub fn environment() -> Environment {
    let uid = user::uid();
    let user = user::by_uid(uid).unwrap_or_else(|| Passwd {
        name: uid.to_string(),
        uid,
        gid: user::gid(),
        home: "/".into(),
        shell: "/bin/sh".into(),
    });
    let shell = if user.shell.is_empty() { "/bin/sh" } else { &user.shell };
    let mut certain = Environment::default();
    let path = if uid == 0 {
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    } else {
        "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
    };
    let mail = format!("/var/mail/{}", user.name);
    let pairs = [
        ("HOME", &*user.home),
        ("USER", &user.name),
        ("LOGNAME", &user.name),
        ("SHELL", shell),
        ("PATH", path),
        ("MAIL", &mail),
    ];
    for (name, value) in pairs {
        certain.set(name, value);
    }
    let mut told = ask(shell, &user.home, &certain).unwrap_or_default();
    told.retain(|name| !matches!(name, b"_" | b"PWD" | b"OLDPWD"));
    if told.get("SHLVL").is_some() {
        told.set("SHLVL", "1"); // `exec` took one off
    }
    if told.get("PATH").is_some() { told } else { certain }
}

fn ask(shell: &str, home: &str, certain: &Environment) -> Option<Environment> {
    let mut command = Command::new(shell);
    command.arg0(format!("-{}", shell.rsplit('/').next().unwrap_or(shell)));
    command.args(["-c", "printf '\\0skyslurm-environment\\0'; exec env -0"]).env_clear();
    for (name, value) in certain.iter() {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
        command.env(OsStr::from_bytes(name), OsStr::from_bytes(value));
    }
    if std::path::Path::new(home).is_dir() {
        command.current_dir(home);
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let mut out = child.stdout.take()?;
    let (mut text, until) = (Vec::new(), Instant::now() + PATIENCE);
    let mut buffer = [0; 8192];
    let complete = loop {
        let left = until.saturating_duration_since(Instant::now());
        let wait = u16::try_from(left.as_millis()).unwrap_or(u16::MAX);
        match poll(&mut [PollFd::new(out.as_fd(), PollFlags::POLLIN)], wait) {
            Ok(0) if left.is_zero() => break false,
            Ok(0) => continue,
            _ => {}
        }
        match out.read(&mut buffer) {
            Ok(0) => break true,
            Ok(n) => text.extend_from_slice(buffer.get(..n).unwrap_or_default()),
            Err(_) => break false,
        }
    };
    if !complete {
        let _ = child.kill();
    }
    let _ = child.wait();
    let at = text.windows(MARK.len()).position(|w| w == MARK)? + MARK.len();
    text.get(at..).map(Environment::parse).filter(|_| complete)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_login_has_a_path_and_a_home() {
        let environment = super::environment();
        assert!(environment.get("PATH").is_some() && environment.get("HOME").is_some());
    }
}
