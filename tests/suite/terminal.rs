//! Sessions at a terminal: `srun --pty`, and salloc with its shell.

use crate::harness::{FOUR, LIMIT, Lab, ONE, skip};
use nix::{
    libc,
    poll::{PollFd, PollFlags, poll},
    pty::{Winsize, openpty},
};
use std::{
    fs::{self, File},
    io::{Read, Write},
    os::{
        fd::{AsFd, AsRawFd},
        unix::process::CommandExt,
    },
    process::Child,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

pub const CTRL_C: &str = "\x03";
pub const CTRL_D: &str = "\x04";
pub const CTRL_Z: &str = "\x1a";

/// A terminal with a shell at it (`here> `), as a user has it, and what has been shown.
pub struct Terminal {
    master: File,
    shown: Arc<Mutex<Vec<u8>>>,
    /// So much of it was looked at.
    seen: usize,
    shell: Child,
    /// The user has left.
    left: Arc<AtomicBool>,
}

impl Terminal {
    pub fn open(lab: &Lab) -> Self {
        let pair = openpty(&size(24, 80), None).unwrap();
        let slave = File::from(pair.slave);
        // Of the shell that salloc starts.
        fs::write(lab.home().join(".bashrc"), "PS1='in> '\nbind 'set enable-bracketed-paste off'\n").unwrap();
        lab.file("over.rc", "PS1='over> '\n");
        let mut command = lab.command("bash");
        command.args(["--norc", "--noprofile", "--noediting", "-i"]).env("PS1", "here> ").env("SHELL", "/bin/bash");
        command.env("HISTFILE", "/dev/null");
        command.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave);
        // SAFETY: two system calls between fork and exec.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                match libc::ioctl(0, libc::TIOCSCTTY, 0) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        let master = File::from(pair.master);
        nix::fcntl::fcntl(&master, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC)).unwrap();
        let shell = command.spawn().unwrap();
        drop(command);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, to) = (master.try_clone().unwrap(), shown.clone());
        let left = Arc::new(AtomicBool::new(false));
        let has_left = left.clone();
        // It is open as long as anybody has it: who waits for more must not keep it.
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while !has_left.load(Ordering::Relaxed) {
                let more = poll(&mut [PollFd::new(reader.as_fd(), PollFlags::POLLIN)], 20_u16).is_ok_and(|n| n > 0);
                match more.then(|| reader.read(&mut bytes)) {
                    None => {}
                    Some(Ok(n @ 1..)) => to.lock().unwrap().extend_from_slice(&bytes[..n]),
                    Some(_) => return,
                }
            }
        });
        let mut terminal = Self { master, shown, seen: 0, shell, left };
        terminal.until("here> ");
        terminal
    }

    /// Keys.
    pub fn keys(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// A line, and what is shown up to this text, which the line itself must not have in it.
    #[track_caller]
    pub fn line(&mut self, line: &str, until: &str) -> String {
        self.keys(&format!("{line}\n"));
        self.until(until)
    }

    /// Waits until this is shown, after what was waited for last; gives what was shown up to its end.
    #[track_caller]
    pub fn until(&mut self, text: &str) -> String {
        let begun = Instant::now();
        loop {
            let shown = self.shown.lock().unwrap();
            let rest = &shown[self.seen..];
            if let Some(at) = rest.windows(text.len()).position(|w| w == text.as_bytes()) {
                let found = String::from_utf8_lossy(&rest[..at + text.len()]).into_owned();
                drop(shown);
                self.seen += at + text.len();
                return found;
            }
            if begun.elapsed() > LIMIT / 3 {
                let (before, rest) = shown.split_at(self.seen);
                let text_of = |bytes| String::from_utf8_lossy(bytes).into_owned();
                let said = format!("{text:?} is not shown after\n{}\nbut\n{:?}", text_of(before), text_of(rest));
                drop(shown);
                panic!("{said}");
            }
            drop(shown);
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn resize(&self, rows: u16, columns: u16) {
        let size = size(rows, columns);
        // SAFETY: TIOCSWINSZ reads one winsize. The kernel tells whoever is in front.
        assert_eq!(unsafe { libc::ioctl(self.master.as_raw_fd(), libc::TIOCSWINSZ, &size) }, 0);
    }

    /// Notes the terminal's settings; what they have to be like at [`Self::is_as_before`].
    pub fn note_settings(&mut self) {
        self.line("stty -a > settings", "here> ");
    }

    #[track_caller]
    pub fn is_as_before(&mut self) {
        let shown = self.line("stty -a | diff settings - && echo same as $((40 + 2))", "here> ");
        assert!(shown.contains("same as 42"), "{shown}");
    }

    /// Leaves the shell.
    #[track_caller]
    pub fn close(mut self) {
        self.keys("exit\n");
        let begun = Instant::now();
        while self.shell.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < LIMIT / 3, "the shell does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
        self.left.store(true, Ordering::Relaxed);
    }
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

/// A shell over there.
const REMOTE: &str = "bash --rcfile over.rc --noediting -i";

/// What one does at a shell over there, that `command` starts.
fn session(terminal: &mut Terminal, command: &str) {
    terminal.note_settings();
    terminal.line(&format!("{command} {REMOTE}"), "\nover> ");
    let shown = terminal.line("echo on $SLURMD_NODENAME; tty", "over> ");
    assert!(shown.contains("on solo\r\n/dev/pts/"), "{shown}");
    let shown = terminal.line("stty size", "over> ");
    assert!(shown.contains("24 80\r\n"), "{shown}");
    terminal
        .line("bash -c 'trap \"stty size; exit\" WINCH; echo up $((1 + 1)); while :; do sleep 0.02; done'", "up 2\r\n");
    terminal.resize(41, 101);
    terminal.until("41 101\r\n");
    terminal.until("over> ");
    let shown = terminal.line("stty size", "over> ");
    assert!(shown.contains("41 101\r\n"), "{shown}");
    // ^C is for what runs, not for the shell.
    terminal.keys("cat; echo rc=$?\n");
    terminal.line("typed", "typed\r\ntyped\r\n");
    terminal.keys(CTRL_C);
    terminal.until("over> ");
    let shown = terminal.line("echo rc=$?", "over> ");
    assert!(shown.contains("rc=130\r\n"), "{shown}");
    // ^Z stops it and fg takes it on.
    // bash may miss a ^C that comes just before it becomes another program.
    terminal.line("sh -c 'echo up $((1 + 1)); read x; echo got $x$x; exec sleep 1000'", "up 2\r\n");
    terminal.keys(CTRL_Z);
    terminal.until("Stopped");
    terminal.line("fg", "exec sleep 1000'\r\n");
    terminal.line("ab", "got abab\r\n");
    terminal.keys(CTRL_C);
    terminal.until("over> ");
    // What ends it, with the last command's exit code.
    terminal.line("(exit 5)", "over> ");
    terminal.keys(CTRL_D);
    let shown = terminal.until("here> ");
    assert!(shown.contains("srun: error: solo: task 0: Exited with exit code 5\r\n"), "{shown}");
    let shown = terminal.line("echo rc=$?", "here> ");
    assert!(shown.contains("rc=5\r\n"), "{shown}");
    terminal.resize(24, 80);
    terminal.is_as_before();
}

#[test]
fn a_shell_in_a_job_of_its_own() {
    let lab = Lab::new(ONE);
    let mut terminal = Terminal::open(&lab);
    session(&mut terminal, "srun --pty");
    assert_eq!(lab.sh("squeue -h").ok(), "");
    terminal.close();
}

#[test]
fn a_shell_beside_a_job() {
    let lab = Lab::new(ONE);
    lab.sh("sbatch -Q -o /dev/null --wrap 'sleep 3600'").ok();
    lab.until_state(1, "RUNNING");
    let mut terminal = Terminal::open(&lab);
    session(&mut terminal, "srun --jobid=1 --overlap --pty");
    assert_eq!(lab.sh("squeue -h -o %i").ok(), "1\n");
    terminal.close();
}

#[test]
fn a_full_screen_program_gets_its_keys() {
    let lab = Lab::new(ONE);
    let mut terminal = Terminal::open(&lab);
    terminal.note_settings();
    // Keys one by one, not lines, and none of them shown: what an editor wants.
    lab.file(
        "keys.sh",
        "stty raw -echo; printf 'ready\\r\\n'; for i in 1 2 3 4 5; do key=$(dd bs=1 count=1 2>/dev/null | od -An -tx1); \
         printf '<%s>' $key; done; stty sane; exit 0\n",
    );
    terminal.line("srun --pty bash keys.sh", "ready\r\n");
    terminal.keys("\x03\x1b\x04q\x1a");
    terminal.until("<03><1b><04><71><1a>");
    terminal.until("here> ");
    terminal.is_as_before();
    if lab.sh("command -v vi").code == 0 {
        terminal.line("srun --pty vi note", "\x1b[");
        terminal.until("~");
        terminal.keys("ione two\x1b:wq\r");
        terminal.until("here> ");
        assert_eq!(lab.read("note"), "one two\n");
        terminal.is_as_before();
    } else {
        skip("there is no vi here");
    }
    terminal.close();
}

#[test]
fn a_terminal_is_put_back_however_the_step_ends() {
    let lab = Lab::new(ONE);
    let mut terminal = Terminal::open(&lab);
    terminal.note_settings();
    for (job, (end, said, code)) in [
        ("kill -TERM $(cat pid)", "srun: forcing job termination\r\n", 137),
        ("kill -HUP $(cat pid)", "srun: forcing job termination\r\n", 137),
        ("scancel %J", "CANCELLED AT ", 143),
        ("scancel -s KILL %J.0", "CANCELLED AT ", 137),
    ]
    .into_iter()
    .enumerate()
    {
        let step = "srun --pty bash -c 'echo up $((1 + 1)); exec sleep 1000'";
        terminal.line(&format!("(echo $BASHPID > pid; exec {step})"), "up 2\r\n");
        lab.until("squeue -h -s -o %i", &format!("{}.0", job + 1));
        lab.sh(&end.replace("%J", &(job + 1).to_string()));
        let shown = terminal.until("here> ");
        assert!(shown.contains(said), "{end}: {shown}");
        let how = terminal.line("echo rc=$?", "here> ");
        assert!(how.contains(&format!("rc={code}\r\n")), "{end}: {shown}{how}");
        terminal.is_as_before();
        assert_eq!(lab.sh("squeue -h").ok(), "", "{end}");
    }
    terminal.close();
}

#[test]
fn what_srun_says_stands_at_the_beginning_of_a_line() {
    let lab = Lab::new(ONE);
    let mut terminal = Terminal::open(&lab);
    terminal.line("srun --pty bash -c 'exit 4'", "task 0: Exited with exit code 4\r\n");
    terminal.until("here> ");
    terminal.close();
}

#[test]
fn salloc_s_shell_has_the_terminal() {
    let lab = Lab::new(FOUR);
    let mut terminal = Terminal::open(&lab);
    terminal.note_settings();
    terminal.keys("salloc -N2\n");
    terminal.until("salloc: Granted job allocation 1\r\n");
    terminal.until("in> ");
    let shown = terminal.line("echo $SLURM_JOB_ID $SLURM_NNODES $-", "in> ");
    assert!(shown.contains("1 2 ") && shown.contains('i') && shown.contains('m'), "{shown}");
    // ^C of what runs, and at the prompt: bash may go on without it for a moment after that.
    terminal.line("sh -c 'echo up $((1 + 1)); exec sleep 1000'", "up 2");
    terminal.keys(CTRL_C);
    terminal.until("in> ");
    terminal.keys(CTRL_C);
    terminal.until("in> ");
    // Job control.
    terminal.line("sh -c 'echo up $((1 + 2)); exec sleep 1000'", "up 3");
    terminal.keys(CTRL_Z);
    terminal.until("Stopped");
    terminal.until("in> ");
    let shown = terminal.line("jobs", "in> ");
    assert!(shown.contains("[1]+  Stopped"), "{shown}");
    terminal.line("kill %1; wait", "in> ");
    // Steps.
    let shown = terminal.line("srun -l bash -c 'echo $SLURMD_NODENAME' | sort", "in> ");
    assert!(shown.contains("0: node1\r\n1: node2\r\n"), "{shown}");
    terminal.line(&format!("srun -N1 -n1 --pty {REMOTE}"), "\nover> ");
    terminal.line("exit 6", "in> ");
    let shown = terminal.line("echo rc=$?", "in> ");
    assert!(shown.contains("rc=6\r\n"), "{shown}");
    let shown = terminal.line("exit 3", "here> ");
    assert!(shown.contains("salloc: Relinquishing job allocation 1\r\n"), "{shown}");
    let shown = terminal.line("echo rc=$?", "here> ");
    assert!(shown.contains("rc=3\r\n"), "{shown}");
    terminal.is_as_before();
    assert_eq!(lab.sh("squeue -h").ok(), "");
    terminal.close();
}

#[test]
fn salloc_s_shell_stays_when_the_allocation_goes() {
    let lab = Lab::new(ONE);
    let mut terminal = Terminal::open(&lab);
    terminal.note_settings();
    terminal.keys("salloc\n");
    terminal.until("Granted job allocation 1\r\n");
    terminal.until("in> ");
    lab.sh("scancel 1").ok();
    terminal.until("salloc: Job allocation 1 has been revoked.\r\n");
    lab.until("squeue -h", "");
    terminal.line("echo still $((1 + 1)); srun true", "still 2\r\n");
    terminal.until("Expired or invalid job 1\r\n");
    terminal.until("in> ");
    let shown = terminal.line("exit 4", "here> ");
    assert!(!shown.contains("Relinquishing"), "{shown}");
    let shown = terminal.line("echo rc=$?", "here> ");
    assert!(shown.contains("rc=4\r\n"), "{shown}");
    terminal.is_as_before();
    // With -K the shell goes too.
    terminal.line("salloc -K", "Granted job allocation 2\r\n");
    terminal.until("in> ");
    lab.sh("scancel 2").ok();
    terminal.until("salloc: Job allocation 2 has been revoked.\r\n");
    terminal.until("here> ");
    terminal.is_as_before();
    terminal.close();
}

#[test]
fn a_command_of_salloc_s_is_not_stopped_for_good() {
    let lab = Lab::new(ONE);
    let mut terminal = Terminal::open(&lab);
    terminal.line("salloc bash -c 'echo up $((1 + 1)); read x; echo got $x$x'", "up 2\r\n");
    terminal.keys(CTRL_Z);
    terminal.line("ab", "got abab\r\n");
    terminal.until("here> ");
    terminal.close();
}

#[test]
fn what_dies_in_salloc_s_terminal_leaves_it_as_it_was() {
    let lab = Lab::new(ONE);
    let mut terminal = Terminal::open(&lab);
    terminal.note_settings();
    terminal.line("salloc bash -c 'stty raw -echo; kill -9 $$'", "salloc: Relinquishing job allocation 1");
    terminal.until("here> ");
    terminal.is_as_before();
    // One that is gone, with its terminal, leaves no job.
    terminal.line("salloc", "in> ");
    drop(terminal);
    lab.until("squeue -h", "");
}

#[test]
fn the_bell_rings_when_it_is_asked_to() {
    let lab = Lab::new(ONE);
    let mut terminal = Terminal::open(&lab);
    assert!(terminal.line("salloc --bell true", "here> ").contains('\x07'));
    assert!(!terminal.line("salloc true", "here> ").contains('\x07'));
    terminal.close();
}

#[test]
fn salloc_waits_until_it_is_in_front() {
    let lab = Lab::new(ONE);
    let mut terminal = Terminal::open(&lab);
    terminal.keys("salloc bash -c 'echo ran $((1 + 1))' &\n");
    terminal.until("salloc: error: Waiting for program to be placed in the foreground");
    terminal.line("until jobs | grep Stopped; do sleep 0.02; done; echo behind $((1 + 1))", "behind 2\r\n");
    assert_eq!(lab.sh("squeue -h -t all").ok(), "");
    terminal.line("fg", "ran 2\r\n");
    terminal.until("salloc: Relinquishing job allocation 1\r\n");
    terminal.until("here> ");
    terminal.close();
}
