//! `resources` of a task: where it may run, and what each of its nodes has.

use super::{Facts, image::image_id, name, table};
use crate::{
    config::PartitionConfig,
    job::{Request, gpu_type},
};
use serde_yaml::{Mapping, Value};
use std::collections::BTreeMap;

/// SkyPilot's own bounds (`MIN_PRIORITY`, `MAX_PRIORITY`).
const PRIORITY: (i32, i32) = (-1000, 1000);
/// The disk that SkyPilot gives a virtual machine unasked, GB; images need a part of it, so none is made smaller.
const DEFAULT_DISK: u64 = 256;

/// The resources, without those that are empty. `plain`: for a person, who can still choose a GPU.
pub(super) fn resources(request: &Request, facts: &Facts, plain: bool) -> Result<Mapping, String> {
    let partition = facts.partition;
    let gpus = gpus(facts, plain)?;
    let mut all = Mapping::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            all.set(key, value);
        }
    };
    let infras = if partition.pool.is_some() { &[][..] } else { &partition.infra.0 };
    let each = ordered(infras, &gpus);
    if each.is_none() {
        put("infra", infras.first().map(|infra| Value::from(infra.as_str())));
        put("accelerators", accelerators(&gpus));
    }
    let shape = facts.shape;
    let cpus = shape.cpus.or(Some(shape.min_cpus).filter(|least| *least > 1));
    put("cpus", cpus.map(|cpus| Value::from(format!("{cpus}+"))));
    put("memory", shape.memory.map(|memory| Value::from(format!("{}+", gigabytes(memory)))));
    let own_image = request.container_image.as_deref().map(image_id).transpose()?;
    match &partition.pool {
        Some(pool) if own_image.is_some() => {
            return Err(format!("--container-image: the workers of pool {pool} have an image already; leave it out"));
        }
        // A pool's workers have their disk, image and price.
        Some(_) => {}
        None => {
            put("disk_size", request.tmp.and_then(|tmp| disk(tmp, infras)).map(Value::from));
            put("image_id", own_image.or(partition.image.clone()).map(Value::from));
            put("use_spot", partition.use_spot.then(|| Value::from(true)));
        }
    }
    let (priority, class) = priority(request, facts);
    put("priority", priority.map(Value::from));
    put("priority_class", class.map(Value::from));
    if partition.pool.is_none() {
        put("labels", labels(request, partition));
    }
    put("ordered", each.map(Value::from));
    if let Some(own) = &partition.resources {
        merge(&mut all, table(own));
    }
    Ok(all)
}

/// The GPUs that will do, as SkyPilot writes them: `H100:8`. Several: any of them.
fn gpus(facts: &Facts, plain: bool) -> Result<Vec<(String, u32)>, String> {
    let count = facts.shape.gpus;
    let named = facts.shape.gpu_type.as_deref().or(facts.partition.gpu_type.as_deref());
    if count == 0 {
        return Ok(Vec::new());
    }
    if let Some(name) = named {
        return Ok(vec![(gpu_type::canonical(name), count)]);
    }
    let fitting = facts.offered.iter().filter(|(_, counts)| counts.contains(&count));
    let fitting: Vec<(String, u32)> = fitting.map(|(name, _)| (name.clone(), count)).collect();
    if !fitting.is_empty() {
        return Ok(fitting);
    }
    if facts.offered.is_empty() && plain {
        // SkyPilot's way to say: any GPU, by the memory it has at least.
        return Ok(vec![("1GB+".to_owned(), count)]);
    }
    let name = &facts.partition.name;
    if facts.offered.is_empty() {
        return Err(format!(
            "no GPU type is named, and none is known of partition {name}; name one (--gpus-per-node=TYPE:{count}), or \
             set gpu_type of the partition in the configuration"
        ));
    }
    let shown = |(name, counts): &(String, Vec<u32>)| {
        let counts: Vec<String> = counts.iter().map(u32::to_string).collect();
        format!("{name} ({})", counts.join(", "))
    };
    let offered: Vec<String> = facts.offered.iter().map(shown).collect();
    Err(format!(
        "{count} GPUs on one node cannot be had in partition {name}; it offers {} on one node",
        offered.join(", ")
    ))
}

/// One type is `H100:8`; of several SkyPilot may take any: `{A100: 8, H100: 8}` (a list would be an order).
fn accelerators(gpus: &[(String, u32)]) -> Option<Value> {
    match gpus {
        [] => None,
        [(name, count)] => Some(Value::from(format!("{name}:{count}"))),
        several => {
            let pairs = several.iter().map(|(name, count)| (Value::from(name.as_str()), Value::from(*count)));
            Some(Value::from(pairs.collect::<Mapping>()))
        }
    }
}

/// Several infras, best first, each with each GPU type: SkyPilot takes no set of types beside an order.
fn ordered(infras: &[String], gpus: &[(String, u32)]) -> Option<Vec<Mapping>> {
    let one = |infra: &String, gpu: Option<&(String, u32)>| {
        let mut entry = Mapping::new();
        entry.set("infra", Value::from(infra.as_str()));
        if let Some((name, count)) = gpu {
            entry.set("accelerators", Value::from(format!("{name}:{count}")));
        }
        entry
    };
    let all = |infra| match gpus {
        [] => vec![one(infra, None)],
        some => some.iter().map(|gpu| one(infra, Some(gpu))).collect(),
    };
    (infras.len() > 1).then(|| infras.iter().flat_map(all).collect())
}

/// MiB as whole GiB, which SkyPilot calls GB.
fn gigabytes(mebibytes: u64) -> u64 {
    mebibytes.div_ceil(1024).max(1)
}

/// `--tmp` as `disk_size`, where SkyPilot does not give as much unasked.
fn disk(tmp: u64, infras: &[String]) -> Option<u64> {
    let wanted = gigabytes(tmp);
    let is_machine = |infra: &String| {
        let cloud = infra.split('/').next().unwrap_or_default().to_ascii_lowercase();
        !["kubernetes", "k8s", "slurm", "ssh"].contains(&cloud.as_str())
    };
    let machines = infras.is_empty() || infras.iter().any(is_machine);
    (!machines || wanted > DEFAULT_DISK).then_some(wanted)
}

/// The priority of the request's QOS less its nice value, and the QOS's class.
fn priority(request: &Request, facts: &Facts) -> (Option<i32>, Option<String>) {
    let qos = request.qos.as_ref().and_then(|name| facts.settings.qos.get(name));
    let base = qos.map_or(0, |qos| qos.priority);
    let priority = base.saturating_sub(request.nice).clamp(PRIORITY.0, PRIORITY.1);
    (Some(priority).filter(|p| qos.is_some() || *p != 0), qos.and_then(|qos| qos.priority_class.clone()))
}

/// The partition's labels, and the job's name and account where every cloud takes them.
fn labels(request: &Request, partition: &PartitionConfig) -> Option<Value> {
    let mut labels: BTreeMap<&str, &str> = BTreeMap::new();
    let own = [("slurm-job-name", Some(request.name.as_str())), ("slurm-account", request.account.as_deref())];
    for (key, value) in own {
        if let Some(value) = value.and_then(name::label) {
            labels.insert(key, value);
        }
    }
    labels.extend(partition.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let pairs: Mapping = labels.into_iter().map(|(key, value)| (Value::from(key), Value::from(value))).collect();
    (!pairs.is_empty()).then(|| Value::from(pairs))
}

/// Puts `over` over `base`: maps are merged, anything else is replaced.
fn merge(base: &mut Mapping, over: Mapping) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Mapping(inner)), Value::Mapping(more)) => merge(inner, more),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}
