//! Hand-made jobs and nodes like those of the captures, for tests.

use crate::{
    host::ipc,
    job::{
        ArrayRef, Cluster, Depth, Exclusive, ExitStatus, GresShare, Job, JobList, Kind, Memory, Node, NodeShare,
        Partition, Placement, Request, Requeue, Step, StepId, TasksPer, Usage, User,
    },
    slurm::{
        array::ArraySpec,
        dependency::Unmet,
        gres::{Gres, GresList},
        idset::IdSet,
        reason::Reason,
        state::JobState,
        time::TimeLimit,
    },
};
use serde_json::{Value, json};
use std::sync::Arc;

/// 2026-11-20T13:40:39, when `fields/squeue.txt` was recorded.
pub const NOW: i64 = 1_795_182_039;

/// 13:40:00 of that day.
pub const MINUTE: i64 = NOW - 39;

/// The four nodes and two partitions of the captures.
pub fn cluster() -> Cluster {
    let node = |n: u32| Node {
        name: format!("node{n}"),
        cpus: 64,
        memory: 512_000,
        gres: GresList::parse("gpu:h100:8").unwrap().0,
        gres_used: vec![0],
        host: format!("node{n}"),
        address: format!("127.0.1.{n}"),
        ..Node::default()
    };
    let partition = |name: &str, default, minutes: [u32; 2], priority_tier| Partition {
        name: name.into(),
        default,
        nodes: (1..=4).map(|n| format!("node{n}")).collect(),
        default_time: Some(TimeLimit::Minutes(minutes[0])),
        max_time: TimeLimit::Minutes(minutes[1]),
        priority_tier,
        default_memory_per_cpu: Some(2000),
        memory_share: None,
        infra: "local".into(),
        up: true,
    };
    Cluster {
        reservations: Vec::new(),
        name: "lab".into(),
        partitions: vec![partition("gpu", true, [1440, 10080], 1), partition("debug", false, [10, 30], 10)],
        nodes: (1..=4).map(node).collect(),
        config: Vec::new(),
        licenses: Vec::new(),
        accounts: Vec::new(),
        default_account: Some("research".into()),
        qos: vec!["normal".into()],
        now: NOW,
        qos_limits: Default::default(),
        account_limits: Default::default(),
        out_of_reach: None,
    }
}

/// A request of alice's.
pub fn request(name: &str) -> Request {
    Request {
        name: name.into(),
        user: User { uid: 2001, gid: 2001, name: "alice".into(), group: "alice".into() },
        account: Some("research".into()),
        work_dir: "/home/alice".into(),
        submit_host: "localhost".into(),
        ..Request::default()
    }
}

/// The same where as much is said as can be, so that what looks at it shows.
pub fn request_that_says_all(name: &str) -> Request {
    let mut all = serde_json::to_value(request(name)).unwrap();
    let nothing = serde_json::to_value(Request::default()).unwrap();
    let gres = json!([{ "name": "gpu", "type_": "h100", "count": 7 }]);
    let words = [json!("7"), json!(7), json!(["node7"]), json!(true), json!("Node"), json!({ "Minutes": 7 }), gres];
    for (key, value) in nothing.as_object().unwrap() {
        if all[key] != *value {
            continue;
        }
        let is_taken = |word: &&Value| {
            let mut with = nothing.clone();
            with[key] = (*word).clone();
            serde_json::from_value::<Request>(with).is_ok_and(|request| request != Request::default())
        };
        all[key] = words.iter().find(is_taken).unwrap_or(value).clone();
    }
    serde_json::from_value(all).unwrap()
}

/// Jobs as a command has them that asked for so much of them.
pub fn sent(depth: Depth, jobs: &[Job]) -> Vec<Job> {
    let list = JobList::to_depth(depth, jobs);
    let received: JobList = ipc::parse(&ipc::frame(&list).unwrap()[4..]).unwrap();
    received.into_jobs()
}

/// A job that waits, in the partition gpu, with the time limit of a day.
pub fn job(id: u32, request: Request) -> Job {
    Job {
        priority: 0,
        partition: "gpu".into(),
        time_limit: TimeLimit::Minutes(1440),
        ..Job::new(id, Arc::new(request), MINUTE + 36)
    }
}

