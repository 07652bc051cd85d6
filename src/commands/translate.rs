//! `skyslurm translate SCRIPT [OPTIONS]`: the SkyPilot task that a job becomes, for people to read and to keep. Nothing is
//! sent.

mod said;

use super::{sbatch::submission, terminal};
use crate::{
    config::{Config, PartitionConfig},
    controller::api::Submission,
    engine::skypilot::task::{Carrier, Facts, Script, Task},
    host::directory,
    job::{Memory, Needs, Request, Shape, batch::read_script},
    slurm::{
        errno::Errno,
        options::{Command, Options, Place, Refusal, Source, read_batch},
        time::TimeLimit,
    },
};
use std::{
    ffi::{OsStr, OsString},
    io::{self, IsTerminal},
};

const USAGE: &str = "\
Usage: skyslurm translate SCRIPT [OPTIONS]

Prints the SkyPilot task that the job of `sbatch OPTIONS SCRIPT` becomes, with what became of every
option and what was decided. Nothing is submitted. The task can be kept: sky jobs launch FILE.
";

/// Options that are of the command, not of the job; and those that the task itself says.
const NOT_OF_THE_JOB: [&str; 12] = [
    "clusters",
    "container-image",
    "export-file",
    "hold",
    "begin",
    "parsable",
    "quiet",
    "test-only",
    "verbose",
    "wait",
    "wrap",
    "partition",
];

/// Runs `skyslurm translate`; `args` without its own name.
pub fn run(args: Vec<OsString>) -> u8 {
    let first = args.first().and_then(|a| a.to_str());
    if matches!(first, Some("--help" | "-h")) || args.is_empty() && io::stdin().is_terminal() {
        return terminal::print(USAGE);
    }
    let config = match Config::read(&directory::config_file()) {
        Ok(config) => config,
        Err(error) => {
            terminal::eprint(&format!("skyslurm: error: {error}"));
            return 1;
        }
    };
    let program = std::env::current_exe().map(|path| path.to_string_lossy().into_owned());
    let program = program.unwrap_or_else(|_| "skyslurm".into());
    match page(&args, &|name| std::env::var(name).ok(), &config, &program) {
        Ok(text) => terminal::print(&text),
        Err(refusal) => terminal::refuse(&refusal),
    }
}

/// What is printed.
fn page(
    args: &[OsString],
    env: &dyn Fn(&str) -> Option<String>,
    config: &Config,
    program: &str,
) -> Result<String, Refusal> {
    let (file, options) = match args.split_first() {
        Some((first, rest)) if !first.as_encoded_bytes().starts_with(b"-") => (Some(first), rest),
        _ => (None, args),
    };
    let (mut parsed, script) = read_batch(options, env, &mut |options, operands| match file {
        Some(file) => read_script(options, std::slice::from_ref(file)),
        None => read_script(options, operands),
    })?;
    if parsed.asks_for_help() {
        return Ok(USAGE.to_owned());
    }
    if !parsed.others.is_empty() {
        return Err(Refusal::error(
            Command::Sbatch,
            1,
            "the components of a heterogeneous job find each other through the controller, which a task kept by hand does not have: \
             submit it with sbatch, or translate each component as a job of its own",
        ));
    }
    // What is no option stands at the end.
    let given = options.len().saturating_sub(parsed.operands.len());
    parsed.operands.splice(0..0, file.cloned());
    Place::SkyPilot.refuse(&parsed.options)?;
    let words: Vec<OsString> = options.iter().take(given).chain(&parsed.operands).cloned().collect();
    let submission = submission(&words, &parsed, script)?;
    let Submission { mut request, array, script, .. } = *submission;
    let partition = partition(&request, config)?;
    by_default(&mut request, &partition, config);
    let refused = |text: String| Refusal::error(Command::Sbatch, 1, text);
    let needs = Needs::of(&request, None);
    let shape = Shape::of(&needs, partition.most_gpus()).map_err(refused)?;
    let facts = Facts { partition: &partition, settings: &config.skypilot, shape: &shape, offered: &[] };
    let copied = partition.copies(&request.work_dir);
    let text;
    let script = match file_of(&request, &partition) {
        Some(file) => Script::File(file),
        None => {
            text = String::from_utf8(script).map_err(|_| {
                refused(
                    "the script is no UTF-8 text, so no task can hold it; put its file into the work directory".into(),
                )
            })?;
            Script::Text(&text)
        }
    };
    let carrier = Carrier::Plain {
        program,
        workdir: copied.then_some(request.work_dir.as_str()),
        options: &options_of(&parsed.options, &request, &partition, &script),
        script,
    };
    let task = Task::of(&request, &facts, &carrier).map_err(refused)?;
    let head = said::head(&said::Job {
        words: &words,
        options: &parsed.options,
        request: &request,
        array: array.as_ref(),
        facts: &facts,
    });
    Ok(head + &task.yaml())
}

