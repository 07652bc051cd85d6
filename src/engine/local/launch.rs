//! Starts a job's agents and keeps an eye on them.

use super::{inventory::Inventory, watch};
use crate::{
    agent::{Host, Launch, Layout, wire::Control},
    config::Config,
    engine::{Report, Start},
    host::directory,
    job::{JobId, Placement},
};
use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    process::{Child, Command},
    sync::mpsc::UnboundedSender,
};

/// How long an agent may take until it listens.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts agents, and passes on what they say.
pub struct Launcher {
    cluster: String,
    program: PathBuf,
    commands: PathBuf,
    slurm_conf: PathBuf,
    spool: PathBuf,
    pokes: watch::Pokes,
    etc_hosts: Option<PathBuf>,
    kill_wait: u32,
    over_time_limit: u32,
    enforce_memory: bool,
    reports: UnboundedSender<Report>,
    watches: HashMap<JobId, watch::Watch>,
}

impl Launcher {
    /// Makes the spool directory and its files below `state`.
    pub fn new(
        config: &Config,
        state: &Path,
        inventory: &Inventory,
        reports: UnboundedSender<Report>,
    ) -> io::Result<Self> {
        let spool = state.join("spool");
        directory::make_private(&spool)?;
        let etc_hosts = inventory.is_virtual.then(|| spool.join("hosts"));
        if let Some(path) = &etc_hosts {
            let own = fs::read_to_string("/etc/hosts").unwrap_or_default();
            let names: std::collections::HashSet<&str> = inventory.slots.iter().map(|s| s.name.as_str()).collect();
            // Our names win over what the machine says of them.
            let kept = own.lines().filter(|l| !l.split_whitespace().skip(1).any(|name| names.contains(name)));
            let ours = inventory.slots.iter().enumerate().map(|(i, s)| format!("{} {}", inventory.address(i), s.name));
            let text: Vec<String> = kept.map(str::to_owned).chain(ours).collect();
            fs::write(path, text.join("\n") + "\n")?;
        }
        let pokes = watch::Pokes::listen(&Layout::poke(&spool))?;
        Ok(Self {
            cluster: config.controller.cluster_name.clone(),
            program: std::env::current_exe()?,
            commands: commands(state)?,
            slurm_conf: state.join("slurm.conf"),
            spool,
            pokes,
            etc_hosts,
            kill_wait: config.controller.kill_wait,
            over_time_limit: config.controller.over_time_limit * 60,
            enforce_memory: config.controller.enforce_memory,
            reports,
            watches: HashMap::new(),
        })
    }

    /// Starts the agents of a job: node 0 last, so that it finds the others.
    pub fn start(&mut self, start: Start, inventory: &Inventory) -> io::Result<()> {
        let id = start.job.id;
        let spool = Layout::new(&self.spool, id);
        match fs::create_dir(&spool.dir) {
            // What a job of this number left behind is nobody's any more.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_dir_all(&spool.dir)?;
                fs::create_dir(&spool.dir)?;
            }
            other => other?,
        }
        let jobs = std::iter::once(&start.job).chain(&start.others);
        let placements = jobs.filter_map(|job| job.placement.as_ref());
        let nodes: Vec<String> = placements.flat_map(Placement::names).map(str::to_owned).collect();
        let hosts = nodes.iter().map(|name| Host {
            name: name.clone(),
            address: inventory.address(inventory.index(name).unwrap_or_default()),
        });
        let launch = Launch {
            cluster: self.cluster.clone(),
            slurm_conf: self.slurm_conf.clone(),
            commands: self.commands.clone(),
            script: start.script,
            environment: start.environment,
            hosts: hosts.collect(),
            virtual_nodes: inventory.is_virtual,
            etc_hosts: self.etc_hosts.clone(),
            kill_wait: self.kill_wait,
            over_time_limit: self.over_time_limit,
            enforce_memory: self.enforce_memory,
            spool: spool.clone(),
            job: start.job,
            others: start.others,
            made: None,
        };
        fs::write(spool.launch(), serde_json::to_vec(&launch).map_err(io::Error::other)?)?;
        let mut children = Vec::new();
        for node in (0..nodes.len()).rev() {
            let mut command = Command::new(&self.program);
            // No working directory is set (it is `/` already): without, this is a vfork.
            command.arg("agent").arg(&spool.dir).arg(node.to_string());
            match command.stdin(Stdio::null()).stdout(Stdio::null()).spawn() {
                Ok(child) => children.push(child),
                Err(error) => {
                    // Those of the other nodes would wait for a first one that never comes.
                    children.iter_mut().for_each(|child: &mut Child| drop(child.start_kill()));
                    return Err(error);
                }
            }
        }
        children.reverse();
        let watch = watch::Watch::children(id, spool, children, &self.pokes, self.reports.clone());
        self.watches.insert(id, watch);
        Ok(())
    }

    /// Takes over a job whose agents a former controller started.
    pub fn adopt(&mut self, id: JobId) {
        let spool = Layout::new(&self.spool, id);
        self.watches.insert(id, watch::Watch::adopted(id, spool, &self.pokes, self.reports.clone()));
    }

    /// Asks the agent on the job's first node. One that was just started may not listen yet; one that
    /// is gone will be missed by its watch.
    pub fn control(&mut self, id: JobId, control: Control) {
        let layout = Layout::new(&self.spool, id);
        // It waits for the answer, ten seconds at most; the controller does not wait with it.
        tokio::task::spawn_blocking(move || {
            let until = Instant::now() + PATIENCE;
            let answer = loop {
                match crate::agent::wire::control(&layout.socket(0), &control) {
                    Err(error)
                        if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
                            && layout.dir.exists()
                            && Instant::now() < until =>
                    {
                        std::thread::sleep(Duration::from_millis(2));
                    }
                    answer => break answer,
                }
            };
            match answer {
                Ok(answer) => tracing::debug!(job = id, ?answer, "agent asked"),
                Err(error) => tracing::warn!(job = id, %error, "agent not reached"),
            }
        });
    }

    /// Removes a job's files.
    pub fn remove(&mut self, id: JobId) {
        self.watches.remove(&id);
        let dir = Layout::new(&self.spool, id).dir;
        let mut removed = fs::remove_dir_all(&dir);
        // An agent that is late may put its socket in meanwhile, once.
        if removed.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::DirectoryNotEmpty) {
            removed = fs::remove_dir_all(&dir);
        }
        if let Err(error) = removed
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(job = id, %error, "spool directory not removed");
        }
    }
}

/// A directory with the drop-in names, all links to this program, for the PATH of jobs.
fn commands(state: &Path) -> io::Result<PathBuf> {
    let dir = state.join("bin");
    directory::make_private(&dir)?;
    let program = std::env::current_exe()?;
    for name in crate::slurm::options::Command::ALL.iter().map(|c| c.name()) {
        let link = dir.join(name);
        if fs::read_link(&link).ok().as_deref() != Some(&program) {
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(&program, &link)?;
        }
    }
    Ok(dir)
}
