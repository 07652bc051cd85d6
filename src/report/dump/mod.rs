//! `--json` and `--yaml`: jobs, steps, nodes, partitions and the like in the shape of Slurm's data_parser v0.0.42.
//!
//! A table a thing, a row a field: where it stands (`time/start`) and what it is. The paths, their order and what stands
//! for "nothing" are those of the parsers of Slurm 24.11 and of what its commands were seen to print. Records are
//! written one by one: a long queue costs no memory here.

mod accounting;
mod accounting_steps;
mod allocation;
mod associations;
mod document;
mod jobs;
mod json;
mod layout;
mod licenses;
mod managed;
mod meta;
mod nodes;
mod partitions;
mod ping;
mod reservations;
mod shares;
mod sinfo;
mod statistics;
mod steps;
#[cfg(test)]
mod tests;
mod tree;
mod value;
mod yaml;

pub use accounting::AccountingJobs;
pub use accounting_steps::StepRow;
pub use associations::AssociationRecords;
pub use document::{Document, Format};
pub use jobs::QueueJobs;
pub use licenses::LicenseRecords;
pub use managed::{AccountRecords, ClusterRecords, Managed, QosRecords, TresRecords, UserRecords};
pub use meta::{Client, Meta};
pub use nodes::{NodeRecord, NodeRecords};
pub use partitions::{PartitionRecord, PartitionRecords};
pub use ping::{DatabasePings, Ping, Pings};
pub use reservations::ReservationRecords;
pub use shares::ShareList;
pub use sinfo::{SinfoRow, SinfoRows};
pub use statistics::{Statistics, StatisticsRecord};
pub use steps::StepRecords;
pub use tree::{Field, Records};
pub use value::Value;
