//! How each node of a cluster is reached, by where the cluster is. Pure.
//!
//! Read in SkyPilot's client (`client/cli/command.py`, `utils/cluster_utils.py`), which writes the same into its own ssh
//! configuration. It has the nodes' public addresses from the cluster's handle, which is a pickle; we have the agent's word.

use crate::{agent::Reach, engine::skypilot::client::Access, job::JobId};

/// Where the container of a cluster's jobs listens, on its node.
const CONTAINER_PORT: u16 = 10022;

const SSH_PORT: u16 = 22;

/// A host of ssh's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is called by; the first is nobody else's.
    pub names: Vec<String>,
    /// Who logs in.
    pub user: String,
    /// Name or address, where it is reached from.
    pub host: String,
    pub port: u16,
    pub via: Via,
}

/// What leads to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// The API server's websocket at this path, for the cluster's node of this number.
    Server { path: &'static str, worker: usize },
    /// Another host.
    Node(String),
    /// A command.
    Command(String),
    /// Nothing is between.
    Straight,
}

/// The ways there are.
enum Way {
    /// The server has a websocket to every node.
    Each(&'static str),
    /// It has one to the first node; from there the others are reached.
    First(&'static str),
    /// The first node has an address.
    Straight,
}

/// By SkyPilot's name of the cloud.
fn way(cloud: &str) -> Option<Way> {
    match &*cloud.to_ascii_lowercase() {
        "slurm" => Some(Way::Each("/slurm-job-ssh-proxy")),
        "kubernetes" | "k8s" | "ssh" => Some(Way::First("/kubernetes-pod-ssh-proxy")),
        "aws" | "gcp" | "azure" => Some(Way::Straight),
        _ => None,
    }
}

/// Whether there is a way into clusters on an infra (`kubernetes/research`).
///
/// # Errors
/// That there is none, in words.
pub fn leads_into(infra: &str) -> Result<(), String> {
    let cloud = infra.split('/').next().unwrap_or_default();
    way(cloud).map(drop).ok_or_else(|| format!("no way leads from here to nodes on {cloud}: use sbatch"))
}

/// The infra on which a gate leads to a managed job's nodes; `None` where its cluster itself can be got into, or none of them.
pub fn needs_gate(access: &Access) -> Option<String> {
    let cloud = access.cloud.to_ascii_lowercase();
    let (cloud, region) = (cloud.as_str(), access.region.as_str());
    match way(cloud)? {
        Way::Straight => None,
        // Their contexts have the cloud's name in front.
        _ if cloud == "ssh" => Some(format!("ssh/{}", region.strip_prefix("ssh-").unwrap_or(region))),
        _ => Some(format!("{cloud}/{region}")),
    }
}

/// The hosts of a job, as far as they are reached through `cluster`; none where there is no way to it. The first is the first node.
pub fn nodes(job: JobId, cluster: &str, access: &Access, reach: &Reach) -> Vec<Node> {
    let Some(way) = way(&access.cloud) else { return Vec::new() };
    let count = match way {
        // The server knows the first component's cluster by this name, and no way to the others from there.
        Way::Each(_) => reach.own.unwrap_or(reach.hosts.len()),
        _ => reach.hosts.len(),
    };
    let mut nodes = Vec::new();
    for index in 0..count.max(1) {
        let alias = if index == 0 { cluster.to_owned() } else { format!("{cluster}-{index}") };
        let known = reach.hosts.get(index).cloned().unwrap_or_default();
        let mut names = vec![alias.clone()];
        names.extend((index == 0).then(|| format!("skyslurm-{job}")));
        names.extend(Some(known.name.clone()).filter(|name| is_name(name)));
        let user = access.user.clone();
        let first = || Via::Node(cluster.to_owned());
        let node = match (&way, index) {
            (Way::Each(path), worker) => {
                Node { names, user, host: alias.clone(), port: SSH_PORT, via: Via::Server { path, worker } }
            }
            (Way::First(path), 0) => {
                Node { names, user, host: alias.clone(), port: SSH_PORT, via: Via::Server { path, worker: 0 } }
            }
            // The agents have seen to it that the name leads there, where it is asked for on a node.
            (Way::First(_), _) => Node { names, user, host: known.name, port: SSH_PORT, via: first() },
            (Way::Straight, _) => {
                let via = match &access.proxy_command {
                    Some(command) => Via::Command(command.clone()),
                    None if index == 0 => Via::Straight,
                    None => first(),
                };
                let host = if index == 0 { reach.address().to_owned() } else { known.address };
                Node { names, user, host, port: SSH_PORT, via }
            }
        };
        nodes.extend(contained(node, &alias, access));
    }
    nodes
}

/// A node, or where the jobs run in a container: the container, and behind it the node.
fn contained(node: Node, alias: &str, access: &Access) -> Vec<Node> {
    let Some(user) = access.container_user.clone().filter(|_| !matches!(node.via, Via::Server { .. })) else {
        return vec![node];
    };
    let outside = format!("{alias}-host");
    let inside = Node {
        names: node.names.clone(),
        user,
        host: "localhost".into(),
        port: CONTAINER_PORT,
        via: Via::Node(outside.clone()),
    };
    vec![inside, Node { names: vec![outside], ..node }]
}

/// Whether it may stand for a node in the user's ssh configuration: nothing that has a meaning there, and not this machine.
fn is_name(name: &str) -> bool {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    let here = name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    plain && !here && !name.is_empty() && !name.starts_with(['-', '.']) && !name.starts_with("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Host;

    fn reach(names: &[&str]) -> Reach {
        let host = |(i, name): (usize, &&str)| Host { name: (*name).into(), address: format!("10.0.0.{i}") };
        Reach { hosts: names.iter().enumerate().map(host).collect(), ..Reach::default() }
    }

    fn access(cloud: &str) -> Access {
        Access { cloud: cloud.into(), user: "sky".into(), key: "KEY".into(), ..Access::default() }
    }

    fn seen(access: &Access, names: &[&str]) -> Vec<String> {
        let show = |n: Node| format!("{} {}@{}:{} {:?}", n.names.join(","), n.user, n.host, n.port, n.via);
        nodes(7, "c", access, &reach(names)).into_iter().map(show).collect()
    }

    #[test]
    fn by_cloud() {
        let two = |access: &Access| seen(access, &["a", "b"]).join("\n");
        insta::assert_snapshot!(two(&access("Slurm")), @r#"
        c,skyslurm-7,a sky@c:22 Server { path: "/slurm-job-ssh-proxy", worker: 0 }
        c-1,b sky@c-1:22 Server { path: "/slurm-job-ssh-proxy", worker: 1 }
        "#);
        insta::assert_snapshot!(two(&access("Kubernetes")), @r#"
        c,skyslurm-7,a sky@c:22 Server { path: "/kubernetes-pod-ssh-proxy", worker: 0 }
        c-1,b sky@b:22 Node("c")
        "#);
        insta::assert_snapshot!(two(&access("AWS")), @r#"
        c,skyslurm-7,a sky@10.0.0.0:22 Straight
        c-1,b sky@10.0.0.1:22 Node("c")
        "#);
        let contained = Access { container_user: Some("root".into()), ..access("GCP") };
        insta::assert_snapshot!(two(&contained), @r#"
        c,skyslurm-7,a root@localhost:10022 Node("c-host")
        c-host sky@10.0.0.0:22 Straight
        c-1,b root@localhost:10022 Node("c-1-host")
        c-1-host sky@10.0.0.1:22 Node("c")
        "#);
        let proxied = Access { proxy_command: Some("jump %h %p".into()), ..access("aws") };
        insta::assert_snapshot!(two(&proxied), @r#"
        c,skyslurm-7,a sky@10.0.0.0:22 Command("jump %h %p")
        c-1,b sky@10.0.0.1:22 Command("jump %h %p")
        "#);
        assert_eq!(seen(&access("RunPod"), &["a"]), [""; 0]);
    }

    #[test]
    fn those_of_other_components() {
        let names = |cloud: &str| -> Vec<String> {
            let reach = Reach { own: Some(1), ..reach(&["a", "b"]) };
            nodes(7, "c", &access(cloud), &reach).into_iter().filter_map(|node| node.names.last().cloned()).collect()
        };
        assert_eq!(names("Slurm"), ["a"]);
        assert_eq!((names("Kubernetes"), names("AWS")), (vec!["a".into(), "b".into()], vec!["a".into(), "b".into()]));
    }

    #[test]
    fn gates() {
        let gate = |cloud: &str, region: &str| needs_gate(&Access { region: region.into(), ..access(cloud) });
        assert_eq!(gate("Slurm", "lab").as_deref(), Some("slurm/lab"));
        assert_eq!(gate("Kubernetes", "research").as_deref(), Some("kubernetes/research"));
        assert_eq!(gate("SSH", "ssh-pool").as_deref(), Some("ssh/pool"));
        assert_eq!((gate("AWS", "us-east-1"), gate("RunPod", "CA")), (None, None));
    }

    #[test]
    fn names_that_mean_something_else_are_none() {
        for name in ["*", "a b", "!a", "-oProxyCommand=x", "a,b", "", "127.0.0.1", "localhost", "a?", "a\nHost *"] {
            assert_eq!(nodes(7, "c", &access("slurm"), &reach(&[name]))[0].names, ["c", "skyslurm-7"], "{name:?}");
        }
    }

    #[test]
    fn infra_without_a_way() {
        assert!(
            ["kubernetes/x", "k8s", "slurm/lab/main", "ssh/pool", "aws/us-east-1"]
                .iter()
                .all(|i| leads_into(i).is_ok())
        );
        assert!(leads_into("runpod/US").unwrap_err().contains("runpod"));
        assert!(leads_into("*").is_err() && leads_into("").is_err());
    }
}
