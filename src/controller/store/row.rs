//! A job from its row.

use super::text::parse;
use crate::{
    job::{ArrayRef, ExitStatus, Het, Job, JobId, Request},
    slurm::{array::ArraySpec, time::TimeLimit},
};
use rusqlite::{Row, types::FromSql};
use std::{collections::HashMap, sync::Arc};

/// Why a row could not be read.
pub(super) enum Trouble {
    Sqlite(rusqlite::Error),
    Damaged(String),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<String> for Trouble {
    fn from(what: String) -> Self {
        Self::Damaged(what)
    }
}

/// What rows of requests say, each read once.
pub(super) type Requests = HashMap<i64, (Arc<Request>, Option<Arc<ArraySpec>>)>;

/// A row, whose columns are found by name: looked for anew in each row that takes longer than reading them.
pub(super) struct Record<'a, 's> {
    pub(super) row: &'a Row<'s>,
    pub(super) columns: &'a HashMap<String, usize>,
}

impl Record<'_, '_> {
    fn get<T: FromSql>(&self, column: &str) -> rusqlite::Result<T> {
        let missing = || rusqlite::Error::InvalidColumnName(column.to_owned());
        self.row.get(*self.columns.get(column).ok_or_else(missing)?)
    }
}

/// The job that a row says.
pub(super) fn job(row: &Record, requests: &mut Requests) -> Result<Job, Trouble> {
    let text = |column: &str| -> Result<String, Trouble> { Ok(row.get::<String>(column)?) };
    let key: i64 = row.get("request")?;
    let (request, spec) = match requests.get(&key) {
        Some(known) => known.clone(),
        None => {
            let request: Arc<Request> = Arc::new(parse(&text("request_json")?)?);
            let spec: Option<String> = row.get("spec")?;
            let spec = spec.map(|s| parse::<ArraySpec>(&s)).transpose()?.map(Arc::new);
            requests.insert(key, (Arc::clone(&request), spec.clone()));
            (request, spec)
        }
    };
    let state = |name: &str| crate::slurm::state::JobState::parse(name).ok_or(format!("unknown state {name}"));
    let array = match (row.get::<Option<JobId>>("array_job")?, spec) {
        (Some(job_id), Some(spec)) => Some(ArrayRef {
            job_id,
            spec,
            throttle: row.get("array_throttle")?,
            task_id: row.get("array_task")?,
            pending: match row.get::<Option<String>>("array_pending")? {
                Some(ranges) => ranges.parse().map_err(|_| format!("array elements {ranges}"))?,
                None => Default::default(),
            },
        }),
        _ => None,
    };
    let het = match (row.get("het_leader")?, row.get("het_offset")?, row.get("het_size")?) {
        (Some(leader), Some(offset), Some(size)) => Some(Het { leader, offset, size }),
        _ => None,
    };
    let placement: Option<String> = row.get("placement")?;
    let flag: Option<String> = row.get("flag")?;
    let remote: Option<String> = row.get("remote")?;
    let dependency: Option<String> = row.get("dependency")?;
    let suspension: Option<String> = row.get("suspension")?;
    Ok(Job {
        id: row.get("id")?,
        request,
        array,
        het,
        state: state(&text("state")?)?,
        flag: flag.as_deref().map(state).transpose()?,
        reason: parse(&text("reason")?)?,
        detail: row.get("detail")?,
        hold: parse(&text("hold")?)?,
        priority: row.get("priority")?,
        partition: row.get("partition")?,
        time_limit: row.get::<Option<u32>>("time_limit")?.map_or(TimeLimit::Unlimited, TimeLimit::Minutes),
        min_nodes: row.get("min_nodes")?,
        min_cpus: row.get("min_cpus")?,
        submit_time: row.get("submit_time")?,
        eligible_time: row.get("eligible_time")?,
        start_time: row.get("start_time")?,
        end_time: row.get("end_time")?,
        placement: placement.as_deref().map(parse).transpose()?,
        exit: ExitStatus(row.get("exit")?),
        derived_exit: ExitStatus(row.get("derived_exit")?),
        restarts: row.get("restarts")?,
        cancelled_by: row.get("cancelled_by")?,
        steps: Vec::new(),
        script: row.get::<i64>("script")? as u64,
        environment: row.get::<i64>("environment")? as u64,
        remote: remote.as_deref().map(parse).transpose()?,
        dependency: dependency.as_deref().map(parse).transpose()?.unwrap_or_default(),
        suspension: suspension.as_deref().map(parse).transpose()?.unwrap_or_default(),
    })
}
