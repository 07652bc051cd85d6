//! The task YAML of a submission, as far as the server acts on it; what SkyPilot refuses is refused.

use serde_json::Value;
use std::collections::BTreeMap;

/// Keys a task may have.
const KEYS: &str = "name num_nodes workdir setup run envs secrets managed_secrets file_mounts volumes resources config \
    service pool api_server_access file_mounts_mapping volume_mounts _metadata _user_specified_yaml inputs outputs \
    event_callback";

/// A task.
#[derive(Clone, Debug, Default)]
pub struct Task {
    pub name: String,
    pub nodes: u32,
    pub setup: String,
    pub run: String,
    /// `envs` and `secrets`.
    pub envs: BTreeMap<String, String>,
    /// Path below `~` (`sky_workdir` for the workdir) and path in the blob.
    pub files: Vec<(String, String)>,
    pub gpus: u32,
    pub cpus: f64,
    pub infra: String,
    pub max_restarts_on_errors: u32,
    pub recover_on_exit_codes: Vec<i32>,
    /// The whole text.
    pub yaml: String,
}

/// An exception's name and message.
pub type Refusal = (&'static str, String);

/// Keys of a job group's header.
const GROUP: [&str; 5] = ["name", "execution", "primary_tasks", "termination_delay", "inter_connection"];

fn wrong(why: String) -> Refusal {
    ("InvalidSkyPilotConfigError", format!("Invalid task YAML: {why}"))
}

impl Task {
    /// The one task of a submission: a header document and a task.
    pub fn parse(yaml: &str) -> Result<Self, Refusal> {
        let (_, tasks) = Self::parse_all(yaml)?;
        tasks.into_iter().next().ok_or_else(|| wrong("it has no task".into()))
    }

    /// The name and the tasks of a submission: a header document and a task, or the tasks of a job group.
    pub fn parse_all(yaml: &str) -> Result<(String, Vec<Self>), Refusal> {
        let documents: Vec<Value> = serde_yaml::from_multiple(yaml).map_err(|e| wrong(e.to_string()))?;
        let [header, tasks @ ..] = documents.as_slice() else { return Err(wrong("it has no header document".into())) };
        let is_group = header["execution"] == "parallel";
        let known = |key: &String| if is_group { GROUP.contains(&key.as_str()) } else { key == "name" };
        if let Some(key) = header.as_object().into_iter().flat_map(|header| header.keys()).find(|key| !known(key)) {
            return Err(wrong(format!("Found unsupported field '{key}'.")));
        }
        if tasks.len() != 1 && !is_group {
            return Err(wrong("it has not one task".into()));
        }
        let name = header["name"].as_str().unwrap_or_default().to_owned();
        let tasks: Vec<Self> = tasks.iter().map(|task| Self::of(task, yaml)).collect::<Result<_, _>>()?;
        let names: std::collections::BTreeSet<&str> = tasks.iter().map(|task| task.name.as_str()).collect();
        if names.len() != tasks.len() {
            return Err(("ValueError", "Duplicate job name in Job Group.".into()));
        }
        // Its agents would wait for names that only Kubernetes has.
        if is_group && header["inter_connection"] != false {
            return Err(("ResourcesUnavailableError", "in-group networking is only supported on Kubernetes".into()));
        }
        Ok((name, tasks))
    }

    fn of(task: &Value, yaml: &str) -> Result<Self, Refusal> {
        let task = task.as_object().ok_or_else(|| wrong("a task is no map".into()))?;
        if let Some(key) = task.keys().find(|k| !KEYS.split_whitespace().any(|known| known == *k)) {
            return Err(wrong(format!("Found unsupported field '{key}'.")));
        }
        let text = |key: &str| task.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = text("name");
        if !is_name(&name) {
            return Err((
                "ValueError",
                format!(
                    "Invalid task name {name}. Valid name: ASCII characters and may contain lowercase and uppercase \
                     letters, digits, underscores, periods, and dashes. Must start and end with alphanumeric \
                     characters. No triple dashes or underscores."
                ),
            ));
        }
        let mut envs = BTreeMap::new();
        for part in ["envs", "secrets"] {
            for (name, value) in task.get(part).and_then(Value::as_object).into_iter().flatten() {
                let value = value.as_str().ok_or_else(|| wrong(format!("{part}: {name} is not a string")))?;
                envs.insert(name.clone(), value.to_owned());
            }
        }
        let resources = task.get("resources").cloned().unwrap_or_default();
        let resources = resources.get("any_of").or(resources.get("ordered")).map_or(&resources, |list| &list[0]);
        let number = |value: &Value| -> f64 {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.trim_end_matches('+').parse().unwrap_or_default()
        };
        let recovery = &resources["job_recovery"];
        let codes = &recovery["recover_on_exit_codes"];
        let codes = codes.as_array().cloned().unwrap_or_else(|| vec![codes.clone()]);
        Ok(Self {
            nodes: task.get("num_nodes").map_or(1, |n| number(n) as u32),
            setup: text("setup"),
            run: text("run"),
            files: files(task).map_err(wrong)?,
            gpus: gpus(&resources["accelerators"]),
            cpus: number(&resources["cpus"]),
            infra: resources["infra"].as_str().unwrap_or_default().into(),
            max_restarts_on_errors: number(&recovery["max_restarts_on_errors"]) as u32,
            recover_on_exit_codes: codes.iter().filter_map(|c| c.as_i64()).map(|c| c as i32).collect(),
            yaml: yaml.into(),
            name,
            envs,
        })
    }
}

/// What of the blob goes where.
fn files(task: &serde_json::Map<String, Value>) -> Result<Vec<(String, String)>, String> {
    let mapping = task.get("file_mounts_mapping").cloned().unwrap_or_default();
    let place = |path: &str, to: &str| {
        let from = mapping[path].as_str().ok_or_else(|| format!("{path} is not in file_mounts_mapping"))?;
        Ok::<_, String>((to.trim_start_matches("~/").to_owned(), from.trim_start_matches('/').to_owned()))
    };
    let mut files = Vec::new();
    if let Some(workdir) = task.get("workdir").and_then(Value::as_str) {
        files.push(place(workdir, "sky_workdir")?);
    }
    for (to, from) in task.get("file_mounts").and_then(Value::as_object).into_iter().flatten() {
        if to.starts_with('/') {
            return Err(format!("file_mounts: {to}: this server puts nothing outside of ~"));
        }
        files.push(place(from.as_str().unwrap_or_default(), to)?);
    }
    Ok(files)
}

/// `H100:8`, `{H100: 8}`, or a list of the former.
fn gpus(accelerators: &Value) -> u32 {
    match accelerators {
        Value::String(text) => text.split_once(':').map_or(1, |(_, n)| n.parse().unwrap_or(1)),
        Value::Object(map) => map.values().next().and_then(Value::as_u64).unwrap_or(1) as u32,
        Value::Array(list) => list.first().map_or(0, gpus),
        _ => 0,
    }
}

fn is_name(name: &str) -> bool {
    let end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    end(name.chars().next())
        && end(name.chars().last())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        && !name.contains("---")
        && !name.contains("___")
}

/// The name of a managed job's cluster: the job's in 25 characters (sky/jobs/constants.py), and its number.
pub fn cluster(name: &str, job: u32) -> String {
    let plain = name.replace(['.', '_'], "-").to_lowercase();
    if plain.len() <= 25 {
        return format!("{plain}-{job}");
    }
    format!("{}-{}-{job}", plain[..22].trim_end_matches('-'), &in_base_36(md5(name))[..2])
}

fn in_base_36(mut number: u128) -> String {
    let mut digits = Vec::new();
    while number > 0 {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize]);
        number /= 36;
    }
    digits.reverse();
    String::from_utf8(digits).unwrap()
}

