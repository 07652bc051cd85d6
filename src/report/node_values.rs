//! What is shown of a node that is not simply a field of it.

use super::node_groups::Context;
use crate::{
    job::{Cluster, Node, Partition},
    slurm::{
        gres::{Gres, GresList, Tres},
        memory::Mebibytes,
    },
};

/// `gpu:h100:8`; nothing if it has none.
pub fn gres(node: &Node) -> String {
    node.gres.iter().map(Gres::to_string).collect::<Vec<_>>().join(",")
}

/// `gpu:h100:2(IDX:0-1)`, `gpu:h100:0(IDX:N/A)`; nothing if it has none.
pub fn gres_used(node: &Node, context: &Context) -> String {
    let one = |(index, gres): (usize, &Gres)| {
        let ids = context.used.get(&(node.name.as_str(), gres.name.as_str(), gres.type_.as_deref()));
        let count = ids.map_or(node.gres_used.get(index).copied().unwrap_or(0), |ids| ids.len() as u64);
        let kind = gres.type_.as_ref().map(|kind| format!(":{kind}")).unwrap_or_default();
        let ids = ids.filter(|ids| !ids.is_empty()).map_or("N/A".to_owned(), |ids| ids.to_ranges());
        format!("{}{kind}:{count}(IDX:{ids})", gres.name)
    };
    node.gres.iter().enumerate().map(one).collect::<Vec<_>>().join(",")
}

/// The partitions it is in.
pub fn partitions<'a>(node: &Node, cluster: &'a Cluster) -> impl Iterator<Item = &'a str> {
    cluster.partitions.iter().filter(|p| p.nodes.contains(&node.name)).map(|p| p.name.as_str())
}

/// `CfgTRES`: what it has. Types are left out, as without an entry in `AccountingStorageTRES`.
pub fn has(node: &Node) -> Tres {
    let gres = node.gres.iter().map(|g| Gres { type_: None, ..g.clone() }).collect();
    let cpu = u64::from(node.cpus);
    Tres { cpu, mem: Mebibytes(node.memory), billing: cpu, gres: GresList(gres), ..Tres::default() }
}

/// `AllocTRES`: what of it is in use.
pub fn in_use(node: &Node) -> Tres {
    let used = node.gres.iter().zip(&node.gres_used);
    let gres = used.map(|(g, used)| Gres { name: g.name.clone(), type_: None, count: *used }).collect();
    let (cpu, mem) = (u64::from(node.cpus_used), Mebibytes(node.memory_used));
    Tres { cpu, mem, gres: GresList(gres), ..Tres::default() }
}

/// `TRES` of a partition: the sum over its nodes.
pub fn total(partition: &Partition, cluster: &Cluster) -> Tres {
    let mut sum = Tres { node: partition.nodes.len() as u64, ..Tres::default() };
    let mut gres: Vec<Gres> = Vec::new();
    for node in cluster.nodes.iter().filter(|node| partition.nodes.contains(&node.name)) {
        sum.cpu += u64::from(node.cpus);
        sum.mem = Mebibytes(sum.mem.0.saturating_add(node.memory));
        gres.extend(node.gres.iter().map(|g| Gres { type_: None, ..g.clone() }));
    }
    Tres { billing: sum.cpu, gres: GresList(gres), ..sum }
}
