//! The shapes held against Slurm's, and what stands in them against what Slurm printed.

use super::*;
use crate::{
    job::{Cluster, Job},
    report::{
        clock::{Clock, utc},
        job_fields::JobRow,
        job_values::Context,
        node_groups, sacct_fields, sacct_values,
        samples::{self, NOW},
        step_fields::StepRow as QueueStep,
    },
    slurm::array::BITSTR_LEN,
};
use serde_json::Value as Json;

/// What Slurm's parsers say: a line a field, the path and what it is.
const SHAPES: &str = include_str!("../../../testdata/slurm/data_parser.txt");

fn context(cluster: &Cluster) -> Context<'_> {
    Context {
        cluster: &cluster.name,
        partitions: &cluster.partitions,
        clock: Clock::new(utc, None, NOW),
        bitstr_len: BITSTR_LEN,
        noconvert: false,
        expand: false,
    }
}

/// A document of these, read back.
fn document<K: Records>(name: &'static str, rows: &[K::Row<'_>], complex: bool) -> Json {
    let meta = Meta { cluster: "lab".into(), command: vec!["squeue".into()], client: Client::default() };
    let document = Document::<K> { name, rows, times: &[("last_update", NOW)], meta: &meta, complex };
    let (mut json, mut yaml) = (Vec::new(), Vec::new());
    document.write(Format::Json, &mut json).unwrap();
    document.write(Format::Yaml, &mut yaml).unwrap();
    let json: Json = serde_json::from_slice(&json).unwrap();
    assert_eq!(serde_yaml::from_slice::<Json>(&yaml).unwrap(), json, "YAML and JSON say the same");
    json
}

/// What a value is, in the words of the file of shapes.
fn kind(value: &Json) -> &'static str {
    match value {
        Json::String(_) => "text",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float",
        Json::Number(_) => "int",
        Json::Array(_) => "list",
        Json::Object(map) if map.keys().eq(["infinite", "number", "set"]) => "number",
        Json::Object(_) => "map",
        Json::Null => "null",
    }
}

fn holds<'a>(record: &'a Json, path: &str) -> &'a Json {
    path.split('/').fold(record, |value, name| &value[name])
}

fn leaves(value: &Json) -> usize {
    match (kind(value), value) {
        ("map", Json::Object(map)) if !map.is_empty() => map.values().map(leaves).sum(),
        _ => 1,
    }
}

/// Every field of Slurm's parser is there and is what it says, and nothing else is.
fn compare(shape: &str, record: &Json) {
    let lines = SHAPES.lines().skip_while(|line| *line != format!("[{shape}]")).skip(1);
    let fields: Vec<(&str, &str)> =
        lines.take_while(|line| !line.is_empty()).map(|line| line.split_once(' ').unwrap()).collect();
    assert!(fields.len() > 5, "{shape}");
    for (path, expected) in &fields {
        assert_eq!(kind(holds(record, path)), *expected, "{shape} {path}: {}", holds(record, path));
    }
    let inner: usize =
        fields.iter().filter(|(_, kind)| *kind == "map").map(|(path, _)| leaves(holds(record, path)) - 1).sum();
    assert_eq!(leaves(record) - inner, fields.len(), "{shape} has fields that Slurm has not");
}

fn jobs() -> Vec<Job> {
    samples::recorded()
}

