//! sbatch: the command line, the variables and the script together.

use std::ffi::OsString;

use super::{
    Command, Options, Parsed, Refusal, Setting, Source, env, exclusions, foreign, getopt, het,
    parse::{apply, refuse},
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

/// What sbatch says of the old word.
const PACKJOB: &str =
    "sbatch: Warning: the \"packjob\" component separator is being deprecated. Please, use \"hetjob\" instead.";

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
        parsed.components().try_for_each(|component| refuse(&component.options))?;
    }
    Ok((parsed, script))
}

/// The same, with all options in it that are refused: for those who want to see them.
pub fn read_batch(
    args: &[OsString],
    env: &dyn Fn(&str) -> Option<String>,
    read_script: &mut ReadScript<'_>,
) -> Result<(Parsed, Option<Script>), Refusal> {
    let all = het::components(Command::Sbatch, args)?;
    if all.iter().any(Parsed::asks_for_help) {
        return Ok((het::first(Command::Sbatch, all), None));
    }
    let mut parsed = het::first(Command::Sbatch, all);
    // What of the command line is of the script may stand in any component.
    let mut early = parsed.options.clone();
    parsed.others.iter().flat_map(|p| p.options.occurrences()).for_each(|setting| early.push(setting.clone()));
    let script = read_script(&early, &parsed.operands)?;
    let mut found = Directives::default();
    if let Some(script) = &script {
        let foreign = !early.is_set("ignore-pbs");
        found = directives::read(&script.bytes, &script.name, foreign)
            .map_err(|e| Refusal::fatal(Command::Sbatch, e.to_string()))?;
    }
    // The last component of the command line is all that are left in the script.
    let missing = (1 + found.others.len()).saturating_sub(1 + parsed.others.len());
    let last = parsed.others.last().unwrap_or(&parsed).options.clone();
    parsed.others.extend((0..missing).map(|_| Parsed { options: last.clone(), ..Parsed::new(Command::Sbatch) }));
    let own = std::iter::once(std::mem::take(&mut found.sbatch)).chain(std::mem::take(&mut found.others));
    let own: Vec<_> = own.chain(std::iter::repeat_with(Vec::new)).take(1 + parsed.others.len()).collect();
    // The whole command line is read once before: what was said last is in force for the first component, too, where nothing
    // else says it (het.txt).
    let mut earlier = parsed.components().map(|component| component.options.clone()).reduce(|earlier, mut later| {
        het::inherit(&mut later, &earlier);
        later
    });
    for (component, sbatch) in
        std::iter::once(&mut parsed.options).chain(parsed.others.iter_mut().map(|p| &mut p.options)).zip(own)
    {
        env::read(component, env)?;
        apply_directives(component, sbatch, &found)?;
        if let Some(earlier) = earlier.take() {
            het::inherit(component, &earlier);
        }
        exclusions::check(component)?;
        earlier = Some(component.clone());
    }
    if found.says_packjob {
        let last = parsed.others.last_mut().map_or(&mut parsed.options, |other| &mut other.options);
        last.note(PACKJOB.into());
    }
    Ok((parsed, script))
}

/// Takes a script's directives: `#SBATCH` first, then those of PBS and LSF.
fn apply_directives(options: &mut Options, sbatch: Vec<Vec<u8>>, found: &Directives) -> Result<(), Refusal> {
    let foreign = foreign::translate(found)?;
    let scan = getopt::scan(Command::Sbatch, &foreign::arguments(sbatch), false)?;
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
