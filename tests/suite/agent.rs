//! The agent by itself: a job made by hand in a spool directory of its own, run, and looked at.

use skyslurm::{
    agent::{
        Event, EventKind, Host, Launch, Layout,
        wire::{self, Control, Target},
    },
    job::{ArrayRef, GresShare, Job, NodeShare, Placement, Request, StepId, User},
    slurm::{array::ArraySpec, idset::IdSet, signal::WarnSignal, state::JobState, time::TimeLimit},
};
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tempfile::TempDir;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A job in a directory of its own: `work` is where it was submitted.
pub struct Run {
    dir: TempDir,
    launch: Launch,
    request: Request,
    script: String,
    environment: String,
    agents: Vec<Child>,
}

impl Run {
    /// A batch job on one node with one CPU.
    pub fn new(script: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let layout = Layout::new(&state.join("spool"), 7);
        fs::create_dir_all(&layout.dir).unwrap();
        fs::create_dir(state.join("bin")).unwrap();
        fs::create_dir(dir.path().join("work")).unwrap();
        fs::write(state.join("slurm.conf"), "# skyslurm\n").unwrap();
        symlink(env!("CARGO_BIN_EXE_skyslurm"), state.join("bin/srun")).unwrap();
        let request = Request {
            name: "test".into(),
            user: User { uid: 1234, gid: 1235, name: "alice".into(), group: "users".into() },
            work_dir: dir.path().join("work").to_str().unwrap().into(),
            submit_dir: dir.path().join("work").to_str().unwrap().into(),
            umask: 0o022,
            ..Request::default()
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
        let job = Job {
            state: JobState::Running,
            partition: "gpu".into(),
            time_limit: TimeLimit::Unlimited,
            eligible_time: Some(now),
            start_time: Some(now),
            ..Job::new(7, Arc::new(Request::default()), now)
        };
        let launch = Launch {
            others: Vec::new(),
            job,
            cluster: "lab".into(),
            slurm_conf: state.join("slurm.conf"),
            commands: state.join("bin"),
            script: Some(layout.dir.join("slurm_script")),
            environment: layout.dir.join("environment"),
            hosts: Vec::new(),
            virtual_nodes: false,
            etc_hosts: None,
            kill_wait: 30,
            over_time_limit: 0,
            enforce_memory: false,
            spool: layout,
            made: None,
        };
        let environment = "PATH=/usr/local/bin:/usr/bin:/bin\0BAR=fromshell\0".into();
        let run = Self { dir, launch, request, script: script.into(), environment, agents: Vec::new() };
        run.nodes(&[1])
    }

    /// On so many nodes with so many CPUs each, and as many tasks.
    pub fn nodes(mut self, cpus: &[u32]) -> Self {
        let share = |(i, n): (usize, &u32)| NodeShare {
            node: format!("node{}", i + 1),
            cpus: (0..*n).collect(),
            memory: 0,
            gres: Vec::new(),
            tasks: *n,
        };
        self.launch.job.placement = Some(Placement { nodes: cpus.iter().enumerate().map(share).collect() });
        let host = |name: String| Host { name, address: "127.0.0.1".into() };
        self.launch.hosts = (1..=cpus.len()).map(|i| host(format!("node{i}"))).collect();
        self
    }

    pub fn ask(mut self, change: impl FnOnce(&mut Request)) -> Self {
        change(&mut self.request);
        self
    }

    pub fn with(mut self, change: impl FnOnce(&mut Launch)) -> Self {
        change(&mut self.launch);
        self
    }

    pub fn start(mut self) -> Self {
        self.launch.job.request = Arc::new(self.request.clone());
        let script = self.launch.spool.dir.join("slurm_script");
        fs::write(&script, &self.script).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(&self.launch.environment, &self.environment).unwrap();
        fs::write(self.launch.spool.launch(), serde_json::to_vec(&self.launch).unwrap()).unwrap();
        let nodes = self.launch.job.placement.as_ref().unwrap().nodes.len();
        for node in (0..nodes).rev() {
            let mut command = Command::new(env!("CARGO_BIN_EXE_skyslurm"));
            command.arg("agent").arg(&self.launch.spool.dir).arg(node.to_string());
            self.agents.push(command.stdin(Stdio::null()).spawn().unwrap());
        }
        self
    }

    /// Waits for the end of all agents, and gives back what they told.
    pub fn finish(&mut self) -> Vec<EventKind> {
        for agent in &mut self.agents {
            let since = Instant::now();
            while agent.try_wait().unwrap().is_none() {
                assert!(since.elapsed() < PATIENCE, "an agent does not end");
                sleep(Duration::from_millis(2));
            }
        }
        self.events()
    }

    fn events(&self) -> Vec<EventKind> {
        let text = fs::read_to_string(self.launch.spool.events()).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str::<Event>(line).unwrap().kind).collect()
    }

