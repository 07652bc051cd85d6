//! Heterogeneous jobs: which components can be one job on SkyPilot, as a job group or, of an allocation, each on a cluster.

use super::{shared::Shared, submit::NO_GROUPS, vehicle::Means};
use crate::{config::PartitionConfig, job::Job};
use std::collections::BTreeSet;

/// Whether these components can be one job.
///
/// # Errors
/// Why not, in words.
pub fn accepts(shared: &Shared, jobs: &[Job]) -> Result<(), String> {
    if jobs.iter().all(|job| Means::of(job) == Means::Managed) && !shared.client.may_take_groups() {
        return Err(NO_GROUPS.into());
    }
    let partitions = jobs.iter().filter_map(|job| job.partition.split(',').find_map(|name| shared.partition(name)));
    let partitions: Vec<PartitionConfig> = partitions.collect();
    if let Some(pool) = partitions.iter().find_map(|partition| partition.pool.as_ref()) {
        return Err(format!("the workers of pool {pool} take one job each, and no group of tasks"));
    }
    let [first, others @ ..] = partitions.as_slice() else { return Ok(()) };
    match others.iter().find(|other| networks(other) != networks(first)) {
        Some(other) => Err(format!(
            "the nodes of partitions {} and {} do not reach each other: they are on {} and {}",
            first.name,
            other.name,
            first.infra.0.join(", "),
            other.infra.0.join(", ")
        )),
        None => Ok(()),
    }
}

/// Where nodes of a partition may be that reach each other: the cloud with its region, without the zone or the partition of
/// a Slurm below.
fn networks(partition: &PartitionConfig) -> BTreeSet<&str> {
    partition.infra.0.iter().map(|infra| network(infra)).collect()
}

fn network(infra: &str) -> &str {
    let end = match infra.split('/').next() {
        // A context's name may have slashes.
        Some("kubernetes" | "k8s") => None,
        _ => infra.match_indices('/').nth(1),
    };
    end.and_then(|(at, _)| infra.get(..at)).unwrap_or(infra)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_of_a_region_are_one_network() {
        let of = |infra: &str| toml::from_str::<PartitionConfig>(&format!("name = \"p\"\ninfra = {infra}")).unwrap();
        let same = |a: &str, b: &str| networks(&of(a)) == networks(&of(b));
        assert!(
            same("\"slurm/lab/main\"", "\"slurm/lab/gpu\"")
                && same("\"aws/us-east-1/us-east-1a\"", "\"aws/us-east-1\"")
        );
        assert!(same("[\"gcp\", \"aws\"]", "[\"aws\", \"gcp\"]") && !same("\"gcp\"", "[\"gcp\", \"aws\"]"));
        assert!(
            !same("\"kubernetes/a/b/c\"", "\"kubernetes/a/b/d\"") && !same("\"aws/us-east-1\"", "\"aws/us-west-1\"")
        );
    }
}
