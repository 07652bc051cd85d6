//! Slurm's commands, on SkyPilot.
//!
//! The rooms, from the top down; a room knows only those below it (ARCHITECTURE.md):
//! `commands` → `controller` → `engine`, `agent` → `job` → `slurm`.

pub mod agent;
pub mod commands;
pub mod config;
pub mod controller;
pub mod engine;
pub mod host;
pub mod job;
pub mod report;
pub mod slurm;
