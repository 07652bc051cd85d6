//! The daemon that owns the job table: its API, store, eligibility, lifecycle and accounting.

pub mod api;
pub mod backup;
pub mod client;
pub mod start;

mod change;
mod core;
mod counts;
mod daemon;
mod deadline;
mod dependency;
mod grant;
mod het;
mod inside;
mod lifecycle;
mod limits;
mod notify;
mod purge;
mod query;
mod queue;
mod recent;
mod reservation;
mod reservation_due;
mod restore;
mod server;
mod signal;
mod spool;
mod store;
mod submit;
mod suspend;
mod table;
