//! The lines of squeue: which jobs, and how arrays are folded and unfolded.

use super::{
    job_fields::{JobRow, Merged},
    job_values::{self as values, Context},
    step_fields::StepRow,
};
use crate::{
    job::{Job, StepId},
    slurm::{
        array::{JobIdSpec, TaskSel},
        state::JobState,
    },
};
use std::collections::HashMap;

/// Which jobs are shown. `None` asks nothing; an empty list takes none, as Slurm has it.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// `--jobs`
    pub ids: Option<Vec<JobIdSpec>>,
    /// `--users`, `--me`
    pub uids: Option<Vec<u32>>,
    /// `--notme`
    pub not_uid: Option<u32>,
    /// `--name`
    pub names: Option<Vec<String>>,
    /// `--partitions`
    pub partitions: Option<Vec<String>>,
    /// `--account`
    pub accounts: Option<Vec<String>>,
    /// `--qos`
    pub qos: Option<Vec<String>>,
    /// `--nodelist`, expanded
    pub nodes: Option<Vec<String>>,
    /// `--states`
    pub states: States,
    /// `--licenses`
    pub licenses: Option<Vec<String>>,
    /// `--reservation`
    pub reservations: Option<Vec<String>>,
    /// `--array`
    pub unfold: bool,
    /// `--array-unique`
    pub unique: bool,
    /// `--priority`
    pub by_partition: bool,
    /// `--steps=LIST`
    pub steps: Option<Vec<JobIdSpec>>,
}

/// `--states`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum States {
    /// Not said: those that wait, run, or are on their way.
    #[default]
    Active,
    /// `all`
    All,
    /// Named ones.
    These(Vec<JobState>),
}

impl States {
    /// Whether a job is in one of them.
    fn take(&self, job: &Job) -> bool {
        match self {
            States::All => true,
            States::Active => !job.is_finished(),
            States::These(states) => states.contains(&job.shown_state()) || states.contains(&job.state),
        }
    }
}

fn allows<T: PartialEq + ?Sized, L: std::borrow::Borrow<T>>(list: &Option<Vec<L>>, value: &T) -> bool {
    list.as_ref().is_none_or(|list| list.iter().any(|item| item.borrow() == value))
}

/// Jobs, accounts and QOS are named in any case; users, partitions and nodes are not.
fn names(list: &Option<Vec<String>>, value: &str) -> bool {
    list.as_ref().is_none_or(|list| list.iter().any(|item| item.eq_ignore_ascii_case(value)))
}

fn has_reservation(job: &Job, wanted: &[String]) -> bool {
    job.request.reservation.as_ref().is_some_and(|name| wanted.contains(name))
}

impl Selection {
    /// Whether a job is asked for, whatever its id.
    fn takes(&self, job: &Job) -> bool {
        let request = &job.request;
        self.states.take(job)
            && allows(&self.uids, &request.user.uid)
            && self.not_uid != Some(request.user.uid)
            && names(&self.names, &request.name)
            && names(&self.accounts, request.account.as_deref().unwrap_or_default())
            && names(&self.qos, request.qos.as_deref().unwrap_or("normal"))
            && self.partitions.as_ref().is_none_or(|wanted| in_partition(job, wanted))
            && self.nodes.as_ref().is_none_or(|wanted| on_node(job, wanted))
            && self.licenses.as_ref().is_none_or(|wanted| has_license(job, wanted))
            && self.reservations.as_ref().is_none_or(|wanted| has_reservation(job, wanted))
    }

