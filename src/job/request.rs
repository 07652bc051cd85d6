//! The resolved request: what a job asked for, every value checked.

use crate::slurm::{count::NodeCount, dependency::DependencyList, gres::Gres, signal::WarnSignal, time::TimeLimit};
use serde::{Deserialize, Serialize};

/// Which command asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// sbatch: a script runs on the first node.
    #[default]
    Batch,
    /// salloc, or srun outside an allocation: steps come from clients, and it lives as long as the one that asked for it.
    Interactive,
    /// `salloc --no-shell`: the same, and it lives until it is cancelled.
    NoShell,
}

/// Who asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// User name.
    pub name: String,
    /// Group name.
    pub group: String,
}

/// Memory asked for, in MiB. `PerNode(0)` is all of a node's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Memory {
    /// `--mem`
    PerNode(u64),
    /// `--mem-per-cpu`
    PerCpu(u64),
    /// `--mem-per-gpu`
    PerGpu(u64),
}

/// `--open-mode`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OpenMode {
    /// Start the output file anew.
    Truncate,
    /// Go on behind what it holds.
    Append,
}

/// `--exclusive`, `--oversubscribe`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Exclusive {
    /// Shares nodes with other jobs, but not CPUs.
    #[default]
    No,
    /// Whole nodes, alone.
    Node,
    /// Nodes shared only with the same user's jobs, which all are here.
    User,
    /// `--exclusive=mcs`, `topo`: likewise.
    Other,
    /// `--oversubscribe`: asked to share CPUs.
    Oversubscribe,
}

/// `--requeue`, `--no-requeue`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Requeue {
    /// As configured (Slurm's default: yes).
    #[default]
    Default,
    /// `--requeue`
    Yes,
    /// `--no-requeue`
    No,
}

/// Limits of tasks per something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct TasksPer {
    /// `--ntasks-per-node`
    pub node: Option<u32>,
    /// `--ntasks-per-gpu`
    pub gpu: Option<u32>,
    /// `--ntasks-per-socket`
    pub socket: Option<u32>,
    /// `--ntasks-per-core`
    pub core: Option<u32>,
}

/// `--distribution`, its first part: how tasks go to nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Distribution {
    /// Not said: block, or cyclic where each node has at most one task.
    #[default]
    Unset,
    /// Fill a node before the next.
    Block,
    /// One to each node in turn.
    Cyclic,
    /// `plane=N`: N to each node in turn.
    Plane(u32),
    /// As `SLURM_HOSTFILE` lists them.
    Arbitrary,
}

/// What `--export` said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExportEnv {
    /// Nothing: the whole environment.
    #[default]
    Unset,
    /// As it was written (`SLURM_EXPORT_ENV`): `ALL`, `NONE`, `NIL`, `ALL,A=1`, `A,B=2`.
    Given(String),
}

/// A resource limit that `--propagate` names. sbatch(1)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// Address space, bytes.
    As,
    /// Core files, bytes.
    Core,
    /// CPU time, seconds.
    Cpu,
    /// Data segment, bytes.
    Data,
    /// Files, bytes.
    Fsize,
    /// Locked memory, bytes.
    Memlock,
    /// Open files.
    Nofile,
    /// Processes.
    Nproc,
    /// Resident set, bytes.
    Rss,
    /// Stack, bytes.
    Stack,
}

impl Limit {
    /// Its name without `RLIMIT_`.
    pub fn name(self) -> &'static str {
        match self {
            Limit::As => "AS",
            Limit::Core => "CORE",
            Limit::Cpu => "CPU",
            Limit::Data => "DATA",
            Limit::Fsize => "FSIZE",
            Limit::Memlock => "MEMLOCK",
            Limit::Nofile => "NOFILE",
            Limit::Nproc => "NPROC",
            Limit::Rss => "RSS",
            Limit::Stack => "STACK",
        }
    }
}

