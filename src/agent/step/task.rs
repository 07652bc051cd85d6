//! One task of a step: its files, its environment, its start.

use super::{
    Bytes, Container, Launching, Ordering, Programs, Sink, Source,
    bindings::Bindings,
    container::{self, Facts, Tool},
    epilog::Epilog,
    pmi::server::Server,
    prepare::Preparation,
    stream::Stream,
};
use crate::{
    agent::{
        Launch, batch,
        broadcast::Destination,
        output,
        spawn::{self, Program},
    },
    job::{
        ExitStatus, Job, Placement,
        env::{self, Environment},
        files,
    },
    slurm::filename::{Vars, expand},
};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, FdFlag, OFlag, fcntl},
    pty::{Winsize, openpty},
    unistd::pipe2,
};
use std::{
    ffi::{CString, OsStr},
    fs::File,
    io::{self, Write},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::PermissionsExt},
    },
    path::{Path, PathBuf},
    time::Instant,
};

/// A task, running or over.
pub(in crate::agent) struct Task {
    /// Its global id.
    pub id: u32,
    /// Its process; 0 if it could not be started.
    pub pid: i32,
    /// How it ended.
    pub exit: Option<ExitStatus>,
    /// Whether that was told.
    pub told: bool,
    /// Our end of its stdin.
    pub input: Option<File>,
    /// What of the input it has not taken yet.
    pub pending: Vec<u8>,
    /// No more input will come.
    pub input_ends: bool,
    /// Our end of its stdout.
    pub output: Option<Stream>,
    /// Our end of its stderr.
    pub error: Option<Stream>,
    /// Whether these are a terminal.
    pub terminal: bool,
    /// What runs behind it; then `pid` is its process.
    pub epilog: Option<Epilog>,
}

impl Task {
    /// Its process has ended, or that of its epilog, which comes in between if there is one.
    pub fn ended(&mut self, exit: ExitStatus) {
        self.exit = match self.epilog.take() {
            Some(epilog) if epilog.running.is_some() => Some(epilog.ended(exit)),
            Some(mut epilog) => match epilog.start(exit) {
                Some(pid) => {
                    self.pid = pid;
                    self.epilog = Some(epilog);
                    None
                }
                None => Some(exit),
            },
            None => Some(exit),
        };
    }

    /// Until when its epilog has time.
    pub fn epilog_until(&self) -> Option<Instant> {
        self.epilog.as_ref()?.running.map(|(_, until)| until)
    }