    pub fn work(&self, name: &str) -> PathBuf {
        self.dir.path().join("work").join(name)
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.work(name)).unwrap_or_default()
    }

    /// stdout of the script, with times taken out.
    pub fn output(&self) -> String {
        let text = self.text("slurm-7.out");
        let words =
            text.split(' ').map(|w| if w.contains('T') && w.starts_with("20") && w.len() == 19 { "TIME" } else { w });
        words.collect::<Vec<_>>().join(" ")
    }

    /// Runs to the end and gives back stdout.
    pub fn run(self) -> (String, Vec<EventKind>, Self) {
        let mut run = self.start();
        let events = run.finish();
        (run.output(), events, run)
    }

    pub fn wait_for(&self, file: &str) {
        let since = Instant::now();
        while !self.work(file).exists() {
            assert!(since.elapsed() < PATIENCE, "{file} does not come: {}", self.output());
            sleep(Duration::from_millis(2));
        }
    }

    /// Waits until every node has joined: a step on all of them has run.
    pub fn wait_for_nodes(&self) {
        let nodes = self.launch.hosts.len().to_string();
        let mut srun = Command::new(self.launch.commands.join("srun"));
        srun.args(["--overlap", "-N", &nodes, "true"])
            .env("SLURM_CONF", &self.launch.slurm_conf)
            .env("SLURM_JOB_ID", "7");
        assert!(srun.env_remove("SKYSLURM_STATE_DIR").status().unwrap().success());
    }

    /// Kills the agent of a node.
    pub fn lose_node(&mut self, index: usize) {
        let at = self.agents.len() - 1 - index; // they are started from the last
        self.agents[at].kill().unwrap();
    }

    pub fn tell(&self, control: &Control) -> wire::Answer {
        wire::control(&self.launch.spool.socket(0), control).unwrap()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        for agent in &mut self.agents {
            let _ = agent.kill();
            let _ = agent.wait();
        }
        // What a test that failed leaves behind has lost the agent that would end it.
        for (pid, _) in crate::harness::processes_that_name(self.dir.path()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
    }
}

pub fn ended(events: &[EventKind]) -> (JobState, String, String) {
    match events.last() {
        Some(EventKind::Ended { state, exit, derived_exit, .. }) => (*state, exit.pair(), derived_exit.pair()),
        other => panic!("no end: {other:?}"),
    }
}

pub fn step(events: &[EventKind], wanted: StepId) -> (JobState, String) {
    let end = events.iter().find_map(|e| match e {
        EventKind::StepEnded { id, state, exit, .. } if *id == wanted => Some((*state, exit.pair())),
        _ => None,
    });
    end.unwrap_or_else(|| panic!("no end of step {wanted}: {events:?}"))
}

const BASH: &str = "#!/bin/bash\n";

pub fn bash(text: &str) -> Run {
    Run::new(&format!("{BASH}{text}\n"))
}

#[test]
fn a_script_runs_and_its_story_is_told() {
    let (out, events, _run) = bash("echo hello; echo there >&2; pwd | xargs basename; readlink /proc/self/fd/0").run();
    assert_eq!(out, "hello\nthere\nwork\n/dev/null\n");
    assert!(matches!(events[0], EventKind::Started { pid } if pid > 0));
    assert!(matches!(&events[1], EventKind::StepStarted(s) if s.id == StepId::Batch && s.name == "batch"));
    assert_eq!(step(&events, StepId::Batch), (JobState::Completed, "0:0".into()));
    assert_eq!(ended(&events), (JobState::Completed, "0:0".into(), "0:0".into()));
    assert_eq!(events.len(), 4);
}

