//! Clusters that were launched by themselves: `/launch`, `/status`, `/down` and what goes with them. Each has one job.
//!
//! Seen of the real server (0.14.1): a cluster is in the table some seconds after its launch was taken; the launch lasts until
//! the job is in the cluster's queue; what cannot be had at all fails it, what cannot be had now is tried again (`retry_until_up`);
//! `/down` ends a launch that goes on, but is refused while there is no cluster in the table.

use super::{
    api,
    http::Request,
    jobs::{self, Job, now},
    log::{Ended, Log},
    nodes::{self, Facts},
    server::{Record, Shared, State},
    task::{Refusal, Task},
    way,
};
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const QUEUED: &str = "QUEUED";
const INIT: &str = "INIT";
const UP: &str = "UP";
const GONE: &str = "GONE";

/// `/launch`: returns when the job is in the cluster's queue.
pub fn launch(shared: &Arc<Shared>, body: &Value, request: &str) -> Result<Value, Refusal> {
    let task = Arc::new(Task::parse(body["task"].as_str().unwrap_or_default())?);
    let blob = api::files_for(shared, &task, body)?;
    let name = body["cluster_name"].as_str().unwrap_or_default();
    let id = shared.with(|s| {
        // One of this name that is there is made what it was.
        let known = of_name(s, name).map(|j| j.id);
        known.unwrap_or_else(|| {
            let id = jobs::add(s, jobs::New { task, rank: 0, count: 1, blob: Some(blob), group: None }, body);
            s.jobs.get_mut(&id).into_iter().for_each(|j| j.status = QUEUED);
            id
        })
    });
    pause(shared, request, |s| s.settings.pending).inspect_err(|_| {
        // Cancelled before it was begun.
        shared.with(|s| s.jobs.get_mut(&id).filter(|j| j.status == QUEUED).into_iter().for_each(|j| j.status = GONE));
    })?;
    let why = shared.with(|s| s.settings.unsatisfiable.clone().or_else(|| api::misfit(&s.jobs[&id].task)));
    if let Some(why) = why {
        shared.with(|s| s.jobs.get_mut(&id).into_iter().for_each(|j| j.status = GONE));
        return Err(("ResourcesUnavailableError", why));
    }
    shared.with(|s| s.jobs.get_mut(&id).into_iter().for_each(|j| j.status = INIT));
    pause(shared, request, |s| {
        let slow = s.settings.starting_of.iter().find(|(begin, _)| name.starts_with(begin.as_str()));
        slow.map_or(s.settings.starting, |(_, time)| *time)
    })?;
    begin(shared, id)?;
    Ok(json!({ "job_id": 1, "handle": "gASV" }))
}

/// Waits as long as the settings say now, unless the launch is ended.
fn pause(shared: &Arc<Shared>, request: &str, time: impl Fn(&State) -> Duration) -> Result<(), Refusal> {
    let since = Instant::now();
    shared.wait(|s| match s.requests.get(request) {
        Some(record) if record.result.is_none() && !s.stopping => (since.elapsed() >= time(s)).then_some(Ok(())),
        _ => Some(Err(("RequestCancelled", "killed".into()))),
    })
}

