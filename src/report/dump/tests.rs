//! The shapes held against Slurm's, and what stands in them against what Slurm printed.

use super::*;
use crate::{
    job::{Cluster, Exclusive, Job, Reservation},
    report::{
        associations,
        clock::{Clock, utc},
        job_fields::JobRow,
        job_values::Context,
        node_groups, sacct_fields, sacct_values,
        sacctmgr_fields::{self, Entity},
        samples::{self, NOW},
        share_fields,
        step_fields::StepRow as QueueStep,
    },
    slurm::{
        array::BITSTR_LEN,
        limit::{Limits, MostTres},
        time::TimeLimit,
    },
};
use layout::{Bracket, Layout, Scalar};
use serde_json::Value as Json;
use std::{collections::BTreeSet, io, sync::Arc};

/// What a real Slurm wrote: a line a path, and of what kind the values were.
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
    let meta = Meta { cluster: "lab".into(), command: vec!["squeue".into()], ..Meta::default() };
    let document = Document::<K> { name, rows, times: &[("last_update", NOW)], meta: &meta, complex };
    let (mut json, mut yaml) = (Vec::new(), Vec::new());
    document.write(Format::Json, &mut json).unwrap();
    document.write(Format::Yaml, &mut yaml).unwrap();
    let json: Json = serde_json::from_slice(&json).unwrap();
    assert_eq!(serde_yaml::from_slice::<Json>(&yaml).unwrap(), json, "YAML and JSON say the same");
    json
}

/// Paths in their order, and of what kind the values were; the words are those of the file of shapes.
#[derive(Default)]
struct Shape {
    kinds: BTreeSet<&'static str>,
    fields: Vec<(String, Shape)>,
    item: Option<Box<Shape>>,
    list: bool,
}

impl Shape {
    fn field(&mut self, name: &str) -> &mut Self {
        let at = self.fields.iter().position(|(there, _)| there == name).unwrap_or_else(|| {
            self.fields.push((name.to_owned(), Self::default()));
            self.fields.len() - 1
        });
        &mut self.fields[at].1
    }

    /// `{"set": true, "infinite": false, "number": 1}` is one value.
    fn number(&self) -> Option<&'static str> {
        let [(set, _), (infinite, _), (number, of)] = self.fields.as_slice() else { return None };
        let is = (set.as_str(), infinite.as_str(), number.as_str()) == ("set", "infinite", "number");
        is.then(|| if of.kinds.contains("float") { "fraction" } else { "number" })
    }

    fn lines(&self, path: &str, out: &mut Vec<(String, BTreeSet<&'static str>)>) {
        if self.list && self.item.is_none() {
            out.push((format!("{path}[]"), BTreeSet::from(["-"])));
        }
        let kinds: BTreeSet<_> = self.kinds.iter().copied().chain(self.number()).collect();
        if !kinds.is_empty() {
            out.push((path.to_owned(), kinds));
        }
        if self.number().is_some() {
            return;
        }
        self.fields.iter().for_each(|(name, shape)| shape.lines(&format!("{path}/{name}"), out));
        if let Some(item) = &self.item {
            item.lines(&format!("{path}[]"), out);
        }
    }
}

/// An answer whose shape is noted instead of being written.
#[derive(Default)]
struct Recorder {
    shape: Shape,
    /// Names of what is open; none for a list.
    path: Vec<Option<String>>,
}

impl Recorder {
    fn here(&mut self) -> &mut Shape {
        self.path.iter().fold(&mut self.shape, |shape, step| match step {
            Some(name) => shape.field(name),
            None => shape.item.get_or_insert_default(),
        })
    }
}

impl Layout for Recorder {
    fn open(&mut self, what: Bracket) -> io::Result<()> {
        self.here().list |= what == Bracket::List;
        self.path.push(None);
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        self.path.pop();
        Ok(())
    }

    fn empty(&mut self, what: Bracket) -> io::Result<()> {
        match what {
            Bracket::List => self.here().list = true,
            Bracket::Map => _ = self.here().kinds.insert("{}"),
        }
        Ok(())
    }

    fn key(&mut self, name: &str) -> io::Result<()> {
        *self.path.last_mut().unwrap() = Some(name.to_owned());
        Ok(())
    }

