//! `scontrol wait_job`, `completing`, `errnumstr`, `listpids` and `top`.

use super::{Words, sentences};
use crate::{
    agent::wire::{self, Steps},
    commands::who,
    commands::{
        ask::{self, AskError, Said},
        srun::{afar, find},
    },
    controller::{
        api::{Change, Filter, Setting},
        client::Client,
    },
    job::{Job, JobId},
    report::clock::{Clock, local},
    slurm::{array::JobIdSpec, errno::Errno, hostlist, options::Command, state::JobState, time::elapsed_sacct},
};
use std::time::Duration;

/// Waits until the nodes of a job that has some are ready.
pub fn wait_job(words: &Words) -> Result<Said, AskError> {
    let id = match words.args {
        [] => return Ok(words.too_few()),
        [id] => id,
        _ => return Ok(words.too_many()),
    };
    let Ok(spec) = id.parse::<JobIdSpec>() else { return Ok(Said::error(format!("Invalid job_id {id}"))) };
    let mut client = Client::connect()?;
    loop {
        let jobs = match ask::jobs(&mut client, Filter { ids: vec![spec.clone()], ..Filter::default() }) {
            Err(AskError::Refused(Errno::InvalidJobId)) => Vec::new(),
            other => other?,
        };
        let Some(job) = jobs.first() else { return Ok(Said::error(format!("scontrol: Problem running job {id}"))) };
        match (job.state, job.flag) {
            (JobState::Running, Some(JobState::Configuring)) => std::thread::sleep(Duration::from_millis(100)),
            (JobState::Running, None) => return Ok(Said::default()),
            _ => return Ok(Said::error(format!("scontrol: Job {id} no longer running"))),
        }
    }
}

/// Jobs that are on their way out.
pub fn completing(words: &Words) -> Result<Said, AskError> {
    if !words.args.is_empty() {
        return Ok(words.too_many());
    }
    let mut client = Client::connect()?;
    let filter = Filter { states: vec![JobState::Completing], ..Filter::default() };
    let jobs = ask::jobs(&mut client, filter)?;
    let now = ask::cluster(&mut client)?.now;
    Ok(Said::out(jobs.iter().map(|job| of_completing(job, &Clock::new(local, None, now))).collect()))
}

fn of_completing(job: &Job, clock: &Clock) -> String {
    let end = job.end_time.unwrap_or(clock.now());
    let mut time = String::new();
    clock.write(end, &mut time);
    let took = elapsed_sacct((clock.now() - end).max(0));
    let nodes = job.placement.as_ref().map(|p| hostlist::compress_sorted(p.names())).unwrap_or_default();
    format!("JobId={} EndTime={time} CompletingTime={took} Nodes(COMPLETING)={nodes}\n", job.id)
}

/// What the number of an error means.
pub fn errnumstr(words: &Words) -> Said {
    let [number] = words.args else {
        return Said::error(format!("one arguments required for keyword:{}", words.keyword));
    };
    match number.parse::<i32>() {
        Ok(number) => Said::out(format!("{}\n", sentences::of(number))),
        Err(_) => Said::error(format!("numeric arguments required for keyword:{}", words.keyword)),
    }
}

/// The processes of the steps that run.
pub fn listpids(words: &Words) -> Result<Said, AskError> {
    let (id, node) = match words.args {
        [] => (None, None),
        [id] => (Some(id), None),
        [id, node] => (Some(id), Some(node)),
        _ => return Ok(words.too_many()),
    };
    let (id, step) = match id.filter(|id| *id != "*").map(|id| id.split_once('.').unwrap_or((id, ""))) {
        None => (None, ""),
        Some((id, step)) => match id.parse::<JobId>() {
            Ok(id) => (Some(id), step),
            Err(_) => return Ok(Said::error(format!("scontrol: error: Invalid job id {id}"))),
        },
    };
    let running = match id {
        Some(id) => vec![id],
        None => {
            let filter = Filter { states: vec![JobState::Running], uids: vec![who::me()], ..Filter::default() };
            let jobs = ask::jobs(&mut Client::connect()?, filter)?;
            // No way is opened that nobody asked for.
            jobs.iter().filter(|job| !job.is_away() || afar::is(job.id)).map(|job| job.id).collect()
        }
    };
    let mut out = "PID      JOBID    STEPID   LOCALID GLOBALID\n".to_owned();
    let header = out.len();
    for id in running {
        let asked = find::connect_to_component(Command::Scontrol, id).map_err(drop);
        let Ok(steps) = asked.and_then(|(agent, which)| wire::usage(agent, which, Steps::All).map_err(drop)) else {
            continue;
        };
        for one in steps.iter().filter(|one| step.is_empty() || one.id.to_string() == step) {
            for place in one.nodes.iter().filter(|place| node.is_none_or(|node| *node == place.node)) {
                for (local, task) in place.tasks.iter().enumerate() {
                    for pid in &task.pids {
                        out.push_str(&format!("{pid:<8} {id:<8} {:<8} {local:<7} {}\n", one.id.to_string(), task.task));
                    }
                }
            }
        }
    }
    if out.len() == header {
        let none = match id {
            Some(id) if step.is_empty() => format!("Job {id} does not exist on this node."),
            Some(id) => format!("Job step {id}.{step} does not exist on this node."),
            None => "No job steps exist on this node.".to_owned(),
        };
        return Ok(Said { out, ..Said::error(none) });
    }
    Ok(Said::out(out))
}

/// Puts jobs before all others of the same user: each gets a higher priority than any that waits.
pub fn top(words: &Words) -> Result<Said, AskError> {
    let [list] = words.args else {
        return Ok(if words.args.is_empty() { words.too_few() } else { words.too_many() });
    };
    let mut client = Client::connect()?;
    let waiting = Filter { states: vec![JobState::Pending], ..Filter::default() };
    let highest = ask::jobs(&mut client, waiting)?.iter().map(|job| job.priority).max().unwrap_or(0);
    let mut said = Said::default();
    let ids: Vec<&str> = list.split(',').filter(|id| !id.is_empty()).collect();
    // The first one named is to be the first.
    for (above, id) in (1..).zip(ids.iter().rev()) {
        let result = match id.parse::<JobIdSpec>() {
            Ok(spec) => {
                let priority = Change::Update(vec![Setting::Priority(highest.saturating_add(above))]);
                ask::done(&mut client, &crate::controller::api::Call::Change(vec![spec], priority))?
            }
            Err(_) => vec![Err(Errno::InvalidJobId)],
        };
        if let Some(Err(errno)) = result.first() {
            said.err.push(format!("{errno} for job {id}"));
            said.exit = 1;
        }
    }
    Ok(said)
}
