//! Jobs that are submitted together: they share a name, and are one request.

use super::vehicle::Means;
use crate::{engine::Start, job::Job};
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::watch;

/// How far a submission is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing was sent.
    Gathering,
    /// It may have been sent.
    Underway,
    /// It was taken: SkyPilot's numbers, by rank.
    Taken(Arc<Vec<u32>>),
    /// The server takes its jobs only one by one.
    Apart,
    /// It will never be: why.
    Failed(String),
}

/// Jobs that are submitted together.
pub struct Group {
    /// Their name.
    pub name: String,
    /// By what means they are run.
    pub means: Means,
    /// How many share it. A controller that was restarted may have to do with fewer.
    pub count: u32,
    /// Whether a former controller may have submitted it.
    pub again: bool,
    members: Mutex<Vec<Start>>,
    unwanted: Mutex<BTreeSet<u32>>,
    stage: watch::Sender<Stage>,
    /// Nobody has to wait for its files: they are there, or cannot be sent now.
    files_done: AtomicBool,
}

impl Group {
    /// A group of `count` jobs, to be filled.
    pub fn new(name: String, means: Means, count: u32, again: bool) -> Self {
        Self {
            name,
            means,
            count,
            again,
            members: Mutex::default(),
            unwanted: Mutex::default(),
            stage: watch::channel(if again { Stage::Underway } else { Stage::Gathering }).0,
            files_done: AtomicBool::new(false),
        }
    }

    /// The names of what it is there: one, or a cluster for each component of an allocation.
    pub fn names(&self) -> Vec<String> {
        let clusters = |member: &Start| {
            let jobs = std::iter::once(&member.job).chain(&member.others);
            jobs.filter_map(|job| Some(job.remote.as_ref()?.name.clone())).collect()
        };
        match (self.means, lock(&self.members).first()) {
            (Means::Cluster, Some(member)) => clusters(member),
            _ => vec![self.name.clone()],
        }
    }

    /// Adds a job; whether all are there now.
    pub fn add(&self, start: Start) -> bool {
        let mut members = lock(&self.members);
        members.push(start);
        members.len() as u32 >= self.count
    }

    /// How far it is, from now on.
    pub fn stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// It is this far.
    pub fn set(&self, stage: Stage) {
        self.stage.send_replace(stage);
    }

    /// Nobody has to wait for its files any more.
    pub fn files_are_done(&self) {
        self.files_done.store(true, Ordering::Relaxed);
    }

    /// Whether its files are being looked at or sent.
    pub fn is_on_its_way(&self) -> bool {
        let is_settled = matches!(*self.stage.borrow(), Stage::Taken(_) | Stage::Apart | Stage::Failed(_));
        !is_settled && !self.files_done.load(Ordering::Relaxed)
    }

    /// The job with `rank` is not wanted any more; whether that is all there is to do, as nothing was sent.
    pub fn withdraw(&self, rank: u32) -> bool {
        let mut unwanted = lock(&self.unwanted);
        unwanted.insert(rank);
        *self.stage.borrow() == Stage::Gathering
    }

    /// Ends the gathering: the jobs that are wanted, by rank. From now on it may have been sent.
    pub fn close(&self) -> Vec<Start> {
        let unwanted = lock(&self.unwanted);
        let mut members = lock(&self.members).clone();
        members.retain(|m| !unwanted.contains(&rank(&m.job)));
        members.sort_by_key(|m| rank(&m.job));
        self.set(Stage::Underway);
        members
    }

    /// Tells something of each job that is wanted.
    pub fn each(&self, tell: impl FnMut(&Job)) {
        let unwanted = lock(&self.unwanted);
        let members = lock(&self.members);
        let wanted = members.iter().filter(|m| !unwanted.contains(&rank(&m.job)));
        wanted.flat_map(|m| std::iter::once(&m.job).chain(&m.others)).for_each(tell);
    }
}

/// Which of a group a job is.
pub fn rank(job: &Job) -> u32 {
    job.remote.as_ref().map_or(0, |r| r.rank)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Remote, Request};

    fn member(rank: u32) -> Start {
        let mut job = Job::new(100 + rank, Arc::new(Request::default()), 0);
        job.remote = Some(Remote { name: "a".into(), rank, count: 3, ..Remote::default() });
        Start { job, others: Vec::new(), script: None, environment: "/e".into(), again: false }
    }

    fn ranks(group: &Group) -> Vec<u32> {
        group.close().iter().map(|m| rank(&m.job)).collect()
    }

    #[test]
    fn it_is_full_when_all_are_there_and_closes_in_order() {
        let group = Group::new("a".into(), Means::Managed, 3, false);
        assert!(!group.add(member(2)));
        assert!(!group.add(member(0)));
        assert!(group.add(member(1)));
        assert_eq!(ranks(&group), [0, 1, 2]);
    }

    #[test]
    fn before_it_is_sent_a_job_is_taken_out_and_after_it_only_noted() {
        let group = Group::new("a".into(), Means::Managed, 3, false);
        (0..3).for_each(|rank| _ = group.add(member(rank)));
        assert!(group.withdraw(1));
        assert_eq!(ranks(&group), [0, 2]);
        assert!(!group.withdraw(2), "it may have been sent");
        // It was not, as it turned out.
        group.set(Stage::Gathering);
        assert_eq!(ranks(&group), [0], "what was noted meanwhile counts");
    }

    #[test]
    fn an_allocation_is_a_cluster_for_each_component() {
        let other = member(0).job;
        let remote = |name: &str| Some(Remote { name: name.into(), ..Remote::default() });
        let whole = Start { others: vec![Job { remote: remote("b"), ..other }], ..member(0) };
        for (means, names) in [(Means::Managed, vec!["a"]), (Means::Cluster, vec!["a", "b"])] {
            let group = Group::new("a".into(), means, 1, false);
            assert_eq!(group.names(), ["a"]);
            group.add(whole.clone());
            assert_eq!(group.names(), names);
        }
    }

    #[test]
    fn what_a_former_controller_may_have_sent_is_not_taken_out() {
        let group = Group::new("a".into(), Means::Managed, 1, true);
        group.add(member(0));
        assert!(!group.withdraw(0));
        assert!(ranks(&group).is_empty(), "but not sent again either");
    }
}
