//! Commands about what there is not here. They say so as Slurm does where it is not configured.

use super::{
    ask,
    terminal::{eprint, print, refuse},
};
use crate::slurm::options::{self, Command, Refusal};
use std::ffi::OsString;

/// What sprio says where priorities have no factors.
const SPRIO: [&str; 3] = [
    "You are not running a supported priority plugin",
    "(priority/basic).",
    "Only 'priority/multifactor' is supported.",
];

/// Runs sprio, sreport, strigger or scrontab; the exit code.
pub fn run(command: Command, args: Vec<OsString>) -> u8 {
    let parsed = match options::parse(command, &args, &ask::env) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal),
    };
    if let Some(text) = super::asked_for(&parsed, command) {
        return print(&text);
    }
    let words: Vec<_> = parsed.operands.iter().map(|word| word.to_string_lossy()).collect();
    match (command, words.first().map(AsRef::as_ref)) {
        (Command::Sprio, _) => {
            SPRIO.iter().for_each(|line| eprint(line));
            1
        }
        (Command::Strigger, None) if parsed.options.is_set("get") => 0,
        (Command::Strigger, _) => refuse(&Refusal::error(
            command,
            1,
            "You must use exactly one of the following options: --set, --get or --clear",
        )),
        (Command::Scrontab, _) => refuse(&Refusal::fatal(command, "scrontab is disabled on this cluster")),
        (_, None | Some("exit" | "quit" | "!!")) => 0,
        (_, Some("version")) => print(&format!("{}\n", options::version())),
        (_, Some("help")) => print(&options::help(command)),
        (_, Some(word)) => {
            refuse(&Refusal::error(command, 1, format!("{word}: usage is not rolled up here; add up what sacct tells")))
        }
    }
}