/// The nodes are there: the job begins.
fn begin(shared: &Arc<Shared>, id: u32) -> Result<(), Refusal> {
    let log = Arc::new(Log::default());
    let (task, blob, homes, facts) = shared.with(|s| {
        let per_node = s.settings.home_per_node;
        let job = s.jobs.get_mut(&id).expect("a cluster's job");
        let count = if per_node { job.task.nodes } else { 1 };
        job.homes = (0..count).map(|n| shared.root.join(format!("runs/{id}.0/home{n}"))).collect();
        job.log = log.clone();
        job.runs = 1;
        job.start_at = Some(now());
        let stamp = "2026-11-20-11-37-05-740348".into();
        // Each has addresses of its own.
        let facts =
            Facts { job: id, task: id - 1, is_managed: false, rank: 0, count: 1, stamp, user: job.user.clone() };
        (job.task.clone(), job.blob.clone(), job.homes.clone(), facts)
    });
    let failed = |why: String| ("CommandError", why);
    nodes::furnish(&homes, &task, blob.as_deref()).map_err(|e| failed(format!("sync of files failed: {e}")))?;
    if !nodes::set_up(&homes, &task, &facts, &log) {
        return Err(failed("setup failed".into()));
    }
    let over = {
        let (shared, log, all) = (shared.clone(), log.clone(), task.nodes as usize);
        move |node, code| {
            let codes = shared.with(|s| {
                let job = s.jobs.get_mut(&id)?;
                job.codes.push((node, code));
                Some(job.codes.clone()).filter(|codes| codes.len() == all)
            });
            if let Some(worst) = codes.and_then(|codes| codes.iter().map(|(_, code)| *code).max()) {
                log.end(Ended::Code(worst));
            }
        }
    };
    nodes::run(shared, &homes, &task, &facts, &log, over).map_err(|e| failed(e.to_string()))?;
    shared.with(|s| {
        let job = s.jobs.get_mut(&id).expect("a cluster's job");
        (job.status, job.cluster_is_up) = (UP, true);
    });
    Ok(())
}

/// The one of this name that is not gone.
fn of_name<'a>(state: &'a State, name: &str) -> Option<&'a Job> {
    state.jobs.values().find(|j| j.status != GONE && j.own_cluster.as_deref() == Some(name))
}

/// `/down`
pub fn down(shared: &Arc<Shared>, body: &Value, _: &str) -> Result<Value, Refusal> {
    let name = body["cluster_name"].as_str().unwrap_or_default();
    let is_there = of_name(&shared.lock(), name).is_some_and(|j| j.status != QUEUED);
    if !is_there {
        return Err(("ClusterDoesNotExist", format!("Cluster '{name}' does not exist.")));
    }
    shared.with(|s| {
        let of_cluster = s.requests.values_mut().filter(|r| r.cluster == name && r.name == "sky.launch");
        of_cluster.for_each(end);
    });
    lose(shared, name);
    Ok(Value::Null)
}

/// Its nodes are gone, and what ran there.
pub fn lose(shared: &Arc<Shared>, name: &str) {
    let found = shared.with(|s| {
        let id = of_name(s, name)?.id;
        let job = s.jobs.get_mut(&id)?;
        (job.status, job.cluster_is_up) = (GONE, false);
        Some((id, job.log.clone()))
    });
    if let Some((id, log)) = found {
        nodes::sweep(&shared.root.join(format!("runs/{id}.0/home")));
        log.end(Ended::Lost);
    }
}

/// What runs there is gone, but for its nodes.
pub fn kill(shared: &Arc<Shared>, name: &str) {
    let id = of_name(&shared.lock(), name).map(|j| j.id);
    if let Some(id) = id {
        nodes::sweep(&shared.root.join(format!("runs/{id}.0/home")));
    }
}

/// `/status`
pub fn status(shared: &Arc<Shared>, body: &Value, _: &str) -> Result<Value, Refusal> {
    let wants_credentials = body["include_credentials"] == true && way::missing().is_none();
    let credentials = wants_credentials.then(|| way::credentials(shared));
    let state = shared.lock();
    let names = body["cluster_names"].as_array();
    // Those of managed jobs are told to who wants to know more.
    let all = body["env_vars"]["SKYPILOT_DEBUG"] == "1";
    let wanted = |job: &&Job| {
        let is_named = names.is_none_or(|names| names.iter().any(|n| n.as_str() == Some(&*job.cluster())));
        let is_there = match &job.own_cluster {
            Some(_) => job.status != QUEUED && job.status != GONE,
            None => all && job.cluster_is_up,
        };
        is_named && is_there
    };
    let row = |job: &Job| {
        json!({
            "name": job.cluster(), "launched_at": now() as u64,
            "status": if job.own_cluster.is_some() { job.status } else { UP }, "autostop": -1, "to_down": false,
            "user_hash": job.user_hash, "user_name": job.user, "workspace": "default",
            "is_managed": job.own_cluster.is_none(),
            "init_status_reason": (job.status == INIT).then_some("Setting up SkyPilot runtime on cluster"),
            "nodes": job.task.nodes, "cloud": "Slurm", "region": "lab", "resources_str": "1x(cpus=1, mem=1, ...)",
            "handle": "gAROLg==", "credentials": credentials,
        })
    };
    Ok(state.jobs.values().filter(wanted).map(row).collect())
}

