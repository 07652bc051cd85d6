//! Why a job waits or ended: the `REASON` of squeue(1), `JOB REASON CODES`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A variant a row: what it means, its name here, what squeue prints.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal,)*) => {
        /// The reason shown with a job that waits, or with the way it ended.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Reason {
            /// Nothing to say: not yet looked at, or running.
            #[default]
            None,
            $($(#[doc = $doc])* $name,)*
        }

        impl Reason {
            /// All of them.
            pub const ALL: &[Reason] = &[Reason::None, $(Reason::$name),*];

            /// The word (or, for [`Reason::NodesUnavailable`] and [`Reason::RequeuedHeld`], the sentence) squeue prints.
            pub fn text(self) -> &'static str {
                match self {
                    Reason::None => "None",
                    $(Reason::$name => $text,)*
                }
            }
        }
    };
}

reasons! {
    /// First in the queue, waiting for nodes to come free.
    Resources = "Resources",
    /// Others in the queue go first.
    Priority = "Priority",
    /// Waits for another job.
    Dependency = "Dependency",
    /// Waits for a job in a way that can no longer come true.
    DependencyNeverSatisfied = "DependencyNeverSatisfied",
    /// Its earliest start time is not reached.
    BeginTime = "BeginTime",
    /// Held by its user.
    JobHeldUser = "JobHeldUser",
    /// Held by an administrator.
    JobHeldAdmin = "JobHeldAdmin",
    /// Put back into the queue by its user, and held.
    RequeuedHeld = "job requeued in held state",
    /// Held because it has lost its nodes too often.
    JobHoldMaxRequeue = "JobHoldMaxRequeue",
    /// The array's throttle (`%N`) is reached.
    JobArrayTaskLimit = "JobArrayTaskLimit",
    /// It asks for more nodes than its partition has.
    PartitionNodeLimit = "PartitionNodeLimit",
    /// It asks for more time than its partition allows.
    PartitionTimeLimit = "PartitionTimeLimit",
    /// It asks for more than its partition has.
    PartitionConfig = "PartitionConfig",
    /// Its partition takes no jobs.
    PartitionDown = "PartitionDown",
    /// Nodes it asks for do not exist or may not be used now.
    ReqNodeNotAvail = "ReqNodeNotAvail",
    /// Its reservation has not begun.
    Reservation = "Reservation",
    /// Its reservation is over or was taken away.
    ReservationDeleted = "ReservationDeleted",
    /// All nodes that could hold it are reserved for others.
    MayBeReserved = "ReqNodeNotAvail, May be reserved for other job",
    /// Nodes that it would need are reserved for maintenance now.
    ReservedForMaintenance = "ReqNodeNotAvail, Reserved for maintenance",
    /// No set of nodes can hold it as the partition is now.
    NodesUnavailable = "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions",
    /// It ended with a non-zero exit code.
    NonZeroExitCode = "NonZeroExitCode",
    /// It was ended by a signal.
    RaisedSignal = "RaisedSignal",
    /// It reached its time limit.
    TimeLimit = "TimeLimit",
    /// A node failed.
    NodeDown = "NodeDown",
    /// Its script could not be started.
    JobLaunchFailure = "JobLaunchFailure",
    /// It ended for want of memory.
    OutOfMemory = "OutOfMemory",
    /// Its deadline has passed.
    DeadLine = "DeadLine",
    /// Too few of a license are free.
    Licenses = "Licenses",
    /// Its QOS has as many running jobs as it may, of all users.
    QosGrpJobsLimit = "QOSGrpJobsLimit",
    /// Its QOS has as many running jobs of its user as it may.
    QosMaxJobsPerUserLimit = "QOSMaxJobsPerUserLimit",
    /// Its QOS has as many jobs in the queue as it may, of all users: said when one more is refused.
    QosGrpSubmitJobsLimit = "QOSGrpSubmitJobsLimit",
    /// Its QOS has as many jobs of its user in the queue as it may.
    QosMaxSubmitJobPerUserLimit = "QOSMaxSubmitJobPerUserLimit",
    /// It asks for more time than its QOS allows.
    QosMaxWallDurationPerJobLimit = "QOSMaxWallDurationPerJobLimit",
    /// Its QOS has as many CPUs as it may, of all users.
    QosGrpCpuLimit = "QOSGrpCpuLimit",
    /// Its QOS has as much memory as it may, of all users.
    QosGrpMemLimit = "QOSGrpMemLimit",
    /// Its QOS has as many nodes as it may, of all users.
    QosGrpNodeLimit = "QOSGrpNodeLimit",
    /// Its QOS has as many generic resources as it may, of all users.
    QosGrpGres = "QOSGrpGRES",
    /// It asks for more CPUs than its QOS allows.
    QosMaxCpuPerJobLimit = "QOSMaxCpuPerJobLimit",
    /// It asks for more memory than its QOS allows.
    QosMaxMemoryPerJob = "QOSMaxMemoryPerJob",
    /// It asks for more nodes than its QOS allows.
    QosMaxNodePerJobLimit = "QOSMaxNodePerJobLimit",
    /// It asks for more generic resources than its QOS allows.
    QosMaxGresPerJob = "QOSMaxGRESPerJob",
    /// Its QOS has as many CPUs as it may of its user.
    QosMaxCpuPerUserLimit = "QOSMaxCpuPerUserLimit",
    /// Its QOS has as much memory as it may of its user.
    QosMaxMemoryPerUser = "QOSMaxMemoryPerUser",
    /// Its QOS has as many nodes as it may of its user.
    QosMaxNodePerUserLimit = "QOSMaxNodePerUserLimit",
    /// Its QOS has as many generic resources as it may of its user.
    QosMaxGresPerUser = "QOSMaxGRESPerUser",
    /// Its account has as many running jobs as it may, of all users.
    AssocGrpJobsLimit = "AssocGrpJobsLimit",
    /// Its account has as many running jobs as it may.
    AssocMaxJobsLimit = "AssocMaxJobsLimit",
    /// Its account has as many jobs in the queue as it may, of all users: said when one more is refused.
    AssocGrpSubmitJobsLimit = "AssocGrpSubmitJobsLimit",
    /// Its account has as many jobs in the queue as it may.
    AssocMaxSubmitJobLimit = "AssocMaxSubmitJobLimit",
    /// It asks for more time than its account allows.
    AssocMaxWallDurationPerJobLimit = "AssocMaxWallDurationPerJobLimit",
    /// Its account has as many CPUs as it may.
    AssocGrpCpuLimit = "AssocGrpCpuLimit",
    /// Its account has as much memory as it may.
    AssocGrpMemLimit = "AssocGrpMemLimit",
    /// Its account has as many nodes as it may.
    AssocGrpNodeLimit = "AssocGrpNodeLimit",
    /// Its account has as many generic resources as it may.
    AssocGrpGres = "AssocGrpGRES",
    /// It asks for more CPUs than its account allows.
    AssocMaxCpuPerJobLimit = "AssocMaxCpuPerJobLimit",
    /// It asks for more memory than its account allows.
    AssocMaxMemPerJob = "AssocMaxMemPerJob",
    /// It asks for more nodes than its account allows.
    AssocMaxNodePerJobLimit = "AssocMaxNodePerJobLimit",
    /// It asks for more generic resources than its account allows.
    AssocMaxGresPerJob = "AssocMaxGRESPerJob",
    /// Something of the system's own does not work.
    SystemFailure = "SystemFailure",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(self.text())
    }
}
