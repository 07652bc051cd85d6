use super::*;
use crate::{
    config::SkyQos,
    job::{Gpus, Memory, Needs},
    slurm::gres::GresList,
};
use proptest::prelude::*;

fn partition(text: &str) -> PartitionConfig {
    toml::from_str(&format!("name = \"p\"\n{text}")).unwrap()
}

fn request(gpus_per_node: &str) -> Request {
    let gpus_per_node = GresList::parse_gpus(gpus_per_node).unwrap().0;
    Request { name: "train".into(), gpus_per_node, ..Request::default() }
}

fn sealed() -> Carrier<'static> {
    Carrier::Sealed { name: "skyslurm-7f3a-12", payload: "c2VhbGVk", workdir: true, component: None }
}

/// The task of `request` in `partition`, with what the server offers there; or the error.
fn task(
    request: &Request,
    partition: &PartitionConfig,
    offered: &[(&str, &[u32])],
    carrier: &Carrier,
) -> Result<Task, String> {
    let offered: Vec<(String, Vec<u32>)> =
        offered.iter().map(|(name, counts)| ((*name).to_owned(), counts.to_vec())).collect();
    let mut settings = SkypilotConfig::default();
    settings.qos.insert("low".into(), SkyQos { priority: -990, priority_class: None });
    let shape = Shape::of(&Needs::of(request, None), 8)?;
    Task::of(request, &Facts { partition, settings: &settings, shape: &shape, offered: &offered }, carrier)
}

fn resources(request: &Request, of: &str, offered: &[(&str, &[u32])]) -> String {
    match task(request, &partition(of), offered, &sealed()) {
        Ok(task) => yaml::document(&task.resources),
        Err(error) => error,
    }
}

