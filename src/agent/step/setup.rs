//! What srun's options ask for around each task's program.

use super::container::Container;
use crate::{
    agent::broadcast::Destination,
    job::Limit,
    slurm::bind::{Bind, GpuBind},
};
use serde::{Deserialize, Serialize};

/// What is done on a node before and behind the program of each task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// `--task-prolog`
    pub prolog: Option<String>,
    /// `--task-epilog`
    pub epilog: Option<String>,
    /// `--bcast`: where the program was brought.
    pub brought: Option<Destination>,
    /// `--send-libs`: its libraries were brought, too.
    pub libraries: bool,
    /// Soft resource limits: srun's own, those of `--propagate`.
    pub limits: Vec<(Limit, u64)>,
    /// `--preserve-env`: what srun's environment says of numbers of nodes and tasks stays.
    pub preserve: bool,
    /// `--resv-ports`: how many; 0: one for each task of a node and one.
    pub ports: Option<u32>,
    /// What the tasks run in.
    pub container: Option<Container>,
    /// `--cpu-bind`
    pub cpus: Option<Bind>,
    /// `--mem-bind`
    pub memory: Option<Bind>,
    /// `--gpu-bind`; `None`: as [`super::StepRequest::gpu_binding`] says.
    pub gpus: Option<GpuBind>,
}
