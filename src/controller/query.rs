//! What squeue, sacct, sinfo and scontrol show are told.

use super::{
    api::{Cluster, Filter, Reply},
    core::{Core, refused_by_store},
    het::whole_candidate,
    queue::elements_left,
    store::StoreError,
};
use crate::{
    engine::{Candidate, Planned, Sending},
    job::{Job, JobId, Kept, Node},
    slurm::{array::TaskSel, errno::Errno},
};

/// A time as scontrol shows it.
fn local_time(time: i64) -> String {
    let time = chrono::DateTime::from_timestamp(time, 0).unwrap_or_default().with_timezone(&chrono::Local);
    time.format("%Y-%m-%dT%H:%M:%S").to_string()
}

impl Filter {
    /// Whether a job is one of those asked for; `since` and `until` apart. Names are looked at in any case: some commands do.
    pub fn takes(&self, job: &Job) -> bool {
        fn any<T>(list: &[T], wanted: impl Fn(&T) -> bool) -> bool {
            list.is_empty() || list.iter().any(wanted)
        }
        any(&self.uids, |uid| *uid == job.request.user.uid)
            && any(&self.names, |name| name.eq_ignore_ascii_case(&job.request.name))
            && any(&self.accounts, |name| name.eq_ignore_ascii_case(job.request.account.as_deref().unwrap_or_default()))
            && any(&self.partitions, |name| {
                job.partition.eq_ignore_ascii_case(name)
                    || job.partition.split(',').any(|p| p.eq_ignore_ascii_case(name))
            })
            && any(&self.states, |state| *state == job.state || *state == job.shown_state())
            && self.takes_id(job)
    }

    fn takes_id(&self, job: &Job) -> bool {
        self.ids.is_empty()
            || self.ids.iter().any(|spec| match (&job.array, &spec.tasks) {
                (Some(array), Some(tasks)) if array.job_id == spec.job => match array.task_id {
                    Some(task) => tasks.contains(task),
                    None => match tasks {
                        TaskSel::All => true,
                        TaskSel::One(task) => array.pending.contains(*task),
                        TaskSel::Set(ids) => array.pending.iter().any(|task| ids.contains(task)),
                    },
                },
                (_, Some(_)) => false,
                (_, None) => job.answers_to(spec),
            })
    }
}

impl Core {
    /// Jobs in memory.
    pub(super) fn jobs(&self, filter: &Filter) -> Vec<&Job> {
        // A few ids are looked up, not searched for.
        if !filter.ids.is_empty() && filter.ids.len() < 64 {
            let mut ids: Vec<JobId> = filter.ids.iter().flat_map(|spec| self.table.records_of(spec.job)).collect();
            ids.extend(filter.ids.iter().map(|spec| spec.job));
            ids.sort_unstable();
            ids.dedup();
            return ids.into_iter().filter_map(|id| self.table.get(id)).filter(|job| filter.takes(job)).collect();
        }
        self.table.jobs().filter(|job| filter.takes(job)).collect()
    }

    /// When those who could start, were there room, probably will.
    pub(super) fn planned(&self, now: i64) -> Vec<Planned> {
        let table = &self.table;
        let mut queue = table.queue().filter_map(|(job, _)| {
            let all: Vec<_> = table
                .components(job.id)
                .into_iter()
                .filter_map(|id| Some((table.get(id)?, table.needs(id)?.clone())))
                .collect();
            let count = elements_left(table, job);
            whole_candidate(&all).map(|whole| Candidate { count, ..whole }).filter(|_| count > 0)
        });
        self.engine.plan(&mut queue, now)
    }

    /// What `tell` makes of the jobs on record, in sacct's order.
    pub(super) fn accounting<T>(
        &mut self,
        filter: &Filter,
        tell: impl FnOnce(Vec<&Job>) -> T,
    ) -> Result<T, StoreError> {
        let in_window = |job: &Job| {
            let began = job.eligible_time.unwrap_or(job.submit_time).min(job.start_time.unwrap_or(i64::MAX));
            filter.since.is_none_or(|since| job.end_time.is_none_or(|end| end >= since))
                && filter.until.is_none_or(|until| began <= until)
        };
        let wanted = |job: &Job| in_window(job) && filter.takes(job);
        let since = filter.since.unwrap_or(0);
        let ids: Vec<JobId> = filter.ids.iter().map(|spec| spec.job).collect();
        let mut read = match ids.is_empty() {
            true if self.recent.has_all_since(since) => Vec::new(),
            true => self.store.ended_since(since)?,
            false => self.store.by_ids(&ids)?,
        };
        // What is not over is told as it is now.
        read.retain(|job| self.table.get(job.id).is_none());
        if ids.is_empty() {
            read = self.recent.keep(since, read);
        }
        if filter.duplicates {
            read.extend(self.store.earlier_runs()?);
            read.extend(self.earlier_runs.iter().cloned());
        }
        let has_all = ids.is_empty() && self.recent.has_all_since(since);
        let kept = has_all.then(|| self.recent.jobs()).into_iter().flatten();
        let all = self.table.jobs().chain(kept).chain(&read);
        let mut jobs: Vec<&Job> = all.filter(|job| wanted(job)).collect();
        jobs.sort_by_key(|job| (job.array_job_id(), job.id, job.restarts));
        Ok(tell(jobs))
    }

