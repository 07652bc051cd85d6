//! What jobs may have together: licenses, and the limits of a QOS or an account. Counted anew at every look at the
//! queue, and only where the configuration has any of it.

use super::{api::Reply, core::Core, submit::exceeds};
use crate::{
    config::Config,
    job::{Job, Needs, Placement},
    slurm::{
        errno::Errno,
        license,
        limit::{Counted, Holder, Limits, Resource, Scope},
        reason::Reason,
        state::JobState,
    },
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// Something there is so much of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Pool {
    /// A license, by its name.
    License(String),
    /// What the jobs of a QOS or an account have of something together.
    Shared(Holder, String, Scope, Counted),
}

impl Pool {
    /// Whether it is of nodes: what several jobs have of one counts once.
    fn is_of_nodes(&self) -> bool {
        matches!(self, Pool::Shared(.., Counted::Tres(Resource::Node)))
    }

    /// Why a job waits that finds too little of it.
    fn reason(&self) -> Reason {
        match self {
            Pool::License(_) => Reason::Licenses,
            Pool::Shared(holder, _, scope, counted) => holder.reason(*scope, counted),
        }
    }
}

/// The limits a job is under, and whose they are: those of its QOS, those of its account.
fn limits<'a>(config: &'a Config, job: &Job) -> impl Iterator<Item = (Holder, String, &'a Limits)> {
    let qos = job.request.qos.as_ref().and_then(|name| Some((Holder::Qos, name.clone(), config.qos.get(name)?)));
    let account = job.request.account.as_ref();
    let account = account.and_then(|name| Some((Holder::Account, name.clone(), config.account.get(name)?)));
    qos.into_iter().chain(account)
}

/// What there may be so much of for the jobs of a QOS and an account together or for one, and what one job (one element)
/// takes of it: jobs before resources, as Slurm looks at them.
fn limited(config: &Config, job: &Job, needs: &Needs) -> Vec<(Holder, String, Scope, Counted, u64, u64)> {
    let tres = job.placement.as_ref().map_or_else(|| needs.tres(), Placement::tres);
    let mut all = Vec::new();
    for (holder, name, limits) in limits(config, job) {
        for (scope, counted, most) in limits.all() {
            let each = match &counted {
                Counted::Jobs => 1,
                Counted::Tres(resource) => resource.of(&tres),
            };
            all.push((holder, name.clone(), scope, counted, each, most));
        }
    }
    all.sort_by_key(|(.., counted, _, _)| *counted != Counted::Jobs);
    all
}

