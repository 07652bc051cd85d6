//! Slurm's language: grammars, formats, states and messages.
//!
//! Pure: no files, no network, no clock and no zone of its own.

pub mod array;
pub mod begin;
pub mod bind;
pub mod count;
pub mod data_parser;
pub mod dependency;
pub mod directives;
pub mod errno;
pub mod filename;
pub mod gres;
pub mod hostlist;
pub mod idset;
pub mod layout;
pub mod license;
pub mod limit;
pub mod mail;
pub mod memory;
pub mod options;
pub mod reason;
pub mod reservation;
pub mod signal;
pub mod state;
pub mod time;
