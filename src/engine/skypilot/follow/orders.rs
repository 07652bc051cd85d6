//! What the controller wants of a followed job: brought to its agent where there is one, else done by the server.

use super::{END_AGAIN, Follow, NOT_YET_RUNNING, PATIENCE, ended_by, gone};
use crate::{
    agent::{
        remote::door_key,
        wire::{self, Control},
    },
    engine::skypilot::{control, way_in::on_demand},
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

impl Follow {
    /// What the controller wants; `true`: the job is over.
    pub(super) async fn order(&mut self, order: Control) -> bool {
        match &order {
            Control::Terminate { state, .. } => {
                let wait = Duration::from_secs(self.shared.kill_wait.into()) + PATIENCE;
                self.ending = Some((*state, Instant::now() + wait));
                if self.is_placed && !self.is_over {
                    self.send(order);
                    return false;
                }
                // Nothing of it runs yet, and once the server has taken this nothing will.
                let state = *state;
                if self.cancel().await {
                    self.tell(gone(state, None));
                    return true;
                }
                false
            }
            Control::TimeLimit(_) if !self.is_placed => {
                self.limits.push(order);
                false
            }
            Control::Component(_, of) if !self.is_placed && matches!(**of, Control::TimeLimit(_)) => {
                self.limits.push(order);
                false
            }
            _ => {
                if self.is_placed {
                    self.send(order);
                }
                false
            }
        }
    }

    /// Has a way in opened, if the agent has told where it is.
    pub(super) fn let_in(&mut self, answer: oneshot::Sender<Result<(), String>>) {
        if self.vehicle.stays() || !self.is_placed {
            let _ = answer.send(Err(NOT_YET_RUNNING.into())); // an allocation's is open before it counts as running
            return;
        }
        let Some(target) = self.target.clone() else { return self.askers.push(answer) };
        let (shared, opening) = (Arc::clone(&self.shared), Arc::clone(&self.opening));
        let key = door_key(&shared.key, &self.vehicle.name, self.rank);
        tokio::spawn(async move {
            let _one_at_a_time = opening.lock().await;
            let _ = answer.send(on_demand::open(&shared, &target, key).await);
        });
    }

    /// Has the order brought to the agent, after those before it.
    pub(super) fn send(&mut self, order: Control) {
        if self.to_agent.is_none() {
            let (to_agent, mut orders) = mpsc::unbounded_channel::<Control>();
            let (lost, unreached) = mpsc::unbounded_channel();
            let near = self.layout.socket(0);
            let (shared, vehicle, rank) = (Arc::clone(&self.shared), self.vehicle.clone(), self.rank);
            // A controller that was restarted does not know what the last one has sent.
            let mut serial = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(0));
            tokio::spawn(async move {
                while let Some(order) = orders.recv().await {
                    if reaches(near.clone(), order.clone()).await {
                        continue;
                    }
                    serial += 1;
                    let sent = control::send(&shared.client, &shared.spool, (&vehicle, rank), serial, &order).await;
                    if let Err(error) = sent {
                        tracing::warn!(name = vehicle.name, error, "agent not reached");
                        let _ = lost.send(order);
                    }
                }
            });
            self.to_agent = Some(to_agent);
            self.unreached = Some(unreached);
        }
        if let Some(to_agent) = &self.to_agent {
            let _ = to_agent.send(order);
        }
    }

    /// An order did not reach the agent: a job that was to end is ended by the server.
    pub(super) async fn not_reached(&mut self, order: &Control) {
        if ended_by(order).is_some() && !self.is_over {
            self.cancel().await;
        }
    }

    /// Has the server cancel the job; whether it took that.
    pub(super) async fn cancel(&mut self) -> bool {
        // What else there is to be done for the job does not wait for a server that is away.
        let client = self.shared.client.clone().with_patience(Duration::ZERO);
        let ended = self.vehicle.end(&client).await;
        self.is_unwanted = ended.is_err();
        match ended {
            Ok(()) => {
                self.is_cancelled = true;
                self.watch.hurry();
                true
            }
            Err(error) => {
                tracing::warn!(job = self.job.id, %error, "not cancelled");
                if let Some((_, at)) = &mut self.ending {
                    *at = Instant::now() + END_AGAIN;
                }
                false
            }
        }
    }
}

/// Whether an order reaches the agent at once: where there is a way in to it, it answers on a socket here.
async fn reaches(socket: PathBuf, order: Control) -> bool {
    socket.exists()
        && tokio::task::spawn_blocking(move || wire::control(&socket, &order)).await.is_ok_and(|said| said.is_ok())
}
