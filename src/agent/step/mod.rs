//! Steps: what srun, the first node's agent and the agents of the step's nodes say to each other.
//!
//! srun asks the agent of the job's first node, which keeps the account of the allocation ([`manager`]). Each node of
//! the step gets its part of it ([`part`]) and sends what its tasks write through the first node's agent to srun.

pub(super) mod account;
mod binding;
mod bindings;
mod container;
mod epilog;
pub(super) mod manager;
pub(super) mod part;
pub mod pmi;
pub(super) mod prepare;
mod setup;
mod stream;
mod task;

pub use container::Container;
pub use setup::Setup;

use crate::{job::ExitStatus, slurm::idset::IdSet};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// What a step asks for, as srun resolved it. Names are those of srun(1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRequest {
    /// Job it belongs to.
    pub job: u32,
    /// The component of a heterogeneous job that it is for; `None`: nothing was said.
    pub component: Option<u32>,
    /// `--job-name`, or the command's base name.
    pub name: String,
    /// Number of tasks; `None`: one for each node.
    pub tasks: Option<u32>,
    /// Fewest and most nodes; `None`: all of the allocation.
    pub nodes: Option<(u32, u32)>,
    /// `--cpus-per-task`
    pub cpus_per_task: Option<u32>,
    /// `--cpus-per-gpu`
    pub cpus_per_gpu: Option<u32>,
    /// `--ntasks-per-node`
    pub tasks_per_node: Option<u32>,
    /// `--nodelist`
    pub node_list: Vec<String>,
    /// `--exclude`
    pub exclude: Vec<String>,
    /// `--relative`
    pub relative: Option<u32>,
    /// How tasks go to nodes.
    pub order: Ordering,
    /// Only what was asked for, and not whole nodes: `--exact`, and `--cpus-per-task` which implies it.
    pub exact: bool,
    /// `--overlap`
    pub overlap: bool,
    /// `--overcommit`
    pub overcommit: bool,
    /// Memory that is taken from the job's, MiB per node; `None`: what there is, shared.
    pub memory_per_node: Option<u64>,
    /// Memory that is taken from the job's, MiB per CPU.
    pub memory_per_cpu: Option<u64>,
    /// Memory that is taken from the job's, MiB per GPU.
    pub memory_per_gpu: Option<u64>,
    /// GPUs.
    pub gpus: Gpus,
    /// `--gpus-per-task`, or as many tasks to each GPU as `--ntasks-per-gpu` says; `--gpu-bind` comes before it.
    pub gpu_binding: Binding,
    /// Do not wait: `--immediate`.
    pub immediate: bool,
    /// The command and its arguments; with `--multi-prog` of each task.
    pub programs: Programs,
    /// Directory.
    pub directory: Bytes,
    /// srun's environment, as `--export` let it through: `NAME=value`, each ended by NUL.
    pub environment: Bytes,
    /// srun runs on another machine than the job: its environment is what goes along, and its directory is named as there.
    pub from_afar: bool,
    /// srun's umask.
    pub umask: u32,
    /// Where stdout of each task goes.
    pub output: Sink,
    /// Where stderr of each task goes.
    pub error: Sink,
    /// Where stdin of each task comes from.
    pub input: Source,
    /// Open files to go on behind what they hold.
    pub append: bool,
    /// `--kill-on-bad-exit`
    pub kill_on_bad_exit: bool,
    /// `--label`
    pub label: bool,
    /// `--unbuffered`
    pub unbuffered: bool,
    /// The job was made for this step, by its srun.
    pub own_job: bool,
    /// `--pty`: rows and columns of srun's terminal, for task 0.
    pub terminal: Option<(u16, u16)>,
    /// The whole command line, for sacct's SubmitLine.
    pub command: String,
    /// `--time`: minutes.
    pub time_limit: Option<u32>,
    /// The tasks wait for [`FromClient::Launch`]: srun has something to do before them.
    pub held: bool,
    /// What is done to each task before and behind its program.
    pub setup: Setup,
    /// `--mpi`
    pub mpi: Mpi,
}

/// How the processes of an MPI program find each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mpi {
    /// By themselves: `--mpi=none`.
    #[default]
    None,
    /// Through their node's agent: [`pmi`].
    Pmi2,
}

/// How tasks go to the nodes of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ordering {
    /// Not said.
    #[default]
    Unset,
    /// `block`
    Block,
    /// `cyclic`
    Cyclic,
    /// `plane=N`
    Plane(u32),
    /// `arbitrary`: the node of each task.
    Arbitrary(Vec<String>),
}

/// GPUs a step asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gpus {
    /// Nothing was said: all of the job's, if the job asked for some.
    #[default]
    All,
    /// `--gres=none`
    None,
    /// `--gpus-per-node`, `--gres=gpu:N`
    PerNode(u32),
    /// `--gpus-per-task`
    PerTask(u32),
    /// `--gpus`: over the step.
    Total(u32),
}

/// Which of a step's GPUs on its node a task sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Binding {
    /// All of them.
    #[default]
    None,
    /// `--gpus-per-task`, `--gpu-bind=per_task:N`: N of its own.
    PerTask(u32),
    /// `--ntasks-per-gpu`, `--gpu-bind=single:N`: one, shared by N tasks.
    Single(u32),
}

/// What the tasks run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Programs {
    /// All the same.
    Same(Vec<Bytes>),
    /// `--multi-prog`: for each task its own.
    Each(Vec<Vec<Bytes>>),
}

impl Default for Programs {
    fn default() -> Self {
        Self::Same(Vec::new())
    }
}

/// Where output goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sink {
    /// To srun.
    #[default]
    Client,
    /// Nowhere.
    None,
    /// To srun from one task only.
    Rank(u32),
    /// To a file of each task's own, by pattern.
    File(String),
    /// Of stderr: where stdout goes.
    Stdout,
}

