//! What a job has of its nodes (`JOB_RES` of Slurm's parsers).

use super::value::*;
use crate::{
    job::{Exclusive, Job, NodeShare},
    report::job_values as values,
    slurm::hostlist,
};

/// A line a node: `gpu:h100:2(IDX:0-1)`.
pub(super) fn gres_detail<'a>(job: &Job) -> Value<'a> {
    let nodes = values::allocation(job).map_or(&[][..], |placement| &placement.nodes);
    let used = nodes.iter().filter(|node| !node.gres.is_empty());
    words(used.map(|node| node.gres.iter().map(values::gres_share).collect::<Vec<_>>().join(",")))
}

/// The nodes, and on each the CPUs and the memory; none for a job that waits.
pub(super) fn resources<'a>(job: &'a Job) -> Value<'a> {
    let Some(placement) = values::allocation(job) else { return Value::Null };
    let whole = matches!(job.request.exclusive, Exclusive::Node | Exclusive::User | Exclusive::Other);
    let nodes = vec![
        ("count", int(placement.nodes.len())),
        ("select_type", words(["ONE_ROW"])),
        ("list", text(hostlist::compress_sorted(placement.names()))),
        ("whole", Value::Bool(whole)),
        ("allocation", Value::List(placement.nodes.iter().enumerate().map(node).collect())),
    ];
    Value::Map(vec![
        ("select_type", words(["CPU"])),
        ("nodes", Value::Map(nodes)),
        ("cpus", int(placement.cpus())),
        ("threads_per_core", number_or_unset(job.request.threads_per_core)),
    ])
}

/// A node is one socket here, and each of its CPUs a core.
fn node((index, share): (usize, &NodeShare)) -> Value<'_> {
    let core = |cpu: u32| Value::Map(vec![("index", int(cpu)), ("status", words(["ALLOCATED"]))]);
    let socket = Value::Map(vec![("index", int(0)), ("cores", Value::List(share.cpus.iter().map(core).collect()))]);
    Value::Map(vec![
        ("index", int(index)),
        ("name", text(&share.node)),
        ("cpus", Value::Map(vec![("count", int(share.cpus.len())), ("used", int(0))])),
        ("memory", Value::Map(vec![("used", int(0)), ("allocated", int(share.memory))])),
        ("sockets", Value::List(vec![socket])),
    ])
}
