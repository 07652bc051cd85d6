//! When those who wait will probably start (`squeue --start`).
//!
//! As if every job ran to its limit and they started strictly in their order: what runs ends, whoever is next takes its
//! place. Backfill may be quicker, an early end always is; so it is a guess, as it is in Slurm.

use super::{
    backfill::{Running, earliest, until},
    inventory::Inventory,
};
use crate::{
    engine::{Candidate, Planned},
    job::{JobId, Partition},
};
use std::collections::HashMap;

/// For so many jobs it is worked out, at most (`bf_max_job_test`).
const MAX_PLANNED: usize = 500;

/// For so many elements of an array, at most (`bf_max_job_array_resv`); the first one's start is told.
const MAX_ELEMENTS: u32 = 20;

/// Starts of the jobs in `queue`, best first, given what runs. A job that would fit nowhere is not among them.
pub fn plan(
    queue: &mut dyn Iterator<Item = Candidate>,
    inventory: &Inventory,
    running: &HashMap<JobId, Running>,
    partitions: &[Partition],
    now: i64,
) -> Vec<Planned> {
    let mut planned = Vec::new();
    let mut inventory = inventory.clone();
    let mut running: Vec<Running> = running.values().cloned().collect();
    let mut from = now;
    for candidate in queue.take(MAX_PLANNED) {
        for element in 0..candidate.count.min(MAX_ELEMENTS) {
            let Some((start, places)) = earliest(&candidate, &inventory, running.iter(), partitions, from) else {
                break;
            };
            from = start;
            running.retain(|job| {
                let over = job.until <= start;
                if over {
                    inventory.give_back(&job.placement);
                }
                !over
            });
            let all = std::iter::once(&candidate).chain(&candidate.others);
            for (one, (job, _, placement)) in all.zip(places) {
                inventory.take(&placement);
                running.push(Running { until: until(start, one.time_limit), placement: placement.clone() });
                if element == 0 {
                    planned.push(Planned { job, start, placement });
                }
            }
        }
    }
    planned
}
