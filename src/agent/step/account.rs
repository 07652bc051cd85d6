//! The account of an allocation: what its steps have, and whether another one fits.

use super::{Gpus, Ordering, StepRequest};
use crate::{
    job::Job,
    slurm::{
        bind::{To, mask_text},
        idset::IdSet,
        layout::{Order, default_order, lay_out},
    },
};

/// What a step gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agent) struct Plan {
    /// Its nodes, of a step over several components those of each in turn.
    pub nodes: Vec<Share>,
    /// The tasks of each.
    pub layout: Vec<Vec<u32>>,
    /// `SLURM_DISTRIBUTION`
    pub distribution: String,
    /// Whether it shares what it has with other steps: `--overlap`.
    shared: bool,
}

/// What a step gets of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agent) struct Share {
    /// The node's place in the job.
    pub index: usize,
    /// CPUs.
    pub cpus: u32,
    /// Which, by the numbers they have on the node.
    pub cpu_ids: IdSet,
    /// Memory in MiB that is the step's alone; 0: shared.
    pub memory: u64,
    /// GPUs.
    pub gpus: IdSet,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::agent) enum NoPlan {
    /// Not now.
    #[error("Unable to create step for job {0}: Requested nodes are busy")]
    Busy(u32),
    /// More CPUs than the job has.
    #[error("Unable to create step for job {0}: More processors requested than permitted")]
    TooManyCpus(u32),
    /// Nodes the job does not have.
    #[error("Unable to create step for job {0}: Requested node configuration is not available")]
    NoSuchNodes(u32),
    /// More memory than the job has.
    #[error("Unable to create step for job {0}: Memory required by task is not available")]
    TooMuchMemory(u32),
    /// GPUs the job does not have.
    #[error("Unable to create step for job {0}: Invalid generic resource (gres) specification")]
    NoSuchGpus(u32),
    /// Fewer nodes than asked for.
    #[error("Only allocated {0} nodes asked for {1}\nAre required nodes explicitly excluded?")]
    TooFewNodes(usize, u32),
}

#[derive(Clone, Debug, Default)]
struct Node {
    name: String,
    cpus: u32,
    cpu_ids: IdSet,
    memory: u64,
    gpus: IdSet,
    cpus_used: u32,
    cpu_ids_used: IdSet,
    memory_used: u64,
    gpus_used: IdSet,
}

impl Node {
    /// So many of its CPUs, of `all` or of those that no step has.
    fn some_cpus(&self, count: u32, all: bool) -> IdSet {
        let mut free = self.cpu_ids.clone();
        if !all {
            free.difference_with(&self.cpu_ids_used);
        }
        free.iter().take(count as usize).collect()
    }
}

impl Plan {
    /// The plans of a step's components as one: nodes and tasks are counted on. How tasks go to nodes each knows itself.
    pub fn joined(plans: &[Plan]) -> Plan {
        let mut all = Plan { nodes: Vec::new(), layout: Vec::new(), distribution: String::new(), shared: false };
        let mut tasks = 0;
        for plan in plans {
            all.nodes.extend(plan.nodes.iter().cloned());
            all.layout.extend(plan.layout.iter().map(|ids| ids.iter().map(|id| tasks + id).collect()));
            tasks += plan.layout.iter().map(|ids| ids.len() as u32).sum::<u32>();
        }
        all
    }

    /// Why tasks cannot be bound as `--cpu-bind=map_cpu` or `mask_cpu` asks for, in srun's words.
    pub fn outside(&self, request: &StepRequest) -> Option<String> {
        let asked: IdSet = match &request.setup.cpus.as_ref()?.to {
            To::Map(ids) => ids.iter().copied().collect(),
            To::Mask(sets) => sets.iter().flat_map(IdSet::iter).collect(),
            _ => return None,
        };
        let share = self.nodes.iter().find(|n| asked.iter().any(|id| !n.cpu_ids.contains(id)))?;
        let allocated = mask_text(&share.cpu_ids);
        Some(format!(
            "CPU binding outside of job step allocation, allocated CPUs are: {allocated}.\n\
             Application launch failed: Unable to satisfy cpu bind request"
        ))
    }
}

/// The account of one job's allocation.
#[derive(Debug, Default)]
pub(in crate::agent) struct Account {
    job: u32,
    /// The place of its first node among all of a heterogeneous job.
    first: usize,
    nodes: Vec<Node>,
    /// A step has GPUs without asking, since the job asked for them (`env.txt`, `--exclusive`).
    gpus_unasked: bool,
}

