//! What jobs may have together: licenses, and the limits of a QOS or an account. Counted anew at every look at the
//! queue, and only where the configuration has any of it.

use super::core::Core;
use crate::{
    config::{Config, LimitsConfig},
    job::{Job, Needs},
    slurm::{errno::Errno, license, reason::Reason, state::JobState},
};
use std::collections::HashMap;

/// Something there is so much of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Pool {
    License(String),
    QosJobs(String),
    QosGpus(String),
    AccountJobs(String),
    AccountGpus(String),
}

impl Pool {
    /// Why a job waits that finds too little of it.
    fn reason(&self) -> Reason {
        match self {
            Pool::License(_) => Reason::Licenses,
            Pool::QosJobs(_) => Reason::QosMaxJobsPerUserLimit,
            Pool::QosGpus(_) => Reason::QosMaxGresPerUser,
            Pool::AccountJobs(_) => Reason::AssocMaxJobsLimit,
            Pool::AccountGpus(_) => Reason::AssocGrpGres,
        }
    }
}

/// The limits a job is under: those of its QOS, those of its account.
fn limits<'a>(config: &'a Config, job: &Job) -> [Option<(String, &'a LimitsConfig)>; 2] {
    let find = |name: &Option<String>, all: &'a std::collections::BTreeMap<String, LimitsConfig>| {
        name.as_ref().and_then(|name| all.get(name).map(|limits| (name.clone(), limits)))
    };
    [find(&job.request.qos, &config.qos), find(&job.request.account, &config.account)]
}

/// What one job (one element) takes of what is limited, with the most there may be of it.
fn demands(config: &Config, job: &Job, needs: &Needs) -> Vec<(Pool, u64, u64)> {
    let mut all = Vec::new();
    for (name, count) in licenses_of(job) {
        let most = config.controller.licenses.get(&name).copied().unwrap_or(0);
        all.push((Pool::License(name), u64::from(count), u64::from(most)));
    }
    let gpus = match &job.placement {
        Some(placement) => placement.gpus(),
        None => needs.gpus(),
    };
    let [qos, account] = limits(config, job);
    if let Some((name, limits)) = qos {
        all.extend(limits.max_jobs.map(|most| (Pool::QosJobs(name.clone()), 1, u64::from(most))));
        all.extend(limits.max_gpus.map(|most| (Pool::QosGpus(name), gpus, u64::from(most))));
    }
    if let Some((name, limits)) = account {
        all.extend(limits.max_jobs.map(|most| (Pool::AccountJobs(name.clone()), 1, u64::from(most))));
        all.extend(limits.max_gpus.map(|most| (Pool::AccountGpus(name), gpus, u64::from(most))));
    }
    all
}

fn licenses_of(job: &Job) -> Vec<license::License> {
    job.request.licenses.as_deref().and_then(|text| license::parse(text).ok()).unwrap_or_default()
}

/// Whether a job has what it was given.
fn is_counted(job: &Job) -> bool {
    matches!(job.state, JobState::Running | JobState::Suspended) || job.is_away()
}

/// What is left for those who wait.
#[derive(Debug, Default)]
pub(super) struct Room(HashMap<Pool, u64>);

impl Room {
    /// Takes what up to `count` of a job, with all its components, need; how many that is enough for.
    ///
    /// # Errors
    /// Why for none.
    pub(super) fn take(&mut self, config: &Config, whole: &[(&Job, &Needs)], count: u32) -> Result<u32, Reason> {
        let mut demanded: Vec<(Pool, u64, u64)> = Vec::new();
        for (pool, each, all) in whole.iter().flat_map(|(job, needs)| demands(config, job, needs)) {
            match demanded.iter_mut().find(|(other, ..)| *other == pool) {
                Some((_, sum, _)) => *sum += each,
                None => demanded.push((pool, each, all)),
            }
        }
        let mut most = u64::from(count);
        for (pool, each, all) in demanded.iter().filter(|(_, each, _)| *each > 0) {
            let room = (*all).saturating_sub(*self.0.get(pool).unwrap_or(&0)) / each;
            if room == 0 {
                return Err(pool.reason());
            }
            most = most.min(room);
        }
        for (pool, each, _) in demanded {
            *self.0.entry(pool).or_default() += each * most;
        }
        Ok(u32::try_from(most).unwrap_or(count))
    }
}

impl Core {
    /// What those that run have of what is limited; `None` if nothing is.
    pub(super) fn room(&self) -> Option<Room> {
        let config = &self.config;
        if config.controller.licenses.is_empty() && config.qos.is_empty() && config.account.is_empty() {
            return None;
        }
        let mut room = Room::default();
        for job in self.table.jobs().filter(|job| is_counted(job)) {
            let Some(needs) = self.table.needs(job.id) else { continue };
            for (pool, each, _) in demands(config, job, needs) {
                *room.0.entry(pool).or_default() += each;
            }
        }
        Some(room)
    }

    /// Whether a job may be submitted at all.
    ///
    /// # Errors
    /// Slurm's refusal.
    pub(super) fn within_limits(&self, job: &Job, count: u32) -> Result<(), Errno> {
        self.has_licenses(job.request.licenses.as_deref())?;
        let queued = |same: &dyn Fn(&Job) -> bool| -> u64 {
            self.table.jobs().filter(|j| !j.is_finished() && same(j)).map(|j| u64::from(j.count())).sum()
        };
        let [qos, account] = limits(&self.config, job);
        if let Some(most) = qos.and_then(|(_, limits)| limits.max_submit_jobs)
            && queued(&|other| other.request.qos == job.request.qos) + u64::from(count) > u64::from(most)
        {
            return Err(Errno::AccountingPolicy);
        }
        if let Some(most) = account.and_then(|(_, limits)| limits.max_submit_jobs)
            && queued(&|other| other.request.account == job.request.account) + u64::from(count) > u64::from(most)
        {
            return Err(Errno::AccountingPolicy);
        }
        Ok(())
    }

    /// Whether there are such licenses, and so many of them.
    ///
    /// # Errors
    /// If not, as Slurm says it.
    pub(super) fn has_licenses(&self, wanted: Option<&str>) -> Result<(), Errno> {
        let there = &self.config.controller.licenses;
        let list = wanted.map(license::parse).transpose()?.unwrap_or_default();
        let all = list.iter().all(|(name, count)| there.get(name).is_some_and(|most| count <= most));
        if all { Ok(()) } else { Err(Errno::InvalidLicenses) }
    }

    /// Whether a job asks for more time than its QOS or account allows; the reason it then waits for.
    pub(super) fn exceeds_max_wall(&self, job: &Job) -> Option<Reason> {
        let exceeds = |limits: Option<(String, &LimitsConfig)>| {
            limits
                .and_then(|(_, limits)| limits.max_wall.as_ref())
                .is_some_and(|most| super::submit::exceeds(job.time_limit, most.0))
        };
        let [qos, account] = limits(&self.config, job);
        if exceeds(qos) {
            return Some(Reason::QosMaxWallDurationPerJobLimit);
        }
        exceeds(account).then_some(Reason::AssocMaxWallDurationPerJobLimit)
    }

    /// The licenses there are, with how many of each are in use.
    pub(super) fn licenses(&self) -> Vec<(String, u32, u32)> {
        let used = |name: &str| -> u32 {
            let jobs = self.table.jobs().filter(|job| is_counted(job));
            jobs.flat_map(licenses_of).filter(|(of, _)| of == name).map(|(_, count)| count).sum()
        };
        self.config.controller.licenses.iter().map(|(name, most)| (name.clone(), *most, used(name))).collect()
    }
}
