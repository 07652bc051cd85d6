//! Columns: format specifications, the fields of jobs, steps, nodes and partitions, and how they are laid out.
//!
//! Field tables are data: one row a field. Commands choose rows and print what comes out.

pub mod associations;
pub mod clock;
pub mod dump;
pub mod efficiency;
pub mod field;
pub mod format;
pub mod job_fields;
pub mod job_rows;
pub mod job_values;
pub mod node_fields;
pub mod node_groups;
pub mod node_state;
pub mod node_values;
#[cfg(test)]
mod recorded;
pub mod sacct_fields;
pub mod sacct_table;
pub mod sacct_values;
pub mod sacctmgr_fields;
#[cfg(test)]
pub(crate) mod sample_jobs;
#[cfg(test)]
pub(crate) mod samples;
pub mod share_fields;
pub mod show;
pub mod sort;
pub mod sstat_fields;
pub mod step_fields;
pub mod table;
pub mod usage;
