//! What makes an end-to-end test three lines long.
//!
//! A [`Lab`] is a system of its own: state directory, configuration, work directory, and a `PATH` on
//! which the commands are links to the program under test. Dropping it ends its jobs and its
//! controller, and fails the test if a process of it is left.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::Write,
    os::unix::{
        fs::symlink,
        process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant, UNIX_EPOCH},
};

/// Waiting ends here, and the test fails: far more than anything takes on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(60);

/// The nodes and partitions of the recorded system.
pub const RECORDED: &str = r#"
[[node]]
name = "node[1-4]"
cpus = 64
memory = "512000M"
gres = ["gpu:h100:8"]

[[partition]]
name = "gpu"
default = true
nodes = "node[1-4]"
default_time = "1-00:00:00"
max_time = "7-00:00:00"

[[partition]]
name = "debug"
nodes = "node[1-4]"
default_time = "00:10:00"
max_time = "00:30:00"
priority_tier = 10

[controller]
cluster_name = "lab"
account = "research"
kill_wait = 5
max_array_size = 10001
default_memory_per_cpu = "2000M"
"#;

/// Four nodes, two CPUs and a GPU each, that wait a second from TERM to KILL.
pub const FOUR: &str = r#"
[[node]]
name = "node[1-4]"
cpus = 2
memory = "4G"
gres = ["gpu:a:1"]

[[partition]]
name = "main"
nodes = "node[1-4]"

[controller]
kill_wait = 1
default_memory_per_cpu = "100M"
"#;

/// One node of two CPUs.
pub const ONE: &str = r#"
[[node]]
name = "solo"
cpus = 2
memory = "4G"

[controller]
kill_wait = 1
default_memory_per_cpu = "100M"
"#;

const COMMANDS: [&str; 20] = [
    "sattach", "sstat", "sbcast", "sbatch", "srun", "salloc", "squeue", "scancel", "sacct", "sinfo", "scontrol",
    "sacctmgr", "sshare", "sprio", "sdiag", "seff", "sreport", "strigger", "scrontab", "skyslurm",
];

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_skyslurm");

/// The same without what is for debuggers, most of its size: jobs on SkyPilot take it along.
pub fn program() -> &'static Path {
    static STRIPPED: OnceLock<PathBuf> = OnceLock::new();
    STRIPPED.get_or_init(|| {
        let built = fs::metadata(PROGRAM).and_then(|m| m.modified()).unwrap();
        let stamp = built.duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("skyslurm-{stamp}"));
        let draft = to.with_extension(std::process::id().to_string());
        let made = to.exists() || {
            let strip = Command::new("strip").arg("-o").arg(&draft).arg(PROGRAM).status();
            strip.is_ok_and(|status| status.success()) && fs::rename(&draft, &to).is_ok()
        };
        if made { to } else { PROGRAM.into() }
    })
}

/// What a command printed, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    pub stdout: String,
    pub stderr: String,
    /// The exit code; 128 and the signal if one ended it.
    pub code: i32,
}

impl Output {
    /// It succeeded and had nothing to complain of; gives stdout.
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert!(self.code == 0 && self.stderr.is_empty(), "{self:#?}");
        &self.stdout
    }

    /// It failed so; gives stderr.
    #[track_caller]
    pub fn fails(&self, code: i32) -> &str {
        assert_eq!(self.code, code, "{self:#?}");
        &self.stderr
    }
}

/// A system of its own.
pub struct Lab {
    root: PathBuf,
    /// How long it waits for something.
    patience: Duration,
}

impl Lab {
    /// A system with this configuration. Nothing runs yet: the first command starts the controller.
    pub fn new(config: &str) -> Self {
        // Not where TMPDIR says: the name of a Unix socket has room for 108 bytes.
        let root = tempfile::Builder::new().prefix("skyslurm-").tempdir_in("/tmp").unwrap().keep();
        let lab = Self { root, patience: LIMIT };
        for dir in ["bin", "home/w", "tmp"] {
            fs::create_dir_all(lab.root.join(dir)).unwrap();
        }
        for name in COMMANDS {
            symlink(program(), lab.root.join("bin").join(name)).unwrap();
        }
        fs::write(lab.config(), config).unwrap();
        lab
    }

