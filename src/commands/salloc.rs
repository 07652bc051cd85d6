//! salloc(1): an allocation, and a command here that works in it.

use super::{
    allocation::{Allocation, Back, Wanted, Wish},
    asked_for,
    terminal::{self, eprint, take_signals},
};
use crate::{
    agent::{login, owner::ToOwner, submitter::environment},
    host::user,
    job::{ExitStatus, env::Environment},
    slurm::{
        options::{Command, Options, Refusal, parse},
        state::JobState,
    },
};
use nix::{
    errno::Errno,
    libc,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigHandler, SigSet, Signal, killpg, signal},
        signalfd::SignalFd,
        termios::{SetArg, Termios, tcgetattr, tcsetattr},
    },
    unistd::{Pid, getpgrp, isatty, setpgid, tcgetpgrp, tcsetpgrp},
};
use std::{
    ffi::OsString,
    io::{self, Write},
    os::{
        fd::AsFd,
        unix::{
            ffi::OsStringExt,
            process::{CommandExt, ExitStatusExt},
        },
    },
    process::{Child, Command as Process},
    time::{Duration, Instant},
};

/// So often one whose connection has broken tries to come back, milliseconds.
const COME_BACK: u16 = 1000;

/// `--bell` is rung without being asked for after so long a wait.
const LONG: Duration = Duration::from_secs(10);

/// Runs salloc; `args` without the program's name.
pub fn run(args: Vec<OsString>) -> u8 {
    match allocate(&args) {
        Ok(code) => code,
        Err(refusal) => terminal::refuse(&refusal),
    }
}

fn allocate(args: &[OsString]) -> Result<u8, Refusal> {
    let parsed = parse(Command::Salloc, args, &|name| std::env::var(name).ok())?;
    if let Some(text) = asked_for(&parsed, Command::Salloc) {
        return Ok(terminal::print(&text));
    }
    let options = parsed.components().last().map_or(&parsed.options, |last| &last.options);
    if let Some(dir) = options.get("chdir") {
        let refusal = |e: io::Error| {
            let why = crate::agent::step::error_text(&e);
            Refusal::error(Command::Salloc, 1, format!("chdir({dir}): {why}"))
        };
        std::env::set_current_dir(dir).map_err(refusal)?;
    }
    let components =
        parsed.components().map(|component| Wish { options: &component.options, program: None, nodes: None });
    let wanted = Wanted { command: Command::Salloc, options, args, components: components.collect() };
    options.defined().iter().for_each(|line| eprint(line));
    let front = if options.is_set("no-shell") { None } else { Front::take() };
    let begun = Instant::now();
    let allocation = wanted.allocate()?;
    let id = allocation.yours.job.id;
    wanted.say(&format!("Granted job allocation {id}"));
    if options.is_set("bell") || (begun.elapsed() > LONG && !options.is_set("no-bell")) {
        ring();
    }
    if allocation.link.is_none() {
        return Ok(0); // --no-shell
    }
    let command = match parsed.operands.is_empty() {
        true if allocation.is_afar => interactive_step(),
        true => vec![shell()],
        false => parsed.operands.clone(),
    };
    match Session::begin(options, &allocation, &wanted, &command, front) {
        Ok(session) => Ok(session.run(allocation, &wanted)),
        Err(why) => {
            eprint(&format!("salloc: error: {why}"));
            wanted.say(&format!("Relinquishing job allocation {id}"));
            allocation.relinquish(ExitStatus::exited(1));
            Ok(1)
        }
    }
}

fn ring() {
    if isatty(io::stdout()).unwrap_or(false) {
        let _ = io::stdout().write_all(b"\x07").and_then(|()| io::stdout().flush());
    }
}

/// The user's shell.
fn shell() -> OsString {
    std::env::var_os("SHELL")
        .filter(|s| !s.is_empty())
        .or_else(|| user::by_uid(user::uid()).map(|u| u.shell.into()))
        .unwrap_or_else(|| "/bin/sh".into())
}

/// What runs a shell on the first node, as with Slurm's `use_interactive_step`: which one, is for the node to say.
fn interactive_step() -> Vec<OsString> {
    let shell = "exec \"${SHELL:-$(command -v bash || command -v sh)}\"";
    // One task, which leaves what it has to the steps that are started in it, and knows the job's numbers.
    let step =
        ["--job-name=interactive", "--nodes=1", "--ntasks=1", "--relative=0", "--overlap", "--preserve-env", "--pty"];
    // Ourselves, though our file may have been replaced.
    let words = ["/proc/self/exe", "srun"].into_iter().chain(step).chain(["/bin/sh", "-c", shell]);
    words.map(OsString::from).collect()
}

