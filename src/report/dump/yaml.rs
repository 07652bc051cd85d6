//! YAML as Slurm's commands print it (libyaml's layout): every value has a tag, and texts are quoted only where they must be.

use super::layout::{Bracket, Layout, Scalar};
use std::io::{self, Write};

/// YAML.
pub(super) struct Yaml<W> {
    to: W,
    /// What is open, and how far to the right its names or strokes stand.
    open: Vec<(Bracket, usize)>,
    /// How much of the line there is.
    column: usize,
}

/// Where libyaml begins to look for a blank at which a line may end.
const WIDTH: usize = 80;

impl<W: Write> Yaml<W> {
    pub fn new(mut to: W) -> io::Result<Self> {
        to.write_all(b"%YAML 1.1\n---")?;
        Ok(Self { to, open: Vec::new(), column: 3 })
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        self.column += text.chars().count();
        self.to.write_all(text.as_bytes())
    }

    fn line(&mut self, indent: usize) -> io::Result<()> {
        self.column = indent;
        write!(self.to, "\n{:indent$}", "")
    }

    /// Where what is innermost stands.
    fn indent(&self) -> usize {
        self.open.last().map_or(0, |(_, indent)| *indent)
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        match style(text) {
            Style::Plain => self.plain(text),
            Style::Single => self.single(text),
            Style::Double => self.double(text),
        }
    }

    /// Whether a line ends at this blank, which is neither the first nor the last one of its kind.
    fn breaks(&self, before: Option<char>, after: Option<char>) -> bool {
        self.column > WIDTH && before.is_some_and(|c| c != ' ') && after.is_some_and(|c| c != ' ')
    }

    fn plain(&mut self, text: &str) -> io::Result<()> {
        let mut before = None;
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match c == ' ' && self.breaks(before, rest.clone().next()) {
                true => self.line(self.indent() + 2)?,
                false => self.put(c.encode_utf8(&mut [0; 4]))?,
            }
            before = Some(c);
        }
        Ok(())
    }

    /// A new line in it is an empty one and a beginning.
    fn single(&mut self, text: &str) -> io::Result<()> {
        self.put("'")?;
        let (mut before, mut rest) = (None, text.chars());
        while let Some(c) = rest.next() {
            let after_break = before == Some('\n');
            match c {
                ' ' if self.breaks(before, rest.clone().next()) => self.line(self.indent() + 2)?,
                '\n' => self.to.write_all(if after_break { b"\n" } else { b"\n\n" })?,
                c => {
                    if after_break {
                        self.pad()?;
                    }
                    let mut one = [0; 4];
                    self.put(if c == '\'' { "''" } else { c.encode_utf8(&mut one) })?;
                }
            }
            before = Some(c);
        }
        if before == Some('\n') {
            self.pad()?;
        }
        self.put("'")
    }

    fn pad(&mut self) -> io::Result<()> {
        self.column = self.indent() + 2;
        write!(self.to, "{:1$}", "", self.column)
    }

    fn double(&mut self, text: &str) -> io::Result<()> {
        self.put("\"")?;
        let (mut before, mut rest) = (None, text.chars());
        while let Some(c) = rest.next() {
            let after = rest.clone().next();
            match c {
                ' ' if self.column > WIDTH && before.is_some_and(|c| c != ' ') && after.is_some() => {
                    self.line(self.indent() + 2)?;
                    if after == Some(' ') {
                        self.put("\\")?;
                    }
                }
                c => self.put(&escaped(c))?,
            }
            before = Some(c);
        }
        self.put("\"")
    }
}

impl<W: Write> Layout for Yaml<W> {
    fn open(&mut self, what: Bracket) -> io::Result<()> {
        let indent = match (self.open.last(), what) {
            (None, _) => 0,
            // The strokes of a list stand below the name.
            (Some((Bracket::Map, indent)), Bracket::List) => *indent,
            (Some((_, indent)), _) => indent + 2,
        };
        self.open.push((what, indent));
        self.put(if what == Bracket::Map { " !!map" } else { " !!seq" })
    }

    fn close(&mut self) -> io::Result<()> {
        self.open.pop();
        Ok(())
    }

    fn empty(&mut self, what: Bracket) -> io::Result<()> {
        self.put(if what == Bracket::Map { " !!map {}" } else { " !!seq []" })
    }

    fn key(&mut self, name: &str) -> io::Result<()> {
        self.line(self.indent())?;
        self.put("!!str ")?;
        self.put(name)?;
        self.put(":")
    }

    fn item(&mut self) -> io::Result<()> {
        self.line(self.indent())?;
        self.put("-")
    }

    fn scalar(&mut self, value: Scalar) -> io::Result<()> {
        match value {
            Scalar::Null => self.put(" !!null null"),
            Scalar::Bool(value) => self.put(&format!(" !!bool {value}")),
            Scalar::Int(value) => self.put(&format!(" !!int {value}")),
            Scalar::Float(value) => self.put(&format!(" !!float {value:.6}")),
            Scalar::Text("") => self.put(" !!str"),
            Scalar::Text(text) => {
                self.put(" !!str ")?;
                self.text(text)
            }
        }
    }

