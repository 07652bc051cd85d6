//! The way into a cluster: the agent's socket on its first node appears here, in the job's spool directory, and `ssh`
//! gets to all its nodes. That of an allocation is open as long as it lives; that of a managed job is opened when somebody wants
//! to get in ([`on_demand`]).
//!
//! Both are the work of the ssh that is installed here. Where the cluster can only be reached through the API server, ssh's
//! proxy command is `skyslurm ssh-proxy` ([`door`]), which speaks the server's websocket. The ssh that forwards the socket
//! ([`process`]) outlives the controller: steps whose clients are connected through it go on.

mod config;
pub mod door;
mod entry;
pub mod gate;
mod nodes;
pub mod on_demand;
mod process;

pub use config::Unsayable;
pub use nodes::leads_into;

use super::client::{Access, Client, Error};
use crate::{
    agent::{
        Layout, Reach,
        wire::{Request, Steps, usage},
    },
    host::{directory, ipc},
    job::JobId,
};
use config::Files;
use door::Door;
use entry::Entries;
use nodes::Node;
use process::Forward;
use std::{
    fs,
    io::{self, Write},
    os::unix::{fs::OpenOptionsExt, net::UnixStream},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout_at},
};

/// So long a way may take to be open for the first time. An sshd that is started for it takes seconds.
const PATIENCE: Duration = Duration::from_secs(180);

/// So long ssh may take from its start to the agent's answer.
const OPENING: Duration = Duration::from_secs(90);

/// Pauses between attempts, seconds.
const PAUSES: [u64; 5] = [0, 1, 2, 5, 15];

/// How often a process that is not our child is looked after.
const LOOK: Duration = Duration::from_secs(1);

/// A cluster to get into.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its job.
    pub job: JobId,
    /// SkyPilot's name of it.
    pub cluster: String,
    /// What its agent has told of itself.
    pub reach: Reach,
    /// The job's files here. The socket will be [`Layout::socket`]`(0)`.
    pub layout: Layout,
    /// Whether the user's own ssh is to find its nodes.
    pub entry: bool,
}

/// A way that is kept open. Dropping it leaves it as it is, so that it outlives a controller; the next one that opens it
/// takes it over.
pub struct WayIn {
    keeper: JoinHandle<()>,
    state: watch::Receiver<State>,
    until: Instant,
    layout: Layout,
    cluster: String,
}

/// How it is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Not open, for this reason as far as it is known.
    Opening(String),
    Open,
    /// It will never be.
    Closed(String),
}

/// Why it cannot be opened.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("ssh is not installed here")]
    NoSsh,
    #[error("no way leads from here to nodes on {0}")]
    NoWay(String),
    #[error("the cluster is gone, or the API server gives no key for it")]
    NoAccess,
    #[error(transparent)]
    Server(#[from] Error),
    #[error(transparent)]
    Unsayable(#[from] Unsayable),
    #[error(transparent)]
    File(#[from] io::Error),
    #[error("ssh: {0}")]
    Ssh(String),
    #[error("the job's agent lets nobody in")]
    NoDoor,
    #[error(
        "its nodes are not in reach from here, and the API server does not know its cluster (it has a jobs controller of its own)"
    )]
    Apart,
    #[error("nodes on {0} are not in reach from here, and `gate = false` is configured")]
    NoGate(String),
    #[error("no gate to its nodes: {0}")]
    Gate(String),
    #[error("{0}")]
    Relay(String),
}

impl Trouble {
    /// Whether it will be the same later.
    fn is_final(&self) -> bool {
        matches!(self, Self::NoSsh | Self::NoWay(_) | Self::Unsayable(_))
    }
}

impl WayIn {
    /// Begins to open it, and to open it again whenever it breaks. Must be called within a tokio runtime.
    pub fn open(client: Client, target: Target) -> Self {
        let (tell, state) = watch::channel(State::Opening("it was not tried yet".into()));
        let (layout, cluster) = (target.layout.clone(), target.cluster.clone());
        let until = Instant::now() + PATIENCE;
        Self { keeper: tokio::spawn(keep(client, target, tell)), state, until, layout, cluster }
    }