/// What salloc hears of itself while its command works.
const SIGNALS: [Signal; 8] = [
    Signal::SIGCHLD,
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGPIPE,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];

/// The command at work.
struct Session {
    child: Child,
    signals: SignalFd,
    /// The terminal, which is the command's meanwhile.
    front: Option<Front>,
    /// What the command is sent when the allocation is taken away.
    last_signal: Option<Signal>,
    revoked: Option<JobState>,
    /// Since when the connection to the allocation's agent is broken.
    broken: Option<Instant>,
}

impl Session {
    /// Starts the command.
    fn begin(
        options: &Options,
        allocation: &Allocation,
        wanted: &Wanted,
        command: &[OsString],
        front: Option<Front>,
    ) -> Result<Self, String> {
        let (program, arguments) = command.split_first().ok_or("no command")?;
        let signals = take_signals(&SIGNALS).map_err(|e| e.to_string())?;
        let takes_terminal = front.is_some();
        let mut process = Process::new(program);
        process.args(arguments).env_clear();
        for (name, value) in variables(options, allocation, wanted) {
            process.env(name, value);
        }
        // SAFETY: only calls that may be made between fork and exec.
        unsafe {
            process.pre_exec(move || {
                SigSet::empty().thread_set_mask()?;
                setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
                if takes_terminal {
                    // Who is not in front is stopped for this, unless it does not listen.
                    signal(Signal::SIGTTOU, SigHandler::SigIgn)?;
                    tcsetpgrp(io::stdin(), Pid::from_raw(libc::getpid()))?;
                    signal(Signal::SIGTTOU, SigHandler::SigDfl)?;
                    // Nobody would take on what ^Z has stopped; a shell with job control sees to that itself.
                    signal(Signal::SIGTSTP, SigHandler::SigIgn)?;
                }
                Ok(())
            });
        }
        let child = process.spawn().map_err(|error| {
            let program = program.to_string_lossy();
            match error.kind() {
                io::ErrorKind::NotFound => format!("_fork_command: Unable to find command \"{program}\""),
                _ => format!("Unable to exec command \"{program}\""),
            }
        })?;
        let asked = options.is_set("kill-command");
        let default = if takes_terminal { Signal::SIGHUP } else { Signal::SIGTERM };
        let named = options.get("kill-command").and_then(|text| crate::slurm::signal::parse_signal(text).ok());
        let named = named.and_then(|number| Signal::try_from(number).ok());
        let last_signal = asked.then(|| named.unwrap_or(default));
        Ok(Self { child, signals, front, last_signal, revoked: None, broken: None })
    }

