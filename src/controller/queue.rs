//! Which jobs may start, and starting them.

use super::{
    core::Core,
    deadline::limit_from,
    submit::{as_candidate, exceeds},
    table::Table,
};
use crate::{
    engine::Candidate,
    job::{ArrayRef, Hold, Job, JobId, Placement, Remote},
    slurm::{mail::Occasion, reason::Reason, state::JobState, time::TimeLimit},
};
use std::{collections::BTreeSet, time::Instant};

impl Core {
    /// Looks at a pending job: into the queue if it may start, else out of it with the reason why not.
    pub(super) fn look_at(&mut self, id: JobId, now: i64) {
        let Some(job) = self.table.get(id) else { return };
        if job.state != JobState::Pending || job.is_away() {
            return self.table.dequeue(id);
        }
        let begin = job.request.begin.filter(|begin| *begin > now);
        let waits_for = self.waits_for(id, now);
        if self.table.get(id).is_some_and(|job| job.hold == Hold::None && job.state == JobState::Pending)
            && self.misses_deadline(id, now)
        {
            return;
        }
        let Some(job) = self.table.get(id).filter(|job| job.state == JobState::Pending) else { return };
        let obstacle = waits_for.or_else(|| self.why_not(job, now));
        let leader = job.leader_id();
        let tier = self.tier(job);
        let waits_for_limit =
            matches!(obstacle, Some(Reason::PartitionTimeLimit | Reason::PartitionNodeLimit | Reason::PartitionConfig));
        let eligible = match (obstacle.is_none() || waits_for_limit, begin) {
            (true, _) => Some(job.eligible_time.filter(|t| *t <= now).unwrap_or(now)),
            (false, _) if waits_for.is_some() => None,
            (false, begin) => begin,
        };
        let mut changed = false;
        if let Some(job) = self.table.get_mut(id) {
            changed |= job.eligible_time != eligible;
            job.eligible_time = eligible;
        }
        match obstacle {
            // The components of a heterogeneous job wait for each other.
            None if !self.others_are_free(id, now) => {
                self.table.dequeue(leader);
                self.set_reason(id, Reason::None);
            }
            None => {
                self.table.enqueue(leader, tier);
                if self.table.get(id).is_some_and(|j| j.reason != Reason::Resources) {
                    self.set_reason(id, Reason::Priority);
                }
                self.reschedule = true;
            }
            Some(reason) => {
                self.table.dequeue(leader);
                self.set_reason(id, reason);
            }
        }
        if let Some(begin) = begin {
            self.due_at(begin, id);
        }
        if changed {
            self.save(id);
        }
    }

    /// Why a job that waits may not start, whatever is free.
    pub(super) fn why_not(&self, job: &Job, now: i64) -> Option<Reason> {
        let begin = job.request.begin.filter(|begin| *begin > now);
        match (job.hold, begin) {
            (Hold::User, _) => Some(Reason::JobHeldUser),
            (Hold::Admin, _) => Some(Reason::JobHeldAdmin),
            (Hold::Requeued, _) => Some(Reason::RequeuedHeld),
            (Hold::TooOften, _) => Some(Reason::JobHoldMaxRequeue),
            (Hold::ReservationGone, _) => Some(Reason::ReservationDeleted),
            (Hold::None, _) if !job.dependency.is_empty() => Some(Reason::Dependency),
            (Hold::None, Some(_)) => Some(Reason::BeginTime),
            (Hold::None, None) => self.waits_for_reservation(job, now).or_else(|| self.obstacle(job)),
        }
    }

