//! The nodes of a job: directories and processes of this machine.

use super::{
    log::Log,
    server::Shared,
    task::{Task, cluster},
};
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use std::{
    fs,
    io::{self, pipe},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// What a run is told of its job.
pub struct Facts {
    pub job: u32,
    /// Which task of a job group.
    pub task: u32,
    /// A managed job, or one on a cluster that was launched by itself.
    pub is_managed: bool,
    pub rank: u32,
    pub count: u32,
    pub stamp: String,
    pub user: String,
}

/// Makes the homes of a run and puts the job's files there: `sky_workdir` and the file mounts, without their modes.
pub fn furnish(homes: &[PathBuf], task: &Task, blob: Option<&Path>) -> io::Result<()> {
    for home in homes {
        fs::create_dir_all(home.join("sky_workdir"))?;
        for (to, from) in &task.files {
            let blob = blob.ok_or_else(|| io::Error::other("the task has files and the request no blob"))?;
            copy(&blob.join(from), &home.join(to))?;
        }
    }
    Ok(())
}

/// A file above this is linked in place of being copied, bytes.
const LARGE: u64 = 4 << 20;

/// Copies as rsync does a directory's content: what is there besides stays.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(from).map_err(|e| io::Error::other(format!("{}: {e}", from.display())))?;
    if kind.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    let beside = to.with_file_name(format!(".{}.part", to.file_name().unwrap_or_default().to_string_lossy()));
    let _ = fs::remove_file(&beside);
    if kind.is_symlink() {
        std::os::unix::fs::symlink(fs::read_link(from)?, &beside)?;
    } else if fs::metadata(from)?.len() > LARGE {
        // The program: a file that is being written could be busy when it is started, since threads beside this one fork.
        fs::hard_link(from, &beside)?;
    } else {
        fs::copy(from, &beside)?;
    }
    fs::rename(beside, to)
}

/// Runs `setup` on every node; whether it succeeded.
pub fn set_up(homes: &[PathBuf], task: &Task, facts: &Facts, log: &Log) -> bool {
    (0..task.nodes).all(|node| {
        task.setup.is_empty() || {
            let Ok((mut child, output)) = start(&task.setup, homes, task, facts, node) else { return false };
            log.collect(&format!("setup pid={}", child.id()), output);
            child.wait().is_ok_and(|status| status.success())
        }
    })
}

/// Starts `run` on every node. Each tells its exit code to `over`.
pub fn run(
    shared: &Arc<Shared>,
    homes: &[PathBuf],
    task: &Task,
    facts: &Facts,
    log: &Arc<Log>,
    over: impl Fn(u32, i32) + Send + Clone + 'static,
) -> io::Result<Vec<Pid>> {
    let mut groups = Vec::new();
    for node in 0..task.nodes {
        let (mut child, output) = start(&task.run, homes, task, facts, node)?;
        let pid = child.id();
        let who = match (task.nodes, node) {
            (1, _) => format!("{}, pid={pid}", task.name),
            (_, 0) => format!("head, rank=0, pid={pid}"),
            _ => format!("worker{node}, rank={node}, pid={pid}, ip={}", address(facts.task, node)),
        };
        groups.push(Pid::from_raw(pid as i32));
        let (log, over, shared) = (log.clone(), over.clone(), shared.clone());
        let reader = thread::spawn(move || log.collect(&who, output));
        thread::spawn(move || {
            let status = child.wait();
            let code = status.map_or(-1, |s| s.code().unwrap_or_else(|| 128 + s.signal().unwrap_or_default()));
            // What the script left behind may hold its output open; the cluster's end ends that.
            let until = Instant::now() + Duration::from_millis(500);
            while !reader.is_finished() && Instant::now() < until && !shared.is_stopping() {
                thread::sleep(Duration::from_millis(2));
            }
            over(node, code);
        });
    }
    Ok(groups)
}

/// The address of a node of a task: all are this machine.
pub fn address(task: u32, node: u32) -> String {
    format!("127.0.{task}.{}", node + 1)
}

fn start(
    script: &str,
    homes: &[PathBuf],
    task: &Task,
    facts: &Facts,
    node: u32,
) -> io::Result<(Child, io::PipeReader)> {
    let home = &homes[node as usize % homes.len()];
    let file = home.join(format!(".sky_script_{}_{node}", if script == task.run { "run" } else { "setup" }));
    fs::write(&file, script)?;
    let (output, input) = pipe()?;
    let addresses: Vec<String> = (0..task.nodes).map(|node| address(facts.task, node)).collect();
    let name = cluster(&task.name, facts.job);
    let id = format!("sky-managed-{}_{}_{}-{}", facts.stamp, task.name, facts.job, facts.task);
    let mut command = Command::new("bash");
    command
        .arg(file)
        .current_dir(home.join("sky_workdir"))
        .stdin(Stdio::null())
        .stdout(input.try_clone()?)
        .stderr(input)
        .process_group(0)
        .env_clear()
        // What a job of the Slurm below leaves in the environment.
        .envs([("SLURM_JOB_ID", "999"), ("SLURM_JOBID", "999"), ("SLURM_JOB_NODELIST", "outer")])
        .envs([("SLURM_NTASKS", "7"), ("SLURM_CPU_BIND", "quiet,mask_cpu:0x1"), ("SLURM_PROCID", "3")])
        .envs([("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("SHELL", "/bin/bash")])
        .envs([("USER", "nodeuser"), ("LOGNAME", "nodeuser"), ("LANG", "C.UTF-8")])
        .env("HOME", home)
        .envs(&task.envs)
        .env("SKYPILOT_NODE_RANK", node.to_string())
        .env("SKYPILOT_NODE_IPS", addresses.join("\n"))
        .env("SKYPILOT_NUM_NODES", task.nodes.to_string())
        .env("SKYPILOT_NUM_GPUS_PER_NODE", task.gpus.to_string())
        .env("SKYPILOT_INTERNAL_JOB_ID", "1")
        .env("SKYPILOT_TASK_ID", &id)
        .env("SKYPILOT_USER", &facts.user)
        .env(
            "SKYPILOT_CLUSTER_INFO",
            format!(r#"{{"cluster_name": "{name}", "cloud": "Slurm", "region": "lab", "zone": "main"}}"#),
        );
    if facts.is_managed {
        command
            .env("SKYPILOT_MANAGED_JOB_ID", facts.job.to_string())
            .env("SKYPILOT_JOB_RANK", facts.rank.to_string())
            .env("SKYPILOT_NUM_JOBS", facts.count.to_string())
            .env("SKYPILOT_TASK_IDS", &id);
    }
    Ok((command.spawn()?, output))
}

/// TERM to the process groups, KILL a little later.
pub fn terminate(groups: &[Pid]) {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        for group in groups {
            let _ = killpg(*group, signal);
        }
        if signal == Signal::SIGTERM {
            thread::sleep(Duration::from_millis(150));
        }
    }
}

/// Ends every process whose environment or command line names this directory: the cluster is gone.
pub fn sweep(directory: &Path) {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let left = crate::harness::processes_that_name(directory);
        for (pid, _) in &left {
            let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
        }
        if left.is_empty() || Instant::now() > until {
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
}
