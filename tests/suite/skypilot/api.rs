//! The endpoints: what is answered at once, and what happens behind a POST.

use super::{
    clusters,
    http::{self, Answer, Request, Stream},
    jobs::{self, Job, Order, is_over, now},
    nodes,
    server::{Fault, Record, Shared, State},
    stream::Tail,
    task::{Refusal, Task},
};
use serde_json::{Map, Value, json};
use std::{
    fs, io,
    net::TcpStream,
    path::{Component, Path, PathBuf},
    sync::Arc,
    thread,
};

/// What happens behind a request: its return value, or an exception.
type Work = fn(&Arc<Shared>, &Value, &str) -> Result<Value, Refusal>;

/// Path, the request's name, the fields that must be there, and what it does.
const WORKS: [(&str, &str, &[&str], Work); 13] = [
    ("/jobs/launch", "sky.jobs.launch", &["task", "name"], launch),
    ("/jobs/cancel", "sky.jobs.cancel", &[], cancel),
    ("/jobs/queue/v2", "sky.jobs.queue_v2", &[], queue),
    ("/jobs/events", "sky.jobs.events", &["job_id"], events),
    ("/exec", "sky.exec", &["task", "cluster_name"], exec),
    ("/launch", "sky.launch", &["task", "cluster_name"], clusters::launch),
    ("/down", "sky.down", &["cluster_name"], clusters::down),
    ("/status", "sky.status", &[], clusters::status),
    ("/job_status", "sky.job_status", &["cluster_name"], clusters::job_status),
    ("/api/cancel", "sky.api_cancel", &["request_ids"], clusters::cancel_requests),
    ("/optimize", "sky.optimize", &["dag", "request_options"], optimize),
    ("/enabled_clouds", "sky.enabled_clouds", &[], |shared, _, _| Ok(json!(shared.lock().settings.enabled))),
    ("/slurm_node_info", "sky.slurm_node_info", &[], |_, _, _| Ok(slurm_nodes())),
];

/// The same for what has no state.
const MORE: [(&str, &str, Work); 2] = [
    ("/slurm_gpu_availability", "sky.slurm_gpu_availability", |_, _, _| {
        Ok(json!([["lab", [["H100", [1, 2, 4], 4, 4]], null]]))
    }),
    ("/kubernetes_node_info", "sky.kubernetes_node_info", |_, _, _| {
        let node = json!({
            "name": "k1", "accelerator_type": "H100", "total": { "accelerator_count": 8 },
            "free": { "accelerators_available": 8 }, "ip_address": "10.0.0.1", "cpu_count": 64.0, "cpu_free": 64.0,
            "memory_gb": 512.0, "memory_free_gb": 512.0, "is_ready": true, "is_cordoned": false, "taints": [],
        });
        Ok(json!({ "node_info_dict": { "k1": node }, "hint": "" }))
    }),
];

/// Whether a request has the token that is wanted, if one is.
pub fn is_authorized(shared: &Shared, request: &Request) -> bool {
    let token = shared.lock().settings.token.clone();
    token.is_none_or(|t| request.header("authorization") == Some(&format!("Bearer {t}")))
}

