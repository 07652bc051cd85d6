//! Jobs that are over and have left the table: what sacct asks for again and again is not read from the disk each time.

use crate::job::Job;
use std::collections::VecDeque;

/// At most so many are kept: some 25 MB.
const MOST: usize = 10_000;

/// The jobs that ended last. None of them changes any more.
pub struct Recent {
    jobs: VecDeque<Job>,
    /// All that ended from here on and are not in the table are here, epoch seconds.
    since: i64,
    most: usize,
}

impl Recent {
    /// None yet, and all that end from `since` on will come.
    pub fn new(since: i64) -> Self {
        Self { jobs: VecDeque::new(), since, most: MOST }
    }

    /// Whether none that ended at `since` or later is missing.
    pub fn has_all_since(&self, since: i64) -> bool {
        since >= self.since
    }

    /// They.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter()
    }

    /// Adds what has left the table.
    pub fn extend(&mut self, jobs: impl IntoIterator<Item = Job>) {
        self.jobs.extend(jobs);
        while self.jobs.len() > self.most {
            self.drop_first();
        }
    }

    /// Keeps instead of what is here all that ended at `since` or later, unless they are too many: those are given back.
    pub fn keep(&mut self, since: i64, mut all: Vec<Job>) -> Vec<Job> {
        if self.has_all_since(since) || all.len() > self.most {
            return all;
        }
        all.sort_by_key(|job| job.end_time);
        *self = Self { jobs: all.into(), since, most: self.most };
        Vec::new()
    }

    /// Forgets what ended before a time.
    pub fn forget(&mut self, before: i64) {
        self.jobs.retain(|job| job.end_time >= Some(before));
    }

    fn drop_first(&mut self) {
        let Some(job) = self.jobs.pop_front() else { return };
        self.since = self.since.max(job.end_time.unwrap_or(self.since) + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn ended(id: u32, at: i64) -> Job {
        Job { end_time: Some(at), ..Job::new(id, Arc::default(), 0) }
    }

    fn ids(recent: &Recent) -> Vec<u32> {
        recent.jobs().map(|job| job.id).collect()
    }

    #[test]
    fn what_is_missing_is_known() {
        let mut recent = Recent { most: 3, ..Recent::new(100) };
        recent.extend([ended(1, 100), ended(3, 102), ended(2, 101)]);
        assert!(recent.has_all_since(100) && !recent.has_all_since(99));
        // The oldest goes, and who asks for its second must look on the disk.
        recent.extend([ended(4, 103)]);
        assert_eq!(ids(&recent), [3, 2, 4]);
        assert!(recent.has_all_since(101) && !recent.has_all_since(100));
        // Those that leave the table out of order: 101 is older than what has gone.
        recent.extend([ended(5, 103)]);
        assert!(recent.has_all_since(103) && !recent.has_all_since(102));
    }

    #[test]
    fn what_was_read_is_kept_if_it_is_not_too_much() {
        let mut recent = Recent { most: 3, ..Recent::new(100) };
        recent.extend([ended(9, 100)]);
        assert_eq!(recent.keep(50, vec![ended(9, 100), ended(2, 60), ended(1, 50)]), []);
        assert_eq!(ids(&recent), [1, 2, 9]);
        assert!(recent.has_all_since(50));
        // Nothing is read of what is here; and four are too many.
        assert_eq!(recent.keep(70, Vec::new()), []);
        assert_eq!(recent.keep(10, (1..=4).map(|id| ended(id, 20)).collect()).len(), 4);
        assert_eq!(ids(&recent), [1, 2, 9]);
        recent.forget(60);
        assert_eq!(ids(&recent), [2, 9]);
    }
}
