//! What `--cpu-bind`, `--mem-bind` and `--gpu-bind` come to for the tasks of a node.

use super::{
    Binding, Launching,
    binding::{self, Bound, Cpus},
    prepare::{Affinity, Memory, Preparation},
};
use crate::{
    host::topology::{self, Topology},
    job::env::Environment,
    slurm::{
        bind::{Bind, GpuBind, GpuType, mask_text},
        idset::IdSet,
    },
};

/// The bindings of the tasks of a part.
pub(super) struct Bindings {
    node: String,
    /// CPUs of each task, and whether to tell.
    cpus: Option<(Vec<Bound>, bool)>,
    memory: Option<(Bind, Vec<u32>)>,
    gpus: Option<GpuBind>,
    variables: Vec<(&'static str, String)>,
}

impl Bindings {
    /// Those of the tasks of `launching` here.
    pub fn new(launching: &Launching) -> Self {
        let request = &launching.request;
        let mut variables = Vec::new();
        let tasks = launching.layout.get(launching.node).map_or(0, Vec::len);
        let cpus = request.setup.cpus.as_ref().map(|asked| {
            let cpus = Cpus { allowed: topology::allowed(), step: launching.cpu_ids.iter().collect() };
            let topology = Topology::of(&cpus.allowed);
            let per_task = request.cpus_per_task.unwrap_or(1).max(1) as usize;
            let (bound, told) = binding::bind(asked, tasks, per_task, &cpus, &topology);
            variables.extend(binding::cpu_variables(asked, &told));
            (bound, asked.verbose)
        });
        let memory = request.setup.memory.as_ref().map(|bind| {
            variables.extend(binding::memory_variables(bind));
            (bind.clone(), topology::domains())
        });
        let gpus = request.setup.gpus.clone().or_else(|| implied(request.gpu_binding));
        let node = launching.nodes.get(launching.node).cloned().unwrap_or_default();
        Self { node, cpus, memory, gpus, variables }
    }

    /// Tells a task of its bindings.
    pub fn tell(&self, environment: &mut Environment) {
        for (name, value) in &self.variables {
            environment.set(name, value);
        }
    }

    /// The GPUs that a task sees.
    pub fn gpus(&self, gpus: &IdSet, local: usize) -> IdSet {
        self.gpus.as_ref().map_or_else(|| gpus.clone(), |bind| bind.of_task(gpus, local, 0).0)
    }

    /// `SLURMD_TRES_BIND`
    pub fn gpu_binding(&self) -> Option<String> {
        self.gpus.as_ref().map(|bind| format!("gpu:{}", bind.text))
    }

    /// What task `id`, the `local`th here, has to do and to say before its program. The error is why it cannot start.
    pub fn prepare(&self, preparation: &mut Preparation, gpus: &IdSet, id: u32, local: usize) -> Result<(), String> {
        let node = &self.node;
        let line = |what: &str, name: &str, mask: &str| {
            format!("{what}-bind={name} - {node}, task {id:2} {local:2} [{{pid}}]: mask {mask}")
        };
        if let Some((bound, verbose)) = &self.cpus
            && let Some(bound) = bound.get(local)
        {
            let set = if bound.cpus.is_empty() { "" } else { " set" };
            let said = line("cpu", bound.name, &format!("{}{set}", mask_text(&bound.cpus)));
            let cpus = bound.cpus.iter().collect();
            preparation.affinity = Some(Affinity { cpus, said: verbose.then_some(said) });
        }
        if let Some((bind, domains)) = &self.memory {
            match binding::memory(bind, local, domains) {
                Ok(Some((nodes, name))) => {
                    let shown = if nodes.is_empty() { domains.iter().copied().collect() } else { nodes.clone() };
                    let said = line("mem", name, &format!("{} set", mask_text(&shown)));
                    let nodes = nodes.iter().collect();
                    preparation.memory =
                        Some(Memory { nodes, prefer: bind.prefer, said: bind.verbose.then_some(said) });
                }
                Ok(None) => {}
                Err((domain, option)) => {
                    return Err(format!(
                        "NUMA node {domain} does not exist; cannot bind local task {local} to it (--mem-bind={option})"
                    ));
                }
            }
        }
        if let Some(bind) = &self.gpus {
            let (seen, wrong) = bind.of_task(gpus, local, id);
            preparation.lines.extend(wrong.map(|text| format!("slurmstepd: error: {text}")));
            preparation.lines.extend(bind.verbose.then(|| bind.line(gpus, &seen)));
        }
        Ok(())
    }
}

/// The binding that `--gpus-per-task` and `--ntasks-per-gpu` bring along.
fn implied(binding: Binding) -> Option<GpuBind> {
    let (to, text) = match binding {
        Binding::None => return None,
        Binding::PerTask(n) => (GpuType::PerTask(n), format!("per_task:{n}")),
        Binding::Single(n) => (GpuType::Single(n.max(1)), format!("single:{n}")),
    };
    Some(GpuBind { verbose: false, to, text })
}
