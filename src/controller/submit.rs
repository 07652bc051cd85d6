//! From a submission to a job in the queue; and the refusals on the way.

use super::{
    api::{Reply, Submission, WouldStart},
    core::{Core, refused_by_store},
    het::whole_candidate,
};
use crate::{
    config::EnforcePartLimits,
    engine::{Candidate, Forecast, Unfit},
    job::{ArrayRef, Hold, Job, JobId, Memory, Needs, Partition, Request},
    slurm::{dependency::DependencyList, errno::Errno, options::Place, time::TimeLimit},
};
use std::sync::Arc;

/// The highest priority `priority/basic` gives; each job has one less than the job before it.
const FIRST_PRIORITY: u32 = 4_294_901_760;

fn refused_as_unfit(Unfit { errno, before }: Unfit) -> Reply {
    Reply::Refused { errno, before: before.map(String::from).into_iter().collect(), hint: None }
}

impl Core {
    /// Puts a job into the table. It counts only when it is committed.
    pub(super) fn submit(&mut self, submission: Submission, now: i64) -> Result<JobId, Reply> {
        let jobs = self.admit_all(submission, now)?;
        self.counts.submitted += jobs.iter().map(|job| u64::from(job.count())).sum::<u64>();
        let ids: Vec<JobId> = jobs.into_iter().map(|job| self.insert(job)).collect();
        for id in &ids {
            self.look_at(*id, now);
            self.single_out_corresponding(*id);
            self.save(*id);
        }
        self.reschedule = true;
        Ok(ids.first().copied().unwrap_or_default())
    }

    /// `--test-only`: when and where it would start.
    ///
    /// # Errors
    /// Where another system has to be asked: its forecast, and where that is.
    pub(super) fn test_only(&mut self, mut submission: Submission, now: i64) -> Result<Reply, (Place, Forecast)> {
        submission.script.clear();
        submission.environment.clear();
        let jobs = match self.admit_all(submission, now) {
            Ok(jobs) => jobs,
            Err(refusal) => return Ok(refusal),
        };
        let Some(job) = jobs.first() else { return Ok(Reply::refused(Errno::InvalidJobId)) };
        if let Err(error) = self.store.put_last_id(self.table.last_id()) {
            return Ok(refused_by_store(&error));
        }
        let place = self.place_of(job);
        if let Some(forecast) = self.engine.forecast(job) {
            return Err((place, forecast));
        }
        let all: Vec<_> = jobs.iter().map(|job| (job, Arc::new(self.needs_of(job)))).collect();
        let candidate = whole_candidate(&all);
        let from = now.max(job.request.begin.unwrap_or(now));
        let reply = match candidate.and_then(|candidate| self.engine.would_start(&candidate, from)) {
            Some((start, places)) => Reply::WouldStart(WouldStart {
                id: job.id,
                start,
                cpus: places.iter().map(|(.., placement)| placement.cpus()).sum(),
                nodes: places.iter().flat_map(|(.., placement)| placement.names()).map(str::to_owned).collect(),
                partition: places.first().filter(|_| jobs.len() == 1).map(|(_, partition, _)| partition.clone()),
            }),
            None => Reply::refused(Errno::NodeConfigurationUnavailable),
        };
        Ok(reply.at(place))
    }

    /// Checks a submission and makes the job of it.
    pub(super) fn admit(&mut self, mut submission: Submission, now: i64) -> Result<Job, Reply> {
        let all = self.engine.partitions();
        let mut partitions = chosen_partitions(&submission.request, &all)?;
        // A partition that cannot do what an option says is passed over if another can.
        let refusals = std::mem::take(&mut submission.refusals);
        let refusal = |p: &Partition| refusals.iter().find(|(place, _)| *place == self.config.place(&p.name));
        let first = partitions.first().and_then(|p| refusal(p));
        partitions.retain(|p| refusal(p).is_none());
        let place = match (partitions.first(), first) {
            (None, Some((_, words))) => return Err(Reply::Declined(words.clone())),
            (first, _) => first.map_or(Place::Here, |p| self.config.place(&p.name)),
        };
        self.admit_to(&partitions, submission, now).map_err(|reply| reply.at(place))
    }

