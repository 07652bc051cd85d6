//! sbatch(1): puts a batch script into the queue.

mod upload;

use super::{check_cluster, terminal};
use crate::{
    agent::submitter::{environment, submitter},
    controller::{
        api::{Call, Reply, Submission},
        client::{Client, ClientError},
    },
    host::directory,
    job::{Job, batch, resolve},
    slurm::{
        errno::Errno,
        options::{Command, Options, Parsed, Place, Refusal, Script, help, parse_batch, refusals, usage, version},
        state::JobState,
    },
};
use std::{ffi::OsString, fs, os::unix::ffi::OsStringExt, path::PathBuf};

const COMMAND: Command = Command::Sbatch;

/// Runs sbatch; `args` without the program's name.
pub fn run(args: Vec<OsString>) -> u8 {
    match submit(&args) {
        Ok(code) => code,
        Err(refusal) => terminal::refuse(&refusal),
    }
}

fn submit(args: &[OsString]) -> Result<u8, Refusal> {
    let env = |name: &str| std::env::var(name).ok();
    let (parsed, script) = parse_batch(args, &env, &mut batch::read_script)?;
    let options = of_command(&parsed);
    for (name, text) in [("help", help as fn(Command) -> String), ("usage", usage)] {
        if options.is_set(name) {
            return Ok(terminal::print(&text(COMMAND)));
        }
    }
    if options.is_set("version") {
        return Ok(terminal::print(&format!("{}\n", version())));
    }
    let tell = |warnings: Vec<String>| {
        warnings.into_iter().chain(options.defined()).for_each(|line| terminal::eprint(&line));
    };
    let warnings = |place| Options::warnings_of(parsed.components().map(|component| &component.options), place);
    let (mut controller, reply) = ask(args, &parsed, script).inspect_err(|_| tell(warnings(Place::Here)))?;
    let (place, reply) = match reply {
        Reply::At(place, reply) => (place, *reply),
        reply => (Place::Here, reply),
    };
    match (&reply, place) {
        (Reply::Declined(_), _) => {}
        // What cannot be had there has just been said.
        (Reply::Refused { .. } | Reply::Forecast(Err(_)), Place::SkyPilot) => tell(Vec::new()),
        _ => tell(warnings(place)),
    }
    let test_only = options.is_set("test-only");
    match reply {
        Reply::Submitted(id) => {
            let printed = announce(options, id);
            upload::watch(&mut controller, id);
            match options.is_set("wait") {
                true => match controller.ask(&Call::Wait(id)).map_err(unreachable)? {
                    Reply::Jobs(jobs) => Ok(exit_code(&jobs.into_jobs())),
                    _ => Ok(1),
                },
                false => Ok(printed),
            }
        }
        Reply::WouldStart(_) | Reply::Forecast(Ok(_)) if options.is_set("quiet") => Ok(0),
        Reply::WouldStart(would) => {
            terminal::eprint(&format!("sbatch: {would}"));
            Ok(0)
        }
        Reply::Forecast(Ok(lines)) => {
            lines.iter().for_each(|line| terminal::eprint(&format!("sbatch: {line}")));
            Ok(0)
        }
        Reply::Forecast(Err(why)) => {
            let errno = Errno::NodeConfigurationUnavailable;
            Err(refused(test_only, errno, &why.lines().map(str::to_owned).collect::<Vec<_>>(), None))
        }
        Reply::Declined(refusal) => Err(refusal),
        Reply::Refused { errno, before, hint } => Err(refused(test_only, errno, &before, hint)),
        other => Err(Refusal::error(COMMAND, 1, format!("the controller answered what was not asked: {other:?}"))),
    }
}

/// Puts the job before the controller.
fn ask(args: &[OsString], parsed: &Parsed, script: Option<Script>) -> Result<(Client, Reply), Refusal> {
    let options = of_command(parsed);
    let submission = submission(args, parsed, script)?;
    let call = if options.is_set("test-only") { Call::TestOnly(submission) } else { Call::Submit(submission) };
    let mut controller = Client::connect_at(&directory::state()).map_err(unreachable)?;
    if options.get("clusters").is_some()
        && let Reply::Cluster(cluster) = controller.ask(&Call::Cluster).map_err(unreachable)?
    {
        check_cluster(COMMAND, options.get("clusters"), &cluster.name)?;
    }
    let reply = controller.ask(&call).map_err(unreachable)?;
    Ok((controller, reply))
}

