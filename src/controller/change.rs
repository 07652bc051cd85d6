//! Hold, release, requeue and update: what scontrol asks.

use super::{
    api::{Change, Setting},
    core::Core,
    submit::{exceeds, memory_of, priority},
};
use crate::{
    agent::wire::Control,
    job::{Hold, JobId, Memory, Needs, Request, Requeue},
    slurm::{array::JobIdSpec, count::NodeCount, errno::Errno, reason::Reason, state::JobState, time::TimeLimit},
};
use std::sync::Arc;

impl Core {
    /// Changes what one specification names.
    pub(super) fn change(&mut self, spec: &JobIdSpec, change: &Change, uid: u32, now: i64) -> Result<(), Errno> {
        let found = self.table.find(spec);
        if found.is_empty() || spec.step.is_some() {
            return Err(Errno::InvalidJobId);
        }
        let mut result = Err(Errno::InvalidJobId);
        for (id, task) in found {
            if let Change::Notify(message) = change {
                // Of an array without an index the record that has its number is meant.
                if spec.tasks.is_some() || spec.het.is_some() || id == spec.job {
                    result = result.or(self.notify(id, message));
                }
                continue;
            }
            let id = match task {
                Some(task) => self.single_out(id, task).ok_or(Errno::InvalidJobId)?,
                None => id,
            };
            let leads = self.table.get(id).is_some_and(|job| job.leads());
            let one = match change {
                // The whole is put back, by its first component.
                Change::Requeue { .. } if !leads && id != spec.job && spec.het.is_none() => continue,
                Change::Requeue { .. } if !leads && spec.het.is_some() => Err(Errno::InvalidJobId),
                Change::Requeue { .. } if !leads => Err(Errno::NotHetLeader),
                Change::Hold => self.hold(id),
                Change::Release => self.release(id, now),
                Change::Suspend => self.suspend(id, now),
                Change::Resume => self.resume(id, now),
                Change::Requeue { hold } => self.requeue(id, *hold, uid, now),
                Change::Update(settings) => self.update(id, settings, now),
                Change::Notify(_) => continue,
            };
            result = result.or(one);
        }
        result
    }

    /// Has a message put into the output of a job that runs, or told to whoever waits for it at a terminal.
    fn notify(&mut self, id: JobId, message: &str) -> Result<(), Errno> {
        let job = self.table.get(id).ok_or(Errno::InvalidJobId)?;
        match job.state {
            JobState::Running | JobState::Suspended => {
                self.engine.control(job.leader_id(), Control::Notify(message.to_owned()));
                Ok(())
            }
            JobState::Pending => Err(Errno::Disabled),
            _ => Err(Errno::AlreadyDone),
        }
    }

    /// Gives one pending element a record of its own.
    pub(super) fn single_out(&mut self, id: JobId, task: u32) -> Option<JobId> {
        let job = self.table.get_mut(id)?;
        let array = job.array.as_mut()?;
        if !array.pending.remove(task) {
            return None;
        }
        self.save(id);
        let job = self.table.get_mut(id)?;
        let mut element = job.clone();
        let own = element.array.as_mut()?;
        own.task_id = Some(task);
        own.pending = Default::default();
        if job.array.as_ref()?.pending.is_empty() {
            *job = element;
            return Some(id);
        }
        let new = self.table.next_id();
        element.id = new;
        let needs = self.table.needs(id)?.clone();
        self.table.insert_shared(element, needs);
        self.save(new);
        let now = crate::host::clock::now();
        self.look_at(new, now);
        Some(new)
    }

    fn hold(&mut self, id: JobId) -> Result<(), Errno> {
        let job = self.table.get_mut(id).ok_or(Errno::InvalidJobId)?;
        match job.state {
            // It comes back from where it waits, and stays.
            JobState::Pending if job.is_away() => {
                job.hold = Hold::User;
                job.priority = 0;
                let uid = job.request.user.uid;
                self.save(id);
                self.terminate(id, JobState::Pending, uid, crate::host::clock::now());
                Ok(())
            }
            JobState::Pending => {
                job.hold = Hold::User;
                job.priority = 0;
                job.eligible_time = None;
                self.save(id);
                self.table.dequeue(id);
                self.set_reason(id, Reason::JobHeldUser);
                Ok(())
            }
            JobState::Running | JobState::Suspended => Err(Errno::JobNotPending),
            _ => Err(Errno::JobFinished),
        }
    }