/// Answers a request; the connection is to be closed when that fails.
pub fn answer(shared: &Arc<Shared>, request: &Request, fault: Option<Fault>, to: &mut TcpStream) -> io::Result<()> {
    let id = shared.request_id();
    let version = shared.lock().settings.api_version;
    let lost = fault == Some(Fault::AnswerLost);
    let late = match fault {
        Some(Fault::Late(time)) => time,
        _ => std::time::Duration::ZERO,
    };
    let reply = |to: &mut TcpStream, status: u16, body: Value| {
        let (since, generation) = (std::time::Instant::now(), shared.lock().generation);
        shared.wait(|s| (s.stopping || s.generation != generation || since.elapsed() >= late).then_some(()));
        if lost {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        http::send(to, version, &Answer { status, id: id.clone(), body: body.to_string() })
    };
    let theirs: Option<u32> = request.header("x-skypilot-api-version").and_then(|v| v.parse().ok());
    if theirs.is_some_and(|v| v < 24) {
        let text = "Client version is too old";
        return reply(to, 400, json!({ "error": "version_mismatch", "message": text }));
    }
    if request.path == "/api/health" {
        return reply(to, 200, health(version));
    }
    if !is_authorized(shared, request) {
        return reply(to, 401, json!({ "detail": "Invalid or expired service account token" }));
    }
    let body = request.json();
    match request.path.as_str() {
        "/api/get" => {
            let (status, body) = get(shared, request.query("request_id"));
            reply(to, status, body)
        }
        "/api/status" => reply(to, 200, clusters::requests(shared, request)),
        "/api/stream" => {
            let said = shared.lock().requests.get(request.query("request_id")).map(|r| r.said.clone());
            let Some(said) = said else { return reply(to, 404, json!({ "detail": "not found" })) };
            let _ = get(shared, request.query("request_id"));
            let said = shared.lock().requests.get(request.query("request_id")).map_or(said, |r| r.said.clone());
            let mut stream = Stream::begin(to, version, &id)?;
            stream.write(said.as_bytes())?;
            stream.end()
        }
        "/upload_v2/blob" | "/upload_v2" if version < 41 => reply(to, 404, json!({ "detail": "Not Found" })),
        "/upload" => match upload_v1(shared, request) {
            Ok(answer) => reply(to, 200, answer),
            Err(why) => reply(to, 500, json!({ "detail": why })),
        },
        "/upload_v2/blob" => match blob_path(shared, request.query("blob_id")) {
            Some(path) => reply(to, 200, json!({ "exists": path.is_dir() })),
            None => reply(to, 400, json!({ "detail": format!("Invalid blob_id: {}", request.query("blob_id")) })),
        },
        "/upload_v2" => match upload(shared, request) {
            Ok(answer) => reply(to, 200, answer),
            Err(why) => reply(to, 400, json!({ "detail": why })),
        },
        "/jobs/logs" | "/logs" => {
            let found = if request.path == "/logs" {
                let state = shared.lock();
                on_cluster(&state, &body["cluster_name"]).map(|j| j.id)
            } else {
                let part = body["task"].as_u64().unwrap_or_default();
                Ok(part_of(&shared.lock(), body["job_id"].as_u64().unwrap_or_default() as u32, part as u32))
            };
            let record = Record { created: now(), ..Record::default() };
            shared.with(|s| s.requests.insert(id.clone(), record));
            let client = to.try_clone()?;
            let stream = Stream::begin(to, version, &id)?;
            let follow = body["follow"].as_bool().unwrap_or(true);
            let result = match found {
                Err(refusal) => {
                    stream.end()?;
                    Err(refusal)
                }
                Ok(job) => {
                    let tail = Tail::new(shared, job, stream, client);
                    let told = if request.path == "/logs" { tail.cluster(follow) } else { tail.managed(follow) };
                    match told {
                        Ok(code) => Ok(json!(code)),
                        Err(error) => {
                            finish(shared, &id, Err(("RequestCancelled", "cut".into())));
                            return Err(error);
                        }
                    }
                }
            };
            finish(shared, &id, result);
            Ok(())
        }
        path => {
            let more = MORE.iter().map(|(path, name, work)| (*path, *name, &[][..], *work));
            let works = WORKS.iter().map(|(path, name, needs, work)| (*path, *name, *needs, *work));
            let Some((_, name, needs, work)) = works.chain(more).find(|(known, ..)| *known == path) else {
                return reply(to, 404, json!({ "detail": "Not Found" }));
            };
            if let Some(missing) = needs.iter().find(|n| body.get(**n).is_none()) {
                let what = json!([{ "type": "missing", "loc": ["body", missing], "msg": "Field required" }]);
                return reply(to, 422, json!({ "detail": what }));
            }
            let cluster = body["cluster_name"].as_str().unwrap_or_default().to_owned();
            let record = Record { name, created: now(), cluster, ..Record::default() };
            shared.with(|s| s.requests.insert(id.clone(), record));
            let is_launch = path == "/launch";
            let (shared, own, path) = (shared.clone(), id.clone(), path.to_owned());
            let behind = move || {
                let since = std::time::Instant::now();
                shared.wait(|s| {
                    let time = s.settings.work_of.get(&path).copied().unwrap_or(s.settings.work);
                    (s.stopping || since.elapsed() >= time).then_some(())
                });
                let interrupted = || Err(("RequestInterruptedError", "API server restarted; submit again.".to_owned()));
                let result = match fault {
                    Some(Fault::Interrupted) => interrupted(),
                    Some(Fault::InterruptedAfter) => work(&shared, &body, &own).and(interrupted()),
                    _ => work(&shared, &body, &own),
                };
                finish(&shared, &own, result);
            };
            // An answer that gets lost gets lost after the work; but a launch goes on for long.
            if lost && !is_launch {
                behind()
            } else {
                drop(thread::spawn(behind))
            }
            reply(to, 200, Value::Null)
        }
    }
}

fn finish(shared: &Shared, id: &str, result: Result<Value, Refusal>) {
    shared.with(|s| {
        let Some(record) = s.requests.get_mut(id).filter(|record| !record.is_cancelled) else { return };
        record.finished = Some(now());
        record.result = Some(result.map_err(|(kind, message)| (kind.to_owned(), message)));
    });
}

fn health(version: u32) -> Value {
    json!({
        "status": "healthy", "api_version": version.to_string(), "version": "0.14.1", "version_on_disk": "0.14.1",
        "commit": "7e595970a806dcc9eefadf459f399edf1733e962", "basic_auth_enabled": false, "user": null,
        "service_account_token_enabled": false, "ingress_basic_auth_enabled": false, "latest_version": null,
        "external_proxy_auth_enabled": true, "telemetry_enabled": false, "restrict_config_to_admins": true,
    })
}

/// `/api/get`: waits for the request's end.
fn get(shared: &Shared, id: &str) -> (u16, Value) {
    let record = shared.wait(|s| match s.requests.get(id) {
        None => Some(None),
        Some(record) if record.result.is_some() => Some(Some(record.clone())),
        Some(_) => (s.stopping || !s.up).then_some(None),
    });
    let Some(record) = record else {
        return (404, json!({ "detail": format!("Request '{id}' not found") }));
    };
    let Some(result) = record.result else { return (500, Value::Null) };
    if record.is_cancelled {
        return (200, json!({ "request_id": id, "status": "CANCELLED", "return_value": "null", "error": "null" }));
    }
    let error =
        result.as_ref().err().map(|(kind, message)| json!({ "object": "gASV", "type": kind, "message": message }));
    let value = result.as_ref().ok().cloned().unwrap_or_default();
    let body = json!({
        "request_id": id, "name": record.name, "entrypoint": "gASV", "request_body": "gASV",
        "status": if error.is_some() { "FAILED" } else { "SUCCEEDED" }, "created_at": record.created, "user_id": "0",
        // JSON inside strings.
        "return_value": value.to_string(), "error": error.clone().unwrap_or_default().to_string(), "pid": 1,
        "schedule_type": "short", "user_name": null, "cluster_name": null, "status_msg": null, "should_retry": false,
        "finished_at": record.finished, "file_mounts_blob_id": null,
    });
    if error.is_some() { (500, json!({ "detail": body })) } else { (200, body) }
}

fn launch(shared: &Arc<Shared>, body: &Value, _: &str) -> Result<Value, Refusal> {
    let (name, tasks) = Task::parse_all(body["task"].as_str().unwrap_or_default())?;
    let tasks: Vec<Arc<Task>> = tasks.into_iter().map(Arc::new).collect();
    let task = tasks.first().cloned().ok_or(("ValueError", "no task".to_owned()))?;
    if let Some(cluster) =
        task.infra.strip_prefix("slurm/").and_then(|rest| rest.split('/').next()).filter(|c| *c != "lab")
    {
        let text = "Slurm only supports cluster names as regions. Available clusters: ['lab']";
        return Err(("ValueError", format!("Cluster {cluster} not found in Slurm config. {text}")));
    }
    let version = shared.lock().settings.api_version;
    if version < 56 && !body["num_jobs"].is_null() && body["pool"].is_null() {
        return Err(("ValueError", "Cannot specify num_jobs without pool.".into()));
    }
    let blob = files_for(shared, &task, body)?;
    let count = body["num_jobs"].as_u64().unwrap_or(1) as u32;
    let new =
        |task: &Arc<Task>, rank, group| jobs::New { task: task.clone(), rank, count, blob: Some(blob.clone()), group };
    if tasks.len() > 1 {
        let ids = shared.with(|s| {
            let mut ids: Vec<u32> = Vec::new();
            for (part, task) in (0..).zip(&tasks) {
                let group = Some((name.clone(), part, ids.first().copied()));
                ids.push(jobs::add(s, new(task, 0, group), body));
            }
            ids
        });
        jobs::begin(shared, &ids);
        return Ok(json!({ "job_id": [ids[0]], "handle": "gASV" }));
    }
    let ids: Vec<u32> = shared.with(|s| (0..count).map(|rank| jobs::add(s, new(&task, rank, None), body)).collect());
    jobs::begin(shared, &ids);
    Ok(json!({ "job_id": ids, "handle": "gASV" }))
}

fn cancel(shared: &Arc<Shared>, body: &Value, id: &str) -> Result<Value, Refusal> {
    let user = body["env_vars"]["SKYPILOT_USER"].as_str().unwrap_or("server");
    let why = format!("Cancellation requested by user {user} (request ID: {id})");
    let wanted: Vec<u32> =
        body["job_ids"].as_array().into_iter().flatten().filter_map(Value::as_u64).map(|j| j as u32).collect();
    shared.with(|s| {
        for job in
            s.jobs.values_mut().filter(|j| !is_over(j.status) && (wanted.contains(&j.number) || body["name"] == j.name))
        {
            job.order = Some(Order::Cancel(why.clone()));
        }
    });
    Ok(Value::Null)
}

fn events(shared: &Arc<Shared>, body: &Value, _: &str) -> Result<Value, Refusal> {
    let job = body["job_id"].as_u64().unwrap_or_default() as u32;
    let limit = body["limit"].as_u64().unwrap_or(u64::MAX) as usize;
    let state = shared.lock();
    let events = state.jobs.values().filter(|j| j.number == job).flat_map(|j| &j.events);
    let mut events: Vec<Value> = events.cloned().collect();
    events.sort_by_key(|event| std::cmp::Reverse(event["timestamp"].as_str().map(str::to_owned)));
    events.truncate(limit);
    Ok(events.into())
}

fn queue(shared: &Arc<Shared>, body: &Value, _: &str) -> Result<Value, Refusal> {
    let state = shared.lock();
    let newer = json!("cluster_name_on_cloud");
    if state.settings.api_version < 31 && body["fields"].as_array().is_some_and(|f| f.contains(&newer)) {
        return Err(("ValueError", "Unknown field: cluster_name_on_cloud".into()));
    }
    let has = |list: &Value, item: Value| list.as_array().is_none_or(|l| l.contains(&item));
    let all_users = body["all_users"].as_bool() == Some(true);
    let wanted = |job: &&Job| {
        job.own_cluster.is_none()
            && !state.forgotten.contains(&job.id)
            && has(&body["job_ids"], json!(job.number))
            && has(&body["statuses"], json!(job.status))
            && body["name_match"].as_str().is_none_or(|m| job.name.contains(m))
            && (body["skip_finished"].as_bool() != Some(true) || !is_over(job.status))
            && (all_users || body["env_vars"]["SKYPILOT_USER_ID"].as_str().is_none_or(|h| h == job.user_hash))
    };
    let rows: Vec<&Job> = state.jobs.values().rev().filter(wanted).collect();
    let mut counts = Map::new();
    for job in &rows {
        let count = counts.get(job.status).and_then(Value::as_u64).unwrap_or_default();
        counts.insert(job.status.into(), json!(count + 1));
    }
    let limit = body["limit"].as_u64().map_or(usize::MAX, |l| l as usize);
    let skip = body["page"].as_u64().map_or(0, |p| p.saturating_sub(1) as usize).saturating_mul(limit.min(1 << 20));
    let jobs: Vec<Value> = rows.iter().skip(skip).take(limit).map(|job| row(job, body["fields"].as_array())).collect();
    Ok(json!({
        "jobs": jobs, "total": rows.len(), "total_no_filter": state.jobs.len(), "status_counts": counts,
        "infra_options": ["slurm/lab"],
    }))
}

/// Columns that these jobs have nothing for.
const ALWAYS_NULL: &str = "dag_yaml_path env_file_path priority_class original_user_yaml_path pool_hash current_cluster_name \
    cluster_name_on_cloud job_id_on_pool_cluster labels links is_primary_in_job_group root_job_id parent_job_id \
    parent_task_id dynamic_task_index batch_total_batches batch_completed_batches internal_external_ips internal_services";

fn row(job: &Job, fields: Option<&Vec<Value>>) -> Value {
    let placed = job.start_at.is_some();
    let known = |text: &str| if placed { json!(text) } else { json!("-") };
    let resources = format!("{}x[CPU:{}]", job.task.nodes, job.task.cpus);
    let duration = job.start_at.map_or(0.0, |start| job.end_at.unwrap_or_else(now) - start);
    let nodes: Vec<String> = (1..=job.task.nodes).map(|n| format!("job{}-n{n}", job.id)).collect();
    let mut row = json!({
        "_job_id": job.number, "job_id": job.number, "task_id": job.part, "job_name": job.name, "task_name": job.task.name,
        "job_duration": duration, "workspace": "default", "status": job.status, "schedule_state": job.schedule_state,
        "resources": resources, "cluster_resources": known(&resources), "cluster_resources_full": known(&resources),
        "cloud": known("Slurm"), "region": known("lab"), "zone": known("main"), "infra": known("Slurm (lab)"),
        "recovery_count": job.recovery_count, "details": job.details, "failure_reason": job.failure_reason,
        "user_name": job.user, "user_hash": job.user_hash, "submitted_at": job.submitted_at, "start_at": job.start_at,
        "end_at": job.end_at, "last_recovered_at": job.last_recovered_at, "user_yaml": job.task.yaml, "pool": job.pool,
        "entrypoint": "", "metadata": {}, "controller_pid": 1, "controller_pid_started_at": 1.0,
        "run_timestamp": "sky-2026-11-20-16-18-51-483955", "priority": 0, "execution": "serial",
        "node_names": placed.then(|| nodes.join(",")), "is_job_group": false, "is_batch": false,
    });
    for name in ALWAYS_NULL.split_whitespace() {
        row[name] = Value::Null;
    }
    // Its cluster is known before it is said to run.
    if job.status == "STARTING" && job.runs > 0 {
        row["cluster_name_on_cloud"] = json!(job.cluster());
    }
    let Some(fields) = fields else { return row };
    // `task_id` is there, and null unless it was asked for.
    let mut few = Map::from_iter([("job_id".to_owned(), json!(job.number)), ("task_id".into(), Value::Null)]);
    for field in fields.iter().filter_map(Value::as_str) {
        few.insert(field.into(), row[field].clone());
    }
    Value::Object(few)
}

fn exec(shared: &Arc<Shared>, body: &Value, _: &str) -> Result<Value, Refusal> {
    let task = Task::parse(body["task"].as_str().unwrap_or_default())?;
    let homes = on_cluster(&shared.lock(), &body["cluster_name"])?.homes.clone();
    let blob = files_of(shared, body)?;
    for (to, from) in task.files.iter().filter(|(to, _)| to == "sky_workdir") {
        for home in &homes {
            let from = blob.join(from);
            nodes::copy(&from, &home.join(to)).map_err(|e| ("CommandError", format!("rsync failed: {e}")))?;
        }
    }
    Ok(json!({ "job_id": if task.run.is_empty() { Value::Null } else { json!(2) }, "handle": "gASV" }))
}

/// What a task of a job is found by.
pub fn part_of(state: &State, number: u32, part: u32) -> u32 {
    state.jobs.values().find(|j| (j.number, j.part) == (number, part)).map_or(number, |j| j.id)
}

/// The same, with all that the task wants of it.
pub fn files_for(shared: &Shared, task: &Task, body: &Value) -> Result<PathBuf, Refusal> {
    let blob = files_of(shared, body)?;
    match task.files.iter().map(|(_, from)| blob.join(from)).find(|from| !from.exists()) {
        Some(from) => Err(("ValueError", format!("File mount source '{}' does not exist locally.", from.display()))),
        None => Ok(blob),
    }
}

/// The directory that `file_mounts_mapping` leads into: a blob's, or the one for all that the user ever sent the older way.
fn files_of(shared: &Shared, body: &Value) -> Result<PathBuf, Refusal> {
    let id = body["file_mounts_blob_id"].as_str().filter(|_| shared.lock().settings.api_version >= 41);
    let Some(id) = id else {
        return Ok(client_files(shared, body["env_vars"]["SKYPILOT_USER_ID"].as_str().unwrap_or("5e57e700")));
    };
    let found = blob_path(shared, id).filter(|p| p.is_dir());
    found.ok_or_else(|| ("ValueError", format!("File mounts blob {id} not found")))
}

/// The job whose cluster this is.
pub fn on_cluster<'a>(state: &'a State, cluster: &Value) -> Result<&'a Job, Refusal> {
    let name = cluster.as_str().unwrap_or_default();
    let found = state.jobs.values().find(|j| j.cluster_is_up && j.cluster() == name);
    found.ok_or_else(|| ("ClusterDoesNotExist", format!("\x1b[33mCluster '{name}' does not exist.\x1b[0m")))
}

