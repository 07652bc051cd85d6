//! The batch script: how it is started on the first node.

use super::{
    Launch,
    log::Log,
    login, modules, output,
    output::ScriptFiles,
    path,
    spawn::{self, Program},
    step::error_text,
};
use crate::job::{
    ExitStatus, NodeShare, Step, StepId, Usage,
    env::{self, Environment},
};
use crate::slurm::state::JobState;
use nix::{errno::Errno, sys::resource::Resource};
use std::{
    ffi::{CString, OsString},
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::ffi::OsStrExt,
    },
};

/// The running script.
pub(super) struct Script {
    /// Its process.
    pub pid: i32,
    /// Its stderr, for what slurmstepd has to say; `None` where that is the log's.
    pub error: Option<File>,
}

/// How the start went.
pub(super) enum Start {
    /// It runs.
    Running(Script),
    /// It never ran.
    Failed(ExitStatus),
}

/// Where its output goes.
pub(super) enum Output<'a> {
    /// Into its files.
    Files,
    /// Where the agent's own goes, unless files are named.
    Own,
    /// Into the log.
    Log(&'a mut Log),
}

/// Starts the script of `launch`.
pub(super) fn start(launch: &Launch, script: &std::path::Path, to: Output) -> Start {
    let job = &launch.job;
    let node = job.placement.as_ref().and_then(|p| p.nodes.first()).map_or("", |n| &n.node);
    match to {
        Output::Files | Output::Own => match ScriptFiles::open(job, node, matches!(to, Output::Own)) {
            Ok(ScriptFiles { input, output, error }) => {
                let stdio = [input.as_fd(), output.as_fd(), error.as_fd()];
                match run(launch, script, stdio, |text| output::message(&error, text)) {
                    Ok(pid) => Start::Running(Script { pid, error: Some(error) }),
                    Err(exit) => Start::Failed(exit),
                }
            }
            Err(_) => Start::Failed(ExitStatus::NO_FILES),
        },
        Output::Log(log) => match output::input(job, node).and_then(|input| Ok((input, log.open()?))) {
            Ok((input, [output, error])) => {
                let stdio = [input.as_fd(), output.as_fd(), error.as_fd()];
                match run(launch, script, stdio, |text| log.message(text)) {
                    Ok(pid) => Start::Running(Script { pid, error: None }),
                    Err(exit) => Start::Failed(exit),
                }
            }
            Err(_) => Start::Failed(ExitStatus::NO_FILES),
        },
    }
}

fn run(
    launch: &Launch,
    script: &std::path::Path,
    stdio: [BorrowedFd; 3],
    mut say: impl FnMut(&str),
) -> Result<i32, ExitStatus> {
    let job = &launch.job;
    change_directory(&job.request.work_dir, &mut say);
    let environment = environment(launch);
    let file = CString::new(script.as_os_str().as_bytes()).unwrap_or_default();
    let mut arguments = vec![file.clone()];
    arguments.extend(job.request.args.iter().filter_map(|a| CString::new(a.as_slice()).ok()));
    let limits: Vec<(Resource, u64)> = spawn::limits(&job.request.rlimits);
    let program = Program {
        file: &file,
        arguments: &arguments,
        environment: &environment,
        stdio,
        limits: &limits,
        terminal: false,
        kept: None,
    };
    spawn::spawn(&program).map(nix::unistd::Pid::as_raw).map_err(|errno| {
        say(&spawn::execve_message(&script.to_string_lossy(), errno));
        exit_of(errno)
    })
}

/// slurmstepd's child ends with the number of the error.
pub(super) fn exit_of(errno: Errno) -> ExitStatus {
    ExitStatus::exited(u8::try_from(errno as i32).unwrap_or(1))
}

/// Goes where a process is to start: it inherits the agent's directory. Where that is not possible, to /tmp, and the
/// line about it is said twice, as slurmstepd does.
pub(super) fn change_directory(directory: &str, mut say: impl FnMut(&str)) {
    if let Err(errno) = nix::unistd::chdir(directory) {
        for _ in 0..2 {
            say(&format!("couldn't chdir to `{directory}': {}: going to /tmp instead", error_text(&errno.into())));
        }
        let _ = nix::unistd::chdir("/tmp");
    }
}

fn environment(launch: &Launch) -> Environment {
    let job = &launch.job;
    let submitted = Environment::parse(&fs::read(&launch.environment).unwrap_or_default());
    let mut environment = env::of_batch(&job.request, submitted, login::environment);
    let host = nix::unistd::gethostname().unwrap_or_else(|_| OsString::new());
    let facts = env::Batch {
        job,
        cluster: &launch.cluster,
        conf: &launch.slurm_conf.to_string_lossy(),
        host: &host.to_string_lossy(),
    };
    env::batch(&mut environment, &facts);
    if !launch.others.is_empty() {
        let jobs: Vec<_> = launch.jobs().collect();
        env::describe_components(&mut environment, &jobs, facts.cluster, facts.conf);
    }
    make_tmpdir(&mut environment);
    provide(&mut environment, launch);
    environment
}

/// Sees to it that our commands are found, and `module` where the node has none.
pub(super) fn provide(environment: &mut Environment, launch: &Launch) {
    path::provide(environment, launch);
    if let Some(made) = &launch.made {
        modules::provide(environment, &made.modules);
    }
}

/// Makes the directory `TMPDIR` names, if it is not there; where that cannot be, it is /tmp.
pub(super) fn make_tmpdir(environment: &mut Environment) {
    let usable = match environment.text("TMPDIR") {
        None | Some("/tmp") => true,
        Some(dir) => match fs::create_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::metadata(dir).is_ok_and(|m| m.is_dir()),
            made => made.is_ok(),
        },
    };
    if !usable {
        environment.set("TMPDIR", "/tmp");
    }
}

/// The record of the batch step.
pub(super) fn step(launch: &Launch) -> Step {
    let share = launch.job.placement.as_ref().and_then(|p| p.nodes.first());
    Step {
        id: StepId::Batch,
        name: "batch".into(),
        state: JobState::Running,
        nodes: share.map(|n| n.node.clone()).into_iter().collect(),
        tasks: 1,
        cpus: share.map_or(1, |n| n.cpus.len() as u32),
        memory: share.map_or(0, |n| n.memory),
        gpus: share.map_or(0, |n: &NodeShare| n.gpus().len() as u32),
        tasks_per_node: vec![1],
        start: super::clock::now(),
        end: None,
        exit: ExitStatus::default(),
        usage: Usage::default(),
        cancelled_by: None,
        command: launch.job.request.submit_line.clone(),
    }
}

/// How a step ended, by how its processes did (`sacct.txt`; slurmdbd's `step_complete`): a signal makes it CANCELLED.
pub(super) fn state_of(exit: ExitStatus) -> JobState {
    match (exit.signal(), exit.code()) {
        (0, 0) => JobState::Completed,
        (0, _) => JobState::Failed,
        _ if exit == ExitStatus::OUT_OF_MEMORY => JobState::OutOfMemory,
        _ => JobState::Cancelled,
    }
}