    fn item(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn scalar(&mut self, value: Scalar) -> io::Result<()> {
        self.here().kinds.insert(match value {
            Scalar::Null => "null",
            Scalar::Bool(_) => "bool",
            Scalar::Int(_) => "int",
            Scalar::Float(_) => "float",
            Scalar::Text(_) => "text",
        });
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Every field that the real command was seen to write is there, in its place and of its kind, and nothing else is. The lists
/// that have nothing in them here are named.
fn compare<K: Records>(command: &str, name: &'static str, rows: &[K::Row<'_>], empty_here: &[&str]) -> Json {
    let recorded = SHAPES.lines().skip_while(|line| *line != format!("[{command}]")).skip(1);
    let recorded: Vec<(&str, BTreeSet<&str>)> = recorded
        .take_while(|line| !line.is_empty())
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(path, kinds)| (path, kinds.split('|').collect()))
        .collect();
    assert!(recorded.len() > 3, "{command}");
    let (mut recorder, mut ours) = (Recorder::default(), Vec::new());
    Document::<K> { name, rows, times: &[], meta: &Meta::default(), complex: false }.lay_out(&mut recorder).unwrap();
    recorder.shape.field(name).lines(name, &mut ours);
    for (path, kinds) in &ours {
        // A list with something in it here may have had nothing there.
        let there = recorded.iter().find(|(there, _)| there == path).map(|(_, kinds)| kinds);
        let empty = kinds.contains("-") && recorded.iter().any(|(there, _)| there.starts_with(path.as_str()));
        assert!(
            empty || there.is_some_and(|there| kinds.is_subset(there)),
            "{command} {path}: {kinds:?}, not {there:?}"
        );
    }
    let lacks = |path: &str| empty_here.iter().any(|empty| path.starts_with(empty));
    let here = |path: &str| ours.iter().any(|(here, kinds)| here == path && !kinds.contains("-"));
    for (path, kinds) in &recorded {
        let told = here(path) || kinds.contains("-");
        assert!(told != lacks(path) || kinds.contains("-"), "{command} {path}: told here: {told}");
    }
    let places: Vec<_> =
        ours.iter().filter_map(|(path, _)| recorded.iter().position(|(there, _)| there == path)).collect();
    assert!(places.is_sorted(), "{command}: {ours:?}");
    document::<K>(name, rows, false)
}

/// Jobs that have between them something of all there is.
fn jobs() -> Vec<Job> {
    let mut jobs = samples::recorded();
    let mut told = jobs.iter().find(|job| !job.steps.is_empty()).unwrap().clone();
    told.steps[0].end = Some(NOW);
    let request = Arc::make_mut(&mut told.request);
    request.mail_type = Some("END".into());
    request.exclusive = Exclusive::User;
    jobs.push(told);
    jobs.iter_mut().flat_map(|job| &mut job.steps).for_each(|step| step.usage.max_rss_kib = 1024);
    jobs
}

#[test]
fn shapes_are_slurms() {
    let (jobs, cluster) = (jobs(), samples::cluster());
    let context = context(&cluster);
    let rows: Vec<_> = jobs.iter().map(|job| JobRow::new(job, &context)).collect();
    compare::<QueueJobs>("squeue", "jobs", &rows, &[]);
    let steps: Vec<_> = jobs.iter().flat_map(|job| job.steps.iter().map(move |step| (job, step))).collect();
    let rows: Vec<_> = steps.iter().map(|(job, step)| QueueStep { step, job: JobRow::new(job, &context) }).collect();
    compare::<StepRecords>("squeue --steps", "steps", &rows, &[]);

    let of_nodes = node_groups::Context {
        clock: Clock::new(utc, None, NOW),
        used: node_groups::used_gres(&jobs),
        version: "24.11.5",
        noconvert: false,
    };
    let nodes: Vec<_> =
        cluster.nodes.iter().map(|node| NodeRecord { node, cluster: &cluster, context: &of_nodes }).collect();
    compare::<NodeRecords>("scontrol show node", "nodes", &nodes, &[]);
    let partition = PartitionRecord { partition: &cluster.partitions[0], cluster: &cluster };
    compare::<PartitionRecords>("scontrol show partition", "partitions", &[partition], &[]);
    let reservation = Reservation { name: "r0".into(), flags: vec!["MAINT".into()], ..Reservation::default() };
    compare::<ReservationRecords>("scontrol show reservation", "reservations", &[&reservation], &[]);
    let license = ("matlab".into(), 4, 3);
    compare::<LicenseRecords>("scontrol show licenses", "licenses", &[&license], &[]);
    let group = |nodes, shown| SinfoRow {
        group: node_groups::NodeRow {
            partition: &cluster.partitions[0],
            partition_index: 0,
            nodes,
            context: &of_nodes,
        },
        cluster: &cluster,
        named: shown,
        hosts: shown,
        addresses: shown,
    };
    let rows = [group(cluster.nodes.iter().collect(), true), group(Vec::new(), false)];
    compare::<SinfoRows>("sinfo", "sinfo", &rows, &[]);
}

#[test]
fn shapes_of_the_controller_are_slurms() {
    let ping = Ping { host: "vm".into(), up: true, latency: 17 };
    compare::<Pings>("scontrol ping", "pings", std::slice::from_ref(&ping), &[]);
    compare::<DatabasePings>("sacctmgr ping", "pings", &[ping], &[]);
    let statistics = Statistics { now: 160, since: 100, cycles: 4, sum_cycles: 30, ..Statistics::default() };
    // Calls are not counted by kind and user.
    let calls = ["statistics/rpcs_by_message_type[]", "statistics/rpcs_by_user[]"];
    let answer = compare::<StatisticsRecord>("sdiag", "statistics", &[statistics], &calls);
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
    // Of a step is known what its largest task had, and what it used altogether.
    let unmeasured = ["requested/min", "consumed/max", "consumed/min", "consumed/average", "consumed/total"];
    let unmeasured = unmeasured.map(|what| format!("jobs[]/steps[]/tres/{what}[]"));
    compare::<AccountingJobs>("sacct", "jobs", &rows, &unmeasured.each_ref().map(String::as_str));
}

/// As a real one said it of `Flags=DenyOnLimit GrpJobs=3 GrpSubmitJobs=4 MaxJobsPerUser=5 MaxSubmitJobsPerUser=6`.
#[test]
fn limits_of_a_qos_stand_where_slurm_has_them() {
    let mut cluster = samples::cluster();
    let limits = Limits {
        deny_on_limit: true,
        grp_jobs: Some(3),
        grp_submit_jobs: Some(4),
        max_jobs: Some(5),
        max_submit_jobs: Some(6),
        ..Limits::default()
    };
    cluster.qos_limits = [("normal".to_owned(), limits)].into();
    let row = sacctmgr_fields::Row {
        entity: Entity::Qos,
        cluster: &cluster,
        host: "vm",
        user: "alice",
        association: None,
        name: "normal",
        kind: "",
        id: 1,
        tree: false,
    };
    let answer = document::<QosRecords>("qos", &[Managed { row, associations: Vec::new() }], true);
    let qos = &answer["qos"][0];
    assert_eq!(qos["flags"], Json::from(vec!["DENY_LIMIT"]));
    let max = &qos["limits"]["max"];
    let numbers = [
        &max["active_jobs"]["count"],
        &max["jobs"]["count"],
        &max["jobs"]["active_jobs"]["per"]["user"],
        &max["jobs"]["per"]["user"],
    ];
    assert_eq!(numbers, [&Json::from(3), &4.into(), &5.into(), &6.into()]);
}

#[test]
fn shapes_of_associations_are_slurms() {
    let gpus: MostTres = "gres/gpu=3".parse().unwrap();
    let limits = Limits { max_jobs: Some(1), max_wall: Some(TimeLimit::Minutes(30)), ..Limits::default() };
    let mut cluster = samples::cluster();
    let of_qos = Limits { max_tres_per_user: gpus.clone(), ..limits.clone() };
    cluster.qos_limits = [("normal".to_owned(), of_qos)].into();
    cluster.account_limits = [("research".to_owned(), Limits { grp_tres: gpus, ..limits })].into();
    let one = |entity, name, association: Option<associations::Association<'static>>| sacctmgr_fields::Row {
        entity,
        cluster: &cluster,
        host: "vm",
        user: "alice",
        association,
        name,
        kind: "gres",
        id: 1,
        tree: false,
    };
    let tree = || {
        let research =
            associations::Association { id: 2, account: "research", parent: Some("root"), user: None, depth: 1 };
        let alice = associations::Association { id: 3, user: Some("alice"), depth: 2, ..research.clone() };
        [research, alice]
    };
    let rows = tree().map(|a| one(Entity::Association, "", Some(a)));
    let answer = compare::<AssociationRecords>("sacctmgr show association", "associations", &rows, &[]);
    let max = &answer["associations"][0]["max"];
    assert_eq!((&max["jobs"]["active"]["number"], &max["tres"]["total"][0]["count"]), (&1.into(), &3.into()));
    // Of its account's limits a user has those of one.
    let alice = &answer["associations"][1];
    assert_eq!(
        (&alice["max"]["jobs"]["active"]["number"], &alice["max"]["tres"]["total"]),
        (&1.into(), &Json::Array(vec![]))
    );
    assert_eq!(alice["lineage"], "/research/0-alice/");
    let all = |entity, name| [Managed { row: one(entity, name, None), associations: tree().into() }];
    let rows = all(Entity::Account, "research");
    compare::<AccountRecords>("sacctmgr show account", "accounts", &rows, &[]);
    let rows = all(Entity::Cluster, "");
    compare::<ClusterRecords>("sacctmgr show cluster", "clusters", &rows, &[]);
    let rows = all(Entity::Qos, "normal");
    compare::<QosRecords>("sacctmgr show qos", "qos", &rows, &[]);
    let rows = all(Entity::Tres, "gpu");
    compare::<TresRecords>("sacctmgr show tres", "TRES", &rows, &[]);
    let rows = all(Entity::User, "");
    compare::<UserRecords>("sacctmgr show user", "users", &rows, &[]);
    let shares = tree().map(|association| share_fields::Row { association, cluster: &cluster, tree: true }).into();
    compare::<ShareList>("sshare", "shares", &[shares], &[]);
}

