//! A virtual node: its own host name, and names that resolve, where the kernel lets us.

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, setns, unshare},
    sys::wait::{WaitStatus, waitpid},
    unistd::{ForkResult, fork, getegid, geteuid, sethostname},
};
use std::{fs, path::Path};

/// Gives this process, and all it starts, the host name `name` and the host table `etc_hosts`.
///
/// Whether it worked is for `hostname` to tell: a job runs as well without. `first` finds the process of the job's first
/// node, once that has entered: where it takes a user namespace, all nodes of a job are in the same one. Processes in
/// two may not share memory, which MPI libraries do that take what is one machine for one.
pub(super) fn enter(name: &str, etc_hosts: Option<&Path>, first: impl FnOnce() -> Option<i32>) {
    let mut wanted = CloneFlags::CLONE_NEWUTS;
    if etc_hosts.is_some() {
        wanted |= CloneFlags::CLONE_NEWNS;
    }
    let entered = unshare(wanted).is_ok()
        || (first().is_some_and(joined) && unshare(wanted).is_ok())
        || (tried(wanted) && as_myself(wanted));
    if !entered {
        return;
    }
    let _ = sethostname(name);
    if let Some(table) = etc_hosts {
        // What is mounted here must not be seen outside; what is mounted there should be seen here.
        let none = None::<&str>;
        let private = MsFlags::MS_SLAVE | MsFlags::MS_REC;
        if mount(none, "/", none, private, none).is_ok() {
            let _ = mount(Some(table), "/etc/hosts", none, MsFlags::MS_BIND, none);
        }
    }
}

/// Whether [`as_myself`] would work: some systems let a namespace be made in which then nothing may be done, and
/// there is no way back out of one.
fn tried(wanted: CloneFlags) -> bool {
    // SAFETY: the agent has one thread, and the child ends without going back into the agent's code.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => {
            let worked = as_myself(wanted) && sethostname("trial").is_ok();
            // SAFETY: ends the child at once.
            unsafe { nix::libc::_exit(i32::from(!worked)) }
        }
        Ok(ForkResult::Parent { child }) => {
            matches!(waitpid(child, None), Ok(WaitStatus::Exited(_, 0)))
        }
        Err(_) => false,
    }
}

/// Enters the user namespace of a process, if it is another one.
fn joined(pid: i32) -> bool {
    let theirs = fs::File::open(format!("/proc/{pid}/ns/user"));
    theirs.is_ok_and(|namespace| setns(namespace, CloneFlags::CLONE_NEWUSER).is_ok())
}

/// Enters a user namespace in which everyone is who they are, and with it the others.
fn as_myself(wanted: CloneFlags) -> bool {
    let (uid, gid) = (geteuid(), getegid());
    unshare(wanted | CloneFlags::CLONE_NEWUSER).is_ok()
        && fs::write("/proc/self/uid_map", format!("{uid} {uid} 1")).is_ok()
        && fs::write("/proc/self/setgroups", "deny").is_ok()
        && fs::write("/proc/self/gid_map", format!("{gid} {gid} 1")).is_ok()
}
