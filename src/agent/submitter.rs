//! What sbatch, salloc and srun say of who called them, and from where.

use crate::{
    agent::spawn::LIMITS,
    host::{hardware, user},
    job::{Limit, Submitter, User},
};
use nix::sys::{
    resource::getrlimit,
    stat::{Mode, umask},
};
use std::{
    env,
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
};

/// The caller of this command.
pub fn submitter(args: &[OsString]) -> Submitter {
    let (uid, gid) = (user::uid(), user::gid());
    let mask = umask(Mode::empty());
    umask(mask);
    Submitter {
        user: User {
            uid,
            gid,
            name: user::name_of(uid),
            group: user::group_name(gid).unwrap_or_else(|| gid.to_string()),
        },
        directory: directory(),
        host: hardware::host_name(),
        umask: mask.bits(),
        rlimits: limits(),
        command_line: args.iter().map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" "),
        now: crate::host::clock::local(),
    }
}

/// The caller's soft resource limits.
pub fn limits() -> Vec<(Limit, u64)> {
    let limit = |(limit, resource)| getrlimit(resource).ok().map(|(soft, _)| (limit, soft));
    LIMITS.into_iter().filter_map(limit).collect()
}

/// The working directory as the shell calls it (`PWD`), if that is the one; a link in it is kept so.
fn directory() -> String {
    let real = env::current_dir().unwrap_or_else(|_| "/tmp".into());
    let same = |pwd: &OsString| {
        use std::os::unix::fs::MetadataExt;
        let id = |path: &OsStr| std::fs::metadata(path).ok().map(|m| (m.dev(), m.ino()));
        pwd.as_bytes().starts_with(b"/") && id(pwd).is_some() && id(pwd) == id(real.as_os_str())
    };
    let shown = env::var_os("PWD").filter(same).unwrap_or_else(|| real.clone().into_os_string());
    shown.to_string_lossy().into_owned()
}

/// This process's environment: `NAME=value`, each ended by NUL.
pub fn environment() -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in env::vars_os() {
        block.extend(name.into_vec());
        block.push(b'=');
        block.extend(value.into_vec());
        block.push(0);
    }
    block
}
