//! A system of its own whose one partition, `sky`, is on a SkyPilot API server: the test's own, or a real one.

use super::{server::Server, way};
use crate::harness::{Lab, Output, say, skip, user_name};
use std::{
    fs,
    ops::Deref,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A real server takes minutes where the other takes seconds.
const PATIENCE: Duration = Duration::from_secs(900);

/// A system, and its server if that is the test's own.
pub struct SkyLab {
    // Dropped in this order: the lab cancels its jobs at the server.
    lab: Lab,
    server: Option<Server>,
    _real: Option<Real>,
}

impl SkyLab {
    /// Before a server of the test's own.
    pub fn fake() -> Self {
        Self::fake_with("", "")
    }

    /// The same, with more of `[skypilot]` and more behind that in its configuration.
    pub fn fake_with(skypilot: &str, more: &str) -> Self {
        let server = Server::start();
        let lab = lab(&server.url(), skypilot, more);
        Self { lab, server: Some(server), _real: None }
    }

    /// Before a server of the test's own whose nodes can be got into; `None`, and said so, where this machine cannot be one.
    pub fn with_nodes() -> Option<Self> {
        Self::with_nodes_with("", "")
    }

    /// The same, with more in its configuration.
    pub fn with_nodes_with(skypilot: &str, more: &str) -> Option<Self> {
        match way::missing() {
            None => Some(Self::fake_with(skypilot, more)),
            Some(why) => {
                skip(why);
                None
            }
        }
    }

    /// Before a real server: that of `SKYSLURM_SKY_ENDPOINT`; else, where `SKYSLURM_SKY_UP` is set, one that `tests/sky/up`
    /// installs and brings up and that ends with this; else why there is none.
    pub fn real() -> Result<Self, String> {
        let (endpoint, real) = match std::env::var("SKYSLURM_SKY_ENDPOINT") {
            Ok(endpoint) => (endpoint, None),
            Err(_) if std::env::var_os("SKYSLURM_SKY_UP").is_some() => {
                Real::up().map(|(endpoint, real)| (endpoint, Some(real)))?
            }
            Err(_) => return Err("SKYSLURM_SKY_UP=1 runs the same on a real SkyPilot (tests/sky/up)".into()),
        };
        Ok(Self { lab: lab(&endpoint, "", ""), server: None, _real: real }.patient())
    }

    /// With the patience that a real server needs.
    pub fn patient(mut self) -> Self {
        self.lab.set_patience(PATIENCE);
        self
    }

    /// The test's own server.
    pub fn server(&self) -> &Server {
        self.server.as_ref().expect("a server of the test's own")
    }

    /// Waits until nothing runs at the test's own server any more.
    #[track_caller]
    pub fn until_all_is_over_there(&self) {
        let is_over = |job: &(_, _, &str)| super::jobs::is_over(job.2);
        self.until_true("the ends at the server", || self.server().jobs().iter().all(is_over));
    }

    /// Whether the server is a real one.
    pub fn is_real(&self) -> bool {
        self.server.is_none()
    }

    /// A directory of its own to submit from.
    pub fn place(&self, name: &str) -> Place<'_> {
        let dir = self.work().join(name);
        fs::create_dir_all(&dir).unwrap();
        Place { lab: self, dir }
    }
}

impl Deref for SkyLab {
    type Target = Lab;
    fn deref(&self) -> &Lab {
        &self.lab
    }
}

impl Drop for SkyLab {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.heal();
        } else if self.lab.state().join("controller.lock").exists() {
            self.lab.sh(&format!("scancel -Q -u {}", user_name()));
            let until = Instant::now() + Duration::from_secs(120);
            while !self.lab.sh("squeue -h").stdout.is_empty() && Instant::now() < until {
                thread::sleep(Duration::from_secs(1));
            }
        }
    }
}

