//! What a partition says of its SkyPilot tasks, and what of it does not go together.

use super::PartitionConfig;
use std::path::Path;

impl PartitionConfig {
    /// Most GPUs on one of its nodes.
    pub fn most_gpus(&self) -> u32 {
        self.gpus_per_node.unwrap_or(8)
    }

    /// Whether its nodes see `path` under its own name (`shared`).
    pub fn sees(&self, path: &str) -> bool {
        self.shared.iter().any(|dir| Path::new(path).starts_with(dir))
    }

    /// Whether the work directory `dir` is copied to its nodes.
    pub fn copies(&self, dir: &str) -> bool {
        self.workdir.unwrap_or(true) && !self.sees(dir)
    }

    /// The keys that are set and say something of SkyPilot's tasks.
    fn of_tasks(&self) -> Vec<&'static str> {
        let set = [
            ("gpu_type", self.gpu_type.is_some()),
            ("gpus_per_node", self.gpus_per_node.is_some()),
            ("use_spot", self.use_spot),
            ("image", self.image.is_some()),
            ("setup", self.setup.is_some()),
            ("volumes", !self.volumes.is_empty()),
            ("file_mounts", !self.file_mounts.is_empty()),
            ("labels", !self.labels.is_empty()),
            ("shared", !self.shared.is_empty()),
            ("workdir", self.workdir.is_some()),
            ("resources", self.resources.is_some()),
            ("config", self.config.is_some()),
        ];
        set.into_iter().filter(|(_, set)| *set).map(|(key, _)| key).collect()
    }

    /// What does not go together in what it says of SkyPilot.
    pub(super) fn check_tasks(&self) -> Result<(), String> {
        let name = &self.name;
        let keys = self.of_tasks();
        if self.on_skypilot().is_none() {
            return match keys.first() {
                Some(key) => Err(format!("partition {name} is on this machine: {key} is for one with infra or pool")),
                None => Ok(()),
            };
        }
        if let Some(pool) = &self.pool {
            let of_workers = ["use_spot", "image", "setup", "volumes", "labels", "config"];
            if let Some(key) = keys.iter().find(|key| of_workers.contains(key)) {
                return Err(format!("partition {name}: {key} is for pool {pool} itself to say"));
            }
        }
        if let Some(empty) = self.infra.0.iter().find(|infra| infra.trim().is_empty()) {
            return Err(format!("partition {name}: \"{empty}\" is no infra"));
        }
        if self.gpus_per_node == Some(0) {
            return Err(format!("partition {name}: gpus_per_node must be at least 1"));
        }
        if let Some((path, source)) = self.file_mounts.iter().find(|(_, source)| !source.contains("://")) {
            return Err(format!(
                "partition {name}: file_mounts: {path} is to be {source}, which is no bucket or URL (s3://...)"
            ));
        }
        if let Some(relative) = self.shared.iter().find(|dir| !dir.starts_with('/')) {
            return Err(format!("partition {name}: shared: {relative} is no absolute path"));
        }
        if self.resources.as_ref().is_some_and(|table| table.contains_key("autostop")) {
            return Err(format!("partition {name}: resources: autostop waits for idleness; use max_time"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::read;

    #[test]
    fn what_tasks_have_is_for_partitions_on_skypilot() {
        let partition = |rest: &str| read(&format!("[[partition]]\nname = \"p\"\n{rest}\n"));
        for rest in ["gpu_type = \"H100\"", "use_spot = true", "workdir = false", "[partition.labels]\na = \"b\""] {
            let error = partition(rest).unwrap_err();
            assert!(error.contains("partition p is on this machine"), "{error}");
            assert!(partition(&format!("infra = \"kubernetes\"\n{rest}")).is_ok(), "{rest}");
        }
        for (rest, expected) in [
            ("pool = \"w\"\nimage = \"docker:a\"", "image is for pool w itself to say"),
            ("infra = \"\"", "\"\" is no infra"),
            ("infra = \"aws\"\ngpus_per_node = 0", "gpus_per_node must be at least 1"),
            ("infra = \"aws\"\nfile_mounts = { \"/data\" = \"/home/data\" }", "is no bucket or URL"),
            ("infra = \"aws\"\nshared = [\"home\"]", "home is no absolute path"),
            ("infra = \"aws\"\nresources = { autostop = 5 }", "use max_time"),
            ("infra = \"aws\"\n[skypilot.qos.high]\npriority = 2000", "priority 2000 is not within"),
        ] {
            let error = partition(rest).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_nodes_see_is_not_copied() {
        let partition = |workdir| PartitionConfig { shared: vec!["/home".into()], workdir, ..Default::default() };
        assert!(partition(None).sees("/home/ann") && !partition(None).sees("/homes"));
        assert!(!partition(None).copies("/home/ann") && partition(None).copies("/scratch"));
        assert!(!partition(Some(false)).copies("/scratch"));
    }
}
