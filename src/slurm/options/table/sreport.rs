//! sreport: nothing is rolled up here, so there is nothing to report; it says who it is.

use super::classes::*;
use crate::slurm::options::{Command::Sreport, Row};

const NONE: &[&str] = &[];

pub(super) static ROWS: &[Row] = &[
    Row::flag("help", "equivalent to \"help\" command").short('h').takes(Sreport, HONOURED, NONE),
    Row::flag("usage", "equivalent to \"help\" command").takes(Sreport, HONOURED, NONE),
    Row::flag("version", "equivalent to \"version\" command").short('V').takes(Sreport, HONOURED, NONE),
];
