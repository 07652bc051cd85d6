//! `scontrol show partition`.

use super::{Record, Style};
use crate::{
    job::{Cluster, Partition},
    report::node_values,
    slurm::hostlist,
};

/// Appends the record of a partition.
pub fn partition(partition: &Partition, cluster: &Cluster, style: Style, out: &mut String) {
    let total = node_values::total(partition, cluster);
    let mut record = Record::new(style, out);
    record.put("PartitionName", &partition.name).line();
    record.fixed("AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL").line();
    record.fixed("AllocNodes=ALL").put("Default", if partition.default { "YES" } else { "NO" }).fixed("QoS=N/A").line();
    record.put("DefaultTime", partition.default_time.map_or("NONE".to_owned(), |time| time.scontrol()));
    record.fixed("DisableRootJobs=NO ExclusiveUser=NO ExclusiveTopo=NO GraceTime=0 Hidden=NO").line();
    record.fixed("MaxNodes=UNLIMITED").put("MaxTime", partition.max_time.scontrol());
    record.fixed("MinNodes=0 LLN=NO MaxCPUsPerNode=UNLIMITED MaxCPUsPerSocket=UNLIMITED").line();
    record.put("Nodes", hostlist::compress(&partition.nodes)).line();
    record.fixed("PriorityJobFactor=1").number("PriorityTier", partition.priority_tier);
    record.fixed("RootOnly=NO ReqResv=NO OverSubscribe=NO").line();
    record.fixed("OverTimeLimit=NONE PreemptMode=OFF").line();
    record.put("State", if partition.up { "UP" } else { "DOWN" });
    record.put("TotalCPUs", total.cpu.to_string()).put("TotalNodes", partition.nodes.len().to_string());
    record.fixed("SelectTypeParameters=NONE").line();
    record.fixed("JobDefaults=(null)").line();
    match partition.default_memory_per_cpu {
        Some(memory) => record.number("DefMemPerCPU", memory as i64),
        None => record.fixed("DefMemPerNode=UNLIMITED"),
    };
    record.fixed("MaxMemPerNode=UNLIMITED").line();
    record.put("TRES", total.to_string()).end();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{job::Node, report::sample_jobs, slurm::gres::Gres};

    #[test]
    fn records_are_those_of_sinfo_txt() {
        let node = |n: u32| Node {
            name: format!("node{n}"),
            cpus: 64,
            memory: 512_000,
            gres: vec![Gres { name: "gpu".into(), type_: Some("h100".into()), count: 8 }],
            ..Node::default()
        };
        let cluster = Cluster { nodes: (1..=4).map(node).collect(), ..Cluster::default() };
        let sample = Partition { default_memory_per_cpu: None, ..sample_jobs::gpu() };
        let mut out = String::new();
        partition(&sample, &cluster, Style::default(), &mut out);
        let expected = "\
PartitionName=gpu
   AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL
   AllocNodes=ALL Default=YES QoS=N/A
   DefaultTime=1-00:00:00 DisableRootJobs=NO ExclusiveUser=NO ExclusiveTopo=NO GraceTime=0 Hidden=NO
   MaxNodes=UNLIMITED MaxTime=7-00:00:00 MinNodes=0 LLN=NO MaxCPUsPerNode=UNLIMITED MaxCPUsPerSocket=UNLIMITED
   Nodes=node[1-4]
   PriorityJobFactor=1 PriorityTier=1 RootOnly=NO ReqResv=NO OverSubscribe=NO
   OverTimeLimit=NONE PreemptMode=OFF
   State=UP TotalCPUs=256 TotalNodes=4 SelectTypeParameters=NONE
   JobDefaults=(null)
   DefMemPerNode=UNLIMITED MaxMemPerNode=UNLIMITED
   TRES=cpu=256,mem=2000G,node=4,billing=256,gres/gpu=32

";
        assert_eq!(out, expected);
    }
}