    fn end(&mut self) -> io::Result<()> {
        self.to.write_all(b"\n...\n\n")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Plain,
    Single,
    Double,
}

/// How a text has to be quoted (`yaml_emitter_analyze_scalar`, outside of flows and not as a name).
fn style(text: &str) -> Style {
    let space_then_break = text.contains(" \n");
    if text.chars().any(|c| c != '\n' && !(' '..='~').contains(&c)) || space_then_break || text.contains("\n ") {
        return Style::Double;
    }
    let ends = text.starts_with([' ', '\n']) || text.ends_with([' ', '\n']);
    let first = text.starts_with(['#', ',', '[', ']', '{', '}', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`']);
    let blank = |text: &str| text.is_empty() || text.starts_with([' ', '\n']);
    let marks = text.strip_prefix(['?', ':', '-']).is_some_and(blank)
        || text.starts_with("---")
        || text.starts_with("...")
        || text.contains(" #")
        || text.match_indices(':').any(|(at, _)| blank(&text[at + 1..]));
    if ends || first || marks || text.contains('\n') { Style::Single } else { Style::Plain }
}

/// A character between double quotes.
fn escaped(c: char) -> String {
    match c {
        '\0' => "\\0".into(),
        '\u{7}' => "\\a".into(),
        '\u{8}' => "\\b".into(),
        '\t' => "\\t".into(),
        '\n' => "\\n".into(),
        '\u{b}' => "\\v".into(),
        '\u{c}' => "\\f".into(),
        '\r' => "\\r".into(),
        '\u{1b}' => "\\e".into(),
        '"' => "\\\"".into(),
        '\\' => "\\\\".into(),
        '\u{85}' => "\\N".into(),
        '\u{a0}' => "\\_".into(),
        '\u{2028}' => "\\L".into(),
        '\u{2029}' => "\\P".into(),
        ' '..='~' => c.into(),
        '\u{0}'..='\u{ff}' => format!("\\x{:02X}", u32::from(c)),
        '\u{100}'..='\u{ffff}' => format!("\\u{:04X}", u32::from(c)),
        _ => format!("\\U{:08X}", u32::from(c)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The lines of a map with one text in it.
    fn written(text: &str) -> String {
        let mut out = Vec::new();
        let mut yaml = Yaml::new(&mut out).unwrap();
        yaml.open(Bracket::Map).unwrap();
        yaml.key("comment").unwrap();
        yaml.scalar(Scalar::Text(text)).unwrap();
        yaml.close().unwrap();
        yaml.end().unwrap();
        String::from_utf8(out).unwrap()
    }

    /// What a real squeue printed of comments like these.
    #[test]
    fn texts_are_quoted_as_slurm_quotes_them() {
        let long = ["long"; 15].join(" ");
        for (text, shown) in [
            ("", ""),
            ("a b", " a b"),
            (" lead", " ' lead'"),
            ("trail ", " 'trail '"),
            ("x: y", " 'x: y'"),
            ("x:", " 'x:'"),
            ("x #y", " 'x #y'"),
            ("x#", " x#"),
            ("-d", " -d"),
            ("- d", " '- d'"),
            ("'q", " '''q'"),
            ("dq\"", " dq\""),
            ("[a", " '[a'"),
            ("a]b", " a]b"),
            ("a,b", " a,b"),
            ("true", " true"),
            ("12", " 12"),
            ("~", " ~"),
            ("?x", " ?x"),
            ("? x", " '? x'"),
            (":x", " :x"),
            ("---", " '---'"),
            ("=", " ="),
            ("`b", " '`b'"),
            ("back\\slash", " back\\slash"),
            ("é", " \"\\xE9\""),
            ("日本", " \"\\u65E5\\u672C\""),
            ("e😀", " \"e\\U0001F600\""),
            ("tab\tx", " \"tab\\tx\""),
            ("a\u{a0}b\u{85}\u{feff}c\u{1b}", " \"a\\_b\\N\\uFEFFc\\e\""),
            ("two\nlines\n\n more", " \"two\\nlines\\n\\n more\""),
            ("x\n", " 'x\n\n  '"),
            (&long, &format!(" {}\n  long long", ["long"; 13].join(" "))),
        ] {
            assert_eq!(
                written(text),
                format!("%YAML 1.1\n--- !!map\n!!str comment: !!str{shown}\n...\n\n"),
                "{text:?}"
            );
        }
    }

    proptest! {
        /// Any reader of YAML reads the text that was written.
        #[test]
        fn what_is_written_is_read(text in "[ -~\n\t'\"é😀]{0,200}") {
            let read: std::collections::BTreeMap<String, String> = serde_yaml::from_str(&written(&text)).unwrap();
            prop_assert_eq!(&read["comment"], &text);
        }
    }
}
