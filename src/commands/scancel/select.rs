//! Which jobs a scancel command line is about, of those there are.

use super::plan::Plan;
use crate::{
    agent::wire::Target,
    controller::api::{Filter, SignalJob},
    job::{Job, StepId},
    slurm::{
        array::{BITSTR_LEN, JobIdSpec, TaskSel},
        idset::IdSet,
    },
};

/// A job, some elements of an array or a step that will be signalled.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// What is asked of the controller.
    pub order: SignalJob,
    /// How it is called in messages.
    pub shown: String,
    /// What `--interactive` asks.
    pub question: String,
}

/// What the controller is asked for: it leaves out what certainly does not match. Of jobs named by their ids all are needed:
/// one that is there and does not match is not one that is not there.
pub fn filter(plan: &Plan) -> Filter {
    if !plan.ids.is_empty() {
        let ids = plan.ids.iter().map(|(_, id)| JobIdSpec { step: None, ..id.clone() }).collect();
        return Filter { ids, ..Filter::default() };
    }
    Filter {
        uids: plan.user.iter().map(|u| u.1).collect(),
        names: plan.name.iter().cloned().collect(),
        partitions: plan.partition.iter().cloned().collect(),
        states: plan.state.into_iter().collect(),
        accounts: plan.account.iter().cloned().collect(),
        ..Filter::default()
    }
}

/// The jobs to signal, and the written ids that are nobody's.
pub fn choose(plan: &Plan, jobs: &[Job]) -> (Vec<Chosen>, Vec<String>) {
    let live = || jobs.iter().filter(|job| !job.is_finished());
    if plan.ids.is_empty() {
        let whole = live().filter(|job| matches(plan, job) && !goes_with_leader(plan, job, jobs));
        let whole = whole.filter_map(|job| chosen(plan, job, &JobIdSpec::job(job.id)));
        return (whole.collect(), Vec::new());
    }
    let (mut all, mut unknown) = (Vec::new(), Vec::new());
    for (written, id) in &plan.ids {
        let named: Vec<&Job> = live().filter(|job| is_named(id, job)).collect();
        if named.is_empty() {
            unknown.push(written.clone());
        }
        let of_whole = |job: &Job| id.het.is_none() && id.job != job.id && goes_with_leader(plan, job, jobs);
        let wanted = named.into_iter().filter(|job| matches(plan, job) && !of_whole(job));
        all.extend(wanted.filter_map(|job| chosen(plan, job, id)));
    }
    (all, unknown)
}

/// The order for an id that is sent as it was written.
pub fn direct(plan: &Plan, id: &JobIdSpec) -> SignalJob {
    let step = id.step.as_deref().and_then(|s| s.parse().ok()).map(StepId::Number);
    SignalJob { id: id.clone(), signal: plan.sends(step.is_some()), target: step.map_or(plan.target(), Target::Step) }
}

fn is_named(id: &JobIdSpec, job: &Job) -> bool {
    match (&id.tasks, &job.array) {
        (None, _) => job.answers_to(id),
        (Some(_), None) => false,
        (Some(tasks), Some(array)) => {
            id.job == array.job_id
                && match array.task_id {
                    Some(task) => tasks.contains(task),
                    None => array.pending.iter().any(|task| tasks.contains(task)),
                }
        }
    }
}

fn matches(plan: &Plan, job: &Job) -> bool {
    let request = &job.request;
    let is = |wanted: &Option<String>, has: Option<&str>| wanted.as_deref().is_none_or(|w| has == Some(w));
    // Accounts and QOS are named in any case; jobs and partitions are not.
    let in_any_case =
        |wanted: &Option<String>, has: &str| wanted.as_deref().is_none_or(|w| w.eq_ignore_ascii_case(has));
    let on_nodes = |nodes: &[String]| {
        job.placement.as_ref().is_some_and(|p| p.names().any(|name| nodes.iter().any(|n| n == name)))
    };
    in_any_case(&plan.account, request.account.as_deref().unwrap_or_default())
        && is(&plan.name, Some(&request.name))
        && (is(&plan.partition, Some(&job.partition))
            || request.partitions.iter().any(|p| Some(p) == plan.partition.as_ref()))
        && in_any_case(&plan.qos, request.qos.as_deref().unwrap_or("normal"))
        && is(&plan.wckey, request.wckey.as_deref())
        && is(&plan.reservation, request.reservation.as_deref())
        && plan.state.is_none_or(|state| state == job.state || Some(state) == job.flag)
        && plan.user.as_ref().is_none_or(|user| user.1 == request.user.uid)
        && plan.nodelist.as_ref().is_none_or(|nodes| on_nodes(&nodes.1))
}

/// Whether a component is signalled with the first one of its heterogeneous job, which stands for all.
fn goes_with_leader(plan: &Plan, job: &Job, jobs: &[Job]) -> bool {
    let leads = |other: &&Job| other.id == job.leader_id() && !other.is_finished();
    !job.leads() && jobs.iter().find(leads).is_some_and(|leader| matches(plan, leader))
}

/// The part of `job` that `id` names.
fn chosen(plan: &Plan, job: &Job, id: &JobIdSpec) -> Option<Chosen> {
    let tasks = match &job.array {
        None => None,
        Some(array) => Some(match array.task_id {
            Some(task) => TaskSel::One(task),
            None => {
                let wanted = |task: &u32| id.tasks.as_ref().is_none_or(|tasks| tasks.contains(*task));
                let some: IdSet = array.pending.iter().filter(wanted).collect();
                if some.is_empty() {
                    return None;
                }
                TaskSel::Set(some)
            }
        }),
    };
    // A heterogeneous job is its first component's, but for a component that is named itself.
    let (whole, het) = match job.het {
        // A step of the whole is the first component's part of it.
        Some(_) if !job.leads() && id.step.is_some() && id.het.is_none() && id.job != job.id => return None,
        Some(het) if id.het.is_some() || !job.leads() => (het.leader, Some(het.offset)),
        Some(het) => (het.leader, None),
        None => (job.array_job_id(), None),
    };
    let exact = JobIdSpec { job: whole, tasks, step: id.step.clone(), het };
    let own = match id.het {
        None if job.het.is_some() => job.id.to_string(),
        _ => job.shown_id(BITSTR_LEN),
    };
    let shown = match &id.step {
        Some(step) => format!("{own}.{step}"),
        None => own,
    };
    let kind = if id.step.is_some() { "step_id" } else { "job_id" };
    let question = format!("Cancel {kind}={shown} name={} partition={} [y/n]? ", job.request.name, job.partition);
    Some(Chosen { order: direct(plan, &exact), shown, question })
}