    /// Waits until the agent answers here. May be given up and asked again.
    ///
    /// # Errors
    /// Why it never will, in words.
    pub async fn ready(&mut self) -> Result<(), String> {
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| !matches!(state, State::Opening(_)));
        if let Ok(Err(_)) = timeout_at(self.until, settled).await {
            return Err("nobody keeps the way into the cluster open any more".into());
        }
        match &*self.state.borrow() {
            State::Open => Ok(()),
            State::Opening(why) | State::Closed(why) => Err(why.clone()),
        }
    }

    /// Closes it for good: the job is over.
    pub async fn close(self) {
        self.keeper.abort();
        close(&self.layout, &self.cluster).await;
    }
}

impl Drop for WayIn {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// Begins to close it, for one who cannot wait; [`close`] does the rest.
pub fn dismiss(layout: &Layout, cluster: &str) {
    process::dismiss(&layout.way_in());
    Entries::of(&directory::home()).remove(cluster);
}

/// The same where nobody holds it: ends what a way into `cluster` has left behind, whoever opened it. That is its process, its
/// files, and the entry for the user's ssh. It does no harm where there is nothing.
pub async fn close(layout: &Layout, cluster: &str) {
    let paths = Paths::of(layout);
    process::end(&paths.dir).await;
    let _ = fs::remove_file(layout.socket(0));
    let _ = fs::remove_dir_all(&paths.dir);
    Entries::of(&directory::home()).remove(cluster);
}

/// Removes entries for the user's ssh that nobody will remove any more.
pub fn tidy(is_stale: impl Fn(&str) -> bool) {
    Entries::of(&directory::home()).tidy(is_stale);
}

/// The files of a way, in a directory of its own.
struct Paths {
    dir: PathBuf,
    config: PathBuf,
    key: PathBuf,
    known_hosts: PathBuf,
    door: PathBuf,
    log: PathBuf,
}

impl Paths {
    fn of(layout: &Layout) -> Self {
        let dir = layout.way_in();
        let [config, key, known_hosts, door, log] =
            [process::CONFIG, "key", "known_hosts", "door", "log"].map(|name| dir.join(name));
        Self { dir, config, key, known_hosts, door, log }
    }
}

/// Keeps it open.
async fn keep(client: Client, target: Target, tell: watch::Sender<State>) {
    let client = client.with_patience(Duration::ZERO);
    let mut failed = 0;
    loop {
        let begun = Instant::now();
        let ended = once(&client, &target, &tell).await;
        let (cluster, job) = (&target.cluster, target.job);
        match ended {
            Err(trouble) if trouble.is_final() => {
                tracing::error!(job, cluster, %trouble, "no way into the cluster");
                let _ = tell.send(State::Closed(trouble.to_string()));
                return;
            }
            Err(trouble) => {
                tracing::warn!(job, cluster, %trouble, "the way into the cluster is not open");
                let _ = tell.send(State::Opening(trouble.to_string()));
            }
            Ok(()) => {
                tracing::info!(job, cluster, "the way into the cluster has broken");
                let _ = tell.send(State::Opening("it has broken".into()));
            }
        }
        failed = if begun.elapsed() > OPENING { 0 } else { (failed + 1).min(PAUSES.len() - 1) };
        sleep(Duration::from_secs(PAUSES[failed])).await;
    }
}

/// Opens it, or takes over what a former controller has opened, and waits until it breaks.
async fn once(client: &Client, target: &Target, tell: &watch::Sender<State>) -> Result<(), Trouble> {
    let paths = Paths::of(&target.layout);
    let socket = target.layout.socket(0);
    if take_over(&paths, &socket).await {
        let _ = tell.send(State::Open);
        let _witness = witness(&socket);
        while !process::find(&paths.dir).is_empty() {
            sleep(LOOK).await;
        }
        return Ok(());
    }
    prepare(client, target, &paths).await?;
    let name = socket.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let forward = Forward {
        config: &paths.config,
        dir: &target.layout.dir,
        name,
        there: &target.reach.socket,
        host: &target.cluster,
        log: &paths.log,
    };
    let _ = fs::remove_file(&socket);
    let mut ssh = process::start(&forward).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Trouble::NoSsh,
        _ => Trouble::File(error),
    })?;
    let said = || Trouble::Ssh(last_line(&paths.log));
    let until = Instant::now() + OPENING;
    while !answers(&socket).await {
        if ssh.try_wait()?.is_some() || Instant::now() > until {
            process::end(&paths.dir).await;
            return Err(said());
        }
        sleep(Duration::from_millis(100)).await;
    }
    let _ = tell.send(State::Open);
    let _witness = witness(&socket);
    ssh.wait().await?;
    tracing::info!(job = target.job, why = last_line(&paths.log), "ssh has ended");
    Ok(())
}

