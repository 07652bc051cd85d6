//! The fields of nodes and partitions: the letters of `sinfo -o` and the names of `sinfo -O`.
//!
//! Names, headers and the words for what does not exist here are those that Slurm prints
//! (`testdata/slurm/fields/sinfo.txt`).

use super::{
    field::{Cut, Field, Kind, Tells},
    node_groups::NodeRow,
    node_state::{Shown, State},
    node_values as values,
    table::number,
};
use crate::{
    job::Node,
    slurm::{hostlist, time::TimeLimit},
};

/// Listings of nodes.
pub struct Nodes;

const fn row(
    letter: Option<char>,
    names: &'static [&'static str],
    header: &'static str,
    tells: Tells,
    write: for<'a> fn(&NodeRow<'a>, &mut String),
) -> Field<Nodes> {
    Field { letter, names, header, cut: Cut::Always, tells, write }
}

/// A field whose header is not cut in a right-justified column.
const fn whole_header(field: Field<Nodes>) -> Field<Nodes> {
    Field { cut: Cut::NotHeader, ..field }
}

/// The same word for all.
macro_rules! word {
    ($letter:expr, $names:expr, $header:literal, $word:literal) => {
        row($letter, $names, $header, Tells::Never, |_, out| out.push_str($word))
    };
}

fn write_limit(limit: TimeLimit, out: &mut String) {
    match limit {
        TimeLimit::Unlimited => out.push_str("infinite"),
        limit => out.push_str(&limit.squeue()),
    }
}

/// `64`, or `32+` where the nodes differ.
fn write_least(row: &NodeRow, of: impl Fn(&Node) -> u64, out: &mut String) {
    let (least, most) = (row.smallest(&of), row.largest(&of));
    number(out, least as i64);
    if least != most {
        out.push('+');
    }
}

/// `23665-23700`
fn write_range(row: &NodeRow, of: impl Fn(&Node) -> u64, out: &mut String) {
    let (least, most) = (row.smallest(&of), row.largest(&of));
    number(out, least as i64);
    if least != most {
        out.push('-');
        number(out, most as i64);
    }
}

fn write_counts(counts: &[u64], out: &mut String) {
    for (index, count) in counts.iter().enumerate() {
        if index > 0 {
            out.push('/');
        }
        number(out, *count as i64);
    }
}

/// Nodes in use, idle, and neither.
pub(super) fn node_counts(row: &NodeRow) -> [u64; 3] {
    let mut counts = [0; 3];
    for node in &row.nodes {
        let [used, idle, other] = &mut counts;
        *match Shown::of(node) {
            Shown::Idle => idle,
            state if state.is_other() => other,
            _ => used,
        } += 1;
    }
    counts
}

/// CPUs in use, idle, neither, and all.
pub(super) fn cpu_counts(row: &NodeRow) -> [u64; 4] {
    let (mut used, mut idle, mut other, mut total) = (0, 0, 0, 0);
    for node in &row.nodes {
        let (cpus, in_use) = (u64::from(node.cpus), u64::from(node.cpus_used.min(node.cpus)));
        used += in_use;
        total += cpus;
        *if Shown::of(node).is_other() { &mut other } else { &mut idle } += cpus - in_use;
    }
    [used, idle, other, total]
}

fn write_state(row: &NodeRow, name: fn(State) -> String, out: &mut String) {
    out.push_str(&row.state().map_or_else(|| "n/a".to_owned(), name));
}

fn write_list(words: &[String], out: &mut String) {
    if words.is_empty() {
        out.push_str("(null)");
    }
    for (index, word) in words.iter().enumerate() {
        out.push_str(if index > 0 { "," } else { "" });
        out.push_str(word);
    }
}

fn write_gres(row: &NodeRow, out: &mut String) {
    match row.nodes.first().filter(|node| !node.gres.is_empty()) {
        None => out.push_str("(null)"),
        Some(node) => out.push_str(&values::gres(node)),
    }
}

fn write_gres_used(row: &NodeRow, out: &mut String) {
    match row.nodes.first().filter(|node| !node.gres.is_empty()) {
        None => out.push_str("gpu:0"),
        Some(node) => out.push_str(&values::gres_used(node, row.context)),
    }
}

fn write_partition(row: &NodeRow, out: &mut String) {
    out.push_str(&row.partition.name);
    if row.partition.default {
        out.push('*');
    }
}

fn write_nodes(row: &NodeRow, out: &mut String) {
    match row.nodes.as_slice() {
        [only] => out.push_str(&only.name),
        nodes => out.push_str(&hostlist::compress_sorted(nodes.iter().map(|node| &node.name))),
    }
}

fn first<'a>(row: &NodeRow<'a>, of: impl Fn(&'a Node) -> &'a str, out: &mut String) {
    out.push_str(row.nodes.first().map_or("", |node| of(node)));
}

fn host_name(node: &Node) -> &str {
    if node.host.is_empty() { &node.name } else { &node.host }
}

fn free_memory(node: &Node) -> u64 {
    node.memory.saturating_sub(node.memory_used)
}

impl Kind for Nodes {
    type Row<'a> = NodeRow<'a>;
    const FIELDS: &'static [Field<Self>] = FIELDS;
}

