//! `--mpi`: what starts an MPI program.

use crate::{
    agent::step::{Binding, Gpus, Mpi, StepRequest},
    job::env::Environment,
    slurm::options::{Command, Options, Refusal},
};

/// What `--mpi=list` prints: as Slurm, of what there is.
pub(super) const LIST: &str = "MPI plugin types are...\n\tnone\n\tpmi2\n";

/// Names and what they are. `openmpi` has been another name of `none` since Open MPI needs nothing.
const PLUGINS: [(&str, Mpi); 3] = [("none", Mpi::None), ("openmpi", Mpi::None), ("pmi2", Mpi::Pmi2)];

/// Whether the plugins are asked for, and not a step.
pub(super) fn is_list(options: &Options) -> bool {
    options.get("mpi") == Some("list")
}

/// The plugin that was chosen.
///
/// # Errors
/// When there is none of that name, in Slurm's words. A PMIx server is a library, and none that the nodes have can be
/// loaded into this program: what to do instead is said.
pub(super) fn plugin(options: &Options) -> Result<Mpi, Refusal> {
    let Some(name) = options.get("mpi") else { return Ok(Mpi::None) };
    if let Some((_, mpi)) = PLUGINS.iter().find(|(known, _)| *known == name) {
        return Ok(*mpi);
    }
    let error = |text: String| Refusal::error(Command::Srun, 1, text);
    if name == "pmix" || name.starts_with("pmix_") {
        return Err(error(format!(
            "skyslurm: --mpi={name} is not supported; start an Open MPI program with mpirun in the job, and one of MPICH \
             or MVAPICH with srun --mpi=pmi2"
        )));
    }
    Err(error(format!("Couldn't find the specified plugin name for mpi/{name} looking at all files"))
        .and_error(Command::Srun, format!("cannot find mpi plugin for mpi/{name}"))
        .and_error(Command::Srun, format!("MPI: Cannot create context for mpi/{name}"))
        .and_error(Command::Srun, "MPI: Unable to load any plugin")
        .and_error(Command::Srun, format!("Invalid MPI type '{name}', --mpi=list for acceptable types")))
}

/// `--external-launcher`: the daemons of an mpirun see all that the job has on their nodes, and take none of it from
/// other steps. From Slurm 23.11 on, mpirun adds the option by itself.
pub(super) fn external(request: &mut StepRequest) {
    (request.overlap, request.overcommit, request.exact) = (true, true, false);
    (request.cpus_per_task, request.cpus_per_gpu) = (None, None);
    (request.memory_per_node, request.memory_per_cpu, request.memory_per_gpu) = (None, None, None);
    (request.gpus, request.gpu_binding) = (Gpus::All, Binding::None);
    request.mpi = Mpi::None;
}

/// Tasks learn of a plugin other than `none`.
pub(super) fn told(options: &Options, mut environment: Environment) -> Environment {
    if let Ok(Mpi::Pmi2) = plugin(options) {
        environment.set("SLURM_MPI_TYPE", "pmi2");
    }
    environment
}
