//! A job as a SkyPilot task: the YAML that `POST /jobs/launch` takes, and that `skyslurm translate` shows. Pure.

mod carrier;
mod idle;
mod image;
mod name;
mod resources;
mod yaml;

pub use carrier::{Carrier, Script};
pub use name::valid_name;

use crate::{
    config::{PartitionConfig, SkypilotConfig},
    job::{Needs, Request, Shape},
};
use serde::Serialize;
use serde_yaml::{Mapping, Value};
use std::collections::BTreeMap;

/// A task, in the order in which a person would write it. What is `None` or empty is not written.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Task {
    /// `name`
    pub name: String,
    /// `num_nodes`; `None`: one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_nodes: Option<usize>,
    /// `workdir`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// `resources`
    #[serde(skip_serializing_if = "Mapping::is_empty")]
    pub resources: Mapping,
    /// `volumes`: mount path and volume.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, String>,
    /// `file_mounts`: path on the node and source.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub file_mounts: BTreeMap<String, String>,
    /// `envs`
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub envs: BTreeMap<String, String>,
    /// `secrets`
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// `setup`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setup: Option<String>,
    /// `run`
    pub run: String,
    /// `config`
    #[serde(skip_serializing_if = "Mapping::is_empty")]
    pub config: Mapping,
    /// Where in the blob the local paths are.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub file_mounts_mapping: BTreeMap<String, String>,
}

/// What a task is made of besides the request.
pub struct Facts<'a> {
    /// The partition it goes to.
    pub partition: &'a PartitionConfig,
    /// `[skypilot]`
    pub settings: &'a SkypilotConfig,
    /// Its nodes.
    pub shape: &'a Shape,
    /// GPU types that can be had there, for a request that names none where the partition has no type either; from the
    /// server. Type and counts a node.
    pub offered: &'a [(String, Vec<u32>)],
}

impl Task {
    /// The task for `request`.
    ///
    /// # Errors
    /// What of it cannot be had on this partition, in words.
    pub fn of(request: &Request, facts: &Facts, carrier: &Carrier) -> Result<Self, String> {
        let partition = facts.partition;
        let mut task = Self {
            name: valid_name(&request.name),
            num_nodes: Some(facts.shape.nodes()).filter(|nodes| *nodes > 1),
            resources: resources::resources(request, facts, matches!(carrier, Carrier::Plain { .. }))?,
            volumes: partition.volumes.clone(),
            file_mounts: partition.file_mounts.clone(),
            setup: partition.setup.clone(),
            config: partition.config.as_ref().map(table).unwrap_or_default(),
            ..Self::default()
        };
        carrier.load(&mut task, request, facts.settings);
        Ok(task)
    }

    /// The YAML, with the header document that the API wants.
    pub fn submission(&self) -> String {
        let header = Mapping::from_iter([(Value::from("name"), Value::from(self.name.as_str()))]);
        format!("{}---\n{}", yaml::document(&header), self.yaml())
    }

    /// The YAML of tasks that start together and end each for itself, under one name: a job group.
    pub fn group(name: &str, tasks: &[Self]) -> String {
        let header = [
            ("name", Value::from(name)),
            ("execution", Value::from("parallel")),
            // The agents find each other by themselves; SkyPilot could help on Kubernetes only, and refuses elsewhere.
            ("inter_connection", Value::from(false)),
        ];
        let header = header.into_iter().map(|(key, value)| (Value::from(key), value)).collect();
        let tasks = tasks.iter().map(|task| format!("---\n{}", task.yaml()));
        tasks.fold(yaml::document(&header), |text, task| text + &task)
    }

    /// The YAML as a person would write it.
    pub fn yaml(&self) -> String {
        // Strings, numbers and maps of them: there is nothing that could fail to become a tree.
        match serde_yaml::to_value(self) {
            Ok(Value::Mapping(tree)) => yaml::document(&tree),
            _ => String::new(),
        }
    }
}

/// Why no task can be made of `request` in `partition`, whatever its server has: for the moment of submission. `needs` are
/// the request's.
///
/// Options that leave no trace in a request are refused before that ([`crate::slurm::options::Place::refuse`]).
pub fn refused(
    request: &Request,
    needs: &Needs,
    partition: &PartitionConfig,
    settings: &SkypilotConfig,
) -> Option<String> {
    let shape = match Shape::of(needs, partition.most_gpus()) {
        Ok(shape) => shape,
        Err(why) => return Some(why),
    };
    let facts = Facts { partition, settings, shape: &shape, offered: &[] };
    resources::resources(request, &facts, true).err()
}

/// A table of the configuration as YAML has it.
fn table(table: &toml::Table) -> Mapping {
    table.iter().map(|(key, value)| (Value::from(key.as_str()), value_of(value))).collect()
}

fn value_of(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Integer(number) => Value::from(*number),
        toml::Value::Float(number) => Value::from(*number),
        toml::Value::Boolean(value) => Value::from(*value),
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(items) => Value::from(items.iter().map(value_of).collect::<Vec<_>>()),
        toml::Value::Table(inner) => Value::from(table(inner)),
    }
}

#[cfg(test)]
mod tests;
