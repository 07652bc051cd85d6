//! The agent as SkyPilot starts it: one process a "node" on addresses of this machine, a sealed description in the
//! environment, and frames on the first node's stdout.

#[path = "remote/plain.rs"]
mod plain;

use crate::agent::{ended, step};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use skyslurm::{
    agent::{
        Event, EventKind, asking,
        frame::{Found, Kind, Reader},
        remote::{Delivery, KEY, Payload, VARIABLE, seal},
        wire::{Control, Target},
    },
    controller::api::{Call, PROTOCOL, Reply},
    job::{ArrayRef, ExportEnv, Job, Remote, Request, Shape, StepId, User},
    slurm::{array::ArraySpec, errno::Errno, idset::IdSet, state::JobState, time::TimeLimit},
};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{JoinHandle, sleep, spawn},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

struct Node {
    child: Child,
    out: Option<JoinHandle<Vec<u8>>>,
    err: Option<JoinHandle<Vec<u8>>>,
}

/// A job on made nodes.
struct Run {
    dir: TempDir,
    payload: Payload,
    request: Request,
    script: Vec<u8>,
    rank: u32,
    variables: Vec<(String, String)>,
    nodes: Vec<Option<Node>>,
    /// The first node's stdout is not read for the time being.
    hold: bool,
    /// What the first node has said so far.
    log: Arc<Mutex<Vec<u8>>>,
    held: Option<std::sync::mpsc::Sender<()>>,
}

/// How it went.
struct Outcome {
    output: Vec<u8>,
    error: Vec<u8>,
    events: Vec<EventKind>,
    /// Exit codes by node.
    codes: Vec<Option<i32>>,
    /// stderr of the agents.
    said: String,
}

impl Outcome {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }
}

