//! `--json` and `--yaml`, as the commands take them that tell programs something.

use super::{
    ask::Said,
    terminal::{self, eprint},
};
use crate::{
    host::user,
    report::dump::{Client, Document, Format, Meta, Records},
    slurm::{
        data_parser::{self, DataParser, Shape},
        options::{Command, Options, Refusal},
    },
};
use std::{ffi::OsString, sync::OnceLock};

/// An answer for a program is asked for.
#[derive(Clone, Debug)]
pub struct Dump {
    format: Format,
    shape: Shape,
    /// The command line, which the answer repeats.
    command: Vec<String>,
}

/// What the options ask for: an answer, or which shapes of it there are; nothing without one of them. The last one counts.
pub fn read(options: &Options, name: Command, args: &[OsString]) -> Result<Option<Dump>, Stop> {
    let Some(asked) = options.occurrences().filter(|s| matches!(s.row.name, "json" | "yaml")).last() else {
        return Ok(None);
    };
    let format = if asked.row.name == "json" { Format::Json } else { Format::Yaml };
    match DataParser::parse(asked.value.as_deref()) {
        Ok(DataParser::List) => Err(Stop::List),
        Ok(DataParser::Shape(shape)) => {
            for flag in &shape.unknown {
                eprint(&format!("{}: warning: {} ignoring unknown flag {flag}", name.name(), data_parser::VERSION));
            }
            let words = args.iter().map(|word| word.to_string_lossy().into_owned());
            let command = [name.name().to_owned()].into_iter().chain(words).collect();
            Ok(Some(Dump { format, shape, command }))
        }
        Err(unknown) => {
            let lines = unknown.lines(format.mime());
            let lines = lines.iter().map(|line| format!("{}: error: {line}", name.name())).collect();
            Err(Stop::Refused(Refusal { lines, exit: exit_of_unknown(name) }))
        }
    }
}

/// What the real commands end with when they know no such shape.
fn exit_of_unknown(name: Command) -> u8 {
    match name {
        Command::Sacct => 0,
        Command::Sdiag | Command::Sshare => 253,
        _ => 1,
    }
}

/// There will be no answer.
#[derive(Clone, Debug)]
pub enum Stop {
    /// `--json=list`
    List,
    /// A shape there is not.
    Refused(Refusal),
}

impl Stop {
    /// Says so; the exit code.
    pub fn say(&self) -> u8 {
        match self {
            Self::List => {
                eprint("Possible data_parser plugins:");
                Said::out(format!("{}\n", data_parser::VERSION)).print()
            }
            Self::Refused(refusal) => terminal::refuse(refusal),
        }
    }
}

impl Dump {
    /// The same with other words for the command line.
    pub fn with_command(self, command: Vec<String>) -> Self {
        Self { command, ..self }
    }

    /// Prints records, and when they changed last; the exit code.
    pub fn print<K: Records>(
        &self,
        name: &'static str,
        rows: &[K::Row<'_>],
        times: &[(&'static str, i64)],
        cluster: &str,
    ) -> u8 {
        let meta = Meta {
            cluster: cluster.to_owned(),
            command: self.command.clone(),
            data_parser: self.shape.name.clone(),
            client: client(),
        };
        let document = Document::<K> { name, rows, times, meta: &meta, complex: self.shape.complex };
        terminal::stream(|to| document.write(self.format, to))
    }
}

/// Who runs the command.
fn client() -> Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    let gid = user::gid();
    let group = || user::group_name(gid).unwrap_or_else(|| gid.to_string());
    CLIENT.get_or_init(|| Client { user: user::name_of(user::uid()), group: group() }).clone()
}
