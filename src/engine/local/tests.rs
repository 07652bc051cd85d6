//! Placement and backfill against what a real Slurm 22.05 answered on four nodes of
//! 64 CPUs, 500 GB and 8 GPUs, of which it was asked with `scontrol -d show job`.

use super::{
    backfill::{self, Running},
    inventory::Inventory,
    place::place,
    plan,
};
use crate::{
    config::Config,
    engine::Candidate,
    job::{Exclusive, Gpus, Memory, Needs, Partition, Placement, Request, TasksPer},
    slurm::{count::NodeCount, gres::GresList, reason::Reason, time::TimeLimit},
};
use std::{collections::HashMap, sync::Arc};

fn lab() -> Inventory {
    let text = "[[node]]\nname = \"node[1-4]\"\ncpus = 64\nmemory = \"512000M\"\ngres = [\"gpu:h100:8\"]\n";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Inventory::new(&Config::read(file.path()).unwrap(), 0)
}

fn gpus(text: &str) -> Vec<crate::slurm::gres::Gres> {
    GresList::parse_gpus(text).unwrap().0
}

fn nodes(min: u32, max: u32) -> Option<NodeCount> {
    Some(NodeCount { min, max: Some(max) })
}

/// `node:cpus:gpus` of each node.
fn shown(placement: &Placement) -> String {
    let one = |n: &crate::job::NodeShare| {
        format!("{}:{}:{}", n.node.trim_start_matches("node"), n.cpus.len(), n.gpus().len())
    };
    placement.nodes.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn placed(inventory: &Inventory, request: Request) -> String {
    let needs = Needs::of(&request, Some(2000));
    let slots: Vec<_> = inventory.slots.iter().collect();
    place(&needs, &slots).as_ref().map_or_else(|| "none".into(), shown)
}

#[test]
fn layouts_are_a_real_slurm_s() {
    let lab = lab();
    let r = Request::default;
    let cases = [
        ("-N1-3", Request { nodes: nodes(1, 3), ..r() }, "1:1:0 2:1:0 3:1:0"),
        ("-N1-3 -n2", Request { nodes: nodes(1, 3), ntasks: Some(2), ..r() }, "1:1:0 2:1:0"),
        ("-N1-3 -n6", Request { nodes: nodes(1, 3), ntasks: Some(6), ..r() }, "1:4:0 2:1:0 3:1:0"),
        ("-N2 -n5", Request { nodes: nodes(2, 2), ntasks: Some(5), ..r() }, "1:4:0 2:1:0"),
        ("-n100", Request { ntasks: Some(100), ..r() }, "1:64:0 2:36:0"),
        ("-n10 -c20", Request { ntasks: Some(10), cpus_per_task: Some(20), ..r() }, "1:60:0 2:60:0 3:60:0 4:20:0"),
        ("--gpus=9 -N3", Request { nodes: nodes(3, 3), gpus: gpus("9"), ..r() }, "1:1:7 2:1:1 3:1:1"),
        ("-N2 --gpus=4", Request { nodes: nodes(2, 2), gpus: gpus("4"), ..r() }, "1:1:3 2:1:1"),
        ("--gpus=12", Request { gpus: gpus("12"), ..r() }, "1:1:8 2:1:4"),
        ("-n3 --gpus=12", Request { ntasks: Some(3), gpus: gpus("12"), ..r() }, "1:2:8 2:1:4"),
        ("-n4 --gpus-per-task=3", Request { ntasks: Some(4), gpus_per_task: gpus("3"), ..r() }, "1:2:6 2:2:6"),
        (
            "--gpus=4 --ntasks-per-gpu=2 -N2",
            Request {
                nodes: nodes(2, 2),
                gpus: gpus("4"),
                tasks_per: TasksPer { gpu: Some(2), ..Default::default() },
                ..r()
            },
            "1:4:2 2:4:2",
        ),
        (
            "--exclusive -N2 -n3",
            Request { nodes: nodes(2, 2), ntasks: Some(3), exclusive: Exclusive::Node, ..r() },
            "1:64:8 2:64:8",
        ),
        ("-O -n200 -N1", Request { nodes: nodes(1, 1), ntasks: Some(200), overcommit: true, ..r() }, "1:1:0"),
        (
            "-n5 --ntasks-per-node=2",
            Request { ntasks: Some(5), tasks_per: TasksPer { node: Some(2), ..Default::default() }, ..r() },
            "1:2:0 2:2:0 3:2:0",
        ),
        ("--mincpus=5", Request { min_cpus: Some(5), ..r() }, "1:5:0"),
        ("-w node3,node1", Request { nodelist: vec!["node3".into(), "node1".into()], ..r() }, "1:1:0 3:1:0"),
        ("-w node3 -N2", Request { nodes: nodes(2, 2), nodelist: vec!["node3".into()], ..r() }, "1:1:0 3:1:0"),
        ("-x node[1-2]", Request { exclude: vec!["node1".into(), "node2".into()], ..r() }, "3:1:0"),
        ("--mem=300G -n3", Request { ntasks: Some(3), memory: Some(Memory::PerNode(307_200)), ..r() }, "1:3:0"),
        (
            "--mem-per-cpu=200G -n3",
            Request { ntasks: Some(3), memory: Some(Memory::PerCpu(204_800)), ..r() },
            "1:2:0 2:1:0",
        ),
        ("--cpus-per-gpu=4 --gpus=2", Request { cpus_per_gpu: Some(4), gpus: gpus("2"), ..r() }, "1:8:2"),
        ("-N9", Request { nodes: nodes(9, 9), ..r() }, "none"),
        ("-c65", Request { cpus_per_task: Some(65), ..r() }, "none"),
        ("--gpus-per-node=a100:1", Request { gpus_per_node: gpus("a100:1"), ..r() }, "none"),
    ];
    for (options, request, expected) in cases {
        assert_eq!(placed(&lab, request), expected, "{options}");
    }
}

#[test]
fn busy_nodes_are_filled_in_order() {
    let mut lab = lab();
    let busy = |node: &str, n| Request { ntasks: Some(n), nodelist: vec![node.into()], ..Request::default() };
    for request in [busy("node1", 60), busy("node2", 30)] {
        let slots: Vec<_> = lab.slots.iter().collect();
        let placement = place(&Needs::of(&request, Some(2000)), &slots).unwrap();
        lab.take(&placement);
    }
    let n = |ntasks, nodes| Request { ntasks, nodes, ..Request::default() };
    assert_eq!(placed(&lab, n(Some(4), None)), "1:4:0");
    assert_eq!(placed(&lab, n(Some(10), None)), "2:10:0");
    assert_eq!(placed(&lab, n(Some(40), None)), "3:40:0");
    assert_eq!(placed(&lab, n(Some(70), None)), "1:4:0 2:34:0 3:32:0");
    assert_eq!(placed(&lab, n(Some(10), nodes(2, 2))), "1:4:0 2:6:0");
    assert_eq!(placed(&lab, n(Some(90), nodes(3, 3))), "1:4:0 2:34:0 3:52:0");
}

#[test]
fn what_is_taken_comes_back() {
    let mut lab = lab();
    let before = format!("{:?}", lab.slots);
    let slots: Vec<_> = lab.slots.iter().collect();
    let request = Request { ntasks: Some(70), gpus: gpus("12"), ..Request::default() };
    let placement = place(&Needs::of(&request, Some(2000)), &slots).unwrap();
    lab.take(&placement);
    assert_ne!(format!("{:?}", lab.slots), before);
    lab.give_back(&placement);
    assert_eq!(format!("{:?}", lab.slots), before);
}

fn partition() -> Partition {
    Partition {
        name: "gpu".into(),
        default: true,
        nodes: (1..=4).map(|n| format!("node{n}")).collect(),
        default_time: None,
        max_time: TimeLimit::Unlimited,
        priority_tier: 1,
        default_memory_per_cpu: Some(2000),
        memory_share: None,
        infra: "local".into(),
        up: true,
    }
}

fn candidate(id: u32, nodes: u32, minutes: u32) -> Candidate {
    let request = Request {
        nodes: Some(NodeCount { min: nodes, max: Some(nodes) }),
        exclusive: Exclusive::Node,
        ..Request::default()
    };
    Candidate {
        id,
        count: 1,
        needs: Arc::new(Needs { gpus: Gpus::None, ..Needs::of(&request, Some(2000)) }),
        partitions: vec!["gpu".into()],
        time_limit: TimeLimit::Minutes(minutes),
        time_min: None,
        others: Vec::new(),
    }
}

/// Two nodes are busy for an hour, and the first in the queue wants three: so long, and no longer, others may run.
#[test]
fn a_job_that_may_end_sooner_fills_the_gap() {
    let mut lab = lab();
    let placement = place(&candidate(1, 2, 60).needs, &lab.slots.iter().collect::<Vec<_>>()).unwrap();
    lab.take(&placement);
    let mut running = HashMap::from([(1, Running { until: 3659, placement })]);
    let least = |id, minutes| Candidate { time_min: Some(TimeLimit::Minutes(minutes)), ..candidate(id, 1, 120) };
    let queue = vec![candidate(2, 3, 60), candidate(3, 1, 120), least(4, 61), least(5, 30), candidate(6, 1, 10)];
    let schedule = backfill::schedule(&mut queue.into_iter(), &mut lab, &mut running, &[partition()], 0);
    let started: Vec<u32> = schedule.starts.iter().map(|s| s.0).collect();
    assert_eq!((started, schedule.shortened), (vec![5, 6], vec![(0, 60)]));
}

#[test]
fn a_short_job_goes_ahead_only_if_it_delays_nobody() {
    let mut lab = lab();
    let mut running = HashMap::new();
    // Two nodes are busy for an hour; the first in the queue wants three.
    let slots: Vec<_> = lab.slots.iter().collect();
    let placement = place(&candidate(1, 2, 60).needs, &slots).unwrap();
    lab.take(&placement);
    running.insert(1, Running { until: 3600, placement });
    let queue = vec![candidate(2, 3, 60), candidate(3, 1, 120), candidate(4, 1, 30)];
    let schedule = backfill::schedule(&mut queue.into_iter(), &mut lab, &mut running, &[partition()], 0);
    // Job 3 would hold node3, which job 2 gets in an hour; job 4 ends before that.
    let started: Vec<u32> = schedule.starts.iter().map(|s| s.0).collect();
    assert_eq!(started, [4]);
    assert_eq!(schedule.reasons, [(2, Reason::Resources), (3, Reason::Priority)]);
}

#[test]
fn an_array_takes_all_that_is_free() {
    let mut lab = lab();
    let mut running = HashMap::new();
    let queue = vec![Candidate { count: 100, ..candidate(1, 1, 10) }];
    let schedule = backfill::schedule(&mut queue.into_iter(), &mut lab, &mut running, &[partition()], 0);
    assert_eq!(schedule.starts.len(), 4);
    assert_eq!(schedule.reasons, [(1, Reason::Resources)]);
}

#[test]
fn components_start_together_on_nodes_of_their_own_or_not_at_all() {
    let mut lab = lab();
    let mut running = HashMap::new();
    let whole = |first: Candidate, second| Candidate { others: vec![second], ..first };
    let mut named = candidate(3, 1, 10);
    named.needs = Arc::new(Needs { nodelist: vec!["node1".into()], ..(*named.needs).clone() });
    let queue = vec![whole(candidate(1, 1, 10), candidate(2, 4, 10)), whole(candidate(4, 1, 5), named)];
    let schedule = backfill::schedule(&mut queue.into_iter(), &mut lab, &mut running, &[partition()], 0);
    // The first never fits on four nodes; of the second, who names a node gets it.
    let started: Vec<_> = schedule.starts.iter().map(|(id, _, p)| (*id, p.names().collect::<Vec<_>>())).collect();
    assert_eq!(started, [(4, vec!["node2"]), (3, vec!["node1"])]);
    assert_eq!(schedule.reasons, [(1, Reason::Resources)]);
    assert!(lab.slots[2].is_idle());
}

#[test]
fn a_start_is_foretold_by_the_limits_of_what_runs() {
    let mut lab = lab();
    let slots: Vec<_> = lab.slots.iter().collect();
    let placement = place(&candidate(1, 4, 60).needs, &slots).unwrap();
    lab.take(&placement);
    let running = [Running { until: 3600, placement }];
    let found = backfill::earliest(&candidate(2, 1, 10), &lab, running.iter(), &[partition()], 100);
    assert_eq!(found.map(|(at, ..)| at), Some(3600));
}

#[test]
fn those_who_wait_are_planned_in_their_order() {
    let mut lab = lab();
    let slots: Vec<_> = lab.slots.iter().collect();
    let placement = place(&candidate(1, 4, 60).needs, &slots).unwrap();
    lab.take(&placement);
    let running = [(1, Running { until: 3600, placement })].into();
    let array = Candidate { count: 5, ..candidate(4, 1, 10) };
    let queue = vec![candidate(2, 3, 10), candidate(3, 5, 10), array, candidate(5, 1, 10)];
    let planned = plan::plan(&mut queue.into_iter(), &lab, &running, &[partition()], 100);
    let planned: Vec<_> = planned.iter().map(|p| (p.job, p.start, p.placement.names().collect::<Vec<_>>())).collect();
    // Job 3 wants more nodes than there are. Of the array one element starts beside job 2, the others with what it leaves.
    let three = vec!["node1", "node2", "node3"];
    assert_eq!(planned, [(2, 3600, three), (4, 3600, vec!["node4"]), (5, 4800, vec!["node1"])]);
}
