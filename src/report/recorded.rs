//! The field tables held against what Slurm prints (`testdata/slurm/fields`).

use super::{
    clock::{Clock, utc},
    field::{Field, Kind, Layout},
    job_fields::{JobRow, Jobs},
    job_values::Context,
    node_fields::Nodes,
    samples,
    step_fields::Steps,
};
use crate::slurm::array::BITSTR_LEN;

const HEADERS: &str = include_str!("../../testdata/slurm/fields/headers.txt");
const VALUES: &str = include_str!("../../testdata/slurm/fields/squeue.txt");

fn header<K: Kind>(long: bool, key: &str) -> Option<&'static str> {
    let field = match long {
        true => Field::<K>::by_name(key),
        false => Layout::<K>::short(&format!("%{key}"), "").columns.first().and_then(|c| c.field),
    };
    field.map(|field| field.header)
}

/// Names that 24.11 has and 22.05 had not.
const NEWER: &[&str] = &["squeue -O ContainerID", "squeue -s -O ContainerID"];

#[test]
fn every_field_has_slurms_header() {
    for line in HEADERS.lines().filter(|line| !line.starts_with('#')) {
        let parts: Vec<&str> = line.split('\t').collect();
        let [command, key, expected] = parts[..] else { panic!("{line}") };
        let ours = match command {
            "squeue -o" => header::<Jobs>(false, key),
            "squeue -O" => header::<Jobs>(true, key),
            "squeue -s -o" => header::<Steps>(false, key),
            "squeue -s -O" => header::<Steps>(true, key),
            "sinfo -o" => header::<Nodes>(false, key),
            "sinfo -O" => header::<Nodes>(true, key),
            other => panic!("{other}"),
        };
        if !NEWER.contains(&format!("{command} {key}").as_str()) {
            assert_eq!(ours.unwrap_or("!"), expected, "{line}");
        }
    }
}

/// Fields whose values here are others than the recorded ones, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("allocsid", "sessions are not kept"),
    ("associd", "there are no associations"),
    ("sockets", "sockets, cores and threads are not told apart"),
    ("%H", "the same"),
    ("%z", "the same"),
    ("sct", "the same"),
    ("numtasks", "a cancelled job has 4294967294 tasks in 22.05"),
    ("tres-alloc", "22.05 counts the fewest nodes of a range, and no memory per GPU"),
];

#[test]
fn every_field_has_slurms_value() {
    let (jobs, cluster) = (samples::recorded(), samples::cluster());
    let context = Context {
        cluster: &cluster.name,
        partitions: &cluster.partitions,
        clock: Clock::new(utc, None, samples::NOW),
        bitstr_len: BITSTR_LEN,
        noconvert: false,
        expand: false,
    };
    let mut wrong = Vec::new();
    for line in VALUES.lines().filter(|line| !line.starts_with('#')) {
        let mut values = line.split('\t');
        let key = values.next().unwrap();
        let layout = match key.strip_prefix('%') {
            Some(_) => Layout::<Jobs>::short(key, ""),
            None => Layout::<Jobs>::long(&format!("{key}:")),
        };
        let ours: Vec<String> = jobs
            .iter()
            .map(|job| {
                let mut out = String::new();
                layout.row(&JobRow::new(job, &context), &mut out);
                out.trim_end_matches('\n').to_owned()
            })
            .collect();
        // 24.11 writes gres/gpu:2 where 22.05 wrote gres:gpu:2.
        let theirs: Vec<String> = values.map(|value| value.replace("gres:", "gres/")).collect();
        let different =
            DIFFERENT.iter().any(|(name, _)| name.eq_ignore_ascii_case(key) && (name.len() > 2 || *name == key));
        if (ours != theirs) != different {
            wrong.push(format!("{key}\n  {ours:?}\n  {theirs:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