/// So many CPUs, so much memory and so many GPUs on each of some nodes.
pub fn on(nodes: &[&str], cpus: &[u32], memory: u64, gpus: u32) -> Option<Placement> {
    let share = |(node, cpus): (&&str, &u32)| NodeShare {
        node: (*node).into(),
        cpus: (0..*cpus).collect(),
        memory,
        gres: match gpus {
            0 => Vec::new(),
            gpus => vec![GresShare { name: "gpu".into(), kind: Some("h100".into()), ids: (0..gpus).collect() }],
        },
        tasks: 1,
    };
    Some(Placement { nodes: nodes.iter().zip(cpus).map(share).collect() })
}

/// A waiting array.
pub fn array(mut job: Job, spec: &str) -> Job {
    let spec = ArraySpec::parse(spec, 10_001).unwrap();
    let (throttle, pending) = (spec.throttle, spec.ids.clone());
    job.array = Some(ArrayRef { job_id: job.id, spec: Arc::new(spec), throttle, task_id: None, pending });
    job
}

/// An element of an array with a record of its own.
pub fn element(mut job: Job, array: u32, task: u32, spec: &str) -> Job {
    let spec = Arc::new(ArraySpec::parse(spec, 10_001).unwrap());
    job.array = Some(ArrayRef { job_id: array, spec, throttle: None, task_id: Some(task), pending: IdSet::new() });
    job
}

/// A step that runs.
pub fn step(id: StepId, name: &str, nodes: &[&str], start: i64) -> Step {
    Step {
        id,
        name: name.into(),
        state: JobState::Running,
        nodes: nodes.iter().map(|n| (*n).into()).collect(),
        tasks: nodes.len() as u32,
        cpus: 0,
        memory: 0,
        gpus: 0,
        tasks_per_node: vec![1; nodes.len()],
        start,
        end: None,
        exit: ExitStatus::default(),
        usage: Usage::default(),
        cancelled_by: None,
        command: String::new(),
    }
}

fn gpus(count: u64, kind: Option<&str>) -> Vec<Gres> {
    vec![Gres { name: "gpu".into(), type_: kind.map(str::to_owned), count }]
}

fn waiting(mut job: Job, reason: Reason, priority: u32) -> Job {
    (job.reason, job.priority) = (reason, priority);
    job.dependency = job.request.dependency.as_ref().map(|list| Unmet::new(list, |_| false)).unwrap_or_default();
    job
}

