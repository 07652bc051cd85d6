//! Gates: small clusters of our own, one for each infra, through which managed jobs are reached where the server leads nobody
//! into their clusters. One is made when it is needed and taken down some minutes after; it is leased by the hour, so that one
//! whose controller never comes back goes by itself.

use super::{Trouble, process};
use crate::engine::skypilot::{
    client::{Access, Client},
    shared::Shared,
    task::Task,
    vehicle,
};
use serde_yaml::Value;
use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

/// So long one may take to be there.
const MAKING: Duration = Duration::from_secs(600);

/// How often is looked whether anybody uses it.
const LOOK: Duration = Duration::from_secs(30);

/// So long it stays when nobody does.
const IDLE: Duration = Duration::from_secs(300);

/// Its job ends after this. Without one it goes by itself.
const LEASE: Duration = Duration::from_secs(3600);

/// All that there are, by infra.
#[derive(Default)]
pub struct Gates(Mutex<HashMap<String, Gate>>);

#[derive(Clone)]
struct Gate {
    name: String,
    stage: watch::Receiver<Stage>,
    /// The directories of the ways that lead through it.
    users: Arc<Mutex<HashSet<PathBuf>>>,
}

#[derive(Clone)]
enum Stage {
    Making,
    Open(Access),
    Failed(String),
}

impl Gates {
    /// The gate of an infra for the way whose directory is `user`: its name, and how one gets into it. It is made if there is none.
    pub(super) async fn through(
        &self,
        shared: &Arc<Shared>,
        infra: &str,
        user: PathBuf,
    ) -> Result<(String, Access), Trouble> {
        let mut gate = lock(&self.0).entry(infra.to_owned()).or_insert_with(|| make(shared, infra)).clone();
        lock(&gate.users).insert(user);
        let settled = gate.stage.wait_for(|stage| !matches!(stage, Stage::Making)).await;
        match settled.as_deref() {
            Ok(Stage::Open(access)) => Ok((gate.name, access.clone())),
            Ok(Stage::Failed(why)) => Err(Trouble::Gate(why.clone())),
            _ => Err(Trouble::Gate("it was given up".into())),
        }
    }

    /// It leads nowhere: the next one who needs a gate of this infra is given another.
    pub(super) fn forget(&self, infra: &str, name: &str) {
        lock(&self.0).retain(|at, gate| at != infra || gate.name != name);
    }
}

fn make(shared: &Arc<Shared>, infra: &str) -> Gate {
    let name = shared.names.of_job("gate", 0);
    shared.hold(&name);
    let (tell, stage) = watch::channel(Stage::Making);
    let gate = Gate { name, stage, users: Arc::default() };
    tokio::spawn(keep(Arc::clone(shared), infra.to_owned(), gate.clone(), tell));
    gate
}

/// Makes it, keeps it while it is used, and takes it down.
async fn keep(shared: Arc<Shared>, infra: String, gate: Gate, tell: watch::Sender<Stage>) {
    let client = shared.client.clone().with_patience(Duration::ZERO);
    tracing::info!(infra, gate.name, "a gate is made");
    let opened = timeout(MAKING, open(&client, &gate.name, &infra)).await;
    match opened.unwrap_or_else(|_| Err("it took too long".into())) {
        Ok(access) => {
            let _ = tell.send(Stage::Open(access));
            used(&client, &gate, &infra).await;
            shared.gates.forget(&infra, &gate.name);
        }
        Err(why) => {
            shared.gates.forget(&infra, &gate.name);
            let _ = tell.send(Stage::Failed(why));
        }
    }
    tracing::info!(infra, gate.name, "the gate is taken down");
    vehicle::clear(&client, gate.name.clone()).await;
    shared.let_go(&gate.name);
}

/// Waits until nobody has used it for a while.
async fn used(client: &Client, gate: &Gate, infra: &str) {
    let (mut used, mut leased) = (Instant::now(), Instant::now());
    while used.elapsed() < IDLE {
        sleep(LOOK).await;
        // From now on a user that has no process is none: it has one before the way it was asked for is open.
        let users: Vec<PathBuf> = lock(&gate.users).iter().cloned().collect();
        if users.iter().any(|dir| !process::find(dir).is_empty()) {
            used = Instant::now();
        }
        if leased.elapsed() > LEASE / 2 {
            match client.exec(&gate.name, &task(&gate.name, infra).submission(), None).await {
                Ok(()) => leased = Instant::now(),
                Err(error) => tracing::warn!(gate.name, %error, "the gate's lease is not renewed"),
            }
        }
    }
}

async fn open(client: &Client, name: &str, infra: &str) -> Result<Access, String> {
    let fail = |error: crate::engine::skypilot::client::Error| error.to_string();
    client.launch_cluster(name, &task(name, infra).submission(), None).await.map_err(fail)?;
    let launches = client.launches(name).await.map_err(fail)?;
    let launch = launches.first().ok_or("the server knows nothing of it")?;
    client.launched(&launch.request_id).await.map_err(fail)?;
    let access = client.access(name).await.map_err(fail)?;
    access.ok_or_else(|| "the API server gives no key for it".to_owned())
}

/// What it does: nothing, for the time of the lease.
fn task(name: &str, infra: &str) -> Task {
    let run = format!("sleep {}", LEASE.as_secs());
    let mut task = Task { name: name.to_owned(), run, ..Task::default() };
    for (key, value) in [("infra", infra), ("cpus", "1+")] {
        task.resources.insert(Value::from(key), Value::from(value));
    }
    task.ends_when_idle(&[infra.to_owned()]);
    task
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_forgotten_goes_by_itself() {
        let wanted = "name: gate-0-x\nresources:\n  infra: slurm/lab\n  cpus: 1+\n  autostop:\n    idle_minutes: 10\n    \
                      down: true\n    wait_for: jobs\nrun: sleep 3600\n";
        assert_eq!(task("gate-0-x", "slurm/lab").yaml(), wanted);
    }
}