/// Whether what a former controller has opened is there, and leads to the agent. Where it does not it is ended, but not
/// before it had time for that: steps may run through it.
async fn take_over(paths: &Paths, socket: &Path) -> bool {
    let until = Instant::now() + OPENING;
    while !process::find(&paths.dir).is_empty() {
        if answers(socket).await {
            return true;
        }
        if Instant::now() > until {
            process::end(&paths.dir).await;
        }
        sleep(Duration::from_millis(100)).await;
    }
    false
}

/// Writes what ssh needs to get into the target's own cluster.
async fn prepare(client: &Client, target: &Target, paths: &Paths) -> Result<(), Trouble> {
    let access = client.access(&target.cluster).await?.ok_or(Trouble::NoAccess)?;
    let nodes = nodes::nodes(target.job, &target.cluster, &access, &target.reach);
    let text = furnish(client, &target.cluster, (&access, &nodes), paths)?;
    if target.entry
        && let Err(error) = Entries::of(&directory::home()).write(&target.cluster, &text)
    {
        tracing::warn!(%error, "~/.ssh/config: the nodes are not in it");
    }
    Ok(())
}

/// Writes what ssh needs to get to `nodes`, which are `cluster`'s; the text of its configuration.
fn furnish(
    client: &Client,
    cluster: &str,
    (access, nodes): (&Access, &[Node]),
    paths: &Paths,
) -> Result<String, Trouble> {
    if nodes.is_empty() {
        return Err(Trouble::NoWay(access.cloud.clone()));
    }
    let program = program()?;
    let files = Files { key: &paths.key, known_hosts: &paths.known_hosts, door: &paths.door, program: &program };
    let text = config::text(nodes, &files)?;
    directory::make_private(&paths.dir)?;
    let door = Door { endpoint: client.endpoint().clone(), cluster: cluster.to_owned() };
    let key = format!("{}\n", access.key.trim_end()); // ssh reads no key without its last newline
    private(&paths.key, key.as_bytes())?;
    private(&paths.door, &serde_json::to_vec(&door).map_err(io::Error::other)?)?;
    private(&paths.config, text.as_bytes())?;
    Ok(text)
}

/// Where our program will be found later, though it may have been replaced since it was started.
fn program() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    let text = path.to_string_lossy();
    Ok(text.strip_suffix(" (deleted)").map_or(path.clone(), PathBuf::from))
}

/// Writes a file of the user's alone.
fn private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let _ = fs::remove_file(path);
    fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?.write_all(bytes)
}

/// Whether the agent answers at a socket.
async fn answers(socket: &Path) -> bool {
    let socket = socket.to_owned();
    let asked =
        tokio::task::spawn_blocking(move || ipc::connect(&socket).and_then(|s| usage(s, 0, Steps::All)).is_ok());
    asked.await.unwrap_or(false)
}

/// A connection to the agent that stands as long as the way does.
fn witness(socket: &Path) -> io::Result<UnixStream> {
    let mut stream = ipc::connect(socket)?;
    ipc::send(&mut stream, &Request::Witness)?;
    Ok(stream)
}

/// What ssh complained of last.
fn last_line(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing").trim().to_owned()
}