    /// The nodes, with what reservations have of them.
    fn nodes(&self, now: i64) -> Vec<Node> {
        let mut nodes = self.engine.nodes();
        for reservation in self.reservations.iter().filter(|r| r.is_active(now)) {
            let is_maintenance = reservation.has("MAINT");
            for node in nodes.iter_mut().filter(|node| reservation.nodes.contains(&node.name)) {
                node.kept = match node.kept {
                    Kept::Maintenance => Kept::Maintenance,
                    _ if is_maintenance => Kept::Maintenance,
                    _ => Kept::Reserved,
                };
            }
        }
        nodes
    }

    /// Partitions, nodes and settings.
    pub(super) fn cluster(&self, now: i64) -> Cluster {
        let settings = &self.config.controller;
        let mut qos = vec![settings.qos.clone()];
        qos.extend(settings.qos_list.iter().filter(|name| **name != settings.qos).cloned());
        Cluster {
            name: settings.cluster_name.clone(),
            partitions: self.engine.partitions(),
            nodes: self.nodes(now),
            config: self.settings(),
            licenses: self.licenses(),
            reservations: self.reservations.clone(),
            accounts: settings.accounts.clone(),
            default_account: settings.account.clone(),
            qos,
            qos_limits: self.config.qos.clone(),
            account_limits: self.config.account.clone(),
            now,
            out_of_reach: self.engine.out_of_reach(),
        }
    }

    /// `scontrol show config`: what of slurm.conf(5) means something here.
    fn settings(&self) -> Vec<(String, String)> {
        let c = &self.config.controller;
        let memory = self.engine.partitions().first().and_then(|p| p.default_memory_per_cpu);
        let state = self.state_dir.display();
        let mut all = vec![
            ("AccountingStorageType", "skyslurm/sqlite".to_owned()),
            ("BOOT_TIME", local_time(self.since)),
            ("ClusterName", c.cluster_name.clone()),
            ("DefMemPerCPU", memory.map_or("UNLIMITED".into(), |m| m.to_string())),
            ("EnforcePartLimits", c.enforce_part_limits.word().into()),
            ("JobRequeue", u8::from(c.job_requeue).to_string()),
            ("KillWait", format!("{} sec", c.kill_wait)),
            ("MaxArraySize", c.max_array_size.to_string()),
            ("MaxJobCount", c.max_job_count.to_string()),
            ("MinJobAge", format!("{} sec", c.min_job_age)),
            ("NEXT_JOB_ID", (self.table.last_id() + 1).to_string()),
            ("OverTimeLimit", format!("{} min", c.over_time_limit)),
            ("PriorityType", "priority/basic".into()),
            ("SchedulerType", "sched/backfill".into()),
            ("SelectType", "select/cons_tres".into()),
            ("SelectTypeParameters", "CR_CPU_MEMORY".into()),
            ("SLURM_CONF", format!("{state}/slurm.conf")),
            ("SLURM_VERSION", crate::slurm::options::version().trim_start_matches("slurm ").to_owned()),
            ("SlurmctldHost[0]", crate::host::hardware::host_name()),
            ("StateSaveLocation", state.to_string()),
        ];
        all.sort_by_key(|(key, _)| key.to_lowercase());
        all.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// How far a job's files are; of an array, those of its first element that is on its way.
    pub(super) fn sending(&self, id: JobId) -> Sending {
        let records = self.table.records_of(id);
        let jobs = || records.iter().filter_map(|id| self.table.get(*id));
        if let Some(job) = jobs().find(|j| j.is_away()) {
            return self.engine.sending(job);
        }
        // One that is about to be handed over.
        let elsewhere = |job: &Job| {
            let first = job.partition.split(',').next();
            self.engine.partitions().iter().any(|p| Some(p.name.as_str()) == first && p.infra != "local")
        };
        match jobs().any(|job| self.table.is_queued(job.id) && elsewhere(job)) {
            true => Sending::Looking,
            false => Sending::Done,
        }
    }

    /// A job's script or environment, by where it is kept.
    pub(super) fn kept(&mut self, id: JobId, place: fn(&Job) -> u64) -> Reply {
        let blob = match self.table.get(id).map(place) {
            Some(blob) => blob,
            None => match self.store.by_ids(&[id]) {
                Ok(jobs) => match jobs.first() {
                    Some(job) => place(job),
                    None => return Reply::Refused { errno: Errno::InvalidJobId, before: Vec::new(), hint: None },
                },
                Err(error) => return refused_by_store(&error),
            },
        };
        match self.store.blob(blob) {
            Ok(script) => Reply::Script(script),
            Err(error) => refused_by_store(&error),
        }
    }
}
