use super::*;
use crate::{
    job::{Request, Submitter, User, resolve::resolve},
    slurm::options::{Command, parse},
};
use proptest::prelude::*;

fn request(options: &str) -> Request {
    let words: Vec<std::ffi::OsString> = options.split_whitespace().map(Into::into).collect();
    let parsed = parse(Command::Sbatch, &words, &|_| None).unwrap();
    let who = Submitter {
        user: User::default(),
        directory: "/home/ann".into(),
        host: "login".into(),
        umask: 0o22,
        rlimits: Vec::new(),
        command_line: String::new(),
        now: chrono::Local::now(),
    };
    resolve(Command::Sbatch, &parsed.options, who).unwrap()
}

/// `tasks of the nodes; CPUs; memory; GPUs`, or the error.
fn shape(options: &str) -> String {
    let shape = match Shape::of(&Needs::of(&request(options), None), 8) {
        Ok(shape) => shape,
        Err(error) => return error,
    };
    let tasks = crate::slurm::layout::repetitions(shape.tasks.iter().copied());
    let cpus = shape.cpus.map_or(format!("all (at least {})", shape.min_cpus), |cpus| cpus.to_string());
    let memory = shape.memory.map_or("-".to_owned(), |memory| memory.to_string());
    let gpus = match (shape.gpus, shape.gpu_type) {
        (0, None) => "-".to_owned(),
        (gpus, None) => gpus.to_string(),
        (gpus, Some(kind)) => format!("{kind}:{gpus}"),
    };
    format!("{tasks}; {cpus}; {memory}; {gpus}")
}

#[test]
fn nodes_and_tasks() {
    let table = [
        ("", "1; 1; -; -"),
        ("-N 3", "1(x3); 1; -; -"),
        ("-N 2-4", "1(x2); 1; -; -"),
        ("-n 5", "5; 5; -; -"),
        ("-n 5 -c 2", "5; 10; -; -"),
        ("-N 2 -n 5", "3,2; 3; -; -"),
        ("-N 2 -n 5 -m cyclic", "3,2; 3; -; -"),
        ("-N 2 -n 6 -m plane=4", "4,2; 4; -; -"),
        ("-N 2 -n 11 -m plane=4", "7,4; 7; -; -"),
        ("-N 3 -n 2", "1(x2); 1; -; -"),
        ("--ntasks-per-node=4", "4; 4; -; -"),
        ("-N 2 --ntasks-per-node=4 -c 8", "4(x2); 32; -; -"),
        ("-n 8 --ntasks-per-node=3", "3(x2),2; 3; -; -"),
        ("-N 1-4 -n 8 --ntasks-per-node=3", "3(x2),2; 3; -; -"),
        ("-N 2 -n 8 --ntasks-per-node=3", "4(x2); 4; -; -"),
        ("--mincpus=16 -n 2", "2; 16; -; -"),
        ("-n 8 -O", "8; 1; -; -"),
        ("--exclusive -c 32", "1; all (at least 32); -; -"),
        ("--exclusive=user -N 2", "1(x2); 1; -; -"),
        ("-N 70000", "70000 nodes: a job has at most 61440"),
        ("-c 70000", "70000 CPUs on one node: no node has as many; ask for more nodes"),
    ];
    for (options, expected) in table {
        assert_eq!(shape(options), expected, "{options}");
    }
}

#[test]
fn memory() {
    let table = [
        ("--mem=64G", "1; 1; 65536; -"),
        ("--mem=0 -N 2", "1(x2); 1; -; -"),
        ("--mem-per-cpu=2G -n 4 -c 2", "4; 8; 16384; -"),
        ("--mem-per-cpu=2G --exclusive -c 8", "1; all (at least 8); 16384; -"),
        ("--mem-per-gpu=80G --gpus-per-node=4", "1; 1; 327680; 4"),
        ("--mem=500", "1; 1; 500; -"),
    ];
    for (options, expected) in table {
        assert_eq!(shape(options), expected, "{options}");
    }
}

#[test]
fn gpus() {
    let table = [
        ("--gres=gpu:h100:8", "1; 1; -; h100:8"),
        ("--gres=gpu:2 -N 2", "1(x2); 1; -; 2"),
        ("--gpus-per-node=a100:4 -N 2", "1(x2); 1; -; a100:4"),
        ("--gpus=16", "1(x2); 1; -; 8"),
        ("--gpus=12", "1(x2); 1; -; 6"),
        ("--gpus=9", "1(x2); 1; -; 5"),
        ("--gpus=h100:16 -N 4", "1(x4); 1; -; h100:4"),
        ("--gpus=16 -N 1-4", "1(x2); 1; -; 8"),
        ("--gpus=16 --gpus-per-node=4", "1(x4); 1; -; 4"),
        ("--gpus-per-task=1 -n 4", "4; 4; -; 4"),
        ("--gpus-per-task=2 -n 8", "4(x2); 4; -; 8"),
        ("--gpus-per-task=3 -n 4", "2(x2); 2; -; 6"),
        ("--gpus-per-task=v100:1 -N 2 -n 5", "3,2; 3; -; v100:3"),
        ("--gpus=4 --cpus-per-gpu=12", "1; 48; -; 4"),
        ("--gpus=8 --ntasks-per-gpu=1", "8; 8; -; 8"),
        ("--gres=gpu:0", "1; 1; -; -"),
        ("--gres=none", "1; 1; -; -"),
        ("--gres=gpu:4 -C h100", "1; 1; -; h100:4"),
        ("--gres=gpu:a100:4 -C A100&gpu", "1; 1; -; a100:4"),
    ];
    for (options, expected) in table {
        assert_eq!(shape(options), expected, "{options}");
    }
}

