//! The option table of all commands, and what is made from it: the parser,
//! `--help` and `--usage`, man pages, completions, the compatibility page, and what
//! `skyslurm explain` says of a request.
//!
//! One option is one row (`table/`): its names, its argument, the variables that set
//! it, and for each command whether it is honoured, approximated, inert or refused;
//! [`Place`] says it of the places where a job may run.

mod batch;
mod check;
mod command;
mod compound;
mod env;
mod exclusions;
mod explain;
mod foreign;
mod getopt;
mod help;
mod het;
mod parse;
mod place;
mod refusal;
mod row;
mod skypilot;
pub mod table;
mod values;

#[cfg(test)]
mod generated;
#[cfg(test)]
mod tests;

pub use batch::{ReadScript, Script, parse_batch, read_batch};
pub use command::Command;
pub use explain::{Explained, compatibility_markdown, explain};
pub use help::{help, usage, version};
pub use parse::{Parsed, parse};
pub use place::{Place, refusals, refusals_of_allocation};
pub use refusal::Refusal;
pub use row::{Arg, Class, Kind, Row, Section, Use};
pub use values::{Options, Setting, Source};
