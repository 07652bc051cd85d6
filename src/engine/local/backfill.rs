//! First come, first served, with backfill by time limit.
//!
//! The queue is walked best first. The first job that does not fit now has a place
//! reserved for the time at which, by the running jobs' limits, it will fit; a job behind
//! it may start only if it ends before that time or leaves those nodes alone (EASY backfill).

use super::{
    inventory::{Inventory, Slot},
    place::place,
    together::together,
};
use crate::{
    engine::{Candidate, Given, Schedule},
    job::{JobId, Needs, Partition, Placement},
    slurm::{reason::Reason, time::TimeLimit},
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// A job without limit counts as this long: a year, as in Slurm.
const UNLIMITED: i64 = 365 * 24 * 3600;

/// So many jobs that do not fit are looked at, at most (`bf_max_job_test`).
const MAX_TESTED: usize = 1000;

/// A job that has nodes.
#[derive(Clone, Debug)]
pub struct Running {
    /// Latest end by its limit, epoch seconds.
    pub until: i64,
    /// What it has.
    pub placement: Placement,
}

/// The latest end of a job that starts at `start`.
pub fn until(start: i64, limit: TimeLimit) -> i64 {
    match limit {
        TimeLimit::Unlimited => start + UNLIMITED,
        TimeLimit::Minutes(minutes) => start + i64::from(minutes) * 60,
    }
}

/// The nodes of a partition, in its order.
pub fn slots<'a>(inventory: &'a Inventory, partition: &Partition) -> Vec<&'a Slot> {
    partition.nodes.iter().filter_map(|name| inventory.index(name)).map(|i| &inventory.slots[i]).collect()
}

/// Nodes kept for the first job that waits.
struct Reserved {
    at: i64,
    nodes: HashSet<String>,
}

impl Reserved {
    /// Whether what runs there until `ends` would be in the way.
    fn is_delayed_by(&self, ends: i64, placement: &Placement) -> bool {
        ends > self.at && placement.names().any(|name| self.nodes.contains(name))
    }

    /// How many minutes what would be in the way may run, if those are enough for it.
    fn shorter(&self, candidate: &Candidate, now: i64) -> Option<u32> {
        let TimeLimit::Minutes(least) = candidate.time_min? else { return None };
        u32::try_from((self.at - now) / 60).ok().filter(|minutes| *minutes >= least.max(1))
    }
}

/// Starts what can start; takes the resources from `inventory` and adds to `running`.
pub fn schedule(
    queue: &mut dyn Iterator<Item = Candidate>,
    inventory: &mut Inventory,
    running: &mut HashMap<JobId, Running>,
    partitions: &[Partition],
    now: i64,
) -> Schedule {
    let mut out = Schedule::default();
    let mut reserved: Option<Reserved> = None;
    // Needs that found no place in this pass, by partition: their likes need not try.
    let mut hopeless: HashSet<(String, Arc<Needs>)> = HashSet::new();
    let mut started: Vec<Running> = Vec::new();
    let mut tested = 0;
    for candidate in queue {
        if tested >= MAX_TESTED || inventory.slots.iter().all(|s| s.free_cpus.is_empty()) && reserved.is_some() {
            break;
        }
        let ends = until(now, candidate.time_limit);
        let mut left = candidate.count;
        if !candidate.others.is_empty()
            && let Some(places) = together(&candidate, inventory, partitions)
        {
            let all: Vec<(i64, &Given)> = std::iter::once(&candidate)
                .chain(&candidate.others)
                .map(|one| until(now, one.time_limit))
                .zip(&places)
                .collect();
            let delays =
                |(ends, given): &(i64, &Given)| reserved.as_ref().is_some_and(|r| r.is_delayed_by(*ends, &given.2));
            if !all.iter().any(delays) {
                for (ends, given) in all {
                    inventory.take(&given.2);
                    started.push(Running { until: ends, placement: given.2.clone() });
                }
                out.starts.extend(places);
                continue;
            }
        }
        'places: while left > 0 && candidate.others.is_empty() {
            for name in &candidate.partitions {
                let Some(partition) = partitions.iter().find(|p| &p.name == name && p.up) else { continue };
                let key = (name.clone(), Arc::clone(&candidate.needs));
                if hopeless.contains(&key) {
                    continue;
                }
                let nodes = slots(inventory, partition);
                let Some(placement) = place(&candidate.needs, &nodes) else {
                    hopeless.insert(key);
                    continue;
                };
                let mut ends = ends;
                if let Some(reserved) = reserved.as_ref().filter(|r| r.is_delayed_by(ends, &placement)) {
                    let Some(minutes) = reserved.shorter(&candidate, now) else { continue };
                    out.shortened.push((out.starts.len(), minutes));
                    ends = until(now, TimeLimit::Minutes(minutes));
                }
                inventory.take(&placement);
                started.push(Running { until: ends, placement: placement.clone() });
                out.starts.push((candidate.id, name.clone(), placement));
                left -= 1;
                continue 'places;
            }
            break;
        }
        if left == 0 {
            continue;
        }
        tested += 1;
        let first = reserved.is_none();
        if first {
            let all = running.values().chain(&started);
            reserved = Some(match earliest(&candidate, inventory, all, partitions, now) {
                Some((at, places)) => Reserved {
                    at,
                    nodes: places.iter().flat_map(|(.., placement)| placement.names()).map(str::to_owned).collect(),
                },
                None => Reserved { at: i64::MAX, nodes: HashSet::new() },
            });
        }
        out.reasons.push((candidate.id, if first { Reason::Resources } else { Reason::Priority }));
    }
    out
}

/// When and where a job, with all its components, would start, given what runs.
pub fn earliest<'a>(
    candidate: &Candidate,
    inventory: &Inventory,
    running: impl Iterator<Item = &'a Running>,
    partitions: &[Partition],
    now: i64,
) -> Option<(i64, Vec<Given>)> {
    let mut later = inventory.clone();
    let mut ends: Vec<&Running> = running.collect();
    ends.sort_by_key(|r| r.until);
    let mut ends = ends.into_iter().peekable();
    let mut at = now;
    loop {
        if let Some(places) = together(candidate, &later, partitions) {
            return Some((at, places));
        }
        let next = ends.next()?;
        at = at.max(next.until);
        later.give_back(&next.placement);
        while let Some(same) = ends.next_if(|r| r.until <= at) {
            later.give_back(&same.placement);
        }
    }
}
