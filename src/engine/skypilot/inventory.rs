//! The partitions of the server, and their nodes where it has nodes.

use super::{
    client::{Client, InfraNode},
    shared::Shared,
    task::{Carrier, Facts, Task},
};
use crate::{
    config::{Config, OneOrMany, PartitionConfig},
    host::clock,
    job::{Job, Needs, Node, NodeState, Partition, Shape},
    slurm::{gres::Gres, time::TimeLimit},
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// So often the server is asked for its infra and nodes.
const INTERVAL: Duration = Duration::from_secs(60);

/// Without a configuration, the first controller waits so long for the server to say which partitions there are.
const FIRST: Duration = Duration::from_secs(5);

/// What is known of the server's infra.
#[derive(Clone)]
pub struct Inventory {
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    /// The partitions on SkyPilot: configured, or made of what is enabled.
    partitions: Vec<PartitionConfig>,
    /// The one that takes jobs which name none, if it is one of these.
    default: Option<String>,
    /// What is enabled; `None`: not known yet.
    enabled: Option<Vec<String>>,
    /// Nodes by infra.
    nodes: Vec<(String, Vec<InfraNode>)>,
    since: i64,
}

impl Inventory {
    /// The partitions of the configuration; without any, of what the server has enabled, which `cache` remembers.
    pub async fn start(config: &Config, client: Client, cache: &Path) -> Self {
        let configured: Vec<PartitionConfig> =
            config.partition.iter().filter(|p| p.on_skypilot().is_some()).cloned().collect();
        let is_configured = !config.partition.is_empty();
        let mut known = Known {
            default: config.default_partition().map(|p| p.name.clone()),
            partitions: configured,
            since: clock::now(),
            ..Known::default()
        };
        if !is_configured {
            let remembered = fs::read_to_string(cache).unwrap_or_default();
            let mut enabled: Vec<String> = remembered.lines().map(str::to_owned).collect();
            if enabled.is_empty()
                && let Ok(Ok(now)) =
                    tokio::time::timeout(FIRST, client.clone().with_patience(Duration::ZERO).enabled()).await
            {
                enabled = now;
            }
            known.made_of(&enabled);
        }
        let inventory = Self { known: Arc::new(Mutex::new(known)) };
        let cache = (!is_configured).then(|| cache.to_owned());
        tokio::spawn(inventory.clone().refresh(client.with_patience(Duration::ZERO), cache));
        inventory
    }

    /// A partition's configuration.
    pub fn partition(&self, name: &str) -> Option<PartitionConfig> {
        self.known().partitions.iter().find(|p| p.name == name).cloned()
    }

    /// Whether the server has exactly one context or Slurm cluster of this kind of infra (`kubernetes`), as far as is known.
    pub fn has_one_of(&self, kind: &str) -> bool {
        let known = self.known();
        let of_kind = |infra: &&String| infra.split_once('/').is_some_and(|(its, _)| its.eq_ignore_ascii_case(kind));
        known.enabled.iter().flatten().filter(of_kind).count() == 1
    }

    /// The partitions as sinfo shows them.
    pub fn partitions(&self) -> Vec<Partition> {
        let known = self.known();
        known.partitions.iter().map(|p| known.shown(p)).collect()
    }

    /// The nodes of all of them.
    pub fn nodes(&self) -> Vec<Node> {
        let known = self.known();
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for partition in &known.partitions {
            all.extend(known.nodes_of(partition).into_iter().filter(|n| seen.insert(n.name.clone())));
        }
        all
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn refresh(self, client: Client, cache: Option<PathBuf>) {
        loop {
            match client.enabled().await {
                Ok(enabled) => {
                    if let Some(cache) = &cache {
                        let _ = fs::write(cache, enabled.join("\n"));
                        self.known().made_of(&enabled);
                    }
                    self.known().enabled = Some(enabled);
                }
                Err(error) => tracing::warn!(%error, "SkyPilot's infra not known"),
            }
            let wanted: BTreeSet<String> = self.known().partitions.iter().flat_map(|p| p.infra.0.clone()).collect();
            let mut nodes = Vec::new();
            for infra in wanted {
                match client.nodes(&infra).await {
                    Ok(found) => nodes.push((infra, found)),
                    Err(error) => tracing::debug!(%error, infra, "nodes not known"),
                }
            }
            self.known().nodes = nodes;
            tokio::time::sleep(INTERVAL).await;
        }
    }
}

impl Known {
    /// Partitions for a server that nothing is configured for: one for each infra, named by its last part.
    fn made_of(&mut self, enabled: &[String]) {
        let mut names = BTreeSet::from(["local".to_owned()]);
        self.partitions = enabled
            .iter()
            .map(|infra| {
                let short = infra.rsplit('/').next().unwrap_or(infra).to_lowercase();
                let name = if names.contains(&short) { infra.replace('/', "-").to_lowercase() } else { short };
                names.insert(name.clone());
                PartitionConfig { name, infra: OneOrMany(vec![infra.clone()]), ..PartitionConfig::default() }
            })
            .collect();
        self.default = self.partitions.first().map(|p| p.name.clone());
    }

    fn shown(&self, partition: &PartitionConfig) -> Partition {
        let nodes = self.nodes_of(partition).into_iter().map(|n| n.name).collect();
        let is_enabled = |infra: &String| {
            let cloud = |text: &str| text.split('/').next().unwrap_or_default().to_lowercase();
            self.enabled.as_ref().is_none_or(|all| all.iter().any(|one| cloud(one) == cloud(infra)))
        };
        Partition {
            name: partition.name.clone(),
            default: self.default.as_ref() == Some(&partition.name),
            nodes,
            default_time: partition.default_time.as_ref().map(|t| t.0),
            max_time: partition.max_time.as_ref().map_or(TimeLimit::Unlimited, |t| t.0),
            priority_tier: partition.priority_tier.unwrap_or(1),
            default_memory_per_cpu: partition.default_memory_per_cpu.as_ref().map(|m| m.0.0),
            memory_share: None,
            infra: partition.on_skypilot().unwrap_or_default().to_owned(),
            up: partition.pool.is_some() || partition.infra.0.iter().any(is_enabled),
        }
    }

    /// A partition's nodes; for infra that makes nodes as they are needed, one that stands for them.
    fn nodes_of(&self, partition: &PartitionConfig) -> Vec<Node> {
        let mut all = Vec::new();
        for infra in &partition.infra.0 {
            let mut parts = infra.splitn(3, '/');
            let (cloud, region, zone) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
            let of_zone = |node: &&InfraNode| {
                cloud != "slurm" || zone.is_none() || node.partition.is_none() || node.partition.as_deref() == zone
            };
            let found = self.nodes.iter().find(|(name, _)| name == infra).map(|(_, nodes)| nodes.as_slice());
            let real: Vec<Node> = found.unwrap_or_default().iter().filter(of_zone).map(|n| self.node(n)).collect();
            match real.is_empty() {
                false => all.extend(real),
                true => all.push(self.elastic(cloud, region, partition)),
            }
        }
        if let Some(pool) = &partition.pool {
            all.push(self.elastic("pool", Some(pool), partition));
        }
        all
    }

    fn node(&self, node: &InfraNode) -> Node {
        let gpus = Gres {
            name: "gpu".into(),
            type_: node.gpu_type.as_ref().map(|t| t.to_lowercase()),
            count: u64::from(node.gpus),
        };
        let has_gpus = node.gpus > 0;
        Node {
            name: node.name.clone(),
            cpus: node.cpus,
            memory: node.memory,
            gres: has_gpus.then_some(gpus).into_iter().collect(),
            gres_used: has_gpus.then(|| u64::from(node.gpus.saturating_sub(node.gpus_free))).into_iter().collect(),
            cpus_used: node.cpus_free.map_or(0, |free| node.cpus.saturating_sub(free)),
            state: if node.ready { NodeState::Up } else { NodeState::Down },
            since: self.since,
            host: node.name.clone(),
            address: node.name.clone(),
            ..Node::default()
        }
    }

    fn elastic(&self, cloud: &str, region: Option<&str>, partition: &PartitionConfig) -> Node {
        let name = match region {
            Some(region) => format!("{cloud}-{region}"),
            None => cloud.to_owned(),
        };
        Node {
            name: name.to_lowercase(),
            features: vec!["elastic".into()],
            state: NodeState::Up,
            since: self.since,
            host: partition.name.clone(),
            ..Node::default()
        }
    }
}

/// What the server would choose for a job, in lines for `sbatch --test-only`.
pub async fn forecast(shared: &Shared, job: &Job, partition: &PartitionConfig) -> Result<Vec<String>, String> {
    let request = &job.request;
    let shape = Shape::of(&Needs::of(request, None), partition.most_gpus())?;
    let client = shared.client.clone().with_patience(Duration::from_secs(10));
    let offered = match shape.gpus > 0 && shape.gpu_type.is_none() && partition.gpu_type.is_none() {
        true => shared.offered(partition).await.map_err(|e| e.to_string())?,
        false => Vec::new(),
    };
    let facts = Facts { partition, settings: &shared.settings, shape: &shape, offered: &offered };
    let carrier = Carrier::Sealed { name: "test-only", payload: "", workdir: false, component: None };
    let task = Task::of(request, &facts, &carrier)?;
    let choices = client.optimize(&task.submission()).await.map_err(|e| e.to_string())?;
    let nodes = shape.tasks.len();
    let lines = choices.iter().map(|choice| {
        let price = choice.price_an_hour.map_or_else(String::new, |p| format!(", ${p:.2} an hour"));
        format!(
            "Job {} to start in partition {} on {nodes} x {} of {}{price}",
            job.id, partition.name, choice.instance, choice.infra
        )
    });
    Ok(lines.collect())
}