#[test]
fn what_is_submitted() {
    let of = "infra = \"kubernetes/research\"\nfile_mounts = { \"/models\" = \"s3://models\" }";
    let request = Request { nodes: "2".parse().ok(), ..request("h100:8") };
    let task = task(&request, &partition(of), &[], &sealed()).unwrap();
    insta::assert_snapshot!(task.submission(), @"
    name: skyslurm-7f3a-12
    ---
    name: skyslurm-7f3a-12
    num_nodes: 2
    workdir: /workdir
    resources:
      infra: kubernetes/research
      accelerators: H100:8
      cpus: 1+
      labels:
        slurm-job-name: train
    file_mounts:
      /models: s3://models
      ~/.skyslurm: /agent
    secrets:
      SKYSLURM_JOB: c2VhbGVk
    run: |
      chmod 700 ~/.skyslurm ~/.skyslurm/skyslurm && exec ~/.skyslurm/skyslurm agent
    file_mounts_mapping:
      /agent: agent
      /workdir: workdir
    ");
}

#[test]
fn without_a_work_directory_none_is_named() {
    let carrier = Carrier::Sealed { name: "a", payload: "", workdir: false, component: None };
    let task = task(&request(""), &partition("infra = \"aws\""), &[], &carrier).unwrap();
    assert_eq!(task.workdir, None);
    assert_eq!(task.file_mounts_mapping.len(), 1);
}

#[test]
fn gpus_without_a_type() {
    let offered: &[(&str, &[u32])] = &[("H100", &[1, 2, 4, 8]), ("A100", &[8]), ("L4", &[1])];
    let texts = [
        resources(&request("8"), "infra = \"aws\"", offered),
        resources(&request("1"), "infra = [\"aws\", \"gcp\"]", offered),
        resources(&request("4"), "infra = \"aws\"", offered),
        resources(&request("4"), "infra = \"aws\"\ngpu_type = \"l40s\"", offered),
        resources(&request("5"), "infra = \"aws\"", offered),
        resources(&request("5"), "infra = \"aws\"", &[]),
    ];
    insta::assert_snapshot!(texts.join("\n--\n"), @"
    infra: aws
    accelerators:
      H100: 8
      A100: 8
    cpus: 1+
    labels:
      slurm-job-name: train

    --
    cpus: 1+
    labels:
      slurm-job-name: train
    ordered:
      - infra: aws
        accelerators: H100:1
      - infra: aws
        accelerators: L4:1
      - infra: gcp
        accelerators: H100:1
      - infra: gcp
        accelerators: L4:1

    --
    infra: aws
    accelerators: H100:4
    cpus: 1+
    labels:
      slurm-job-name: train

    --
    infra: aws
    accelerators: L40S:4
    cpus: 1+
    labels:
      slurm-job-name: train

    --
    5 GPUs on one node cannot be had in partition p; it offers H100 (1, 2, 4, 8), A100 (8), L4 (1) on one node
    --
    no GPU type is named, and none is known of partition p; name one (--gpus-per-node=TYPE:5), or set gpu_type of the partition in the configuration
    ");
}

#[test]
fn what_no_server_could_give_is_refused_at_once() {
    let refused = |request: Request, of: &str| {
        super::refused(&request, &Needs::of(&request, None), &partition(of), &SkypilotConfig::default())
    };
    let image = |image: &str| Request { container_image: Some(image.into()), ..request("2") };
    let aws = "infra = \"aws\"";
    assert_eq!(refused(request("2"), aws), None);
    assert_eq!(refused(image("ubuntu"), aws), None);
    assert!(refused(image("/a.sqsh"), aws).is_some_and(|why| why.starts_with("--container-image=/a.sqsh: ")));
    assert!(refused(image("ubuntu"), "pool = \"w\"").is_some_and(|why| why.contains("pool w")));
    assert!(refused(request("16"), aws).is_some_and(|why| why.contains("at most 8")));
    assert_eq!(refused(request("16"), "infra = \"aws\"\ngpus_per_node = 16"), None);
    let listed = Request { nodelist: vec!["n1".into()], ..request("") };
    assert!(refused(listed, aws).is_some_and(|why| why.starts_with("--nodelist: ")));
}

#[test]
fn disks_are_never_made_smaller_than_skypilot_s() {
    let disk = |of: &str, tmp: u64| {
        let text = resources(&Request { tmp: Some(tmp * 1024), ..request("") }, of, &[]);
        text.lines().find_map(|line| line.strip_prefix("disk_size: ").map(str::to_owned))
    };
    assert_eq!(disk("infra = \"aws/us-east-1\"", 100), None);
    assert_eq!(disk("infra = \"aws/us-east-1\"", 1000).as_deref(), Some("1000"));
    assert_eq!(disk("infra = \"k8s/a\"", 100).as_deref(), Some("100"));
    assert_eq!(disk("infra = [\"k8s/a\", \"aws\"]", 100), None);
    assert_eq!(disk("pool = \"w\"", 1000), None);
}

#[test]
fn priorities_stay_within_bounds() {
    let priority = |qos: Option<&str>, nice: i32| {
        let request = Request { qos: qos.map(str::to_owned), nice, ..request("") };
        let text = resources(&request, "infra = \"aws\"", &[]);
        text.lines().find_map(|line| line.strip_prefix("priority: ").map(str::to_owned))
    };
    assert_eq!(priority(None, 0), None);
    assert_eq!(priority(Some("unknown"), 0), None);
    assert_eq!(priority(Some("low"), 0).as_deref(), Some("-990"));
    assert_eq!(priority(Some("low"), 100).as_deref(), Some("-1000"));
    assert_eq!(priority(None, i32::MIN).as_deref(), Some("1000"));
}

#[test]
fn the_partition_s_own_resources_go_over_ours() {
    let of = "infra = \"aws\"\n[resources]\ncpus = \"4\"\nports = [8080]\n[resources.labels]\nslurm-job-name = \"x\"\nteam = \"1\"";
    insta::assert_snapshot!(resources(&request(""), of, &[]), @r#"
    infra: aws
    cpus: "4"
    labels:
      slurm-job-name: x
      team: "1"
    ports:
      - 8080
    "#);
}

/// What came of YAML that is text: PyYAML would have it otherwise.
#[test]
fn variables_stay_text() {
    let mut task = task(&request(""), &partition("infra = \"aws\""), &[], &sealed()).unwrap();
    for (name, value) in [("A", "1"), ("B", "yes"), ("C", "null"), ("D", "2026-01-02"), ("E", "1:30"), ("F", "a\nb")] {
        task.envs.insert(name.into(), value.into());
    }
    let text = task.yaml();
    let (_, envs) = text.split_once("envs:\n").unwrap();
    insta::assert_snapshot!(envs.split_once("secrets:").unwrap().0, @r#"
    A: "1"
    B: "yes"
    C: "null"
    D: "2026-01-02"
    E: "1:30"
    F: |-
      a
      b
    "#);
}

proptest! {
    /// Any name, variable, script and argument survives a reading of the YAML.
    #[test]
    fn names_are_data(
        name in "(\\PC|[-\"'\n:#{}\\[\\]&*!|>%@`]){0,40}",
        value in "(\\PC|[ \n\t:#'\"\\\\$]){0,40}",
        script in "(\\PC|[ \n\t:#'\"\\\\$]){0,200}",
        argument in "(\\PC|[ \n'\"$]){0,20}",
        gpus in prop::option::of(1u64..9),
        memory in prop::option::of(1u64..1_000_000),
    ) {
        let text = format!("#!/bin/sh\n{script}");
        let request = Request {
            name: name.clone(),
            account: Some(name.clone()),
            args: vec![argument.clone().into_bytes()],
            memory: memory.map(Memory::PerNode),
            ..request(&gpus.map(|n| n.to_string()).unwrap_or_default())
        };
        prop_assert_eq!(Needs::of(&request, None).gpus, Gpus::None);
        let carrier = Carrier::Plain {
            program: "/bin/skyslurm",
            workdir: Some(&value),
            options: &[format!("--job-name={name}")],
            script: Script::Text(&text),
        };
        let mut partition = partition("infra = \"aws\"");
        partition.labels.insert(name.clone(), value.clone());
        partition.setup = Some(value.clone());
        let mut task = task(&request, &partition, &[], &carrier).unwrap();
        task.envs.insert("X".into(), value.clone());
        prop_assert!(task.run.contains(&script));
        let yaml = task.yaml();
        let read: Value = serde_yaml::from_str(&yaml).map_err(|e| TestCaseError::fail(format!("{e}\n{yaml}")))?;
        prop_assert_eq!(read, serde_yaml::to_value(&task).unwrap(), "{}", yaml);
    }
}

#[test]
fn a_group_is_its_tasks_under_one_header() {
    let of = |name: &'static str, component| {
        let carrier = Carrier::Sealed { name, payload: "c2VhbGVk", workdir: false, component: Some(component) };
        task(&request(""), &partition("infra = \"slurm/lab\""), &[], &carrier).unwrap()
    };
    insta::assert_snapshot!(Task::group("a-1-x", &[of("a-1-x", 0), of("a-2-y", 1)]), @r#"
    name: a-1-x
    execution: parallel
    inter_connection: false
    ---
    name: a-1-x
    resources:
      infra: slurm/lab
      cpus: 1+
      labels:
        slurm-job-name: train
    file_mounts:
      ~/.skyslurm: /agent
    envs:
      SKYSLURM_COMPONENT: "0"
    secrets:
      SKYSLURM_JOB: c2VhbGVk
    run: |
      chmod 700 ~/.skyslurm ~/.skyslurm/skyslurm && exec ~/.skyslurm/skyslurm agent
    file_mounts_mapping:
      /agent: agent
    ---
    name: a-2-y
    resources:
      infra: slurm/lab
      cpus: 1+
      labels:
        slurm-job-name: train
    file_mounts:
      ~/.skyslurm: /agent
    envs:
      SKYSLURM_COMPONENT: "1"
    secrets:
      SKYSLURM_JOB: c2VhbGVk
    run: |
      chmod 700 ~/.skyslurm ~/.skyslurm/skyslurm && exec ~/.skyslurm/skyslurm agent
    file_mounts_mapping:
      /agent: agent
    "#);
}