#[test]
fn shapes_are_slurms() {
    let (jobs, cluster) = (jobs(), samples::cluster());
    let context = context(&cluster);
    for job in &jobs {
        let answer = document::<QueueJobs>("jobs", &[JobRow::new(job, &context)], false);
        compare("job", &answer["jobs"][0]);
    }
    let steps: Vec<_> = jobs.iter().flat_map(|job| job.steps.iter().map(move |step| (job, step))).collect();
    let rows: Vec<_> = steps.iter().map(|(job, step)| QueueStep { step, job: JobRow::new(job, &context) }).collect();
    let answer = document::<StepRecords>("steps", &rows, false);
    assert!(!rows.is_empty());
    compare("step", &answer["steps"][0]);

    let of_nodes = node_groups::Context {
        clock: Clock::new(utc, None, NOW),
        used: node_groups::used_gres(&jobs),
        version: "24.11.5",
        noconvert: false,
    };
    let node = NodeRecord { node: &cluster.nodes[0], cluster: &cluster, context: &of_nodes };
    compare("node", &document::<NodeRecords>("nodes", &[node], false)["nodes"][0]);
    let partition = PartitionRecord { partition: &cluster.partitions[0], cluster: &cluster };
    compare("partition", &document::<PartitionRecords>("partitions", &[partition], false)["partitions"][0]);
    let group = node_groups::NodeRow {
        partition: &cluster.partitions[0],
        partition_index: 0,
        nodes: cluster.nodes.iter().collect(),
        context: &of_nodes,
    };
    let answer = document::<SinfoRows>("sinfo", &[(group, &cluster)], false);
    compare("sinfo", &answer["sinfo"][0]);
    compare("partition", &answer["sinfo"][0]["partition"]);
}

#[test]
fn shapes_of_the_controller_are_slurms() {
    let ping = Ping { host: "vm".into(), up: true, latency: 17 };
    compare("ping", &document::<Pings>("pings", &[ping], false)["pings"][0]);
    let statistics = Statistics { now: 160, since: 100, cycles: 4, sum_cycles: 30, ..Statistics::default() };
    let answer = document::<StatisticsRecord>("statistics", &[statistics], false);
    compare("statistics", &answer["statistics"]);
    assert_eq!(
        (&answer["statistics"]["schedule_cycle_mean"], &answer["statistics"]["schedule_cycle_per_minute"]),
        (&7.into(), &4.into())
    );
}

#[test]
fn shapes_of_accounting_are_slurms() {
    let (jobs, cluster) = (jobs(), samples::cluster());
    let context = sacct_values::Context { jobs: context(&cluster), units: sacct_values::Units::Best };
    let row = |job, step| sacct_fields::Row { job, step, element: None, context: &context };
    let rows: Vec<_> = jobs
        .iter()
        .map(|job| {
            let steps = job.steps.iter().map(|step| StepRow { row: row(job, Some(step)), step }).collect();
            (row(job, None), steps)
        })
        .collect();
    let answer = document::<AccountingJobs>("jobs", &rows, false);
    for record in answer["jobs"].as_array().unwrap() {
        compare("accounting", record);
        for step in record["steps"].as_array().unwrap() {
            compare("accounting step", step);
        }
    }
    assert!(answer["jobs"].as_array().unwrap().iter().any(|job| !job["steps"].as_array().unwrap().is_empty()));
}

#[test]
fn numbers_say_whether_they_are_set() {
    let cluster = samples::cluster();
    let context = context(&cluster);
    let job = samples::job(7, samples::request("wrap"));
    let rows = [JobRow::new(&job, &context)];
    let plain = &document::<QueueJobs>("jobs", &rows, false)["jobs"][0];
    let complex = &document::<QueueJobs>("jobs", &rows, true)["jobs"][0];
    for (name, set, infinite, number, alone) in [
        ("array_task_id", false, false, 0, Json::Null),
        ("tasks_per_core", false, true, 0, Json::from("Infinity")),
        ("time_limit", true, false, 1440, Json::from(1440)),
    ] {
        let expected = serde_json::json!({"set": set, "infinite": infinite, "number": number});
        assert_eq!((&plain[name], &complex[name]), (&expected, &alone), "{name}");
    }
}