/// With `+complex` a text that was not said is `null`, but for these, which a real sacct was seen to write as empty ones.
#[test]
fn texts_that_are_not_said_are_null() {
    fn empty(value: &Json, path: &str, out: &mut BTreeSet<String>) {
        match value {
            Json::String(text) if text.is_empty() => _ = out.insert(path.to_owned()),
            Json::Array(list) => list.iter().for_each(|value| empty(value, path, out)),
            Json::Object(map) => map.iter().for_each(|(name, value)| empty(value, &format!("{path}/{name}"), out)),
            _ => {}
        }
    }
    let (jobs, cluster) = (jobs(), samples::cluster());
    let of_jobs = context(&cluster);
    let rows: Vec<_> = jobs.iter().map(|job| JobRow::new(job, &of_jobs)).collect();
    let mut found = BTreeSet::new();
    empty(&document::<QueueJobs>("jobs", &rows, true), "", &mut found);
    assert_eq!(found, BTreeSet::new());
    let context = sacct_values::Context { jobs: context(&cluster), units: sacct_values::Units::Best };
    let row = |job| sacct_fields::Row { job, step: None, element: None, context: &context };
    let rows: Vec<_> = jobs.iter().map(|job| (row(job), Vec::new())).collect();
    empty(&document::<AccountingJobs>("jobs", &rows, true)["jobs"], "", &mut found);
    let expected = ["/constraints", "/kill_request_user", "/mcs/label", "/script", "/stderr", "/wckey/wckey"];
    assert_eq!(found, expected.map(str::to_owned).into());
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
    let meta = Meta {
        cluster: "la/b".into(),
        command: ["squeue", "-j\t1", "--json"].map(str::to_owned).into(),
        data_parser: "data_parser/v0.0.42".into(),
        client: Client::default(),
    };
    let document =
        Document::<QueueJobs> { name: "jobs", rows: &[], times: &[("last_update", 5)], meta: &meta, complex: false };
    let mut out = Vec::new();
    document.write(Format::Json, &mut out).unwrap();
    let expected = r#"{
  "jobs": [],
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
  "errors": [],
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
        ("power", serde_json::json!({"flags": null})),
        ("hold", (job.priority == 0).into()),
        ("billable_tres", f64::from(placement.cpus()).into()),
        (
            "exit_code",
            serde_json::json!({"status": ["SUCCESS"], "return_code": 0, "signal": {"id": null, "name": null}}),
        ),
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
