//! Tests that start programs: one binary, so that it is linked once.

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
