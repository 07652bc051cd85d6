//! `scontrol show node`.

use super::{Record, Style, or_null};
use crate::{
    host::user,
    job::{Cluster, Node, NodeState},
    report::{clock::Clock, node_state, node_values as values},
    slurm::options,
};

/// Appends the record of a node.
pub fn node(node: &Node, cluster: &Cluster, clock: &Clock, style: Style, out: &mut String) {
    let mut record = Record::new(style, out);
    let time = |when: i64| {
        let mut text = String::new();
        clock.write(when, &mut text);
        text
    };
    record.put("NodeName", &node.name).fixed("Arch=x86_64").number("CoresPerSocket", node.cpus).fixed("").line();
    record.number("CPUAlloc", node.cpus_used).number("CPUEfctv", node.cpus).number("CPUTot", node.cpus);
    record.fixed("CPULoad=N/A").line();
    let features = (!node.features.is_empty()).then(|| node.features.join(","));
    record.put("AvailableFeatures", or_null(features.as_deref())).line();
    record.put("ActiveFeatures", or_null(features.as_deref())).line();
    record.put("Gres", or_null(Some(values::gres(node).as_str()).filter(|gres| !gres.is_empty()))).line();
    let version = options::version().trim_start_matches("slurm ");
    record.put("NodeAddr", &node.address).put("NodeHostName", &node.host).put("Version", version).line();
    record.fixed("OS=Linux").line();
    record.number("RealMemory", node.memory as i64).number("AllocMem", node.memory_used as i64);
    record.fixed("FreeMem=N/A Sockets=1 Boards=1").line();
    record.put("State", state(node)).fixed("ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A").line();
    let partitions: Vec<&str> = values::partitions(node, cluster).collect();
    record.put("Partitions", partitions.join(",")).fixed("").line();
    record.put("BootTime", time(node.since)).put("SlurmdStartTime", time(node.since)).line();
    record.put("LastBusyTime", time(if node.cpus_used > 0 { cluster.now } else { node.since }));
    record.fixed("ResumeAfterTime=None").line();
    record.put("CfgTRES", values::has(node).to_string()).line();
    record.put("AllocTRES", values::in_use(node).to_string()).line();
    record.fixed("CurrentWatts=0 AveWatts=0").line();
    if let Some(reason) = &node.reason {
        let who = format!("{reason} [{}@{}]", user::name_of(user::uid()), time(node.since));
        record.put("Reason", who).line();
    }
    record.out.push_str(style.record_end());
}

/// The state in full: what is used of it, whether it takes work, whether it is reserved.
fn state(node: &Node) -> String {
    let used = match node.cpus_used {
        0 => "IDLE",
        used if used >= node.cpus => "ALLOCATED",
        _ => "MIXED",
    };
    let state: &[&str] = match node.state {
        NodeState::Up => &[used],
        NodeState::Drain => &[used, "DRAIN"],
        NodeState::Down => &["DOWN"],
    };
    [state, node_state::flags(node.kept)].concat().join("+")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        report::{clock::utc, sample_jobs},
        slurm::gres::Gres,
    };

    #[test]
    fn records_are_those_of_sinfo_txt() {
        let cluster = Cluster { partitions: vec![sample_jobs::gpu()], ..Cluster::default() };
        let gpu = Gres { name: "gpu".into(), type_: Some("h100".into()), count: 8 };
        let sample = Node {
            name: "node3".into(),
            host: "node3".into(),
            address: "127.0.1.3".into(),
            cpus: 64,
            memory: 512_000,
            cpus_used: 1,
            memory_used: 2000,
            gres: vec![gpu],
            gres_used: vec![2],
            since: sample_jobs::START,
            ..Node::default()
        };
        let mut out = String::new();
        node(&sample, &cluster, &Clock::new(utc, None, 0), Style::default(), &mut out);
        for line in [
            "NodeName=node3 Arch=x86_64 CoresPerSocket=64 ",
            "   CPUAlloc=1 CPUEfctv=64 CPUTot=64 CPULoad=N/A",
            "   Gres=gpu:h100:8",
            "   RealMemory=512000 AllocMem=2000 FreeMem=N/A Sockets=1 Boards=1",
            "   State=MIXED ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A",
            "   Partitions=gpu ",
            "   CfgTRES=cpu=64,mem=500G,billing=64,gres/gpu=8",
            "   AllocTRES=cpu=1,mem=2000M,gres/gpu=2",
        ] {
            assert!(out.lines().any(|l| l == line), "{line:?} in\n{out}");
        }
        assert!(out.ends_with("AveWatts=0\n   \n\n"));
        let drained = Node { state: NodeState::Drain, reason: Some("disk".into()), ..sample };
        out.clear();
        node(&drained, &cluster, &Clock::new(utc, None, 0), Style { oneliner: true, details: false }, &mut out);
        assert!(out.contains("State=MIXED+DRAIN ") && out.contains("Reason=disk [") && out.lines().count() == 1);
    }
}
