//! The environments of `env.txt`, variable for variable.

use super::*;
use crate::{
    job::{GresShare, Job, Memory, NodeShare, Placement, Request, TasksPer, User},
    slurm::{gres::Gres, idset::IdSet, state::JobState, time::TimeLimit},
};
use proptest::prelude::*;
use std::sync::Arc;

fn gres(count: u64, type_: Option<&str>) -> Vec<Gres> {
    vec![Gres { name: "gpu".into(), type_: type_.map(str::to_owned), count }]
}

/// A job on nodes with so many CPUs, tasks and GPUs each.
fn job(nodes: &[(u32, u32, u32)], request: Request) -> Job {
    let request = Request {
        name: "showenv.sh".into(),
        user: User { uid: 2001, gid: 2001, name: "alice".into(), group: "alice".into() },
        account: Some("research".into()),
        qos: Some("normal".into()),
        submit_dir: "/w".into(),
        submit_host: "vm".into(),
        ..request
    };
    let share = |(i, (cpus, tasks, gpus)): (usize, &(u32, u32, u32))| NodeShare {
        node: format!("node{}", i + 1),
        cpus: (0..*cpus).collect(),
        memory: 4096,
        gres: vec![GresShare { name: "gpu".into(), kind: None, ids: (0..*gpus).collect() }],
        tasks: *tasks,
    };
    Job {
        state: JobState::Running,
        partition: "gpu".into(),
        time_limit: TimeLimit::Minutes(10),
        eligible_time: Some(1000),
        start_time: Some(1000),
        placement: Some(Placement { nodes: nodes.iter().enumerate().map(share).collect() }),
        ..Job::new(2, Arc::new(request), 1000)
    }
}

fn of_script(job: &Job, submitted: &str) -> Environment {
    let mut environment = Environment::parse(submitted.replace(' ', "\0").as_bytes());
    batch(&mut environment, &Batch { job, cluster: "lab", conf: "/c", host: "node1" });
    environment
}

/// The variables, sorted, a blank between.
fn shown(environment: &Environment) -> String {
    let mut lines: Vec<String> =
        environment.entries().iter().map(|e| String::from_utf8_lossy(e).into_owned()).collect();
    lines.sort();
    lines.join(" ")
}

fn words(text: &str) -> String {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    words.sort_unstable();
    words.join(" ")
}

/// `-N2 --ntasks-per-node=2 --cpus-per-task=2 --gpus-per-node=8 --mem=4G`
fn two_nodes() -> Job {
    let request = Request {
        tasks_per: TasksPer { node: Some(2), ..TasksPer::default() },
        cpus_per_task: Some(2),
        gpus_per_node: gres(8, None),
        memory: Some(Memory::PerNode(4096)),
        ..Request::default()
    };
    job(&[(4, 2, 8), (4, 2, 8)], request)
}

const TWO_NODES: &str = "BAR=fromshell CUDA_VISIBLE_DEVICES=0,1,2,3,4,5,6,7 ENVIRONMENT=BATCH HOSTNAME=node1
    SLURMD_NODENAME=node1 SLURM_CLUSTER_NAME=lab SLURM_CONF=/c SLURM_CPUS_ON_NODE=4 SLURM_CPUS_PER_TASK=2
    SLURM_GPUS_ON_NODE=8 SLURM_GPUS_PER_NODE=8 SLURM_GTIDS=0 SLURM_JOBID=2 SLURM_JOB_ACCOUNT=research
    SLURM_JOB_CPUS_PER_NODE=4(x2) SLURM_JOB_GID=2001 SLURM_JOB_GPUS=0,1,2,3,4,5,6,7 SLURM_JOB_ID=2
    SLURM_JOB_NAME=showenv.sh SLURM_JOB_NODELIST=node[1-2] SLURM_JOB_NUM_NODES=2 SLURM_JOB_PARTITION=gpu
    SLURM_JOB_QOS=normal SLURM_JOB_UID=2001 SLURM_JOB_USER=alice SLURM_LOCALID=0 SLURM_MEM_PER_NODE=4096
    SLURM_NNODES=2 SLURM_NODEID=0 SLURM_NODELIST=node[1-2] SLURM_NPROCS=4 SLURM_NTASKS=4 SLURM_NTASKS_PER_NODE=2
    SLURM_PRIO_PROCESS=0 SLURM_PROCID=0 SLURM_SUBMIT_DIR=/w SLURM_SUBMIT_HOST=vm SLURM_TASKS_PER_NODE=2(x2)
    SLURM_TASK_PID=0 SLURM_TOPOLOGY_ADDR=node1 SLURM_TOPOLOGY_ADDR_PATTERN=node TMPDIR=/tmp
    SLURM_JOB_START_TIME=1000 SLURM_JOB_END_TIME=1600 SLURM_TRES_PER_TASK=cpu=2";

#[test]
fn a_script_on_two_nodes() {
    assert_eq!(shown(&of_script(&two_nodes(), "BAR=fromshell")), words(TWO_NODES));
}

