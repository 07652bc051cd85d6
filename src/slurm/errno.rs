//! The controller's refusals: Slurm's error numbers and their words.
//!
//! `slurm_errno.h` and `slurm_strerror(3)`, as seen in the captures.

use serde::{Deserialize, Serialize};

/// An error that the controller answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Errno {
    /// Invalid partition name specified.
    #[error("Invalid partition name specified")]
    InvalidPartition,
    /// Access/permission denied.
    #[error("Access/permission denied")]
    AccessDenied,
    /// Invalid job id specified.
    #[error("Invalid job id specified")]
    InvalidJobId,
    /// Invalid node name specified.
    #[error("Invalid node name specified")]
    InvalidNodeName,
    /// Requested node configuration is not available.
    #[error("Requested node configuration is not available")]
    NodeConfigurationUnavailable,
    /// Requested partition configuration not available now.
    #[error("Requested partition configuration not available now")]
    PartitionConfigurationUnavailable,
    /// More processors requested than permitted.
    #[error("More processors requested than permitted")]
    TooManyCpus,
    /// Node count specification invalid.
    #[error("Node count specification invalid")]
    NodeCount,
    /// Requested time limit is invalid (missing or exceeds some limit).
    #[error("Requested time limit is invalid (missing or exceeds some limit)")]
    TimeLimit,
    /// Invalid account or account/partition combination specified.
    #[error("Invalid account or account/partition combination specified")]
    InvalidAccount,
    /// Invalid qos specification.
    #[error("Invalid qos specification")]
    InvalidQos,
    /// Requested reservation is invalid.
    #[error("Requested reservation is invalid")]
    InvalidReservation,
    /// Invalid user id.
    #[error("Invalid user id")]
    UserId,
    /// Requested nodes are busy.
    #[error("Requested nodes are busy")]
    NodesBusy,
    /// Access denied to requested reservation.
    #[error("Access denied to requested reservation")]
    ReservationAccess,
    /// Invalid time specified.
    #[error("Invalid time specified")]
    InvalidTime,
    /// Requested reservation is in use.
    #[error("Requested reservation is in use")]
    ReservationBusy,
    /// Requested reservation overlaps with another reservation.
    #[error("Requested reservation overlaps with another reservation")]
    ReservationOverlap,
    /// Duplicate reservation name.
    #[error("Duplicate reservation name")]
    ReservationDuplicate,
    /// Reservation already started.
    #[error("Reservation already started")]
    ReservationStarted,
    /// Reservation request lacks users, groups or accounts.
    #[error("Reservation request lacks users, groups or accounts")]
    ReservationEmpty,
    /// Invalid feature specification.
    #[error("Invalid feature specification")]
    InvalidFeature,
    /// Invalid generic resource (gres) specification.
    #[error("Invalid generic resource (gres) specification")]
    InvalidGres,
    /// Invalid license specification.
    #[error("Invalid license specification")]
    InvalidLicenses,
    /// Invalid job array specification.
    #[error("Invalid job array specification")]
    InvalidArray,
    /// Job not heterogeneous job leader.
    #[error("Job not heterogeneous job leader")]
    NotHetLeader,
    /// Operation not permitted on individual component of heterogeneous job.
    #[error("Operation not permitted on individual component of heterogeneous job")]
    NotWholeHetJob,
    /// Job dependency problem.
    #[error("Job dependency problem")]
    Dependency,
    /// Circular job dependency.
    #[error("Circular job dependency")]
    CircularDependency,
    /// Invalid --nice value.
    #[error("Invalid --nice value")]
    InvalidNice,
    /// Invalid time-min specification (exceeds job's time or other limits).
    #[error("Invalid time-min specification (exceeds job's time or other limits)")]
    TimeMinLimit,
    /// Requested operation not supported on this system.
    #[error("Requested operation not supported on this system")]
    NotSupported,
    /// Requested operation is presently disabled.
    #[error("Requested operation is presently disabled")]
    Disabled,
    /// Job/step already completing or completed.
    #[error("Job/step already completing or completed")]
    AlreadyDone,
    /// Job is no longer pending execution.
    #[error("Job is no longer pending execution")]
    JobNotPending,
    /// Job has already finished.
    #[error("Job has already finished")]
    JobFinished,
    /// Job is not running.
    #[error("Job is not running")]
    JobNotRunning,
    /// Job is not suspended.
    #[error("Job is not suspended")]
    JobNotSuspended,
    /// Job is current suspended, requested operation disabled.
    #[error("Job can not be altered now, try again later")]
    JobSuspended,
    /// Job is pending execution.
    #[error("Job is pending execution")]
    JobPending,
    /// Unable to contact slurm controller (connect failure).
    #[error("Unable to contact slurm controller (connect failure)")]
    ConnectFailure,
    /// Job violates accounting/QOS policy (job submit limit, user's size and/or time limits).
    #[error("Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)")]
    AccountingPolicy,
    /// Job/step already completing or completed.
    #[error("Job/step already completing or completed")]
    TransitionStateNoUpdate,
    /// I/O error writing script/environment to file.
    #[error("I/O error writing script/environment to file")]
    WritingToFile,
    /// No partition specified or system default partition.
    #[error("No partition specified or system default partition")]
    DefaultPartitionNotSet,
}

