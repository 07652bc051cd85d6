//! SkyPilot: jobs run as its managed jobs, on whatever infra its API server has.

pub mod client;
pub mod task;
pub mod upload;
