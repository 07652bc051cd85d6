//! Columns: format specifications, the fields of jobs, steps, nodes and partitions, and how they are laid out.
//!
//! Field tables are data: one row a field. Commands choose rows and print what comes out.