/// What a job asks for. Options are described in sbatch(1) under the name of the field.
///
/// `None` and empty mean that nothing was said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// Which command asked.
    pub kind: Kind,
    /// `--job-name`, or the name that follows from script or command.
    pub name: String,
    /// Who asked.
    pub user: User,
    /// `--account`
    pub account: Option<String>,
    /// `--qos`
    pub qos: Option<String>,
    /// `--wckey`
    pub wckey: Option<String>,
    /// `--partition`: one or several names in order of preference; empty: the default.
    pub partitions: Vec<String>,
    /// `--nodes`
    pub nodes: Option<NodeCount>,
    /// `--ntasks`
    pub ntasks: Option<u32>,
    /// `--ntasks-per-*`
    pub tasks_per: TasksPer,
    /// `--cpus-per-task`
    pub cpus_per_task: Option<u32>,
    /// `--cpus-per-gpu`
    pub cpus_per_gpu: Option<u32>,
    /// `--mincpus`
    pub min_cpus: Option<u32>,
    /// `--mem`, `--mem-per-cpu`, `--mem-per-gpu`
    pub memory: Option<Memory>,
    /// `--tmp`, MiB
    pub tmp: Option<u64>,
    /// `--gres`, per node
    pub gres: Vec<Gres>,
    /// `--gpus`, over the job
    pub gpus: Vec<Gres>,
    /// `--gpus-per-node`
    pub gpus_per_node: Vec<Gres>,
    /// `--gpus-per-task`
    pub gpus_per_task: Vec<Gres>,
    /// `--gpus-per-socket`
    pub gpus_per_socket: Vec<Gres>,
    /// `--gpu-bind` and `--tres-bind`, as written
    pub gpu_bind: Option<String>,
    /// `--exclusive`, `--oversubscribe`
    pub exclusive: Exclusive,
    /// `--overcommit`
    pub overcommit: bool,
    /// `--contiguous`
    pub contiguous: bool,
    /// `--use-min-nodes`: of a range of nodes, as few as will do
    pub use_min_nodes: bool,
    /// `--spread-job`: its tasks on as many nodes as there are, if no number is given
    #[serde(default)]
    pub spread_job: bool,
    /// `--reservation`
    #[serde(default)]
    pub reservation: Option<String>,
    /// `--constraint`
    pub constraint: Option<String>,
    /// `--nodelist`, expanded
    pub nodelist: Vec<String>,
    /// `--exclude`, expanded
    pub exclude: Vec<String>,
    /// `--distribution`
    pub distribution: Distribution,
    /// `--distribution` as written, for `SLURM_DISTRIBUTION`
    pub distribution_text: Option<String>,
    /// `--hint`
    pub hint: Option<String>,
    /// `--threads-per-core`
    pub threads_per_core: Option<u32>,
    /// `--profile`, for `SLURM_PROFILE`
    pub profile: Option<String>,
    /// `--time`
    pub time: Option<TimeLimit>,
    /// `--time-min`
    pub time_min: Option<TimeLimit>,
    /// `--begin`, epoch seconds
    pub begin: Option<i64>,
    /// `--deadline`, epoch seconds
    pub deadline: Option<i64>,
    /// `--dependency`
    pub dependency: Option<DependencyList>,
    /// The same as written, for `SLURM_JOB_DEPENDENCY`
    pub dependency_text: Option<String>,
    /// `--hold`
    pub hold: bool,
    /// `--nice`
    pub nice: i32,
    /// `--priority`
    pub priority: Option<u32>,
    /// `--requeue`, `--no-requeue`
    pub requeue: Requeue,
    /// `--signal`
    pub signal: Option<WarnSignal>,
    /// `--comment`
    pub comment: Option<String>,
    /// `--chdir`, or the submit directory; absolute
    pub work_dir: String,
    /// Where the command was typed; absolute
    pub submit_dir: String,
    /// On which host it was typed
    pub submit_host: String,
    /// The command as scontrol shows it (`Command=`): the script's absolute path; `None` for stdin and `--wrap`
    pub command: Option<String>,
    /// The whole command line, for sacct's SubmitLine
    pub submit_line: String,
    /// Arguments of the script
    #[serde(with = "bytes_list")]
    pub args: Vec<Vec<u8>>,
    /// `--output` as written
    pub output: Option<String>,
    /// `--error` as written
    pub error: Option<String>,
    /// `--input` as written
    pub input: Option<String>,
    /// `--open-mode`
    pub open_mode: Option<OpenMode>,
    /// `--export`
    pub export: ExportEnv,
    /// `--get-user-env`
    pub get_user_env: bool,
    /// The submitter's umask
    pub umask: u32,
    /// The submitter's soft resource limits, those of `--propagate`
    pub rlimits: Vec<(Limit, u64)>,
    /// `--container-image` (pyxis), `--container`: what the engine makes an image of
    pub container_image: Option<String>,
    /// `--mail-type` as written
    pub mail_type: Option<String>,
    /// `--mail-user`
    pub mail_user: Option<String>,
    /// `--licenses` as written
    pub licenses: Option<String>,
    /// `--extra` as written
    pub extra: Option<String>,
    /// `--wait-all-nodes`
    pub wait_all_nodes: bool,
    /// `--kill-on-invalid-dep`
    pub kill_on_invalid_dep: Option<bool>,
    /// `--no-kill`
    pub no_kill: bool,
    /// The account is that of jobs that name none.
    pub default_account: bool,
    /// The QOS is that of jobs that name none.
    pub default_qos: bool,
}