/// `/job_status`
pub fn job_status(shared: &Arc<Shared>, body: &Value, _: &str) -> Result<Value, Refusal> {
    let state = shared.lock();
    let job = api::on_cluster(&state, &body["cluster_name"])?;
    let status = match job.codes.len() == job.task.nodes as usize {
        false => "RUNNING",
        true if job.codes.iter().all(|(_, code)| *code == 0) => "SUCCEEDED",
        true => "FAILED",
    };
    Ok(json!({ "1": status }))
}

/// `/api/cancel`
pub fn cancel_requests(shared: &Arc<Shared>, body: &Value, _: &str) -> Result<Value, Refusal> {
    let wanted: Vec<&str> = body["request_ids"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    shared.with(|s| s.requests.iter_mut().filter(|(id, _)| wanted.contains(&id.as_str())).for_each(|(_, r)| end(r)));
    shared.with(|s| {
        // What was not in the table yet never will be.
        let ended: Vec<String> =
            wanted.iter().filter_map(|id| s.requests.get(*id)).map(|record| record.cluster.clone()).collect();
        let left = s.jobs.values_mut().filter(|j| j.status == QUEUED);
        left.filter(|j| ended.contains(&j.cluster())).for_each(|j| j.status = GONE);
    });
    Ok(json!(wanted))
}

/// The same for the launches of a cluster.
pub fn cancel_launch(shared: &Arc<Shared>, name: &str) {
    let of_cluster = |(_, record): &(&String, &Record)| record.cluster == name && record.name == "sky.launch";
    let ids: Vec<String> = shared.lock().requests.iter().filter(of_cluster).map(|(id, _)| id.clone()).collect();
    let _ = cancel_requests(shared, &json!({ "request_ids": ids }), "");
}

/// A request that goes on is cancelled.
fn end(record: &mut Record) {
    if record.result.is_none() {
        record.is_cancelled = true;
        record.finished = Some(now());
        record.result = Some(Ok(Value::Null));
    }
}

/// `GET /api/status`
pub fn requests(shared: &Arc<Shared>, asked: &Request) -> Value {
    let state = shared.lock();
    let (cluster, all) = (asked.query("cluster_name"), asked.query("all_status") == "true");
    let wanted = |(_, record): &(&String, &Record)| {
        (cluster.is_empty() || record.cluster == cluster) && (all || record.result.is_none())
    };
    let mut found: Vec<(&String, &Record)> = state.requests.iter().filter(wanted).collect();
    found.sort_by(|a, b| b.1.created.total_cmp(&a.1.created));
    let row = |(id, record): (&String, &Record)| {
        let status = match &record.result {
            _ if record.is_cancelled => "CANCELLED",
            None => "RUNNING",
            Some(Ok(_)) => "SUCCEEDED",
            Some(Err(_)) => "FAILED",
        };
        json!({
            "request_id": id, "name": record.name, "entrypoint": "", "request_body": "null", "status": status,
            "created_at": record.created, "return_value": "null", "error": "null", "cluster_name": record.cluster,
            "status_msg": null, "schedule_type": "long",
        })
    };
    found.into_iter().map(row).collect()
}
