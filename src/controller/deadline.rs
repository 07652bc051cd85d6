//! `--deadline`: a job that can no longer end in time is ended.

use super::core::Core;
use crate::{
    job::{ExitStatus, Job, JobId},
    slurm::{reason::Reason, state::JobState, time::TimeLimit},
};

/// The last moment at which a job may start and still end in time; `None` without a deadline or a limit.
fn last_start(job: &Job) -> Option<i64> {
    let deadline = job.request.deadline?;
    match job.request.time_min.unwrap_or(job.time_limit) {
        TimeLimit::Minutes(minutes) => Some(deadline - i64::from(minutes) * 60),
        TimeLimit::Unlimited => Some(deadline),
    }
}

/// The limit a job has that starts at `now`: of one that said how little would do (`--time-min`), what there is until its
/// deadline.
pub(super) fn limit_from(job: &Job, now: i64) -> TimeLimit {
    let left = job.request.deadline.map(|deadline| (deadline - now).max(60) / 60);
    match (job.request.time_min, left, job.time_limit) {
        (Some(_), Some(left), TimeLimit::Minutes(limit)) => TimeLimit::Minutes(limit.min(left as u32)),
        (Some(_), Some(left), TimeLimit::Unlimited) => TimeLimit::Minutes(left as u32),
        (_, _, limit) => limit,
    }
}

impl Core {
    /// Ends a pending job that can no longer end in time; whether it did. Else it is looked at again when that is so.
    pub(super) fn misses_deadline(&mut self, id: JobId, now: i64) -> bool {
        let Some(last) = self.table.get(id).and_then(last_start) else { return false };
        if now <= last {
            self.due_at(last + 1, id);
            return false;
        }
        if let Some(job) = self.table.get_mut(id) {
            job.exit = ExitStatus::signaled(1);
        }
        self.set_reason(id, Reason::DeadLine);
        self.leave_queue(id, JobState::Deadline, None, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Request;

    fn job(time: u32, min: Option<u32>, deadline: Option<i64>) -> Job {
        let minutes = TimeLimit::Minutes;
        let request = Request { time: Some(minutes(time)), time_min: min.map(minutes), deadline, ..Request::default() };
        Job::new(1, request.into(), 0)
    }

    /// Asked of a real one: `-t 10 --time-min=2 --deadline=now+5minutes` started with five minutes.
    #[test]
    fn what_is_left_until_the_deadline() {
        assert_eq!(last_start(&job(10, None, Some(1000))), Some(400));
        assert_eq!(last_start(&job(10, Some(2), Some(1000))), Some(880));
        assert_eq!(last_start(&job(10, None, None)), None);
        assert_eq!(limit_from(&job(10, Some(2), Some(300)), 0), TimeLimit::Minutes(5));
        assert_eq!(limit_from(&job(10, None, Some(900)), 0), TimeLimit::Minutes(10));
        assert_eq!(limit_from(&job(10, Some(2), None), 0), TimeLimit::Minutes(10));
    }
}
