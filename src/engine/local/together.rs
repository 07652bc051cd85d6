//! Places for the components of a heterogeneous job: for all at once or for none, and no node twice.

use super::{
    backfill::slots,
    inventory::{Inventory, Slot},
    place::place,
};
use crate::{
    engine::{Candidate, Given},
    job::{Gpus, Partition},
};
use std::{cmp::Reverse, collections::HashSet};

/// Where the components of a job would go on nodes as they are, in their order; of another job, where it would go.
pub fn together(candidate: &Candidate, inventory: &Inventory, partitions: &[Partition]) -> Option<Vec<Given>> {
    let all: Vec<&Candidate> = std::iter::once(candidate).chain(&candidate.others).collect();
    let mut order: Vec<usize> = (0..all.len()).collect();
    if let Some(places) = in_order(&all, &order, inventory, partitions) {
        return Some(places);
    }
    // Perhaps one took what only another could have used.
    order.sort_by_key(|at| Reverse(all.get(*at).map_or(0, |one| particular(one))));
    in_order(&all, &order, inventory, partitions)
}

/// Places for all components, which choose in this order.
fn in_order(
    all: &[&Candidate],
    order: &[usize],
    inventory: &Inventory,
    partitions: &[Partition],
) -> Option<Vec<Given>> {
    let mut taken: HashSet<String> = HashSet::new();
    let mut places: Vec<Option<Given>> = vec![None; all.len()];
    for at in order.iter().copied() {
        let one = all.get(at)?;
        let found = one.partitions.iter().find_map(|name| {
            let partition = partitions.iter().find(|p| &p.name == name && p.up)?;
            let free: Vec<&Slot> =
                slots(inventory, partition).into_iter().filter(|slot| !taken.contains(&slot.name)).collect();
            Some((one.id, name.clone(), place(&one.needs, &free)?))
        })?;
        taken.extend(found.2.names().map(str::to_owned));
        *places.get_mut(at)? = Some(found);
    }
    places.into_iter().collect()
}

/// How few nodes may do for a component: named ones, those that have something, or any.
fn particular(one: &Candidate) -> u8 {
    let needs = &one.needs;
    match () {
        () if !needs.nodelist.is_empty() => 2,
        () if needs.gpus != Gpus::None || !needs.per_node.is_empty() || !needs.features.is_empty() => 1,
        () => 0,
    }
}
