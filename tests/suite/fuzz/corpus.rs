//! What the bytes are made of.

use skyslurm::{
    agent::{
        Event, EventKind, frame,
        step::{Bytes, FromPart, StepRequest, ToPart},
        wire,
    },
    controller::api,
    host::ipc,
    job::{ExitStatus, Job, JobList, Placement, Request},
    slurm::{
        array::{ArraySpec, JobIdSpec},
        errno::Errno,
        state::JobState,
    },
};
use std::{fs, path::PathBuf};

/// What the target of this name is asked.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "grammars" | "times" | "hostlists" | "formats" => words(),
        "directives" => scripts(),
        "options" => commands(),
        "config" => configs(),
        "api" => calls(),
        "agent protocol" => orders(),
        "log frames" => logs(),
        "events, inbox" => json(),
        "sealed descriptions" => sealed(),
        "SkyPilot's answers" => answers(),
        other => unreachable!("{other} has a corpus"),
    }
}

fn captures() -> Vec<String> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/captures");
    let files = fs::read_dir(dir).unwrap().flatten().map(|e| e.path());
    files.filter(|p| p.extension().is_some_and(|e| e == "txt")).map(|p| fs::read_to_string(p).unwrap()).collect()
}

/// The commands that a real Slurm was given.
fn commands() -> Vec<Vec<u8>> {
    let all = captures();
    let lines = all.iter().flat_map(|text| text.lines());
    lines.filter_map(|line| line.strip_prefix("$ ")).map(|line| line.as_bytes().to_vec()).collect()
}

/// The words of those commands and of what was said to them, and the values in them.
fn words() -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    for text in captures() {
        for word in text.split_whitespace().filter(|word| word.len() < 200) {
            found.push(word.as_bytes().to_vec());
            found.extend(word.split_once('=').map(|(_, value)| value.trim_matches('"').as_bytes().to_vec()));
        }
    }
    found.extend(GRAMMARS.iter().map(|text| text.as_bytes().to_vec()));
    found.sort_unstable();
    found.dedup();
    found
}

/// Of what the captures have little.
const GRAMMARS: [&str; 24] = [
    "1-00:00:00",
    "90:30",
    "now+1hour",
    "2026-11-20T16:16:08",
    "16:00",
    "tomorrow",
    "teatime",
    "0-15,20-30:2%4",
    "12_[1-3,7]",
    "12+1.batch",
    "afterok:12:13?afterany:14_3,singleton",
    "after:12+5",
    "gpu:h100:8(S:0-1),license:2",
    "node[1-4,007-012],a[1-2]b[3-4]",
    "B:USR1@60",
    "mask_cpu:0x3,0xC",
    "verbose,map_gpu:0,1*3",
    "%.18i %.9P %8j %t %M %R",
    "JobID:30,State%20,TRES-Alloc:.40",
    "mem=4G,gres/gpu=2",
    "matlab:2,ansys@server:1",
    "END,FAIL,TIME_LIMIT_80",
    "10-20,32",
    "slurm-%A_%4a-%x.%N.out",
];

/// Scripts with directives.
fn scripts() -> Vec<Vec<u8>> {
    let script = |text: &str| text.as_bytes().to_vec();
    let mut all = vec![
        script(
            "#!/bin/bash\n#SBATCH -N2 --ntasks=4\n#SBATCH --job-name=\"a b\" # why\n#SBATCH --output=x-%j\nsrun true\n",
        ),
        script("#!/bin/sh\n#SBATCH -c2\n#SBATCH hetjob\n#SBATCH --gres=gpu:2 --mem=4G\ntrue\n"),
        script("#!/bin/bash\r\n#SBATCH -t 1\r\ntrue\r\n"),
        script("#!/bin/bash\n#PBS -l nodes=2:ppn=4,walltime=1:00:00\n#BSUB -n 4 -R \"span[hosts=1]\"\ntrue\n"),
    ];
    for word in words() {
        all.push([b"#!/bin/bash\n#SBATCH ", &word[..], b"\ntrue\n"].concat());
    }
    all
}

/// Configuration files.
fn configs() -> Vec<Vec<u8>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_to_string(root.join("docs/CONFIG.md")).unwrap();
    let mut all = vec![crate::harness::RECORDED.into(), crate::harness::FOUR.into()];
    // Each row of the tables is a key with its default or an example.
    all.extend(docs.split("```").map(|piece| piece.as_bytes().to_vec()));
    all
}

fn body(value: &impl serde::Serialize) -> Vec<u8> {
    ipc::frame(value).unwrap()[4..].to_vec()
}

