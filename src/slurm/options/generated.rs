//! Files made from the table: man pages, completions, the compatibility page.
//!
//! The test fails when a committed file is stale; with `UPDATE_GENERATED=1` it writes them.

use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap_complete::{Shell, generate};

use super::*;

/// The table as clap has it: for man pages and completions only, never to parse.
fn clap_command(command: Command) -> clap::Command {
    let mut built = clap::Command::new(command.name())
        .version("24.11.5")
        .about(about(command))
        .override_usage(help::synopsis(command).trim_start_matches("Usage: ").to_owned())
        .disable_help_flag(true)
        .disable_version_flag(true);
    for row in table::rows(command) {
        let places = Place::ALL.map(|place| place.class(command, row));
        if places.iter().all(|class| matches!(class, Some(Class::Refused(_)) | None)) {
            continue;
        }
        let text = match places.map(remark) {
            [None, None] => row.help.to_owned(),
            [Some(here), Some(there)] if here == there => format!("{} ({here})", row.help),
            [Some(here), Some(there)] => format!("{} (on this machine: {here}; on SkyPilot: {there})", row.help),
            [Some(here), None] => format!("{} (on this machine: {here})", row.help),
            [None, Some(there)] => format!("{} (on SkyPilot: {there})", row.help),
        };
        let mut arg = clap::Arg::new(row.name).long(row.name).help(text);
        if let Some(letter) = row.short {
            arg = arg.short(letter);
        }
        arg = match row.arg {
            Arg::None => arg.action(clap::ArgAction::SetTrue),
            Arg::Required => arg.value_name(row.metavar),
            Arg::Optional => arg.value_name(row.metavar).num_args(0..=1).require_equals(true),
        };
        arg = match row.kind {
            Kind::Path => arg.value_hint(clap::ValueHint::AnyPath),
            Kind::Choice(choices) => arg.value_parser(PossibleValuesParser::new(choices)),
            _ => arg,
        };
        for alias in table::aliases(command, row.name) {
            arg = arg.visible_alias(alias);
        }
        built = built.arg(arg);
    }
    match command {
        Command::Sbatch => built.arg(operand("script", clap::ValueHint::FilePath)),
        Command::Srun | Command::Salloc => built.arg(operand("command", clap::ValueHint::CommandName)),
        Command::Scancel => built.arg(operand("job_id", clap::ValueHint::Other)),
        Command::Scontrol => built.arg(operand("keyword", clap::ValueHint::Other)),
        Command::Sattach => built.arg(operand("jobid.stepid", clap::ValueHint::Other)),
        Command::Sbcast => built.arg(operand("file", clap::ValueHint::FilePath)),
        Command::Sacctmgr | Command::Sreport => built.arg(operand("keyword", clap::ValueHint::Other)),
        Command::Seff => built.arg(operand("job_id", clap::ValueHint::Other)),
        Command::Squeue
        | Command::Sacct
        | Command::Sinfo
        | Command::Sstat
        | Command::Sshare
        | Command::Sprio
        | Command::Sdiag
        | Command::Strigger
        | Command::Scrontab => built,
    }
}

/// What the manual says of a class, if it has to say something.
fn remark(class: Option<Class>) -> Option<&'static str> {
    match class {
        Some(Class::Approximated(how)) => Some(how),
        Some(Class::Inert(_)) => Some("no effect here"),
        Some(Class::Refused(_)) => Some("refused"),
        Some(Class::Honoured) | None => None,
    }
}

fn operand(name: &'static str, hint: clap::ValueHint) -> clap::Arg {
    clap::Arg::new(format!("_{name}")).value_name(name).num_args(0..).value_hint(hint)
}

fn about(command: Command) -> &'static str {
    match command {
        Command::Sbatch => "Submit a batch script",
        Command::Srun => "Run parallel tasks in an allocation",
        Command::Salloc => "Obtain an allocation and run a command in it",
        Command::Squeue => "View the queue of jobs",
        Command::Scancel => "Cancel or signal jobs and job steps",
        Command::Sacct => "Show the accounting of jobs and job steps",
        Command::Sinfo => "View partitions and nodes",
        Command::Sattach => "Attach to a running job step",
        Command::Sstat => "Show what running job steps use",
        Command::Sbcast => "Bring a file to the nodes of a job",
        Command::Scontrol => "View and change jobs, nodes and partitions",
        Command::Sacctmgr => "View accounts, users and QOS",
        Command::Sshare => "View the shares of accounts and users",
        Command::Sprio => "View the factors of pending jobs' priorities",
        Command::Sdiag => "Show what the controller has done",
        Command::Seff => "Show how well a job used what it had",
        Command::Sreport => "Reports from accounting",
        Command::Strigger => "Event triggers",
        Command::Scrontab => "Crontabs of the cluster",
    }
}

