//! What is known of the captures: exceptions, and how many commands agree.

use std::{collections::BTreeMap, fs, path::PathBuf};

/// A command that is not compared, and why.
#[derive(Debug)]
pub struct Exception {
    pub capture: String,
    pub pattern: String,
    pub reason: String,
}

/// The captures' directory.
pub fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/captures")
}

fn rows(file: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(directory().join(file)).unwrap_or_default();
    let rows = text.lines().filter(|l| !l.is_empty() && !l.starts_with("# "));
    rows.map(|l| l.split('\t').map(str::to_owned).collect()).collect()
}

/// `EXCEPTIONS`: capture, pattern of the command, reason.
pub fn exceptions() -> Vec<Exception> {
    let one = |row: Vec<String>| match <[String; 3]>::try_from(row) {
        Ok([capture, pattern, reason]) => Exception { capture, pattern, reason },
        Err(row) => panic!("EXCEPTIONS: not three columns: {row:?}"),
    };
    let here = |e: &Exception| !e.reason.starts_with("as root:") || crate::harness::is_root();
    rows("EXCEPTIONS").into_iter().map(one).filter(here).collect()
}

/// `AGREED`: how many commands of each capture agree.
pub fn agreed() -> BTreeMap<String, usize> {
    rows("AGREED").into_iter().map(|r| (r[0].clone(), r[1].parse().expect("a number"))).collect()
}

/// A command in one line, as it stands in the tables.
pub fn one_line(command: &str) -> String {
    command.replace('\n', "\\n").replace('\t', "\\t")
}

/// Whether a pattern, in which `*` stands for anything, is the whole of `text`.
pub fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|mut text| {
            loop {
                if fits(rest, text) {
                    return true;
                }
                match text.char_indices().nth(1) {
                    Some((next, _)) => text = &text[next..],
                    None => return fits(rest, ""),
                }
            }
        }),
    }
}

#[test]
fn patterns() {
    for (pattern, text, is) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("a*", "ab", true),
        ("*b*d", "abcd", true),
        ("*b*d", "abce", false),
        ("a*", "a", true),
    ] {
        assert_eq!(fits(pattern, text), is, "{pattern} {text}");
    }
}