impl Request {
    /// The QOS that was asked for.
    pub fn asked_qos(&self) -> Option<&str> {
        self.qos.as_deref().filter(|_| !self.default_qos)
    }

    /// What most listings show of it: who, by what name, where to, and when. Nothing else is said.
    pub fn brief(&self) -> Self {
        Self {
            name: self.name.clone(),
            user: self.user.clone(),
            account: self.account.clone(),
            qos: self.qos.clone(),
            partitions: self.partitions.clone(),
            begin: self.begin,
            nice: self.nice,
            ..Self::default()
        }
    }

    /// Whether the other one's [`Self::brief`] is this one's.
    pub fn is_alike(&self, other: &Self) -> bool {
        self.name == other.name
            && self.user == other.user
            && self.account == other.account
            && self.qos == other.qos
            && self.partitions == other.partitions
            && (self.begin, self.nice) == (other.begin, other.nice)
    }

    /// CPUs of one task, where it was said; else 1.
    pub fn cpus_per_task_or_1(&self) -> u32 {
        self.cpus_per_task.unwrap_or(1).max(1)
    }

    /// The path of a file that may be named from the job's work directory.
    pub fn in_work_dir(&self, file: &str) -> String {
        match file.starts_with('/') {
            true => file.to_owned(),
            false => format!("{}/{file}", self.work_dir.trim_end_matches('/')),
        }
    }
}

/// Byte strings as they are, so that arguments that are no text survive the wire and the store.
mod bytes_list {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(list: &[Vec<u8>], to: S) -> Result<S::Ok, S::Error> {
        let text: Option<Vec<&str>> = list.iter().map(|a| std::str::from_utf8(a).ok()).collect();
        match text {
            Some(text) => (Some(text), None::<&[Vec<u8>]>).serialize(to),
            None => (None::<Vec<&str>>, Some(list)).serialize(to),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Vec<u8>>, D::Error> {
        let (text, bytes) = <(Option<Vec<String>>, Option<Vec<Vec<u8>>>)>::deserialize(from)?;
        Ok(match (text, bytes) {
            (Some(text), _) => text.into_iter().map(String::into_bytes).collect(),
            (None, Some(bytes)) => bytes,
            (None, None) => Vec::new(),
        })
    }
}
