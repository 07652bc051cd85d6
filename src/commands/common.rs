//! What several commands do alike before they ask.

use std::time::Duration;

use crate::slurm::{
    array::JobIdSpec,
    options::{self, Command, Parsed, Refusal},
};

/// What `--help`, `--usage` or `--version` print, if one of them was given.
pub(crate) fn asked_for(parsed: &Parsed, command: Command) -> Option<String> {
    let options = &parsed.options;
    if options.is_set("help") {
        Some(options::help(command))
    } else if options.is_set("usage") {
        Some(options::usage(command))
    } else if options.is_set("version") {
        Some(format!("{}\n", options::version()))
    } else {
        None
    }
}

/// Asks once, or every so many seconds until nobody reads on.
pub(crate) fn iterate(every: Option<u64>, mut once: impl FnMut() -> u8) -> u8 {
    loop {
        let code = once();
        let Some(seconds) = every else { return code };
        super::terminal::print("\n");
        std::thread::sleep(Duration::from_secs(seconds));
    }
}

/// `--iterate`: seconds, at least one; `None` for anything else. Reads as far as there are digits, as atoi(3).
pub(crate) fn seconds(text: &str) -> Option<u64> {
    let digits = text.trim_start();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end)?.parse().ok().filter(|seconds| *seconds > 0)
}

/// `--clusters`: there is one cluster. Its name and `all` are right, others are unknown (squeue.txt).
pub(crate) fn check_cluster(command: Command, names: Option<&str>, cluster: &str) -> Result<(), Refusal> {
    let unknown = names
        .into_iter()
        .flat_map(|names| names.split(','))
        .find(|name| !name.is_empty() && !name.eq_ignore_ascii_case("all") && *name != cluster);
    match unknown {
        None => Ok(()),
        Some(name) => Err(Refusal::error(command, 1, format!("No cluster '{name}' known by database.")).and_error(
            command,
            format!("'{name}' can't be reached now, or it is an invalid entry for --cluster.  Use 'sacctmgr list clusters' to see available clusters."),
        )),
    }
}

/// `--jobs` of sacct and sstat; an empty list and job 0, which is nobody's, ask for nothing special (random.txt).
pub(crate) fn job_ids(command: Command, text: &str) -> Result<Vec<JobIdSpec>, Refusal> {
    let parts = JobIdSpec::parts(text).filter(|part| *part != "0");
    parts.map(JobIdSpec::read).collect::<Result<_, _>>().map_err(|error| {
        let word = error.0;
        let number: String = word.chars().take_while(char::is_ascii_digit).collect();
        let rest = word.get(number.len()..).unwrap_or_default();
        Refusal::fatal(
            command,
            match rest.chars().next() {
                Some('_') if !number.is_empty() && !rest.contains("].") => match word.split_once('.') {
                    Some((job, _)) if job.parse::<JobIdSpec>().is_ok() => format!("Bad step specified: {job}"),
                    _ => format!("Bad job array element specified: {number}"),
                },
                Some('.') if !number.is_empty() => format!("Bad step specified: {number}"),
                Some('+') if !number.is_empty() => format!("Bad hetjob offset specified: {number}"),
                _ => format!("Bad job/step specified: {word}"),
            },
        )
    })
}

/// Two options that both say what the columns are.
pub(crate) fn format_and_long(command: Command) -> Refusal {
    Refusal::fatal(command, "Options -o(--format) and -l(--long) are mutually exclusive. Please remove one and retry.")
}
