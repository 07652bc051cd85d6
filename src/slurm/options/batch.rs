//! sbatch: the command line, the variables and the script together.

use std::ffi::OsString;

use super::{
    Command, Options, Parsed, Refusal, Setting, Source, env, exclusions, foreign, getopt,
    parse::{apply, parse_words, refuse},
};
use crate::slurm::directives::{self, Directives};

/// A batch script, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The name that messages call it by: the operand as typed.
    pub name: String,
}

/// Reads the script. It is given the options of the command line and the operands;
/// `None` means that there is none to take directives from (`--wrap`).
pub type ReadScript<'a> = dyn FnMut(&Options, &[OsString]) -> Result<Option<Script>, Refusal> + 'a;

/// Options that count on the command line only; a directive may say them, and is not heard (directives.txt).
const NOT_IN_SCRIPTS: [&str; 7] = ["help", "usage", "version", "quiet", "verbose", "ignore-pbs", "wrap"];

/// Parses sbatch's command line, its variables, and the directives of the script.
///
/// Precedence: directive, variable, command line. The script is not read when the
/// command line asks for help or is in error. What is refused in some places only ([`super::refusals`]) is left in it.
pub fn parse_batch(
    args: &[OsString],
    env: &dyn Fn(&str) -> Option<String>,
    read_script: &mut ReadScript<'_>,
) -> Result<(Parsed, Option<Script>), Refusal> {
    let (parsed, script) = read_batch(args, env, read_script)?;
    if !parsed.asks_for_help() {
        refuse(&parsed.options)?;
    }
    Ok((parsed, script))
}

/// The same, with all options in it that are refused: for those who want to see them.
pub fn read_batch(
    args: &[OsString],
    env: &dyn Fn(&str) -> Option<String>,
    read_script: &mut ReadScript<'_>,
) -> Result<(Parsed, Option<Script>), Refusal> {
    let mut parsed = parse_words(Command::Sbatch, args)?;
    if parsed.asks_for_help() {
        return Ok((parsed, None));
    }
    let script = read_script(&parsed.options, &parsed.operands)?;
    env::read(&mut parsed.options, env)?;
    if let Some(script) = &script {
        let foreign = !parsed.options.is_set("ignore-pbs");
        let found = directives::read(&script.bytes, &script.name, foreign)
            .map_err(|e| Refusal::fatal(Command::Sbatch, e.to_string()))?;
        apply_directives(&mut parsed.options, found)?;
    }
    exclusions::check(&mut parsed.options)?;
    Ok((parsed, script))
}

/// Takes a script's directives: `#SBATCH` first, then those of PBS and LSF.
pub(super) fn apply_directives(options: &mut Options, found: Directives) -> Result<(), Refusal> {
    let foreign = foreign::translate(&found)?;
    let scan = getopt::scan(Command::Sbatch, &foreign::arguments(found.sbatch), false)?;
    for given in scan.options {
        take(options, given.row.name, given.value)?;
    }
    if let Some(word) = scan.operands.first() {
        let message = format!("Invalid directive found in batch script: {}", getopt::shown(word));
        return Err(Refusal::error(Command::Sbatch, 255, message));
    }
    for (name, value) in foreign {
        take(options, name, value)?;
    }
    Ok(())
}

fn take(options: &mut Options, name: &str, value: Option<String>) -> Result<(), Refusal> {
    if NOT_IN_SCRIPTS.contains(&name) {
        return Ok(());
    }
    let Some(row) = super::table::row(Command::Sbatch, name) else {
        return Ok(());
    };
    let setting = Setting { row, value, source: Source::Directive, variable: None, on: true };
    apply(options, setting)
}
