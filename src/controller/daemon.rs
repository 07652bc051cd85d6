//! The controller's process: its lock, its loop, its end.

use super::{
    client::socket_path,
    core::{Core, Message},
    server,
    store::{Store, StoreError},
};
use crate::{
    config::{Config, ConfigError},
    engine::{
        Engine, Engines, Report,
        local::Local,
        skypilot::{SkyPilot, SkyPilotError},
    },
    host::{clock::now, directory, hardware, ipc},
};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    net::UnixListener,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

/// So many messages at most are worked off together.
const BATCH: usize = 1024;

/// Why a controller cannot run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Another one does.
    #[error("a controller is running already in {}", .0.display())]
    Running(PathBuf),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// SkyPilot.
    #[error(transparent)]
    SkyPilot(#[from] SkyPilotError),
    /// The state directory or the socket.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Runs the controller of a state directory until it is told to stop. `ready` is called when it answers.
pub fn run(state: &Path, config_file: &Path, ready: impl FnOnce()) -> Result<(), DaemonError> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source| DaemonError::Io { path, source }
    };
    directory::make_private(state).map_err(fail(state))?;
    let lock = lock(state)?;
    write_pid(&lock).map_err(fail(state))?;
    let config = Config::read(config_file)?;
    write_slurm_conf(state, &config).map_err(fail(state))?;
    let store = Store::open(&store(state))?;
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fail(state))?;
    runtime.block_on(async {
        let (reports, mut reported) = mpsc::unbounded_channel::<Report>();
        let local = Local::new(&config, state, reports.clone(), now()).map_err(fail(state))?;
        let mut engines: Vec<Box<dyn Engine>> = vec![Box::new(local)];
        if let Some(skypilot) = SkyPilot::new(&config, state, reports).await? {
            engines.push(Box::new(skypilot));
        }
        let order = config.partition.iter().map(|p| p.name.clone()).collect();
        let mut core = Core::new(config, state.to_owned(), store, Box::new(Engines::new(engines, order)))?;
        let socket = socket_path(state);
        let _ = fs::remove_file(&socket);
        let listener = ipc::listen(&socket).map_err(fail(&socket))?;
        listener.set_nonblocking(true).map_err(fail(&socket))?;
        let listener = UnixListener::from_std(listener).map_err(fail(&socket))?;
        let (messages, mut asked) = mpsc::unbounded_channel::<Message>();
        tokio::spawn(server::serve(listener, messages));
        let mut term = signal(SignalKind::terminate()).map_err(fail(state))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(fail(state))?;
        // Jobs that were waiting when the last controller ended may start now.
        core.reschedule = true;
        tracing::info!(pid = std::process::id(), "controller is up");
        ready();
        while !core.stopping() {
            let mut questions = Vec::new();
            let mut news = Vec::new();
            let due = core.next_due();
            tokio::select! {
                biased;
                _ = asked.recv_many(&mut questions, BATCH) => {}
                _ = reported.recv_many(&mut news, BATCH) => {}
                () = std::future::ready(()), if core.has_work() => {}
                () = sleep_until(due) => {}
                _ = term.recv() => break,
                _ = interrupt.recv() => break,
            }
            // Whatever else has come in goes into the same batch.
            while let Ok(more) = asked.try_recv() {
                questions.push(more);
            }
            while let Ok(more) = reported.try_recv() {
                news.push(more);
            }
            core.batch(questions, news);
            // The answers go out before anything that takes its time.
            tokio::task::yield_now().await;
            core.work();
        }
        let _ = fs::remove_file(&socket);
        // The answer to `stop` is on its way.
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        tracing::info!("controller ends");
        Ok(())
    })
}

/// As many open files as may be had: each running job and each client needs one.
fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

async fn sleep_until(due: Option<i64>) {
    match due {
        Some(due) => tokio::time::sleep(pause(due, now())).await,
        None => std::future::pending().await,
    }
}

/// How long to sleep for what is due: a clock that is set meanwhile, forward or back, is noticed within a minute.
fn pause(due: i64, now: i64) -> Duration {
    Duration::from_secs(due.saturating_sub(now).clamp(0, 60).unsigned_abs())
}

/// The lock that makes the controller the only one of its state directory; it goes with the process.
pub(super) fn lock(state: &Path) -> Result<nix::fcntl::Flock<File>, DaemonError> {
    let path = state.join("controller.lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|source| DaemonError::Io { path, source })?;
    nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusiveNonblock)
        .map_err(|_| DaemonError::Running(state.to_owned()))
}

/// Notes in the lock file who holds it, for `skyslurm controller stop` of another version.
fn write_pid(mut lock: &File) -> io::Result<()> {
    lock.set_len(0)?;
    writeln!(lock, "{}", std::process::id())
}

/// The file `SLURM_CONF` names inside jobs: it tells commands where their controller is.
fn write_slurm_conf(state: &Path, config: &Config) -> io::Result<()> {
    let text = format!(
        "{}: the commands find the state directory by this file's place\nClusterName={}\nSlurmctldHost={}\nStateSaveLocation={}\n",
        directory::CONF_MARK,
        config.controller.cluster_name,
        hardware::host_name(),
        state.display(),
    );
    fs::write(state.join("slurm.conf"), text)
}

/// The store of a state directory.
pub(super) fn store(state: &Path) -> PathBuf {
    state.join("skyslurm.db")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_is_looked_at_soon() {
        let pauses =
            [(10, 10), (10, 7), (10, 99_999), (86_400, 0), (i64::MAX, i64::MIN)].map(|(due, now)| pause(due, now));
        assert_eq!(pauses.map(|pause| pause.as_secs()), [0, 3, 0, 60, 60]);
    }
}
