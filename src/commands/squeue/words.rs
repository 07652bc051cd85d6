//! What squeue's options name: jobs, steps, users, states, nodes.

use super::{Users, error};
use crate::{
    controller::api::Cluster,
    report::job_rows::States,
    slurm::{array::JobIdSpec, options::Refusal, state::JobState},
};

/// The states squeue lists when one is wrong (squeue.txt).
pub(super) const VALID_STATES: &str = "PENDING,RUNNING,SUSPENDED,COMPLETED,CANCELLED,FAILED,TIMEOUT,NODE_FAIL,PREEMPTED,BOOT_FAIL,DEADLINE,OUT_OF_MEMORY,COMPLETING,CONFIGURING,RESIZING,RESV_DEL_HOLD,REQUEUED,REQUEUE_FED,REQUEUE_HOLD,REVOKED,SIGNALING,SPECIAL_EXIT,STAGE_OUT,STOPPED";

/// States that Slurm knows and no job here is ever in.
const OTHER_STATES: &[&str] =
    &["REQUEUE_FED", "RF", "POWER_UP_NODE", "PO", "EXPEDITING", "EG", "LAUNCH_FAILED", "RECONFIG_FAIL", "UPDATE_DB"];

/// `--jobs`: ids, elements; steps are taken for their jobs. Blanks before an id do not matter, nor what stands behind one.
pub(super) fn job_ids(text: &str) -> Result<Vec<JobIdSpec>, Refusal> {
    let words = JobIdSpec::parts(text).filter_map(|word| word.trim_start().split('.').next());
    let ids: Result<Vec<_>, _> = words.filter(|word| !word.is_empty()).map(JobIdSpec::read).collect();
    let ids = ids.map_err(|bad| error(format!("Invalid job id: {}", bad.0)))?;
    // Which component is named is not looked at (`het.txt`).
    Ok(ids.into_iter().map(|id| JobIdSpec { het: None, ..id }).collect())
}

/// `--steps=LIST`: a step must be named (squeue.txt).
pub(super) fn step_ids(text: &str) -> Result<Vec<JobIdSpec>, Refusal> {
    let bad = |word: &str| {
        let shown = if word.contains('.') { word.to_owned() } else { format!("{word}.??") };
        error(format!("Invalid job_step id: {shown}"))
    };
    let words = text.split(',').filter(|word| !word.is_empty());
    words
        .map(|word| match word.parse::<JobIdSpec>() {
            Ok(id) if id.step.is_some() => Ok(id),
            _ => Err(bad(word)),
        })
        .collect()
}

/// `--users`: names and ids; one that nobody has is told and passed over.
pub(super) fn uids(text: &str, users: &Users, complaints: &mut Vec<String>) -> Vec<u32> {
    let mut uids = Vec::new();
    for word in text.split(',').filter(|word| !word.is_empty()) {
        let known = (users.by_name)(word).or_else(|| word.parse().ok().filter(|uid| (users.by_uid)(*uid)));
        match known {
            Some(uid) => uids.push(uid),
            None => complaints.extend([format!("squeue: error: Invalid user: {word}"), String::new()]),
        }
    }
    uids
}

/// `--states`
pub(super) fn states(text: &str) -> Result<States, Refusal> {
    if text.eq_ignore_ascii_case("all") {
        return Ok(States::All);
    }
    let mut states = Vec::new();
    for word in text.split(',').filter(|word| !word.is_empty()) {
        match JobState::parse(word) {
            Some(state) => states.push(state),
            None if OTHER_STATES.iter().any(|other| other.eq_ignore_ascii_case(word)) => {}
            None => {
                let mut refusal = error(format!("Invalid job state specified: {word}"));
                refusal.lines.push(format!("squeue: error: Valid job states include: {VALID_STATES}"));
                refusal.lines.push(String::new());
                return Err(refusal);
            }
        }
    }
    Ok(States::These(states))
}

/// `--nodelist`: node names or host names, which must exist.
pub(super) fn node_names(text: &str, cluster: &Cluster) -> Result<Vec<String>, Refusal> {
    let names = crate::slurm::hostlist::expand(text).map_err(|_| error(format!("Invalid node name {text}")))?;
    names
        .into_iter()
        .map(|name| {
            let found =
                cluster.nodes.iter().find(|n| n.name == name).or_else(|| cluster.nodes.iter().find(|n| n.host == name));
            found.map(|node| node.name.clone()).ok_or_else(|| error(format!("Invalid node name {name}")))
        })
        .collect()
}
