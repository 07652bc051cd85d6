//! One file per command: parse, ask, print. What a second command needs stands lower down.

pub mod ask;
pub mod sacct;
pub mod scancel;
pub mod scontrol;
pub mod terminal;
