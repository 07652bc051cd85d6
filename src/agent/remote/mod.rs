//! An agent on a node that another system made: what it finds there, and what it makes of it.
//!
//! SkyPilot starts `skyslurm agent` on every node of the job, with the job's description in the environment
//! ([`payload`]); or a person has it started `skyslurm agent run` on a script ([`plain`]). The agents find each other ([`rendezvous`]), agree on the nodes' names ([`names`]), and from there on
//! a job runs as it does on the controller's own machine ([`super::agent`]).

mod first;
mod inbox;
mod meeting;
mod names;
mod payload;
mod plain;
mod public;
pub(super) mod rendezvous;
pub mod seal;
mod start;
mod state;
mod surroundings;
mod workdir;

pub(super) use inbox::Inbox;
pub use payload::{COMPONENT, Delivery, KEY, MEETING, Payload, PayloadError, VARIABLE, door_key, inbox, secret};
pub use plain::MODULES;
pub(super) use start::{Litter, run, run_plain};