fn unreachable(error: ClientError) -> Refusal {
    Refusal::error(COMMAND, 1, error.to_string())
}

/// Slurm's way to say that the controller refused.
fn refused(test_only: bool, errno: Errno, before: &[String], hint: Option<String>) -> Refusal {
    let mut lines: Vec<String> = before.iter().map(|line| format!("sbatch: error: {line}")).collect();
    lines.push(match test_only {
        true => format!("allocation failure: {errno}"),
        // Found before a real sbatch would ask its controller.
        false if errno == Errno::InvalidGres => format!("sbatch: error: {errno}"),
        false => format!("sbatch: error: Batch job submission failed: {errno}"),
    });
    lines.extend(hint.map(|hint| format!("sbatch: {hint}")));
    Refusal { lines, exit: 1 }
}

/// What sbatch prints of a job that was submitted.
fn announce(options: &Options, id: u32) -> u8 {
    let cluster = options.get("clusters");
    let text = match (options.is_set("parsable"), cluster) {
        (true, None) => format!("{id}\n"),
        (true, Some(name)) => format!("{id};{name}\n"),
        (false, _) if options.is_set("quiet") => return 0,
        (false, None) => format!("Submitted batch job {id}\n"),
        (false, Some(name)) => format!("Submitted batch job {id} on cluster {name}\n"),
    };
    terminal::print(&text)
}

/// `--wait`: the highest exit code; 1 for a job that a signal or something else ended; 0 for one
/// that was cancelled before it began. (`sbatch.txt`)
fn exit_code(jobs: &[Job]) -> u8 {
    let code = |job: &Job| match (job.state, job.exit) {
        (JobState::Completed, _) => 0,
        (JobState::Cancelled, _) if job.placement.is_none() => 0,
        (JobState::Failed, exit) if exit.signal() == 0 => exit.code().max(1),
        _ => 1,
    };
    jobs.iter().map(code).max().unwrap_or(1)
}

/// What is sent to the controller.
pub(super) fn submission(
    args: &[OsString],
    parsed: &Parsed,
    script: Option<Script>,
) -> Result<Box<Submission>, Refusal> {
    let options = of_command(parsed);
    let line: Vec<OsString> = std::iter::once("sbatch".into()).chain(args.iter().cloned()).collect();
    let mut others = Vec::new();
    for other in &parsed.others {
        let component = Parsed { operands: parsed.operands.clone(), ..other.clone() };
        let (request, _) = batch::request(&component, script.clone(), submitter(&line))?;
        others.push((request, refusals(&component.options)?));
    }
    let (request, script) = batch::request(parsed, script, submitter(&line))?;
    let array = resolve::array(options).map_err(|errno| refused(options.is_set("test-only"), errno, &[], None))?;
    let environment = match options.get("export-file") {
        Some(file) => export_file(file)?,
        None => environment(),
    };
    let refusals = refusals(&parsed.options)?;
    Ok(Box::new(Submission { request, array, script, environment, refusals, others }))
}

/// The options that are of the command and not of a component: those of the last, which has what was said of all.
fn of_command(parsed: &Parsed) -> &Options {
    parsed.components().last().map_or(&parsed.options, |last| &last.options)
}

/// `--export-file`: `NAME=value`, each ended by NUL, from a file or a file descriptor.
fn export_file(file: &str) -> Result<Vec<u8>, Refusal> {
    let path = match file.parse::<u32>() {
        Ok(fd) => PathBuf::from(format!("/proc/self/fd/{fd}")),
        Err(_) => PathBuf::from(OsString::from_vec(file.as_bytes().to_vec())),
    };
    fs::read(path).map_err(|e| Refusal::error(COMMAND, 1, format!("Unable to read --export-file {file}: {e}")))
}