impl Run {
    fn new(script: &str) -> Self {
        // Where the program is, so that it can be linked and need not be copied.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let submit = dir.path().join("submit/work").to_str().unwrap().to_owned();
        let request = Request {
            name: "test".into(),
            user: User { uid: 1234, gid: 1235, name: "alice".into(), group: "users".into() },
            work_dir: submit.clone(),
            submit_dir: submit,
            umask: 0o022,
            ..Request::default()
        };
        let job = Job {
            partition: "cloud".into(),
            time_limit: TimeLimit::Unlimited,
            eligible_time: Some(1),
            remote: Some(Remote { name: "theirs".into(), count: 1, ..Remote::default() }),
            ..Job::new(7, Arc::new(Request::default()), 1)
        };
        let mut secret = [0; 32];
        fs::File::open("/dev/urandom").unwrap().read_exact(&mut secret).unwrap();
        let payload = Payload {
            job,
            elements: Vec::new(),
            others: Vec::new(),
            shapes: vec![Shape { tasks: vec![1], cpus: Some(1), ..Shape::default() }],
            script: Vec::new(),
            environment: b"BAR=fromshell\0".to_vec(),
            cluster: "lab".into(),
            secret,
            kill_wait: 30,
            over_time_limit: 0,
            modules: Vec::new(),
            delivery: Delivery::Copied,
        };
        let script = format!("#!/bin/bash\n{script}\n").into_bytes();
        let run = Self {
            dir,
            payload,
            request,
            script,
            rank: 0,
            variables: Vec::new(),
            nodes: Vec::new(),
            hold: false,
            log: Arc::default(),
            held: None,
        };
        fs::create_dir(run.file(".skyslurm")).unwrap();
        fs::hard_link(env!("CARGO_BIN_EXE_skyslurm"), run.file(".skyslurm/skyslurm")).unwrap();
        fs::write(run.file(".skyslurm").join(KEY), [9; 32]).unwrap();
        run.on(1)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// So many nodes with a task each, each with a home of its own.
    fn on(mut self, nodes: usize) -> Self {
        self.payload.shapes[0].tasks = vec![1; nodes];
        for node in 0..nodes {
            fs::create_dir_all(self.workdir(node)).unwrap();
        }
        self
    }

    fn workdir(&self, node: usize) -> PathBuf {
        self.file(&format!("home{node}/sky_workdir"))
    }

    fn ask(mut self, change: impl FnOnce(&mut Request)) -> Self {
        change(&mut self.request);
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Payload)) -> Self {
        change(&mut self.payload);
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    fn addresses(&self) -> Vec<String> {
        (1..=self.payload.shapes[0].tasks.len()).map(|n| format!("127.0.0.{n}")).collect()
    }

    /// Starts node `index` as SkyPilot does.
    fn start_node(&mut self, index: usize) {
        self.payload.script.clone_from(&self.script);
        self.payload.job.request = Arc::new(self.request.clone());
        let mut command = Command::new(self.file(".skyslurm/skyslurm"));
        command.arg("agent").current_dir(self.workdir(index)).env_clear();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.file(&format!("home{index}")));
        command.env(VARIABLE, self.payload.seal(&[9; 32]).unwrap());
        command.env("SKYPILOT_NODE_RANK", index.to_string()).env("SKYPILOT_NODE_IPS", self.addresses().join("\n"));
        command.env("SKYPILOT_NUM_NODES", self.addresses().len().to_string());
        command.env("SKYPILOT_JOB_RANK", self.rank.to_string()).env("SKYPILOT_TASK_ID", "sky-managed-1_test_1-0");
        // An outer job, as on Slurm infra.
        for name in ["SLURM_JOB_ID", "SLURM_NTASKS", "SLURM_CPU_BIND", "SLURM_STEP_ID", "SBATCH_PARTITION", "PMI_RANK"]
        {
            command.env(name, "99");
        }
        command.envs(self.variables.iter().map(|(n, v)| (n, v)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        self.held = Some(go).filter(|_| self.hold);
        let read =
            |mut from: Box<dyn Read + Send>, wait: Option<std::sync::mpsc::Receiver<()>>, seen: Arc<Mutex<Vec<u8>>>| {
                spawn(move || {
                    let mut bytes = [0; 4096];
                    let _ = wait.map(|wait| wait.recv()); // until it is said, or the run is over
                    while let Some(n) = Some(from.read(&mut bytes).unwrap()).filter(|n| *n > 0) {
                        seen.lock().unwrap().extend_from_slice(&bytes[..n]);
                    }
                    std::mem::take(&mut *seen.lock().unwrap())
                })
            };
        let log = if index == 0 { Arc::clone(&self.log) } else { Arc::default() };
        let out = read(Box::new(child.stdout.take().unwrap()), Some(wait), log);
        let err = read(Box::new(child.stderr.take().unwrap()), None, Arc::default());
        let node = Node { child, out: Some(out), err: Some(err) };
        while self.nodes.len() <= index {
            self.nodes.push(None);
        }
        self.nodes[index] = Some(node);
    }

    fn start(mut self) -> Self {
        for node in (0..self.payload.shapes[0].tasks.len()).rev() {
            self.start_node(node);
        }
        self
    }

    /// The first node's stdout is read from now on.
    fn release(&mut self) {
        self.held = None;
    }

    fn run(self) -> Outcome {
        self.start().finish()
    }

    /// Waits for the end of all nodes that were started.
    fn finish(&mut self) -> Outcome {
        let mut outcome = Outcome {
            output: Vec::new(),
            error: Vec::new(),
            events: Vec::new(),
            codes: Vec::new(),
            said: String::new(),
        };
        for (index, node) in self.nodes.iter_mut().enumerate() {
            let Some(node) = node else {
                outcome.codes.push(None);
                continue;
            };
            let since = Instant::now();
            let status = loop {
                match node.child.try_wait().unwrap() {
                    Some(status) => break status,
                    None if since.elapsed() > PATIENCE => panic!("node {index} does not end"),
                    None => sleep(Duration::from_millis(2)),
                }
            };
            outcome.codes.push(status.code());
            outcome.said += &String::from_utf8_lossy(&node.err.take().unwrap().join().unwrap());
            let log = node.out.take().unwrap().join().unwrap();
            if index > 0 {
                assert_eq!(String::from_utf8_lossy(&log), "", "only the first node has something to say");
                continue;
            }
            let mut found = Vec::new();
            Reader::new().read(&log, &mut found).unwrap();
            for one in found {
                match one {
                    Found::Data(Kind::Output, bytes) => outcome.output.extend(bytes),
                    Found::Data(Kind::Error, bytes) => outcome.error.extend(bytes),
                    Found::Data(Kind::Event, bytes) => {
                        outcome.events.push(serde_json::from_slice::<Event>(&bytes).unwrap().kind);
                    }
                    Found::Run(_) => {}
                    Found::Line(line) => panic!("{line}"),
                }
            }
        }
        outcome
    }

    /// State directories of this run's agents.
    fn litter(&self) -> Vec<PathBuf> {
        let ours =
            |path: &PathBuf| fs::read_link(path.join("bin/srun")).is_ok_and(|to| to.starts_with(self.dir.path()));
        fs::read_dir("/tmp").unwrap().flatten().map(|e| e.path()).filter(ours).collect()
    }

    /// Asserts that nothing is left of the job but what it made in its directory.
    fn is_tidy(&self) {
        let left = crate::harness::processes_that_name(self.dir.path());
        assert!(left.is_empty(), "{left:?}");
        assert!(self.litter().is_empty(), "{:?}", self.litter());
        assert!(!self.file("submit").exists());
    }

    /// Waits until a command has asked the controller; the run it asks in.
    fn wait_for_question(&self) -> u32 {
        let since = Instant::now();
        loop {
            let mut found = Vec::new();
            let _ = Reader::new().read(&self.log.lock().unwrap(), &mut found);
            let run = found.into_iter().find_map(|one| match one {
                Found::Data(Kind::Event, bytes) => match serde_json::from_slice::<Event>(&bytes).ok()?.kind {
                    EventKind::Asked { run, .. } => Some(run),
                    _ => None,
                },
                _ => None,
            });
            match run {
                Some(run) => return run,
                None => assert!(since.elapsed() < PATIENCE, "nothing is asked"),
            }
            sleep(Duration::from_millis(2));
        }
    }

    /// Waits until the agent has taken all that it was told.
    fn wait_until_told(&self) {
        let since = Instant::now();
        let dir = self.workdir(0).join(format!(".skyslurm/control/theirs-{}", self.rank));
        while fs::read_dir(&dir).is_ok_and(|mut files| files.next().is_some()) {
            assert!(since.elapsed() < PATIENCE, "it is not taken");
            sleep(Duration::from_millis(2));
        }
    }

    /// What the job made in its directory.
    fn wait_for(&self, file: &str) {
        let since = Instant::now();
        while !self.workdir(0).join(file).exists() {
            assert!(since.elapsed() < PATIENCE, "{file} does not come");
            sleep(Duration::from_millis(2));
        }
    }

    /// Puts an order where the controller's come, as rsync does.
    fn tell(&self, number: u32, control: &Control) {
        let dir = self.workdir(0).join(format!(".skyslurm/control/theirs-{}", self.rank));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(format!(".{number}.Ab3")), serde_json::to_vec(control).unwrap()).unwrap();
        fs::rename(dir.join(format!(".{number}.Ab3")), dir.join(number.to_string())).unwrap();
    }

    fn signal(&self, node: usize, signal: Signal) {
        kill(Pid::from_raw(self.nodes[node].as_ref().unwrap().child.id() as i32), signal).unwrap();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        for node in self.nodes.iter_mut().flatten() {
            let _ = node.child.kill();
            let _ = node.child.wait();
        }
        for (pid, _) in crate::harness::processes_that_name(self.dir.path()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        // What an agent that was killed could not remove.
        for dir in self.litter() {
            let _ = fs::remove_dir_all(dir);
        }
    }
}

#[test]
fn a_script_runs_once_and_all_of_it_comes_back() {
    let outcome = Run::new("echo hello; echo there >&2; printf '\\0\\xff@skyslurm1 x\\n\\n'; printf end").run();
    assert_eq!(outcome.said, "");
    assert_eq!(outcome.output, b"hello\nthere\n\0\xff@skyslurm1 x\n\nend");
    assert_eq!(outcome.error, b"");
    let names: Vec<String> = outcome.events.iter().map(|e| format!("{e:?}")).collect();
    assert!(matches!(&outcome.events[0], EventKind::Placed { placement } if placement.nodes.len() == 1), "{names:?}");
    assert!(matches!(&outcome.events[1], EventKind::Reachable(reach) if reach.hosts.len() == 1), "{names:?}");
    assert!(matches!(outcome.events[2], EventKind::Started { pid } if pid > 0), "{names:?}");
    assert!(matches!(&outcome.events[3], EventKind::StepStarted(s) if s.id == StepId::Batch), "{names:?}");
    assert_eq!(step(&outcome.events, StepId::Batch), (JobState::Completed, "0:0".into()));
    assert_eq!(ended(&outcome.events), (JobState::Completed, "0:0".into(), "0:0".into()));
    assert_eq!((outcome.events.len(), outcome.codes), (6, vec![Some(0)]));
}

#[test]
fn stderr_stays_apart_where_it_is_asked_to() {
    let outcome = Run::new("echo out; echo err >&2; exit 3").ask(|r| r.error = Some("err".into())).run();
    assert_eq!((&*outcome.output, &*outcome.error), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!(ended(&outcome.events), (JobState::Failed, "3:0".into(), "0:0".into()));
    assert_eq!(outcome.codes, [Some(3)]);
}

#[test]
fn much_output_is_whole() {
    let outcome = Run::new("head -c 3000000 /dev/zero | tr '\\0' x; seq 1 50000").run();
    let numbers: String = (1..=50_000).map(|n| format!("{n}\n")).collect();
    assert!(outcome.output.len() == 3_000_000 + numbers.len() && outcome.text().ends_with(&numbers));
}

#[test]
fn nothing_of_an_outer_job_is_seen() {
    let script = "env | grep -E '^(SLURM|SBATCH|SKYSLURM|PMI|BAR|SKYPILOT_TASK)' | \
        grep -vE 'TIME|CONF|_PID|NODELIST|NODENAME|TOPOLOGY_ADDR=' | sort; srun sh -c 'env | grep =99 || true'; \
        test \"$SLURM_SUBMIT_DIR\" = \"$PWD\" && cat data; type -p srun | sed s/skyslurm-.*bin/STATE/; dirname $SLURM_CONF";
    let run = Run::new(script).variable("SKYSLURM_STATE_DIR", "/nonexistent");
    fs::write(run.workdir(0).join("data"), "data\n").unwrap();
    let submit = run.request.submit_dir.clone();
    let outcome = run.start().finish();
    let text = outcome.text();
    let expected = format!(
        "BAR=fromshell SKYPILOT_TASK_ID=sky-managed-1_test_1-0 SLURM_CLUSTER_NAME=lab SLURM_CPUS_ON_NODE=1 SLURM_GTIDS=0 \
         SLURM_JOBID=7 SLURM_JOB_CPUS_PER_NODE=1 SLURM_JOB_GID=1235 SLURM_JOB_ID=7 SLURM_JOB_NAME=test \
         SLURM_JOB_NUM_NODES=1 SLURM_JOB_PARTITION=cloud SLURM_JOB_UID=1234 SLURM_JOB_USER=alice SLURM_LOCALID=0 \
         SLURM_NNODES=1 SLURM_NODEID=0 SLURM_PRIO_PROCESS=0 SLURM_PROCID=0 SLURM_SUBMIT_DIR={submit} SLURM_SUBMIT_HOST= \
         SLURM_TASKS_PER_NODE=1 SLURM_TOPOLOGY_ADDR_PATTERN=node data /tmp/STATE/srun"
    );
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let state = words.pop().unwrap();
    assert_eq!(words.join(" "), expected);
    assert!(state.starts_with("/tmp/skyslurm-") && !PathBuf::from(state).exists(), "{state}");
    assert!(!PathBuf::from(submit).exists());
}

#[test]
fn export_none_is_a_login_and_a_list_names_what_goes_along() {
    let script = "echo [$BAR] [$BAZ] [$SKYPILOT_NODE_RANK] [$SLURM_JOB_ID] [$HOME]";
    let none = Run::new(script).ask(|r| r.export = ExportEnv::Given("NONE".into())).run().text();
    assert!(none.starts_with("[] [] [] [7] [/"), "{none}");
    let list = Run::new(script).ask(|r| r.export = ExportEnv::Given("BAR,BAZ=2".into())).run().text();
    assert!(list.starts_with("[fromshell] [2] [] [7]"), "{list}");
    let all = Run::new(script).ask(|r| r.export = ExportEnv::Given("ALL,BAZ=2".into())).run().text();
    assert!(all.starts_with("[fromshell] [2] [0] [7]") && all.contains("home0"), "{all}");
}

#[test]
fn steps_run_on_all_nodes_of_a_job() {
    let script = "srun -l sh -c 'echo $SLURM_PROCID $SLURM_NNODES $(cat data); test -e $SLURM_CONF && \
        scontrol show hostnames | wc -l; echo err >&2; exit $SLURM_PROCID'; echo code $?; scontrol show hostnames; echo $SLURM_JOB_NODELIST";
    let mut run = Run::new(script).on(3);
    for node in 0..3 {
        fs::write(run.workdir(node).join("data"), format!("of{node}\n")).unwrap();
    }
    // The first node comes last, and the others one after the other.
    for node in [2, 1, 0] {
        run.start_node(node);
    }
    let outcome = run.finish();
    let text = outcome.text();
    let mut lines: Vec<&str> = text.lines().filter(|l| l.starts_with(['0', '1', '2'])).collect();
    lines.sort_unstable();
    for rank in 0..3 {
        assert!(lines.contains(&&*format!("{rank}: {rank} 3 of{rank}")), "{text}");
        assert!(lines.contains(&&*format!("{rank}: 3")) && lines.contains(&&*format!("{rank}: err")), "{text}");
    }
    assert!(text.contains("code 2\n"), "{text}");
    let EventKind::Placed { placement } = &outcome.events[0] else { panic!("{:?}", outcome.events) };
    let names: Vec<&str> = placement.names().collect();
    let resolves = ["skynode-7-0", "skynode-7-1", "skynode-7-2"];
    assert!(names == resolves || names == ["127.0.0.1", "127.0.0.2", "127.0.0.3"], "{names:?}");
    assert!(text.contains(&format!("{}\n", names.join("\n"))), "{text}");
    assert_eq!(step(&outcome.events, StepId::Number(0)), (JobState::Failed, "2:0".into()));
    assert_eq!(ended(&outcome.events), (JobState::Completed, "0:0".into(), "2:0".into()));
    assert_eq!((outcome.codes, outcome.said), (vec![Some(0); 3], String::new()));
    run.is_tidy();
}

#[test]
fn srun_in_a_task_of_another_node_is_handed_on() {
    let script = "srun -w $(scontrol show hostnames | tail -1) -N1 -n1 --overlap srun --overlap -N2 -n2 sh -c 'echo $SLURM_PROCID' | sort";
    assert_eq!(Run::new(script).on(2).run().text(), "0\n1\n");
}

#[test]
fn a_file_is_brought_to_all_nodes() {
    let script = "head -c 3000000 /dev/urandom > data; chmod 640 data; sbcast data $PWD/copy; echo rc $?; sha256sum < data > sum; \
        sbcast sum $PWD/sum2; srun sh -c 'sha256sum < copy | cmp - sum2 && stat -c %a copy'; ls | grep -c copy; sbcast data $PWD/copy 2>&1 | sed 's/(.*)//'; \
        printf '#!/bin/sh\\necho brought\\n' > prog; chmod 755 prog; srun --bcast=$PWD/there ./prog";
    let error = "sbcast: error: REQUEST_FILE_BCAST: File exists\n";
    assert_eq!(Run::new(script).on(2).run().text(), format!("rc 0\n640\n640\n1\n{error}{error}brought\nbrought\n"));
}

#[test]
fn pmi_goes_from_node_to_node() {
    let tell = |asked: &str| format!("echo {asked} >&$PMI_FD; read -r -u $PMI_FD said; ");
    let client = [
        tell("cmd=init pmi_version=1 pmi_subversion=1"),
        tell("cmd=put kvsname=x key=k$PMI_RANK value=$PMI_RANK.of.$PMI_SIZE"),
        tell("cmd=barrier_in"),
        tell("cmd=get kvsname=x key=k$((1 - PMI_RANK))"),
        "echo $PMI_RANK: $said".to_owned(),
    ];
    let script = format!("srun --mpi=pmi2 -N2 -n2 bash -c '{}' | sort", client.concat());
    let outcome = Run::new(&script).on(2).run();
    assert_eq!(outcome.text(), "0: cmd=get_result rc=0 value=1.of.2\n1: cmd=get_result rc=0 value=0.of.2\n");
}

#[test]
fn much_output_of_steps_on_other_nodes_is_whole() {
    let script = "srun -N1 -n1 -w $(scontrol show hostnames | tail -1) --overlap head -c 5000000 /dev/zero | wc -c";
    assert_eq!(Run::new(script).on(2).run().text().trim(), "5000000");
}

#[test]
fn the_controller_s_orders_are_followed() {
    let script = "trap 'echo got; touch got' USR1; touch started; while :; do sleep 0.01; done";
    let mut run = Run::new(script).start();
    run.wait_for("started");
    run.tell(1, &Control::Signal { uid: 5, signal: 10, target: Target::Batch });
    run.wait_for("got");
    run.tell(2, &Control::Terminate { uid: 5, state: JobState::Cancelled });
    let outcome = run.finish();
    let text = outcome.text();
    assert!(text.starts_with("got\nslurmstepd: error: *** JOB 7 ON ") && text.contains(" CANCELLED AT "), "{text}");
    assert!(matches!(
        outcome.events.last(),
        Some(EventKind::Ended { state: JobState::Cancelled, cancelled_by: Some(5), .. })
    ));
    assert_ne!(outcome.codes, [Some(0)]);
    assert!(!run.workdir(0).join(".skyslurm/control/theirs-0").exists());
    run.is_tidy();
}

#[test]
fn the_time_limit_counts_from_the_start_on_the_node() {
    let mut run = Run::new("touch started; sleep 1000").start();
    run.wait_for("started");
    run.tell(1, &Control::TimeLimit(Some(0)));
    let outcome = run.finish();
    assert!(outcome.text().contains(" DUE TO TIME LIMIT ***"), "{}", outcome.text());
    assert_eq!(ended(&outcome.events).0, JobState::Timeout);
    assert_ne!(outcome.codes, [Some(0)]);
}

#[test]
fn skypilot_s_cancel_is_passed_on_at_once() {
    let mut run = Run::new("trap 'echo last words; exit 0' TERM; touch started; while :; do sleep 0.01; done").start();
    run.wait_for("started");
    run.signal(0, Signal::SIGTERM);
    let outcome = run.finish();
    assert!(outcome.text().ends_with("last words\n"), "{}", outcome.text());
    assert_eq!(ended(&outcome.events).0, JobState::NodeFail);
    run.is_tidy();
}

#[test]
fn a_node_that_does_not_come_fails_the_job() {
    let mut run = Run::new("echo never").on(2).variable("SKYSLURM_WAIT_FOR_NODES", "1");
    run.start_node(0);
    let outcome = run.finish();
    assert_eq!(outcome.text(), "slurmstepd: error: nodes that did not join the job: 127.0.0.2\n");
    assert!(matches!(&outcome.events[0], EventKind::Placed { placement } if placement.nodes.len() == 2));
    assert_eq!((ended(&outcome.events).0, outcome.codes), (JobState::NodeFail, vec![Some(1)]));
    run.is_tidy();
}

#[test]
fn a_component_that_does_not_come_fails_the_job() {
    let mut run = Run::new("echo never").variable("SKYSLURM_WAIT_FOR_NODES", "1").with(|payload| {
        payload.others = vec![Job { id: 8, ..payload.job.clone() }];
        payload.shapes.push(Shape { tasks: vec![1, 1], ..Shape::default() });
    });
    run.start_node(0);
    let outcome = run.finish();
    assert_eq!(outcome.text(), "slurmstepd: error: nodes that did not join the job: 2 of component 1 (2)\n");
    assert!(matches!(&outcome.events[0], EventKind::Awaits(at) if at.address == "127.0.0.1"), "{:?}", outcome.events);
    assert_eq!((ended(&outcome.events).0, outcome.codes), (JobState::NodeFail, vec![Some(1)]));
    run.is_tidy();
}

#[test]
fn a_job_can_be_cancelled_while_it_waits_for_nodes() {
    let mut run = Run::new("echo never").on(2);
    run.start_node(0);
    run.tell(1, &Control::Terminate { uid: 5, state: JobState::Cancelled });
    let outcome = run.finish();
    assert_eq!((outcome.text(), ended(&outcome.events).0), (String::new(), JobState::Cancelled));
}

#[test]
fn a_node_that_is_lost_fails_the_job() {
    let mut run = Run::new("touch started; sleep 1000").on(2).start();
    run.wait_for("started");
    run.signal(1, Signal::SIGKILL);
    let outcome = run.finish();
    assert!(outcome.text().contains("DUE TO NODE FAILURE"), "{}", outcome.text());
    assert_eq!(ended(&outcome.events).0, JobState::NodeFail);
}

#[test]
fn strangers_at_the_door_do_no_harm() {
    let mut run =
        Run::new("touch started; until [ -e end ]; do sleep 0.01; done; srun -N2 -n2 true && echo fine").on(2);
    run.start_node(0);
    // They come before the other node, and stay.
    let pid = run.nodes[0].as_ref().unwrap().child.id();
    let port = listening(pid);
    let mut strangers: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    strangers[0].write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    strangers[1].write_all(&[0, 48]).unwrap();
    strangers[2].write_all(&[0xff; 70_000]).ok();
    let mut answer = Vec::new();
    let _ = strangers[0].read_to_end(&mut answer);
    assert_eq!(answer, b""); // and was sent away
    run.start_node(1);
    run.wait_for("started");
    let mut late = TcpStream::connect(("127.0.0.1", port)).unwrap();
    late.write_all(b"SSH-2.0-scan\r\n").unwrap();
    let _ = late.read_to_end(&mut answer);
    assert_eq!(answer, b"");
    fs::write(run.workdir(0).join("end"), "").unwrap();
    let outcome = run.finish();
    assert_eq!((outcome.text().as_str(), outcome.codes), ("fine\n", vec![Some(0), Some(0)]));
}

/// The port that process `pid` listens on, once it does: the first free one of those the agents may use.
fn listening(pid: u32) -> u16 {
    let since = Instant::now();
    loop {
        assert!(since.elapsed() < PATIENCE);
        let inodes: Vec<String> = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|e| {
                fs::read_link(e.path()).ok()?.to_str()?.strip_prefix("socket:[")?.strip_suffix(']').map(str::to_owned)
            })
            .collect();
        let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        let port = table.lines().skip(1).find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let listens =
                fields.get(3) == Some(&"0A") && fields.get(9).is_some_and(|inode| inodes.iter().any(|i| i == inode));
            listens.then(|| u16::from_str_radix(fields[1].rsplit_once(':')?.1, 16).ok()).flatten()
        });
        if let Some(port) = port {
            return port;
        }
        sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_module_is_what_the_configuration_says() {
    let script = "module purge; module load cuda/12.1 && echo $CUDA; module load gcc; bash -c 'module load cuda; echo $CUDA' && echo on";
    let modules = vec![("cuda".to_owned(), "export CUDA='a b'".to_owned())];
    let run = Run::new(script).with(|p| p.modules = modules).ask(|r| r.error = Some("e".into()));
    let outcome = run.start().finish();
    assert_eq!(outcome.text(), "a b\na b\non\n");
    assert!(String::from_utf8_lossy(&outcome.error).contains("gcc"));
}

#[test]
fn where_no_controller_hears_of_the_job_its_commands_say_so() {
    let script = "exec > $HOME/sky_workdir/said 2>&1\nfor c in squeue sacct sinfo 'scancel 7' 'scontrol show job 7'; do $c; echo $?; done; sbatch --wrap true; echo $?; \
        scontrol show hostnames 'a[1-2]'; srun --version | cut -d. -f1; ls -A $HOME";
    let mut run = Run::new(script).with(|p| p.delivery = Delivery::Plain).start();
    run.finish();
    let text = fs::read_to_string(run.workdir(0).join("said")).unwrap();
    let says = |c: &&str| format!("{c}: error: this node cannot reach the controller: ask where the job was submitted");
    let expected: Vec<String> =
        ["squeue", "sacct", "sinfo", "scancel", "scontrol", "sbatch"].iter().map(says).collect();
    let said: Vec<&str> = text.lines().filter(|l| l.contains(": error: ")).collect();
    assert_eq!(said, expected);
    assert!(!text.contains("Unable to contact"), "{text}");
    assert_eq!(text.lines().filter(|l| *l == "1").count(), 6, "{text}");
    assert!(text.ends_with("1\na1\na2\nslurm 24\nsky_workdir\n"), "{text}");
}

#[test]
fn what_commands_ask_goes_sealed_into_the_log_and_the_answer_comes_back() {
    // On a node that is not the first: the question goes by the first one's log.
    let script =
        "srun -N1 -n1 -w $(scontrol show hostnames | tail -n 1) bash -c 'scancel 12 > asked 2>&1; echo $? > said'";
    let mut run = Run::new(script).on(2).start();
    let (said, asked) = (run.workdir(1).join("said"), run.workdir(1).join("asked"));
    let refused = Reply::<Job>::Done(vec![Err(Errno::AccessDenied)]);
    let frame = skyslurm::host::ipc::frame(&(PROTOCOL, Some(refused))).unwrap();
    let seal = |which, key| seal::seal(&frame, &asking::answer_about(7, which), &[key; 32]).unwrap();
    let of = run.wait_for_question();
    // Answers that are not the controller's, or to another question, or to this one's namesake in another run, are none.
    for (serial, answer) in
        [seal((of, 1), 8), seal((of, 2), 9), seal((of.wrapping_add(1), 1), 9)].into_iter().enumerate()
    {
        run.tell(serial as u32 + 1, &Control::Answer { number: 1, answer });
    }
    run.wait_until_told();
    assert!(!said.exists());
    run.tell(9, &Control::Answer { number: 1, answer: seal((of, 1), 9) });
    let outcome = run.finish();
    let told = fs::read_to_string(asked).unwrap();
    assert_eq!(told, "scancel: error: Kill job error on job id 12: Access/permission denied\n");
    let questions = outcome.events.iter().filter_map(|event| match event {
        EventKind::Asked { number, question, copies, .. } => Some((*number, question.as_str(), copies.as_slice())),
        _ => None,
    });
    let [(1, question, copies)] = questions.collect::<Vec<_>>()[..] else { panic!("{:?}", outcome.events) };
    assert!(copies.contains(&run.workdir(0)), "{copies:?}");
    let open = |number| seal::open(question, &asking::question_about(7, (of, number)), &[9; 32]);
    assert!(open(2).is_none());
    let (version, call) = skyslurm::host::ipc::parse::<(u16, Call)>(&open(1).unwrap()).unwrap();
    assert!(version == PROTOCOL && matches!(call, Call::Signal(list) if list.len() == 1));
}

#[test]
fn elements_of_an_array_are_ranks() {
    let spec = Arc::new(ArraySpec::parse("3,5", 1000).unwrap());
    let array = ArrayRef { job_id: 7, spec, throttle: None, task_id: Some(3), pending: IdSet::new() };
    let with = |rank, script: &str| {
        let mut run = Run::new(script).with(|p| {
            p.job.array = Some(array.clone());
            p.elements = vec![None, Some((9, 5))];
        });
        run.rank = rank;
        run.run()
    };
    assert_eq!(with(1, "echo $SLURM_JOB_ID $SLURM_ARRAY_JOB_ID $SLURM_ARRAY_TASK_ID").text(), "9 7 5\n");
    let cancelled = with(0, "echo never");
    assert!(cancelled.events.is_empty() && cancelled.output.is_empty() && cancelled.codes == [Some(0)]);
}

#[test]
fn on_a_shared_directory_the_agent_writes_the_files_itself() {
    let run = Run::new("echo hello; pwd; echo err >&2").with(|p| p.delivery = Delivery::Shared);
    let work = PathBuf::from(&run.request.work_dir);
    fs::create_dir_all(&work).unwrap();
    let mut run = run.start();
    let outcome = run.finish();
    assert_eq!((&*outcome.output, outcome.events.len()), (&b""[..], 6));
    let written = fs::read_to_string(work.join("slurm-7.out")).unwrap();
    assert_eq!(written, format!("hello\n{}\nerr\n", work.display()));
}

#[test]
fn programs_of_the_work_directory_can_be_executed() {
    let run = Run::new("./tool.sh; ls -l data | cut -c1-10");
    fs::write(run.workdir(0).join("tool.sh"), "#!/bin/sh\necho tool\n").unwrap();
    fs::write(run.workdir(0).join("data"), "text").unwrap();
    assert_eq!(run.run().text(), "tool\n-rw-r--r--\n");
}

#[test]
fn who_has_no_description_or_no_key_says_so() {
    let mut run = Run::new("true");
    run.variables.push((VARIABLE.into(), String::new()));
    run.start_node(0);
    let outcome = run.finish();
    assert_eq!((outcome.said.contains("SKYSLURM_JOB is not set"), outcome.codes), (true, vec![Some(1)]));
    let mut run = Run::new("true");
    fs::write(run.file(".skyslurm/key"), [8; 32]).unwrap();
    run.start_node(0);
    let outcome = run.finish();
    assert_eq!((outcome.said.contains("cannot be read"), outcome.codes), (true, vec![Some(1)]));
}

#[test]
fn what_the_script_left_running_ends_with_it() {
    let mut run = Run::new("setsid sh -c 'trap \"\" TERM; sleep 1000' & (sleep 1000 &) & echo done").start();
    assert_eq!(run.finish().text(), "done\n");
    run.is_tidy();
}

#[test]
fn a_node_s_own_end_is_passed_on_to_its_tasks_and_the_job_goes_on() {
    let script = "touch started; srun -N1 -n1 -w $(scontrol show hostnames | tail -1) --overlap \
        sh -c 'trap \"echo term; exit 4\" TERM; touch $OUT/task; while :; do sleep 0.01; done'; echo code $?";
    let run = Run::new(script).on(2);
    let out = run.workdir(0).to_str().unwrap().to_owned();
    let mut run = run.variable("OUT", &out).start();
    run.wait_for("task");
    run.signal(1, Signal::SIGTERM);
    let outcome = run.finish();
    let text = outcome.text();
    assert!(text.contains("term\n") && text.ends_with("code 4\n"), "{text}");
    assert_eq!((ended(&outcome.events).0, outcome.codes), (JobState::Completed, vec![Some(0), Some(0)]));
    run.is_tidy();
}

#[test]
fn a_log_that_nobody_reads_stops_the_script_and_not_the_agent() {
    let mut run = Run::new("n=0; while head -c 4096 /dev/urandom; do echo $((++n)) > draft; mv draft count; done");
    run.hold = true;
    let mut run = run.start();
    run.wait_for("count");
    let pieces = |run: &Run| fs::read_to_string(run.workdir(0).join("count")).map_or(0, |n| n.trim().parse().unwrap());
    // The log's pipe, what the agent keeps, and the script's pipe are full: the script comes no further.
    let (mut written, mut since) = (0, Instant::now());
    while since.elapsed() < Duration::from_secs(1) {
        let now: usize = pieces(&run);
        if now != written {
            (written, since) = (now, Instant::now());
        }
        assert!(written < 1000, "the script is not stopped");
        sleep(Duration::from_millis(5));
    }
    run.tell(1, &Control::Terminate { uid: 5, state: JobState::Cancelled });
    let since = Instant::now();
    while crate::harness::processes_that_name(run.dir.path()).len() > 1 {
        assert!(since.elapsed() < PATIENCE, "the script does not end");
        sleep(Duration::from_millis(5));
    }
    run.release();
    let outcome = run.finish();
    let written = pieces(&run) * 4096;
    assert!(outcome.text().contains(" CANCELLED AT ") && outcome.output.len() >= written, "{written}");
    assert_eq!(ended(&outcome.events).0, JobState::Cancelled);
}

#[test]
#[ignore = "measures: cargo test --test suite -- remote::start --ignored --nocapture"]
fn start_to_first_line() {
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let mut shown = String::new();
    for (nodes, last) in [(1, 0), (3, 0), (3, 2)] {
        let mut times = Vec::new();
        for _ in 0..11 {
            let mut run = Run::new("echo $EPOCHREALTIME").on(nodes);
            for node in (0..nodes).filter(|n| *n != last) {
                run.start_node(node);
            }
            sleep(Duration::from_millis(if nodes > 1 { 300 } else { 0 }));
            let begin = now();
            run.start_node(last);
            let line: f64 = run.finish().text().trim().parse().unwrap();
            times.push((line - begin) * 1000.0);
        }
        times.sort_by(f64::total_cmp);
        shown += &format!("{nodes} nodes, node {last} last: median {:.0} ms, worst {:.0} ms\n", times[5], times[10]);
    }
    let _ = std::io::stderr().write_all(shown.as_bytes());
}