#[test]
fn arguments_limits_umask_and_signals_are_the_submitters() {
    let run = bash("echo \"$0\" | xargs basename; printf '<%s>' \"$@\"; echo; umask; ulimit -n; grep -E 'Sig(Ign|Blk)' /proc/self/status | grep -o '.......$'")
        .ask(|r| {
            r.args = vec![b"a".to_vec(), b"b c".to_vec(), Vec::new(), b"\xff".to_vec()];
            r.umask = 0o027;
            r.rlimits = vec![(skyslurm::job::Limit::Nofile, 77)];
        })
        .start();
    let mut run = run;
    run.finish();
    let out = fs::read(run.work("slurm-7.out")).unwrap();
    let expected = b"slurm_script\n<a><b c><><\xff>\n0027\n77\n0000000\n0000000\n";
    assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(expected));
    assert_eq!(fs::metadata(run.work("slurm-7.out")).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn a_failing_script_fails_the_job() {
    let (_, events, _run) = bash("exit 3").run();
    assert_eq!(step(&events, StepId::Batch), (JobState::Failed, "3:0".into()));
    assert_eq!(ended(&events), (JobState::Failed, "3:0".into(), "0:0".into()));
}

#[test]
fn a_killed_script_is_a_cancelled_step_of_a_failed_job() {
    let (_, events, _run) = bash("kill -9 $$").run();
    assert_eq!(step(&events, StepId::Batch), (JobState::Cancelled, "0:9".into()));
    assert_eq!(ended(&events), (JobState::Failed, "0:9".into(), "0:0".into()));
}

#[test]
fn a_bad_interpreter_is_said_and_is_exit_2() {
    let (out, events, _run) = Run::new("#!/no/such/interp\ntrue\n").run();
    assert_eq!(out, "slurmstepd: error: execve(): bad interpreter(/no/such/interp): No such file or directory\n");
    assert_eq!(step(&events, StepId::Batch), (JobState::Failed, "2:0".into()));
    assert_eq!(ended(&events).1, "2:0");
}

#[test]
fn files_that_cannot_be_opened_fail_the_job_0_53() {
    for change in
        [|r: &mut Request| r.output = Some("nodir/out".into()), |r: &mut Request| r.input = Some("/nosuch/in".into())]
    {
        let (out, events, run) = bash("echo never").ask(change).run();
        assert_eq!(out, "");
        assert_eq!(step(&events, StepId::Batch), (JobState::Cancelled, "0:53".into()));
        assert_eq!(ended(&events), (JobState::Failed, "0:53".into(), "0:0".into()));
        assert_eq!(fs::read_dir(run.work("")).unwrap().count(), 0);
    }
}

#[test]
fn output_error_and_input_go_where_they_are_asked_to() {
    let run = bash("cat; echo err >&2").ask(|r| {
        r.output = Some("%x.%j".into());
        r.error = Some("err".into());
        r.input = Some("in".into());
    });
    fs::write(run.work("in"), "data\n").unwrap();
    fs::write(run.work("err"), "old\n").unwrap();
    let (_, _, run) = run.run();
    assert_eq!((run.text("test.7"), run.text("err")), ("data\n".into(), "err\n".into()));
}

#[test]
fn a_missing_directory_is_said_twice_and_is_tmp() {
    let run = bash("pwd");
    let out = run.work("f").to_str().unwrap().to_owned();
    let (_, events, run) = run
        .ask(|r| {
            r.work_dir = "/nosuchdir".into();
            r.output = Some(out);
        })
        .run();
    let line = "slurmstepd: error: couldn't chdir to `/nosuchdir': No such file or directory: going to /tmp instead\n";
    assert_eq!(run.text("f"), format!("{line}{line}/tmp\n"));
    assert_eq!(ended(&events).0, JobState::Completed);
}

#[test]
fn elements_of_an_array_have_files_and_variables_of_their_own() {
    let spec = Arc::new(ArraySpec::parse("1,3,7-9:2", 1000).unwrap());
    let array = ArrayRef { job_id: 5, spec, throttle: None, task_id: Some(3), pending: IdSet::new() };
    let (_, _, run) = bash("env | grep ARRAY | sort").with(|l| l.job.array = Some(array)).run();
    let expected = "SLURM_ARRAY_JOB_ID=5\nSLURM_ARRAY_TASK_COUNT=4\nSLURM_ARRAY_TASK_ID=3\nSLURM_ARRAY_TASK_MAX=9\n\
                    SLURM_ARRAY_TASK_MIN=1\nSLURM_ARRAY_TASK_STEP=2\n";
    assert_eq!(run.text("slurm-5_3.out"), expected);
}

#[test]
fn the_environment_is_that_of_the_capture() {
    let (out, _, run) = bash("env | grep -E '^(SLURM|CUDA|ENV|TMPDIR|BAR)' | grep -vE 'TIME|CONF|_DIR|PID' | sort")
        .ask(|r| {
            r.account = Some("research".into());
            r.qos = Some("normal".into());
            r.submit_host = "vm".into();
        })
        .run();
    let expected = "BAR=fromshell ENVIRONMENT=BATCH SLURMD_NODENAME=node1 SLURM_CLUSTER_NAME=lab SLURM_CPUS_ON_NODE=1 \
        SLURM_GTIDS=0 SLURM_JOBID=7 SLURM_JOB_ACCOUNT=research SLURM_JOB_CPUS_PER_NODE=1 SLURM_JOB_GID=1235 \
        SLURM_JOB_ID=7 SLURM_JOB_NAME=test SLURM_JOB_NODELIST=node1 SLURM_JOB_NUM_NODES=1 SLURM_JOB_PARTITION=gpu \
        SLURM_JOB_QOS=normal SLURM_JOB_UID=1234 SLURM_JOB_USER=alice SLURM_LOCALID=0 SLURM_NNODES=1 SLURM_NODEID=0 \
        SLURM_NODELIST=node1 SLURM_PRIO_PROCESS=0 SLURM_PROCID=0 SLURM_SUBMIT_HOST=vm SLURM_TASKS_PER_NODE=1 \
        SLURM_TOPOLOGY_ADDR=node1 SLURM_TOPOLOGY_ADDR_PATTERN=node TMPDIR=/tmp";
    assert_eq!(out.split_whitespace().collect::<Vec<_>>(), expected.split_whitespace().collect::<Vec<_>>());
    drop(run);
}

#[test]
fn the_process_id_is_its_own() {
    let (out, _, _run) = bash("[ $SLURM_TASK_PID = $$ ] && echo same").run();
    assert_eq!(out, "same\n");
}

#[test]
fn the_commands_are_found_even_by_a_login_shell() {
    let (out, _, _run) = bash("dirname $(command -v srun); bash -lc 'dirname $(command -v srun)' 2>/dev/null").run();
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines.len() == 2 && lines.iter().all(|l| l.ends_with("/state/bin")), "{out}");
}

