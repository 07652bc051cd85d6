//! Starting a process: what a job's process finds when it begins.
//!
//! The child shares the agent's memory until it executes its program (as posix_spawn(3) does it), so that starting
//! one costs the same however large the agent is. Umask and directory are the agent's at that moment.

use super::step::error_text;
use crate::job::{Limit, env::Environment};
use nix::{
    errno::Errno,
    libc,
    sched::CloneFlags,
    sys::{
        resource::{self, Resource},
        signal::SigSet,
        wait::{WaitPidFlag, waitpid},
    },
    unistd::Pid,
};
use std::{
    ffi::{CStr, CString},
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
    sync::atomic::{AtomicI32, Ordering},
};

/// The variable whose value becomes the process's own id, unless it has one already.
const OWN_PID: &[u8] = b"SLURM_TASK_PID";

/// A program to start.
pub(super) struct Program<'a> {
    /// Its file.
    pub file: &'a CStr,
    /// Its arguments, its name first.
    pub arguments: &'a [CString],
    /// Its environment.
    pub environment: &'a Environment,
    /// stdin, stdout and stderr.
    pub stdio: [BorrowedFd<'a>; 3],
    /// Soft resource limits.
    pub limits: &'a [(Resource, u64)],
    /// Whether stdin is a terminal that is to control its session.
    pub terminal: bool,
    /// One more descriptor that stays open, with the number it has.
    pub kept: Option<BorrowedFd<'a>>,
}

/// Starts `program` in a session of its own, with no signal blocked or ignored.
///
/// # Errors
/// What execve(2) or clone(2) said; nothing is left of the child then.
pub(super) fn spawn(program: &Program) -> Result<Pid, Errno> {
    let mut entries: Vec<CString> = Vec::with_capacity(program.environment.entries().len());
    let mut own_pid = ptr::null_mut();
    let mut pid_entry = [0u8; 32];
    for entry in program.environment.entries() {
        if entry.strip_prefix(OWN_PID).is_some_and(|rest| rest == b"=0") {
            pid_entry[..OWN_PID.len()].copy_from_slice(OWN_PID);
            pid_entry[OWN_PID.len()] = b'=';
            own_pid = pid_entry.as_mut_ptr();
        } else if let Ok(entry) = CString::new(entry.as_slice()) {
            entries.push(entry);
        }
    }
    let mut envp: Vec<*const libc::c_char> = entries.iter().map(|e| e.as_ptr()).collect();
    if !own_pid.is_null() {
        envp.push(own_pid.cast_const().cast());
    }
    envp.push(ptr::null());
    let mut argv: Vec<*const libc::c_char> = program.arguments.iter().map(|a| a.as_ptr()).collect();
    argv.push(ptr::null());
    let stdio = program.stdio.map(|fd| fd.as_raw_fd());
    let kept = program.kept.map(|fd| fd.as_raw_fd());
    let failed = AtomicI32::new(0);

    let child = || -> isize {
        // Only system calls from here on: the memory is the agent's.
        let pid = nix::unistd::getpid().as_raw();
        if !own_pid.is_null() {
            // SAFETY: the buffer is this call's own, and the parent stands still until execve.
            let digits = unsafe { std::slice::from_raw_parts_mut(own_pid, 32) };
            write_number(digits.get_mut(OWN_PID.len() + 1..).unwrap_or_default(), pid);
        }
        let _ = nix::unistd::setsid();
        for (target, fd) in (0..).zip(stdio) {
            // SAFETY: dup2 on numbers of open files of this process.
            unsafe { libc::dup2(fd, target) };
        }
        if let Some(fd) = kept {
            // SAFETY: clears close-on-exec of an open file of this process, whose table of files is its own.
            unsafe { libc::fcntl(fd, libc::F_SETFD, 0) };
        }
        if program.terminal {
            // SAFETY: an ioctl on the terminal that was just made stdin.
            unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) };
        }
        for (limit, value) in program.limits {
            if let Ok((_, hard)) = resource::getrlimit(*limit) {
                let _ = resource::setrlimit(*limit, (*value).min(hard), hard);
            }
        }
        let _ = SigSet::empty().thread_set_mask();
        // SAFETY: both lists end in a null pointer and outlive the call.
        unsafe { libc::execve(program.file.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
        failed.store(Errno::last_raw(), Ordering::Relaxed);
        // SAFETY: ends the child without running anything of the agent's.
        unsafe { libc::_exit(127) }
    };
    let mut stack = [0u8; 32 * 1024];
    let flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
    // SAFETY: CLONE_VFORK keeps this thread, and with it the stack and all that is borrowed, until the child has
    // executed its program or ended.
    let pid = unsafe { nix::sched::clone(Box::new(child), &mut stack, flags, Some(libc::SIGCHLD))? };
    match failed.load(Ordering::Relaxed) {
        0 => Ok(pid),
        errno => {
            let _ = waitpid(pid, Some(WaitPidFlag::empty()));
            Err(Errno::from_raw(errno))
        }
    }
}

