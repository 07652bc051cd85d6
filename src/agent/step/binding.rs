//! To which CPUs and memories the tasks of a node are bound. Pure: who asks gives the machine's places.

use crate::{
    host::topology::{Place, Topology},
    slurm::{
        bind::{Bind, To, mask_text},
        idset::IdSet,
    },
};

/// The CPUs of a step on a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cpus {
    /// All the job's agent may use, in order.
    pub allowed: Vec<u32>,
    /// The step's, by the numbers they have in the account of the node.
    pub step: Vec<u32>,
}

impl Cpus {
    /// The CPU of this machine that number `n` of the node stands for. Nodes of one machine share its CPUs.
    fn physical(&self, n: u32) -> Option<u32> {
        let count = u32::try_from(self.allowed.len()).ok().filter(|count| *count > 0)?;
        self.allowed.get((n % count) as usize).copied()
    }

    /// Those of the step.
    fn of_step(&self) -> Vec<u32> {
        self.step.iter().filter_map(|n| self.physical(*n)).collect()
    }
}

/// What one task is bound to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bound {
    /// CPUs; none: all it had.
    pub cpus: IdSet,
    /// How the line of `verbose` calls it.
    pub name: &'static str,
}

/// What the tasks of a node are bound to, each with `per_task` CPUs, and the binding as its variables tell it.
pub(super) fn bind(bind: &Bind, tasks: usize, per_task: usize, cpus: &Cpus, topology: &Topology) -> (Vec<Bound>, Bind) {
    let step = cpus.of_step();
    let of_domain = |wanted: &dyn Fn(u32) -> bool| -> IdSet {
        cpus.allowed.iter().copied().filter(|cpu| wanted(topology.place(*cpu).domain)).collect()
    };
    let automatic = |same: fn(Place, Place) -> bool| {
        let mine = |task: usize| -> IdSet {
            let first = task.saturating_mul(per_task);
            // Too many tasks: none has CPUs of its own.
            let base = step.get(first..first.saturating_add(per_task)).unwrap_or(&step);
            let with = |cpu: &u32| base.iter().any(|b| b == cpu || same(topology.place(*b), topology.place(*cpu)));
            step.iter().copied().filter(with).collect()
        };
        (0..tasks).map(mine).collect::<Vec<IdSet>>()
    };
    let in_turn = |task: usize, length: usize| if length == 0 { 0 } else { task % length };
    let each = |of_task: &dyn Fn(usize) -> IdSet| (0..tasks).map(of_task).collect::<Vec<IdSet>>();
    let (sets, name, generated) = match &bind.to {
        To::Unsaid if tasks.saturating_mul(per_task) != cpus.step.len() => (vec![IdSet::new(); tasks], "NONE", false),
        To::Unsaid | To::Threads => (automatic(|_, _| false), "MASK", true),
        To::None | To::Local => (vec![IdSet::new(); tasks], "NONE", false),
        To::Cores => (automatic(|a, b| (a.socket, a.core) == (b.socket, b.core)), "MASK", true),
        To::Sockets => (automatic(|a, b| a.socket == b.socket), "MASK", true),
        To::Domains => (automatic(|a, b| a.domain == b.domain), "MASK", true),
        To::Rank => (each(&|task| step.get(in_turn(task, step.len())).copied().into_iter().collect()), "RANK", false),
        To::Map(ids) => {
            let of = |task| ids.get(in_turn(task, ids.len())).and_then(|n| cpus.physical(*n)).into_iter().collect();
            (each(&of), "MAP ", false)
        }
        To::Mask(masks) => {
            let of = |task| {
                let mask = masks.get(in_turn(task, masks.len()));
                mask.into_iter().flat_map(IdSet::iter).filter_map(|n| cpus.physical(n)).collect()
            };
            (each(&of), "MASK", false)
        }
        To::RankDomain => {
            let mut known: Vec<u32> = step.iter().map(|cpu| topology.place(*cpu).domain).collect();
            known.sort_unstable();
            known.dedup();
            let of = |task| known.get(in_turn(task, known.len())).map_or(IdSet::new(), |d| of_domain(&|at| at == *d));
            (each(&of), "LDRANK", false)
        }
        To::MapDomain(ids) => {
            let of = |task| ids.get(in_turn(task, ids.len())).map_or(IdSet::new(), |d| of_domain(&|at| at == *d));
            (each(&of), "LDMAP ", false)
        }
        To::MaskDomain(masks) => {
            let of =
                |task| masks.get(in_turn(task, masks.len())).map_or(IdSet::new(), |m| of_domain(&|at| m.contains(at)));
            (each(&of), "LDMASK", false)
        }
    };
    let told = match (&bind.to, generated) {
        (_, true) => To::Mask(sets.clone()),
        (To::Unsaid, false) => To::None,
        (to, false) => to.clone(),
    };
    let bound = sets.into_iter().map(|cpus| Bound { cpus, name }).collect();
    (bound, Bind { to: told, ..bind.clone() })
}

