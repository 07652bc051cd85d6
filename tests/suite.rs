//! Tests that start programs: one binary, so that it is linked once.

#[path = "suite/agent.rs"]
mod agent;
#[path = "suite/steps.rs"]
mod steps;
