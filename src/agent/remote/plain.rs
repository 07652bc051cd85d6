//! `skyslurm agent run [OPTIONS OF SBATCH] SCRIPT [ARGUMENTS]`: a job that nobody submitted, from a task that a person
//! keeps and launches (`skyslurm translate`). What a controller would have sealed into a [`Payload`] is read here, by every
//! node for itself.
//!
//! Options that speak of the queue, of choosing nodes or of the image mean nothing any more, and are passed over.

use super::{Delivery, Payload, surroundings::Surroundings};
use crate::{
    agent::{clock, submitter::submitter},
    job::{ArrayRef, Job, Needs, Request, Shape, batch, resolve},
    slurm::{
        array::ArraySpec,
        count::NodeCount,
        idset::IdSet,
        options::{Command, Refusal, read_batch},
    },
};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, env, ffi::OsString, sync::Arc};

/// The map of modules, as JSON: name and shell commands.
pub const MODULES: &str = "SKYSLURM_MODULES";

/// Something that only the job's nodes know, where the person who launches it gives one (`sky jobs launch --secret`).
const SECRET: &str = "SKYSLURM_SECRET";

/// `KillWait` of slurm.conf(5), its default.
const KILL_WAIT: u32 = 30;

/// `SLURM_CLUSTER_NAME`, and the partition of a job that names none.
const NAME: &str = "skypilot";

/// The payload that `args` make on a node like this, the same on all nodes of the job.
///
/// # Errors
/// sbatch's refusal of the words or the script; an array that has no element for this rank; tasks or GPUs that so many nodes
/// cannot have.
pub(super) fn payload(args: &[OsString], around: &Surroundings) -> Result<Payload, Refusal> {
    let refusal = |text: String| Refusal::error(Command::Sbatch, 1, text);
    let (parsed, script) = read_batch(args, &|name| env::var(name).ok(), &mut batch::read_script)?;
    if parsed.asks_for_help() {
        let usage = "usage: skyslurm agent run [OPTIONS OF SBATCH] SCRIPT [ARGUMENTS]";
        return Err(Refusal { lines: vec![usage.into()], exit: 1 });
    }
    if !parsed.others.is_empty() {
        return Err(refusal("a heterogeneous job is more than one task: run each component by itself".into()));
    }
    let line: Vec<OsString> = std::iter::once("sbatch".into()).chain(args.iter().cloned()).collect();
    let (request, script) = batch::request(&parsed, script, submitter(&line))?;
    let array = resolve::array(&parsed.options).map_err(|errno| refusal(errno.to_string()))?;
    let array = array.map(|spec| element(spec, around)).transpose().map_err(refusal)?;
    let modules = match env::var(MODULES) {
        Ok(text) => serde_json::from_str::<BTreeMap<String, String>>(&text)
            .map_err(|error| refusal(format!("{MODULES} is no map of strings in JSON: {error}")))?,
        Err(_) => BTreeMap::new(),
    };
    Ok(Payload {
        shapes: vec![shape(&request, around.addresses.len()).map_err(refusal)?],
        others: Vec::new(),
        job: job(request, around.job.max(1), array),
        elements: Vec::new(),
        script,
        environment: Vec::new(),
        cluster: NAME.into(),
        secret: Sha256::digest(env::var(SECRET).unwrap_or_default()).into(),
        kill_wait: KILL_WAIT,
        over_time_limit: 0,
        modules: modules.into_iter().collect(),
        delivery: Delivery::Plain,
    })
}

/// The element of `--array` that this rank is: ranks take the indices in order, the first one's job is the array's.
fn element(spec: ArraySpec, around: &Surroundings) -> Result<ArrayRef, String> {
    let task_id = spec.ids.iter().nth(around.rank as usize);
    if task_id.is_none() {
        let (count, rank) = (spec.count(), around.rank);
        return Err(format!(
            "the array has {count} elements, and none for rank {rank}: launch it with --num-jobs {count}"
        ));
    }
    Ok(ArrayRef {
        job_id: around.job.saturating_sub(around.rank).max(1),
        throttle: spec.throttle,
        spec: Arc::new(spec),
        task_id,
        pending: IdSet::new(),
    })
}

/// The shape of the nodes that there are, however they came to be so many.
fn shape(request: &Request, nodes: usize) -> Result<Shape, String> {
    let nodes = u32::try_from(nodes).unwrap_or(u32::MAX);
    let made = Request {
        nodes: Some(NodeCount { min: nodes, max: Some(nodes) }),
        nodelist: Vec::new(),
        exclude: Vec::new(),
        constraint: None,
        gres: request.gres.iter().filter(|gres| gres.name == "gpu").cloned().collect(),
        ..request.clone()
    };
    Shape::of(&Needs::of(&made, None), u32::MAX)
}

/// The record of a job that starts now.
fn job(request: Request, id: u32, array: Option<ArrayRef>) -> Job {
    let now = clock::now();
    Job {
        array,
        partition: request.partitions.first().cloned().unwrap_or_else(|| NAME.into()),
        eligible_time: Some(now),
        ..Job::new(id, Arc::new(request), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_take_the_indices_in_order() {
        let of = |job, rank| {
            let spec = ArraySpec::parse("7,3-5%2", 1000).unwrap();
            element(spec, &Surroundings { job, rank, ..Surroundings::default() })
        };
        let found: Vec<_> = (0..4).map(|rank| of(40 + rank, rank).unwrap()).collect();
        assert!(found.iter().all(|e| e.job_id == 40 && e.throttle == Some(2)));
        assert_eq!(found.iter().filter_map(|e| e.task_id).collect::<Vec<_>>(), [3, 4, 5, 7]);
        assert_eq!(of(0, 0).unwrap().job_id, 1);
        assert!(of(44, 4).unwrap_err().contains("--num-jobs 4"));
    }

    #[test]
    fn the_shape_is_that_of_the_nodes_there_are() {
        let request = Request {
            nodes: Some(NodeCount { min: 4, max: None }),
            ntasks: Some(6),
            nodelist: vec!["a".into()],
            constraint: Some("rack1".into()),
            ..Request::default()
        };
        assert_eq!(shape(&request, 2).unwrap().tasks, [3, 3]);
        assert_eq!(shape(&Request::default(), 3).unwrap().tasks, [1, 1, 1]);
    }
}
