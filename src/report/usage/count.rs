//! What jobs had within a window of time, and what there was to be had.

use super::Resource;
use crate::{
    job::{Cluster, Job, Node},
    report::job_values::{self, Context},
    slurm::{
        gres::{Gres, GresList, Tres},
        memory::Mebibytes,
        state::JobState,
    },
};
use std::collections::BTreeMap;

/// A window of time, epoch seconds; its end is not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From here.
    pub start: i64,
    /// Up to here.
    pub end: i64,
}

impl Window {
    /// How long it is.
    pub fn seconds(self) -> u64 {
        u64::try_from(self.end - self.start).unwrap_or(0)
    }

    /// Seconds of it that lie between two points in time.
    pub fn of(self, from: i64, to: i64) -> u64 {
        u64::try_from(to.min(self.end) - from.max(self.start)).unwrap_or(0)
    }
}

/// What was had of one resource, resource seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// By all jobs.
    pub allocated: u64,
    /// By the jobs of an account and a user.
    pub by_user: BTreeMap<(String, String), u64>,
    /// By what waited for it, as far as it could have been had.
    pub planned: u64,
    /// By what waited for it beyond that.
    pub overcommitted: u64,
    /// What there was.
    pub reported: u64,
    /// How much of it the cluster has.
    pub count: u64,
}

impl Usage {
    /// Counts. Before the first of all jobs there was no cluster.
    pub fn count(jobs: &[Job], cluster: &Cluster, context: &Context, window: Window, resource: Resource) -> Self {
        let mut usage =
            Usage { count: cluster.nodes.iter().map(|node| (resource.of)(&of_node(node))).sum(), ..Self::default() };
        let mut waited: u64 = 0;
        for job in jobs {
            let now = context.clock.now();
            if let Some(seconds) = ran(job, window, now) {
                let had = (resource.of)(&job_values::tres(job, context)).saturating_mul(seconds);
                usage.allocated = usage.allocated.saturating_add(had);
                let key = (job.request.account.clone().unwrap_or_default(), job.request.user.name.clone());
                let sum = usage.by_user.entry(key).or_default();
                *sum = sum.saturating_add(had);
            }
            if let Some(from) = job.eligible_time.filter(|_| resource.name == "cpu") {
                let began = job.start_time.filter(|_| job.state != JobState::Pending).or(job.end_time).unwrap_or(now);
                let cpus = u64::from(job_values::cpus(job)).saturating_mul(u64::from(job.count()));
                waited = waited.saturating_add(window.of(from, began).saturating_mul(cpus));
            }
        }
        let since = jobs.iter().map(|job| job.submit_time).min().unwrap_or(i64::MAX);
        let there = usage.count.saturating_mul(window.of(since, window.end));
        usage.reported = there.max(usage.allocated);
        usage.planned = waited.min(usage.reported - usage.allocated);
        usage.overcommitted = waited - usage.planned;
        usage
    }
}

/// Seconds of the window in which a job ran; `None` if it did not.
pub(super) fn ran(job: &Job, window: Window, now: i64) -> Option<u64> {
    let start = job.start_time.filter(|_| job.state != JobState::Pending && job.placement.is_some())?;
    let seconds = window.of(start, job.end_time.unwrap_or(now));
    let suspended = u64::try_from(job.suspended(now)).unwrap_or(0);
    Some(seconds.saturating_sub(suspended)).filter(|seconds| *seconds > 0)
}

fn of_node(node: &Node) -> Tres {
    let gpus = Gres { name: "gpu".to_owned(), type_: None, count: crate::job::gpus_in(&node.gres) };
    let cpu = u64::from(node.cpus);
    Tres { cpu, mem: Mebibytes(node.memory), node: 1, billing: cpu, gres: GresList(vec![gpus]) }
}
