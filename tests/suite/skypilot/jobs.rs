//! The life of a managed job, as the real server's jobs controller leads it.

use super::{
    log::{Ended, Log},
    nodes::{self, Facts},
    server::{Settings, Shared, State},
    task::{Task, cluster},
};
use serde_json::{Value, json};
use std::{
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// What is to happen to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    Cancel(String),
    Preempt,
    Fail(&'static str, String),
    /// The server ends.
    Stop,
}

/// A managed job, or the first job of a cluster.
pub struct Job {
    /// What it is found by here.
    pub id: u32,
    /// The number the server gave it: that of its group.
    pub number: u32,
    /// Which task of its group.
    pub part: u32,
    /// Its group's name, else its own.
    pub name: String,
    /// The cluster's name, if that was launched by itself: the job is no managed one.
    pub own_cluster: Option<String>,
    pub task: Arc<Task>,
    pub rank: u32,
    pub count: u32,
    pub pool: Option<String>,
    pub blob: Option<PathBuf>,
    pub user: String,
    pub user_hash: String,
    pub status: &'static str,
    pub schedule_state: &'static str,
    pub details: Option<String>,
    pub failure_reason: Option<String>,
    pub recovery_count: u32,
    pub submitted_at: f64,
    pub start_at: Option<f64>,
    pub end_at: Option<f64>,
    pub last_recovered_at: f64,
    pub events: Vec<Value>,
    pub cluster_is_up: bool,
    pub homes: Vec<PathBuf>,
    /// Of the run that is, or was last.
    pub log: Arc<Log>,
    pub runs: u32,
    pub order: Option<Order>,
    /// Exit codes of this run's nodes, as far as they have ended.
    pub codes: Vec<(u32, i32)>,
    /// How far its log was streamed when it was last cut.
    pub cut: usize,
}

/// Seconds since the epoch.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Whether a job in this status is over.
pub fn is_over(status: &str) -> bool {
    status.starts_with("FAILED") || matches!(status, "SUCCEEDED" | "CANCELLED")
}

impl Job {
    /// The name of its cluster.
    pub fn cluster(&self) -> String {
        self.own_cluster.clone().unwrap_or_else(|| cluster(&self.task.name, self.number))
    }

    fn event(&mut self, status: &str, code: Option<&str>, reason: &str) {
        let time = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%S%.6f").to_string();
        self.events.insert(
            0,
            json!({ "spot_job_id": self.number, "task_id": self.part, "new_status": status, "code": code, "reason": reason, "timestamp": time }),
        );
    }

    fn turn(&mut self, status: &'static str, reason: &str) {
        self.status = status;
        self.event(status, None, reason);
    }

    /// Over: `reason` is why it failed.
    fn end(&mut self, status: &'static str, code: Option<&str>, reason: Option<&str>) {
        self.status = status;
        self.end_at = Some(now());
        self.failure_reason = reason.map(Into::into);
        let text = match status {
            "SUCCEEDED" => "Job has succeeded".to_owned(),
            "CANCELLED" => "Job has been cancelled".to_owned(),
            _ => format!("Job failed: {}", reason.unwrap_or_default()),
        };
        self.event(status, code, &text);
        if let Some(reason) = reason {
            self.details = Some(format!("Failure: {reason}"));
        }
    }
}

/// What is launched.
pub struct New {
    pub task: Arc<Task>,
    pub rank: u32,
    pub count: u32,
    pub blob: Option<PathBuf>,
    /// Its group's name, which task of it, and its number, once the first has it.
    pub group: Option<(String, u32, Option<u32>)>,
}

/// Where what further tasks of groups are found by begins.
const FURTHER: u32 = 1_000_000;

/// A job that was launched.
pub fn add(state: &mut State, new: New, of: &Value) -> u32 {
    let New { task, rank, count, blob, group } = new;
    let next = state.jobs.range(..FURTHER).next_back().map_or(1, |(id, _)| id + 1);
    let (name, part, number) = match group {
        Some((name, part, number)) => (name, part, number.unwrap_or(next)),
        None => (task.name.clone(), 0, next),
    };
    let id = part * FURTHER + number;
    let text = |v: &Value| v.as_str().map(str::to_owned);
    let mut job = Job {
        id,
        number,
        part,
        name,
        own_cluster: text(&of["cluster_name"]),
        task,
        rank,
        count,
        pool: text(&of["pool"]),
        blob,
        user: text(&of["env_vars"]["SKYPILOT_USER"]).unwrap_or_else(|| "server".into()),
        user_hash: text(&of["env_vars"]["SKYPILOT_USER_ID"]).unwrap_or_else(|| "5e57e700".into()),
        status: "PENDING",
        schedule_state: "WAITING",
        details: None,
        failure_reason: None,
        recovery_count: 0,
        submitted_at: now(),
        start_at: None,
        end_at: None,
        last_recovered_at: -1.0,
        events: Vec::new(),
        cluster_is_up: false,
        homes: Vec::new(),
        log: Arc::default(),
        runs: 0,
        order: None,
        codes: Vec::new(),
        cut: 0,
    };
    job.event("PENDING", None, "Job submitted to queue");
    state.jobs.insert(id, job);
    id
}

/// Leads a job from its submission to its end.
pub fn live(shared: &Arc<Shared>, id: u32) {
    let job = |change: &dyn Fn(&mut Job)| shared.with(|s| s.jobs.get_mut(&id).into_iter().for_each(change));
    let mut order = pause(shared, id, |s| s.pending);
    if order.is_none() {
        job(&|j| {
            j.turn("STARTING", "Job is starting");
            j.schedule_state = "LAUNCHING";
        });
        shared.with(|s| {
            let details = s.settings.details.clone();
            s.jobs.get_mut(&id).into_iter().for_each(|j| j.details.clone_from(&details));
        });
    }
    loop {
        order = order.or_else(|| pause(shared, id, |s| s.starting));
        let mut code = None;
        if order.is_none() {
            if let Some(why) = refused(shared, id) {
                // The server says of a group's first task what has become of any.
                job(&|j| match j.part {
                    0 => j.end("FAILED_PRECHECKS", None, Some(&why)),
                    _ => j.end("CANCELLED", None, None),
                });
                break;
            }
            (order, code) = run(shared, id);
        }
        let stopping = order == Some(Order::Stop);
        if let Some(Order::Cancel(why)) = &order {
            job(&|j| {
                j.turn("CANCELLING", why);
                j.details = Some(why.clone());
            });
        }
        end_of_run(shared, id, code.map_or(Ended::Lost, Ended::Code), matches!(order, Some(Order::Cancel(_))));
        if stopping {
            return;
        }
        let log = format!("To see the details, run: sky jobs logs --controller {id}");
        match (order.take(), code) {
            (Some(Order::Preempt), _) => recover(shared, id, None, "Cluster preempted or failed, recovering"),
            (Some(Order::Fail(status, why)), _) => {
                job(&|j| j.end(status, None, Some(&why)));
                break;
            }
            (Some(Order::Cancel(_)), _) => {
                job(&|j| j.end("CANCELLED", None, None));
                break;
            }
            (_, Some(0)) => {
                job(&|j| j.end("SUCCEEDED", None, None));
                break;
            }
            (_, code) => {
                let code = code.unwrap_or(-1);
                let again = shared.with(|s| {
                    let job = &s.jobs[&id];
                    job.task.recover_on_exit_codes.contains(&code)
                        || job.recovery_count < job.task.max_restarts_on_errors
                });
                if again {
                    let why = format!(
                        "Job exited with exit code {code}. Restarting the job. To see the job error output, run: sky jobs logs --controller {id}"
                    );
                    recover(shared, id, Some("USER_JOB_FAILURE"), &why);
                } else if code == SETUP_FAILED {
                    job(&|j| j.end("FAILED_SETUP", Some("USER_JOB_FAILURE"), Some(&log)));
                    break;
                } else {
                    let why = format!("Job exited with exit code {code} (user program failure). {log}");
                    job(&|j| j.end("FAILED", Some("USER_JOB_FAILURE"), Some(&why)));
                    break;
                }
            }
        }
    }
    // The clusters of a group stay until all of it is over.
    shared.wait(|s| (s.stopping || siblings(s, id).all(|j| is_over(j.status))).then_some(()));
    pause(shared, id, |s| s.teardown);
    sweep(shared, id);
    job(&|j| {
        j.cluster_is_up = false;
        j.order = None;
        j.schedule_state = "DONE";
    });
    // Whatever is wanted of it now is too late.
    let late = |s: &mut State| s.jobs.get_mut(&id).and_then(|j| j.order.take()).is_some();
    while !shared.wait(|s| (late(s) || s.stopping).then_some(s.stopping)) {}
}

/// Stands for an exit code when `setup` failed.
const SETUP_FAILED: i32 = i32::MIN;

/// One run, from the nodes to its end: an order, or an exit code.
fn run(shared: &Arc<Shared>, id: u32) -> (Option<Order>, Option<i32>) {
    let log = Arc::new(Log::default());
    let (task, facts, blob, homes, number) = shared.with(|s| {
        let per_node = s.settings.home_per_node;
        let job = s.jobs.get_mut(&id).expect("a job");
        let number = job.runs;
        let count = if per_node { job.task.nodes } else { 1 };
        job.homes = (0..count).map(|n| shared.root.join(format!("runs/{id}.{number}/home{n}"))).collect();
        job.log = log.clone();
        job.codes.clear();
        let facts = Facts {
            job: job.number,
            task: job.part,
            is_managed: true,
            rank: job.rank,
            count: job.count,
            stamp: "2026-11-20-11-37-05-740348".into(),
            user: job.user.clone(),
        };
        (job.task.clone(), facts, job.blob.clone(), job.homes.clone(), number)
    });
    let furnished = nodes::furnish(&homes, &task, blob.as_deref());
    shared.with(|s| s.jobs.get_mut(&id).into_iter().for_each(|j| j.cluster_is_up = true));
    if let Err(error) = &furnished {
        log.append(format!("sync of files failed: {error}\n").as_bytes());
    }
    if furnished.is_err() || !nodes::set_up(&homes, &task, &facts, &log) {
        return (None, Some(SETUP_FAILED));
    }
    let over = {
        let shared = shared.clone();
        move |node, code| {
            shared.with(|s| {
                let job = s.jobs.get_mut(&id).filter(|j| j.runs == number + 1);
                job.into_iter().for_each(|j| j.codes.push((node, code)));
            });
        }
    };
    shared.with(|s| {
        let job = s.jobs.get_mut(&id).expect("a job");
        job.runs += 1;
        job.start_at.get_or_insert(now());
        job.last_recovered_at = now();
    });
    let Ok(groups) = nodes::run(shared, &homes, &task, &facts, &log, over) else { return (None, Some(SETUP_FAILED)) };
    let begun = Instant::now();
    // SkyPilot's look lags behind: it says RUNNING some time after the script has begun.
    let order = shared.wait(|s| {
        let lag = s.settings.running_lag;
        let stopping = s.stopping;
        // A group runs when all of its clusters are there.
        let all_there = siblings(s, id).all(|j| j.runs > 0 || is_over(j.status));
        let job = s.jobs.get_mut(&id)?;
        if all_there && job.status != "RUNNING" && begun.elapsed() >= lag {
            let again = job.status == "RECOVERING";
            job.turn("RUNNING", if again { "Job has recovered" } else { "Job has started" });
            job.schedule_state = "ALIVE";
            job.details = None;
        }
        if stopping {
            return Some(Some(Order::Stop));
        }
        let ended = job.codes.len() == task.nodes as usize || job.codes.iter().any(|(_, code)| *code != 0);
        let ended = ended && job.status == "RUNNING";
        if job.order.is_some() { Some(job.order.take()) } else { ended.then_some(None) }
    });
    if order == Some(Order::Preempt) || matches!(order, Some(Order::Fail(..))) {
        sweep(shared, id);
        return (order, None);
    }
    nodes::terminate(if order.is_some() || task.nodes > 1 { &groups } else { &[] });
    let codes = shared.wait(|s| {
        let codes = &s.jobs[&id].codes;
        (codes.len() == task.nodes as usize || s.stopping).then(|| codes.clone())
    });
    let failed = codes.iter().any(|(_, code)| *code != 0);
    if failed && task.nodes > 1 {
        for (node, code) in &codes {
            let line = match code {
                129.. => format!("srun: error: n{}: task {node}: Terminated\n", node + 1),
                _ => format!("srun: error: n{}: task {node}: Exited with exit code {code}\n", node + 1),
            };
            log.append(if *code == 0 { b"" } else { line.as_bytes() });
        }
    }
    let code = codes.iter().map(|(_, code)| *code).max_by_key(|c| c.unsigned_abs()).unwrap_or(-1);
    if code != 0 {
        log.append(format!("ERROR: \x1b[31mJob 1 failed with return code list:\x1b[0m [{code}] \n").as_bytes());
    }
    if order.is_none() {
        log.end(Ended::Code(code));
        let cancelled = pause(shared, id, |s| s.ended_lag);
        // An order that comes between a job's end and its being noticed: too late to change what it came to.
        return (cancelled.filter(|o| *o == Order::Stop), Some(code));
    }
    (order, Some(code))
}

/// What follows every run: its log is complete, and its processes are gone unless the cluster stays for a while.
fn end_of_run(shared: &Arc<Shared>, id: u32, how: Ended, cancelled: bool) {
    let (log, keep) = shared.with(|s| (s.jobs[&id].log.clone(), s.settings.log_of_cancelled));
    if how == Ended::Lost || cancelled {
        sweep(shared, id);
    }
    log.end(if cancelled { Ended::Lost } else { how });
    if cancelled && !keep {
        let empty = Arc::new(Log::default());
        empty.end(Ended::Lost);
        shared.with(|s| s.jobs.get_mut(&id).into_iter().for_each(|j| j.log = empty.clone()));
    }
}

fn recover(shared: &Arc<Shared>, id: u32, code: Option<&str>, why: &str) {
    sweep(shared, id);
    shared.with(|s| {
        let Some(job) = s.jobs.get_mut(&id) else { return };
        job.status = "RECOVERING";
        job.recovery_count += 1;
        job.cluster_is_up = false;
        job.event("RECOVERING", code, why);
    });
}

/// Ends what a job has on its nodes.
fn sweep(shared: &Arc<Shared>, id: u32) {
    let runs = shared.with(|s| {
        s.jobs.get_mut(&id).map_or(0, |j| {
            j.cluster_is_up = false;
            j.runs
        })
    });
    if let Some(last) = runs.checked_sub(1) {
        nodes::sweep(&shared.root.join(format!("runs/{id}.{last}/home")));
    }
}

/// Waits as long as the settings say now; an order ends it.
fn pause(shared: &Arc<Shared>, id: u32, time: fn(&Settings) -> Duration) -> Option<Order> {
    let since = Instant::now();
    shared.wait(|s| {
        let (time, stopping) = (time(&s.settings), s.stopping);
        let job = s.jobs.get_mut(&id)?;
        // Once it is over an order comes too late.
        let order = job.order.take();
        if stopping {
            return Some(Some(Order::Stop));
        }
        if order.is_some() && !is_over(job.status) {
            return Some(order);
        }
        (since.elapsed() >= time).then_some(None)
    })
}

/// The tasks of a job's group, or the job.
fn siblings(state: &State, id: u32) -> impl Iterator<Item = &Job> {
    let number = state.jobs[&id].number;
    state.jobs.values().filter(move |j| j.number == number)
}

/// Why it, or a task of its group, cannot be placed.
fn refused(shared: &Arc<Shared>, id: u32) -> Option<String> {
    let ids: Vec<u32> = siblings(&shared.lock(), id).map(|j| j.id).collect();
    ids.into_iter().find_map(|id| refusal(shared, id))
}

/// Why the job cannot be placed.
fn refusal(shared: &Arc<Shared>, id: u32) -> Option<String> {
    let state = shared.lock();
    let job = &state.jobs[&id];
    let unavailable = |why: String| Some(format!("[sky.exceptions.ResourcesUnavailableError] {why}"));
    if let Some(why) = &state.settings.unsatisfiable {
        return unavailable(why.clone());
    }
    let cloud = job.task.infra.split('/').next().unwrap_or_default();
    if !cloud.is_empty() && !state.settings.enabled.iter().any(|e| e.split('/').next() == Some(cloud)) {
        return unavailable(format!(
            "Task '{}' requires {cloud} which is not enabled. To enable access, change the task cloud requirement or run: \x1b[1msky check {cloud}\x1b[0m",
            job.task.name
        ));
    }
    super::api::misfit(&job.task).and_then(unavailable)
}

/// Starts to lead jobs.
pub fn begin(shared: &Arc<Shared>, ids: &[u32]) {
    for id in ids {
        let (shared, id) = (shared.clone(), *id);
        thread::spawn(move || live(&shared, id));
    }
}