/// The variables that tell tasks of `--cpu-bind`. Masks that were made here are written with `0x`, as slurmd does it.
pub(super) fn cpu_variables(asked: &Bind, told: &Bind) -> Vec<(&'static str, String)> {
    let (kind, mut list) = told.told(false);
    if let (To::Mask(masks), true) = (&told.to, asked.to != told.to) {
        list = masks.iter().map(mask_text).collect::<Vec<_>>().join(",");
    }
    vec![
        ("SLURM_CPU_BIND", format!("{},{kind}{list}", told.manner())),
        ("SLURM_CPU_BIND_LIST", list),
        ("SLURM_CPU_BIND_TYPE", kind.into()),
        ("SLURM_CPU_BIND_VERBOSE", told.manner().into()),
    ]
}

/// The variables that tell tasks of `--mem-bind`.
pub(super) fn memory_variables(bind: &Bind) -> Vec<(&'static str, String)> {
    let (kind, list) = bind.told(true);
    let words = [bind.manner(), if bind.prefer { "prefer" } else { "" }, kind];
    let words: Vec<&str> = words.into_iter().filter(|w| !w.is_empty()).collect();
    let mut variables = vec![
        ("SLURM_MEM_BIND", format!("{}{list}", words.join(","))),
        ("SLURM_MEM_BIND_LIST", list),
        ("SLURM_MEM_BIND_TYPE", kind.into()),
        ("SLURM_MEM_BIND_VERBOSE", bind.manner().into()),
    ];
    if bind.prefer {
        variables.push(("SLURM_MEM_BIND_PREFER", "prefer".into()));
    }
    if let Some(sort) = bind.sort {
        variables.push(("SLURM_MEM_BIND_SORT", if sort { "sort" } else { "nosort" }.into()));
    }
    variables
}