    /// Waits for the command's end, and gives the allocation back.
    fn run(mut self, mut allocation: Allocation, wanted: &Wanted) -> u8 {
        let id = allocation.yours.job.id;
        let exit = loop {
            match self.child.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => break ExitStatus(status.into_raw().unsigned_abs()),
                Err(_) => break ExitStatus::exited(1),
            }
            match self.turn(&mut allocation, id, wanted) {
                Ok(true) => {}
                Ok(false) => break ExitStatus::exited(1), // we are to go
                Err(error) => {
                    eprint(&format!("salloc: error: {error}"));
                    break ExitStatus::exited(1);
                }
            }
        };
        drop(self.front.take());
        // What has ended the command may have ended the allocation.
        self.hear(&mut allocation, id, wanted);
        if self.revoked.is_none() {
            wanted.say(&format!("Relinquishing job allocation {id}"));
            allocation.relinquish(exit);
        }
        match exit.signal() {
            0 => exit.code(),
            // Most likely the user's own doing.
            signal if [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGKILL].contains(&i32::from(signal)) => 0,
            _ => 1,
        }
    }

    /// Waits for something; `false`: the terminal is gone.
    fn turn(&mut self, allocation: &mut Allocation, id: u32, wanted: &Wanted) -> io::Result<bool> {
        let link = allocation.link.as_ref().filter(|link| !link.closed);
        let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        fds.extend(link.map(|link| PollFd::new(link.fd(), PollFlags::POLLIN)));
        let timeout = if self.broken.is_some() { PollTimeout::from(COME_BACK) } else { PollTimeout::NONE };
        match poll(&mut fds, timeout) {
            Err(Errno::EINTR) => return Ok(true),
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        drop(fds);
        while let Some(info) = self.signals.read_signal()? {
            let group = Pid::from_raw(self.child.id() as i32);
            match Signal::try_from(info.ssi_signo as i32) {
                Ok(hup @ Signal::SIGHUP) => {
                    let _ = killpg(group, hup);
                    return Ok(false);
                }
                Ok(term @ Signal::SIGTERM) => drop(killpg(group, term)),
                _ => {}
            }
        }
        self.hear(allocation, id, wanted);
        Ok(true)
    }

    /// What the agent has said meanwhile.
    fn hear(&mut self, allocation: &mut Allocation, id: u32, wanted: &Wanted) {
        if self.revoked.is_some() {
            return;
        }
        if let Some(since) = self.broken {
            match allocation.come_back(since) {
                Back::Ours => self.broken = None,
                Back::NotYet => return,
                Back::Over(state) => return self.on_revoked(state, id, wanted),
            }
        }
        let is_afar = allocation.is_afar;
        let Some(link) = allocation.link.as_mut() else { return };
        link.fill();
        while let Some(said) = link.receive::<ToOwner>() {
            match said {
                ToOwner::Revoked(state) => self.on_revoked(state, id, wanted),
                ToOwner::Message(text) => wanted.say(&text),
                ToOwner::Yours(_) | ToOwner::Over => {}
            }
        }
        if link.closed && self.revoked.is_none() && is_afar {
            self.broken = Some(Instant::now());
        } else if link.closed && self.revoked.is_none() {
            self.on_revoked(JobState::NodeFail, id, wanted);
        }
    }

    /// The allocation is taken away; the command may go on without it, unless something else was asked for.
    fn on_revoked(&mut self, state: JobState, id: u32, wanted: &Wanted) {
        self.revoked = Some(state);
        wanted.say(&match state {
            JobState::Timeout => format!("Job {id} has exceeded its time limit and its allocation has been revoked."),
            _ => format!("Job allocation {id} has been revoked."),
        });
        let command = Pid::from_raw(self.child.id() as i32);
        if self.front.is_some()
            && let Ok(front) = tcgetpgrp(io::stdin())
            && front != command
            && front != getpgrp()
        {
            // What the shell has in front now is told.
            let _ = killpg(front, Signal::SIGHUP);
        }
        if let Some(signal) = self.last_signal {
            let _ = killpg(command, signal);
        }
    }
}

/// A terminal that was ours when we began: it is so again, with the settings it had, when this is dropped.
struct Front {
    group: Pid,
    settings: Option<Termios>,
}

impl Front {
    /// The terminal on stdin, once we are in front of it.
    fn take() -> Option<Self> {
        let group = getpgrp();
        let mut said = false;
        while isatty(io::stdin()).unwrap_or(false) && tcgetpgrp(io::stdin()).ok()? != group {
            if !std::mem::replace(&mut said, true) {
                eprint("salloc: error: Waiting for program to be placed in the foreground");
            }
            let _ = killpg(group, Signal::SIGTTIN);
            // Where there is nobody to take us on, the signal does not stop us.
            std::thread::sleep(Duration::from_millis(100));
        }
        let is_terminal = isatty(io::stdin()).unwrap_or(false);
        is_terminal.then(|| Self { group, settings: tcgetattr(io::stdin()).ok() })
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // SAFETY: no handler is set, the signal is only ignored while we come back from behind.
        unsafe {
            let _ = signal(Signal::SIGTTOU, SigHandler::SigIgn);
            let _ = tcsetpgrp(io::stdin(), self.group);
            if let Some(settings) = &self.settings {
                let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, settings);
            }
            let _ = signal(Signal::SIGTTOU, SigHandler::SigDfl);
        }
    }
}

/// The command's environment.
fn variables(options: &Options, allocation: &Allocation, wanted: &Wanted) -> Vec<(OsString, OsString)> {
    let mut environment = Environment::parse(&environment());
    if options.is_set("get-user-env") {
        environment.merge(&login::environment());
    }
    allocation.describe(&wanted.components, &mut environment);
    environment
        .iter()
        .map(|(name, value)| (OsString::from_vec(name.to_vec()), OsString::from_vec(value.to_vec())))
        .collect()
}