impl Account {
    /// Nothing is taken yet. `first`: nodes of the components before it.
    pub fn new(job: &Job, first: usize) -> Self {
        let request = &job.request;
        let lists =
            [&request.gres, &request.gpus, &request.gpus_per_node, &request.gpus_per_task, &request.gpus_per_socket];
        let shares = job.placement.iter().flat_map(|p| &p.nodes);
        let node = |share: &crate::job::NodeShare| Node {
            name: share.node.clone(),
            cpus: share.cpus.len() as u32,
            cpu_ids: share.cpus.clone(),
            memory: share.memory,
            gpus: share.gpus(),
            ..Node::default()
        };
        Self {
            job: job.id,
            first,
            nodes: shares.map(node).collect(),
            gpus_unasked: lists.iter().any(|list| list.iter().any(|g| g.name == "gpu" || g.name.is_empty())),
        }
    }

    /// Finds out what `request` would get now.
    ///
    /// # Errors
    /// `Busy` where it would fit if other steps were over; else it never fits.
    pub fn plan(&self, request: &StepRequest) -> Result<Plan, NoPlan> {
        let everything = self.plan_with(request, true)?;
        if request.overlap {
            return Ok(Plan { shared: true, ..everything });
        }
        self.plan_with(request, false).map_err(|_| NoPlan::Busy(self.job))
    }

    fn plan_with(&self, request: &StepRequest, empty: bool) -> Result<Plan, NoPlan> {
        let per_task = request.cpus_per_task.unwrap_or(1).max(1);
        // Without --exact a step takes whole nodes, so no other may have anything of them.
        let free = |n: &Node| match (empty, request.exact) {
            (true, _) => n.cpus,
            (false, true) => n.cpus.saturating_sub(n.cpus_used),
            (false, false) if n.cpus_used == 0 => n.cpus,
            (false, false) => 0,
        };
        let slots = |index: usize| {
            let room = self.nodes.get(index).map_or(0, |n| free(n) / per_task);
            if !empty && !self.has_room(index, request) {
                return 0;
            }
            request.tasks_per_node.filter(|_| request.tasks.is_none()).map_or(room, |most| room.min(most))
        };
        let chosen = self.choose(request, &slots)?;
        let tasks = match (request.tasks, request.tasks_per_node) {
            (Some(tasks), _) => tasks,
            (None, Some(each)) => each.saturating_mul(chosen.len() as u32),
            (None, None) => chosen.len() as u32,
        };
        let room: Vec<u32> = chosen.iter().map(|i| slots(*i)).collect();
        let layout = match &request.order {
            Ordering::Arbitrary(names) => self.arbitrary(names, &chosen, tasks),
            order => {
                let order = order_of(order, tasks, chosen.len());
                let overcommit = request.overcommit && (empty || room.iter().any(|r| *r > 0));
                lay_out(tasks, &room, &order, overcommit)
            }
        };
        let layout = layout.ok_or(NoPlan::TooManyCpus(self.job))?;
        // No node of a step is without a task: of a range there are then fewer.
        let (chosen, layout): (Vec<usize>, Vec<_>) =
            chosen.into_iter().zip(layout).filter(|(_, tasks)| !tasks.is_empty()).unzip();
        let mut gpus_left = match request.gpus {
            Gpus::Total(n) => n,
            _ => 0,
        };
        let mut nodes = Vec::new();
        for (place, (index, ids)) in chosen.iter().zip(&layout).enumerate() {
            let node = self.nodes.get(*index).ok_or(NoPlan::NoSuchNodes(self.job))?;
            let count = match request.gpus {
                Gpus::None => 0,
                Gpus::All if self.gpus_unasked => node.gpus.len() as u32,
                Gpus::All => 0,
                Gpus::PerNode(n) => n,
                Gpus::PerTask(n) => n.saturating_mul(ids.len() as u32),
                Gpus::Total(_) => {
                    let nodes_after = (chosen.len() - place - 1) as u32;
                    let here = gpus_left.saturating_sub(nodes_after).min(node.gpus.len() as u32);
                    gpus_left -= here;
                    here
                }
            };
            let cpus = match request.cpus_per_gpu {
                _ if !request.exact && request.cpus_per_gpu.is_none() => node.cpus,
                each => {
                    let of_gpus = each.unwrap_or(0).saturating_mul(count);
                    (ids.len() as u32).saturating_mul(per_task).max(of_gpus).min(node.cpus)
                }
            };
            let memory = match (request.memory_per_node, request.memory_per_cpu, request.memory_per_gpu) {
                (Some(m), ..) => m,
                (None, Some(m), _) => m.saturating_mul(cpus.into()).min(node.memory),
                (None, None, Some(m)) => m.saturating_mul(count.into()).min(node.memory),
                (None, None, None) => 0,
            };
            let available = if empty { node.memory } else { node.memory.saturating_sub(node.memory_used) };
            if memory > available && node.memory > 0 {
                return Err(NoPlan::TooMuchMemory(self.job));
            }
            let mut free = node.gpus.clone();
            if !empty {
                free.difference_with(&node.gpus_used);
            }
            if free.len() < count as usize {
                return Err(NoPlan::NoSuchGpus(self.job));
            }
            let gpus = free.take_first(count as usize).unwrap_or_default();
            let cpu_ids = node.some_cpus(cpus, empty);
            nodes.push(Share { index: self.first + *index, cpus, cpu_ids, memory, gpus });
        }
        if gpus_left > 0 {
            return Err(NoPlan::NoSuchGpus(self.job));
        }
        let distribution = match &request.order {
            Ordering::Plane(size) => format!("plane={size}"),
            Ordering::Arbitrary(_) => "arbitrary".into(),
            order => match order_of(order, tasks, chosen.len()) {
                Order::Cyclic => "cyclic".into(),
                _ => "block".into(),
            },
        };
        Ok(Plan { nodes, layout, distribution, shared: false })
    }