    /// Its state directory.
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// Puts the state directory on a file system of its own of this size; `false` where that is not allowed.
    pub fn state_on_a_disk_of(&self, size: &str) -> bool {
        fs::create_dir_all(self.state()).unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "tmpfs"])
            .arg(self.state())
            .stderr(Stdio::null());
        mount.status().is_ok_and(|s| s.success())
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.root.join("config.toml")
    }

    /// Its user's home.
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// The directory commands run in.
    pub fn work(&self) -> PathBuf {
        self.root.join("home/w")
    }

    /// The directory of the commands.
    pub fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// Puts a file into the work directory.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// A file of the work directory, as text; nothing if there is none.
    pub fn read(&self, name: &str) -> String {
        fs::read(self.work().join(name)).map_or_else(|_| String::new(), |b| String::from_utf8_lossy(&b).into_owned())
    }

    /// A program with the lab's fixed, small environment, in the work directory.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let user = user_name();
        command
            .env_clear()
            .envs([
                ("USER", user.as_str()),
                ("LOGNAME", &user),
                ("SHELL", "/bin/bash"),
                ("TERM", "xterm"),
                ("LANG", "C.UTF-8"),
            ])
            .envs(std::env::var("SKYSLURM_LOG").map(|level| ("SKYSLURM_LOG", level)))
            .env("HOME", self.home())
            .env("PWD", self.work())
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", self.bin().display()))
            .env("SKYSLURM_STATE_DIR", self.state())
            .env("SKYSLURM_CONFIG", self.config())
            .current_dir(self.work())
            .stdin(Stdio::null());
        if self.clock().exists() {
            command.env("SKYSLURM_DEBUG_CLOCK", self.clock());
        }
        command
    }

    fn clock(&self) -> PathBuf {
        self.root.join("clock")
    }

    /// Sets the clock of all that is started from now on, and of all that was started after the first call, to be wrong by so many
    /// seconds.
    pub fn set_clock(&self, wrong_by: i64) {
        let draft = self.clock().with_extension("new");
        fs::write(&draft, wrong_by.to_string()).unwrap();
        fs::rename(draft, self.clock()).unwrap();
    }

    /// Runs a line of shell.
    #[track_caller]
    pub fn sh(&self, line: &str) -> Output {
        self.run(self.command("bash").args(["-c", line]))
    }

    /// Runs a command to its end. What it prints goes to files: whoever inherits them keeps nobody waiting.
    #[track_caller]
    pub fn run(&self, command: &mut Command) -> Output {
        let capture = || tempfile::tempfile_in(self.root.join("tmp")).unwrap();
        let (out, err) = (capture(), capture());
        command.stdout(out.try_clone().unwrap()).stderr(err.try_clone().unwrap()).process_group(0);
        let mut child = command.spawn().unwrap();
        let until = Instant::now() + self.patience;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > until {
                kill_group(child.id());
                let _ = child.wait();
                panic!("no end of {command:?}\n{}{}", text(out), text(err));
            }
            thread::sleep(Duration::from_millis(3));
        };
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        Output { stdout: text(out), stderr: text(err), code }
    }

    /// Submits a batch job with these options and script, and gives its id.
    #[track_caller]
    pub fn submit(&self, arguments: &str) -> u32 {
        let out = self.sh(&format!("sbatch --parsable {arguments}"));
        out.ok().trim().parse().unwrap_or_else(|_| panic!("{out:#?}"))
    }

    /// Waits until a line of shell prints this, blanks around it aside.
    #[track_caller]
    pub fn until(&self, line: &str, wanted: &str) {
        let mut last = None;
        self.until_true(&format!("`{line}` to print {wanted:?}"), || {
            let out = self.sh(line);
            let found = out.code == 0 && out.stdout.trim() == wanted;
            last = Some(out);
            found
        });
    }

    /// Waits until something is so.
    #[track_caller]
    pub fn until_true(&self, what: &str, mut is: impl FnMut() -> bool) {
        let until = Instant::now() + self.patience;
        while !is() {
            assert!(Instant::now() < until, "waited in vain for {what}");
            thread::sleep(self.patience / 3000);
        }
    }

    /// Waits until a job is in this state (`RUNNING`, ...).
    #[track_caller]
    pub fn until_state(&self, job: impl std::fmt::Display, state: &str) {
        self.until(&format!("squeue -h -t all -j {job} -o %T"), state);
    }

    /// Waits until sacct has a job ended so: `COMPLETED|0:0`.
    #[track_caller]
    pub fn until_accounted(&self, job: impl std::fmt::Display, how: &str) {
        self.until(&format!("sacct -X -n -P -j {job} -o state,exitcode"), how);
    }

    /// Waits so long from now on.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Waits until a file of the work directory has this text in it, and gives all of it.
    #[track_caller]
    pub fn until_file(&self, name: &str, has: &str) -> String {
        self.until_true(&format!("{has:?} in {name}"), || self.read(name).contains(has));
        self.read(name)
    }

    /// The controller's pid, if one runs.
    pub fn controller(&self) -> Option<i32> {
        let out = self.sh("skyslurm controller status");
        out.stdout.lines().find_map(|l| l.strip_prefix("pid: ")?.parse().ok())
    }

    /// Ends the controller the hard way.
    #[track_caller]
    pub fn kill_controller(&self) {
        let pid = self.controller().expect("a controller");
        self.sh(&format!("kill -9 {pid}"));
        self.until_true("the controller's end", || !Path::new(&format!("/proc/{pid}/exe")).exists());
    }

    /// The same, if one runs just now.
    pub fn kill_controller_if_any(&self) {
        if let Some(pid) = self.controller() {
            self.sh(&format!("kill -9 {pid}"));
        }
    }

    /// The processes that belong to this system: their environment or command line names its directory.
    pub fn processes(&self) -> Vec<(i32, String)> {
        processes_that_name(&self.root)
    }
}

