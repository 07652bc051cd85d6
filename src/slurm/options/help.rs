//! `--help`, `--usage` and `--version`, true to the table.

use super::{Arg, Class, Command, Place, Row, Section, table};

/// Column at which the explanations begin.
const TEXT: usize = 30;
/// Lines end here at the latest.
const WIDTH: usize = 80;

/// The release whose formats and options these commands follow, as `--version` says it.
pub fn version() -> &'static str {
    "slurm 24.11.5"
}

/// The text of `--help`, with a newline at its end. Refused options are not listed.
pub fn help(command: Command) -> String {
    let mut text = format!("{}\n", synopsis(command));
    for section in SECTIONS {
        let rows: Vec<&Row> = listed(command).filter(|r| r.section == section).collect();
        if rows.is_empty() {
            continue;
        }
        if let Some(heading) = heading(command, section) {
            text.push_str(&format!("\n{heading}:\n"));
        }
        for row in rows {
            entry(row, &mut text);
        }
    }
    text.push_str("\nSlurm's other options are refused, or accepted because they make no difference\nhere: docs/COMPATIBILITY.md has them all.\n");
    text
}

/// The text of `--usage`: every option that is not refused, in brief.
pub fn usage(command: Command) -> String {
    let lead = format!("Usage: {}", command.name());
    let indent = " ".repeat(lead.len());
    let mut text = String::new();
    let mut line = lead;
    let items = listed(command).map(brief).chain([operands(command).to_owned()]);
    for item in items.filter(|i| !i.is_empty()) {
        if line.len() + 1 + item.len() > WIDTH && line.len() > indent.len() {
            text.push_str(&line);
            text.push('\n');
            line = indent.clone();
        }
        line.push(' ');
        line.push_str(&item);
    }
    text.push_str(&line);
    text.push('\n');
    text
}

const SECTIONS: [Section; 6] =
    [Section::Run, Section::Constraint, Section::Consumable, Section::Affinity, Section::Gpu, Section::Help];

/// What `--help` lists: what has an effect somewhere.
pub(super) fn listed(command: Command) -> impl Iterator<Item = &'static Row> {
    let effect = |class: Option<Class>| matches!(class, Some(Class::Honoured | Class::Approximated(_)));
    table::rows(command).filter(move |row| Place::ALL.iter().any(|place| effect(place.class(command, row))))
}

fn heading(command: Command, section: Section) -> Option<&'static str> {
    match section {
        Section::Run if command.allocates() => Some("Parallel run options"),
        Section::Run => None,
        Section::Constraint => Some("Constraint options"),
        Section::Consumable => Some("Consumable resources related options"),
        Section::Affinity => Some("Affinity/Multi-core options"),
        Section::Gpu => Some("GPU scheduling options"),
        Section::Help => Some("Help options"),
    }
}

/// First line of `--help`.
pub(super) fn synopsis(command: Command) -> String {
    format!("Usage: {} [OPTIONS...] {}", command.name(), operands(command)).trim_end().to_owned()
}

/// What stands behind the options.
pub(super) fn operands(command: Command) -> &'static str {
    match command {
        Command::Sbatch => "script [args...]",
        Command::Srun => "executable [args...]",
        Command::Salloc => "[command [args...]]",
        Command::Scancel => "[job_id[_array_id][.step_id]]",
        Command::Scontrol => "[command]",
        Command::Sattach => "<jobid.stepid>",
        Command::Sbcast => "SOURCE DEST",
        Command::Sacctmgr | Command::Sreport => "[command]",
        Command::Seff => "JOBID",
        Command::Squeue
        | Command::Sacct
        | Command::Sinfo
        | Command::Sstat
        | Command::Sshare
        | Command::Sprio
        | Command::Sdiag
        | Command::Strigger
        | Command::Scrontab => "",
    }
}

/// One option of `--help`, its explanation wrapped.
fn entry(row: &Row, text: &mut String) {
    let mut line = format!("  {}", row.synopsis());
    if line.len() >= TEXT {
        // Slurm lets a long option push the explanation to the right or to the next line.
        line.push(' ');
        if line.len() + row.help.len() > WIDTH {
            text.push_str(line.trim_end());
            text.push('\n');
            line = String::new();
        }
    }
    for word in row.help.split(' ') {
        if line.len() < TEXT {
            line.push_str(&" ".repeat(TEXT - line.len()));
        } else if line.len() + 1 + word.len() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line = " ".repeat(TEXT);
        } else if !line.ends_with(' ') {
            line.push(' ');
        }
        line.push_str(word);
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

/// `[-t minutes]`, `[--hold]`
fn brief(row: &Row) -> String {
    let name = row.short.map_or_else(|| row.display_name(), |c| format!("-{c}"));
    match (row.arg, row.short) {
        (Arg::None, _) => format!("[{name}]"),
        (Arg::Required, Some(_)) => format!("[{name} {}]", row.metavar),
        (Arg::Required, None) => format!("[{name}={}]", row.metavar),
        (Arg::Optional, Some(_)) => format!("[{name}[{}]]", row.metavar),
        (Arg::Optional, None) => format!("[{name}[={}]]", row.metavar),
    }
}