    /// Whether a node has memory and GPUs left for at least one task.
    fn has_room(&self, index: usize, request: &StepRequest) -> bool {
        let Some(node) = self.nodes.get(index) else {
            return false;
        };
        let memory = request.memory_per_node.or(request.memory_per_cpu).unwrap_or(0).min(node.memory);
        let gpus = match request.gpus {
            Gpus::PerNode(n) | Gpus::PerTask(n) => n as usize,
            Gpus::Total(n) => usize::from(n > 0),
            Gpus::All if self.gpus_unasked => node.gpus.len(),
            Gpus::All | Gpus::None => 0,
        };
        node.memory.saturating_sub(node.memory_used) >= memory
            && node.gpus.len().saturating_sub(node.gpus_used.len()) >= gpus
    }

    /// The nodes of the step, by their place in the job.
    fn choose(&self, request: &StepRequest, slots: &impl Fn(usize) -> u32) -> Result<Vec<usize>, NoPlan> {
        let place = |name: &String| self.nodes.iter().position(|n| n.name == *name);
        let required: Option<Vec<usize>> = request.node_list.iter().map(place).collect();
        let mut required = required.ok_or(NoPlan::NoSuchNodes(self.job))?;
        required.sort_unstable();
        required.dedup();
        let allowed: Vec<usize> = (request.relative.unwrap_or(0) as usize..self.nodes.len())
            .filter(|i| self.nodes.get(*i).is_some_and(|n| !request.exclude.contains(&n.name)))
            .collect();
        if required.iter().any(|r| !allowed.contains(r)) {
            return Err(NoPlan::NoSuchNodes(self.job));
        }
        let (least, most) = match request.nodes {
            Some((least, most)) => (least.max(1), most.max(least).max(1)),
            None if !required.is_empty() => (required.len() as u32, required.len() as u32),
            None => {
                let all = (allowed.len() as u32).max(1);
                (1, request.tasks.unwrap_or(all).clamp(1, all))
            }
        };
        if allowed.len() < least as usize {
            return Err(NoPlan::TooFewNodes(allowed.len(), least));
        }
        let most = (most as usize).min(allowed.len()).max(required.len());
        let mut usable: Vec<usize> =
            allowed.into_iter().filter(|i| !required.contains(i) && (slots(*i) > 0 || request.overcommit)).collect();
        let wanted = most.saturating_sub(required.len());
        let enough = |picked: &[usize]| {
            let room: u64 = required.iter().chain(picked).map(|i| u64::from(slots(*i))).sum();
            request.tasks.is_none_or(|tasks| room >= u64::from(tasks)) || request.overcommit
        };
        if !enough(usable.get(..wanted.min(usable.len())).unwrap_or_default()) {
            usable.sort_by_key(|i| std::cmp::Reverse(slots(*i)));
        }
        usable.truncate(wanted);
        let mut chosen = required;
        chosen.extend(usable);
        chosen.sort_unstable();
        if chosen.len() < least as usize {
            return Err(NoPlan::TooManyCpus(self.job));
        }
        Ok(chosen)
    }