/// Byte for byte as json-c lays it out.
#[test]
fn json_is_laid_out_as_slurm_lays_it_out() {
    let meta =
        Meta { cluster: "la/b".into(), command: vec!["squeue".into(), "-j\t1".into()], client: Client::default() };
    let document =
        Document::<QueueJobs> { name: "jobs", rows: &[], times: &[("last_update", 5)], meta: &meta, complex: false };
    let mut out = Vec::new();
    document.write(Format::Json, &mut out).unwrap();
    let expected = r#"{
  "jobs": [
  ],
  "last_update": {
    "set": true,
    "infinite": false,
    "number": 5
  },
  "meta": {
    "plugin": {
      "type": "",
      "name": "",
      "data_parser": "data_parser\/v0.0.42",
      "accounting_storage": "skyslurm\/sqlite"
    },
    "client": {
      "source": "",
      "user": "",
      "group": ""
    },
    "command": [
      "squeue",
      "-j\t1"
    ],
    "slurm": {
      "version": {
        "major": "24",
        "micro": "5",
        "minor": "11"
      },
      "release": "24.11.5",
      "cluster": "la\/b"
    }
  },
  "errors": [
  ],
  "warnings": [
    {
      "description": "Zero jobs to dump",
      "source": ""
    }
  ]
}
"#;
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

/// The values that Slurm was seen to print for a job that runs on two nodes, as far as they are not of a moment.
#[test]
fn values_are_slurms() {
    let (jobs, cluster) = (jobs(), samples::cluster());
    let context = context(&cluster);
    let job = jobs.iter().find(|job| job.placement.as_ref().is_some_and(|p| !p.nodes[0].gres.is_empty())).unwrap();
    let placement = job.placement.as_ref().unwrap();
    let record = &document::<QueueJobs>("jobs", &[JobRow::new(job, &context)], true)["jobs"][0];
    let count = placement.nodes.len();
    let gpus = placement.nodes[0].gres[0].ids.len();
    assert_eq!(
        record["gres_detail"][0],
        format!("gpu:h100:{gpus}(IDX:{})", placement.nodes[0].gres[0].ids.to_ranges())
    );
    assert_eq!(record["gres_detail"].as_array().unwrap().len(), count);
    let resources = &record["job_resources"];
    assert_eq!(resources["nodes"]["count"], count);
    assert_eq!(resources["cpus"], placement.cpus());
    let node = &resources["nodes"]["allocation"][0];
    assert_eq!(
        (&node["name"], &node["memory"]["allocated"]),
        (&placement.nodes[0].node.as_str().into(), &placement.nodes[0].memory.into())
    );
    assert_eq!(node["sockets"][0]["cores"].as_array().unwrap().len(), placement.nodes[0].cpus.len());
    assert_eq!(node["sockets"][0]["cores"][0]["status"], serde_json::json!(["ALLOCATED"]));
    for (name, expected) in [
        ("core_spec", serde_json::json!(0)),
        ("thread_spec", 32766.into()),
        ("tasks_per_socket", "Infinity".into()),
        ("tasks_per_node", 0.into()),
        ("cores_per_socket", Json::Null),
        ("profile", serde_json::json!(["NOT_SET"])),
        ("shared", serde_json::json!([])),
        ("power", serde_json::json!({"flags": []})),
        ("hold", (job.priority == 0).into()),
        ("billable_tres", f64::from(placement.cpus()).into()),
        ("exit_code", serde_json::json!({"status": ["SUCCESS"], "return_code": 0, "signal": {"id": null, "name": ""}})),
    ] {
        assert_eq!(record[name], expected, "{name}");
    }
    let mut killed = job.clone();
    killed.exit = crate::job::ExitStatus::signaled(9);
    let record = &document::<QueueJobs>("jobs", &[JobRow::new(&killed, &context)], true)["jobs"][0];
    let expected =
        serde_json::json!({"status": ["SIGNALED"], "return_code": null, "signal": {"id": 9, "name": "KILL"}});
    assert_eq!(record["exit_code"], expected);
    killed.het = Some(crate::job::Het { leader: 12, offset: 1, size: 3 });
    let record = &document::<QueueJobs>("jobs", &[JobRow::new(&killed, &context)], true)["jobs"][0];
    assert_eq!((&record["het_job_id"], &record["het_job_offset"]), (&12.into(), &1.into()));
    assert_eq!(record["het_job_id_set"], "12-14");
}
