//! Signals that come to an agent; among them, that a child has ended.

use super::Agent;
use crate::{
    job::{ExitStatus, Usage},
    slurm::state::JobState,
};
use nix::{
    libc,
    sys::{
        signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction},
        signalfd::{SfdFlags, SignalFd},
    },
};
use std::io;

impl Agent {
    pub(super) fn on_signals(&mut self) {
        while let Ok(Some(info)) = self.signals.read_signal() {
            if info.ssi_signo == libc::SIGCHLD as u32 {
                self.reap();
            } else if self.index > 0 && self.elsewhere.is_some() {
                // SkyPilot ends the job on all its nodes: the first one's agent will say when it is over.
                self.signal_parts(libc::SIGTERM);
                self.limits.kill_after(self.launch.kill_wait);
            } else if self.index > 0 {
                self.closing = true;
            } else {
                // The machine is going down, or somebody ends the agent by hand: as if the node had failed.
                self.terminate(None, JobState::NodeFail);
            }
        }
    }

    fn reap(&mut self) {
        loop {
            let (mut status, mut usage) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
            // SAFETY: both point to memory of the right type; a rusage of zeros is a valid one.
            let (pid, usage) = unsafe {
                let pid = libc::wait4(-1, &mut status, libc::WNOHANG, usage.as_mut_ptr());
                (pid, usage.assume_init())
            };
            if pid <= 0 {
                self.has_children = pid == 0;
                break;
            }
            let exit = ExitStatus((status & 0xff7f).unsigned_abs());
            let usage = measure(&usage);
            if self.script.as_ref().is_some_and(|s| s.pid == pid) {
                self.script_ended(exit, usage);
            } else {
                self.task_ended(pid, exit, usage);
            }
        }
        self.report_exits();
    }
}

/// Blocks all signals, so that a child finds each at its default once they are let through, and takes those that
/// are the agent's business from a descriptor.
pub(in crate::agent) fn take_signals() -> io::Result<SignalFd> {
    SigSet::all().thread_set_mask()?;
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    for signal in Signal::iterator().filter(|s| !matches!(s, Signal::SIGKILL | Signal::SIGSTOP)) {
        // SAFETY: the default action runs no code of ours.
        unsafe { sigaction(signal, &default)? };
    }
    // The real-time ones, and the two that the C library keeps to itself.
    let default = [0u64; 4];
    for signal in 32..=64 {
        // SAFETY: the kernel's sigaction is four words; zeros are the default action.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), 0usize, 8usize) };
    }
    let mut mine = SigSet::empty();
    for signal in [Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        mine.add(signal);
    }
    Ok(SignalFd::with_flags(&mine, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?)
}

fn measure(usage: &libc::rusage) -> Usage {
    let us = |t: libc::timeval| u64::try_from(t.tv_sec * 1_000_000 + t.tv_usec).unwrap_or(0);
    Usage {
        user_us: us(usage.ru_utime),
        system_us: us(usage.ru_stime),
        max_rss_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0),
    }
}
