//! `#PBS` and `#BSUB` lines, as the sbatch options they stand for.
//!
//! Which letters are known, which of them do nothing and what each becomes was
//! read off sbatch 22.05 (extra.txt, directives.txt).

use super::{Command, Refusal, getopt};
use crate::slurm::directives::Directives;

/// An option's long name and its argument.
pub(super) type Translated = (&'static str, Option<String>);

/// Letters of `#PBS`; `:` behind one that takes an argument, as in getopt(3).
const PBS: &str = "a:A:c:C:e:hIj:J:k:l:m:M:N:o:p:q:r:S:t:u:v:VW:z";
/// Letters of `#BSUB`.
const BSUB: &str = "c:e:J:m:M:n:o:q:W:x";

/// The options of a script's foreign lines. LSF's hide those of PBS.
pub(super) fn translate(found: &Directives) -> Result<Vec<Translated>, Refusal> {
    let mut options = Vec::new();
    if found.bsub.is_empty() {
        for (letter, value) in letters(PBS, &found.pbs)? {
            pbs(letter, value, &mut options);
        }
    } else {
        for (letter, value) in letters(BSUB, &found.bsub)? {
            bsub(letter, value, &mut options);
        }
    }
    Ok(options)
}

fn pbs(letter: u8, value: String, out: &mut Vec<Translated>) {
    let name = match letter {
        b'a' => "begin",
        b'A' => "account",
        b'e' => "error",
        b'h' => return out.push(("hold", None)),
        b'J' | b't' => "array",
        b'l' => return resources(&value, out),
        b'm' => return out.push(("mail-type", Some(mail_type(&value)))),
        b'M' => "mail-user",
        b'N' => "job-name",
        b'o' => "output",
        b'p' => "nice",
        b'q' => "partition",
        b'W' => match value.strip_prefix("depend=") {
            Some(on) => return out.push(("dependency", Some(on.to_owned()))),
            None => return,
        },
        // The others are known, and nothing comes of them.
        _ => return,
    };
    out.push((name, Some(value)));
}

fn bsub(letter: u8, value: String, out: &mut Vec<Translated>) {
    let (name, value) = match letter {
        b'c' => ("chdir", value),
        b'e' => ("error", value),
        b'J' => ("job-name", value),
        b'm' => ("nodelist", value.split_ascii_whitespace().collect::<Vec<_>>().join(",")),
        // LSF counts kibibytes.
        b'M' => ("mem", format!("{value}K")),
        // "min,max"
        b'n' => ("ntasks", value.rsplit(',').next().unwrap_or_default().to_owned()),
        b'o' => ("output", value),
        b'q' => ("partition", value),
        b'W' => ("time", value),
        b'x' => return out.push(("exclusive", None)),
        _ => return,
    };
    out.push((name, Some(value)));
}

/// `-m abe`: when to send mail. What is not understood is left to fail as `--mail-type`.
fn mail_type(letters: &str) -> String {
    let mut types = Vec::new();
    for letter in letters.chars() {
        match letter {
            'a' => types.push("FAIL"),
            'b' => types.push("BEGIN"),
            'e' => types.push("END"),
            'n' => types.push("NONE"),
            _ => return letters.to_owned(),
        }
    }
    types.join(",")
}

/// `-l key=value,...`
fn resources(list: &str, out: &mut Vec<Translated>) {
    for item in list.split(',') {
        let (key, value) = item.split_once('=').unwrap_or((item, ""));
        let name = match key {
            "accelerator" if value.eq_ignore_ascii_case("true") => {
                out.push(("gres", Some("gpu:1".to_owned())));
                continue;
            }
            "cput" | "walltime" => "time",
            "file" => "tmp",
            "gpus" | "naccelerators" => {
                out.push(("gres", Some(format!("gpu:{value}"))));
                continue;
            }
            "mem" => "mem",
            "mpiprocs" => "ntasks-per-node",
            "mppnodes" => "nodelist",
            "ncpus" => "mincpus",
            "nice" => "nice",
            "nodes" | "select" => {
                nodes(value, out);
                continue;
            }
            "proc" => "constraint",
            _ => continue,
        };
        out.push((name, Some(value.to_owned())));
    }
}

/// `2:ppn=4:gpus=1`, `node1+node2`, `2:ncpus=4:mpiprocs=2`
fn nodes(spec: &str, out: &mut Vec<Translated>) {
    let mut parts = spec.split(':');
    let which = parts.next().unwrap_or_default();
    let count = which.parse::<u32>().ok();
    match count {
        Some(_) => out.push(("nodes", Some(which.to_owned()))),
        None => out.push(("nodelist", Some(which.replace('+', ",")))),
    }
    let nodes = count.unwrap_or(which.split('+').count() as u32).max(1);
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match (key, value.parse::<u32>()) {
            ("ppn", Ok(n)) => out.push(("ntasks", Some(n.saturating_mul(nodes).to_string()))),
            ("ncpus", _) => out.push(("mincpus", Some(value.to_owned()))),
            ("mpiprocs", _) => out.push(("ntasks-per-node", Some(value.to_owned()))),
            ("gpus" | "naccelerators", _) => out.push(("gres", Some(format!("gpu:{value}")))),
            _ => {}
        }
    }
}

/// getopt(3) over all words of one kind of line.
fn letters(known: &str, words: &[Vec<u8>]) -> Result<Vec<(u8, String)>, Refusal> {
    let mut found = Vec::new();
    let mut words = words.iter();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    while let Some(word) = words.next() {
        // LSF's one long name.
        if known == BSUB && (word == b"-cwd" || word == b"--cwd") {
            let dir = words.next().ok_or_else(|| wrong("option '--cwd' requires an argument"))?;
            found.push((b'c', text(dir)));
            continue;
        }
        if word.starts_with(b"--") {
            return Err(wrong(&format!("unrecognized option '{}'", text(word))));
        }
        let mut rest = match word.split_first() {
            Some((b'-', rest)) if !rest.is_empty() => rest,
            _ => {
                let message = format!("Invalid argument: {}", text(word));
                return Err(Refusal::error(Command::Sbatch, 1, message));
            }
        };
        while let Some((letter, after)) = rest.split_first() {
            rest = after;
            let at = known.bytes().position(|b| b == *letter && b != b':');
            let Some(at) = at else {
                return Err(wrong(&format!("invalid option -- '{}'", text(&[*letter]))));
            };
            if known.as_bytes().get(at + 1) != Some(&b':') {
                found.push((*letter, String::new()));
                continue;
            }
            let value = if after.is_empty() { words.next().map(Vec::as_slice) } else { Some(after) };
            let Some(value) = value else {
                let letter = char::from(*letter);
                return Err(wrong(&format!("option requires an argument -- '{letter}'")));
            };
            found.push((*letter, text(value)));
            break;
        }
    }
    Ok(found)
}

/// getopt's message and sbatch's own behind it.
fn wrong(message: &str) -> Refusal {
    let first = format!("{}: {message}", Command::Sbatch.name());
    Refusal { lines: vec![first], exit: 1 }.and_error(Command::Sbatch, "Unrecognized command line parameter ?")
}

/// Words as arguments of a command line.
pub(super) fn arguments(words: Vec<Vec<u8>>) -> Vec<std::ffi::OsString> {
    words.into_iter().map(getopt::os).collect()
}