/// The first of the partitions the job may go to that is on SkyPilot; or its own, where none at all is.
fn partition(request: &Request, config: &Config) -> Result<PartitionConfig, Refusal> {
    let named: Vec<&PartitionConfig> = match &request.partitions[..] {
        [] => config.default_partition().into_iter().collect(),
        names => {
            let find = |name: &String| {
                config.partition.iter().find(|p| &p.name == name).ok_or_else(|| {
                    Refusal::error(Command::Sbatch, 1, format!("invalid partition specified: {name}"))
                        .and_error(Command::Sbatch, format!("Batch job submission failed: {}", Errno::InvalidPartition))
                })
            };
            // Without a configuration there is only this machine's own.
            let known = |name: &&String| !config.partition.is_empty() || name.as_str() != "local";
            names.iter().filter(known).map(find).collect::<Result<_, _>>()?
        }
    };
    if let Some(found) = named.iter().find(|p| p.on_skypilot().is_some()) {
        return Ok((*found).clone());
    }
    let elsewhere: Vec<&str> =
        config.partition.iter().filter(|p| p.on_skypilot().is_some()).map(|p| p.name.as_str()).collect();
    match (named.first(), elsewhere.is_empty()) {
        (Some(own), true) => Ok((*own).clone()),
        (None, true) => Ok(PartitionConfig { name: "local".into(), ..PartitionConfig::default() }),
        (own, false) => Err(Refusal::error(
            Command::Sbatch,
            1,
            format!(
                "partition {} is on this machine; name one that is on SkyPilot: --partition={}",
                own.map_or("local", |p| p.name.as_str()),
                elsewhere.join(",")
            ),
        )),
    }
}

/// What the controller sets where the request says nothing.
fn by_default(request: &mut Request, partition: &PartitionConfig, config: &Config) {
    let settings = &config.controller;
    let memory = partition.default_memory_per_cpu.as_ref().or(settings.default_memory_per_cpu.as_ref());
    request.account = request.account.take().or_else(|| settings.account.clone());
    request.qos = request.qos.take().or_else(|| Some(settings.qos.clone()));
    request.memory = request.memory.or(memory.map(|memory| Memory::PerCpu(memory.0.0)));
    let limit = partition.default_time.as_ref().or(partition.max_time.as_ref()).map(|limit| limit.0);
    request.time = request.time.or(limit);
}

/// The script's file as a node sees it from where the job starts; `None`: it does not.
fn file_of<'a>(request: &'a Request, partition: &PartitionConfig) -> Option<&'a str> {
    let file = request.command.as_deref()?;
    if partition.sees(file) {
        return Some(file);
    }
    let below = file.strip_prefix(request.work_dir.trim_end_matches('/'))?.strip_prefix('/')?;
    partition.copies(&request.work_dir).then_some(below)
}

/// The options that the agent cannot read in the script: those of the command line and the environment, and what
/// follows from the partition.
fn options_of(options: &Options, request: &Request, partition: &PartitionConfig, script: &Script) -> Vec<String> {
    let mut words = Vec::new();
    for setting in options.iter() {
        let name = setting.row.name;
        if setting.source == Source::Directive || NOT_OF_THE_JOB.contains(&name) || name == "chdir" {
            continue;
        }
        words.push(match &setting.value {
            Some(value) => format!("--{name}={value}"),
            None => format!("--{name}"),
        });
    }
    if !options.is_set("job-name") && matches!(script, Script::Text(_)) {
        words.push(format!("--job-name={}", request.name));
    }
    if !partition.copies(&request.work_dir) {
        words.push(format!("--chdir={}", request.work_dir));
    } else if options.source("chdir") == Some(Source::Directive) {
        // The copy, whatever the script says.
        words.push("--chdir=.".into());
    }
    if let (false, Some(limit @ TimeLimit::Minutes(_))) = (options.is_set("time"), request.time) {
        words.push(format!("--time={}", limit.scontrol()));
    }
    let in_script = options.source("partition") == Some(Source::Directive);
    if !(in_script && options.get("partition") == Some(partition.name.as_str())) {
        words.push(format!("--partition={}", partition.name));
    }
    words
}

/// A word for people; nothing in it ends a line.
fn shown(word: &OsStr) -> String {
    let visible =
        |c: char| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}');
    let escape = |c: char| match visible(c) {
        true => c.to_string(),
        false => c.escape_default().to_string(),
    };
    word.to_string_lossy().chars().map(escape).collect()
}

#[cfg(test)]
#[path = "translate_tests.rs"]
mod tests;
