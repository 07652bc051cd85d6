//! `scontrol create reservation` and what follows from it: which nodes a job may not have now.
//!
//! Reservations are few: all of them are written when one changes, and looked through when a job is.

use super::{api::Reply, core::Core};
use crate::{
    engine::Unfit,
    host::{clock, user},
    job::{self, Float, Job, JobId, Needs, Partition, Request, Reservation},
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
    pub(super) fn reservation(&self, name: &str) -> Option<&Reservation> {
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
        let new = Reservation { id, name: name.clone(), purge: job::idle_time(), ..Reservation::default() };
        let made = self.changed(new, asked, now);
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
        // Of one that floats Slurm takes the seconds ahead for its start: it has begun long ago.
        if asked.start.is_some() && (found.start <= now || found.float.is_some()) {
            return Reply::refused(Errno::ReservationStarted);
        }
        if asked.raises("TIME_FLOAT") {
            return Reply::refused(Errno::InvalidTime);
        }
        if asked.raises("REPLACE_DOWN") && found.has("SPEC_NODES") {
            return Reply::refused(Errno::NotSupported);
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
        if asked.raises("TIME_FLOAT") {
            to.start = to.start.max(now);
        }
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
        self.change_flags(&mut to, &asked)?;
        reservation::change(&mut to.users, asked.users);
        reservation::change(&mut to.accounts, asked.accounts);
        if let Some(float) = to.float.as_mut().filter(|_| asked.duration.is_some()) {
            float.lasts = Some(to.end - to.start);
        }
        if to.has("TIME_FLOAT") && to.float.is_none() {
            if to.repeat().is_some() {
                return Err(Reply::refused(Errno::NotSupported));
            }
            let lasts = asked.end.is_none().then_some(to.end - to.start);
            to.float = Some(Float { ahead: to.start - now, lasts });
        }
        if to.users.is_empty() && to.accounts.is_empty() {
            return Err(Reply::refused(Errno::ReservationEmpty));
        }
        let partitions: Vec<Partition> = self.engine.partitions().into_iter().filter(|p| p.infra == "local").collect();
        let partition = match asked.partition.as_ref().or(to.partition.as_ref()) {
            Some(name) => {
                Some(partitions.iter().find(|p| &p.name == name).ok_or(Reply::refused(Errno::InvalidPartition))?)
            }
            None => partitions.iter().find(|p| p.default).or(partitions.first()),
        };
        let here = self.engine.nodes();
        let is_ours = |name: &str| partitions.iter().any(|p| p.nodes.iter().any(|n| n == name));
        let ours: Vec<&str> = here.iter().map(|n| n.name.as_str()).filter(|name| is_ours(name)).collect();
        let nodes: Option<Vec<String>> = match (asked.nodes, asked.node_count) {
            (Some(names), _) if names == ["ALL"] && to.has("PART_NODES") => partition.map(|p| p.nodes.clone()),
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

    /// Its flags as asked: one that it has stays until it is taken away.
    fn change_flags(&self, to: &mut Reservation, asked: &Asked) -> Result<(), Reply> {
        let (is_new, names_nodes) = (to.nodes.is_empty(), asked.nodes.is_some());
        if is_new && names_nodes && asked.raises("REPLACE_DOWN") {
            return Err(Reply::refused(Errno::InvalidNodeName));
        }
        let partition = asked.partition.as_ref().or(to.partition.as_ref().filter(|_| !is_new));
        if asked.raises("PART_NODES") {
            partition.ok_or(Reply::refused(Errno::InvalidPartition))?;
            asked.nodes.as_ref().filter(|_| asked.wants_all_nodes()).ok_or(Reply::refused(Errno::InvalidNodeName))?;
        }
        let raised = |name: &str| (Sign::Add, name.to_owned());
        let mut flags: reservation::Changes = asked.flags.clone().unwrap_or_default();
        // All nodes of a partition are what the partition has.
        let of_partition = asked.wants_all_nodes() && is_new && partition.is_some();
        flags.extend(of_partition.then(|| raised("PART_NODES")));
        flags.extend(names_nodes.then(|| raised("SPEC_NODES")));
        flags.extend((asked.wants_all_nodes() && !of_partition).then(|| raised("ALL_NODES")));
        for (sign, _) in flags.iter_mut().filter(|(sign, _)| *sign == Sign::Set) {
            *sign = Sign::Add;
        }
        if flags.iter().any(|(sign, flag)| *sign == Sign::Remove && flag == "PURGE_COMP") {
            to.purge = job::idle_time();
        }
        to.purge = asked.purge.map_or(to.purge, |purge| i64::try_from(purge).unwrap_or(i64::MAX));
        reservation::change(&mut to.flags, Some(flags).filter(|flags| !flags.is_empty()));
        reservation::sort_flags(&mut to.flags);
        Ok(())
    }

    /// Whether others, or jobs that run, have its nodes then.
    fn conflict(&self, wanted: &Reservation) -> Result<(), Reply> {
        let is_its = |name: &str| wanted.nodes.iter().any(|n| n == name);
        let aside = |r: &Reservation| r.has("MAINT") || r.has("OVERLAP");
        let zone = clock::local().timezone();
        let overlaps = |r: &&Reservation| {
            r.id != wanted.id && !aside(r) && r.nodes.iter().any(|name| is_its(name)) && r.meets(wanted, &zone)
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

    /// Whether a job may have the reservation it asks for, at some time.
    ///
    /// # Errors
    /// If not, as Slurm says it.
    pub(super) fn may_have_reservation(&self, request: &Request, needs: &Needs) -> Result<(), Unfit> {
        let Some(name) = &request.reservation else { return Ok(()) };
        let unfit = |errno| Unfit { errno, before: None };
        let found = self.reservation(name).ok_or(unfit(Errno::InvalidReservation))?;
        // One that floats is never there.
        if found.float.is_some() || !found.admits(&request.user.name, request.account.as_deref()) {
            return Err(unfit(Errno::ReservationAccess));
        }
        let unavailable = unfit(Errno::NodeConfigurationUnavailable);
        if found.is_anywhere() {
            return Ok(());
        }
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
            Some(reservation) if reservation.is_active(now) || reservation.is_loose() => None,
            Some(_) => Some(Reason::Reservation),
            None => Some(Reason::ReservationDeleted),
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
        let (user, account) = (&job.request.user.name, job.request.account.as_deref());
        // Slurm has a job either on the nodes of one that draws, as if it had asked for it, or on others.
        let draws = |r: &Reservation| own.is_none() && r.has("MAGNETIC") && r.is_active(now) && r.admits(user, account);
        let others = |r: &&Reservation| own != Some(&r.name) && r.overlaps(now, ends) && !draws(r);
        for other in self.reservations.iter().filter(others) {
            closed.extend(other.nodes.iter().cloned());
        }
        if let Some(own) = own.and_then(|name| self.reservation(name)) {
            if own.has("MAINT") || own.has("OVERLAP") {
                closed.clear();
            }
            let names = self.engine.nodes().into_iter().map(|node| node.name);
            closed.extend(names.filter(|name| !own.is_anywhere() && !own.nodes.contains(name)));
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
