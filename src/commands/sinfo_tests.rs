//! Whole outputs, as in the capture sinfo.txt.

use super::*;
use crate::{
    job::NodeState,
    report::samples::{self, NOW},
};
use proptest::prelude::*;

/// As in sinfo.txt: node1 is full, node3 has a job with two GPUs.
fn cluster() -> Cluster {
    let mut cluster = samples::cluster();
    cluster.nodes[0].cpus_used = 64;
    cluster.nodes[2].cpus_used = 1;
    cluster.nodes[2].gres_used = vec![2];
    cluster
}

fn jobs() -> Vec<Job> {
    let mut job = samples::job(1, samples::request("part"));
    job.state = JobState::Running;
    job.placement = samples::on(&["node3"], &[1], 2000, 2);
    vec![job]
}

fn sinfo_of(cluster: &Cluster, env: &[(&str, &str)], args: &[&str]) -> (String, Vec<String>, u8) {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let env = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let query = options::parse(Command::Sinfo, &args, &env).and_then(|parsed| Query::new(&parsed, &env));
    match query {
        Ok(query) => match query.render(cluster, &jobs(), NOW, clock::utc) {
            Ok(out) => (out, query.complaints(), 0),
            Err(refusal) => (String::new(), refusal.lines, refusal.exit),
        },
        Err(refusal) => (String::new(), refusal.lines, refusal.exit),
    }
}

fn out(args: &[&str]) -> String {
    let (out, complaints, code) = sinfo_of(&cluster(), &[], args);
    assert_eq!((complaints.as_slice(), code), (&[][..], 0), "{args:?}");
    out
}

const HEADER: &str = "PARTITION AVAIL  TIMELIMIT  NODES  STATE NODELIST\n";
const ROWS: &str = "\
gpu*         up 7-00:00:00      1    mix node3
gpu*         up 7-00:00:00      1  alloc node1
gpu*         up 7-00:00:00      2   idle node[2,4]
debug        up      30:00      1    mix node3
debug        up      30:00      1  alloc node1
debug        up      30:00      2   idle node[2,4]
";

#[test]
fn the_default_listing() {
    assert_eq!(out(&[]), format!("{HEADER}{ROWS}"));
    assert_eq!(out(&["-h"]), ROWS);
    assert_eq!(out(&["-e", "-a", "-r"]), format!("{HEADER}{ROWS}"));
    assert_eq!(out(&["-p", "nosuch"]), HEADER);
    assert_eq!(out(&["-h", "-p", "debug,nosuch"]).lines().count(), 3);
}

#[test]
fn the_long_listing() {
    let expected = "\
Fri Nov 20 13:40:39 2026
PARTITION AVAIL  TIMELIMIT   JOB_SIZE ROOT OVERSUBS     GROUPS  NODES       STATE NODELIST
gpu*         up 7-00:00:00 1-infinite   no       NO        all      1       mixed node3
gpu*         up 7-00:00:00 1-infinite   no       NO        all      1   allocated node1
gpu*         up 7-00:00:00 1-infinite   no       NO        all      2        idle node[2,4]
";
    assert_eq!(out(&["-l", "-p", "gpu"]), expected);
}

#[test]
fn the_summary() {
    let expected = "\
PARTITION AVAIL  TIMELIMIT   NODES(A/I/O/T) NODELIST
gpu*         up 7-00:00:00          2/2/0/4 node[1-4]
debug        up      30:00          2/2/0/4 node[1-4]
";
    assert_eq!(out(&["-s"]), expected);
    assert_eq!(out(&["-s", "-l"]).lines().count(), 4);
    assert!(out(&["-s", "-t", "down"]).ends_with("debug        up      30:00          0/0/0/0 \n"));
}

#[test]
fn node_by_node() {
    let expected = "\
NODELIST   NODES PARTITION STATE 
node1          1      gpu* alloc 
node1          1     debug alloc 
node2          1      gpu* idle  
node2          1     debug idle  
node3          1      gpu* mix   
node3          1     debug mix   
node4          1      gpu* idle  
node4          1     debug idle  
";
    assert_eq!(out(&["-N"]), expected);
    let long = out(&["-N", "-l", "-p", "gpu", "-n", "node1"]);
    assert_eq!(
        long.lines().skip(1).collect::<Vec<_>>(),
        [
            "NODELIST   NODES PARTITION       STATE CPUS    S:C:T MEMORY TMP_DISK WEIGHT AVAIL_FE REASON              ",
            "node1          1      gpu*   allocated 64     1:64:1 512000        0      1   (null) none                ",
        ]
    );
    assert_eq!(out(&["-N", "-h", "-o", "%N %C %T %G"]).lines().next(), Some("node1 64/0/0/64 allocated gpu:h100:8"));
}

