//! The configuration: one TOML file, all of it optional.
//!
//! Every key is described here and in `docs/CONFIG.md`, each with a default that works.

mod tasks;

use crate::{
    host::hardware,
    slurm::{
        gres::GresList,
        hostlist,
        limit::{Limits, MostTres},
        mail::Occasion,
        memory,
        options::Place,
        time::TimeLimit,
    },
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no TOML, or has a key or a value that is none.
    #[error("{path}: {text}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What and where.
        text: String,
    },
    /// Its parts do not go together.
    #[error("{path}: {text}")]
    Meaning {
        /// The file.
        path: PathBuf,
        /// What.
        text: String,
    },
}

/// The configuration as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// This machine as virtual nodes; none: one node, what the machine really has.
    pub node: Vec<NodeConfig>,
    /// Partitions; none: `local` with all nodes.
    pub partition: Vec<PartitionConfig>,
    /// How the controller works.
    pub controller: ControllerConfig,
    /// Limits of the jobs of a QOS.
    pub qos: BTreeMap<String, Limits>,
    /// Limits of the jobs of an account.
    pub account: BTreeMap<String, Limits>,
    /// Commands that are run when something happens to a job.
    pub hooks: HooksConfig,
    /// The SkyPilot API server.
    pub skypilot: SkypilotConfig,
}

/// `[[node]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// A host name or a hostlist: `node[1-4]`.
    pub name: Text<Hosts>,
    /// CPUs of each.
    pub cpus: u32,
    /// Memory of each: `500G`. Default: 2000 MiB a CPU.
    pub memory: Option<Text<Mem>>,
    /// Generic resources of each: `["gpu:h100:8"]`.
    #[serde(default)]
    pub gres: Vec<Text<GresList>>,
    /// Features of each, for `--constraint`.
    #[serde(default)]
    pub features: Vec<String>,
}

/// `[[partition]]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionConfig {
    /// Its name.
    pub name: String,
    /// Whether it takes jobs that name none; default: the first partition does.
    pub default: Option<bool>,
    /// Its nodes, a hostlist; default: all.
    pub nodes: Option<Text<Hosts>>,
    /// A SkyPilot infra (`kubernetes/research`) in place of nodes, or several in order of preference.
    #[serde(default)]
    pub infra: OneOrMany,
    /// A SkyPilot pool in place of nodes.
    pub pool: Option<String>,
    /// GPU type of requests that name none.
    pub gpu_type: Option<String>,
    /// Time limit of jobs that ask for none; default: `max_time`.
    pub default_time: Option<Text<TimeLimit>>,
    /// Longest time limit; default: unlimited.
    pub max_time: Option<Text<TimeLimit>>,
    /// Higher goes first (`PriorityTier`); default 1.
    pub priority_tier: Option<u16>,
    /// Memory a CPU for jobs that ask for none (`DefMemPerCPU`); default: the controller's.
    pub default_memory_per_cpu: Option<Text<Mem>>,
    // What its SkyPilot tasks have.
    /// Most GPUs on one node: `--gpus=16` becomes so many nodes; default 8.
    pub gpus_per_node: Option<u32>,
    /// `use_spot`
    #[serde(default)]
    pub use_spot: bool,
    /// `image_id` of jobs that name no `--container-image`.
    pub image: Option<String>,
    /// `setup`: shell commands that prepare a node.
    pub setup: Option<String>,
    /// `volumes`: mount path and volume.
    #[serde(default)]
    pub volumes: BTreeMap<String, String>,
    /// `file_mounts`: path on the node and bucket (or other remote source).
    #[serde(default)]
    pub file_mounts: BTreeMap<String, String>,
    /// `labels`
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Directories that the nodes see under their own path: what is below them is not copied.
    #[serde(default)]
    pub shared: Vec<String>,
    /// Whether the directory a job is submitted from is copied to its nodes; default: yes.
    pub workdir: Option<bool>,
    /// More keys for the task's `resources`, over what we write.
    pub resources: Option<toml::Table>,
    /// The task's `config` (`kubernetes.pod_config`, ...).
    pub config: Option<toml::Table>,
}

/// One string, or a list of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OneOrMany(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            One(String),
            Many(Vec<String>),
        }
        Ok(Self(match Either::deserialize(from)? {
            Either::One(one) => vec![one],
            Either::Many(many) => many,
        }))
    }
}