    /// What of its partition's limits is in a job's way.
    fn obstacle(&self, job: &Job) -> Option<Reason> {
        let all = self.engine.partitions();
        let needs = self.table.needs(job.id)?;
        if let Some(reason) = self.too_large(job, needs) {
            return Some(reason);
        }
        let mut reason = None;
        for name in job.partition.split(',') {
            let Some(partition) = all.iter().find(|p| p.name == name) else { continue };
            let why = if exceeds(job.time_limit, partition.max_time) {
                Reason::PartitionTimeLimit
            } else if needs.min_nodes as usize > partition.nodes.len() && partition.infra == "local" {
                Reason::PartitionNodeLimit
            } else if self.engine.fits(needs, name, true).is_err() {
                Reason::PartitionConfig
            } else {
                return None;
            };
            reason = reason.or(Some(why));
        }
        reason.or(Some(Reason::PartitionConfig))
    }

    /// The highest tier of a job's partitions.
    fn tier(&self, job: &Job) -> u16 {
        let all = self.engine.partitions();
        let tier = |name| all.iter().find(|p| p.name == name).map(|p| p.priority_tier);
        job.partition.split(',').filter_map(tier).max().unwrap_or(1)
    }

    /// Lets the engine choose, and gives those it chose their nodes.
    pub(super) fn run_queue(&mut self, now: i64) {
        if !self.table.has_queue() {
            return;
        }
        let begun = Instant::now();
        let mut depth = 0;
        let (mut limited, mut rest) = (Vec::new(), Vec::new());
        let mut room = self.room();
        let schedule = {
            let table = &self.table;
            let (limited, rest, depth, config) = (&mut limited, &mut rest, &mut depth, &self.config);
            // What nobody has reserved, worked out before: the engine is at work meanwhile.
            let around = self.around(now);
            let mut queue = table.queue().filter_map(|(job, needs)| {
                let needs = match around.get(&job.id) {
                    Some(Ok(around)) => around,
                    Some(Err(reason)) => {
                        limited.push((job.id, *reason));
                        return None;
                    }
                    None => needs,
                };
                let count = elements_left(table, job);
                if count == 0 {
                    limited.push((job.id, Reason::JobArrayTaskLimit));
                    return None;
                }
                let others = job.het.into_iter().flat_map(|het| het.ids().skip(1));
                let others: Vec<_> = others.filter_map(|id| Some((table.get(id)?, table.needs(id)?))).collect();
                let (count, needs) = match &mut room {
                    None => (count, needs.clone()),
                    Some(room) => {
                        let others = others.iter().map(|(job, needs)| (*job, &***needs));
                        let whole: Vec<_> = std::iter::once((job, &**needs)).chain(others).collect();
                        match room.take(config, &whole, count) {
                            Ok(share) => {
                                rest.extend(share.why.map(|why| (job.id, why)));
                                let only = share.within.map(|within| room.only(needs, &within));
                                (share.count, only.unwrap_or_else(|| needs.clone()))
                            }
                            Err(reason) => {
                                limited.push((job.id, reason));
                                return None;
                            }
                        }
                    }
                };
                *depth += 1;
                let others = others.into_iter().map(|(job, needs)| as_candidate(job, needs, 1)).collect();
                Some(Candidate { others, ..as_candidate(job, &needs, count) })
            });
            self.engine.schedule(&mut queue, now)
        };
        self.counts.cycle(begun.elapsed(), depth, self.table.queue().count() as u64);
        for (id, reason) in limited.into_iter().chain(schedule.reasons) {
            self.table.components(id).into_iter().for_each(|id| self.set_reason(id, reason));
        }
        self.reschedule |= !schedule.starts.is_empty() && room.is_some_and(|room| room.counts_nodes());
        let mut shortened = schedule.shortened.into_iter().peekable();
        let mut gone = BTreeSet::new();
        for (at, (id, partition, placement)) in schedule.starts.into_iter().enumerate() {
            let minutes = shortened.next_if(|(of, _)| *of == at).map(|(_, minutes)| minutes);
            self.give_nodes(id, partition, placement, minutes, now);
            gone.insert(id);
        }
        for (id, partition, count) in schedule.handed {
            self.hand_over(id, &partition, count);
            gone.insert(id);
        }
        // Of an array as many run now as may: the others wait for that, not for their turn.
        gone.retain(|id| self.table.get(*id).is_some_and(|job| elements_left(&self.table, job) == 0));
        rest.extend(gone.into_iter().map(|id| (id, Reason::JobArrayTaskLimit)));
        // What is left of an array of which no more may run.
        rest.retain(|(id, _)| self.table.get(*id).is_some_and(|job| job.state == JobState::Pending && !job.is_away()));
        rest.into_iter().for_each(|(id, why)| self.set_reason(id, why));
    }

