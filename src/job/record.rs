//! The record the controller keeps of a job.

use super::{ExitStatus, Het, Placement, Remote, Request, Step, StepId};
use crate::slurm::{
    array::{ArraySpec, JobIdSpec},
    dependency::Unmet,
    idset::IdSet,
    reason::Reason,
    state::JobState,
    time::TimeLimit,
};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, LazyLock};

/// A job's number, from 1.
pub type JobId = u32;

/// What keeps a job from being looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hold {
    /// Nothing.
    #[default]
    None,
    /// `sbatch --hold`, `scontrol uhold`
    User,
    /// `scontrol hold` by an administrator
    Admin,
    /// `scontrol requeuehold`
    Requeued,
    /// It has lost its nodes too often (`max_batch_requeue`).
    TooOften,
    /// Its reservation is over and gone.
    ReservationGone,
}

/// A job's place in a job array.
///
/// An array is submitted as one record that stands for all its pending elements.
/// An element that starts (or is changed alone) gets a record and a job id of its
/// own; the last one keeps the record and the id of the array (`env.txt`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayRef {
    /// The array's own id (`SLURM_ARRAY_JOB_ID`).
    pub job_id: JobId,
    /// The whole array as submitted; shared and handed on likewise.
    #[serde(skip, default = "no_spec")]
    pub spec: Arc<ArraySpec>,
    /// At most so many at a time; `None`: no limit.
    pub throttle: Option<u32>,
    /// The element this record is; `None` while it stands for those in `pending`.
    pub task_id: Option<u32>,
    /// The elements this record stands for, while `task_id` is `None`.
    pub pending: IdSet,
}

/// What a record has until a [`super::JobList`] gives it what it shares: one for all, of which there may be very many.
fn no_request() -> Arc<Request> {
    static NONE: LazyLock<Arc<Request>> = LazyLock::new(Arc::default);
    Arc::clone(&NONE)
}

fn no_spec() -> Arc<ArraySpec> {
    static NONE: LazyLock<Arc<ArraySpec>> = LazyLock::new(Arc::default);
    Arc::clone(&NONE)
}

/// A job. Times are epoch seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// What it asked for; shared by the elements of an array, and handed on by a [`super::JobList`].
    #[serde(skip, default = "no_request")]
    pub request: Arc<Request>,
    /// Its place in an array.
    pub array: Option<ArrayRef>,
    /// Its place in a heterogeneous job.
    #[serde(default)]
    pub het: Option<Het>,
    /// Its base state.
    pub state: JobState,
    /// A flag over the state: COMPLETING, CONFIGURING, REQUEUED, ...
    pub flag: Option<JobState>,
    /// Why it waits, or how it ended.
    pub reason: Reason,
    /// More about the reason, from the engine, in words.
    pub detail: Option<String>,
    /// What keeps it from being looked at.
    pub hold: Hold,
    /// Higher goes first; 0 when held.
    pub priority: u32,
    /// The partition it is in, once one of the request's is chosen (the first one till then).
    pub partition: String,
    /// Time limit in force.
    pub time_limit: TimeLimit,
    /// Nodes it will need at least, for squeue's NODES while it is pending.
    pub min_nodes: u32,
    /// CPUs it will need at least, for squeue's CPUS while it is pending.
    pub min_cpus: u32,
    /// When sbatch was typed.
    pub submit_time: i64,
    /// From when it may start; `None`: not known yet (held, begin time open).
    pub eligible_time: Option<i64>,
    /// When it started; for a pending job, when it is expected to.
    pub start_time: Option<i64>,
    /// When it ended.
    pub end_time: Option<i64>,
    /// Where it runs or ran.
    pub placement: Option<Placement>,
    /// How its script ended.
    pub exit: ExitStatus,
    /// The highest exit code of its steps (`DerivedExitCode`).
    pub derived_exit: ExitStatus,
    /// How often it was requeued.
    pub restarts: u32,
    /// Who cancelled it, by user id.
    pub cancelled_by: Option<u32>,
    /// Its steps in the order they began; the batch script first. Handed on by a [`super::JobList`], too.
    #[serde(skip)]
    pub steps: Vec<Step>,
    /// The script in the store, for `scontrol write batch_script`.
    pub script: u64,
    /// The environment in the store.
    pub environment: u64,
    /// How it is known to the system it was handed to; `None` while it is ours alone.
    #[serde(default)]
    pub remote: Option<Remote>,
    /// What is left of its dependency.
    #[serde(default)]
    pub dependency: Unmet,
    /// Its suspensions.
    #[serde(default)]
    pub suspension: Suspension,
}

/// When a job did not run between its start and its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// When it was last suspended or resumed, epoch seconds; `None`: never.
    pub time: Option<i64>,
    /// Seconds it was suspended for, up to then.
    pub seconds: i64,
}

