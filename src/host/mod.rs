//! This machine: its users, hardware, directories and sockets. Knows nothing of Slurm.

pub mod clock;
pub mod directory;
pub mod hardware;
pub mod ipc;
pub mod topology;
pub mod user;