    fn arbitrary(&self, names: &[String], chosen: &[usize], tasks: u32) -> Option<Vec<Vec<u32>>> {
        let mut layout = vec![Vec::new(); chosen.len()];
        for (task, name) in (0..tasks).zip(names.iter().map(Some).chain(std::iter::repeat(None))) {
            let at = chosen.iter().position(|i| self.nodes.get(*i).is_some_and(|n| Some(&n.name) == name))?;
            layout.get_mut(at)?.push(task);
        }
        Some(layout)
    }

    /// Gives a step what was planned for it.
    pub fn take(&mut self, plan: &Plan) {
        for share in plan.nodes.iter().filter(|_| !plan.shared) {
            if let Some(node) = self.nodes.get_mut(share.index.wrapping_sub(self.first)) {
                node.cpus_used += share.cpus;
                node.cpu_ids_used.union_with(&share.cpu_ids);
                node.memory_used += share.memory;
                node.gpus_used.union_with(&share.gpus);
            }
        }
    }

    /// Takes it back.
    pub fn give_back(&mut self, plan: &Plan) {
        for share in plan.nodes.iter().filter(|_| !plan.shared) {
            if let Some(node) = self.nodes.get_mut(share.index.wrapping_sub(self.first)) {
                node.cpus_used = node.cpus_used.saturating_sub(share.cpus);
                node.cpu_ids_used.difference_with(&share.cpu_ids);
                node.memory_used = node.memory_used.saturating_sub(share.memory);
                node.gpus_used.difference_with(&share.gpus);
            }
        }
    }

    /// The names of its nodes.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(|node| node.name.as_str())
    }
}

