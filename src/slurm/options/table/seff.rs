//! seff. Slurm's own has the letters only.

use super::classes::*;
use crate::slurm::options::{Class, Class::Refused, Command::Seff, Row};

const NONE: &[&str] = &[];

const fn flag(name: &'static str, class: Class, help: &'static str) -> Row {
    Row::flag(name, help).takes(Seff, class, NONE)
}

pub(super) static ROWS: &[Row] = &[
    flag("help", HONOURED, "print this description of use").short('h'),
    flag("full", Refused("use sacct --long --jobs="), "show all the information of the job's record").short('f'),
    flag("debug", HONOURED, "show the raw values that are counted with").short('d'),
    flag("version", HONOURED, "print version").short('v'),
];
