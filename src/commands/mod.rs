//! One file per command: parse, ask, print. What a second command needs stands lower down.

pub mod srun;
pub mod terminal;