impl PartitionConfig {
    /// Where it is, if that is SkyPilot: the infra or the pool.
    pub fn on_skypilot(&self) -> Option<&str> {
        self.infra.0.first().map(String::as_str).or(self.pool.as_deref())
    }

    /// Where its jobs run.
    pub fn place(&self) -> Place {
        self.on_skypilot().map_or(Place::Here, |_| Place::SkyPilot)
    }
}

/// `[hooks]`: shell commands that the controller runs, with the job's `SLURM_JOB_*`, as `strigger` has them in Slurm.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HooksConfig {
    /// A job has started.
    pub begin: Option<String>,
    /// A job is over: completed or cancelled.
    pub end: Option<String>,
    /// A job has failed.
    pub fail: Option<String>,
    /// A job was put back into the queue.
    pub requeue: Option<String>,
}

impl HooksConfig {
    /// The command for an occasion.
    pub fn of(&self, occasion: Occasion) -> Option<&str> {
        let line = match occasion {
            Occasion::Begin => &self.begin,
            Occasion::End => &self.end,
            Occasion::Fail => &self.fail,
            Occasion::Requeue => &self.requeue,
            Occasion::InvalidDepend | Occasion::TimeLimit(_) => &None,
        };
        line.as_deref()
    }
}

/// `EnforcePartLimits` of slurm.conf(5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EnforcePartLimits {
    /// Jobs wait that exceed the limits of all of their partitions.
    #[default]
    No,
    /// They are refused.
    Any,
    /// Those that exceed the limits of one of them are.
    All,
}

impl EnforcePartLimits {
    /// As slurm.conf has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::No => "NO",
            Self::Any => "ANY",
            Self::All => "ALL",
        }
    }

    /// Whether anything is refused.
    pub fn refuses(self) -> bool {
        self != Self::No
    }
}

/// `[controller]`: named as in slurm.conf(5).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ControllerConfig {
    /// `ClusterName`
    pub cluster_name: String,
    /// Account of jobs that name none.
    pub account: Option<String>,
    /// The accounts there are; empty: any.
    pub accounts: Vec<String>,
    /// QOS of jobs that name none.
    pub qos: String,
    /// The QOS there are; empty: any.
    pub qos_list: Vec<String>,
    /// `EnforcePartLimits`: whether jobs that exceed the limits of their partitions are refused, or wait.
    pub enforce_part_limits: EnforcePartLimits,
    /// `KillWait`: seconds from TERM to KILL.
    pub kill_wait: u32,
    /// `OverTimeLimit`: minutes a job may go on after its time limit.
    pub over_time_limit: u32,
    /// Whether a job that has more memory than it was given is ended: by the agents' own watch, as `ConstrainRAMSpace` of
    /// cgroup.conf(5) does by the kernel's.
    pub enforce_memory: bool,
    /// `MinJobAge`: seconds for which squeue still knows a finished job.
    pub min_job_age: u32,
    /// `MaxArraySize`: one more than the largest index of an array.
    pub max_array_size: u32,
    /// `MaxJobCount`: jobs in the queue, elements of arrays counted.
    pub max_job_count: u32,
    /// `DefMemPerCPU`; default: a job that asks for no memory has all of its nodes'.
    pub default_memory_per_cpu: Option<Text<Mem>>,
    /// `PurgeJobAfter` of slurmdbd.conf(5): how long ended jobs are kept; default: for ever.
    pub purge_job_after: Option<Text<Age>>,
    /// `MailProg`: what sends mail, called `PROGRAM -s SUBJECT USER`; default: `mail`, else `sendmail`.
    pub mail_program: Option<PathBuf>,
    /// `Licenses`: how many there are of each.
    pub licenses: BTreeMap<String, u32>,
    /// `DependencyParameters=kill_invalid_depend`: cancel jobs whose dependency can never be satisfied.
    pub kill_invalid_depend: bool,
    /// `JobRequeue`: whether jobs that say nothing may be requeued.
    pub job_requeue: bool,
}

impl Default for ControllerConfig {
    fn default() -> Self {
        Self {
            cluster_name: "local".into(),
            account: None,
            accounts: Vec::new(),
            qos: "normal".into(),
            qos_list: Vec::new(),
            enforce_part_limits: EnforcePartLimits::No,
            kill_wait: 30,
            over_time_limit: 0,
            enforce_memory: true,
            min_job_age: 300,
            max_array_size: 100_001,
            max_job_count: 1_000_000,
            default_memory_per_cpu: None,
            purge_job_after: None,
            mail_program: None,
            licenses: BTreeMap::new(),
            kill_invalid_depend: false,
            job_requeue: true,
        }
    }
}