    /// The same for partitions that can do what its options say.
    fn admit_to(&mut self, partitions: &[&Partition], submission: Submission, now: i64) -> Result<Job, Reply> {
        let Submission { mut request, array, script, environment, .. } = submission;
        let settings = &self.config.controller;
        if !settings.accounts.is_empty() && request.account.as_ref().is_some_and(|a| !settings.accounts.contains(a)) {
            return Err(Reply::refused(Errno::InvalidAccount));
        }
        if !settings.qos_list.is_empty() && request.qos.as_ref().is_some_and(|q| !settings.qos_list.contains(q)) {
            return Err(Reply::refused(Errno::InvalidQos));
        }
        if request.nice < 0 && request.user.uid != 0 {
            return Err(Reply::refused(Errno::InvalidNice));
        }
        if request.dependency.as_ref().is_some_and(DependencyList::expands) {
            return Err(Reply::refused(Errno::NotSupported));
        }
        if array.as_ref().is_some_and(|spec| spec.count() == 0 || spec.max() >= settings.max_array_size) {
            return Err(Reply::refused(Errno::InvalidArray));
        }
        let is_array = array.is_some();
        let count = array.as_ref().map_or(1, |spec| u64::from(spec.count()));
        if self.table.has_more_than(u64::from(settings.max_job_count).saturating_sub(count)) {
            return Err(Reply::refused(Errno::AccountingPolicy));
        }
        if request.account.is_none() {
            request.account = settings.account.clone();
            request.default_account = true;
        }
        if request.qos.is_none() {
            request.qos = Some(settings.qos.clone());
            request.default_qos = true;
        }
        // A partition that cannot hold it is passed over if another can.
        let mut unfit: Option<Unfit> = None;
        let mut fitting: Vec<&Partition> = Vec::new();
        for partition in partitions {
            let limit = time_limit(&request, partition);
            let fits = match settings.enforce_part_limits.refuses() && exceeds(limit, partition.max_time) {
                true => Err(Unfit { errno: Errno::TimeLimit, before: None }),
                false => {
                    let needs = Needs::of(&request, memory_of(partition));
                    self.engine.fits(&needs, &partition.name, settings.enforce_part_limits.refuses())
                }
            };
            let fits = fits.and_then(|()| {
                let refused =
                    |words: String| Unfit { errno: Errno::NodeConfigurationUnavailable, before: Some(words.into()) };
                self.engine.accepts(&request, &partition.name).map_err(refused)
            });
            match fits {
                Ok(()) => fitting.push(partition),
                // Nodes are not looked at for a job that is held (sbatch.txt).
                Err(why) if request.hold && why.errno == Errno::NodeConfigurationUnavailable => fitting.push(partition),
                Err(why) => unfit = unfit.or(Some(why)),
            }
        }
        // What a partition may never have is a limit, what it has not is none.
        let is_limit = |unfit: &Unfit| unfit.errno != Errno::NodeConfigurationUnavailable;
        if settings.enforce_part_limits == EnforcePartLimits::All && unfit.as_ref().is_some_and(is_limit) {
            fitting.clear();
        }
        let Some(first) = fitting.first() else {
            return Err(refused_as_unfit(unfit.unwrap_or(Unfit { errno: Errno::InvalidPartition, before: None })));
        };
        // As `DefMemPerCPU` does: the job has asked for it, and shows it (`SLURM_MEM_PER_CPU`).
        let default = settings.default_memory_per_cpu.as_ref().map(|m| m.0.0);
        request.memory = request.memory.or(first.default_memory_per_cpu.or(default).map(Memory::PerCpu));
        let needs = Needs::of(&request, memory_of(first));
        self.may_have_reservation(&request, &needs).map_err(refused_as_unfit)?;
        let partition = fitting.iter().map(|p| p.name.as_str()).collect::<Vec<_>>().join(",");
        let limit = time_limit(&request, first);
        let (script, environment) = match (self.store.put_blob(&script), self.store.put_blob(&environment)) {
            (Ok(script), Ok(environment)) => (script, environment),
            (Err(error), _) | (_, Err(error)) => return Err(refused_by_store(&error)),
        };
        if request.deadline.is_some_and(|deadline| deadline < now) {
            return Err(Reply::refused(Errno::TimeLimit));
        }
        if request.time_min.is_some_and(|least| exceeds(least, limit)) {
            return Err(Reply::refused(Errno::TimeMinLimit));
        }
        let id = self.table.next_id();
        let hold = if request.hold || request.priority == Some(0) { Hold::User } else { Hold::None };
        let priority = match hold {
            Hold::None => priority(&request, id),
            _ => 0,
        };
        let job = Job {
            array: array.map(|spec| ArrayRef {
                job_id: id,
                throttle: spec.throttle,
                pending: spec.ids.clone(),
                task_id: None,
                spec: Arc::new(spec),
            }),
            hold,
            priority,
            partition,
            time_limit: limit,
            min_nodes: match &request.nodes {
                Some(nodes) if nodes.min == 0 && request.ntasks.is_none() => 0,
                _ => self.engine.least_nodes(&needs, &first.name),
            },
            min_cpus: needs.shown_cpus(),
            script,
            environment,
            dependency: request.dependency.as_ref().map(|list| self.unmet(list)).unwrap_or_default(),
            ..Job::new(id, self.shared(request, is_array), now)
        };
        self.within_limits(&job, &needs)?;
        Ok(job)
    }

