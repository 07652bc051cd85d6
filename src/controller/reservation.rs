//! `scontrol create reservation` and what follows from it: which nodes a job may not have now.
//!
//! Reservations are few: all of them are written when one changes, and looked through when a job is.

use super::{api::Reply, core::Core};
use crate::{
    agent::wire::Control,
    engine::Unfit,
    host::user,
    job::{Job, JobId, Needs, Partition, Request, Reservation},
    slurm::{
        errno::Errno,
        reason::Reason,
        reservation::{self, Asked, Sign},
        state::JobState,
        time::TimeLimit,
    },
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// So long is one without end.
const YEAR: i64 = 365 * 24 * 3600;

fn until(start: i64, limit: TimeLimit) -> i64 {
    match limit {
        TimeLimit::Minutes(minutes) => start.saturating_add(i64::from(minutes) * 60),
        TimeLimit::Unlimited => start.saturating_add(YEAR),
    }
}

impl Core {
    fn reservation(&self, name: &str) -> Option<&Reservation> {
        self.reservations.iter().find(|r| r.name == name)
    }

    /// Makes one; its name.
    pub(super) fn reserve(&mut self, asked: Asked, now: i64) -> Reply {
        let id = self.reservations.iter().map(|r| r.id).max().unwrap_or(0) + 1;
        let who = asked.users.iter().chain(&asked.accounts).flatten().next();
        let who = who.map(|(_, name)| name.clone()).unwrap_or_default();
        let name = asked.name.clone().unwrap_or_else(|| format!("{who}_{id}"));
        if self.reservation(&name).is_some() {
            return Reply::refused(Errno::ReservationDuplicate);
        }
        let made = self.changed(Reservation { id, name: name.clone(), ..Reservation::default() }, asked, now);
        match made {
            Ok(made) => {
                self.keep(self.reservations.iter().cloned().chain([made]).collect(), now);
                Reply::Reserved(name)
            }
            Err(reply) => reply,
        }
    }

    /// Changes one.
    pub(super) fn change_reservation(&mut self, asked: Asked, now: i64) -> Reply {
        let found = asked.name.as_deref().and_then(|name| self.reservation(name)).cloned();
        let Some(found) = found else { return Reply::refused(Errno::InvalidReservation) };
        if asked.start.is_some() && found.start <= now {
            return Reply::refused(Errno::ReservationStarted);
        }
        let id = found.id;
        let changed = match self.changed(found, asked, now) {
            Ok(changed) => changed,
            Err(reply) => return reply,
        };
        let all = self.reservations.iter().map(|r| if r.id == id { changed.clone() } else { r.clone() });
        self.keep(all.collect(), now);
        Reply::Done(vec![Ok(())])
    }

    /// Takes one away that no job has.
    pub(super) fn delete_reservation(&mut self, name: &str, now: i64) -> Reply {
        if self.reservation(name).is_none() {
            return Reply::refused(Errno::InvalidReservation);
        }
        let is_used = |job: &Job| !job.is_finished() && job.request.reservation.as_deref() == Some(name);
        if self.table.jobs().any(is_used) {
            return Reply::refused(Errno::ReservationBusy);
        }
        let left = self.reservations.iter().filter(|r| r.name != name).cloned().collect();
        self.keep(left, now);
        Reply::Done(vec![Ok(())])
    }

    /// A reservation with what is asked of it.
    fn changed(&self, mut to: Reservation, asked: Asked, now: i64) -> Result<Reservation, Reply> {
        let is_new = to.nodes.is_empty();
        let length = to.end - to.start;
        to.start = asked.start.unwrap_or(to.start);
        to.end = match (asked.end, asked.duration) {
            (Some(end), _) => end,
            (None, Some((sign, duration))) => match sign {
                Sign::Set => until(to.start, duration),
                Sign::Add => until(to.end, duration),
                Sign::Remove => to.end - (until(to.start, duration) - to.start),
            },
            (None, None) => to.start + length,
        };
        // A minute for whoever typed `now` and took his time.
        if to.end <= to.start || to.end <= now || (is_new && to.start < now - 60) {
            return Err(Reply::refused(Errno::InvalidTime));
        }
        if asked.users.iter().flatten().any(|(_, name)| user::by_name(name).is_none()) {
            return Err(Reply::refused(Errno::UserId));
        }
        let accounts = &self.config.controller.accounts;
        let is_known = |name: &String| accounts.is_empty() || accounts.contains(name);
        if !asked.accounts.iter().flatten().all(|(_, name)| is_known(name)) {
            return Err(Reply::refused(Errno::InvalidAccount));
        }
        reservation::change(&mut to.users, asked.users);
        reservation::change(&mut to.accounts, asked.accounts);
        reservation::change(&mut to.flags, asked.flags);
        if to.users.is_empty() && to.accounts.is_empty() {
            return Err(Reply::refused(Errno::ReservationEmpty));
        }
        let partitions: Vec<Partition> = self.engine.partitions().into_iter().filter(|p| p.infra == "local").collect();
        let partition = match &asked.partition {
            Some(name) => {
                Some(partitions.iter().find(|p| &p.name == name).ok_or(Reply::refused(Errno::InvalidPartition))?)
            }
            None => partitions.iter().find(|p| p.default).or(partitions.first()),
        };
        let here = self.engine.nodes();
        let is_ours = |name: &str| partitions.iter().any(|p| p.nodes.iter().any(|n| n == name));
        let ours: Vec<&str> = here.iter().map(|n| n.name.as_str()).filter(|name| is_ours(name)).collect();
        let nodes: Option<Vec<String>> = match (asked.nodes, asked.node_count) {
            (Some(names), _) if names == ["ALL"] => Some(ours.iter().map(|name| (*name).to_owned()).collect()),
            (Some(names), _) => Some(names),
            (None, Some(count)) if count as usize <= to.nodes.len() && count > 0 => {
                // The first of them are given back.
                Some(to.nodes.split_off(to.nodes.len() - count as usize))
            }
            (None, Some(count)) => {
                let of = partition.map(|p| p.nodes.clone()).unwrap_or_default();
                let wanted = (count as usize).min(of.len());
                let is_free =
                    |name: &String| self.conflict(&Reservation { nodes: vec![name.clone()], ..to.clone() }).is_ok();
                let has = |name: &String| to.nodes.contains(name);
                let more = wanted.saturating_sub(of.iter().filter(|name| has(name)).count());
                let new: Vec<String> =
                    of.iter().filter(|name| !has(name) && is_free(name)).take(more).cloned().collect();
                let free: Vec<String> = of.into_iter().filter(|name| has(name) || new.contains(name)).collect();
                if free.len() < wanted || free.is_empty() {
                    return Err(busy());
                }
                if is_new {
                    to.partition = partition.map(|p| p.name.clone());
                }
                Some(free)
            }
            (None, None) => None,
        };
        if let Some(nodes) = nodes {
            if nodes.iter().any(|name| !ours.contains(&name.as_str())) || nodes.is_empty() {
                return Err(Reply::refused(Errno::InvalidNodeName));
            }
            to.nodes = nodes;
        }
        to.partition = asked.partition.or(to.partition);
        to.cpus = here.iter().filter(|n| to.nodes.contains(&n.name)).map(|n| n.cpus).sum();
        self.conflict(&to)?;
        Ok(to)
    }

    /// Whether others, or jobs that run, have its nodes then.
    fn conflict(&self, wanted: &Reservation) -> Result<(), Reply> {
        let is_its = |name: &str| wanted.nodes.iter().any(|n| n == name);
        let aside = |r: &Reservation| r.has("MAINT") || r.has("OVERLAP");
        let overlaps = |r: &&Reservation| {
            r.id != wanted.id
                && !aside(r)
                && r.overlaps(wanted.start, wanted.end)
                && r.nodes.iter().any(|name| is_its(name))
        };
        if !aside(wanted) && self.reservations.iter().any(|r| overlaps(&r)) {
            return Err(Reply::refused(Errno::ReservationOverlap));
        }
        let is_there = |job: &&Job| {
            matches!(job.state, JobState::Running | JobState::Suspended)
                && job.request.reservation.as_ref() != Some(&wanted.name)
                && until(job.start_time.unwrap_or(0), job.time_limit) > wanted.start
                && job.placement.as_ref().is_some_and(|p| p.names().any(is_its))
        };
        if !wanted.has("IGNORE_JOBS") && self.table.jobs().any(|job| is_there(&job)) {
            return Err(busy());
        }
        Ok(())
    }

    /// These are the reservations from now on.
    fn keep(&mut self, all: Vec<Reservation>, now: i64) {
        self.reservations = all;
        self.reservations_changed = true;
        self.look_at_reservations(now);
    }

    /// When the next of them begins or ends.
    pub(super) fn reservation_due(&self) -> Option<i64> {
        let seen = self.reservations_seen;
        self.reservations.iter().flat_map(|r| [r.start, r.end]).filter(|at| *at > seen).min()
    }

    /// Looks at those whose job's reservation begins, ends or was changed.
    pub(super) fn look_at_reservations(&mut self, now: i64) {
        self.reservations_seen = now;
        self.reschedule = true;
        let with: Vec<JobId> =
            self.table.jobs().filter(|j| !j.is_finished() && j.request.reservation.is_some()).map(|j| j.id).collect();
        for id in with {
            let Some(job) = self.table.get(id) else { continue };
            let over = |name: &String| self.reservation(name).is_some_and(|r| r.end <= now);
            let (uid, is_over) = (job.request.user.uid, job.request.reservation.as_ref().is_some_and(over));
            match job.state {
                JobState::Pending => self.look_at(id, now),
                // `ResvOverRun` is none.
                _ if is_over && job.leads() => {
                    self.engine.control(id, Control::Terminate { uid, state: JobState::Timeout });
                }
                _ => {}
            }
        }
        // One that is over goes when nobody has it any more.
        let is_used = |r: &Reservation| {
            self.table.jobs().any(|j| !j.is_finished() && j.request.reservation.as_ref() == Some(&r.name))
        };
        let left: Vec<Reservation> = self.reservations.iter().filter(|r| r.end > now || is_used(r)).cloned().collect();
        if left.len() < self.reservations.len() {
            self.reservations = left;
            self.reservations_changed = true;
        }
    }

    /// Whether a job may have the reservation it asks for, at some time.
    ///
    /// # Errors
    /// If not, as Slurm says it.
    pub(super) fn may_have_reservation(&self, request: &Request, needs: &Needs) -> Result<(), Unfit> {
        let Some(name) = &request.reservation else { return Ok(()) };
        let unfit = |errno| Unfit { errno, before: None };
        let found = self.reservation(name).ok_or(unfit(Errno::InvalidReservation))?;
        if !found.admits(&request.user.name, request.account.as_deref()) {
            return Err(unfit(Errno::ReservationAccess));
        }
        let unavailable = unfit(Errno::NodeConfigurationUnavailable);
        if request.nodelist.iter().any(|name| !found.nodes.contains(name)) {
            return Err(Unfit { before: Some("Problem using reservation".into()), ..unavailable });
        }
        if needs.min_nodes as usize > found.nodes.len() {
            return Err(unavailable);
        }
        Ok(())
    }

    /// Whether the reservation that a job asks for keeps it from starting now.
    pub(super) fn waits_for_reservation(&self, job: &Job, now: i64) -> Option<Reason> {
        match self.reservation(job.request.reservation.as_ref()?) {
            Some(reservation) if reservation.is_active(now) => None,
            Some(reservation) if now < reservation.start => Some(Reason::Reservation),
            _ => Some(Reason::ReservationDeleted),
        }
    }

    /// For those in the queue that have to keep off some nodes: what they need then, or why that is nowhere to be had.
    pub(super) fn around(&self, now: i64) -> HashMap<JobId, Result<Arc<Needs>, Reason>> {
        if self.reservations.is_empty() {
            return HashMap::new();
        }
        let fits =
            |job: &Job, needs: &Needs| job.partition.split(',').any(|p| self.engine.fits(needs, p, true).is_ok());
        let around = |(job, needs): (&Job, &Arc<Needs>)| {
            let around = self.needs_around(job, needs, now)?;
            let is_kept = |r: &Reservation| {
                let is_own = job.request.reservation.as_ref() == Some(&r.name);
                !is_own
                    && r.is_active(now)
                    && r.has("MAINT")
                    && r.nodes.iter().any(|node| around.exclude.contains(node))
            };
            let why = || match self.reservations.iter().any(is_kept) {
                true => Reason::ReservedForMaintenance,
                false => Reason::MayBeReserved,
            };
            Some((job.id, if fits(job, &around) { Ok(around) } else { Err(why()) }))
        };
        self.table.queue().filter_map(around).collect()
    }

    /// What a job needs, less the nodes that are others' while it would run; `None` where none are.
    fn needs_around(&self, job: &Job, needs: &Arc<Needs>, now: i64) -> Option<Arc<Needs>> {
        let own = job.request.reservation.as_ref();
        let ends = until(now, job.request.time_min.unwrap_or(job.time_limit));
        let mut closed: BTreeSet<String> = BTreeSet::new();
        for other in self.reservations.iter().filter(|r| own != Some(&r.name) && r.overlaps(now, ends)) {
            closed.extend(other.nodes.iter().cloned());
        }
        if let Some(own) = own.and_then(|name| self.reservation(name)) {
            if own.has("MAINT") || own.has("OVERLAP") {
                closed.clear();
            }
            let names = self.engine.nodes().into_iter().map(|node| node.name);
            closed.extend(names.filter(|name| !own.nodes.contains(name)));
        }
        if closed.is_empty() {
            return None;
        }
        let mut around = (**needs).clone();
        around.exclude.extend(closed);
        Some(Arc::new(around))
    }
}

/// As scontrol explains it.
fn busy() -> Reply {
    Reply::refused(Errno::NodesBusy)
}
