//! What commands print, and how they end.

use crate::slurm::options::Refusal;
use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};
use std::io::{self, BufWriter, Write};

/// Writes `text` to stdout at once. A closed pipe is no error, and the end: the reader had enough.
pub fn print(text: &str) -> u8 {
    print_bytes(text.as_bytes())
}

/// The same for bytes.
pub fn print_bytes(bytes: &[u8]) -> u8 {
    let mut out = io::stdout().lock();
    ended(out.write_all(bytes).and_then(|()| out.flush()))
}

fn ended(written: io::Result<()>) -> u8 {
    match written {
        // Nobody reads on: the command has nothing left to do, `--iterate` or not.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            eprint(&format!("error: write error: {error}"));
            1
        }
        Ok(()) => 0,
    }
}

/// Writes what `write` writes to stdout as it comes, for what may be too long to be kept. A closed pipe is the end, too.
pub fn stream(write: impl FnOnce(&mut BufWriter<io::StdoutLock<'static>>) -> io::Result<()>) -> u8 {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    ended(write(&mut out).and_then(|()| out.flush()))
}

/// Writes one line to stderr, in one piece: others may write there, too. That it cannot be written is nobody's to hear.
pub fn eprint(line: &str) {
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// Blocks signals and gives a descriptor on which they are read instead.
///
/// # Errors
/// Those of signalfd(2).
pub fn take_signals(wanted: &[Signal]) -> nix::Result<SignalFd> {
    let wanted: SigSet = wanted.iter().copied().collect();
    wanted.thread_block()?;
    SignalFd::with_flags(&wanted, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

/// Lets the command hear the answer to an order that ends its own job, and say it. The job's processes are told to end
/// before a real Slurm's would be, this command among them; what runs it (submitit's `scontrol requeue`) looks at its
/// exit code. SIGKILL comes for those that stay. To be called when connected: a controller that is started for the
/// command must not inherit this.
pub fn outlive_the_order() {
    if std::env::var_os("SLURM_JOB_ID").is_some() {
        let end: SigSet = [Signal::SIGTERM, Signal::SIGCONT].into_iter().collect();
        // Where signals cannot be held back all is as it would have been.
        let _ = end.thread_block();
    }
}

/// Prints a refusal and gives its exit code.
pub fn refuse(refusal: &Refusal) -> u8 {
    for line in &refusal.lines {
        eprint(line);
    }
    refusal.exit
}
