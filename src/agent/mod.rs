//! What runs on every node of a job: the batch script, steps, and the story of both.
//!
//! An agent is started by an engine with a [`Launch`]. It knows neither engine nor
//! controller: what it has to say it appends to the job's event file as [`Event`]s,
//! and what is asked of it arrives on its socket as [`wire::Request`]s.

mod event;
mod launch;
pub mod wire;

pub use event::{Event, EventKind};
pub use launch::{Host, Launch, Layout};