#[test]
fn what_is_left_behind_ends_with_the_job() {
    let (out, events, _run) =
        bash("setsid sleep 1000 & echo $!; (setsid bash -c 'echo $$ > inner; exec sleep 1000' &); until [ -s inner ]; do sleep 0.01; done; cat inner").run();
    for pid in out.lines() {
        let alive = fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c.starts_with("sleep"));
        assert!(!alive, "{pid} is left");
    }
    assert_eq!(ended(&events).0, JobState::Completed);
}

#[test]
fn cancelling_ends_everything_with_a_line_in_the_output() {
    let mut run = bash("touch started; sleep 1000").start();
    run.wait_for("started");
    assert_eq!(run.tell(&Control::Terminate { uid: 5, state: JobState::Cancelled }), wire::Answer::Done);
    let events = run.finish();
    assert!(run.output().contains("slurmstepd: error: *** JOB 7 ON node1 CANCELLED AT TIME ***\n"), "{}", run.output());
    assert_eq!(step(&events, StepId::Batch), (JobState::Cancelled, "0:15".into()));
    assert_eq!(ended(&events).0, JobState::Cancelled);
    assert!(matches!(events.last(), Some(EventKind::Ended { cancelled_by: Some(5), exit, .. }) if exit.is_success()));
}

#[test]
fn one_who_does_not_hear_term_is_killed() {
    let run = bash("trap '' TERM; touch started; while :; do sleep 1000; done").with(|l| l.kill_wait = 1);
    let mut run = run.start();
    run.wait_for("started");
    run.tell(&Control::Terminate { uid: 5, state: JobState::Cancelled });
    let events = run.finish();
    assert_eq!(step(&events, StepId::Batch), (JobState::Cancelled, "0:9".into()));
}

