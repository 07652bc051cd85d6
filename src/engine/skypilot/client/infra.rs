//! Where work can go: the infra that is enabled, its nodes and GPUs.

use super::{
    Client, Error, InfraNode,
    http::{Again, Ask, Body, Within},
    request::understood,
    rows::or_default,
};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The kinds of infra that are asked in different ways, with the name behind the first `/`.
#[derive(Debug, PartialEq)]
enum Kind {
    /// Cluster and partition.
    Slurm(Option<String>, Option<String>),
    /// Context; whether it is a pool of SSH nodes, which is a Kubernetes underneath.
    Kubernetes { context: Option<String>, ssh: bool },
    /// Cloud and region.
    Cloud(String, Option<String>),
}

impl Kind {
    fn of(infra: &str) -> Self {
        let name = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty() && t != "*");
        let (kind, rest) = infra.split_once('/').unwrap_or((infra, ""));
        match kind.to_ascii_lowercase().as_str() {
            "slurm" => {
                let (cluster, partition) = rest.split_once('/').unwrap_or((rest, ""));
                Self::Slurm(name(cluster), name(partition))
            }
            // A context may have slashes in it.
            "kubernetes" | "k8s" => Self::Kubernetes { context: name(rest), ssh: false },
            "ssh" => Self::Kubernetes { context: name(rest).map(|pool| format!("ssh-{pool}")), ssh: true },
            cloud => Self::Cloud(cloud.to_owned(), rest.split('/').next().and_then(name)),
        }
    }
}

/// `GET /enabled_clouds`
pub(super) async fn enabled(client: &Client) -> Result<Vec<String>, Error> {
    let (path, query, again) = ("/enabled_clouds", [("expand", "True")], Again::Harmless);
    let ask = Ask { method: Method::GET, path, query: &query, body: Body::None, within: Within::All, again };
    let (_, value) = client.request(&ask).await?;
    let mut infras: Vec<String> = understood(path, value)?;
    for infra in &mut infras {
        // `AWS`, `Slurm/lab`: the kind is written in small letters in a task, the name as it is.
        let end = infra.find('/').unwrap_or(infra.len());
        if let Some(kind) = infra.get_mut(..end) {
            kind.make_ascii_lowercase();
        }
    }
    Ok(infras)
}

/// `POST /slurm_node_info`, `POST /kubernetes_node_info`
pub(super) async fn nodes(client: &Client, infra: &str) -> Result<Vec<InfraNode>, Error> {
    match Kind::of(infra) {
        Kind::Slurm(cluster, partition) => {
            let body = json!({"slurm_cluster_name": cluster});
            let rows: Vec<SlurmNode> = client.call("/slurm_node_info", body, Again::Harmless).await?;
            let nodes = rows.into_iter().map(InfraNode::from);
            Ok(nodes.filter(|node| partition.as_deref().is_none_or(|p| is_in(node, p))).collect())
        }
        Kind::Kubernetes { context, .. } => {
            let path = "/kubernetes_node_info";
            let answer: Value = client.call(path, json!({"context": context}), Again::Harmless).await?;
            let rows = answer.get("node_info_dict").cloned().unwrap_or_default();
            let rows: BTreeMap<String, KubernetesNode> = understood(path, rows)?;
            Ok(rows.into_iter().map(|(name, node)| node.named(name)).collect())
        }
        Kind::Cloud(..) => Ok(Vec::new()),
    }
}