/// The nine jobs of `fields/squeue.txt`.
#[rustfmt::skip]
pub fn recorded() -> Vec<Job> {
    let started = |mut job: Job, at: i64, priority| {
        (job.state, job.priority) = (JobState::Running, priority);
        (job.submit_time, job.eligible_time, job.start_time) = (at, Some(at), Some(at));
        job
    };
    let run = Job {
        time_limit: TimeLimit::Minutes(60),
        placement: on(&["node1", "node2"], &[3, 1], 4096, 2),
        steps: vec![
            step(StepId::Batch, "batch", &["node1"], MINUTE + 31),
            step(StepId::Extern, "extern", &["node1", "node2"], MINUTE + 31),
        ],
        ..started(job(828, Request {
            ntasks: Some(4), memory: Some(Memory::PerNode(4096)), gres: gpus(2, None),
            comment: Some("run comment".into()), output: Some("out_%j.txt".into()), error: Some("err_%x.txt".into()),
            command: Some("/home/alice/disp.sh".into()), args: vec![b"a".to_vec(), b"b".to_vec()],
            ..request("dispRun")
        }), MINUTE + 31, 4_294_901_707)
    };
    let alloc = Job {
        placement: on(&["node1"], &[2], 4000, 0),
        steps: vec![
            step(StepId::Extern, "extern", &["node1"], MINUTE + 31),
            step(StepId::Number(0), "sleep", &["node1"], MINUTE + 34),
        ],
        ..started(job(829, Request { kind: Kind::Interactive, ntasks: Some(2), ..request("dispAlloc") }), MINUTE + 31, 4_294_901_706)
    };
    let fail = Job {
        state: JobState::Failed, reason: Reason::NonZeroExitCode, exit: ExitStatus::exited(9),
        time_limit: TimeLimit::Minutes(5), start_time: Some(MINUTE + 35), end_time: Some(MINUTE + 35),
        placement: on(&["node1"], &[1], 2000, 0),
        ..started(job(830, request("dispFail")), MINUTE + 34, 4_294_901_705)
    };
    let later = MINUTE + 3636;
    let later = Job {
        time_limit: TimeLimit::Unlimited, min_nodes: 4, min_cpus: 12,
        eligible_time: Some(later), start_time: Some(later),
        ..waiting(job(831, Request {
            tasks_per: TasksPer { node: Some(3), ..TasksPer::default() }, gpus_per_socket: gpus(1, None),
            memory: Some(Memory::PerNode(100_500)), exclusive: Exclusive::User, begin: Some(later),
            command: Some("/home/alice/disp.sh".into()), ..request("dispLater")
        }), Reason::BeginTime, 4_294_901_704)
    };
    let big = Job {
        time_limit: TimeLimit::Minutes(3064), min_nodes: 3, min_cpus: 10,
        ..waiting(job(832, Request {
            nodes: "2-3".parse().ok(), ntasks: Some(5), cpus_per_task: Some(2), memory: Some(Memory::PerCpu(1500)),
            gpus: gpus(4, None), exclusive: Exclusive::Node, nodelist: vec!["node1".into()], exclude: vec!["node3".into()],
            nice: 5, contiguous: true, time_min: Some(TimeLimit::Minutes(60)), deadline: Some(1_893_456_000),
            requeue: Requeue::No, tmp: Some(2048), dependency: "afterany:828,after:828+5".parse().ok(), hold: true,
            ..request("dispBig")
        }), Reason::JobHeldUser, 0)
    };
    let arr = array(waiting(job(833, Request {
        gpus_per_node: gpus(2, Some("h100")), exclusive: Exclusive::Oversubscribe, memory: Some(Memory::PerNode(0)),
        ..request("dispArr")
    }), Reason::JobHeldUser, 0), "1-10%2");
    let task = Job {
        min_nodes: 2, min_cpus: 4,
        ..waiting(job(834, Request {
            ntasks: Some(4), tasks_per: TasksPer { node: Some(2), ..TasksPer::default() }, gpus_per_task: gpus(1, None),
            memory: Some(Memory::PerGpu(10_240)), threads_per_core: Some(1), cpus_per_gpu: Some(3),
            input: Some("/dev/zero".into()), work_dir: "/tmp".into(), ..request("dispTask")
        }), Reason::JobHeldUser, 0)
    };
    let cancelled = Job {
        state: JobState::Cancelled, start_time: Some(MINUTE + 36), end_time: Some(MINUTE + 36),
        ..waiting(job(835, request("dispCan")), Reason::JobHeldUser, 0)
    };
    let killed = Job {
        state: JobState::Cancelled, exit: ExitStatus::signaled(15), priority: 4_294_901_703,
        eligible_time: Some(MINUTE + 36), start_time: Some(MINUTE + 37), end_time: Some(MINUTE + 38),
        placement: on(&["node1"], &[1], 2000, 0),
        ..job(836, request("dispKill"))
    };
    vec![run, alloc, fail, later, big, arr, task, cancelled, killed]
}

/// The queue of squeue.txt: one job has all nodes, others wait behind it.
#[rustfmt::skip]
pub fn queue() -> Vec<Job> {
    let nodes = ["node1", "node2", "node3", "node4"];
    let hog = Job {
        state: JobState::Running, priority: 4_294_901_698, time_limit: TimeLimit::Minutes(60), start_time: Some(NOW - 7),
        placement: on(&nodes, &[64; 4], 128_000, 0),
        steps: vec![step(StepId::Extern, "extern", &nodes, NOW - 8), step(StepId::Batch, "batch", &["node1"], NOW - 8)],
        ..job(82, Request { cpus_per_task: Some(64), ..request("hog") })
    };
    let later = Job { start_time: Some(NOW + 3600), ..job(87, request("later")) };
    let debug = Job { partition: "debug".into(), time_limit: TimeLimit::Minutes(10), ..job(89, request("a-very-long-name")) };
    let range = Job { min_nodes: 3, time_limit: TimeLimit::Minutes(3065), ..job(90, request("range")) };
    let depends = Request { dependency: "afterok:82".parse().ok(), ..request("dep") };
    vec![
        hog,
        waiting(job(83, request("waits")), Reason::NodesUnavailable, 4_294_901_697),
        array(waiting(job(84, request("arr")), Reason::Priority, 4_294_901_696), "1-10%2"),
        array(waiting(job(85, request("arr2")), Reason::Priority, 4_294_901_695), "1-9:2"),
        waiting(job(86, depends), Reason::Dependency, 4_294_901_694),
        waiting(later, Reason::BeginTime, 4_294_901_693),
        waiting(job(88, request("held")), Reason::JobHeldUser, 0),
        waiting(debug, Reason::Resources, 4_294_901_692),
        waiting(range, Reason::Priority, 4_294_901_691),
    ]
}
