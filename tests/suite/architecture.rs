//! The arrows of ARCHITECTURE.md: which room under `src/` may name which other one.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A room, and the rooms it may know. What is not listed may not be known.
const ARROWS: &[(&str, &[&str])] = &[
    ("main", &["commands"]),
    ("commands", &["report", "controller", "engine", "agent", "config", "job", "slurm", "host"]),
    ("controller", &["engine", "agent", "config", "job", "slurm", "host"]),
    ("engine", &["agent", "config", "job", "slurm", "host"]),
    ("report", &["job", "slurm", "host"]),
    ("agent", &["job", "slurm", "host"]),
    ("config", &["slurm", "host"]),
    ("job", &["slurm"]),
    ("slurm", &[]),
    ("host", &[]),
];

/// Of the agent the controller knows only what is said to and by it.
const OF_THE_AGENT: [&str; 3] = ["Event", "EventKind", "wire"];

#[test]
fn arrows_point_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for file in files(&root) {
        let below = file.strip_prefix(&root).unwrap();
        let room = below.iter().next().and_then(|first| Path::new(first).file_stem()).unwrap().to_string_lossy();
        if room == "lib" {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("{}: ARCHITECTURE.md knows no room {room}", below.display()));
            continue;
        };
        for path in paths(&code(&fs::read_to_string(&file).unwrap())) {
            let (other, item) = path.split_once("::").unwrap_or((path.as_str(), ""));
            let item = item.split("::").next().unwrap_or_default();
            let known = other == room || allowed.contains(&other);
            let closer = room == "controller" && other == "agent" && !OF_THE_AGENT.contains(&item);
            if !known || closer {
                wrong.push(format!("{}: {path}", below.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "a room knows one that it may not know:\n{}", wrong.join("\n"));
}

#[test]
fn the_page_shows_every_arrow() {
    let page = include_str!("../../ARCHITECTURE.md");
    for (room, allowed) in ARROWS.iter().filter(|(room, _)| *room != "main") {
        let known = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
        let row = page.lines().find(|line| line.starts_with(&format!("| `{room}` |")));
        assert!(row.is_some_and(|row| row.ends_with(&format!("| {known} |"))), "{room} | {known}: {row:?}");
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// The text without comments.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join(" ")
}

/// Every path that begins with `crate::` (or, in the program, with the crate's name), groups taken apart.
fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for start in ["crate::", "skyslurm::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '$') {
                tree("", &code[at + start.len()..], &mut found);
            }
        }
    }
    found
}

/// One use tree at the head of `text`, or a plain path.
fn tree(before: &str, text: &str, found: &mut Vec<String>) {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        let mut depth = 0;
        let mut begin = 0;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' if depth == 0 => {
                    tree(before, &group[begin..at], found);
                    begin = at + 1;
                }
                '}' => return tree(before, &group[begin..at], found),
                _ => {}
            }
        }
        return;
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let path = format!("{before}{}", &text[..end]);
    match text[end..].strip_prefix("::") {
        Some(rest) => tree(&format!("{path}::"), rest, found),
        None if end > 0 => found.push(path),
        None => {}
    }
}

#[test]
fn use_trees_are_taken_apart() {
    let found = paths("use crate::{a::{B, c::D}, e, super_::f}; let x = crate::g::h(1); $crate::no; use skyslurm::i;");
    assert_eq!(found, ["a::B", "a::c::D", "e", "super_::f", "g::h", "i"]);
}