#[test]
fn formats_group_by_what_they_show() {
    assert_eq!(out(&["-h", "-o", "%G"]), "gpu:h100:8\n");
    assert_eq!(
        out(&["-h", "-o", "%R %c %m %G %f"]),
        "gpu 64 512000 gpu:h100:8 (null)\ndebug 64 512000 gpu:h100:8 (null)\n"
    );
    assert_eq!(
        out(&["-o", "%n %G %C"]),
        "HOSTNAMES GRES CPUS(A/I/O/T)\nnode3 gpu:h100:8 1/63/0/64\nnode1 gpu:h100:8 64/0/0/64\nnode2 gpu:h100:8 0/64/0/64\nnode4 gpu:h100:8 0/64/0/64\n"
    );
    assert_eq!(out(&["-t", "alloc", "-h", "-o", "%N %t"]), "node3 mix\nnode1 alloc\n");
    assert_eq!(out(&["-h", "-o", "%D"]), "4\n");
    assert_eq!(out(&["-h", "-o", "%C %P"]), "65/191/0/256 gpu*\n65/191/0/256 debug\n");
    let used = "\
HOSTNAMES           GRES                          GRES_USED                               STATE               CPUS(A/I/O/T)       
node3               gpu:h100:8                    gpu:h100:2(IDX:0-1)                     mixed               1/63/0/64           
node1               gpu:h100:8                    gpu:h100:0(IDX:N/A)                     allocated           64/0/0/64           
";
    let said = out(&["-O", "nodehost,gres:30,gresused:40,statelong,cpusstate"]);
    assert!(said.starts_with(used), "{said}");
    let (text, complaints, code) =
        sinfo_of(&cluster(), &[], &["-p", "debug", "-t", "idle", "-o", "%.5D|%5D|%-5D|%.3P%%|%q"]);
    assert_eq!((text.as_str(), code), ("NODES|NODES|%-5D|PAR%|%q\n    2|2    |%-5D|deb%|%q\n", 0));
    assert_eq!(complaints, ["-", "|", "q"].map(|key| format!("Invalid node format specification: {key}")));
    assert_eq!(
        sinfo_of(&cluster(), &[], &["-O", "bogus"]).1,
        ["sinfo: error: Invalid job format specification: bogus"]
    );
}

#[test]
fn all_letters() {
    let said = out(&["-o", "%all", "-p", "gpu", "-n", "node1"]);
    let mut lines = said.lines();
    assert_eq!(
        lines.next(),
        Some(
            "AVAIL|ACTIVE_FEATURES|CPUS|TMP_DISK|FREE_MEM|AVAIL_FEATURES|GROUPS|OVERSUBSCRIBE|TIMELIMIT|MEMORY|HOSTNAMES|NODE_ADDR|PRIO_TIER|ROOT|JOB_SIZE|STATE|USER|VERSION|WEIGHT|S:C:T|NODES(A/I) |MAX_CPUS_PER_NODE |CPUS(A/I/O/T) |NODES |REASON |NODES(A/I/O/T) |GRES |TIMESTAMP |PRIO_JOB_FACTOR |DEFAULTTIME |PREEMPT_MODE |NODELIST |CPU_LOAD |PARTITION |PARTITION |ALLOCNODES |STATE |USER |CLUSTER |SOCKETS |CORES |THREADS "
        )
    );
    assert!(lines.next().is_some_and(|line| line.starts_with(
        "up|(null)|64|0|512000|(null)|all|NO|7-00:00:00|512000|node1|127.0.1.1|1|no|1-infinite|alloc|Unknown|"
    )));
    assert_eq!(out(&["-O", "All", "-n", "node1"]), out(&["-o", "%all", "-n", "node1"]));
}