fn is_in(node: &InfraNode, partition: &str) -> bool {
    node.partition.as_deref().is_some_and(|all| all.split(',').any(|p| p == partition))
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SlurmNode {
    #[serde(deserialize_with = "or_default")]
    node_name: String,
    #[serde(deserialize_with = "or_default")]
    node_state: String,
    gpu_type: Option<String>,
    total_gpus: Option<f64>,
    free_gpus: Option<f64>,
    vcpu_count: Option<f64>,
    free_vcpus: Option<f64>,
    memory_gb: Option<f64>,
    /// `main*,gpu`: the default partition has a star.
    partition: Option<String>,
}

impl From<SlurmNode> for InfraNode {
    fn from(row: SlurmNode) -> Self {
        // sinfo's compact states; `idle*` does not answer, `idle~` and its like do or will.
        let working = ["idle", "mix", "alloc", "comp"].iter().any(|s| row.node_state.to_lowercase().starts_with(s));
        Self {
            name: row.node_name,
            partition: row.partition.map(|p| p.replace('*', "")),
            cpus: count(row.vcpu_count),
            cpus_free: row.free_vcpus.map(|n| count(Some(n))),
            memory: mebibytes(row.memory_gb),
            gpu_type: row.gpu_type.filter(|t| !t.is_empty()),
            gpus: count(row.total_gpus),
            gpus_free: count(row.free_gpus),
            ready: working && !row.node_state.ends_with('*'),
        }
    }
}

#[derive(Deserialize)]
struct KubernetesNode {
    #[serde(default)]
    accelerator_type: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    total: BTreeMap<String, Value>,
    #[serde(default, deserialize_with = "or_default")]
    free: BTreeMap<String, Value>,
    #[serde(default)]
    cpu_count: Option<f64>,
    #[serde(default)]
    cpu_free: Option<f64>,
    #[serde(default)]
    memory_gb: Option<f64>,
    #[serde(default)]
    is_ready: Option<bool>,
    #[serde(default)]
    is_cordoned: Option<bool>,
    #[serde(default, deserialize_with = "or_default")]
    taints: Vec<Value>,
}

impl KubernetesNode {
    fn named(self, name: String) -> InfraNode {
        // `{accelerator_count, accelerator_allocatable}` and `{accelerators_available}`, -1: not told; numbers, or
        // numbers in strings.
        let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
        let of = |table: &BTreeMap<String, Value>, key: &str| table.get(key).and_then(number);
        // PreferNoSchedule is only a wish.
        let keeps_off = |taint: &Value| {
            taint.get("tolerated").and_then(Value::as_bool) == Some(false)
                && taint.get("effect").and_then(Value::as_str) != Some("PreferNoSchedule")
        };
        InfraNode {
            name,
            partition: None,
            cpus: count(self.cpu_count),
            cpus_free: self.cpu_free.filter(|n| *n >= 0.0).map(|n| count(Some(n))),
            memory: mebibytes(self.memory_gb),
            gpu_type: self.accelerator_type.filter(|t| !t.is_empty()),
            gpus: count(of(&self.total, "accelerator_count")),
            gpus_free: count(of(&self.free, "accelerators_available")),
            ready: self.is_ready != Some(false) && self.is_cordoned != Some(true) && !self.taints.iter().any(keeps_off),
        }
    }
}

/// A whole number of something; what is no such is none. (A cast of a float stays within the type's limits.)
fn count(number: Option<f64>) -> u32 {
    number.map_or(0, |n| n.floor() as u32)
}

fn mebibytes(gibibytes: Option<f64>) -> u64 {
    gibibytes.map_or(0, |n| (n * 1024.0).floor() as u64)
}

/// `POST /slurm_gpu_availability`, `POST /realtime_kubernetes_gpu_availability`, `POST /list_accelerators`
pub(super) async fn accelerators(client: &Client, infra: &str) -> Result<BTreeMap<String, Vec<u32>>, Error> {
    let (path, body, cloud) = match Kind::of(infra) {
        Kind::Slurm(cluster, _) => ("/slurm_gpu_availability", json!({"slurm_cluster_name": cluster}), false),
        Kind::Kubernetes { context, ssh } => {
            ("/realtime_kubernetes_gpu_availability", json!({"context": context, "is_ssh": ssh}), false)
        }
        Kind::Cloud(cloud, region) => {
            ("/list_accelerators", json!({"clouds": [cloud], "region_filter": region, "require_price": false}), true)
        }
    };
    let answer: Value = match client.call(path, body, Again::Harmless).await {
        // An infra without any is a failure of its own there.
        Err(Error::Refused { message, .. }) if message.starts_with("No GPUs found") => return Ok(BTreeMap::new()),
        answer => answer?,
    };
    if cloud { of_catalog(&answer) } else { of_availability(&answer) }
        .ok_or_else(|| Error::Nonsense(format!("{path}: not a table of GPUs")))
}

/// `[[cluster, [[type, [counts], all, free], ...], error?], ...]`
fn of_availability(answer: &Value) -> Option<BTreeMap<String, Vec<u32>>> {
    let mut found: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for cluster in answer.as_array()? {
        for gpu in cluster.get(1)?.as_array()? {
            let counts = gpu.get(1)?.as_array()?.iter().filter_map(whole);
            found.entry(gpu.get(0)?.as_str()?.to_owned()).or_default().extend(counts);
        }
    }
    Some(tidy(found))
}

/// `{type: [[cloud, instance, type, count, ...], ...]}`
fn of_catalog(answer: &Value) -> Option<BTreeMap<String, Vec<u32>>> {
    let mut found = BTreeMap::new();
    for (gpu, instances) in answer.as_object()? {
        let counts = instances.as_array()?.iter().filter_map(|instance| whole(instance.get(3)?)).collect();
        found.insert(gpu.clone(), counts);
    }
    Some(tidy(found))
}

/// Parts of a GPU cannot be asked for.
fn whole(count: &Value) -> Option<u32> {
    let count = count.as_f64().filter(|n| *n >= 1.0 && n.fract() == 0.0 && *n <= f64::from(u32::MAX))?;
    Some(count as u32)
}

fn tidy(mut found: BTreeMap<String, Vec<u32>>) -> BTreeMap<String, Vec<u32>> {
    for counts in found.values_mut() {
        counts.sort_unstable();
        counts.dedup();
    }
    found.retain(|_, counts| !counts.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let name = |t: &str| Some(t.to_owned());
        assert_eq!(Kind::of("slurm/lab/gpu"), Kind::Slurm(name("lab"), name("gpu")));
        assert_eq!(Kind::of("Slurm/*"), Kind::Slurm(None, None));
        let context = name("gke_p/zone/c");
        assert_eq!(Kind::of("k8s/gke_p/zone/c"), Kind::Kubernetes { context, ssh: false });
        assert_eq!(Kind::of("ssh/pool"), Kind::Kubernetes { context: name("ssh-pool"), ssh: true });
        assert_eq!(Kind::of("AWS/us-east-1/us-east-1a"), Kind::Cloud("aws".into(), name("us-east-1")));
    }

    #[test]
    fn slurm_nodes() {
        let node = |row: Value| InfraNode::from(serde_json::from_value::<SlurmNode>(row).unwrap());
        let n3 = node(json!({"node_name": "n3", "slurm_cluster_name": "lab", "node_state": "idle", "gpu_type": "H100",
            "total_gpus": 4, "free_gpus": 3, "vcpu_count": 16, "memory_gb": 62.5, "free_vcpus": 12, "cpu_load": 0.57,
            "partition": "main*,gpu"}));
        assert_eq!(
            n3,
            InfraNode {
                name: "n3".into(),
                partition: Some("main,gpu".into()),
                cpus: 16,
                cpus_free: Some(12),
                memory: 64_000,
                gpu_type: Some("H100".into()),
                gpus: 4,
                gpus_free: 3,
                ready: true,
            }
        );
        assert!(is_in(&n3, "gpu") && is_in(&n3, "main") && !is_in(&n3, "g"));
        for (state, ready) in [
            ("mix", true),
            ("allocated", true),
            ("IDLE~", true),
            ("idle*", false),
            ("drain", false),
            ("down*", false),
            ("", false),
        ] {
            assert_eq!(node(json!({"node_state": state, "vcpu_count": null})).ready, ready, "{state}");
        }
    }

    #[test]
    fn kubernetes_nodes() {
        let node = |row: Value| serde_json::from_value::<KubernetesNode>(row).unwrap().named("k".into());
        let full = node(json!({"name": "k", "accelerator_type": "H100",
            "total": {"accelerator_allocatable": 8, "accelerator_count": 8}, "free": {"accelerators_available": "3"},
            "cpu_count": 96.0, "memory_gb": 1024.5, "cpu_free": 90.6, "is_ready": true, "is_cordoned": false,
            "taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule", "tolerated": true}]}));
        assert_eq!(
            full,
            InfraNode {
                name: "k".into(),
                partition: None,
                cpus: 96,
                cpus_free: Some(90),
                memory: 1_049_088,
                gpu_type: Some("H100".into()),
                gpus: 8,
                gpus_free: 3,
                ready: true,
            }
        );
        let bare = node(json!({"total": null, "free": {"accelerators_available": -1}, "taints": null}));
        assert_eq!((bare.gpus, bare.gpus_free, bare.cpus_free, bare.ready), (0, 0, None, true));
        assert!(!node(json!({"is_cordoned": true})).ready);
        assert!(!node(json!({"taints": [{"effect": "NoExecute", "tolerated": false}]})).ready);
    }

    #[test]
    fn gpus() {
        let slurm = json!([
            ["lab", [["H100", [4, 1, 2], 4, 4], ["A100", [], 0, 0]], null],
            ["two", [["H100", [8], 8, 8]], null]
        ]);
        assert_eq!(of_availability(&slurm), Some([("H100".to_owned(), vec![1, 2, 4, 8])].into()));
        assert_eq!(of_availability(&json!([])), Some(BTreeMap::new()));
        let catalog =
            json!({"L4": [["GCP", "g2", "L4", 1.0, 4, null], ["GCP", "g2-half", "L4", 0.5, 4, null]], "T4": []});
        assert_eq!(of_catalog(&catalog), Some([("L4".to_owned(), vec![1])].into()));
        for other in [json!(null), json!(3), json!([1]), json!([["a", [[]]]]), json!({"x": 1})] {
            assert_eq!((of_availability(&other), of_catalog(&other)), (None, None), "{other}");
        }
    }
}
