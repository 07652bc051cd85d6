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
#[path = "suite/arrays.rs"]
mod arrays;
#[path = "suite/batch.rs"]
mod batch;
#[path = "suite/cancel.rs"]
mod cancel;
#[path = "suite/clock.rs"]
mod clock;
#[path = "suite/config_docs.rs"]
mod config_docs;
#[path = "suite/conformance/mod.rs"]
mod conformance;
#[path = "suite/consumers.rs"]
mod consumers;
#[path = "suite/controller.rs"]
mod controller;
#[path = "suite/dependencies.rs"]
mod dependencies;
#[path = "suite/disk.rs"]
mod disk;
#[path = "suite/faults.rs"]
mod faults;
#[path = "suite/fuzz/mod.rs"]
mod fuzz;
#[path = "suite/het.rs"]
mod het;
#[path = "suite/install.rs"]
mod install;
#[path = "suite/interactive.rs"]
mod interactive;
#[path = "suite/job_dependencies.rs"]
mod job_dependencies;
#[path = "suite/job_steps.rs"]
mod job_steps;
#[path = "suite/limits.rs"]
mod limits;
#[path = "suite/lost.rs"]
mod lost;
#[path = "suite/mpi.rs"]
mod mpi;
#[path = "suite/neighbours.rs"]
mod neighbours;
#[path = "suite/notify.rs"]
mod notify;
#[path = "suite/oom.rs"]
mod oom;
#[path = "suite/options.rs"]
mod options;
#[path = "suite/queries.rs"]
mod queries;
#[path = "suite/queue.rs"]
mod queue;
#[path = "suite/remote.rs"]
mod remote;
#[path = "suite/reservations.rs"]
mod reservations;
#[path = "suite/skypilot/mod.rs"]
mod skypilot;
#[path = "suite/sstat.rs"]
mod sstat;
#[path = "suite/step_io.rs"]
mod step_io;
#[path = "suite/step_options.rs"]
mod step_options;
#[path = "suite/steps.rs"]
mod steps;
#[path = "suite/strangers.rs"]
mod strangers;
#[path = "suite/suspend.rs"]
mod suspend;
#[path = "suite/terminal.rs"]
mod terminal;
#[path = "suite/together.rs"]
mod together;