#[rustfmt::skip]
const FIELDS: &[Field<Nodes>] = &[
    row(Some('a'), &["available"], "AVAIL", Tells::Always, |r, o| o.push_str(if r.partition.up { "up" } else { "down" })),
    row(Some('A'), &["nodeai"], "NODES(A/I)", Tells::Never, |r, o| {
        let [used, idle, _] = node_counts(r);
        write_counts(&[used, idle], o);
    }),
    row(Some('b'), &["features_act"], "ACTIVE_FEATURES", Tells::Always, |r, o| write_list(r.features(), o)),
    word!(Some('B'), &["maxcpuspernode"], "MAX_CPUS_PER_NODE", "UNLIMITED"),
    row(Some('c'), &["cpus"], "CPUS", Tells::Exact, |r, o| write_least(r, |n| n.cpus.into(), o)),
    row(Some('C'), &["cpusstate"], "CPUS(A/I/O/T)", Tells::Never, |r, o| write_counts(&cpu_counts(r), o)),
    word!(Some('d'), &["disk"], "TMP_DISK", "0"),
    row(Some('D'), &["nodes"], "NODES", Tells::Never, |r, o| number(o, r.nodes.len() as i64)),
    row(Some('e'), &["freemem"], "FREE_MEM", Tells::Exact, |r, o| write_range(r, free_memory, o)),
    row(Some('E'), &["reason"], "REASON", Tells::Always, |r, o| o.push_str(r.reason().unwrap_or("none"))),
    row(Some('f'), &["features"], "AVAIL_FEATURES", Tells::Always, |r, o| write_list(r.features(), o)),
    row(Some('F'), &["nodeaiot"], "NODES(A/I/O/T)", Tells::Never, |r, o| {
        let [used, idle, other] = node_counts(r);
        write_counts(&[used, idle, other, r.nodes.len() as u64], o);
    }),
    word!(Some('g'), &["groups"], "GROUPS", "all"),
    row(Some('G'), &["gres"], "GRES", Tells::Always, write_gres),
    word!(Some('h'), &["oversubscribe", "share"], "OVERSUBSCRIBE", "NO"),
    word!(Some('H'), &["timestamp"], "TIMESTAMP", "Unknown"),
    word!(Some('I'), &["priorityjobfactor"], "PRIO_JOB_FACTOR", "1"),
    row(Some('l'), &["time"], "TIMELIMIT", Tells::Always, |r, o| write_limit(r.partition.max_time, o)),
    row(Some('L'), &["defaulttime"], "DEFAULTTIME", Tells::Always, |r, o| match r.partition.default_time {
        Some(limit) => write_limit(limit, o),
        None => o.push_str("n/a"),
    }),
    row(Some('m'), &["memory"], "MEMORY", Tells::Exact, |r, o| write_least(r, |n| n.memory, o)),
    word!(Some('M'), &["preemptmode"], "PREEMPT_MODE", "OFF"),
    whole_header(row(Some('n'), &["nodehost"], "HOSTNAMES", Tells::Always, |r, o| first(r, host_name, o))),
    whole_header(row(Some('N'), &["nodelist"], "NODELIST", Tells::Never, write_nodes)),
    whole_header(row(Some('o'), &["nodeaddr"], "NODE_ADDR", Tells::Always, |r, o| first(r, |n| &n.address, o))),
    word!(Some('O'), &["cpusload"], "CPU_LOAD", "N/A"),
    row(Some('p'), &["prioritytier"], "PRIO_TIER", Tells::Always, |r, o| number(o, r.partition.priority_tier)),
    Field {
        letter: Some('P'), names: &["partition"], header: "PARTITION", cut: Cut::KeepMark('*'), tells: Tells::Always,
        write: write_partition,
    },
    word!(Some('r'), &["root"], "ROOT", "no"),
    row(Some('R'), &["partitionname"], "PARTITION", Tells::Always, |r, o| o.push_str(&r.partition.name)),
    word!(Some('s'), &["size"], "JOB_SIZE", "1-infinite"),
    word!(Some('S'), &["allocnodes"], "ALLOCNODES", "all"),
    row(Some('t'), &["statecompact"], "STATE", Tells::Always, |r, o| write_state(r, State::compact, o)),
    row(Some('T'), &["statelong"], "STATE", Tells::Always, |r, o| write_state(r, State::long, o)),
    word!(Some('u'), &["user"], "USER", "Unknown"),
    word!(Some('U'), &["userlong"], "USER", "Unknown"),
    row(Some('v'), &["version"], "VERSION", Tells::Never, |r, o| o.push_str(r.context.version)),
    word!(Some('V'), &["cluster"], "CLUSTER", "N/A"),
    word!(Some('w'), &["weight"], "WEIGHT", "1"),
    word!(Some('X'), &["sockets"], "SOCKETS", "1"),
    row(Some('Y'), &["cores"], "CORES", Tells::Exact, |r, o| write_least(r, |n| n.cpus.into(), o)),
    row(Some('z'), &["socketcorethread"], "S:C:T", Tells::Exact, |r, o| {
        o.push_str("1:");
        write_least(r, |n| n.cpus.into(), o);
        o.push_str(":1");
    }),
    word!(Some('Z'), &["threads"], "THREADS", "1"),
    // Names without a letter.
    row(None, &["allocmem"], "ALLOCMEM", Tells::Always, |r, o| write_least(r, |n| n.memory_used, o)),
    word!(None, &["comment"], "COMMENT", "(null)"),
    word!(None, &["extra"], "EXTRA", "(null)"),
    row(None, &["gresused"], "GRES_USED", Tells::Always, write_gres_used),
    word!(None, &["port"], "PORT", "0"),
    row(None, &["statecomplete"], "STATECOMPLETE", Tells::Always, |r, o| write_state(r, State::complete, o)),
];