    /// The lines of the jobs that are asked for, in the order of the jobs.
    pub fn rows<'a>(&self, jobs: &'a [Job], context: &'a Context<'a>) -> Vec<JobRow<'a>> {
        let mut rows = Vec::with_capacity(jobs.len());
        let mut folds = HashMap::new();
        let mut taken: Vec<&Job> = jobs.iter().filter(|job| self.takes(job)).collect();
        // Elements stand by their numbers, whatever ids they were given.
        taken.sort_by_key(|job| (job.array_job_id(), job.array.as_ref().map(|array| array.task_id), job.id));
        for job in taken {
            match &self.ids {
                None if !self.unfold && !self.unique && folds_in(job) => fold(job, context, &mut folds, &mut rows),
                None => self.push(job, None, context, &mut rows),
                Some(ids) => {
                    let of_job = || ids.iter().filter(|id| job.answers_to(id));
                    if of_job().any(|id| id.tasks.is_none() || id.job != job.array_job_id()) {
                        if !self.unfold && !self.unique && folds_in(job) {
                            fold(job, context, &mut folds, &mut rows);
                        } else {
                            self.push(job, None, context, &mut rows);
                        }
                    } else if of_job().next().is_some() {
                        self.push(job, Some(&|task| of_job().any(|id| names_task(id, task))), context, &mut rows);
                    }
                }
            }
        }
        rows
    }

    /// The line of one job, or the lines of its elements or partitions.
    fn push<'a>(
        &self,
        job: &'a Job,
        tasks: Option<&dyn Fn(u32) -> bool>,
        context: &'a Context<'a>,
        rows: &mut Vec<JobRow<'a>>,
    ) {
        let row = || JobRow::new(job, context);
        match &job.array {
            Some(array) if array.task_id.is_none() && (self.unfold || tasks.is_some()) => {
                let wanted = array.pending.iter().filter(|id| tasks.is_none_or(|wanted| wanted(*id)));
                rows.extend(wanted.map(|id| JobRow { element: Some(id), ..row() }));
            }
            Some(array) if tasks.zip(array.task_id).is_some_and(|(wanted, id)| !wanted(id)) => {}
            _ if self.by_partition && job.state == JobState::Pending && job.request.partitions.len() > 1 => {
                let all = job.request.partitions.iter();
                let wanted = all.filter(|name| allows(&self.partitions, name.as_str()));
                rows.extend(wanted.map(|name| JobRow { partition: Some(name), ..row() }));
            }
            _ => rows.push(row()),
        }
    }

    /// The lines of the steps that run in these jobs.
    pub fn step_rows<'a>(&self, jobs: &'a [Job], context: &'a Context<'a>) -> Vec<StepRow<'a>> {
        // Of the filters of jobs these count for steps: ids, users, partitions and nodes; a name is the step's.
        let whole = Selection {
            names: None,
            states: States::Active,
            accounts: None,
            qos: None,
            licenses: None,
            reservations: None,
            ..self.clone()
        };
        let rows = whole.rows(jobs, context);
        let mut steps = Vec::new();
        for row in rows {
            for step in row.job.steps.iter().filter(|step| step.end.is_none() && names(&self.names, &step.name)) {
                let wanted = |id: &JobIdSpec| names_step(id, row.job, step.id);
                if self.steps.as_ref().is_none_or(|ids| ids.iter().any(wanted)) {
                    steps.push(StepRow { step, job: JobRow::new(row.job, context) });
                }
            }
        }
        steps
    }
}

fn in_partition(job: &Job, wanted: &[String]) -> bool {
    let waits_for = &job.request.partitions;
    let several = job.state == JobState::Pending && waits_for.len() > 1;
    wanted.contains(&job.partition) || (several && waits_for.iter().any(|name| wanted.contains(name)))
}

fn on_node(job: &Job, wanted: &[String]) -> bool {
    values::allocation(job).is_some_and(|placement| placement.nodes.iter().any(|n| wanted.contains(&n.node)))
}

fn has_license(job: &Job, wanted: &[String]) -> bool {
    let licenses = job.request.licenses.as_deref().unwrap_or_default();
    licenses.split([',', ';']).any(|one| wanted.iter().any(|name| one.split(':').next() == Some(name.as_str())))
}

fn names_task(id: &JobIdSpec, task: u32) -> bool {
    id.tasks.as_ref().is_none_or(|tasks| tasks.contains(task))
}

fn names_step(id: &JobIdSpec, job: &Job, step: StepId) -> bool {
    let task = job.array.as_ref().and_then(|array| array.task_id);
    let tasks = match (&id.tasks, task) {
        (None | Some(TaskSel::All), _) => true,
        (Some(tasks), Some(task)) => tasks.contains(task),
        (Some(_), None) => false,
    };
    job.answers_to(id) && tasks && id.step.as_deref().is_none_or(|wanted| step.answers_to(wanted))
}

/// A waiting element or elements: they share a line with the others of their array.
fn folds_in(job: &Job) -> bool {
    job.array.is_some() && job.state == JobState::Pending && job.flag.is_none()
}

/// Adds a record of waiting elements to the line of its array.
fn fold<'a>(job: &'a Job, context: &'a Context<'a>, places: &mut HashMap<u32, usize>, rows: &mut Vec<JobRow<'a>>) {
    let place = *places.entry(job.array_job_id()).or_insert(rows.len());
    match rows.get_mut(place) {
        None => rows.push(JobRow::new(job, context)),
        Some(row) => {
            let mut merged = row.merged.take().unwrap_or_else(|| Box::new(alone(row.job)));
            let more = alone(job);
            merged.pending.union_with(&more.pending);
            for reason in more.reasons {
                if !merged.reasons.contains(&reason) {
                    merged.reasons.push(reason);
                }
            }
            // The record that stands for several speaks for all.
            if job.array.as_ref().is_some_and(|array| array.task_id.is_none()) {
                row.job = job;
            }
            row.merged = Some(merged);
        }
    }
}

fn alone(job: &Job) -> Merged {
    let mut merged = Merged { reasons: vec![job.reason], ..Merged::default() };
    if let Some(array) = &job.array {
        match array.task_id {
            Some(task) => merged.pending.extend([task]),
            None => merged.pending.union_with(&array.pending),
        }
    }
    merged
}