/// The memory a task is bound to and how `verbose` calls it: a NUMA node or several; with none the one it runs at. `None`:
/// it is not bound. `Err`: a node this machine does not have.
pub(super) fn memory(
    bind: &Bind,
    local: usize,
    domains: &[u32],
) -> Result<Option<(IdSet, &'static str)>, (u32, &'static str)> {
    let one = |id: u32, option: &'static str, name| match domains.contains(&id) {
        true => Ok(Some((std::iter::once(id).collect(), name))),
        false => Err((id, option)),
    };
    match &bind.to {
        To::Local => Ok(Some((IdSet::new(), "LOC"))),
        To::Rank => one(u32::try_from(local).unwrap_or(u32::MAX), "rank", "RANK"),
        To::Map(ids) if !ids.is_empty() => one(ids.get(local % ids.len()).copied().unwrap_or(0), "map_mem", "MAP"),
        To::Mask(sets) if !sets.is_empty() => {
            let set = sets.get(local % sets.len()).cloned().unwrap_or_default();
            let missing = set.iter().find(|id| !domains.contains(id));
            match missing {
                Some(id) => Err((id, "mask_mem")),
                None => Ok(Some((set, "MASK"))),
            }
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CPUs 0 to `n`, all of them the step's.
    fn cpus(n: u32) -> Cpus {
        Cpus { allowed: (0..n).collect(), step: (0..n).collect() }
    }

    fn masks(text: &str, tasks: usize, per_task: usize, cpus: &Cpus) -> (String, String) {
        let asked: Bind = text.parse().unwrap();
        // Where the kernel tells nothing each CPU is a core, and all are of one socket and memory.
        let (bound, told) = bind(&asked, tasks, per_task, cpus, &Topology::default());
        let shown = bound.iter().map(|b| format!("{} {}", b.name, mask_text(&b.cpus))).collect::<Vec<_>>().join(", ");
        (shown, cpu_variables(&asked, &told).swap_remove(0).1)
    }

    /// What slurmd 22.05 did on two CPUs.
    #[test]
    fn tasks_are_bound_as_captured() {
        let two = cpus(2);
        for (text, tasks, per_task, bound, told) in [
            ("verbose", 2, 1, "MASK 0x1, MASK 0x2", "verbose,mask_cpu:0x1,0x2"),
            ("none", 2, 1, "NONE 0x0, NONE 0x0", "quiet,none"),
            ("rank", 2, 1, "RANK 0x1, RANK 0x2", "quiet,rank"),
            ("v,map_cpu:1,0", 2, 1, "MAP  0x2, MAP  0x1", "verbose,map_cpu:1,0"),
            ("v,mask_cpu:0x3,1", 2, 1, "MASK 0x3, MASK 0x1", "verbose,mask_cpu:3,1"),
            ("v,sockets", 2, 1, "MASK 0x3, MASK 0x3", "verbose,mask_cpu:0x3,0x3"),
            ("v,cores", 2, 1, "MASK 0x1, MASK 0x2", "verbose,mask_cpu:0x1,0x2"),
            ("v,ldoms", 2, 1, "MASK 0x3, MASK 0x3", "verbose,mask_cpu:0x3,0x3"),
            ("v,rank_ldom", 2, 1, "LDRANK 0x3, LDRANK 0x3", "verbose,rank_ldom"),
            ("v,cores", 1, 2, "MASK 0x3", "verbose,mask_cpu:0x3"),
            ("v,rank", 3, 1, "RANK 0x1, RANK 0x2, RANK 0x1", "verbose,rank"),
        ] {
            assert_eq!(masks(text, tasks, per_task, &two), (bound.into(), told.into()), "{text}");
        }
        // More than there are: nothing is each one's own.
        assert_eq!(masks("cores", 3, 1, &two).0, "MASK 0x1, MASK 0x2, MASK 0x3");
    }

    #[test]
    fn a_node_s_numbers_stand_for_what_there_is() {
        let shared = Cpus { allowed: vec![4, 5], step: vec![6, 7, 8] };
        assert_eq!(masks("threads", 3, 1, &shared).0, "MASK 0x10, MASK 0x20, MASK 0x10");
        assert_eq!(masks("map_cpu:7", 1, 1, &shared).0, "MAP  0x20");
        assert_eq!(masks("threads", 1, 1, &Cpus::default()).0, "MASK 0x0");
    }

    #[test]
    fn memory_is_bound_where_there_is_some() {
        let of = |text: &str, local| memory(&Bind::memory(text).unwrap(), local, &[0]);
        assert_eq!(of("local", 0), Ok(Some((IdSet::new(), "LOC"))));
        assert_eq!(of("map_mem:0,0", 1), Ok(Some(([0].into_iter().collect(), "MAP"))));
        assert_eq!(of("rank", 1), Err((1, "rank")));
        assert_eq!(of("none", 1), Ok(None));
        let variables = memory_variables(&Bind::memory("v,p,local").unwrap());
        assert_eq!(variables[0], ("SLURM_MEM_BIND", "verbose,prefer,local".into()));
        assert!(variables.contains(&("SLURM_MEM_BIND_PREFER", "prefer".into())));
        assert_eq!(memory_variables(&Bind::memory("verbose").unwrap())[0].1, "verbose");
    }
}
