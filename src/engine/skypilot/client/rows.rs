//! What answers are made of.

use super::text::plain;
use serde::{Deserialize, Deserializer};

/// `GET /api/health`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// `healthy`, `needs_auth`, ...
    pub status: String,
    /// The server's API version.
    pub api_version: u32,
    /// The server's version.
    pub version: String,
    /// Who we are to the server, if it says so.
    pub user: Option<String>,
}

/// One row of `/jobs/queue/v2`, and what follows from its text.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct QueueRow {
    /// SkyPilot's number of the job.
    #[serde(deserialize_with = "or_default")]
    pub job_id: u32,
    /// Which task of it: a job of a group has several.
    #[serde(deserialize_with = "or_default")]
    pub task_id: u32,
    /// Its name.
    #[serde(deserialize_with = "or_default")]
    pub job_name: String,
    /// PENDING, STARTING, RUNNING, RECOVERING, CANCELLING, SUCCEEDED, FAILED, ...
    #[serde(deserialize_with = "or_default")]
    pub status: String,
    /// What it is doing, in words.
    #[serde(deserialize_with = "words")]
    pub details: Option<String>,
    /// Why it failed, in words.
    #[serde(deserialize_with = "words")]
    pub failure_reason: Option<String>,
    /// Its cluster's name as the infra knows it, once there is one.
    pub cluster_name_on_cloud: Option<String>,
}

impl QueueRow {
    /// The columns that are asked for. Without `task_id` the rows of one job could not be told apart.
    pub(super) const FIELDS: [&str; 7] =
        ["job_id", "task_id", "job_name", "status", "details", "failure_reason", "cluster_name_on_cloud"];
}

/// One of `/jobs/events`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct JobEvent {
    /// The status it came to.
    #[serde(deserialize_with = "or_default")]
    pub new_status: String,
    /// Why, in words.
    #[serde(deserialize_with = "words")]
    pub reason: Option<String>,
    /// When, `2026-11-20T16:16:08.379236`, UTC.
    #[serde(deserialize_with = "or_default")]
    pub timestamp: String,
}

/// One of `/status`: a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ClusterRow {
    /// Its name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// INIT, UP, STOPPED, AUTOSTOPPING, PENDING
    #[serde(deserialize_with = "or_default")]
    pub status: String,
    /// What it is doing while it is INIT, in words.
    #[serde(deserialize_with = "words")]
    pub init_status_reason: Option<String>,
}

/// One of `/api/status`: a request that makes a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LaunchRow {
    /// Its id.
    #[serde(deserialize_with = "or_default")]
    pub request_id: String,
    /// `sky.launch`
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// PENDING, WAITING, RUNNING, SUCCEEDED, FAILED, CANCELLED
    #[serde(deserialize_with = "or_default")]
    pub status: String,
    /// What it waits for, in words.
    #[serde(deserialize_with = "words")]
    pub status_msg: Option<String>,
    /// The cluster's name.
    #[serde(deserialize_with = "or_default")]
    pub cluster_name: String,
}

impl LaunchRow {
    /// Whether nothing more will come of it.
    pub fn is_over(&self) -> bool {
        matches!(self.status.as_str(), "SUCCEEDED" | "FAILED" | "CANCELLED")
    }
}

/// One way to run a task, as `/optimize` chose it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// `AWS (us-east-1)`, `Kubernetes (research)`
    pub infra: String,
    /// Instance type, or what stands for it; `-` where there are no types.
    pub instance: String,
    /// Dollars an hour for all nodes, where the price is known.
    pub price_an_hour: Option<f64>,
}

/// A node of an infra that has nodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InfraNode {
    /// Its name.
    pub name: String,
    /// Slurm partitions it is in, separated by commas, for a Slurm infra.
    pub partition: Option<String>,
    /// CPUs it has; 0: not told.
    pub cpus: u32,
    /// CPUs that are free, where that is told.
    pub cpus_free: Option<u32>,
    /// Memory it has, MiB; 0: not told.
    pub memory: u64,
    /// Type of its GPUs.
    pub gpu_type: Option<String>,
    /// GPUs it has.
    pub gpus: u32,
    /// GPUs that are free.
    pub gpus_free: u32,
    /// Whether it takes work.
    pub ready: bool,
}

/// A column is null where the server does not know.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Words without colours; none for none.
fn words<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text: Option<String> = Option::deserialize(from)?;
    Ok(text.map(|text| plain(&text)).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nulls_and_nevers() {
        let empty: QueueRow = serde_json::from_value(json!({})).unwrap();
        assert_eq!(empty, QueueRow::default());
        let nulls: serde_json::Map<String, _> =
            QueueRow::FIELDS.iter().map(|f| ((*f).to_owned(), json!(null))).collect();
        assert_eq!(serde_json::from_value::<QueueRow>(nulls.into()).unwrap(), QueueRow::default());
        let row: QueueRow = serde_json::from_value(json!({
            "job_id": 5, "task_id": 0, "job_name": "x", "status": "FAILED", "details": "", "unknown": {},
            "failure_reason": "run: \u{1b}[1msky check\u{1b}[0m",
        }))
        .unwrap();
        assert_eq!(row.details, None);
        assert_eq!(row.failure_reason.as_deref(), Some("run: sky check"));
        assert!(serde_json::from_value::<QueueRow>(json!({"job_id": "x"})).is_err());
        let event: JobEvent =
            serde_json::from_value(json!({"new_status": null, "reason": null, "code": null})).unwrap();
        assert_eq!(event, JobEvent::default());
    }
}
