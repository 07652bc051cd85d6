//! The daemon that owns the job table: its API, store, eligibility, lifecycle and accounting.

pub mod api;
pub mod client;