fn order_of(order: &Ordering, tasks: u32, nodes: usize) -> Order {
    match order {
        Ordering::Block => Order::Block,
        Ordering::Cyclic => Order::Cyclic,
        Ordering::Plane(size) => Order::Plane(*size),
        Ordering::Unset | Ordering::Arbitrary(_) => default_order(tasks, nodes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(nodes: &[(u32, u64, u32)]) -> Account {
        let node = |(i, (cpus, memory, gpus)): (usize, &(u32, u64, u32))| Node {
            name: format!("node{}", i + 1),
            cpus: *cpus,
            cpu_ids: (0..*cpus).collect(),
            memory: *memory,
            gpus: (0..*gpus).collect(),
            ..Node::default()
        };
        Account { job: 9, first: 0, nodes: nodes.iter().enumerate().map(node).collect(), gpus_unasked: true }
    }

    fn tasks(n: u32) -> StepRequest {
        StepRequest { tasks: Some(n), ..StepRequest::default() }
    }

    fn counts(plan: &Plan) -> Vec<usize> {
        plan.layout.iter().map(Vec::len).collect()
    }

    #[test]
    fn a_step_takes_whole_nodes_unless_exact() {
        let mut account = account(&[(4, 0, 0)]);
        let first = account.plan(&tasks(1)).unwrap();
        assert_eq!(first.nodes[0].cpus, 4);
        account.take(&first);
        assert_eq!(account.plan(&tasks(1)), Err(NoPlan::Busy(9)));
        assert!(account.plan(&StepRequest { overlap: true, ..tasks(1) }).is_ok());
        account.give_back(&first);
        let exact = StepRequest { exact: true, ..tasks(1) };
        for id in 0..4 {
            let plan = account.plan(&exact).unwrap();
            assert_eq!(plan.nodes[0].cpu_ids, [id].into_iter().collect());
            account.take(&plan);
        }
        assert_eq!(account.plan(&exact), Err(NoPlan::Busy(9)));
        assert_eq!(account.plan(&StepRequest { exact: true, ..tasks(5) }), Err(NoPlan::TooManyCpus(9)));
    }

    /// A job of four nodes with a CPU each, as for `-N4` (nodes.txt): a node without a task would never be told to end.
    #[test]
    fn no_node_is_without_a_task() {
        let account = account(&[(1, 0, 0); 4]);
        let nodes = |range, n| counts(&account.plan(&StepRequest { nodes: Some(range), ..tasks(n) }).unwrap());
        assert_eq!(nodes((2, 4), 3), [1, 1, 1]);
        assert_eq!(nodes((4, 4), 2), [1, 1]);
        assert_eq!(nodes((1, 4), 4), [1; 4]);
    }

    #[test]
    fn tasks_are_bound_within_the_step() {
        let account = account(&[(2, 0, 0)]);
        let bound = |exact, to: &str| {
            let setup = crate::agent::step::Setup { cpus: Some(to.parse().unwrap()), ..Default::default() };
            let request = StepRequest { exact, setup, ..tasks(1) };
            account.plan(&request).unwrap().outside(&request)
        };
        assert_eq!((bound(false, "map_cpu:1,0"), bound(false, "cores"), bound(true, "mask_cpu:1")), (None, None, None));
        let said = "CPU binding outside of job step allocation, allocated CPUs are: 0x1.\n\
                    Application launch failed: Unable to satisfy cpu bind request";
        assert_eq!(bound(true, "map_cpu:1").as_deref(), Some(said));
        assert!(bound(false, "mask_cpu:0xff").is_some_and(|said| said.contains("are: 0x3.")));
    }

    #[test]
    fn layouts_are_those_of_the_captures() {
        let account = account(&[(3, 0, 0), (1, 0, 0)]); // srun.txt: salloc -N2 -n4
        let both = |n| StepRequest { nodes: Some((2, 2)), ..tasks(n) };
        assert_eq!(counts(&account.plan(&both(4)).unwrap()), [3, 1]);
        assert_eq!(counts(&account.plan(&both(2)).unwrap()), [1, 1]);
        assert_eq!(account.plan(&both(2)).unwrap().distribution, "cyclic");
        let plan = account.plan(&StepRequest { nodes: Some((2, 2)), ..StepRequest::default() }).unwrap();
        assert_eq!(counts(&plan), [1, 1]);
        assert_eq!(account.plan(&both(5)), Err(NoPlan::TooManyCpus(9)));
        assert_eq!(counts(&account.plan(&StepRequest { overcommit: true, ..both(6) }).unwrap()), [4, 2]);
    }

    #[test]
    fn nodes_are_chosen_by_name_place_and_what_is_free() {
        let mut account = account(&[(2, 0, 0), (2, 0, 0), (2, 0, 0)]);
        let on = |request: &StepRequest, account: &Account| -> Vec<usize> {
            account.plan(request).unwrap().nodes.iter().map(|n| n.index).collect()
        };
        let one = StepRequest { nodes: Some((1, 1)), ..tasks(1) };
        assert_eq!(on(&StepRequest { node_list: vec!["node2".into()], ..one.clone() }, &account), [1]);
        assert_eq!(on(&StepRequest { relative: Some(2), ..one.clone() }, &account), [2]);
        assert_eq!(on(&StepRequest { exclude: vec!["node1".into()], ..one.clone() }, &account), [1]);
        let first = account.plan(&one).unwrap();
        account.take(&first);
        assert_eq!(on(&one, &account), [1]);
        let elsewhere = StepRequest { node_list: vec!["other".into()], ..one };
        assert_eq!(account.plan(&elsewhere), Err(NoPlan::NoSuchNodes(9)));
        let four = StepRequest { nodes: Some((4, 4)), ..tasks(4) };
        assert_eq!(account.plan(&four), Err(NoPlan::TooFewNodes(3, 4)));
    }

    #[test]
    fn gpus_and_memory_are_counted() {
        let mut account = account(&[(4, 4000, 2)]);
        let one = StepRequest { exact: true, gpus: Gpus::PerNode(1), ..tasks(1) };
        let a = account.plan(&one).unwrap();
        account.take(&a);
        let b = account.plan(&one).unwrap();
        assert_eq!((a.nodes[0].gpus.first(), b.nodes[0].gpus.first()), (Some(0), Some(1)));
        assert_eq!(account.plan(&StepRequest { exact: true, ..tasks(1) }), Err(NoPlan::Busy(9)));
        assert!(account.plan(&StepRequest { exact: true, gpus: Gpus::None, ..tasks(1) }).is_ok());
        let three = StepRequest { gpus: Gpus::PerNode(3), ..tasks(1) };
        assert_eq!(account.plan(&three), Err(NoPlan::NoSuchGpus(9)));
        let memory = |m| StepRequest { exact: true, gpus: Gpus::None, memory_per_node: Some(m), ..tasks(1) };
        assert_eq!(account.plan(&memory(5000)), Err(NoPlan::TooMuchMemory(9)));
        let c = account.plan(&memory(4000)).unwrap();
        account.take(&c);
        assert_eq!(account.plan(&memory(1)), Err(NoPlan::Busy(9)));
    }
}