fn write_number(to: &mut [u8], number: i32) {
    let mut digits = [0u8; 10];
    let mut rest = number.unsigned_abs();
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 || at == 0 {
            break;
        }
    }
    for (to, digit) in to.iter_mut().zip(&digits[at..]) {
        *to = *digit;
    }
}

/// What the limits of a request are to this system.
pub const LIMITS: [(Limit, Resource); 10] = [
    (Limit::As, Resource::RLIMIT_AS),
    (Limit::Core, Resource::RLIMIT_CORE),
    (Limit::Cpu, Resource::RLIMIT_CPU),
    (Limit::Data, Resource::RLIMIT_DATA),
    (Limit::Fsize, Resource::RLIMIT_FSIZE),
    (Limit::Memlock, Resource::RLIMIT_MEMLOCK),
    (Limit::Nofile, Resource::RLIMIT_NOFILE),
    (Limit::Nproc, Resource::RLIMIT_NPROC),
    (Limit::Rss, Resource::RLIMIT_RSS),
    (Limit::Stack, Resource::RLIMIT_STACK),
];

/// The same of a request's values.
pub(super) fn limits(wanted: &[(Limit, u64)]) -> Vec<(Resource, u64)> {
    let resource = |limit: &Limit| LIMITS.iter().find(|(l, _)| l == limit).map(|(_, resource)| *resource);
    wanted.iter().filter_map(|(limit, value)| Some((resource(limit)?, *value))).collect()
}

/// Why `file` could not be executed, in slurmstepd's words: `execve(): ...`.
pub(super) fn execve_message(file: &str, errno: Errno) -> String {
    let what = match errno {
        Errno::ENOENT => interpreter(file).map(|i| format!("bad interpreter({i})")),
        _ => None,
    };
    format!("execve(): {}: {}", what.unwrap_or_else(|| file.to_owned()), error_text(&errno.into()))
}

/// The interpreter that the first line of an existing script names.
fn interpreter(file: &str) -> Option<String> {
    use std::io::Read;
    let mut head = Vec::new();
    std::fs::File::open(file).ok()?.take(256).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    line.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_without_a_heap() {
        let shown = |n| {
            let mut to = [0u8; 17];
            write_number(&mut to, n);
            String::from_utf8(to.iter().copied().take_while(|b| *b != 0).collect()).unwrap()
        };
        assert_eq!((shown(0), shown(7), shown(4_194_304)), ("0".into(), "7".into(), "4194304".into()));
    }

    #[test]
    fn a_missing_program_is_an_error_and_leaves_no_child() {
        use std::os::fd::AsFd;
        let null = std::fs::File::open("/dev/null").unwrap();
        let file = c"/nonexistent/program";
        let program = Program {
            file,
            arguments: &[file.to_owned()],
            environment: &Environment::parse(b"SLURM_TASK_PID=0\0A=1\0"),
            stdio: [null.as_fd(); 3],
            limits: &[],
            terminal: false,
            kept: None,
        };
        assert_eq!(spawn(&program), Err(Errno::ENOENT));
    }

    #[test]
    fn messages_are_slurmstepds() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("s");
        std::fs::write(&script, "#!/no/such/interp -x\n").unwrap();
        let message = execve_message(&script.to_string_lossy(), Errno::ENOENT);
        assert_eq!(message, "execve(): bad interpreter(/no/such/interp): No such file or directory");
        let message = execve_message("nosuchcommand", Errno::ENOENT);
        assert_eq!(message, "execve(): nosuchcommand: No such file or directory");
        assert_eq!(execve_message("/tmp", Errno::EACCES), "execve(): /tmp: Permission denied");
    }
}
