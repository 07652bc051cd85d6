//! Hand-made jobs of sacct.txt, for the tests of sacct, scancel and scontrol.

use crate::{
    job::{Job, NodeShare, Partition, Placement, Request, User},
    slurm::{idset::IdSet, state::JobState, time::TimeLimit},
};
use std::sync::Arc;

/// 2026-11-20T11:39:16 universal time, when job 112 of sacct.txt began.
pub const START: i64 = 1_795_174_756;

/// A job of alice's in `gpu`, on node1 if it runs or ran: 2 CPUs, 2 s of run time.
pub fn job(id: u32, change: impl FnOnce(&mut Request), state: JobState) -> Job {
    let mut request = Request {
        name: "steps".into(),
        user: User { uid: 2001, gid: 2001, name: "alice".into(), group: "alice".into() },
        account: Some("research".into()),
        ntasks: Some(2),
        work_dir: "/tmp/slurm-rec/home/alice/w".into(),
        submit_dir: "/tmp/slurm-rec/home/alice/w".into(),
        submit_host: "localhost".into(),
        submit_line: "sbatch -Q --wait -J steps -n2 --wrap true".into(),
        ..Request::default()
    };
    change(&mut request);
    let share =
        NodeShare { node: "node1".into(), cpus: (0..2).collect::<IdSet>(), memory: 4000, gres: Vec::new(), tasks: 2 };
    let waits = state == JobState::Pending;
    Job {
        state,
        priority: 4_294_901_676,
        partition: "gpu".into(),
        time_limit: TimeLimit::Minutes(1440),
        min_cpus: 2,
        eligible_time: Some(START),
        start_time: (!waits).then_some(START),
        end_time: state.is_finished().then_some(START + 2),
        placement: (!waits).then(|| Placement { nodes: vec![share] }),
        ..Job::new(id, Arc::new(request), START)
    }
}

/// The partition `gpu` of the captures: 2000 MiB a CPU, 1 day, at most 7.
pub fn gpu() -> Partition {
    Partition {
        name: "gpu".into(),
        default: true,
        nodes: (1..=4).map(|n| format!("node{n}")).collect(),
        default_time: Some(TimeLimit::Minutes(1440)),
        max_time: TimeLimit::Minutes(7 * 1440),
        priority_tier: 1,
        default_memory_per_cpu: Some(2000),
        memory_share: None,
        infra: "local".into(),
        up: true,
    }
}