    /// A job, or the next element of an array, has nodes; for so many minutes, if it is not for as long as it asked for.
    fn give_nodes(&mut self, id: JobId, partition: String, placement: Placement, minutes: Option<u32>, now: i64) {
        let Some(id) = self.split_off(id) else { return };
        self.table.dequeue(id);
        let Some(job) = self.table.get_mut(id) else { return };
        job.state = JobState::Running;
        job.reason = Reason::None;
        job.partition = partition;
        job.time_limit = minutes.map_or_else(|| limit_from(job, now), TimeLimit::Minutes);
        job.start_time = Some(now);
        job.end_time = None;
        job.placement = Some(placement);
        self.counts.started += 1;
        self.happened(id, Occasion::Begin);
        let Some(job) = self.table.get(id) else { return };
        let array = job.array.as_ref().map(|a| a.job_id);
        if let Some(array) = array {
            self.table.count_running(array, 1);
        }
        let leads = self.table.get(id).is_some_and(Job::leads);
        match leads {
            true => self.launch(id),
            false => self.save(id), // it is launched with the first component
        }
    }

    /// A job, or the next `count` elements of an array, go to a system with a queue of its own. By what name is
    /// decided here, and on disk before it is used.
    fn hand_over(&mut self, id: JobId, partition: &str, count: u32) {
        let Some(job) = self.table.get(id) else { return };
        let name = self.engine.remote_name(job);
        for rank in 0..count {
            let Some(id) = self.split_off(id) else { return };
            self.table.dequeue(id);
            let Some(job) = self.table.get_mut(id) else { return };
            job.partition = partition.to_owned();
            job.reason = Reason::Priority;
            job.detail = None;
            job.remote = Some(Remote { name: name.clone(), rank, count, ..Remote::default() });
            let leads = job.leads();
            if let Some(array) = job.array.as_ref().map(|a| a.job_id) {
                self.table.count_running(array, 1);
            }
            match leads {
                true => self.launch(id),
                false => self.save(id), // it goes with the first component
            }
        }
    }

    /// A record for the next pending element of an array: a new one with an id of its own,
    /// or for the last element the array's (`env.txt`). For another job, the job.
    pub(super) fn split_off(&mut self, id: JobId) -> Option<JobId> {
        let job = self.table.get_mut(id)?;
        let Some(array) = job.array.as_mut().filter(|a| a.task_id.is_none()) else { return Some(id) };
        let task = array.pending.first()?;
        array.pending.remove(task);
        self.save(id);
        let job = self.table.get_mut(id)?;
        let array = job.array.as_mut()?;
        if array.pending.is_empty() {
            array.task_id = Some(task);
            return Some(id);
        }
        let mut element = job.clone();
        let array = element.array.as_mut()?;
        array.task_id = Some(task);
        array.pending = Default::default();
        // The last that is left is an element and no longer a part.
        if let Some(rest) = self.table.get_mut(id)?.array.as_mut().filter(|a| a.pending.len() == 1) {
            rest.task_id = rest.pending.first();
            rest.pending = Default::default();
        }
        let new = self.table.next_id();
        element.id = new;
        let needs = self.table.needs(id)?.clone();
        self.table.insert_shared(element, needs);
        Some(new)
    }
}

/// How many elements of an array its throttle lets start; of another job, it.
pub(super) fn elements_left(table: &Table, job: &Job) -> u32 {
    let running = |array: &ArrayRef| table.running_elements(array.job_id);
    let room = job.array.as_ref().and_then(|array| Some(array.throttle?.saturating_sub(running(array))));
    room.unwrap_or(u32::MAX).min(job.count())
}
