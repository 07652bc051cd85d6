//! Which nodes a job gets, and what of each: as Slurm's `select/cons_tres` chooses.
//!
//! Nodes are tried in the configuration's order. A job whose tasks fit on one node gets the
//! first such; else it gets as many as `--nodes` allows or its tasks need, filled up one after
//! the other with one task kept for every other node (`-N2 -n5` is 4 and 1: `env.txt`).

use super::inventory::Slot;
use crate::{
    job::{Distribution, Gpus, GresShare, Memory, Needs, NodeShare, NodeState, Placement, gpus_in},
    slurm::{gres::Gres, idset::IdSet},
};

/// What one node could take of a job.
struct Room<'a> {
    slot: &'a Slot,
    /// The most tasks of it.
    tasks: u32,
    /// The most GPUs for it, of `--gpus`.
    gpus: u64,
}

/// A place for `needs` on `nodes` as they are; `None` if there is none now.
pub fn place(needs: &Needs, nodes: &[&Slot]) -> Option<Placement> {
    let usable = |slot: &&&Slot| {
        slot.state == NodeState::Up && !needs.exclude.contains(&slot.name) && has_features(slot, &needs.features)
    };
    let rooms: Vec<Room> = nodes.iter().filter(usable).filter_map(|slot| room(needs, slot)).collect();
    // Nodes that were named come first.
    let (named, others): (Vec<Room>, Vec<Room>) =
        rooms.into_iter().partition(|r| needs.nodelist.contains(&r.slot.name));
    if named.len() < needs.nodelist.len() {
        return None;
    }
    let rooms: Vec<Room> = named.into_iter().chain(others).collect();
    let mut chosen = choose(needs, &rooms)?;
    // `SLURM_JOB_NODELIST` is in the configuration's order.
    chosen.sort_by_key(|room| nodes.iter().position(|slot| std::ptr::eq(*slot, room.slot)));
    let tasks = layout(needs, &chosen);
    let gpus = gpu_layout(needs, &chosen, &tasks)?;
    let shares = chosen.iter().zip(tasks).zip(gpus);
    Some(Placement {
        nodes: shares.map(|((room, tasks), gpus)| share(needs, room.slot, tasks, &gpus)).collect::<Option<_>>()?,
    })
}

/// How many nodes, and which.
fn choose<'a, 'b>(needs: &Needs, rooms: &'b [Room<'a>]) -> Option<Vec<&'b Room<'a>>> {
    let enough = |chosen: &[&Room]| {
        let tasks: u64 = chosen.iter().map(|r| u64::from(r.tasks)).sum();
        let gpus: u64 = chosen.iter().map(|r| r.gpus).sum();
        let wanted = match &needs.gpus {
            Gpus::Total(list) => list.iter().map(|g| g.count).sum(),
            _ => 0,
        };
        needs.tasks.is_none_or(|n| tasks >= u64::from(n)) && gpus >= wanted
    };
    let least = (needs.min_nodes as usize).max(needs.nodelist.len());
    let by_tasks = needs.tasks.map_or(usize::MAX, |n| n as usize);
    match needs.max_nodes {
        // As many as the range allows; no node without a task.
        Some(most) => {
            let most = (most as usize).min(by_tasks.max(least)).min(rooms.len());
            let counts: Vec<usize> = match needs.fewest {
                true => (least..=most).collect(),
                false => (least..=most).rev().collect(),
            };
            counts.into_iter().find_map(|count| {
                let first: Vec<_> = rooms.iter().take(count).collect();
                if enough(&first) {
                    return Some(first);
                }
                let mut largest: Vec<_> = rooms.iter().collect();
                largest[needs.nodelist.len().min(count)..].sort_by_key(|r| std::cmp::Reverse((r.tasks, r.gpus)));
                largest.truncate(count);
                enough(&largest).then_some(largest)
            })
        }
        None => {
            if least <= 1
                && needs.nodelist.len() <= 1
                && let Some(one) =
                    rooms.iter().take(if needs.nodelist.is_empty() { rooms.len() } else { 1 }).find(|r| enough(&[r]))
            {
                return Some(vec![one]);
            }
            (least..=rooms.len()).map(|count| rooms.iter().take(count).collect::<Vec<_>>()).find(|c| enough(c))
        }
    }
}

