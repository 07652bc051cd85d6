//! The table itself: data to be read from top to bottom.
//!
//! Rows stand in Slurm's own order, which is the order of the possibilities that
//! getopt_long names for an ambiguous prefix. A second name of an option is a row
//! of its own that says which one it is.

mod allocation;
mod classes;
mod sacct;
mod sacctmgr;
mod sattach;
mod sbcast;
mod scancel;
mod scontrol;
mod scrontab;
mod sdiag;
mod seff;
mod sinfo;
mod sprio;
mod squeue;
mod sreport;
mod sshare;
mod sstat;
mod strigger;

pub(super) use classes::ALLOCATIONS;

use super::{Command, Row};

/// Everything in a command's table, second names too.
fn table(command: Command) -> &'static [Row] {
    match command {
        Command::Sbatch | Command::Srun | Command::Salloc => allocation::ROWS,
        Command::Squeue => squeue::ROWS,
        Command::Scancel => scancel::ROWS,
        Command::Sacct => sacct::ROWS,
        Command::Sattach => sattach::ROWS,
        Command::Sbcast => sbcast::ROWS,
        Command::Sinfo => sinfo::ROWS,
        Command::Scontrol => scontrol::ROWS,
        Command::Sstat => sstat::ROWS,
        Command::Sacctmgr => sacctmgr::ROWS,
        Command::Sshare => sshare::ROWS,
        Command::Sprio => sprio::ROWS,
        Command::Sdiag => sdiag::ROWS,
        Command::Seff => seff::ROWS,
        Command::Sreport => sreport::ROWS,
        Command::Strigger => strigger::ROWS,
        Command::Scrontab => scrontab::ROWS,
    }
}

/// The options a command knows.
pub fn rows(command: Command) -> impl Iterator<Item = &'static Row> {
    table(command).iter().filter(move |r| r.alias_of.is_none() && r.used_by(command).is_some())
}

/// The option of that (first) name.
pub fn row(command: Command, name: &str) -> Option<&'static Row> {
    rows(command).find(|r| r.name == name)
}

/// Every long name a command knows, with the option it means.
pub fn names(command: Command) -> impl Iterator<Item = (&'static str, &'static Row)> {
    table(command).iter().filter_map(move |r| match r.alias_of {
        None => (!r.name.is_empty() && r.used_by(command).is_some()).then_some((r.name, r)),
        Some(of) => row(command, of).map(|row| (r.name, row)),
    })
}

/// The second names of an option.
pub fn aliases(command: Command, name: &'static str) -> impl Iterator<Item = &'static str> {
    table(command).iter().filter(move |r| r.alias_of == Some(name)).map(|r| r.name)
}

/// The option a letter means.
pub(super) fn by_letter(command: Command, letter: u8) -> Option<&'static Row> {
    rows(command).find(|r| r.short == Some(char::from(letter)))
}
