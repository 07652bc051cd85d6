//! What srun's options ask for around each task's program.

use crate::{
    agent::broadcast::Destination,
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
    /// `--cpu-bind`
    pub cpus: Option<Bind>,
    /// `--mem-bind`
    pub memory: Option<Bind>,
    /// `--gpu-bind`; `None`: as [`super::StepRequest::gpu_binding`] says.
    pub gpus: Option<GpuBind>,
}