    fn release(&mut self, id: JobId, now: i64) -> Result<(), Errno> {
        let job = self.table.get_mut(id).ok_or(Errno::InvalidJobId)?;
        match job.state {
            JobState::Pending => {
                if job.hold != Hold::None {
                    // One that is on its way back goes out again when it has come.
                    job.let_go();
                    job.priority = priority(&Request { priority: None, ..(*job.request).clone() }, id);
                    self.save(id);
                    self.look_at(id, now);
                }
                Ok(())
            }
            JobState::Running | JobState::Suspended => Err(Errno::JobNotPending),
            _ => Err(Errno::JobFinished),
        }
    }

    /// Whether a job may run a second time.
    pub(super) fn may_requeue(&self, id: JobId) -> bool {
        match self.table.get(id).map(|job| job.request.requeue) {
            Some(Requeue::Yes) => true,
            Some(Requeue::Default) => self.config.controller.job_requeue,
            Some(Requeue::No) | None => false,
        }
    }

    fn requeue(&mut self, id: JobId, hold: bool, uid: u32, now: i64) -> Result<(), Errno> {
        let may = self.may_requeue(id);
        let job = self.table.get_mut(id).ok_or(Errno::InvalidJobId)?;
        if !may {
            return Err(Errno::Disabled);
        }
        let state = job.state;
        if hold && state != JobState::Pending {
            for id in self.table.components(id) {
                if let Some(job) = self.table.get_mut(id) {
                    (job.hold, job.priority) = (Hold::Requeued, 0);
                }
            }
        }
        match state {
            JobState::Pending => Err(Errno::JobPending),
            JobState::Running | JobState::Suspended => {
                for id in self.table.components(id) {
                    if let Some(job) = self.table.get_mut(id).filter(|job| !job.state.is_finished()) {
                        job.flag = Some(JobState::Completing);
                        self.save(id);
                    }
                }
                self.terminate(id, JobState::Pending, uid, now);
                Ok(())
            }
            _ => {
                self.table.components(id).into_iter().for_each(|id| self.put_back(id));
                Ok(())
            }
        }
    }

