//! From words to options: syntax, then values, then what goes together.

use std::ffi::OsString;

use super::{Arg, Class, Command, Kind, Options, Refusal, Row, Setting, Source, check, compound, getopt, het, place};

/// A command line that has been understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The options, with those of the environment.
    pub options: Options,
    /// What is no option: a script and its arguments, job ids, keywords.
    pub operands: Vec<OsString>,
    /// The further components of a heterogeneous job or step.
    pub others: Vec<Parsed>,
    /// srun: the component of its job that it is for, where the job has several.
    pub group: Option<u32>,
}

/// Parses the command line (without the command's own name) and the input variables.
///
/// With `--help`, `--usage`, `--version` (`--helpformat` of sacct) nothing else is
/// checked: look for these first. For sbatch use [`super::parse_batch`], which reads the script's directives too.
pub fn parse(command: Command, args: &[OsString], env: &dyn Fn(&str) -> Option<String>) -> Result<Parsed, Refusal> {
    let all = het::components(command, args)?;
    match all.iter().any(Parsed::asks_for_help) {
        true => Ok(het::first(command, all)),
        false => het::complete(command, all, env),
    }
}

/// The command line alone.
pub(super) fn parse_words(command: Command, args: &[OsString]) -> Result<Parsed, Refusal> {
    let scan = getopt::scan(command, args, true)?;
    let mut parsed = Parsed { operands: scan.operands, ..Parsed::new(command) };
    let at_once = scan.options.last().filter(|g| getopt::AT_ONCE.contains(&g.row.name));
    let given = match at_once {
        Some(given) => vec![given.clone()],
        None => scan.options,
    };
    for given in given {
        let setting =
            Setting { row: given.row, value: given.value, source: Source::CommandLine, variable: None, on: true };
        apply(&mut parsed.options, setting)?;
    }
    Ok(parsed)
}

impl Parsed {
    /// Nothing yet.
    pub(super) fn new(command: Command) -> Self {
        Self { options: Options::new(command), operands: Vec::new(), others: Vec::new(), group: None }
    }

    /// It and the further components.
    pub fn components(&self) -> impl Iterator<Item = &Parsed> {
        std::iter::once(self).chain(&self.others)
    }

    /// Whether an option is set that is answered at once, instead of doing anything.
    pub fn asks_for_help(&self) -> bool {
        getopt::AT_ONCE.iter().any(|name| self.options.is_set(name))
    }
}

/// Checks one option's value and takes it.
pub(super) fn apply(options: &mut Options, setting: Setting) -> Result<(), Refusal> {
    if setting.on && setting.row.arg != Arg::None {
        check::value(options.command(), setting.row, setting.value.as_deref())?;
    }
    let parts = compound::parts(options.command(), &setting)?;
    options.push(setting);
    parts.into_iter().try_for_each(|part| apply(options, part))
}

/// `--x11` wants a display; one that names no nodes wants nothing.
pub(super) fn display(options: &Options, env: &dyn Fn(&str) -> Option<String>) -> Result<(), Refusal> {
    let nodes = options.get("x11").unwrap_or("all");
    let is_wanted = options.is_set("x11") && ["all", "first", "last", "batch"].contains(&nodes);
    if is_wanted && env("DISPLAY").is_none_or(|display| display.is_empty()) {
        let message = "No DISPLAY variable set, cannot setup x11 forwarding.";
        return Err(Refusal::error(options.command(), 255, message));
    }
    Ok(())
}

/// What is refused wherever the job may go. Last of all checks: what Slurm has to say of a request comes
/// before what we do.
pub(super) fn refuse(options: &Options) -> Result<(), Refusal> {
    place::refusals(options).map(drop)
}

/// The first option, as they were read, that has a class which refuses it.
pub(super) fn refuse_by(options: &Options, class: &dyn Fn(&Row) -> Option<Class>) -> Result<(), Refusal> {
    for setting in options.occurrences().filter(|s| s.on) {
        if let Some(Class::Refused(instead)) = class(setting.row) {
            return Err(refused(options.command(), setting, instead));
        }
    }
    Ok(())
}

/// What the words of the table begin with, as they are shared.
const SBATCH_S: &str = "Batch job submission failed: ";

fn refused(command: Command, setting: &Setting, instead: &str) -> Refusal {
    let option = setting.row.display_name();
    if setting.row.kind == Kind::RootOnly {
        return Refusal::error(command, 255, format!("{option} only permitted by root user"));
    }
    // Behind `=` stands the whole message: Slurm's own words, mostly.
    if let Some(words) = instead.strip_prefix('=') {
        return match words.strip_prefix(SBATCH_S) {
            Some(words) => Refusal::by_controller(command, words),
            None => Refusal::error(command, 1, words),
        };
    }
    let message = match setting.variable {
        Some(variable) => format!("{variable} ({option}): {instead}"),
        None => format!("{option}: {instead}"),
    };
    Refusal::error(command, 1, message)
}