impl Errno {
    /// All of them.
    pub const ALL: [Errno; 45] = [
        Errno::InvalidPartition,
        Errno::AccessDenied,
        Errno::InvalidJobId,
        Errno::InvalidNodeName,
        Errno::NodeConfigurationUnavailable,
        Errno::PartitionConfigurationUnavailable,
        Errno::TooManyCpus,
        Errno::NodeCount,
        Errno::TimeLimit,
        Errno::InvalidAccount,
        Errno::InvalidQos,
        Errno::InvalidReservation,
        Errno::UserId,
        Errno::NodesBusy,
        Errno::ReservationAccess,
        Errno::InvalidTime,
        Errno::ReservationBusy,
        Errno::ReservationOverlap,
        Errno::ReservationDuplicate,
        Errno::ReservationStarted,
        Errno::ReservationEmpty,
        Errno::InvalidFeature,
        Errno::InvalidGres,
        Errno::InvalidLicenses,
        Errno::InvalidArray,
        Errno::NotHetLeader,
        Errno::NotWholeHetJob,
        Errno::Dependency,
        Errno::CircularDependency,
        Errno::InvalidNice,
        Errno::TimeMinLimit,
        Errno::NotSupported,
        Errno::Disabled,
        Errno::AlreadyDone,
        Errno::JobNotPending,
        Errno::JobFinished,
        Errno::JobNotRunning,
        Errno::JobNotSuspended,
        Errno::JobSuspended,
        Errno::JobPending,
        Errno::ConnectFailure,
        Errno::AccountingPolicy,
        Errno::TransitionStateNoUpdate,
        Errno::WritingToFile,
        Errno::DefaultPartitionNotSet,
    ];

    /// The number in `slurm_errno.h`; `scancel` exits with its low byte.
    pub fn number(self) -> u16 {
        match self {
            Errno::ConnectFailure => 1800,
            Errno::InvalidPartition => 2000,
            Errno::DefaultPartitionNotSet => 2001,
            Errno::AccessDenied => 2002,
            Errno::TooManyCpus => 2005,
            Errno::NodeCount => 2006,
            Errno::NodeConfigurationUnavailable => 2014,
            Errno::PartitionConfigurationUnavailable => 2015,
            Errno::InvalidJobId => 2017,
            Errno::InvalidNodeName => 2018,
            Errno::WritingToFile => 2019,
            Errno::TransitionStateNoUpdate => 2020,
            Errno::AlreadyDone => 2021,
            Errno::JobPending => 2024,
            Errno::InvalidFeature => 2029,
            Errno::UserId => 2010,
            Errno::NodesBusy => 2016,
            Errno::ReservationAccess => 2052,
            Errno::InvalidTime => 2054,
            Errno::ReservationBusy => 2055,
            Errno::ReservationOverlap => 2058,
            Errno::ReservationDuplicate => 2082,
            Errno::ReservationStarted => 2104,
            Errno::ReservationEmpty => 2080,
            Errno::NotSupported => 2036,
            Errno::Disabled => 2037,
            Errno::Dependency => 2038,
            Errno::InvalidAccount => 2045,
            Errno::InvalidLicenses => 2048,
            Errno::AccountingPolicy => 2050,
            Errno::TimeLimit => 2051,
            Errno::InvalidReservation => 2053,
            Errno::InvalidQos => 2066,
            Errno::CircularDependency => 2071,
            Errno::InvalidGres => 2072,
            Errno::JobNotPending => 2073,
            Errno::InvalidArray => 2081,
            Errno::JobFinished => 2084,
            Errno::JobNotRunning => 2085,
            Errno::NotHetLeader => 2107,
            Errno::NotWholeHetJob => 2108,
            Errno::JobNotSuspended => 2087,
            Errno::JobSuspended => 2077,
            Errno::InvalidNice => 2123,
            Errno::TimeMinLimit => 2124,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new one has to be put into the list.
    #[test]
    fn all_are_listed() {
        let (_, body) = include_str!("errno.rs").split_once("pub enum Errno {").unwrap();
        let (body, _) = body.split_once("\n}").unwrap();
        let variants: Vec<_> = body.lines().filter_map(|line| line.trim().strip_suffix(',')).collect();
        let listed: Vec<_> = Errno::ALL.iter().map(|one| format!("{one:?}")).collect();
        assert_eq!(listed, variants);
    }
}
