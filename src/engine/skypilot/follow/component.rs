//! A further component of a handed heterogeneous job: a task of the same group. Its nodes' agents have nothing to tell, as the
//! first component's does that for all; but they have to be told where that one waits for them, and the server says how
//! they are.

use super::{Order, waits};
use crate::{
    engine::{
        News,
        skypilot::{
            control,
            group::Stage,
            shared::{Meet, Shared},
            vehicle::{Seen, Status, Vehicle, Watch},
        },
    },
    job::{Job, JobId},
    slurm::state::JobState,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc::UnboundedReceiver, watch},
    time::Instant,
};

/// Its nodes, which may not be there yet, are told again after this where the first one is.
const AGAIN: Duration = Duration::from_secs(3);

/// And after this, where they may have heard it: what came before a work directory did can be lost.
const HEARD: Duration = Duration::from_secs(30);

/// A first node that waits for a component whose task has failed does so in vain, unless it was heard within this that they
/// have met before that.
const GRACE: Duration = Duration::from_secs(5);

struct Component {
    shared: Arc<Shared>,
    job: Job,
    leader: JobId,
    vehicle: Vehicle,
    watch: Watch,
    /// Of the first component's task.
    first: Watch,
    meet: watch::Receiver<Meet>,
    /// When its nodes are told where to go.
    tell_at: Option<Instant>,
    /// Its task has failed.
    has_failed: bool,
    /// When the first one is told that they will never meet.
    over_at: Option<Instant>,
}

/// Follows one that is being submitted.
pub async fn submitted(
    shared: Arc<Shared>,
    job: Job,
    mut stage: watch::Receiver<Stage>,
    mut orders: UnboundedReceiver<Order>,
) {
    let taken = stage.wait_for(|stage| matches!(stage, Stage::Taken(_) | Stage::Apart | Stage::Failed(_)));
    let number = tokio::select! {
        stage = taken => match stage.as_deref() {
            Ok(Stage::Taken(numbers)) => numbers.first().copied(),
            _ => None, // the first component's follower says what became of it
        },
        () = released(&mut orders) => None,
    };
    if let Some(number) = number {
        adopted(shared, job, number, orders).await;
    }
}

/// Follows one that SkyPilot has, with the others, under `number`.
pub async fn adopted(shared: Arc<Shared>, job: Job, number: u32, mut orders: UnboundedReceiver<Order>) {
    let (leader, vehicle) = (job.leader_id(), Vehicle::of(&job, number));
    if job.state != JobState::Pending {
        shared.note_meet(leader, Meet::Met);
    }
    let mut component = Component {
        watch: vehicle.watch(&shared),
        first: vehicle.watch_task(&shared, 0),
        meet: shared.meet(leader),
        tell_at: None,
        over_at: None,
        has_failed: false,
        leader,
        vehicle,
        job,
        shared,
    };
    component.meet.mark_changed();
    tokio::select! {
        () = component.run() => released(&mut orders).await,
        () = released(&mut orders) => {}
    }
}

/// The controller has let go of it. What it orders it orders the first component's follower.
async fn released(orders: &mut UnboundedReceiver<Order>) {
    while orders.recv().await.is_some() {}
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

impl Component {
    async fn run(&mut self) {
        loop {
            tokio::select! {
                changed = self.watch.known.changed() => {
                    let seen = self.watch.known.borrow_and_update().clone();
                    if changed.is_err() || seen.is_some_and(|seen| self.status(seen)) {
                        return;
                    }
                }
                changed = self.meet.changed() => {
                    if changed.is_err() || self.met() {
                        return;
                    }
                }
                () = at(self.tell_at) => self.invite().await,
                () = at(self.over_at) => return self.is_gone(),
            }
        }
    }

    /// How far they are with meeting; `true`: nothing is left to be done.
    fn met(&mut self) -> bool {
        let (now, is_over) = (Instant::now(), self.has_failed);
        let waits = matches!(*self.meet.borrow_and_update(), Meet::At(_));
        (self.tell_at, self.over_at) = match (waits, is_over) {
            (true, false) => (Some(now), None),
            (true, true) => (None, Some(now + GRACE)),
            (false, _) => (None, None),
        };
        is_over && *self.meet.borrow() == Meet::Met
    }

    /// What the server says of it; `true`: nothing is left to be done.
    fn status(&mut self, seen: Seen) -> bool {
        let has_met = *self.meet.borrow() == Meet::Met;
        match seen.status {
            // It is submitted anew with all the others, as a job that has lost its nodes.
            Status::Recovering if has_met => {
                self.shared.tell(self.leader, News::Preempted);
                return true;
            }
            // Where they have met the first node's agent tells what becomes of it.
            _ if seen.is_over() => {
                self.has_failed = seen.has_failed;
                return !seen.has_failed || self.met();
            }
            _ if !has_met => self.shared.tell(self.job.id, waits(&seen)),
            _ => {}
        }
        false
    }

    /// Tells its nodes where the first one is.
    async fn invite(&mut self) {
        self.tell_at = None;
        let Meet::At(meeting) = self.meet.borrow_and_update().clone() else { return };
        let client = self.shared.client.clone().with_patience(Duration::ZERO);
        let told = control::invite(&client, &self.shared.spool, &self.vehicle, &meeting).await;
        let again = match told {
            Ok(()) => HEARD,
            Err(error) => {
                tracing::debug!(job = self.job.id, error, "not told where the first node is");
                AGAIN
            }
        };
        self.tell_at = Some(Instant::now() + again);
    }

    /// Its task has failed some time ago: if the first one's goes on, that waits in vain.
    fn is_gone(&self) {
        let over = |watch: &Watch| watch.known.borrow().as_ref().is_some_and(Seen::is_over);
        if over(&self.first) || *self.meet.borrow() == Meet::Met {
            return; // what the first one has said is read to its end
        }
        let seen = self.watch.known.borrow().clone().unwrap_or_default();
        let component = self.job.het.map_or(0, |het| het.offset);
        let why = format!("component {component}: {}", seen.detail.unwrap_or_default());
        self.shared.note_meet(self.leader, Meet::Never(why));
    }
}
