//! A further component of a handed heterogeneous job: a task of the same group or, of an allocation, a cluster of its own. Its
//! nodes' agents have nothing to tell, as the first component's does that for all; but they have to be told where that one
//! waits for them, and the server says how they are.

use super::{Order, cancelled_there, gone, waits};
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

/// Of a cluster that is gone the agents have noticed, and told, within this; or it is said here.
const NOTICED: Duration = Duration::from_secs(30);

struct Component {
    shared: Arc<Shared>,
    job: Job,
    leader: JobId,
    vehicle: Vehicle,
    watch: Watch,
    /// Of the first component's task, where they are a group.
    first: Option<Watch>,
    meet: watch::Receiver<Meet>,
    /// When its nodes are told where to go.
    tell_at: Option<Instant>,
    /// They have been told before.
    is_told: bool,
    /// Its task, or its cluster, was seen to be there.
    was_there: bool,
    /// It has failed.
    has_failed: bool,
    /// When it is told that they will never meet, or that nodes are lost.
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
        first: (!vehicle.stays()).then(|| vehicle.watch_task(&shared, 0)),
        meet: shared.meet(leader),
        tell_at: None,
        is_told: false,
        over_at: None,
        was_there: false,
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
        let (now, meet) = (Instant::now(), self.meet.borrow_and_update().clone());
        // The tasks of a group the server ends together.
        let is_alone = self.vehicle.stays();
        let never_was = is_alone && !self.was_there;
        (self.tell_at, self.over_at) = match (&meet, self.has_failed) {
            (Meet::At(_), false) => (Some(now), None),
            (Meet::At(_) | Meet::Ahead, true) if never_was => (None, Some(now)),
            (Meet::At(_), true) => (None, Some(now + GRACE)),
            (Meet::Ahead, true) if is_alone => (None, Some(now + GRACE)),
            (Meet::Met, true) if is_alone => (None, Some(now + NOTICED)),
            _ => (None, None),
        };
        self.has_failed && meet == Meet::Met && !is_alone
    }

    /// What the server says of it; `true`: nothing is left to be done.
    fn status(&mut self, seen: Seen) -> bool {
        let has_met = *self.meet.borrow() == Meet::Met;
        self.was_there |= seen.status == Status::Running;
        match seen.status {
            // It is submitted anew with all the others, as a job that has lost its nodes.
            Status::Recovering if has_met => {
                self.shared.tell(self.leader, News::Preempted);
                return true;
            }
            // A restart of the server ended its launch, or somebody there did.
            Status::Lost if self.vehicle.stays() && !has_met => {
                self.shared.tell(self.leader, News::NeverStarted);
                return true;
            }
            Status::Cancelled if self.vehicle.stays() && !has_met => {
                self.shared.tell(self.leader, cancelled_there());
                return true;
            }
            // Where they have met the first node's agent tells what becomes of it.
            _ if seen.is_over() => {
                self.has_failed = seen.has_failed || self.vehicle.stays();
                return !self.has_failed || self.met();
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
            Ok(()) => {
                // Who was told and has not come may be dead, which on a cluster of its own nobody else notices.
                if std::mem::replace(&mut self.is_told, true) && self.vehicle.stays() {
                    self.watch.hurry();
                }
                HEARD
            }
            Err(error) => {
                tracing::debug!(job = self.job.id, error, "not told where the first node is");
                AGAIN
            }
        };
        self.tell_at = Some(Instant::now() + again);
    }

    /// It has failed some time ago: if the first one goes on, that waits in vain.
    fn is_gone(&self) {
        let over = |watch: &Watch| watch.known.borrow().as_ref().is_some_and(Seen::is_over);
        let has_met = *self.meet.borrow() == Meet::Met;
        if self.first.as_ref().is_some_and(|first| has_met || over(first)) {
            return; // what the first one has said is read to its end
        }
        let seen = self.watch.known.borrow().clone().unwrap_or_default();
        let component = self.job.het.map_or(0, |het| het.offset);
        let why = format!("component {component}: {}", seen.detail.unwrap_or_default());
        match has_met {
            true => self.shared.tell(self.leader, gone(JobState::NodeFail, Some(why))),
            false => self.shared.note_meet(self.leader, Meet::Never(why)),
        }
    }
}