    fn update(&mut self, id: JobId, settings: &[Setting], now: i64) -> Result<(), Errno> {
        let job = self.table.get(id).ok_or(Errno::InvalidJobId)?;
        if job.state.is_finished() {
            return Err(Errno::JobFinished);
        }
        let partitions = self.engine.partitions();
        let mut changed = job.clone();
        let mut request = (*job.request).clone();
        let pending = job.state == JobState::Pending && !job.is_away();
        for setting in settings {
            let only_pending = matches!(
                setting,
                Setting::Partition(_)
                    | Setting::Nodes(..)
                    | Setting::Tasks(_)
                    | Setting::CpusPerTask(_)
                    | Setting::MemoryPerNode(_)
                    | Setting::NodeList(_)
                    | Setting::ExcludeNodes(_)
                    | Setting::Begin(_)
                    | Setting::Dependency(_)
                    | Setting::TimeMin(_)
                    | Setting::Licenses(_)
                    | Setting::Reservation(_)
            );
            if only_pending && !pending {
                return Err(Errno::JobNotPending);
            }
            match setting {
                Setting::Name(name) => request.name.clone_from(name),
                Setting::TimeLimit(limit) => changed.time_limit = *limit,
                Setting::TimeLimitBy(minutes) => match changed.time_limit {
                    TimeLimit::Unlimited => return Err(Errno::TimeLimit),
                    TimeLimit::Minutes(now) => {
                        let sum = i64::from(now) + minutes;
                        let sum = u32::try_from(sum).ok().filter(|m| *m > 0).ok_or(Errno::TimeLimit)?;
                        changed.time_limit = TimeLimit::Minutes(sum);
                    }
                },
                Setting::Partition(names) => {
                    if names.iter().any(|n| !partitions.iter().any(|p| &p.name == n)) {
                        return Err(Errno::InvalidPartition);
                    }
                    changed.partition = names.join(",");
                    request.partitions.clone_from(names);
                }
                Setting::Nice(nice) => request.nice = *nice,
                Setting::Priority(0) => changed.hold = Hold::User,
                Setting::Priority(value) => {
                    request.priority = Some(*value);
                    changed.let_go();
                }
                Setting::Comment(text) => request.comment = Some(text.clone()),
                Setting::Account(name) => {
                    let known = &self.config.controller.accounts;
                    if !known.is_empty() && !known.contains(name) {
                        return Err(Errno::InvalidAccount);
                    }
                    request.account = Some(name.clone());
                    request.default_account = false;
                }
                Setting::Qos(name) => {
                    let known = &self.config.controller.qos_list;
                    if !known.is_empty() && !known.contains(name) {
                        return Err(Errno::InvalidQos);
                    }
                    request.qos = Some(name.clone());
                    request.default_qos = false;
                }
                Setting::ArrayThrottle(most) => match &mut changed.array {
                    Some(array) => array.throttle = (*most > 0).then_some(*most),
                    None => return Err(Errno::NotSupported),
                },
                Setting::Begin(time) => request.begin = Some(*time),
                // Later than it asked for only an operator may let it end.
                Setting::Deadline(_) if request.user.uid != 0 => return Err(Errno::AccessDenied),
                Setting::Deadline(time) => request.deadline = Some(*time),
                Setting::TimeMin(limit) if exceeds(*limit, changed.time_limit) => return Err(Errno::TimeMinLimit),
                Setting::TimeMin(limit) => request.time_min = Some(*limit),
                Setting::Licenses(text) => {
                    request.licenses = Some(text.clone()).filter(|text| !text.is_empty());
                    self.has_licenses(request.licenses.as_deref())?;
                }
                Setting::Reservation(name) => {
                    request.reservation = Some(name.clone()).filter(|name| !name.is_empty());
                    let needs = self.table.needs(id).ok_or(Errno::InvalidJobId)?;
                    self.may_have_reservation(&request, needs).map_err(|unfit| unfit.errno)?;
                }
                Setting::Dependency(text) => {
                    let list = text.parse().map_err(|_| Errno::Dependency)?;
                    changed.dependency = self.changed_dependency(id, &list)?;
                }
                Setting::Requeue(yes) => request.requeue = if *yes { Requeue::Yes } else { Requeue::No },
                Setting::Nodes(min, max) => request.nodes = Some(NodeCount { min: *min, max: *max }),
                Setting::Tasks(count) => request.ntasks = Some(*count),
                Setting::CpusPerTask(count) => request.cpus_per_task = Some(*count),
                Setting::MemoryPerNode(mib) => request.memory = Some(Memory::PerNode(*mib)),
                Setting::NodeList(names) => request.nodelist.clone_from(names),
                Setting::ExcludeNodes(names) => request.exclude.clone_from(names),
            }
        }
        if pending {
            let name = changed.partition.split(',').next().unwrap_or_default();
            let memory = partitions.iter().find(|p| p.name == name).and_then(memory_of);
            let needs = Needs::of(&request, memory);
            self.engine
                .fits(&needs, name, self.config.controller.enforce_part_limits.refuses())
                .map_err(|unfit| unfit.errno)?;
            changed.min_nodes = self.engine.least_nodes(&needs, name);
            changed.min_cpus = needs.shown_cpus();
            changed.priority = match changed.hold {
                Hold::None => priority(&request, id),
                _ => 0,
            };
            changed.eligible_time = None;
            self.table.set_needs(id, needs);
        }
        if *changed.request != request {
            changed.request = Arc::new(request);
        }
        if !pending && changed.time_limit != self.table.get(id).map_or(changed.time_limit, |j| j.time_limit) {
            self.engine.limit_changed(&changed);
        }
        let limit = changed.time_limit;
        let before = std::mem::replace(self.table.get_mut(id).ok_or(Errno::InvalidJobId)?, changed);
        self.save(id);
        if before.state == JobState::Running && before.time_limit != limit {
            self.await_warnings(id);
        }
        self.look_at(id, now);
        self.single_out_corresponding(id);
        self.wake_singletons(&(before.request.user.uid, before.request.name.clone()));
        self.reschedule = true;
        Ok(())
    }
}
