//! Tests that start programs: whole commands against a controller of their own.
//!
//! One binary, so that it is linked once. One behaviour a test, by topic; `conformance`
//! replays what a real Slurm printed.

#[path = "suite/harness.rs"]
mod harness;

#[path = "suite/agent.rs"]
mod agent;
#[path = "suite/architecture.rs"]
mod architecture;
#[path = "suite/config_docs.rs"]
mod config_docs;
#[path = "suite/dependencies.rs"]
mod dependencies;
#[path = "suite/install.rs"]
mod install;
#[path = "suite/conformance/mod.rs"]
mod conformance;