/// What commands ask a controller, and what it answers.
fn calls() -> Vec<Vec<u8>> {
    use api::{Call, Change, Filter, Reply, Setting, SignalJob, Submission};
    let request = Request { name: "a b".into(), args: vec![vec![0xff]], ..Request::default() };
    let job = Job::new(7, request.clone().into(), 1_795_000_000);
    let submission = Submission {
        request,
        array: ArraySpec::parse("1-5%2", 100).ok(),
        script: b"#!/bin/sh\n".to_vec(),
        environment: b"A=b\0".to_vec(),
        refusals: Vec::new(),
        others: vec![(Request::default(), Vec::new())],
    };
    let id: JobIdSpec = "12_[1-3]".parse().unwrap();
    let update =
        Change::Update(vec![Setting::Name("x".into()), Setting::Begin(5), Setting::NodeList(vec!["a".into()])]);
    let signal = SignalJob { id: id.clone(), signal: Some(9), target: wire::Target::Steps };
    let filter = Filter { ids: vec![id.clone()], names: vec!["n".into()], since: Some(-1), ..Filter::default() };
    let calls = [
        Call::Submit(Box::new(submission)),
        Call::Jobs(filter.clone()),
        Call::Accounting(filter),
        Call::Cluster,
        Call::Signal(vec![signal]),
        Call::Change(vec![id], update),
        Call::Wait(3),
        Call::Status,
    ];
    let replies = [
        Reply::Submitted(3),
        Reply::Jobs(Box::new(JobList::new([&job]))),
        Reply::Done(vec![Ok(()), Err(Errno::JobPending)]),
    ];
    let mut all: Vec<Vec<u8>> = calls.iter().map(body).collect();
    all.extend(replies.iter().map(body));
    all.extend(calls.iter().map(|call| ipc::frame(call).unwrap()));
    all
}

/// What agents, srun and the engine say to each other.
fn orders() -> Vec<Vec<u8>> {
    let step = StepRequest { job: 1, name: "x".into(), tasks: Some(4), nodes: Some((1, 2)), ..StepRequest::default() };
    let requests = [
        wire::Request::Step(vec![step]),
        wire::Request::Control(wire::Control::TimeLimit(Some(5))),
        wire::Request::Control(wire::Control::Terminate { uid: 7, state: JobState::Cancelled }),
        wire::Request::Attach { job: 1, step: 0, input: Some(1) },
        wire::Request::Node { index: 3 },
        wire::Request::Part { step: 1, node: 2 },
        wire::Request::Own,
    ];
    let mut all: Vec<Vec<u8>> = requests.iter().map(body).collect();
    all.push(body(&FromPart::Output { task: 1, error: true, bytes: Bytes(b"text\n".to_vec()) }));
    all.push(body(&FromPart::Exited { tasks: vec![0, 1], exit: ExitStatus::exited(3) }));
    all.push(body(&ToPart::Input(Bytes(b"in".to_vec()))));
    all
}

/// Logs with frames in them.
fn logs() -> Vec<Vec<u8>> {
    let (mut writer, mut log) = (frame::Writer::new(0x0bad_cafe), Vec::new());
    writer.write(frame::Kind::Output, b"epoch 3: loss 0.12\n", &mut log);
    writer.write(frame::Kind::Error, b"no newline", &mut log);
    writer.write(frame::Kind::Event, br#"{"time":1,"component":0,"kind":"x"}"#, &mut log);
    writer.write(frame::Kind::Output, &[0xff; 300], &mut log);
    let prefixed = String::from_utf8_lossy(&log)
        .lines()
        .map(|l| format!("\x1b[36m(job, pid=7)\x1b[0m {l}\r\n"))
        .collect::<String>();
    let single = log.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>();
    [vec![log.clone(), prefixed.into_bytes()], single].concat()
}

/// Events of an agent, orders to one, descriptions of jobs.
fn json() -> Vec<Vec<u8>> {
    let job = Job::new(7, Request::default().into(), 1_795_000_000);
    let exit = ExitStatus::exited(1);
    let kinds = [
        EventKind::Started { pid: 7 },
        EventKind::Ended { state: JobState::Failed, exit, derived_exit: exit, cancelled_by: Some(3) },
        EventKind::Placed { placement: Placement::default() },
    ];
    let mut all: Vec<Vec<u8>> = kinds
        .into_iter()
        .map(|kind| serde_json::to_vec(&Event { time: 1_795_000_000, component: 0, kind }).unwrap())
        .collect();
    all.push(serde_json::to_vec(&wire::Control::TimeLimit(Some(5))).unwrap());
    all.push(serde_json::to_vec(&wire::Control::Terminate { uid: 7, state: JobState::Cancelled }).unwrap());
    all.push(serde_json::to_vec(&JobList::new([&job])).unwrap());
    all
}

/// Sealed descriptions of jobs, as far as they can be had: the rest is what mutation makes of it.
fn sealed() -> Vec<Vec<u8>> {
    vec![b"c2t5c2x1cm0x".repeat(9), b"AAAA".repeat(40), Vec::new()]
}

/// What SkyPilot answers, as it was recorded.
fn answers() -> Vec<Vec<u8>> {
    let answers = [
        r#"[{"job_id": 12, "task_id": 0, "job_name": "train-12-3fx2b8z9", "status": "RUNNING", "details": null, "failure_reason": "x", "cluster_name_on_cloud": "a-b"}]"#,
        r#"[{"job_id": null, "status": 7, "details": {"a": [1, 2]}, "failure_reason": ["x"]}]"#,
        r#"[{"new_status": "RECOVERING", "reason": "gone", "timestamp": "2026-11-20T16:16:08.379236"}]"#,
        r#"[{"name": "sky-1", "status": "UP", "handle": null, "last_event": "x"}]"#,
        r#"{"detail": [{"type": "missing", "loc": ["body", "x"], "msg": "Field required"}]}"#,
    ];
    answers.iter().map(|text| text.as_bytes().to_vec()).collect()
}