/// What one job (one element) takes of what is shared, with the most there may be of it.
fn demands(config: &Config, job: &Job, needs: &Needs) -> Vec<(Pool, u64, u64)> {
    let shared = limited(config, job, needs).into_iter().filter(|(_, _, scope, ..)| *scope != Scope::Job);
    let shared = shared
        .map(|(holder, name, scope, counted, each, most)| (Pool::Shared(holder, name, scope, counted), each, most));
    let licenses = licenses_of(job).into_iter().map(|(name, count)| {
        let most = config.controller.licenses.get(&name).copied().unwrap_or(0);
        (Pool::License(name), u64::from(count), u64::from(most))
    });
    shared.chain(licenses).collect()
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
pub(super) struct Room {
    /// What is taken.
    used: HashMap<Pool, u64>,
    /// Which nodes of this machine are taken, where nodes are limited.
    taken: HashMap<Pool, BTreeSet<String>>,
    /// All nodes of this machine, with the partitions they are in.
    nodes: Vec<String>,
    /// The partitions that have none but these.
    here: Vec<String>,
}

/// What a job may take.
#[derive(Debug)]
pub(super) struct Share {
    /// So many of it may start now.
    pub count: u32,
    /// Why no more.
    pub why: Option<Reason>,
    /// On which nodes alone, if not on any; then `why` is why.
    pub within: Option<BTreeSet<String>>,
}

impl Room {
    /// Takes what up to `count` of a job, with all its components, need; how many that is enough for, and why for no more.
    ///
    /// # Errors
    /// Why for none.
    pub(super) fn take(&mut self, config: &Config, whole: &[(&Job, &Needs)], count: u32) -> Result<Share, Reason> {
        let mut demanded: Vec<(Pool, u64, u64)> = Vec::new();
        for (pool, each, all) in whole.iter().flat_map(|(job, needs)| demands(config, job, needs)) {
            match demanded.iter_mut().find(|(other, ..)| *other == pool) {
                Some((_, sum, _)) => *sum += each,
                None => demanded.push((pool, each, all)),
            }
        }
        let (mut most, mut why) = (u64::from(count), None);
        let mut within: Option<BTreeSet<String>> = None;
        demanded.retain(|(_, each, _)| *each > 0);
        for (pool, each, all) in &mut demanded {
            let room = (*all).saturating_sub(*self.used.get(pool).unwrap_or(&0)) / *each;
            if room == 0 {
                // On nodes that count already it takes none.
                let taken =
                    self.shared(pool, whole).filter(|taken| taken.len() as u64 >= *each).ok_or(pool.reason())?;
                within = Some(within.map_or_else(|| taken.clone(), |nodes| &nodes & taken));
                (*each, why) = (0, Some(pool.reason()));
            } else if room < most {
                (most, why) = (room, Some(pool.reason()));
            }
        }
        for (pool, each, _) in demanded {
            *self.used.entry(pool).or_default() += each * most;
        }
        Ok(Share { count: u32::try_from(most).unwrap_or(count), why, within })
    }

    /// The nodes that jobs of a pool have, where one more may be among them. What runs elsewhere has its nodes to itself.
    fn shared(&self, pool: &Pool, whole: &[(&Job, &Needs)]) -> Option<&BTreeSet<String>> {
        let is_here = |job: &Job| job.partition.split(',').all(|name| self.here.iter().any(|here| here == name));
        let alone = matches!(whole, [(job, _)] if is_here(job));
        self.taken.get(pool).filter(|_| alone)
    }

    /// Needs of a job that may be on some nodes alone.
    pub(super) fn only(&self, needs: &Needs, within: &BTreeSet<String>) -> Arc<Needs> {
        let mut only = needs.clone();
        only.exclude.extend(self.nodes.iter().filter(|name| !within.contains(*name)).cloned());
        Arc::new(only)
    }

    /// Whether what has started can make room: a node was counted for each, which they may share.
    pub(super) fn counts_nodes(&self) -> bool {
        self.used.keys().any(Pool::is_of_nodes)
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
                let nodes = job.placement.as_ref().filter(|_| pool.is_of_nodes() && !job.is_away());
                match nodes {
                    Some(placement) => room.taken.entry(pool).or_default().extend(placement.names().map(str::to_owned)),
                    None => *room.used.entry(pool).or_default() += each,
                }
            }
        }
        for (pool, nodes) in &room.taken {
            *room.used.entry(pool.clone()).or_default() += nodes.len() as u64;
        }
        if !room.taken.is_empty() {
            room.nodes = self.engine.nodes().into_iter().map(|node| node.name).collect();
            let here = self.engine.partitions().into_iter().filter(|partition| partition.infra == "local");
            room.here = here.map(|partition| partition.name).collect();
        }
        Some(room)
    }

    /// Whether a job may be submitted at all.
    ///
    /// # Errors
    /// Slurm's refusal.
    pub(super) fn within_limits(&self, job: &Job, needs: &Needs) -> Result<(), Reply> {
        self.has_licenses(job.request.licenses.as_deref()).map_err(Reply::refused)?;
        let refused = |reason: Reason| Reply::Refused {
            errno: Errno::AccountingPolicy,
            before: vec![reason.text().to_owned()],
            hint: None,
        };
        for (holder, _, limits) in limits(&self.config, job) {
            if limits.deny_on_limit
                && let Some(reason) = self.too_large(job, needs)
            {
                return Err(refused(reason));
            }
            for (scope, most) in [(Scope::Group, limits.grp_submit_jobs), (Scope::User, limits.max_submit_jobs)] {
                let Some(most) = most else { continue };
                let is_same = |other: &&Job| match holder {
                    Holder::Qos => other.request.qos == job.request.qos,
                    Holder::Account => other.request.account == job.request.account,
                };
                let queued = self.table.jobs().filter(|job| !job.is_finished()).filter(is_same);
                let queued: u64 = queued.map(|job| u64::from(job.count())).sum();
                if queued + u64::from(job.count()) > u64::from(most) {
                    return Err(refused(holder.too_many_submitted(scope)));
                }
            }
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

    /// Why a job waits that asks for more than its QOS or account allows it, or all of its jobs.
    pub(super) fn too_large(&self, job: &Job, needs: &Needs) -> Option<Reason> {
        let too_long = |(holder, _, limits): (Holder, String, &Limits)| {
            limits.max_wall.filter(|most| exceeds(job.time_limit, *most)).map(|_| holder.too_long())
        };
        limits(&self.config, job).find_map(too_long).or_else(|| {
            let too_much = |(holder, _, scope, counted, each, most): (Holder, String, Scope, Counted, u64, u64)| {
                (each > most).then(|| holder.reason(scope, &counted))
            };
            limited(&self.config, job, needs).into_iter().find_map(too_much)
        })
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
