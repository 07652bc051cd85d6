//! SkyPilot: jobs run as its managed jobs, on whatever infra its API server has.
//!
//! The controller's task calls the [`SkyPilot`] engine, which never waits: what is to be sent to the server is sent by
//! tasks of its own. [`submit`] has one for each submission, [`follow`] one for each job, [`poll`] one for all that
//! asks the server now and then how they are. What they learn goes to the controller as reports.

mod bring;
pub mod client;
mod control;
pub mod environment;
mod follow;
mod group;
mod imp;
mod inventory;
mod names;
mod output;
mod poll;
mod shared;
mod submit;
mod sweep;
pub mod task;
mod together;
pub mod upload;
mod vehicle;
pub mod way_in;

pub use environment::travelling;
pub use imp::{SkyPilot, SkyPilotError};