fn md5(text: &str) -> u128 {
    use std::io::Write;
    let mut sum = std::process::Command::new("md5sum");
    sum.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut sum = sum.spawn().unwrap();
    sum.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let out = String::from_utf8(sum.wait_with_output().unwrap().stdout).unwrap();
    u128::from_str_radix(&out[..32], 16).unwrap()
}

#[test]
fn clusters_are_named_as_by_skypilot() {
    assert_eq!(cluster("Some_job.x", 7), "some-job-x-7");
    // Computed by sky.utils.common_utils.make_cluster_name_on_cloud 0.14.1.
    assert_eq!(cluster("skyslurm-12-a-rather-long-name-of-a-job", 123), LONG);
}

#[cfg(test)]
const LONG: &str = "skyslurm-12-a-rather-l-14-123";

#[test]
fn tasks_are_read() {
    let task = Task::parse(
        "name: t\n---\nname: t\nnum_nodes: 2\nworkdir: /v/w\nfile_mounts: {~/.a: /v/a}\nfile_mounts_mapping: {/v/w: w, /v/a: a}\n\
         envs: {A: b}\nresources: {accelerators: H100:8, cpus: 4+, job_recovery: {recover_on_exit_codes: [75]}}\nrun: |\n  echo '---'\n",
    )
    .unwrap();
    assert_eq!((task.nodes, task.gpus, task.cpus, task.recover_on_exit_codes), (2, 8, 4.0, vec![75]));
    assert_eq!(task.files, [("sky_workdir".into(), "w".into()), (".a".into(), "a".into())]);
    assert_eq!(task.run, "echo '---'\n");
    assert_eq!(Task::parse("name: t\n---\nname: t\nbogus: 1\n").unwrap_err().0, "InvalidSkyPilotConfigError");
    assert_eq!(Task::parse("name: t\n---\nname: t t\n").unwrap_err().0, "ValueError");
}