fn optimize(shared: &Arc<Shared>, body: &Value, id: &str) -> Result<Value, Refusal> {
    let task = Task::parse(body["dag"].as_str().unwrap_or_default())?;
    let why = shared.lock().settings.unsatisfiable.clone().or_else(|| misfit(&task));
    if let Some(why) = why {
        return Err(("ResourcesUnavailableError", why));
    }
    let rule = "-".repeat(71);
    let nodes = task.nodes;
    let s = if nodes == 1 { "" } else { "s" };
    let table = format!(
        "\rConsidered resources ({nodes} node{s}):\n{rule}\r\n INFRA         INSTANCE   vCPUs   Mem(GB)   GPUS   COST ($)   CHOSEN   \r\n{rule}\r\n \
         Slurm (lab)   -          1       1         -      0.00       \x1b[32m   ✔\x1b[0m     \r\n{rule}\n"
    );
    shared.with(|s| s.requests.get_mut(id).into_iter().for_each(|r| r.said.clone_from(&table)));
    Ok(Value::Null)
}

/// Why no node of this cluster is large enough.
pub fn misfit(task: &Task) -> Option<String> {
    (task.cpus > 16.0 || task.gpus > 4).then(|| {
        format!(
            "Catalog does not contain any instances satisfying the request: {}x Slurm(cpus={}, region=lab).\nTo fix: relax or change the resource requirements.\n\nHint: \x1b[1msky gpus list\x1b[0m to list available accelerators.\n      \x1b[1msky check\x1b[0m to check the enabled clouds.",
            task.nodes, task.cpus
        )
    })
}

