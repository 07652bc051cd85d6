//! Heterogeneous jobs: which components can be one job on SkyPilot, as a job group or, of an allocation, each on a cluster.

use super::{shared::Shared, submit::NO_GROUPS, vehicle::Means};
use crate::{config::PartitionConfig, job::Job};
use std::collections::BTreeSet;

/// Whether these components can be one job.
///
/// # Errors
/// Why not, in words.
pub fn accepts(shared: &Shared, jobs: &[Job]) -> Result<(), String> {
    let is_group = jobs.iter().all(|job| Means::of(job) == Means::Managed);
    if is_group && !shared.client.may_take_groups() {
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
        // The tasks of a group the server places together; clusters each for itself.
        None if is_group || is_one_place(first, |infra| shared.inventory.has_one_of(infra)) => Ok(()),
        None => Err(format!(
            "the components of an allocation may come to be in places that do not reach each other: partition {} is on {}; \
             name one region or context for it",
            first.name,
            first.infra.0.join(", ")
        )),
    }
}

/// Whether all clusters of a partition are in one of [`networks`]. `is_only`: of an infra that names none there is one.
fn is_one_place(partition: &PartitionConfig, is_only: impl Fn(&str) -> bool) -> bool {
    let names_one =
        |infra: &str| infra.split_once('/').is_some_and(|(_, rest)| !rest.is_empty() && !rest.starts_with('*'));
    let networks: Vec<&str> = networks(partition).into_iter().collect();
    matches!(networks.as_slice(), [infra] if names_one(infra) || is_only(infra))
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

    fn on(infra: &str) -> PartitionConfig {
        toml::from_str(&format!("name = \"p\"\ninfra = {infra}")).unwrap()
    }

    #[test]
    fn zones_of_a_region_are_one_network() {
        let same = |a: &str, b: &str| networks(&on(a)) == networks(&on(b));
        assert!(
            same("\"slurm/lab/main\"", "\"slurm/lab/gpu\"")
                && same("\"aws/us-east-1/us-east-1a\"", "\"aws/us-east-1\"")
        );
        assert!(same("[\"gcp\", \"aws\"]", "[\"aws\", \"gcp\"]") && !same("\"gcp\"", "[\"gcp\", \"aws\"]"));
        assert!(
            !same("\"kubernetes/a/b/c\"", "\"kubernetes/a/b/d\"") && !same("\"aws/us-east-1\"", "\"aws/us-west-1\"")
        );
    }

    #[test]
    fn clusters_meet_where_there_is_one_place_for_them() {
        let one = |infra: &str| is_one_place(&on(infra), |infra| infra == "kubernetes");
        assert!(
            one("\"slurm/lab/main\"")
                && one("[\"aws/us-east-1/us-east-1a\", \"aws/us-east-1\"]")
                && one("\"kubernetes\"")
        );
        assert!(!one("\"aws\"") && !one("\"slurm/*/main\"") && !one("[\"aws/us-east-1\", \"aws/us-west-1\"]"));
    }
}
