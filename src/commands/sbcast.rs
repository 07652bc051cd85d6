//! sbcast(1): brings a file to the nodes of a job.

use super::{
    asked_for,
    broadcast::{self, EXCLUDED, Failure, Wanted},
    terminal::{eprint, print, refuse},
};
use crate::{
    agent::{broadcast::Destination, step::Bytes},
    slurm::options::{self, Command, Options},
};
use std::{
    env,
    ffi::OsString,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// Runs `sbcast` with `args`, those behind its name. The exit code is 0, or the system's number of what went wrong on a node.
pub fn run(args: Vec<OsString>) -> u8 {
    let environment = |name: &str| env::var(name).ok();
    let parsed = match options::parse(Command::Sbcast, &args, &environment) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal),
    };
    let options = &parsed.options;
    if let Some(text) = asked_for(&parsed, Command::Sbcast) {
        return print(&text);
    }
    let [source, to] = parsed.operands.as_slice() else {
        eprint(&format!("Need two file names, have {} names", parsed.operands.len()));
        eprint("Try \"sbcast --help\" for more information");
        return 1;
    };
    match send(options, Path::new(source), to) {
        Ok(()) => 0,
        Err(failure) => {
            failure.lines.iter().for_each(|line| eprint(&format!("sbcast: error: {line}")));
            failure.exit
        }
    }
}

fn send(options: &Options, source: &Path, to: &OsString) -> Result<(), Failure> {
    let (job, step) = target(options)?;
    if to.as_bytes().ends_with(b"/") {
        return Err(Failure { exit: 1, ..Failure::new("Target filename cannot be a directory.") });
    }
    if let Some(library) = options.get("compress").filter(|c| !["", "lz4", "none"].contains(c)) {
        eprint(&format!("sbcast: error: Compression type '{library}' unknown, disabling compression support."));
    }
    let (file, about) = broadcast::open(source)?;
    if about.len() == 0 {
        eprint(&format!("sbcast: error: Warning: file `{}` is empty.", source.display()));
    }
    let path = std::path::absolute(to).unwrap_or_else(|_| PathBuf::from(to));
    let path = Bytes(path.as_os_str().as_bytes().to_vec());
    let wanted = Wanted {
        job,
        step,
        to: Destination { path, ..Destination::default() },
        force: options.is_set("force"),
        preserve: options.is_set("preserve"),
    };
    if options.is_set("verbose") {
        eprint(&format!("sbcast: jobid      = {job}"));
        eprint(&format!("sbcast: source     = {}", source.display()));
        eprint(&format!("sbcast: dest       = {}", to.to_string_lossy()));
        eprint(&format!("sbcast: size     = {}", about.len()));
    }
    broadcast::bring((file, about), &wanted)?;
    if options.is_set("send-libs") && options.get("send-libs") != Some("no") {
        broadcast::bring_libraries(source, options.get("exclude").unwrap_or(EXCLUDED), &wanted)?;
    }
    Ok(())
}

/// The job, and the step if one is named.
fn target(options: &Options) -> Result<(u32, Option<u32>), Failure> {
    let Some(text) = options.get("jobid") else {
        let line = "Need a job id to run this command.  Run from within a Slurm job or use the --jobid option.";
        return Err(Failure { exit: 1, ..Failure::new(line) });
    };
    let (job, step) = text.split_once('.').unwrap_or((text, ""));
    let wrong = |_| Failure::new(format!("Slurm job {text} lookup error: Invalid job id specified"));
    let step = (!step.is_empty()).then(|| step.parse()).transpose().map_err(wrong)?;
    Ok((job.parse().map_err(wrong)?, step))
}
