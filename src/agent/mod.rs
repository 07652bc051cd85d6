//! What runs on every node of a job: the batch script, steps, and the story of both.
//!
//! An agent is started by an engine with a [`Launch`]. It knows neither engine nor
//! controller: what it has to say it appends to the job's event file as [`Event`]s,
//! and what is asked of it arrives on its socket as [`wire::Request`]s.
//!
//! One thread, one loop ([`agent`]): it waits for its socket, its children's pipes and signals, and for
//! the next limit, and does what is due.

#[expect(clippy::module_inception, reason = "the agent itself")]
mod agent;
pub mod asking;
mod batch;
pub mod broadcast;
mod clock;
mod component;
mod control;
mod event;
mod events;
pub mod frame;
mod launch;
mod limit;
pub(crate) mod link;
mod log;
pub mod login;
mod measure;
mod memory;
mod modules;
mod namespace;
mod noise;
mod oom;
mod output;
pub mod owner;
mod path;
mod processes;
pub mod relay;
pub mod remote;
mod spawn;
pub mod step;
pub mod submitter;
pub mod wire;

pub use agent::main;
pub use event::{Event, EventKind, Meeting, Reach};
pub use launch::{Host, Launch, Layout, Made};
pub use processes::kill_orphans;
pub use spawn::LIMITS;