/// Tasks on each node.
fn layout(needs: &Needs, chosen: &[&Room]) -> Vec<u32> {
    let Some(total) = needs.tasks else {
        return vec![1; chosen.len()];
    };
    let mut tasks = vec![0; chosen.len()];
    let mut left = total;
    match needs.distribution {
        Distribution::Cyclic | Distribution::Plane(_) => {
            let chunk = if let Distribution::Plane(n) = needs.distribution { n.max(1) } else { 1 };
            while left > 0 {
                let before = left;
                for (count, room) in tasks.iter_mut().zip(chosen) {
                    let more = chunk.min(left).min(room.tasks - *count);
                    *count += more;
                    left -= more;
                }
                if left == before {
                    break;
                }
            }
        }
        _ => {
            for count in &mut tasks {
                *count = left.min(1);
                left -= *count;
            }
            for (count, room) in tasks.iter_mut().zip(chosen) {
                let more = left.min(room.tasks - *count);
                *count += more;
                left -= more;
            }
        }
    }
    tasks
}

/// GPUs on each node, apart from those that each node has alike.
fn gpu_layout(needs: &Needs, chosen: &[&Room], tasks: &[u32]) -> Option<Vec<Vec<Gres>>> {
    let named = |g: &Gres, count| Gres { count, ..g.clone() };
    match &needs.gpus {
        Gpus::None => Some(vec![Vec::new(); chosen.len()]),
        Gpus::PerTask(list) => {
            let of = |tasks: &u32| list.iter().map(|g| named(g, g.count * u64::from(*tasks))).collect();
            Some(tasks.iter().map(of).collect())
        }
        Gpus::Total(list) => {
            // Filled up node by node, one kept for every other node; by tasks where tasks have them.
            let mut out = vec![Vec::new(); chosen.len()];
            for gres in list {
                let available: Vec<u64> = chosen.iter().map(|r| free_of(r.slot, gres)).collect();
                let mut left = gres.count;
                let mut give: Vec<u64> = match needs.tasks_per_gpu {
                    Some(share) => tasks.iter().map(|t| u64::from(t.div_ceil(share.max(1)))).collect(),
                    None => vec![1; chosen.len()],
                };
                for (count, most) in give.iter_mut().zip(&available) {
                    *count = (*count).min(left).min(*most);
                    left -= *count;
                }
                for (count, most) in give.iter_mut().zip(&available) {
                    let more = left.min(most - *count);
                    *count += more;
                    left -= more;
                }
                if left > 0 {
                    return None;
                }
                for (list, count) in out.iter_mut().zip(give) {
                    if count > 0 {
                        list.push(named(gres, count));
                    }
                }
            }
            Some(out)
        }
    }
}

/// What `slot` could take at most; `None` if not even one task.
fn room<'a>(needs: &Needs, slot: &'a Slot) -> Option<Room<'a>> {
    let free = slot.free_cpus.len() as u64;
    if free == 0 || (needs.whole_nodes && !slot.is_idle()) || free < u64::from(needs.min_cpus) {
        return None;
    }
    if needs.per_node.iter().any(|g| free_of(slot, g) < g.count) {
        return None;
    }
    let cpus_per_task = u64::from(needs.cpus_per_task);
    let mut cpus = free;
    match needs.memory {
        Some(Memory::PerNode(0)) if slot.free_memory < slot.memory => return None,
        Some(Memory::PerNode(m)) if slot.free_memory < m => return None,
        Some(Memory::PerCpu(m)) if m > 0 => cpus = cpus.min(slot.free_memory / m),
        Some(Memory::PerGpu(m)) if m > 0 && slot.free_memory / m < gpus_in(&needs.per_node) => {
            return None;
        }
        _ => {}
    }
    let gpus = match &needs.gpus {
        Gpus::Total(list) => list.iter().map(|g| free_of(slot, g)).sum(),
        _ => 0,
    };
    if matches!(needs.gpus, Gpus::Total(_)) && gpus == 0 {
        return None;
    }
    if let Some(each) = needs.cpus_per_gpu {
        let wanted = gpus_in(&needs.per_node).saturating_mul(u64::from(each));
        if matches!(needs.gpus, Gpus::None) && cpus < wanted {
            return None;
        }
    }
    if cpus < u64::from(needs.min_cpus) || cpus == 0 {
        return None;
    }
    let mut tasks = if needs.overcommit { u64::from(u32::MAX) } else { cpus / cpus_per_task };
    tasks = tasks.min(u64::from(needs.tasks_per_node.unwrap_or(u32::MAX)));
    if let Gpus::PerTask(list) = &needs.gpus {
        for gres in list.iter().filter(|g| g.count > 0) {
            tasks = tasks.min(free_of(slot, gres) / gres.count);
        }
    }
    (tasks > 0).then_some(Room { slot, tasks: tasks as u32, gpus })
}