/// The processes, apart from this one, that have `path` in their command line or environment.
pub fn processes_that_name(path: &Path) -> Vec<(i32, String)> {
    let mark = path.as_os_str().as_encoded_bytes();
    let names = |bytes: &[u8]| bytes.windows(mark.len()).any(|w| w == mark);
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else { continue };
        let read = |file: &str| fs::read(entry.path().join(file)).unwrap_or_default();
        let line = read("cmdline");
        if pid != std::process::id() as i32 && (names(&line) || names(&read("environ"))) {
            found.push((pid, String::from_utf8_lossy(&line).replace('\0', " ")));
        }
    }
    found
}

impl Drop for Lab {
    fn drop(&mut self) {
        let failed = thread::panicking();
        if failed && let Ok(log) = fs::read_to_string(self.state().join("controller.log")) {
            let tail: Vec<&str> = log.lines().rev().take(30).collect();
            say("--- the controller said last:");
            tail.iter().rev().for_each(|line| say(line));
        }
        if self.state().join("controller.lock").exists() {
            let quietly = |line: &str| {
                let mut command = self.command("bash");
                command.args(["-c", line]).stdout(Stdio::null()).stderr(Stdio::null());
                let _ = command.status();
            };
            quietly(&format!("timeout 20 scancel -Q -u {}; timeout 20 scancel -Q -s KILL -u {0}", user_name()));
            let until = Instant::now() + Duration::from_secs(if failed { 3 } else { 15 });
            while self.processes().len() > 1 && Instant::now() < until {
                thread::sleep(Duration::from_millis(20));
            }
            quietly("timeout 20 skyslurm controller stop");
        }
        let until = Instant::now() + Duration::from_secs(if failed { 1 } else { 10 });
        let mut left = self.processes();
        while !left.is_empty() && Instant::now() < until {
            thread::sleep(Duration::from_millis(20));
            left = self.processes();
        }
        for (pid, _) in &left {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(*pid), nix::sys::signal::Signal::SIGKILL);
        }
        let _ = Command::new("umount").arg(self.state()).stderr(Stdio::null()).status();
        let _ = fs::remove_dir_all(&self.root);
        assert!(failed || left.is_empty(), "processes are left: {left:#?}");
    }
}

/// The name of the user who runs the tests.
pub fn user_name() -> String {
    let out = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn text(file: File) -> String {
    use std::io::{Read, Seek};
    let (mut file, mut bytes) = (file, Vec::new());
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn kill_group(leader: u32) {
    let group = nix::unistd::Pid::from_raw(leader as i32);
    let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
}

/// Says on the test's own stderr why a test does nothing.
pub fn skip(why: &str) {
    say(&format!("skipped: {why}"));
}

/// A line on the test's own stderr.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