/// `[skypilot]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SkypilotConfig {
    /// URL of the API server; default: as the sky client finds it.
    pub endpoint: Option<String>,
    /// Largest work directory that is copied; default 10 GiB.
    pub workdir_limit: Option<Text<Mem>>,
    /// Most logs that are followed at the same time; default 32.
    pub followers: Option<u32>,
    /// Seconds within which the API server gives an answer, or says in a log that it is still there; default 120. What has not
    /// come by then is asked for again.
    pub answer_within: Option<u32>,
    /// `priority` (and class) of the jobs of a QOS.
    pub qos: BTreeMap<String, SkyQos>,
    /// What `module load NAME` does on a node without modules: shell commands.
    pub modules: BTreeMap<String, String>,
    /// Variables that stay here besides those that always do (`PATH`, `HOME`, `LD_*`, ...); a `*` at the end stands for
    /// any rest.
    pub keep_home: Vec<String>,
    /// Whether `ssh NODE` gets to the nodes of interactive allocations, by entries that `~/.ssh/config` includes; default:
    /// yes.
    pub ssh_config: Option<bool>,
    /// Whether the nodes of a running managed job are tried at their own addresses, before ssh is asked to get there (default:
    /// true).
    pub direct: Option<bool>,
    /// Whether a small cluster may be made where it takes one to get to the nodes of running managed jobs (default: true). It
    /// goes some minutes after it was needed.
    pub gate: Option<bool>,
}

/// `[skypilot.qos.NAME]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SkyQos {
    /// SkyPilot's `priority`, -1000 to 1000.
    pub priority: i32,
    /// SkyPilot's `priority_class`.
    pub priority_class: Option<String>,
}

/// A value that is written as a string and has a grammar of its own.
#[derive(Clone, Debug)]
pub struct Text<T>(pub T);

impl<'de, T: FromStr> Deserialize<'de> for Text<T>
where
    T::Err: std::fmt::Display,
{
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map(Self).map_err(|e| serde::de::Error::custom(format!("\"{text}\": {e}")))
    }
}

/// A hostlist, expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts(pub Vec<String>);

impl FromStr for Hosts {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let names = hostlist::expand(text).map_err(|e| e.to_string())?;
        if names.is_empty() || names.iter().any(|n| !is_node_name(n)) {
            return Err("not a list of node names".into());
        }
        Ok(Self(names))
    }
}

/// A node name goes into `/etc/hosts`, file names and environments: letters, digits, `-`, `_` and `.`.
fn is_node_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && !name.starts_with(['-', '.'])
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// A time to keep something for, seconds: `48hours`, `30days`, `12months`; a number alone is months, as in slurmdbd.conf(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age(pub i64);

impl FromStr for Age {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let seconds = match unit.trim().to_ascii_lowercase().as_str() {
            "hour" | "hours" => 3600,
            "day" | "days" => 86_400,
            "" | "month" | "months" => 30 * 86_400,
            _ => return Err("not a number of hours, days or months".into()),
        };
        let number: i64 = number.parse().map_err(|_| "not a number of hours, days or months".to_owned())?;
        number.checked_mul(seconds).filter(|s| *s > 0).map(Self).ok_or_else(|| "too short or too long".into())
    }
}

/// An amount of memory, MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mem(pub u64);

impl FromStr for Mem {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        memory::parse_mem(text).map(|m| Self(m.0)).map_err(|e| e.to_string())
    }
}

impl Config {
    /// The partition of jobs that name none: the one that says so, else the first; `None` if there are none.
    pub fn default_partition(&self) -> Option<&PartitionConfig> {
        self.partition.iter().find(|p| p.default == Some(true)).or(self.partition.first())
    }

    /// Where the jobs of a partition run; one that is not in the file is this machine's own.
    pub fn place(&self, partition: &str) -> Place {
        self.partition.iter().find(|p| p.name == partition).map_or(Place::Here, PartitionConfig::place)
    }