fn slurm_nodes() -> Value {
    let node = |name: &str, gpus: u32, partition: &str| {
        json!({
            "node_name": name, "slurm_cluster_name": "lab", "node_state": "idle",
            "gpu_type": (gpus > 0).then_some("H100"), "total_gpus": gpus, "free_gpus": gpus, "vcpu_count": 16,
            "memory_gb": 62.5, "free_vcpus": 16, "free_alloc_memory_gb": 62.5, "cpu_load": 0.64,
            "free_memory_gb": 1.55, "partition": partition,
        })
    };
    json!([node("n1", 0, "main*"), node("n2", 0, "main*"), node("n3", 4, "main*,gpu")])
}

/// Where a blob's files are; `None` if that is no id.
fn blob_path(shared: &Shared, id: &str) -> Option<PathBuf> {
    let is_id = id.len() == 64 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    is_id.then(|| shared.root.join("blobs").join(id))
}

/// Where all of a user's files are that came the older way.
fn client_files(shared: &Shared, user: &str) -> PathBuf {
    shared.root.join("blobs/clients").join(user)
}

/// The older way, of one chunk: unpacked over what is there.
fn upload_v1(shared: &Shared, request: &Request) -> Result<Value, String> {
    let id = request.query("upload_id");
    let shape: String = id.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).take(31).collect();
    if shape != "sky-0000-00-00-00-00-00-000000-" || id.len() != 39 {
        return Err(format!("Invalid upload_id: {id}. Please use a valid uuid."));
    }
    if request.query("total_chunks") != "1" {
        return Err("this server takes one chunk".into());
    }
    let mut whole = tempfile::tempfile_in(&shared.root).map_err(|e| e.to_string())?;
    io::Write::write_all(&mut whole, &request.body).map_err(|e| e.to_string())?;
    unpack(whole, &client_files(shared, request.query("user_hash")))?;
    Ok(json!({ "status": "completed", "missing_chunks": null }))
}