#[test]
fn the_time_limit_ends_a_job() {
    let run = bash("sleep 1000").with(|l| {
        l.job.time_limit = TimeLimit::Minutes(1);
        l.job.start_time = l.job.start_time.map(|t| t - 60);
    });
    let (out, events, _run) = run.run();
    assert!(out.contains("*** JOB 7 ON node1 CANCELLED AT TIME DUE TO TIME LIMIT ***"), "{out}");
    assert_eq!(ended(&events), (JobState::Timeout, "0:0".into(), "0:0".into()));
}

#[test]
fn a_job_may_be_late_for_so_many_seconds() {
    let begun = Instant::now();
    let run = Run::new("#!/bin/sh\nsleep 60").with(|l| {
        l.job.time_limit = TimeLimit::Minutes(1);
        l.job.start_time = l.job.start_time.map(|start| start - 60); // over at once, but for this
        l.over_time_limit = 2;
        l.kill_wait = 1;
    });
    let (_, events, _) = run.run();
    assert_eq!(ended(&events).0, JobState::Timeout);
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[test]
fn a_shorter_limit_comes_into_force_at_once() {
    let mut run =
        bash("touch started; sleep 1000").with(|l| l.job.start_time = l.job.start_time.map(|t| t - 60)).start();
    run.wait_for("started");
    run.tell(&Control::TimeLimit(Some(1)));
    assert_eq!(ended(&run.finish()).0, JobState::Timeout);
}

#[test]
fn the_warning_comes_before_the_end() {
    let signal = WarnSignal { batch_only: true, reservation: false, signal: 10, seconds_before: 30 };
    let run = bash("trap 'echo warned; exit 4' USR1; sleep 1000 & wait").ask(|r| r.signal = Some(signal)).with(|l| {
        l.job.time_limit = TimeLimit::Minutes(1);
        l.job.start_time = l.job.start_time.map(|t| t - 26);
    });
    let (out, events, _run) = run.run();
    assert_eq!((out.as_str(), ended(&events).1.as_str()), ("warned\n", "4:0"));
}

#[test]
fn signals_reach_whom_they_are_for() {
    let script = "trap 'echo shell; touch got' USR1; touch started; until [ -e end ]; do sleep 0.01; done";
    let mut run = bash(script).start();
    run.wait_for("started");
    run.tell(&Control::Signal { uid: 5, signal: 10, target: Target::Steps });
    run.tell(&Control::Signal { uid: 5, signal: 10, target: Target::Batch });
    run.wait_for("got");
    let answer = run.tell(&Control::Signal { uid: 5, signal: 10, target: Target::Step(StepId::Number(3)) });
    assert_eq!(answer, wire::Answer::NoSuchStep);
    fs::write(run.work("end"), "").unwrap();
    run.finish();
    assert_eq!(run.output(), "shell\n");
}

#[test]
fn other_nodes_wait_and_end_with_the_job() {
    let (out, events, _run) = bash("echo $SLURM_NNODES $SLURM_TASKS_PER_NODE").nodes(&[2, 1]).run();
    assert_eq!(out, "2 2,1\n");
    assert_eq!(ended(&events).0, JobState::Completed);
}

#[test]
fn gpus_are_those_of_the_node() {
    let run = bash("echo $CUDA_VISIBLE_DEVICES $SLURM_JOB_GPUS $SLURM_GPUS_ON_NODE").with(|l| {
        let gres = GresShare { name: "gpu".into(), kind: None, ids: [2, 3].into_iter().collect() };
        l.job.placement.as_mut().unwrap().nodes[0].gres.push(gres);
    });
    assert_eq!(run.run().0, "2,3 2,3 2\n");
}
