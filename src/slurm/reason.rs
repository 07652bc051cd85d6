//! Why a job waits or ended: the `REASON` of squeue(1), `JOB REASON CODES`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The reason shown with a job that waits, or with the way it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// Nothing to say: not yet looked at, or running.
    #[default]
    None,
    /// First in the queue, waiting for nodes to come free.
    Resources,
    /// Others in the queue go first.
    Priority,
    /// Waits for another job.
    Dependency,
    /// Waits for a job in a way that can no longer come true.
    DependencyNeverSatisfied,
    /// Its earliest start time is not reached.
    BeginTime,
    /// Held by its user.
    JobHeldUser,
    /// Held by an administrator.
    JobHeldAdmin,
    /// Put back into the queue by its user, and held.
    RequeuedHeld,
    /// Held because it has lost its nodes too often.
    JobHoldMaxRequeue,
    /// The array's throttle (`%N`) is reached.
    JobArrayTaskLimit,
    /// It asks for more nodes than its partition has.
    PartitionNodeLimit,
    /// It asks for more time than its partition allows.
    PartitionTimeLimit,
    /// It asks for more than its partition has.
    PartitionConfig,
    /// Its partition takes no jobs.
    PartitionDown,
    /// Nodes it asks for do not exist or may not be used now.
    ReqNodeNotAvail,
    /// Its reservation has not begun.
    Reservation,
    /// Its reservation is over or was taken away.
    ReservationDeleted,
    /// All nodes that could hold it are reserved for others.
    MayBeReserved,
    /// No set of nodes can hold it as the partition is now.
    NodesUnavailable,
    /// It ended with a non-zero exit code.
    NonZeroExitCode,
    /// It was ended by a signal.
    RaisedSignal,
    /// It reached its time limit.
    TimeLimit,
    /// A node failed.
    NodeDown,
    /// Its script could not be started.
    JobLaunchFailure,
    /// It ended for want of memory.
    OutOfMemory,
    /// Its deadline has passed.
    DeadLine,
    /// Too few of a license are free.
    Licenses,
    /// Its QOS has as many running jobs as it may.
    QosMaxJobsPerUserLimit,
    /// Its QOS has as many GPUs as it may.
    QosMaxGresPerUser,
    /// It asks for more time than its QOS allows.
    QosMaxWallDurationPerJobLimit,
    /// Its account has as many running jobs as it may.
    AssocMaxJobsLimit,
    /// Its account has as many GPUs as it may.
    AssocGrpGres,
    /// It asks for more time than its account allows.
    AssocMaxWallDurationPerJobLimit,
    /// Something of the system's own does not work.
    SystemFailure,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 35] = [
        Reason::None,
        Reason::Resources,
        Reason::Priority,
        Reason::Dependency,
        Reason::DependencyNeverSatisfied,
        Reason::BeginTime,
        Reason::JobHeldUser,
        Reason::JobHeldAdmin,
        Reason::RequeuedHeld,
        Reason::JobHoldMaxRequeue,
        Reason::JobArrayTaskLimit,
        Reason::PartitionNodeLimit,
        Reason::PartitionTimeLimit,
        Reason::PartitionConfig,
        Reason::PartitionDown,
        Reason::ReqNodeNotAvail,
        Reason::Reservation,
        Reason::ReservationDeleted,
        Reason::MayBeReserved,
        Reason::NodesUnavailable,
        Reason::NonZeroExitCode,
        Reason::RaisedSignal,
        Reason::TimeLimit,
        Reason::NodeDown,
        Reason::JobLaunchFailure,
        Reason::OutOfMemory,
        Reason::DeadLine,
        Reason::Licenses,
        Reason::QosMaxJobsPerUserLimit,
        Reason::QosMaxGresPerUser,
        Reason::QosMaxWallDurationPerJobLimit,
        Reason::AssocMaxJobsLimit,
        Reason::AssocGrpGres,
        Reason::AssocMaxWallDurationPerJobLimit,
        Reason::SystemFailure,
    ];

    /// The word (or, for [`Reason::NodesUnavailable`] and [`Reason::RequeuedHeld`], the sentence) squeue prints.
    pub fn text(self) -> &'static str {
        match self {
            Reason::None => "None",
            Reason::Resources => "Resources",
            Reason::Priority => "Priority",
            Reason::Dependency => "Dependency",
            Reason::DependencyNeverSatisfied => "DependencyNeverSatisfied",
            Reason::BeginTime => "BeginTime",
            Reason::JobHeldUser => "JobHeldUser",
            Reason::JobHeldAdmin => "JobHeldAdmin",
            Reason::RequeuedHeld => "job requeued in held state",
            Reason::JobHoldMaxRequeue => "JobHoldMaxRequeue",
            Reason::JobArrayTaskLimit => "JobArrayTaskLimit",
            Reason::PartitionNodeLimit => "PartitionNodeLimit",
            Reason::PartitionTimeLimit => "PartitionTimeLimit",
            Reason::PartitionConfig => "PartitionConfig",
            Reason::PartitionDown => "PartitionDown",
            Reason::ReqNodeNotAvail => "ReqNodeNotAvail",
            Reason::Reservation => "Reservation",
            Reason::ReservationDeleted => "ReservationDeleted",
            Reason::MayBeReserved => "ReqNodeNotAvail, May be reserved for other job",
            Reason::NodesUnavailable => {
                "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions"
            }
            Reason::NonZeroExitCode => "NonZeroExitCode",
            Reason::RaisedSignal => "RaisedSignal",
            Reason::TimeLimit => "TimeLimit",
            Reason::NodeDown => "NodeDown",
            Reason::JobLaunchFailure => "JobLaunchFailure",
            Reason::OutOfMemory => "OutOfMemory",
            Reason::DeadLine => "DeadLine",
            Reason::Licenses => "Licenses",
            Reason::QosMaxJobsPerUserLimit => "QOSMaxJobsPerUserLimit",
            Reason::QosMaxGresPerUser => "QOSMaxGRESPerUser",
            Reason::QosMaxWallDurationPerJobLimit => "QOSMaxWallDurationPerJobLimit",
            Reason::AssocMaxJobsLimit => "AssocMaxJobsLimit",
            Reason::AssocGrpGres => "AssocGrpGRES",
            Reason::AssocMaxWallDurationPerJobLimit => "AssocMaxWallDurationPerJobLimit",
            Reason::SystemFailure => "SystemFailure",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new one has to be put into the list.
    #[test]
    fn all_are_listed() {
        let (_, body) = include_str!("reason.rs").split_once("pub enum Reason {").unwrap();
        let (body, _) = body.split_once("\n}").unwrap();
        let variants: Vec<_> = body.lines().filter_map(|line| line.trim().strip_suffix(',')).collect();
        let listed: Vec<_> = Reason::ALL.iter().map(|one| format!("{one:?}")).collect();
        assert_eq!(listed, variants);
    }
}