fn man_page(command: Command) -> String {
    let name = command.name();
    let man = clap_mangen::Man::new(clap_command(command))
        .title(name.to_uppercase())
        .source("Slurm 24.11.5")
        .manual("Slurm Commands");
    let part = |render: fn(&clap_mangen::Man, &mut dyn std::io::Write) -> std::io::Result<()>| {
        let mut bytes = Vec::new();
        render(&man, &mut bytes).unwrap_or_else(|e| panic!("{e}"));
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let mut page = part(clap_mangen::Man::render_title);
    page.push_str(&part(clap_mangen::Man::render_name_section));
    let operands = roff(help::operands(command));
    page.push_str(&format!(".SH SYNOPSIS\n\\fB{name}\\fR [\\fIOPTIONS\\fR...] {operands}\n"));
    page.push_str(&part(clap_mangen::Man::render_options_section));
    page.push_str(".SH \"INPUT ENVIRONMENT VARIABLES\"\nThe command line overrides them");
    page.push_str(if command == Command::Sbatch { "; they override a script's directives.\n" } else { ".\n" });
    for row in table::rows(command) {
        for variable in row.used_by(command).map_or(&[][..], |u| u.env) {
            let option = roff(&row.display_name());
            page.push_str(&format!(".TP\n\\fB{variable}\\fR\nSame as \\fB{option}\\fR\n"));
        }
    }
    page.push_str(".SH \"REFUSED OPTIONS\"\nOptions of Slurm that are an error here.\n");
    for row in table::rows(command) {
        let why = Place::ALL.map(|place| match place.class(command, row) {
            Some(Class::Refused(instead)) => Some(instead.trim_start_matches('=')),
            _ => None,
        });
        let why = match why {
            [None, None] => continue,
            [Some(here), Some(there)] if here == there => here.to_owned(),
            [Some(here), Some(there)] => format!("on this machine: {here}\n.br\non SkyPilot: {there}"),
            [Some(here), None] => format!("on this machine: {here}"),
            [None, Some(there)] => format!("on SkyPilot: {there}"),
        };
        let option = roff(row.synopsis().trim_start());
        page.push_str(&format!(".TP\n\\fB{option}\\fR\n{}\n", roff(&why)));
    }
    page
}

/// Text with roff's own characters escaped.
fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq")
}

fn completion(shell: Shell, command: Command) -> String {
    let mut bytes = Vec::new();
    generate(shell, &mut clap_command(command), command.name(), &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Every generated file and what must be in it.
fn files() -> Vec<(PathBuf, String)> {
    let mut files = vec![(PathBuf::from("docs/COMPATIBILITY.md"), compatibility_markdown())];
    for command in Command::ALL {
        let name = command.name();
        files.push((format!("man/{name}.1").into(), man_page(command)));
        for (path, shell) in [
            (format!("completions/bash/{name}"), Shell::Bash),
            (format!("completions/zsh/_{name}"), Shell::Zsh),
            (format!("completions/fish/{name}.fish"), Shell::Fish),
        ] {
            files.push((path.into(), completion(shell, command)));
        }
    }
    files
}

#[test]
fn generated_files_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let update = std::env::var_os("UPDATE_GENERATED").is_some();
    let mut stale = Vec::new();
    for (path, text) in files() {
        let path = root.join(path);
        if std::fs::read_to_string(&path).is_ok_and(|found| found == text) {
            continue;
        }
        if update {
            let folder = path.parent().unwrap_or(root);
            std::fs::create_dir_all(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
            std::fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        } else {
            stale.push(path.display().to_string());
        }
    }
    assert!(stale.is_empty(), "stale, run with UPDATE_GENERATED=1: {}", stale.join(", "));
}

#[test]
fn clap_finds_no_fault_with_the_table() {
    for command in Command::ALL {
        clap_command(command).debug_assert();
    }
}
