//! YAML as a person would write it, and as PyYAML reads it.
//!
//! The server's PyYAML speaks YAML 1.1, in which `no`, `1:30`, `2026-11-20` and `1_000` are no strings. serde_yaml
//! writes for 1.2; so the tree is serde_yaml's, and the text is ours: plain where nothing else can be meant, a literal
//! block for several lines, double quotes for the rest.

use serde_yaml::{Mapping, Value};

/// The document; it ends with a newline.
pub(super) fn document(mapping: &Mapping) -> String {
    let mut text = String::new();
    map(mapping, 0, &mut text);
    text
}

fn map(mapping: &Mapping, depth: usize, out: &mut String) {
    for (index, (key, value)) in mapping.iter().enumerate() {
        // The first key of a list's item stands behind its dash.
        if index > 0 || !out.ends_with("- ") {
            indent(depth, out);
        }
        scalar(key, depth, out);
        out.push(':');
        child(value, depth, out);
    }
}

/// What stands behind `key:` or `-`, and the end of the line.
fn child(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Mapping(inner) if !inner.is_empty() => {
            out.push('\n');
            map(inner, depth + 1, out);
        }
        Value::Sequence(items) if !items.is_empty() => {
            out.push('\n');
            for item in items {
                indent(depth + 1, out);
                out.push_str("- ");
                match item {
                    Value::Mapping(inner) if !inner.is_empty() => map(inner, depth + 2, out),
                    Value::Mapping(_) => out.push_str("{}\n"),
                    // A list in a list, which no key of a task has: written in one line.
                    Value::Sequence(inner) => {
                        out.push('[');
                        for (index, value) in inner.iter().enumerate() {
                            out.push_str(if index > 0 { ", " } else { "" });
                            scalar(value, depth, out);
                        }
                        out.push_str("]\n");
                    }
                    other => {
                        scalar(other, depth + 1, out);
                        out.push('\n');
                    }
                }
            }
        }
        Value::Mapping(_) => out.push_str(" {}\n"),
        Value::Sequence(_) => out.push_str(" []\n"),
        Value::String(text, _) if is_block(text) => block(text, depth + 1, out),
        other => {
            out.push(' ');
            scalar(other, depth, out);
            out.push('\n');
        }
    }
}

fn scalar(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Null(_) => out.push_str("null"),
        Value::Bool(value, _) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number, _) => out.push_str(&number.to_string()),
        Value::String(text, _) if is_plain(text) => out.push_str(text),
        Value::String(text, _) => quoted(text, out),
        // Never a key; nothing else comes here.
        Value::Mapping(inner) => {
            out.push('\n');
            map(inner, depth + 1, out);
        }
        _ => out.push_str("null"),
    }
}

/// Words that are no strings in YAML 1.1.
const WORDS: [&str; 11] = ["y", "n", "yes", "no", "true", "false", "on", "off", "null", "nan", "inf"];