    /// Reads the file; one that does not exist is an empty one.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ConfigError::Read { path: path.to_owned(), source }),
        };
        let config: Self = toml::from_str(&text)
            .map_err(|e| ConfigError::Syntax { path: path.to_owned(), text: e.to_string().trim_end().to_owned() })?;
        config.check().map_err(|text| ConfigError::Meaning { path: path.to_owned(), text })?;
        Ok(config)
    }

    /// What the grammar alone does not see.
    fn check(&self) -> Result<(), String> {
        let mut names = std::collections::HashSet::new();
        for node in &self.node {
            if node.cpus == 0 {
                return Err(format!("node {}: cpus must be at least 1", node.name.0.0.join(",")));
            }
            for name in &node.name.0.0 {
                if !names.insert(name.as_str()) {
                    return Err(format!("node {name} is declared twice"));
                }
            }
        }
        let own = hardware::host_name();
        if self.node.is_empty() {
            names.insert(&own);
        }
        let mut partitions = std::collections::HashSet::new();
        for partition in &self.partition {
            let name = &partition.name;
            if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == ',' || c.is_control()) {
                return Err(format!("partition name \"{name}\" is empty or has blanks or commas"));
            }
            if !partitions.insert(name) {
                return Err(format!("partition {name} is declared twice"));
            }
            let kinds = [partition.nodes.is_some(), !partition.infra.0.is_empty(), partition.pool.is_some()];
            if kinds.iter().filter(|k| **k).count() > 1 {
                return Err(format!("partition {name}: of nodes, infra and pool only one can be given"));
            }
            let nodes = partition.nodes.iter().flat_map(|n| &n.0.0);
            if let Some(node) = nodes.into_iter().find(|n| !names.contains(n.as_str())) {
                return Err(format!("partition {name}: there is no node {node}"));
            }
            partition.check_tasks()?;
        }
        let of_a_qos = |limits: &&Limits| limits.deny_on_limit || limits.max_tres_per_user != MostTres::default();
        if let Some((name, _)) = self.account.iter().find(|(_, limits)| of_a_qos(limits)) {
            return Err(format!("account.{name}: max_tres_per_user and deny_on_limit are of a QOS"));
        }
        let out_of_bounds = |qos: &SkyQos| !(-1000..=1000).contains(&qos.priority);
        if let Some((name, qos)) = self.skypilot.qos.iter().find(|(_, qos)| out_of_bounds(qos)) {
            return Err(format!("skypilot.qos.{name}: priority {} is not within -1000 and 1000", qos.priority));
        }
        if self.partition.iter().filter(|p| p.default == Some(true)).count() > 1 {
            return Err("more than one partition has default = true".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn read(text: &str) -> Result<Config, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Config::read(file.path()).map_err(|e| e.to_string())
    }

    #[test]
    fn the_plan_s_example_is_read() {
        let config = read(
            r#"
            [[node]]
            name = "node[1-4]"
            cpus = 64
            memory = "500G"
            gres = ["gpu:h100:8"]
            [[partition]]
            name = "gpu"
            default = true
            nodes = "node[1-4]"
            default_time = "1-00:00:00"
            max_time = "7-00:00:00"
            [[partition]]
            name = "cloud"
            infra = "kubernetes/research"
            gpu_type = "H100"
            [skypilot]
            endpoint = "http://127.0.0.1:46580"
            "#,
        )
        .unwrap();
        assert_eq!(config.node[0].name.0.0.len(), 4);
        assert_eq!(config.node[0].memory.as_ref().unwrap().0, Mem(512_000));
        assert_eq!(config.partition[1].on_skypilot(), Some("kubernetes/research"));
    }

    #[test]
    fn errors_name_line_and_key() {
        let error = read("[[node]]\nname = \"a\"\ncpu = 4\n").unwrap_err();
        assert!(error.contains("line 3") && error.contains("cpu"), "{error}");
        let error = read("[[partition]]\nname = \"p\"\nmax_time = \"soon\"\n").unwrap_err();
        assert!(error.contains("line 3") && error.contains("soon"), "{error}");
        let error = read("[[node]]\nname = \"a\"\ncpus = 4\n[[partition]]\nname = \"p\"\nnodes = \"b\"\n").unwrap_err();
        assert!(error.contains("there is no node b"), "{error}");
    }

    #[test]
    fn no_file_is_an_empty_one() {
        assert!(Config::read(Path::new("/no/such/file")).unwrap().node.is_empty());
    }
}