#[test]
fn what_cannot_be_made_is_said() {
    let texts: Vec<String> = [
        "--gpus-per-node=16",
        "-N 1 --gpus=16",
        "--gpus-per-task=9 -n 1",
        "--gpus=h100:4,a100:4",
        "--gres=gpu:a100:4 -C h100",
        "--gres=gpu:4,nvme:100",
        "-C h100",
        "--gres=gpu:2 -C [a100|h100]",
        "-C nvlink",
        "-w node[1-2]",
        "-x node7",
    ]
    .iter()
    .map(|options| format!("{options} -> {}", shape(options)))
    .collect();
    insta::assert_snapshot!(texts.join("\n"), @r#"
    --gpus-per-node=16 -> 16 GPUs on one node, where the partition's nodes have at most 8 (gpus_per_node in its configuration); ask for more nodes
    -N 1 --gpus=16 -> 16 GPUs on one node, where the partition's nodes have at most 8 (gpus_per_node in its configuration); ask for more nodes
    --gpus-per-task=9 -n 1 -> 9 GPUs on one node, where the partition's nodes have at most 8 (gpus_per_node in its configuration); ask for more nodes
    --gpus=h100:4,a100:4 -> GPUs of two types, h100 and a100: the nodes of a job are all alike; ask for one type
    --gres=gpu:a100:4 -C h100 -> GPUs of two types, a100 and h100: the nodes of a job are all alike; ask for one type
    --gres=gpu:4,nvme:100 -> --gres=nvme:100: of generic resources SkyPilot knows GPUs only; leave "nvme" out, or ask for it in the partition's resources
    -C h100 -> --constraint=h100: SkyPilot cannot choose nodes by feature, only by one GPU type; name a partition, or ask for GPUs by type (--gpus-per-node=TYPE:N)
    --gres=gpu:2 -C [a100|h100] -> --constraint=a100|h100: SkyPilot cannot choose nodes by feature, only by one GPU type; name a partition, or ask for GPUs by type (--gpus-per-node=TYPE:N)
    -C nvlink -> --constraint=nvlink: SkyPilot cannot choose nodes by feature, only by one GPU type; name a partition, or ask for GPUs by type (--gpus-per-node=TYPE:N)
    -w node[1-2] -> --nodelist: nodes are made for the job and have no names before it starts; leave it out
    -x node7 -> --exclude: nodes are made for the job and have no names before it starts; leave it out
    "#);
}

#[test]
fn placements_count_from_zero() {
    let made = |name: &str| MadeNode { name: name.into(), cpus: 64, memory: 500_000, gpus: 8 };
    let shown = |options: &str| {
        let shape = Shape::of(&Needs::of(&request(options), None), 8).unwrap();
        let placement = shape.placement(&[made("n0"), made("n1")]);
        let node = |n: &NodeShare| {
            let kind = n.gres.first().and_then(|g| g.kind.clone()).unwrap_or_default();
            format!("{} cpus {} memory {} gpus {kind}[{}] tasks {}", n.node, n.cpus, n.memory, n.gpus(), n.tasks)
        };
        placement.nodes.iter().map(node).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(shown("-N 2 -n 3 -c 2 --mem=1G --gpus-per-node=h100:2"), @"
    n0 cpus 0-3 memory 1024 gpus h100[0-1] tasks 2
    n1 cpus 0-3 memory 1024 gpus h100[0-1] tasks 1
    ");
    insta::assert_snapshot!(shown("-N 2 --exclusive"), @"
    n0 cpus 0-63 memory 500000 gpus [0-7] tasks 1
    n1 cpus 0-63 memory 500000 gpus [0-7] tasks 1
    ");
}

proptest! {
    /// Whatever is asked for: no task is lost, nodes are as even as can be, and each has what its tasks need.
    #[test]
    fn every_task_has_its_place(
        nodes in 1u32..9, tasks in 1u32..200, cpus in 1u32..9, gpus in 0u32..65, plane in 0u32..5,
    ) {
        // A node without a task would have none of them.
        let gpus = gpus.min(8 * tasks);
        let mut options = format!("-N {nodes}-64 -n {tasks} -c {cpus}");
        if gpus > 0 {
            options += &format!(" --gpus={gpus}");
        }
        if plane > 0 {
            options += &format!(" -m plane={plane}");
        }
        let shape = Shape::of(&Needs::of(&request(&options), None), 8).unwrap();
        prop_assert_eq!(shape.tasks.iter().sum::<u32>(), tasks);
        let most = *shape.tasks.iter().max().unwrap();
        prop_assert!(most - shape.tasks.iter().min().unwrap() <= plane.max(1));
        prop_assert_eq!(shape.cpus, Some(most * cpus));
        prop_assert!(shape.gpus * shape.nodes() as u32 >= gpus && shape.gpus <= 8);
        prop_assert!(shape.nodes() as u32 >= nodes.min(tasks));
    }
}
