//! What becomes of reservations, and of the jobs that have them, as time goes on.

use super::core::Core;
use crate::{
    agent::wire::Control,
    host::clock,
    job::{Hold, Job, JobId, Reservation},
    slurm::{reason::Reason, state::JobState},
};
use std::sync::Arc;

impl Core {
    /// When the next of them begins, ends or has been idle for long enough.
    pub(super) fn reservation_due(&self) -> Option<i64> {
        let times = |r: &Reservation| {
            let idle = r.idle_since.filter(|_| r.has("PURGE_COMP")).map(|since| since.saturating_add(r.purge));
            let moves = |end: bool| r.float.is_some_and(|float| !end || float.lasts.is_some());
            [Some(r.start).filter(|_| !moves(false)), Some(r.end).filter(|_| !moves(true)), idle]
        };
        let seen = self.reservations_seen;
        self.reservations.iter().flat_map(times).flatten().filter(|at| *at > seen).min()
    }

    /// Those that float are ahead of `now`.
    pub(super) fn float_reservations(&mut self, now: i64) {
        self.reservations.iter_mut().for_each(|reservation| reservation.float_to(now));
    }

    /// A job that had one has ended.
    pub(super) fn leave_reservation(&mut self, id: JobId, now: i64) {
        let Some(name) = self.table.get(id).and_then(|job| job.request.reservation.clone()) else { return };
        for left in self.reservations.iter_mut().filter(|r| r.name == name) {
            left.idle_since = None;
        }
        self.look_at_reservations(now);
    }

    /// Looks at them when one begins, ends or was changed, and at the jobs that have them.
    pub(super) fn look_at_reservations(&mut self, now: i64) {
        self.reservations_seen = now;
        self.reschedule = true;
        self.float_reservations(now);
        let with: Vec<JobId> =
            self.table.jobs().filter(|j| !j.is_finished() && j.request.reservation.is_some()).map(|j| j.id).collect();
        for id in with.iter().copied() {
            let Some(job) = self.table.get(id) else { continue };
            let is_over = |name: &String| self.reservation(name).is_some_and(|r| r.end <= now && !r.is_loose());
            // `ResvOverRun` is none.
            if job.state != JobState::Pending && job.leads() && job.request.reservation.as_ref().is_some_and(is_over) {
                let uid = job.request.user.uid;
                self.engine.control(id, Control::Terminate { uid, state: JobState::Timeout });
            }
        }
        let before = self.reservations.clone();
        let (left, gone): (Vec<_>, Vec<_>) =
            before.iter().cloned().map(|r| self.aged(r, now)).partition(|(_, stays)| *stays);
        self.reservations = left.into_iter().map(|(reservation, _)| reservation).collect();
        self.reservations_changed |= self.reservations != before;
        for (gone, _) in gone {
            self.release_from(&gone);
        }
        for id in with {
            if self.table.get(id).is_some_and(|job| job.state == JobState::Pending) {
                self.look_at(id, now);
            }
        }
    }

    /// One as it is by now, and whether it stays.
    fn aged(&self, mut reservation: Reservation, now: i64) -> (Reservation, bool) {
        let is_its = |job: &&Job| !job.is_finished() && job.request.reservation.as_ref() == Some(&reservation.name);
        let (mut runs, mut waits) = (false, false);
        for job in self.table.jobs().filter(is_its) {
            waits |= job.state == JobState::Pending;
            runs |= job.state != JobState::Pending;
        }
        reservation.idle_since = match reservation.idle_since {
            _ if runs || waits || reservation.start > now => None,
            since => since.or(Some(now)),
        };
        let idles = |since: i64| reservation.has("PURGE_COMP") && now - since >= reservation.purge;
        if reservation.end > now && reservation.idle_since.is_some_and(idles) {
            let again = reservation.go_on(&clock::local().timezone());
            return (reservation, again);
        }
        let mut again = false;
        while reservation.end <= now && reservation.go_on(&clock::local().timezone()) {
            again = true;
        }
        // One that is over goes when nobody runs in it any more.
        let stays = again || reservation.end > now || (runs && !reservation.is_loose());
        (reservation, stays)
    }

    /// Jobs that wait for one that is gone are held, or go without (`NO_HOLD_JOBS_AFTER_END`).
    fn release_from(&mut self, gone: &Reservation) {
        let is_its =
            |job: &&Job| job.state == JobState::Pending && job.request.reservation.as_ref() == Some(&gone.name);
        let jobs: Vec<JobId> = self.table.jobs().filter(is_its).map(|job| job.id).collect();
        for id in jobs {
            let Some(job) = self.table.get_mut(id) else { continue };
            Arc::make_mut(&mut job.request).reservation = None;
            if !gone.has("NO_HOLD_JOBS_AFTER_END") {
                (job.hold, job.priority) = (Hold::ReservationGone, 0);
                (job.reason, job.detail) =
                    (Reason::ReservationDeleted, Some(format!("Reservation {} was deleted", gone.name)));
            }
            self.save(id);
            self.look_at(id, self.reservations_seen);
        }
    }
}