#[test]
fn nodes_and_states_are_chosen() {
    assert_eq!(out(&["-h", "-p", "gpu", "-n", "node1,node9"]), "gpu*         up 7-00:00:00      1  alloc node1\n");
    let none = "gpu*         up 7-00:00:00      0    n/a \ndebug        up      30:00      0    n/a \n";
    assert_eq!(out(&["-n", "nosuch", "-h"]), none);
    assert_eq!(out(&["-d", "-h"]), none);
    assert_eq!(out(&["-t", "idle&alloc", "-h"]), none);
    assert_eq!(out(&["-t", "down", "-h", "-o", "%D %t"]), "");
    assert_eq!(out(&["-t", "down", "-N", "-h"]), "");
    assert_eq!(out(&["-t", "idle", "-h"]).lines().count(), 2);
    let (_, lines, code) = sinfo_of(&cluster(), &[], &["-t", "bogus"]);
    assert_eq!(
        (lines[0].as_str(), lines[1].as_str(), code),
        ("sinfo: error: Bad state string: \"bogus\"", format!("sinfo: error: valid states: {VALID}").as_str(), 1)
    );
}

#[test]
fn drained_and_down_nodes() {
    let mut cluster = cluster();
    cluster.nodes[3].state = NodeState::Drain;
    cluster.nodes[3].reason = Some("maintenance".into());
    let said = |args: &[&str]| sinfo_of(&cluster, &[], args).0;
    let expected = "\
gpu*         up 7-00:00:00      1  drain node4
gpu*         up 7-00:00:00      1    mix node3
gpu*         up 7-00:00:00      1  alloc node1
gpu*         up 7-00:00:00      1   idle node2
";
    assert_eq!(said(&["-h", "-p", "gpu"]), expected);
    assert_eq!(
        said(&["-R"]),
        "REASON               USER      TIMESTAMP           NODELIST\nmaintenance          Unknown   Unknown             node4\n"
    );
    assert_eq!(
        said(&["-N", "-h", "-p", "gpu", "-n", "node4", "-o", "%N %t %T %E %C"]),
        "node4 drain drained maintenance 0/0/64/64\n"
    );
    assert_eq!(out(&["-R"]), "REASON               USER      TIMESTAMP           NODELIST\n");
    cluster.nodes[1].state = NodeState::Down;
    assert_eq!(sinfo_of(&cluster, &[], &["-d", "-h", "-o", "%P %t %N"]).0, "gpu* down node2\ndebug down node2\n");
}

#[test]
fn order_and_variables() {
    assert!(out(&["-S", "P", "-h"]).starts_with("debug"));
    assert!(out(&["-S", "-P", "-h"]).starts_with("gpu"));
    assert!(out(&["-S", "-#P", "-h"]).starts_with("gpu"));
    assert_eq!(out(&["-S", "N", "-h", "-o", "%N %t"]), "node1 alloc\nnode[2,4] idle\nnode3 mix\n");
    let said = |env: &[(&str, &str)], args: &[&str]| sinfo_of(&cluster(), env, args).0;
    assert_eq!(said(&[("SINFO_FORMAT", "%P")], &[]), "PARTITION\ngpu*\ndebug\n");
    assert_eq!(said(&[("SINFO_FORMAT", "%P")], &["-s"]), out(&["-s"]));
    assert_eq!(said(&[("SINFO_PARTITION", "debug")], &["-h"]).lines().count(), 3);
    assert_eq!(out(&["-o", "%P", "-O", "nodes"]), "NODES               \n4                   \n");
}

#[test]
fn options_that_exclude_each_other() {
    let lines = |args: &[&str]| sinfo_of(&cluster(), &[], args).1;
    assert_eq!(
        lines(&["-l", "-o", "%P"]),
        ["sinfo: fatal: Options -o(--format) and -l(--long) are mutually exclusive. Please remove one and retry."]
    );
    assert_eq!(
        lines(&["-a", "-p", "gpu"]),
        ["sinfo: error: Conflicting options, -a and -p, specified. Please choose one or the other."]
    );
}

proptest! {
    #[test]
    fn no_option_text_panics(text in "\\PC{0,24}", odd in "[%.0-9a-zA-Z:,&#-]{0,24}") {
        for text in [text.as_str(), odd.as_str()] {
            for option in ["-o", "-O", "-S", "-t", "-n", "-p"] {
                sinfo_of(&cluster(), &[], &[option, text]);
            }
        }
    }
}