/// Where input comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// srun's, to every task.
    #[default]
    Client,
    /// Nowhere.
    None,
    /// srun's, to one task only.
    Rank(u32),
    /// A file of each task's own, by pattern.
    File(String),
}

/// What the first node's agent says to srun.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToClient {
    /// The step waits for others to end.
    Busy,
    /// There will be no step: why, in Slurm's words.
    Refused(String),
    /// A line of slurmctld's about the step, for stderr.
    Warning(String),
    /// There is a step.
    Created {
        /// Its number.
        step: u32,
        /// Its nodes.
        nodes: Vec<String>,
        /// The tasks of each node.
        layout: Vec<Vec<u32>>,
        /// Where the nodes of each of its components begin.
        firsts: Vec<usize>,
        /// Whether it had to wait.
        waited: bool,
        /// `KillWait`, seconds.
        kill_wait: u32,
    },
    /// From one of its nodes.
    Part {
        /// Which.
        node: usize,
        /// What.
        said: FromPart,
    },
    /// The step is being ended (`Job step aborted`).
    Aborted,
    /// What it has of one component of a heterogeneous job is.
    PartAborted,
    /// All its tasks have taken the last [`FromClient::Input`].
    InputTaken,
    /// It is over. Nothing follows.
    Done,
}

/// What srun says to the first node's agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromClient {
    /// The tasks of a step that was held may start.
    Launch,
    /// Bytes for the tasks' stdin. The next only after [`ToClient::InputTaken`].
    Input(Bytes),
    /// No more bytes for stdin.
    InputEnd,
    /// A signal for all tasks.
    Signal(i32),
    /// End the step: KILL.
    Kill,
    /// End the step, TERM first: `--kill-on-bad-exit`, `--wait`.
    Terminate,
    /// The terminal has now so many rows and columns.
    Resize(u16, u16),
}

/// What a node's part of a step says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromPart {
    /// A task wrote something.
    Output {
        /// Which task.
        task: u32,
        /// Whether to stderr.
        error: bool,
        /// What.
        bytes: Bytes,
    },
    /// A task will write no more.
    OutputEnd {
        /// Which task.
        task: u32,
        /// Whether to stderr.
        error: bool,
    },
    /// Tasks ended, in the same way.
    Exited {
        /// Which.
        tasks: Vec<u32>,
        /// How.
        exit: ExitStatus,
    },
    /// A line of slurmstepd's, for stderr.
    Message(String),
    /// The last input is taken.
    InputTaken,
    /// All tasks have ended and their output is complete. Nothing follows.
    Done(crate::job::Usage),
    /// Of its PMI server, for the first node's agent.
    Pmi(pmi::Up),
    /// What its running tasks use: the answer to the [`ToPart::Measure`] of that number.
    Measured(u64, Vec<crate::job::TaskUsage>),
}

/// What a node's part of a step is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToPart {
    /// Bytes for stdin.
    Input(Bytes),
    /// Bytes for the stdin of one task, wherever it is.
    InputFor(u32, Bytes),
    /// No more bytes for stdin.
    InputEnd,
    /// A signal for all that the tasks have started.
    Signal(i32),
    /// A signal that ends it, to stopped processes too.
    Cancel(i32),
    /// The terminal has now so many rows and columns.
    Resize(u16, u16),
    /// For its PMI server.
    Pmi(pmi::Down),
    /// Measure what the tasks use; the number comes back with the answer.
    Measure(u64),
}

/// One node's part of a step.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Launching {
    /// Number of the step.
    pub step: u32,
    /// What was asked for.
    pub request: StepRequest,
    /// Nodes of the step.
    pub nodes: Vec<String>,
    /// The tasks of each node of the step.
    pub layout: Vec<Vec<u32>>,
    /// `SLURM_DISTRIBUTION`
    pub distribution: String,
    /// This node's place in `nodes`.
    pub node: usize,
    /// CPUs here.
    pub cpus: u32,
    /// Which they are, by the numbers of the job's share of the node.
    pub cpu_ids: IdSet,
    /// GPUs here.
    pub gpus: IdSet,
    /// `SLURM_STEP_RESV_PORTS`
    pub ports: Option<String>,
    /// Address of the node srun runs on.
    pub launcher: String,
    /// Of a step in a heterogeneous job or over several components of its own: the CPUs of the nodes that these have.
    pub allocated: Option<String>,
}

/// Bytes, sent as they are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Debug::fmt(&String::from_utf8_lossy(&self.0), f)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        from.deserialize_bytes(Visitor)
    }
}

/// What a step comes to when its tasks end: want of memory, else the signal that ended one, else the highest exit code.
pub(super) fn worse(a: ExitStatus, b: ExitStatus) -> ExitStatus {
    match (a.signal(), b.signal()) {
        _ if b == ExitStatus::OUT_OF_MEMORY => b,
        (0, 0) if b.code() > a.code() => b,
        (0, s) if s > 0 => b,
        _ => a,
    }
}

/// What an error of the system says, without its number: strerror(3).
pub(crate) fn error_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text.get(..end).unwrap_or(&text).to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_memory_is_the_worst_that_can_be() {
        let (killed, oom) = (ExitStatus::signaled(9), ExitStatus::OUT_OF_MEMORY);
        for other in [ExitStatus::default(), ExitStatus::exited(255), killed] {
            assert_eq!((worse(other, oom), worse(oom, other)), (oom, oom), "{other:?}");
        }
        assert_eq!((worse(ExitStatus::exited(2), killed), worse(killed, ExitStatus::exited(2))), (killed, killed));
    }
}
