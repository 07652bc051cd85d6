//! Syntax: getopt_long(3) as glibc has it, over the table.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use super::{Arg, Command, Refusal, Row, table};

/// One option as it was written; its value has not been looked at yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Given<V> {
    pub row: &'static Row,
    pub value: Option<V>,
}

/// The options in their order and what is left over.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub options: Vec<Given<String>>,
    pub operands: Vec<OsString>,
}

/// Options that are answered at once: nothing behind them is looked at.
pub(super) const AT_ONCE: [&str; 4] = ["help", "usage", "version", "helpformat"];

/// Splits a command line. `args` is without the command's own name.
/// `at_once`: end behind one of [`AT_ONCE`], which a script's directives do not.
pub(super) fn scan(command: Command, args: &[OsString], at_once: bool) -> Result<Scan, Refusal> {
    let mut found = Scan::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let bytes = arg.as_bytes();
        if bytes == b"--" {
            found.operands.extend(args.cloned());
            break;
        }
        if let Some(long) = bytes.strip_prefix(b"--") {
            let given = long_option(command, long, &mut args)?;
            found.options.push(given);
        } else if bytes.len() > 1 && bytes.first() == Some(&b'-') {
            cluster(command, &bytes[1..], &mut args, &mut found.options)?;
        } else if command.stops_at_operand() {
            found.operands.push(arg.clone());
            found.operands.extend(args.cloned());
            break;
        } else {
            found.operands.push(arg.clone());
        }
        if at_once
            && let Some(last) = found.options.last()
            && AT_ONCE.contains(&last.row.name)
        {
            break;
        }
    }
    Ok(found)
}

/// `name`, `name=value` or an unambiguous beginning of one.
fn long_option(
    command: Command,
    text: &[u8],
    rest: &mut std::slice::Iter<'_, OsString>,
) -> Result<Given<String>, Refusal> {
    let (name, glued) = match text.iter().position(|b| *b == b'=') {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let row = find(command, name, text)?;
    let value = match (row.arg, glued) {
        (Arg::None, Some(_)) => {
            let message = format!("option '--{}' doesn't allow an argument", spelled(command, name, row));
            return Err(Refusal::syntax(command, message));
        }
        (_, Some(value)) => Some(lossy(value)),
        (Arg::Required, None) => match rest.next() {
            Some(value) => Some(lossy(value.as_bytes())),
            None => {
                let message = format!("option '--{}' requires an argument", spelled(command, name, row));
                return Err(Refusal::syntax(command, message));
            }
        },
        (_, None) => None,
    };
    Ok(Given { row, value })
}

/// The full name that the written one stands for.
fn spelled(command: Command, written: &[u8], row: &Row) -> &'static str {
    let mut names = table::names(command).filter(|(_, r)| r.name == row.name);
    names.find(|(n, _)| n.as_bytes().starts_with(written)).map_or(row.name, |(n, _)| n)
}

/// The row a written name stands for: itself, or all that begin like it if they are one option. Those of plug-ins have
/// to be written out, so that Slurm's own abbreviations go on meaning what they do without the plug-in.
fn find(command: Command, name: &[u8], whole: &[u8]) -> Result<&'static Row, Refusal> {
    if let Some((_, row)) = table::names(command).find(|(n, _)| n.as_bytes() == name) {
        return Ok(row);
    }
    let mut first: Option<(&str, &'static Row)> = None;
    let mut rivals: Vec<&str> = Vec::new();
    for (candidate, row) in table::names(command) {
        if !candidate.as_bytes().starts_with(name) || row.is_of_a_plugin() {
            continue;
        }
        match first {
            None => first = Some((candidate, row)),
            Some((_, chosen)) if chosen.name == row.name => {}
            Some(_) => rivals.push(candidate),
        }
    }
    let whole = lossy(whole);
    match first {
        None => Err(Refusal::syntax(command, format!("unrecognized option '--{whole}'"))),
        Some((_, row)) if rivals.is_empty() => Ok(row),
        Some((candidate, _)) => {
            let mut message = format!("option '--{whole}' is ambiguous; possibilities: '--{candidate}'");
            for rival in rivals {
                message.push_str(&format!(" '--{rival}'"));
            }
            Err(Refusal::syntax(command, message))
        }
    }
}

/// `-abc`: flags, the last of which may have its argument glued or as the next word.
fn cluster(
    command: Command,
    letters: &[u8],
    rest: &mut std::slice::Iter<'_, OsString>,
    options: &mut Vec<Given<String>>,
) -> Result<(), Refusal> {
    let mut letters = letters;
    while let Some((letter, after)) = letters.split_first() {
        let Some(row) = table::by_letter(command, *letter) else {
            // glibc prints the byte as it is.
            let shown = lossy(&[*letter]);
            return Err(Refusal::syntax(command, format!("invalid option -- '{shown}'")));
        };
        letters = after;
        let value = match row.arg {
            Arg::None => None,
            Arg::Optional if after.is_empty() => None,
            Arg::Required if after.is_empty() => match rest.next() {
                Some(value) => Some(lossy(value.as_bytes())),
                None => {
                    let letter = char::from(*letter);
                    let message = format!("option requires an argument -- '{letter}'");
                    return Err(Refusal::syntax(command, message));
                }
            },
            Arg::Optional | Arg::Required => {
                letters = &[];
                Some(lossy(after))
            }
        };
        options.push(Given { row, value });
        if AT_ONCE.contains(&row.name) {
            break;
        }
    }
    Ok(())
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Words of a directive, as arguments.
pub(super) fn os(bytes: Vec<u8>) -> OsString {
    OsString::from_vec(bytes)
}

/// An operand as it is shown in a message.
pub(super) fn shown(operand: &OsStr) -> String {
    lossy(operand.as_bytes())
}