fn lab(endpoint: &str, skypilot: &str, more: &str) -> Lab {
    let lab = Lab::new(&format!(
        "[controller]\nkill_wait = 1\ndefault_memory_per_cpu = \"100M\"\n\n[[partition]]\nname = \"sky\"\n\
         infra = \"slurm/lab\"\n\n[skypilot]\nendpoint = \"{endpoint}\"\n{skypilot}\n{more}\n"
    ));
    fs::create_dir_all(lab.home().join(".sky")).unwrap();
    // `tests/sky/down` knows it, too.
    fs::write(lab.home().join(".sky/user_hash"), "5ca1ab1e").unwrap();
    lab
}

/// A directory that jobs are submitted from.
pub struct Place<'a> {
    pub lab: &'a SkyLab,
    pub dir: PathBuf,
}

impl Place<'_> {
    /// Runs a line of shell here.
    #[track_caller]
    pub fn sh(&self, line: &str) -> Output {
        self.lab.run(self.lab.command("bash").args(["-c", line]).current_dir(&self.dir).env("PWD", &self.dir))
    }

    /// Submits a script with these options, and gives the job's id.
    #[track_caller]
    pub fn submit(&self, options: &str, script: &str) -> u32 {
        self.file("job.sh", format!("#!/bin/bash\n{script}\n"));
        self.sbatch(&format!("{options} job.sh"))
    }

    /// Submits with these arguments, of which some may be approximated.
    #[track_caller]
    pub fn sbatch(&self, arguments: &str) -> u32 {
        let out = self.sh(&format!("sbatch --parsable {arguments}"));
        assert!(out.stderr.lines().all(|line| line.starts_with("sbatch: warning: --")), "{out:#?}");
        out.stdout.trim().parse().unwrap_or_else(|_| panic!("{out:#?}"))
    }

    /// Writes a file.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// A file's bytes; none if there is no such file.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.dir.join(name)).unwrap_or_default()
    }

    /// A file as text.
    pub fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&self.bytes(name)).into_owned()
    }

    /// Waits until a file has this in it, and gives all of it.
    #[track_caller]
    pub fn until_file(&self, name: &str, has: &str) -> String {
        self.lab.until_true(&format!("{has:?} in {name}"), || self.read(name).contains(has));
        self.read(name)
    }
}

/// A real server that was brought up; it goes down with this, unless it ran before.
struct Real {
    /// It was down before.
    ours: bool,
    _lock: nix::fcntl::Flock<fs::File>,
}

impl Real {
    fn up() -> Result<(String, Self), String> {
        let lock = fs::File::create("/tmp/skyslurm-sky.lock").map_err(|e| e.to_string())?;
        let lock =
            nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).map_err(|(_, e)| e.to_string())?;
        let port = std::env::var("SKYSLURM_SKY_PORT").ok().and_then(|p| p.parse().ok()).unwrap_or(46680_u16);
        let ours = std::net::TcpStream::connect(("127.0.0.1", port)).is_err();
        if ours {
            // What a run that was killed has left would be taken up by the server, and run.
            let _ = Command::new(script("down")).arg("--wipe").stdin(Stdio::null()).status();
        }
        let out = Command::new(script("up")).stdin(Stdio::null()).output().map_err(|e| e.to_string())?;
        let said = String::from_utf8_lossy(&out.stderr);
        match out.status.code() {
            Some(0) => {}
            Some(77) => return Err(said.lines().last().unwrap_or_default().into()),
            _ => panic!("tests/sky/up failed:\n{said}"),
        }
        let text = String::from_utf8_lossy(&out.stdout);
        let endpoint = text.lines().find_map(|l| l.strip_prefix("export SKYSLURM_SKY_ENDPOINT="));
        Ok((endpoint.expect("up names the endpoint").into(), Self { ours, _lock: lock }))
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        if self.ours && !Command::new(script("down")).arg("--wipe").status().is_ok_and(|s| s.success()) {
            say("tests/sky/down failed");
        }
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sky").join(name)
}
