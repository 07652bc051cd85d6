//! The table in words: what became of a request's options, and the compatibility page.

use super::{Class, Command, Options, Place, Row, Source, table};

/// One option of a request and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// `--time`
    pub option: String,
    /// Its argument, if it has one.
    pub value: Option<String>,
    /// `command line`, `directive`, or the variable's name.
    pub source: String,
    /// `honoured`, `inert: why`, ...
    pub class: String,
}

/// What becomes of each option that counts, in a place.
pub fn explain(options: &Options, place: Place) -> Vec<Explained> {
    options
        .iter()
        .map(|setting| Explained {
            option: setting.row.display_name(),
            value: setting.value.clone(),
            source: match (setting.source, setting.variable) {
                (_, Some(variable)) => variable.to_owned(),
                (Source::Directive, _) => "directive".to_owned(),
                (Source::Environment, _) => "environment".to_owned(),
                (Source::CommandLine, _) => "command line".to_owned(),
            },
            class: place.class_of(options.command(), setting).map_or_else(String::new, words),
        })
        .collect()
}

/// A class in words.
fn words(class: Class) -> String {
    match class {
        Class::Honoured => "honoured".to_owned(),
        Class::Approximated(how) => format!("approximated: {how}"),
        Class::Inert(why) => format!("inert: {why}"),
        Class::Refused(instead) => {
            format!("refused: {}", instead.strip_prefix('=').unwrap_or(instead))
        }
    }
}

/// The page that says of every option of every command what becomes of it (Markdown).
pub fn compatibility_markdown() -> String {
    let mut page = String::from(PREAMBLE);
    for command in Command::ALL {
        page.push_str(&format!("\n## {}\n\n", command.name()));
        // Where jobs come from: the other commands do the same for all of them.
        page.push_str(match command {
            Command::Sbatch => "| option | variables | on this machine | on SkyPilot |\n|---|---|---|---|\n",
            _ => "| option | variables | what becomes of it |\n|---|---|---|\n",
        });
        for row in table::rows(command) {
            page.push_str(&line(command, row));
        }
    }
    page
}

const PREAMBLE: &str = "# Options

<!-- Made from the option table (src/slurm/options/table); do not edit. -->

Every option that the commands of Slurm 24.11 know, and what becomes of it:

- **honoured**: it does what Slurm's manual says;
- **approximated**: nearly that, and a warning says in what it differs;
- **inert**: accepted, because it can make no difference here;
- **refused**: an error that says what to do instead.

sbatch's table says it of partitions on this machine and of those on SkyPilot.

A variable sets the option unless the command line does; sbatch's directives give way to both.
";

fn line(command: Command, row: &'static Row) -> String {
    let mut option = format!("`{}`", row.synopsis().trim_start());
    for alias in table::aliases(command, row.name) {
        option.push_str(&format!(", `--{alias}`"));
    }
    let uses = row.used_by(command);
    let variables: Vec<String> = uses.map_or(&[][..], |u| u.env).iter().map(|v| format!("`{v}`")).collect();
    let cell = |class: Class| {
        let class = words(class);
        let (kind, rest) = class.split_at(class.find(':').unwrap_or(class.len()));
        format!("**{kind}**{rest}")
    };
    let here = uses.map(|u| u.class);
    let option = option.replace('|', "\\|");
    let mut line = format!("| {option} | {} | {} |", variables.join(", "), here.map_or_else(String::new, cell));
    if command == Command::Sbatch {
        let there = Place::SkyPilot.class(command, row).filter(|there| Some(*there) != here);
        line.push_str(&there.map_or(" the same |".to_owned(), |there| format!(" {} |", cell(there))));
    }
    line + "\n"
}