impl Job {
    /// The record of a job that was submitted at `now` and waits, as long as nothing else is known of it.
    pub fn new(id: JobId, request: Arc<Request>, now: i64) -> Self {
        Self {
            id,
            array: None,
            het: None,
            state: JobState::Pending,
            flag: None,
            reason: Reason::None,
            detail: None,
            hold: Hold::None,
            priority: 1,
            partition: request.partitions.first().cloned().unwrap_or_default(),
            time_limit: request.time.unwrap_or(TimeLimit::Unlimited),
            min_nodes: 1,
            min_cpus: 1,
            submit_time: now,
            eligible_time: None,
            start_time: None,
            end_time: None,
            placement: None,
            exit: ExitStatus::default(),
            derived_exit: ExitStatus::default(),
            restarts: 0,
            cancelled_by: None,
            steps: Vec::new(),
            script: 0,
            environment: 0,
            remote: None,
            dependency: Unmet::default(),
            suspension: Suspension::default(),
            request,
        }
    }

    /// Nothing keeps it any more from being looked at.
    pub fn let_go(&mut self) {
        if std::mem::take(&mut self.hold) == Hold::ReservationGone {
            self.detail = None;
        }
    }

    /// The state to show: the flag if one is raised.
    pub fn shown_state(&self) -> JobState {
        match self.flag {
            None if self.hold == Hold::ReservationGone => JobState::ResvDelHold,
            flag => flag.unwrap_or(self.state),
        }
    }

    /// Whether it is over and its output complete.
    pub fn is_finished(&self) -> bool {
        self.state.is_finished() && self.flag.is_none()
    }

    /// What it ended with as squeue and scontrol have it: of a job that was ended it is what its script made of that.
    /// Accounting notes the end before it comes to that.
    pub fn last_exit(&self) -> ExitStatus {
        let script = self.steps.iter().find(|step| step.id == StepId::Batch && step.end.is_some());
        match (self.state, script) {
            (JobState::Cancelled | JobState::Timeout, Some(script)) => script.exit,
            _ => self.exit,
        }
    }

    /// Whether it was handed to another system, which decides when it starts.
    pub fn is_away(&self) -> bool {
        self.remote.is_some() && !self.is_finished()
    }

    /// Seconds it has run up to `now`, as squeue's TIME and sacct's Elapsed.
    pub fn elapsed(&self, now: i64) -> i64 {
        match (self.state, self.start_time) {
            (JobState::Pending, _) | (_, None) => 0,
            (_, Some(start)) => (self.end_time.unwrap_or(now) - start - self.suspended(now)).max(0),
        }
    }

    /// Seconds it was suspended for up to `now`.
    pub fn suspended(&self, now: i64) -> i64 {
        let Suspension { time, seconds } = self.suspension;
        match (self.state, time) {
            (JobState::Suspended, Some(since)) => seconds + (now - since).max(0),
            _ => seconds,
        }
    }

    /// Whether it is started by itself: not as a component of a heterogeneous job behind the first.
    pub fn leads(&self) -> bool {
        self.het.is_none_or(|het| het.leads())
    }

    /// The id by which its agents know it: that of the first component of a heterogeneous job, else its own.
    pub fn leader_id(&self) -> JobId {
        self.het.map_or(self.id, |het| het.leader)
    }

    /// `12`, `12_3`, `12+1` or `12_[1-10%2]` with `pending` put in by the caller.
    pub fn shown_id(&self, bitstr_len: usize) -> String {
        match &self.array {
            None => match self.het {
                Some(het) => format!("{}+{}", het.leader, het.offset),
                None => self.id.to_string(),
            },
            Some(array) => match array.task_id {
                Some(task) => format!("{}_{}", array.job_id, task),
                None => format!(
                    "{}_[{}]",
                    array.job_id,
                    crate::slurm::array::show_pending(&array.pending, array.throttle, bitstr_len)
                ),
            },
        }
    }

    /// Whether an id means it, elements of an array and steps apart.
    pub fn answers_to(&self, id: &JobIdSpec) -> bool {
        let is_of = |job: JobId| job == self.id || job == self.array_job_id() || job == self.leader_id();
        match id.het {
            None => is_of(id.job),
            Some(offset) => self.het.is_some_and(|het| (het.leader, het.offset) == (id.job, offset)),
        }
    }

    /// The id of its array, or its own: the first part of its shown id, and of `%A` in file names.
    pub fn array_job_id(&self) -> JobId {
        self.array.as_ref().map_or(self.id, |a| a.job_id)
    }

    /// How many jobs it stands for: the elements of a pending array, else 1.
    pub fn count(&self) -> u32 {
        match &self.array {
            Some(ArrayRef { task_id: None, pending, .. }) => pending.len() as u32,
            _ => 1,
        }
    }
}