#[test]
fn a_task_on_the_second_node() {
    let job = two_nodes();
    let mut environment = of_script(&job, "BAR=fromshell");
    let nodes = ["node1".to_owned(), "node2".to_owned()];
    let gpus: IdSet = (0..8).collect();
    let facts = Task {
        job: &job,
        cluster: "lab",
        conf: "/c",
        step: 0,
        nodes: &nodes,
        layout: &[vec![0, 1], vec![2, 3]],
        distribution: Some("block"),
        node: 1,
        cpus: 4,
        id: 3,
        local_id: 1,
        gpus: &gpus,
        gpu_binding: None,
        gpus_on_node: 8,
        cpus_per_task: Some(2),
        umask: 0o022,
        label: false,
        launcher: "127.0.0.1",
        het: None,
    };
    task(&mut environment, &facts);
    let changed =
        "SLURMD_NODENAME=node2 SLURM_GTIDS=2,3 SLURM_LOCALID=1 SLURM_NODEID=1 SLURM_PROCID=3 SLURM_TOPOLOGY_ADDR=node2";
    let name = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
    let same = TWO_NODES.split_whitespace().filter(|w| !changed.split(' ').any(|c| name(c) == name(w)));
    let added = "SLURM_DISTRIBUTION=block SLURM_LAUNCH_NODE_IPADDR=127.0.0.1 SLURM_SRUN_COMM_HOST=127.0.0.1 SLURM_SRUN_COMM_PORT=0 SLURM_STEP_LAUNCHER_PORT=0 SLURM_STEPID=0
        SLURM_STEP_GPUS=0,1,2,3,4,5,6,7 SLURM_STEP_ID=0 SLURM_STEP_NODELIST=node[1-2] SLURM_STEP_NUM_NODES=2
        SLURM_STEP_NUM_TASKS=4 SLURM_STEP_TASKS_PER_NODE=2(x2) SLURM_UMASK=0022 SRUN_DEBUG=3";
    let expected = format!("{} {changed} {added}", same.collect::<Vec<_>>().join(" "));
    assert_eq!(shown(&environment), words(&expected));
}

#[test]
fn only_what_was_asked_for_is_said() {
    let has = |request: Request, nodes: &[(u32, u32, u32)], wanted: &[(&str, Option<&str>)]| {
        let environment = of_script(&job(nodes, request), "");
        for (name, value) in wanted {
            assert_eq!(environment.text(name), *value, "{name}");
        }
    };
    let none = [
        "SLURM_NTASKS",
        "SLURM_NPROCS",
        "SLURM_GPUS",
        "SLURM_GPUS_ON_NODE",
        "CUDA_VISIBLE_DEVICES",
        "SLURM_MEM_PER_NODE",
    ];
    has(Request::default(), &[(1, 1, 0), (1, 1, 0)], &none.map(|n| (n, None)));
    has(
        Request { ntasks: Some(5), ..Request::default() },
        &[(4, 4, 0), (1, 1, 0)],
        &[
            ("SLURM_NTASKS", Some("5")),
            ("SLURM_TASKS_PER_NODE", Some("4,1")),
            ("SLURM_JOB_CPUS_PER_NODE", Some("4,1")),
            ("SLURM_CPUS_ON_NODE", Some("4")),
        ],
    );
    has(
        Request { gpus_per_node: gres(2, Some("h100")), ..Request::default() },
        &[(1, 1, 2)],
        &[("SLURM_GPUS_PER_NODE", Some("h100:2")), ("SLURM_JOB_GPUS", Some("0,1"))],
    );
    has(
        Request { gres: gres(2, None), ..Request::default() },
        &[(1, 1, 2)],
        &[("SLURM_GPUS", None), ("SLURM_GPUS_ON_NODE", Some("2"))],
    );
    has(
        Request { memory: Some(Memory::PerNode(0)), ..Request::default() },
        &[(1, 1, 0)],
        &[("SLURM_MEM_PER_NODE", None)],
    );
    has(
        Request { hint: Some("nomultithread".into()), ..Request::default() },
        &[(1, 1, 0)],
        &[("SLURM_HINT", Some("nomultithread")), ("SLURM_THREADS_PER_CORE", Some("1"))],
    );
}

#[test]
fn another_job_is_forgotten_but_the_users_own_wishes_are_not() {
    let job = job(&[(1, 1, 0)], Request::default());
    let inside = of_script(&job, "SLURM_JOB_ID=1 SLURM_NTASKS=9 SLURM_STEP_ID=3 CUDA_VISIBLE_DEVICES=5 A=1");
    for name in ["SLURM_NTASKS", "SLURM_STEP_ID", "CUDA_VISIBLE_DEVICES"] {
        assert_eq!(inside.get(name), None, "{name}");
    }
    assert_eq!((inside.text("A"), inside.text("SLURM_JOB_ID")), (Some("1"), Some("2")));
    let outside = of_script(&job, "SLURM_CPU_BIND=none");
    assert_eq!(outside.text("SLURM_CPU_BIND"), Some("none"));
}

#[test]
fn values_are_set_replaced_and_taken_out() {
    let mut e = Environment::parse(b"A=1\0B=x=y\0=bad\0worse\0\0");
    assert_eq!(e.get("B"), Some(&b"x=y"[..]));
    e.set("A", "2");
    e.set("C", "z\0hidden");
    e.unset("B");
    assert_eq!(e.to_block(), b"A=2\0C=z\0");
}

proptest! {
    #[test]
    fn any_bytes_come_back(bytes: Vec<u8>) {
        let once = Environment::parse(&bytes);
        prop_assert_eq!(Environment::parse(&once.to_block()), once);
    }
}