/// Whether `text` is a string, and this one, without quotes.
fn is_plain(text: &str) -> bool {
    let at_least = |text: &str| text.strip_suffix('+').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_./~+@%=,:- ".contains(c);
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        || text.starts_with("~/")
        || text.len() > 1 && at_least(text);
    starts
        && text.chars().all(allowed)
        && !text.contains(": ")
        && !text.ends_with([' ', ':'])
        && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// Whether `text` can be a literal block.
fn is_block(text: &str) -> bool {
    let shown = |c: char| c == '\n' || c == '\t' || is_shown(c);
    let blank = |line: &str| !line.is_empty() && line.trim_matches([' ', '\t']).is_empty();
    text.contains('\n')
        && text.chars().all(shown)
        // Blanks alone on a line would count as indentation before the first word, and as nothing at the end.
        && !text.split('\n').any(blank)
        && !text.starts_with(['\n', '\t'])
}

/// What a YAML 1.1 reader takes as it is.
fn is_shown(c: char) -> bool {
    let breaks = ['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}', '\u{fffe}', '\u{ffff}'];
    !c.is_control() && !breaks.contains(&c)
}

fn block(text: &str, depth: usize, out: &mut String) {
    out.push_str(" |");
    // Without it, blanks at the head of the first line would be taken for indentation.
    if text.starts_with(' ') {
        out.push('2');
    }
    let body = text.trim_end_matches('\n');
    out.push_str(match text.len() - body.len() {
        0 => "-",
        1 => "",
        _ => "+",
    });
    out.push('\n');
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        if !line.is_empty() {
            indent(depth, out);
            out.push_str(line);
        }
        out.push('\n');
    }
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_shown(c) => out.push(c),
            c => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    out.push('"');
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(text: &str) -> String {
        document(&Mapping::from_iter([(Value::from("key"), Value::from(text))]))
    }

    #[test]
    fn strings_stay_strings() {
        let texts = [
            "train",
            "32+",
            "H100:8",
            "kubernetes/research",
            "~/.skyslurm",
            "a b, c",
            "1",
            "1.5",
            "yes",
            "No",
            "null",
            "~",
            "1:30",
            "2026-11-20",
            "1_000",
            "0x1f",
            "0o7",
            ".5",
            ".inf",
            "=",
            "<<",
            "",
            " a",
            "a ",
            "a: b",
            "a:",
            "a #b",
            "- a",
            "'",
            "\"",
            "\\",
            "{a}",
            "[a]",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a`",
            "é",
            "\u{7}",
            "\u{2028}",
        ];
        let all: Vec<String> = texts.iter().map(|text| written(text)).collect();
        insta::assert_snapshot!(all.concat(), @r#"
        key: train
        key: 32+
        key: H100:8
        key: kubernetes/research
        key: ~/.skyslurm
        key: a b, c
        key: "1"
        key: "1.5"
        key: "yes"
        key: "No"
        key: "null"
        key: "~"
        key: "1:30"
        key: "2026-11-20"
        key: "1_000"
        key: "0x1f"
        key: "0o7"
        key: ".5"
        key: ".inf"
        key: "="
        key: "<<"
        key: ""
        key: " a"
        key: "a "
        key: "a: b"
        key: "a:"
        key: "a #b"
        key: "- a"
        key: "'"
        key: "\""
        key: "\\"
        key: "{a}"
        key: "[a]"
        key: "*a"
        key: "&a"
        key: "!a"
        key: "%a"
        key: "@a"
        key: "`a`"
        key: "é"
        key: "\u0007"
        key: "\u2028"
        "#);
    }

    #[test]
    fn lines_are_blocks() {
        let texts = ["a\nb", "a\nb\n", "a\n\n  b\n\n", "  a\nb\n", "\na", "a\n \nb", "\ta\nb", "#!/bin/sh\n\ttab\n"];
        let all: Vec<String> = texts.iter().map(|text| written(text)).collect();
        insta::assert_snapshot!(all.concat(), @r#"
        key: |-
          a
          b
        key: |
          a
          b
        key: |+
          a

            b

        key: |2
            a
          b
        key: "\na"
        key: "a\n \nb"
        key: "\ta\nb"
        key: |
          #!/bin/sh
          	tab
        "#);
    }

    #[test]
    fn trees() {
        let text =
            "a:\n  b: 1\n  c: true\nl:\n  - x: 1\n    w:\n      z: q\n  - p\n  - [a, \"1\"]\ne: {}\nf: []\nk: null\n";
        let tree: Mapping = serde_yaml::from_str(text).unwrap();
        assert_eq!(document(&tree), text);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(texts in prop::collection::vec("(\\PC|[ \n\t:#'\"\\\\-]){0,12}", 1..5)) {
            let items: Vec<Value> = texts.iter().map(|text| Value::from(text.as_str())).collect();
            let inner = Mapping::from_iter(texts.iter().map(|t| (Value::from(t.as_str()), Value::from(t.as_str()))));
            let tree = Mapping::from_iter([
                (Value::from("list"), Value::from(items)),
                (Value::from("map"), Value::from(inner)),
            ]);
            let text = document(&tree);
            let read: Mapping = serde_yaml::from_str(&text).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
            prop_assert_eq!(read, tree, "{}", text);
        }
    }
}