/// A chunk of a blob; with the last one the blob is unpacked, modes forgotten.
fn upload(shared: &Shared, request: &Request) -> Result<Value, String> {
    let number = |name| request.query(name).parse::<usize>().map_err(|e| format!("{name}: {e}"));
    let (index, total) = (number("chunk_index")?, number("total_chunks")?);
    let blob = blob_path(shared, request.query("upload_id")).ok_or("Invalid upload_id")?;
    let parts = blob.with_extension("parts");
    let io = |e: io::Error| e.to_string();
    fs::create_dir_all(&parts).map_err(io)?;
    fs::write(parts.join(index.to_string()), &request.body).map_err(io)?;
    let missing: Vec<usize> = (0..total).filter(|i| !parts.join(i.to_string()).is_file()).collect();
    if !missing.is_empty() {
        return Ok(json!({ "status": "uploading", "missing_chunks": missing }));
    }
    // Two that upload the same at once do not meet.
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(|p| p.into_inner());
    if !blob.is_dir() {
        let mut whole = tempfile::tempfile_in(&shared.root).map_err(io)?;
        for index in 0..total {
            io::copy(&mut fs::File::open(parts.join(index.to_string())).map_err(io)?, &mut whole).map_err(io)?;
        }
        let unpacked = blob.with_extension("new");
        unpack(whole, &unpacked)?;
        fs::rename(&unpacked, &blob).map_err(io)?;
    }
    Ok(json!({ "status": "completed", "missing_chunks": null }))
}

fn unpack(from: fs::File, to: &Path) -> Result<(), String> {
    let mut zip = zip::ZipArchive::new(from).map_err(|e| format!("no zip file: {e}"))?;
    fs::create_dir_all(to).map_err(|e| e.to_string())?;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(|e| e.to_string())?;
        let name = entry.name().map_err(|e| e.to_string())?.into_owned();
        if Path::new(&name).components().any(|c| !matches!(c, Component::Normal(_))) {
            return Err(format!("an entry that leaves the blob: {name}"));
        }
        let path = to.join(&name);
        let done = if entry.is_symlink() {
            io::read_to_string(&mut entry).and_then(|target| std::os::unix::fs::symlink(target, &path))
        } else if entry.is_dir() {
            fs::create_dir_all(&path)
        } else {
            let mut make = || {
                fs::create_dir_all(path.parent().unwrap_or(to))?;
                io::copy(&mut entry, &mut fs::File::create(&path)?)
            };
            make().map(|_| ())
        };
        done.map_err(|e| format!("{name}: {e}"))?;
    }
    Ok(())
}
