//! The SkyPilot engine, from sbatch to the output file.
//!
//! [`server`] is a SkyPilot API server of the test's own, whose jobs really run, here; it can be told what to do wrong.
//! [`lab`] is a system of its own before that server, or before a real one. [`e2e`] are bodies for both, [`faults`] and
//! [`options`] for the former.

mod api;
mod clusters;
mod garbage;
mod http;
mod jobs;
mod log;
mod nodes;
mod server;
mod stream;
mod task;
mod way;

mod allocations;
mod depends;
mod e2e;
mod faults;
mod gone_wrong;
mod het;
mod het_allocations;
mod lab;
mod options;
mod own;
mod restarts;
mod way_in;
