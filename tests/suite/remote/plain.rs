//! Tasks that a person keeps: what `skyslurm translate` prints is done as SkyPilot would do it, each "node" on an address of
//! this machine, with a home of its own.

use serde_yaml::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::Instant,
};
use tempfile::TempDir;

/// A directory with a script, and the homes of nodes.
struct Place {
    dir: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Place {
    fn new(script: &str) -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::create_dir(dir.path().join("work")).unwrap();
        fs::write(dir.path().join("work/job.sh"), format!("#!/bin/bash\n{script}\n")).unwrap();
        Self { dir, variables: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    fn home(&self, node: usize) -> PathBuf {
        self.dir.path().join(format!("home{node}"))
    }

    /// The task for `sbatch job.sh WORDS`.
    fn task(&self, words: &[&str]) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skyslurm"));
        command.args(["translate", "job.sh"]).args(words).current_dir(self.dir.path().join("work")).env_clear();
        command.env("PATH", "/usr/bin:/bin").env("HOME", self.dir.path()).env("SKYSLURM_CONFIG", "config.toml");
        fs::write(self.dir.path().join("work/config.toml"), "[skypilot.modules]\ncuda = \"export CUDA='a b'\"\n")
            .unwrap();
        let output = command.output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        serde_yaml::from_slice(&output.stdout).unwrap()
    }

    /// Starts the task on node `index` of `nodes`.
    fn start(&self, task: &Value, index: usize, nodes: usize) -> Child {
        let (home, text) = (self.home(index), |key: &str| task[key].as_str().map(str::to_owned));
        let workdir = home.join("sky_workdir");
        fs::create_dir_all(&workdir).unwrap();
        for entry in fs::read_dir(text("workdir").unwrap()).unwrap().flatten() {
            let copy = workdir.join(entry.file_name());
            fs::copy(entry.path(), &copy).unwrap();
            fs::set_permissions(copy, fs::Permissions::from_mode(0o644)).unwrap();
        }
        let program = home.join(".skyslurm/skyslurm");
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        let mounted = task["file_mounts"]["~/.skyslurm/skyslurm"].as_str().unwrap();
        if !program.exists() {
            fs::hard_link(mounted, &program).unwrap();
        }
        let mut command = Command::new("bash");
        command.arg("-c").arg(text("run").unwrap()).current_dir(&workdir).env_clear();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", home).env("BAR", "node's");
        let addresses: Vec<String> = (1..=nodes).map(|n| format!("127.0.0.{n}")).collect();
        command.env("SKYPILOT_NODE_IPS", addresses.join("\n")).env("SKYPILOT_NODE_RANK", index.to_string());
        command.env("SKYPILOT_NUM_NODES", nodes.to_string());
        command.env("SKYPILOT_TASK_ID", self.dir.path()); // as unique
        command.env("SKYPILOT_MANAGED_JOB_ID", "42").env("SKYPILOT_INTERNAL_JOB_ID", "1");
        command.env("SLURM_JOB_ID", "99").env("SLURM_NTASKS", "99"); // an outer job's
        for (name, value) in task["envs"].as_mapping().into_iter().flatten() {
            command.env(name.as_str().unwrap(), value.as_str().unwrap());
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Does the task; stdout, stderr and exit code of the first node. The others say nothing, and end with 0.
    fn run(&self, words: &[&str]) -> (String, String, Option<i32>) {
        let task = self.task(words);
        let nodes = task["num_nodes"].as_u64().unwrap_or(1) as usize;
        let children: Vec<Child> = (0..nodes).rev().map(|index| self.start(&task, index, nodes)).collect();
        let mut ended: Vec<_> = children.into_iter().map(|child| said(child.wait_with_output().unwrap())).collect();
        let first = ended.pop().unwrap();
        assert!(ended.iter().all(|other| *other == (String::new(), String::new(), Some(0))), "{ended:?}");
        first
    }

    fn made(&self, file: impl AsRef<Path>) -> String {
        fs::read_to_string(self.home(0).join("sky_workdir").join(file)).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for (pid, _) in crate::harness::processes_that_name(self.dir.path()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
    }
}

fn said(output: Output) -> (String, String, Option<i32>) {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (text(output.stdout), text(output.stderr), output.status.code())
}

fn ok(text: &str) -> (String, String, Option<i32>) {
    (text.into(), String::new(), Some(0))
}

#[test]
fn a_kept_task_runs_its_script_once_and_its_steps_everywhere() {
    let script = "#SBATCH --nodes=2 --ntasks-per-node=2 --job-name=kept\n#SBATCH --begin=now+1hour --hold\n\
        echo $SLURM_JOB_ID $SLURM_JOB_NAME $SLURM_NNODES $SLURM_NTASKS $SLURM_JOB_PARTITION [$BAR]\n\
        printf '<%s>' \"$@\"; echo; echo error >&2; \
        srun sh -c 'echo $SLURM_PROCID $SLURM_NODEID; basename $(dirname $PWD)' | sort; pwd; srun -n1 -N1 false || exit 7";
    let place = Place::new(script);
    let (out, err, code) = place.run(&["it's", "a b", "", "two\nlines", "$HOME"]);
    let workdir = place.home(0).join("sky_workdir");
    assert_eq!(
        out,
        format!(
            "42 kept 2 4 local [node's]\n<it's><a b><><two\nlines><$HOME>\n\
             0 0\n1 0\n2 1\n3 1\nhome0\nhome0\nhome1\nhome1\n{}\n",
            workdir.display()
        )
    );
    assert!(err.starts_with("error\nsrun: error: ") && err.ends_with(": task 0: Exited with exit code 1\n"), "{err}");
    assert_eq!(code, Some(7));
    assert!(!workdir.join("slurm-42.out").exists());
}

#[test]
fn options_of_the_command_line_win_and_the_environment_is_the_node_s() {
    let script = "#SBATCH --ntasks=2 --export=ALL,A=1\necho $SLURM_NTASKS [$A] [$B] [$BAR] [$SKYSLURM_MODULES$SKYSLURM_SECRET]; \
        module load cuda; echo $CUDA; env | grep =99";
    let place = Place::new(&format!("{script}; true")).with("SKYSLURM_SECRET", "s3cret");
    assert_eq!(place.run(&[]), ok("2 [1] [] [node's] []\na b\n"));
    assert_eq!(place.run(&["x"]), ok("2 [1] [] [node's] []\na b\n"));
    let (out, ..) = Place::new(script).run(&["--ntasks=3", "--export=B=x y"]);
    assert!(out.starts_with("3 [] [x y] [] []\n"), "{out}");
}

#[test]
fn ranks_are_elements_of_an_array() {
    let script =
        "#SBATCH --array=3-9:3%1\necho $SLURM_JOB_ID $SLURM_ARRAY_JOB_ID $SLURM_ARRAY_TASK_ID $SLURM_ARRAY_TASK_COUNT";
    assert_eq!(Place::new(script).run(&[]), ok("42 42 3 3\n"));
    let rank = |rank| Place::new(script).with("SKYPILOT_JOB_RANK", rank).with("SKYPILOT_NUM_JOBS", "3");
    assert_eq!(rank("2").run(&[]), ok("42 40 9 3\n"));
    let (out, err, code) = rank("3").run(&[]);
    let why = "sbatch: error: the array has 3 elements, and none for rank 3: launch it with --num-jobs 3\n";
    assert_eq!((&*out, &*err, code), ("", why, Some(1)));
}

#[test]
fn named_files_are_written_on_the_node() {
    let place = Place::new("#SBATCH -o %x-%j.log\necho out; echo err >&2");
    assert_eq!(place.run(&[]), ok(""));
    assert_eq!(place.made("job.sh-42.log"), "out\nerr\n");
    let place = Place::new("#SBATCH -e err\necho out; echo err >&2");
    assert_eq!(place.run(&[]), ok("out\n"));
    assert_eq!(place.made("err"), "err\n");
}

#[test]
fn a_kept_task_has_its_time_limit_and_ends_when_it_is_told_to() {
    let place = Place::new(
        "#SBATCH --time=1\necho $((SLURM_JOB_END_TIME - SLURM_JOB_START_TIME)); trap 'echo last; exit 0' TERM; touch started; while :; do sleep 0.01; done",
    );
    let child = place.start(&place.task(&[]), 0, 1);
    let since = Instant::now();
    while !place.home(0).join("sky_workdir/started").exists() {
        assert!(since.elapsed() < super::PATIENCE);
        sleep(std::time::Duration::from_millis(2));
    }
    super::kill(super::Pid::from_raw(child.id() as i32), super::Signal::SIGTERM).unwrap();
    let (out, err, code) = said(child.wait_with_output().unwrap());
    assert!(err.starts_with("slurmstepd: error: *** JOB 42 ON ") && out == "60\nlast\n", "{out}{err}");
    assert_eq!(code, Some(1));
}

#[test]
fn who_has_another_secret_does_not_get_in() {
    let with = |mut place: Place, secret: &str| {
        place.variables = vec![("SKYSLURM_SECRET", secret.into()), ("SKYSLURM_WAIT_FOR_NODES", "1".into())];
        place
    };
    let place = with(Place::new("#SBATCH -N2\necho never"), "one");
    let task = place.task(&[]);
    let first = place.start(&task, 0, 2);
    let place = with(place, "two");
    let mut other = place.start(&task, 1, 2);
    let (out, err, code) = said(first.wait_with_output().unwrap());
    assert_eq!((&*out, code), ("", Some(1)));
    assert_eq!(err, "slurmstepd: error: nodes that did not join the job: 127.0.0.2\n");
    super::kill(super::Pid::from_raw(other.id() as i32), super::Signal::SIGTERM).unwrap();
    other.wait().unwrap();
}
