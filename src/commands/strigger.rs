//! strigger(1): to a user who may set no triggers. What is to happen with a job is told in the configuration (`[hooks]`).

use super::{
    ask,
    terminal::{print, refuse},
};
use crate::{
    host::user,
    slurm::options::{self, Command::Strigger, Options, Refusal},
};
use std::ffi::OsString;

/// Runs strigger; the exit code.
pub fn run(args: Vec<OsString>) -> u8 {
    let parsed = match options::parse(Strigger, &args, &ask::env) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal),
    };
    if let Some(text) = super::asked_for(&parsed, Strigger) {
        return print(&text);
    }
    match answer(&parsed.options, |name| user::by_name(name).is_some()) {
        Ok(()) => 0,
        Err(refusal) => refuse(&refusal),
    }
}

/// What happens to a job or a node that a trigger can be about.
const EVENTS: [&str; 9] = ["burst_buffer", "drained", "down", "fail", "fini", "idle", "reconfig", "time", "up"];

/// What Slurm says when none of them was named.
const NO_EVENT: &str = "\
You must specify a trigger (--down, --up, --reconfig, --time, --fini, --burst_buffer,
--primary_slurmctld_failure,
--primary_slurmctld_resumed_operation,
--primary_slurmctld_resumed_control,
--primary_slurmctld_acct_buffer_full,
--backup_slurmctld_failure,
--backup_slurmctld_resumed_operation,
--backup_slurmctld_as_ctrl,
--primary_slurmdbd_failure,
--primary_slurmdbd_resumed_operation,
--primary_database_failure, or 
--primary_database_resumed_operation)
";

/// There are no triggers to get, none to clear, and none may be set; what is wrong with the question is told first.
fn answer(options: &Options, is_user: impl Fn(&str) -> bool) -> Result<(), Refusal> {
    let error = |text: String| Err(Refusal::error(Strigger, 1, text));
    let by_controller = |text: &str| Err(Refusal { lines: vec![text.to_owned()], exit: 1 });
    if let Some(id) = options.get("jobid").filter(|id| !id.starts_with(|c: char| c.is_ascii_digit())) {
        return error(format!("Invalid jobid {id}"));
    }
    if let Some(name) = options.get("user").filter(|name| name.parse::<u32>().is_err() && !is_user(name)) {
        return error(format!("Invalid user {name}"));
    }
    if let Some(flags) = options.get("flags").filter(|flags| !flags.eq_ignore_ascii_case("perm")) {
        return error(format!("Invalid flags {flags}"));
    }
    let is = |name: &str| options.is_set(name);
    match ["set", "get", "clear"].map(is) {
        [true, false, false] => match options.get("program") {
            _ if !EVENTS.iter().any(|event| is(event)) => error(NO_EVENT.to_owned()),
            None => error("You must specify a --program value".to_owned()),
            Some(_) if (is("fini") || is("time")) && !is("jobid") => {
                error("You must specify a --jobid value".to_owned())
            }
            Some(program) if !program.starts_with('/') => error("The --program value must start with \"/\"".to_owned()),
            Some(_) => by_controller("slurm_set_trigger: Access/permission denied"),
        },
        [false, true, false] => Ok(()),
        [false, false, true] if ["id", "jobid", "user"].into_iter().any(is) => {
            by_controller("slurm_clear_trigger: No such process")
        }
        [false, false, true] => error("You must specify a --id, --jobid, or --user to clear".to_owned()),
        _ => error("You must use exactly one of the following options: --set, --get or --clear".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asked of a real strigger, by a user who may not.
    #[test]
    fn refusals_are_slurms() {
        for (words, expected) in [
            ("--get", ""),
            ("--get --id=5", ""),
            ("", "strigger: error: You must use exactly one of the following options: --set, --get or --clear"),
            (
                "--get --set",
                "strigger: error: You must use exactly one of the following options: --set, --get or --clear",
            ),
            ("--get --jobid=abc", "strigger: error: Invalid jobid abc"),
            ("--get --user=nosuch", "strigger: error: Invalid user nosuch"),
            ("--set -d -p /bin/true --flags=bogus", "strigger: error: Invalid flags bogus"),
            ("--clear", "strigger: error: You must specify a --id, --jobid, or --user to clear"),
            ("--clear --id=1", "slurm_clear_trigger: No such process"),
            ("--set -d -n", "strigger: error: You must specify a --program value"),
            ("--set -f -p /bin/true", "strigger: error: You must specify a --jobid value"),
            ("--set -d -p nosuch", "strigger: error: The --program value must start with \"/\""),
            ("--set -d -p /bin/true", "slurm_set_trigger: Access/permission denied"),
            ("--set --fini -j 1 -p /bin/true", "slurm_set_trigger: Access/permission denied"),
        ] {
            let args: Vec<OsString> = words.split_whitespace().map(Into::into).collect();
            let parsed = options::parse(Strigger, &args, &|_| None).unwrap();
            let said = answer(&parsed.options, |_| false).err().map(|refusal| refusal.to_string()).unwrap_or_default();
            assert_eq!(said, expected, "{words}");
        }
    }
}
