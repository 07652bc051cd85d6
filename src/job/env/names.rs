//! Values that several variables share.

use crate::{
    job::{Job, NodeShare, Placement, Request},
    slurm::{gres::Gres, hostlist},
};

/// The placement's nodes; empty before there is one.
pub(super) fn nodes(job: &Job) -> &[NodeShare] {
    job.placement.as_ref().map_or(&[], |p| &p.nodes)
}

/// `node[1-4]`
pub(super) fn node_list(job: &Job) -> String {
    hostlist::compress(job.placement.iter().flat_map(Placement::names))
}

/// GPUs as `--gpus` and its kin write them: `2`, `h100:2`, `a100:1,h100:1`.
pub(super) fn gpus(list: &[Gres]) -> Option<String> {
    let shown: Vec<String> = list
        .iter()
        .map(|g| match &g.type_ {
            Some(kind) => format!("{kind}:{}", g.count),
            None => g.count.to_string(),
        })
        .collect();
    (!shown.is_empty()).then(|| shown.join(","))
}

/// `SLURM_TRES_PER_TASK`, which 24.05 and later set for `--cpus-per-task` and `--gpus-per-task` too.
pub(super) fn tres_per_task(cpus: Option<u32>, gpus: &[Gres]) -> Option<String> {
    let mut parts: Vec<String> = cpus.iter().map(|n| format!("cpu={n}")).collect();
    parts.extend(gpus.iter().map(|g| match &g.type_ {
        Some(kind) => format!("gres/gpu:{kind}={}", g.count),
        None => format!("gres/gpu={}", g.count),
    }));
    (!parts.is_empty()).then(|| parts.join(","))
}

/// Whether the number of tasks was asked for, so that the script has `SLURM_NTASKS`.
pub(super) fn tasks_were_asked_for(request: &Request) -> bool {
    request.ntasks.is_some() || request.tasks_per.node.is_some() || request.tasks_per.gpu.is_some()
}