    /// Hands on what input there is, as far as the task takes it.
    pub fn feed(&mut self) {
        while let Some(input) = self.input.as_mut().filter(|_| !self.pending.is_empty()) {
            match input.write(&self.pending) {
                Ok(n) => {
                    self.pending.drain(..n);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.input = None, // it does not want any more
            }
        }
        if self.input.is_none() {
            self.pending = Vec::new();
        }
        if self.input_ends {
            if self.terminal && self.pending.is_empty() {
                self.pending.push(4); // ^D: how input ends on a terminal
                self.terminal = false;
                self.feed();
            } else {
                self.input = None;
            }
        }
    }

    /// What the task has written and was not read yet: `None` where it will write no more.
    pub fn read(&mut self, error: bool) -> io::Result<Option<Vec<u8>>> {
        let stream = if error { &mut self.error } else { &mut self.output };
        let Some(open) = stream else { return Ok(None) };
        let bytes = open.read(self.exit.is_some())?;
        if bytes.is_empty() {
            *stream = None;
        }
        Ok(Some(bytes).filter(|bytes| !bytes.is_empty()))
    }
}

/// Variables with paths that may be elsewhere on another node.
const LOCAL: [&str; 4] = ["PATH", "BASH_ENV", "PWD", "SLURM_SUBMIT_DIR"];

/// What `--preserve-env` leaves as it is.
const PRESERVED: [&str; 5] =
    ["SLURM_JOB_NUM_NODES", "SLURM_NNODES", "SLURM_NPROCS", "SLURM_NTASKS", "SLURM_TASKS_PER_NODE"];

/// The directory of a step, on this node.
pub(super) fn directory(launch: &Launch, launching: &Launching) -> Vec<u8> {
    let directory = &launching.request.directory.0;
    launch.made.as_ref().map_or_else(|| directory.clone(), |made| made.localized(directory))
}

/// What all tasks of a part are started with.
pub(super) struct Starter<'a> {
    launch: &'a Launch,
    launching: &'a Launching,
    base: Environment,
    directory: PathBuf,
    bindings: Bindings,
    /// For each task its end of the connection to the PMI server, and what it has to know of it.
    pmi: Vec<(OwnedFd, [(&'static str, String); 4])>,
}

impl<'a> Starter<'a> {
    pub fn new(launch: &'a Launch, launching: &'a Launching) -> Self {
        let directory = PathBuf::from(OsStr::from_bytes(&directory(launch, launching)));
        let mut base = Environment::parse(&launching.request.environment.0);
        if let Some(made) = &launch.made {
            for name in LOCAL {
                if let Some(value) = base.get(name) {
                    let value = made.localized(value);
                    base.set(name, value);
                }
            }
        }
        Self { launch, launching, base, directory, bindings: Bindings::new(launching), pmi: Vec::new() }
    }

    /// Every task is to find a PMI server.
    pub fn give_pmi(&mut self, server: &Server, ends: Vec<OwnedFd>) {
        let give = |(task, end): (usize, OwnedFd)| {
            let variables = server.variables(task, end.as_raw_fd());
            (end, variables)
        };
        self.pmi = ends.into_iter().enumerate().map(give).collect();
    }

    /// Starts task `id`, the `local`th here. A line for stderr comes with one that could not be started.
    pub fn start(&self, id: u32, local: usize) -> (Task, Option<String>) {
        let mut task = Task {
            id,
            pid: 0,
            exit: None,
            told: false,
            input: None,
            pending: Vec::new(),
            input_ends: false,
            output: None,
            error: None,
            terminal: false,
            epilog: None,
        };
        let message = match self.try_start(&mut task, local) {
            Ok(pid) => {
                task.pid = pid;
                None
            }
            Err((exit, message)) => {
                task.exit = Some(exit);
                (task.input, task.output, task.error, task.epilog) = (None, None, None, None);
                Some(message)
            }
        };
        (task, message)
    }

    fn try_start(&self, task: &mut Task, local: usize) -> Result<i32, (ExitStatus, String)> {
        let io_failed = |what: &str, path: &Path, error: &io::Error| {
            let text = crate::agent::step::error_text(error);
            (ExitStatus::exited(1), format!("Could not open {what} file {}: {text}", path.display()))
        };
        let vars = Vars { task_id: task.id, step: self.launching.step.to_string(), ..self.vars() };
        let setup = |error: io::Error| (ExitStatus::exited(1), format!("I/O setup failed: {error}"));
        let mut terminal = false;
        let stdio: [OwnedFd; 3] = match self.launching.request.terminal {
            Some((rows, columns)) if task.id == 0 => {
                terminal = true;
                self.open_terminal(task, rows, columns).map_err(setup)?
            }
            Some(_) => self.nowhere().map_err(setup)?,
            None => {
                let open = |what, pattern: &str| {
                    let path = self.directory.join(expand(pattern, &vars));
                    let append = self.launching.request.append;
                    let file = if what == "stdin" { File::open(&path) } else { output::create(&path, append) };
                    file.map(OwnedFd::from).map_err(|e| io_failed(what, &path, &e))
                };
                let request = &self.launching.request;
                let input = match &request.input {
                    Source::File(pattern) => open("stdin", pattern)?,
                    Source::Rank(rank) if *rank != task.id => null().map_err(setup)?,
                    Source::None => null().map_err(setup)?,
                    Source::Client | Source::Rank(_) => {
                        let (theirs, ours) = pipe(false).map_err(setup)?;
                        task.input = Some(ours);
                        theirs
                    }
                };
                let sink = |what, sink: &Sink, ours: &mut Option<Stream>| match sink {
                    Sink::File(pattern) => open(what, pattern),
                    Sink::Rank(rank) if *rank != task.id => null().map_err(setup),
                    Sink::None => null().map_err(setup),
                    Sink::Client | Sink::Rank(_) | Sink::Stdout => {
                        let (theirs, mine) = pipe(true).map_err(setup)?;
                        *ours = Some(Stream::new(mine, request.unbuffered));
                        Ok(theirs)
                    }
                };
                let (mut out, mut err) = (None, None);
                let output = sink("stdout", &request.output, &mut out)?;
                let error = match &request.error {
                    Sink::Stdout => output.try_clone().map_err(setup)?,
                    other if *other == request.output && matches!(other, Sink::File(_)) => {
                        output.try_clone().map_err(setup)?
                    }
                    other => sink("stderr", other, &mut err)?,
                };
                (task.output, task.error) = (out, err);
                [input, output, error]
            }
        };
        task.terminal = terminal;
        let mut environment = self.environment(task.id, local);
        let pmi = self.pmi.get(local);
        for (name, value) in pmi.iter().flat_map(|(_, variables)| variables) {
            environment.set(name, value.as_str());
        }
        let command = match &self.launching.request.programs {
            Programs::Same(command) => Some(command),
            Programs::Each(commands) => commands.get(task.id as usize),
        };
        let command = command.map_or(&[][..], Vec::as_slice);
        let mut contained = None;
        if let Some(container) = &self.launching.request.setup.container {
            match self.contain(container, command, &environment) {
                Ok(words) => contained = Some(words),
                Err(text) => {
                    output::message(&stdio[2], &text);
                    task.exit = Some(ExitStatus::exited(1));
                    return Ok(0);
                }
            }
        }
        let command = contained.as_deref().unwrap_or(command);
        let file = match &self.launching.request.setup.brought {
            Some(to) if contained.is_none() => self.brought(to, &mut environment),
            _ => self.resolve(command.first(), &environment),
        };
        let file_text = file.to_string_lossy().into_owned();
        let file = CString::new(file.into_os_string().as_bytes()).unwrap_or_default();
        let mut arguments = vec![file.clone()];
        arguments.extend(command.iter().skip(1).filter_map(|a| CString::new(a.0.as_slice()).ok()));
        let localized = |path: &Option<String>| {
            let made = self.launch.made.as_ref();
            path.as_ref().map(|p| made.map_or(p.clone(), |m| m.localized_text(p)))
        };
        let setup = &self.launching.request.setup;
        let mut preparation = Preparation { prolog: localized(&setup.prolog), ..Preparation::default() };
        let gpus = &self.launching.gpus;
        if let Err(text) = self.bindings.prepare(&mut preparation, gpus, task.id, local) {
            output::message(&stdio[2], &text);
            output::message(&stdio[2], "Failed to invoke task plugins: task_p_pre_launch error");
            task.exit = Some(ExitStatus::exited(1));
            return Ok(0);
        }
        let (file, arguments) = match preparation.is_empty() {
            true => (file, arguments),
            false => preparation.command(arguments),
        };
        let limits = spawn::limits(&setup.limits);
        let program = Program {
            file: &file,
            arguments: &arguments,
            environment: &environment,
            stdio: [stdio[0].as_fd(), stdio[1].as_fd(), stdio[2].as_fd()],
            limits: &limits,
            terminal,
            kept: pmi.map(|(end, _)| end.as_fd()),
        };
        match spawn::spawn(&program) {
            Ok(pid) => {
                if let Some(path) = localized(&setup.epilog) {
                    let (directory, mut environment) = (self.directory.to_string_lossy().into_owned(), environment);
                    environment.set("SLURM_TASK_PID", pid.to_string());
                    let [_, _, error] = stdio;
                    task.epilog = Some(Epilog { path, directory, environment, error, running: None });
                }
                Ok(pid.as_raw())
            }
            Err(errno) => {
                // It is the task's own word: it goes where the task's stderr goes.
                output::message(&stdio[2], &spawn::execve_message(&file_text, errno));
                task.exit = Some(batch::exit_of(errno));
                Ok(0)
            }
        }
    }

    fn vars(&self) -> Vars {
        let node = self.launching.nodes.get(self.launching.node).map_or("", String::as_str);
        files::vars(&self.launch.job, node, self.launching.node)
    }

    /// The command that runs `command` in a container.
    fn contain(&self, asked: &Container, command: &[Bytes], environment: &Environment) -> Result<Vec<Bytes>, String> {
        let found = |name: &str| Some(self.resolve(Some(&Bytes(name.into())), environment)).filter(|p| p.is_absolute());
        let tool = Tool::ALL.iter().find_map(|(tool, name)| Some((*tool, found(name)?)));
        let (tool, program) = tool.ok_or(container::NONE)?;
        let variable = |name: &str| environment.text(name).map(str::to_owned);
        let cache = variable("TMPDIR").unwrap_or_else(|| "/tmp".into());
        let facts = Facts { variable: &variable, cache: &cache };
        let command: Vec<String> = command.iter().map(|w| String::from_utf8_lossy(&w.0).into_owned()).collect();
        let words = container::words(asked, tool, &program.to_string_lossy(), &command, &facts)?;
        Ok(words.into_iter().map(|word| Bytes(word.into_bytes())).collect())
    }

    /// Where the program was brought to, and its libraries.
    fn brought(&self, to: &Destination, environment: &mut Environment) -> PathBuf {
        let (step, node) = (self.launching.step, self.launching.nodes.get(self.launching.node));
        let node = node.map_or("", String::as_str);
        if self.launching.request.setup.libraries {
            let mut paths = to.libraries(self.launch, step, node);
            if let Some(others) = environment.get("LD_LIBRARY_PATH").filter(|p| !p.is_empty()) {
                paths = [&paths[..], b":", others].concat();
            }
            environment.set("LD_LIBRARY_PATH", paths);
        }
        PathBuf::from(OsStr::from_bytes(&to.program(self.launch, step, node)))
    }

    /// Where the program is, as slurmstepd looks for it: a relative path from the directory, a bare name on the PATH.
    fn resolve(&self, name: Option<&Bytes>, environment: &Environment) -> PathBuf {
        let name = Path::new(OsStr::from_bytes(name.map_or(&[], |n| &n.0)));
        if name.is_absolute() {
            return name.to_owned();
        }
        if name.as_os_str().as_bytes().contains(&b'/') {
            return self.directory.join(name);
        }
        let path = environment.get("PATH").unwrap_or_default();
        let executable =
            |file: &PathBuf| std::fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
        let mut places = path.split(|b| *b == b':').filter(|dir| !dir.is_empty());
        places
            .find_map(|dir| Some(self.directory.join(OsStr::from_bytes(dir)).join(name)).filter(executable))
            .unwrap_or_else(|| name.to_owned())
    }

    /// The component whose name tasks are told: their own, where srun was told the names of all; else the first.
    fn component(&self) -> &Job {
        let own = self.launching.nodes.get(self.launching.node).filter(|_| !self.launching.request.own_job);
        let has = |job: &&Job| {
            let mut names = job.placement.iter().flat_map(Placement::names);
            names.any(|name| own.is_some_and(|own| own == name))
        };
        self.launch.jobs().find(has).unwrap_or(&self.launch.job)
    }

    fn environment(&self, id: u32, local: usize) -> Environment {
        let launching = self.launching;
        let request = &launching.request;
        let gpus = self.bindings.gpus(&launching.gpus, local);
        let mut environment = self.base.clone();
        let facts = env::Task {
            job: &self.launch.job,
            cluster: &self.launch.cluster,
            conf: &self.launch.slurm_conf.to_string_lossy(),
            step: launching.step,
            nodes: &launching.nodes,
            layout: &launching.layout,
            // Of a job of its own srun tells only what was asked for (env.txt).
            distribution: Some(launching.distribution.as_str())
                .filter(|_| !request.own_job || request.order != Ordering::Unset || launching.allocated.is_some()),
            node: launching.node,
            cpus: launching.cpus,
            id,
            local_id: local as u32,
            gpus: &gpus,
            gpu_binding: self.bindings.gpu_binding(),
            gpus_on_node: launching.gpus.len() as u32,
            cpus_per_task: request.cpus_per_task,
            umask: request.umask,
            label: request.label,
            launcher: &launching.launcher,
            het: launching.allocated.as_deref().map(|cpus_per_node| {
                let component = self.component();
                env::Het { cpus_per_node, name: &component.request.name, partition: &component.partition }
            }),
        };
        env::task(&mut environment, &facts);
        self.bindings.tell(&mut environment);
        if let Some(ports) = &launching.ports {
            environment.set("SLURM_STEP_RESV_PORTS", ports);
        }
        if request.setup.preserve {
            for name in PRESERVED {
                match self.base.get(name) {
                    Some(value) => environment.set(name, value),
                    None => environment.unset(name),
                }
            }
        }
        batch::make_tmpdir(&mut environment);
        environment
    }

    fn open_terminal(&self, task: &mut Task, rows: u16, columns: u16) -> io::Result<[OwnedFd; 3]> {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None)?;
        for fd in [&pair.master, &pair.slave] {
            fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        }
        fcntl(&pair.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        task.input = Some(pair.master.try_clone()?.into());
        task.output = Some(Stream::new(pair.master.into(), true));
        Ok([pair.slave.try_clone()?, pair.slave.try_clone()?, pair.slave])
    }

    fn nowhere(&self) -> io::Result<[OwnedFd; 3]> {
        Ok([null()?, null()?, null()?])
    }
}

fn null() -> io::Result<OwnedFd> {
    Ok(File::options().read(true).write(true).open("/dev/null")?.into())
}

/// A pipe: the task's end and ours. `from_task`: the task writes.
fn pipe(from_task: bool) -> io::Result<(OwnedFd, File)> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
    let (theirs, ours) = if from_task { (write, read) } else { (read, write) };
    fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map_err(|e: Errno| io::Error::from(e))?;
    Ok((theirs, ours.into()))
}