/// Free ones of a name, and of a type if it says one.
fn free_of(slot: &Slot, wanted: &Gres) -> u64 {
    matching(slot, wanted).map(|(_, free)| free.len() as u64).sum()
}

fn matching<'a>(slot: &'a Slot, wanted: &'a Gres) -> impl Iterator<Item = &'a (Gres, IdSet)> {
    slot.gres.iter().filter(move |(g, _)| g.name == wanted.name && (wanted.type_.is_none() || g.type_ == wanted.type_))
}

fn has_features(slot: &Slot, wanted: &[Vec<String>]) -> bool {
    wanted.iter().all(|any| any.iter().any(|name| slot.features.contains(name)))
}

/// The job's share of one node.
fn share(needs: &Needs, slot: &Slot, tasks: u32, gpus: &[Gres]) -> Option<NodeShare> {
    let mut taken: Vec<GresShare> = Vec::new();
    if needs.whole_nodes {
        // Alone on the node, it has all of it.
        taken.extend(slot.gres.iter().map(|(g, free)| GresShare {
            name: g.name.clone(),
            kind: g.type_.clone(),
            ids: free.clone(),
        }));
    } else {
        for gres in needs.per_node.iter().chain(gpus) {
            take_gres(slot, gres, &mut taken)?;
        }
    }
    let gpu_count: u64 = taken.iter().filter(|g| g.name == "gpu").map(|g| g.ids.len() as u64).sum();
    let by_gpus = u64::from(needs.cpus_per_gpu.unwrap_or(0)) * gpu_count;
    let by_tasks = if needs.overcommit { 1 } else { u64::from(tasks) * u64::from(needs.cpus_per_task) };
    let cpus = match needs.whole_nodes {
        true => u64::from(slot.cpus),
        false => by_tasks.max(by_gpus).max(u64::from(needs.min_cpus)).max(1),
    };
    let memory = match needs.memory {
        Some(Memory::PerNode(0)) => slot.memory,
        Some(Memory::PerNode(m)) => m,
        Some(Memory::PerCpu(m)) => m.saturating_mul(cpus),
        Some(Memory::PerGpu(m)) => m.saturating_mul(gpu_count),
        None => 0,
    };
    if memory > slot.free_memory {
        return None;
    }
    Some(NodeShare {
        node: slot.name.clone(),
        cpus: slot.free_cpus.clone().take_first(cpus as usize)?,
        memory,
        gres: taken,
        // Where tasks were not asked for, Slurm shows as many as the CPUs would take.
        tasks: match needs.tasks {
            Some(_) => tasks,
            None => (cpus / u64::from(needs.cpus_per_task)).max(1) as u32,
        },
    })
}

/// Takes the lowest free ones that match, over the types if none is said.
fn take_gres(slot: &Slot, wanted: &Gres, taken: &mut Vec<GresShare>) -> Option<()> {
    let mut left = wanted.count as usize;
    for (gres, free) in matching(slot, wanted) {
        let mut free = free.clone();
        for other in taken.iter().filter(|t| t.name == gres.name && t.kind == gres.type_) {
            free.difference_with(&other.ids);
        }
        let count = left.min(free.len());
        if count > 0 {
            taken.push(GresShare { name: gres.name.clone(), kind: gres.type_.clone(), ids: free.take_first(count)? });
            left -= count;
        }
    }
    (left == 0).then_some(())
}
