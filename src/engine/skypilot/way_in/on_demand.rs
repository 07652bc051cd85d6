//! The way into a managed job: opened when somebody wants to get in, and gone when nobody has used it for a while.
//!
//! Its agent has a door: a port at which it lets in who has the job's key, which is the user's alone. What connects to the
//! socket here is brought there by `skyslurm relay` ([`crate::agent::relay`]): at once, where the node's address is in reach;
//! else through ssh, to the node itself or, since SkyPilot's server leads nobody into the clusters of managed jobs (it says that
//! they are not found), to a small cluster of our own beside it ([`super::gate`]).

use super::{
    OPENING, Paths, Target, Trouble, answers, furnish, last_line, nodes, private,
    process::{self, forwards},
};
use crate::{
    agent::{
        Reach,
        relay::{Plan, There},
    },
    engine::skypilot::shared::Shared,
    host::directory,
};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

/// A node whose address is in reach takes a connection within this time.
const AT_ONCE: Duration = Duration::from_secs(1);

/// So long it is kept while nobody uses it, seconds.
const IDLE: u64 = 300;

/// ssh's end of the way, below the way's directory.
const DOOR: &str = "agent.sock";

/// Opens it, unless it is open. `key` opens the agent's door.
///
/// # Errors
/// Why that cannot be, in words.
pub async fn open(shared: &Arc<Shared>, target: &Target, key: [u8; 32]) -> Result<(), String> {
    if answers(&target.layout.socket(0)).await {
        return Ok(());
    }
    let opened = Opening { shared, target, key }.open().await;
    if let Err(trouble) = &opened {
        tracing::warn!(job = target.job, %trouble, "no way into the job");
    }
    opened.map_err(|trouble| trouble.to_string())
}

struct Opening<'a> {
    shared: &'a Arc<Shared>,
    target: &'a Target,
    key: [u8; 32],
}

impl Opening<'_> {
    async fn open(&self) -> Result<(), Trouble> {
        process::end(&self.target.layout.way_in()).await;
        let reach = &self.target.reach;
        let (Some(host), Some(port)) = (reach.hosts.first(), reach.door) else { return Err(Trouble::NoDoor) };
        if self.shared.settings.direct != Some(false)
            && let Some(address) = at_once(&host.address, port).await
            && self.serve(There::Address(address)).await.is_ok()
        {
            return Ok(());
        }
        let client = self.shared.client.clone().with_patience(Duration::ZERO);
        let Some(access) = client.access(&self.target.cluster).await? else { return Err(Trouble::Apart) };
        let to = format!("{}:{port}", bracketed(&host.address));
        let Some(infra) = nodes::needs_gate(&access) else {
            let nodes = nodes::nodes(self.target.job, &self.target.cluster, &access, reach);
            furnish(&client, &self.target.cluster, (&access, &nodes), &self.paths())?;
            return self.serve(self.behind(&to, &self.target.cluster)).await;
        };
        if self.shared.settings.gate == Some(false) {
            return Err(Trouble::NoGate(access.cloud));
        }
        let (gate, access) = self.shared.gates.through(self.shared, &infra, self.target.layout.way_in()).await?;
        let nodes = nodes::nodes(self.target.job, &gate, &access, &Reach::default());
        furnish(&client, &gate, (&access, &nodes), &self.paths())?;
        let served = self.serve(self.behind(&to, &gate)).await;
        if served.is_err() {
            self.shared.gates.forget(&infra, &gate);
        }
        served
    }

    fn paths(&self) -> Paths {
        Paths::of(&self.target.layout)
    }

    /// The door, where an ssh to `host` leads.
    fn behind(&self, to: &str, host: &str) -> There {
        let Paths { dir, config, .. } = self.paths();
        let mut args = vec!["-F".to_owned(), config.to_string_lossy().into_owned()];
        args.extend(forwards(DOOR, to, host));
        There::Behind { socket: dir.join(DOOR), command: ("ssh".into(), args, dir) }
    }

    /// Starts the relay, and waits until the agent answers through it.
    async fn serve(&self, there: There) -> Result<(), Trouble> {
        let (paths, here) = (self.paths(), self.target.layout.socket(0));
        directory::make_private(&paths.dir)?;
        let plan = Plan { here: here.clone(), there, key: self.key, idle: IDLE };
        let file = paths.dir.join(process::RELAY);
        private(&file, &serde_json::to_vec(&plan).map_err(io::Error::other)?)?;
        let mut relay = process::relay(&file, &paths.log)?;
        let until = Instant::now() + OPENING;
        loop {
            let is_up = here.exists();
            if answers(&here).await {
                return Ok(());
            }
            // Who is at the address itself and does not answer is somebody else.
            let is_shut = is_up && matches!(plan.there, There::Address(_));
            if is_shut || relay.try_wait()?.is_some() || Instant::now() > until {
                process::end(&paths.dir).await;
                let why = last_line(&paths.log);
                let _ = std::fs::remove_file(&here);
                let _ = std::fs::remove_dir_all(&paths.dir);
                return Err(Trouble::Relay(why));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The address, if it takes connections from here.
async fn at_once(address: &str, port: u16) -> Option<SocketAddr> {
    let address = SocketAddr::new(address.parse::<IpAddr>().ok()?, port);
    let connected = timeout(AT_ONCE, TcpStream::connect(address)).await;
    matches!(connected, Ok(Ok(_))).then_some(address)
}

fn bracketed(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}