    /// The request; the one of the last job where they are the same, as in a loop in a shell.
    fn shared(&mut self, request: Request, is_array: bool) -> Arc<Request> {
        if is_array {
            return Arc::new(request);
        }
        match self.last_request.upgrade() {
            Some(last) if *last == request => last,
            _ => {
                let request = Arc::new(request);
                self.last_request = Arc::downgrade(&request);
                request
            }
        }
    }

    /// Where a job is, or will be.
    pub(super) fn place_of(&self, job: &Job) -> Place {
        self.config.place(job.partition.split(',').next().unwrap_or_default())
    }

    /// What a job needs, in the first of its partitions.
    pub(super) fn needs_of(&self, job: &Job) -> Needs {
        let all = self.engine.partitions();
        let name = job.partition.split(',').next().unwrap_or_default();
        Needs::of(&job.request, all.iter().find(|p| p.name == name).and_then(memory_of))
    }
}

/// A job as the engine is shown it, without further components.
pub(super) fn as_candidate(job: &Job, needs: &Arc<Needs>, count: u32) -> Candidate {
    Candidate {
        id: job.id,
        count,
        needs: Arc::clone(needs),
        partitions: job.partition.split(',').map(str::to_owned).collect(),
        time_limit: job.time_limit,
        time_min: job.request.time_min,
        others: Vec::new(),
    }
}

/// The priority of a job that is not held.
pub(super) fn priority(request: &Request, id: JobId) -> u32 {
    let base = request.priority.unwrap_or(FIRST_PRIORITY.saturating_sub(id));
    base.saturating_add_signed(request.nice.saturating_neg()).max(1)
}

/// Memory per CPU of a job that asks for none, MiB.
pub(super) fn memory_of(partition: &Partition) -> Option<u64> {
    partition.default_memory_per_cpu.or(partition.memory_share)
}

/// The time limit a job gets in a partition.
pub(super) fn time_limit(request: &Request, partition: &Partition) -> TimeLimit {
    request.time.or(partition.default_time).unwrap_or(partition.max_time)
}

/// Whether a limit is above the most there is.
pub(super) fn exceeds(limit: TimeLimit, most: TimeLimit) -> bool {
    match (limit, most) {
        (_, TimeLimit::Unlimited) => false,
        (TimeLimit::Unlimited, TimeLimit::Minutes(_)) => true,
        (TimeLimit::Minutes(limit), TimeLimit::Minutes(most)) => limit > most,
    }
}

/// The partitions a request names, or the default. A job never goes from one engine to another by itself.
fn chosen_partitions<'a>(request: &Request, all: &'a [Partition]) -> Result<Vec<&'a Partition>, Reply> {
    if request.partitions.is_empty() {
        let default = all.iter().find(|p| p.default);
        return default.map(|p| vec![p]).ok_or_else(|| Reply::Refused {
            errno: Errno::DefaultPartitionNotSet,
            before: Vec::new(),
            hint: Some(
                "name one with -p (sinfo lists them; `skyslurm doctor` tells what is wrong where one is missing)"
                    .into(),
            ),
        });
    }
    let find = |name: &String| {
        all.iter().find(|p| &p.name == name).ok_or_else(|| Reply::Refused {
            errno: Errno::InvalidPartition,
            before: vec![format!("invalid partition specified: {name}")],
            hint: None,
        })
    };
    request.partitions.iter().map(find).collect()
}
