//! The two format languages of squeue and sinfo, read into columns yet to be looked up.
//!
//! `-o "%.18i %9P|%j"` (squeue(1), `--format`): a letter with a width, then text up to the next `%`.
//! `-O "jobid:.10,name:###,state"` (`--Format`): names, each with a width or a text to follow it.
//! What odd texts mean was asked of Slurm 22.05 (squeue.txt, `testdata/slurm/fields/formats.txt`).

/// The widest column; a wider one is cut to this, so that a slip of the finger costs no memory.
pub const MAX_WIDTH: usize = 4096;

/// Width of a `-O` column that says nothing about it.
pub const LONG_WIDTH: usize = 20;

/// One column as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec<'a> {
    /// The letter after `%` and the width, or the name of a `-O` field; empty if the text ended before it.
    pub key: &'a str,
    /// Width in characters; 0: as wide as the value.
    pub width: usize,
    /// A `.` before the width: right-justified.
    pub right: bool,
    /// The text to print behind the value.
    pub suffix: &'a str,
    /// The column as it was written, with its `%`; printed as it is if there is no such letter.
    pub written: &'a str,
}

/// A `-o` text: what stands before the first `%`, and the columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short<'a> {
    /// Text before the first column.
    pub prefix: &'a str,
    /// `%all`: every letter there is.
    pub all: bool,
    /// The columns; none with `all`.
    pub specs: Vec<Spec<'a>>,
}

/// Reads a `-o` text. Every text means something.
pub fn short(text: &str) -> Short<'_> {
    let start = text.find('%').unwrap_or(text.len());
    let (prefix, rest) = text.split_at(start);
    if rest.eq_ignore_ascii_case("%all") {
        return Short { prefix, all: true, specs: Vec::new() };
    }
    let mut specs = Vec::new();
    let mut rest = rest;
    // `%%` is no percent sign: an empty column is passed over, as strtok(3) would.
    while let Some(column) = rest.strip_prefix('%') {
        let end = column.find('%').unwrap_or(column.len());
        let (body, next) = column.split_at(end);
        if !body.is_empty() {
            let (right, width, letter_on) = width(body);
            let letter_len = letter_on.chars().next().map_or(0, char::len_utf8);
            let (key, suffix) = letter_on.split_at(letter_len);
            let written = rest.get(..end + 1).unwrap_or(rest);
            specs.push(Spec { key, width, right, suffix, written });
        }
        rest = next;
    }
    Short { prefix, all: false, specs }
}

/// Reads a `-O` text. Every text means something.
pub fn long(text: &str) -> Vec<Spec<'_>> {
    text.split(',')
        .filter(|column| !column.is_empty())
        .map(|written| match written.split_once(':') {
            None => Spec { key: written, width: LONG_WIDTH, right: false, suffix: "", written },
            Some((key, options)) => {
                let (right, width, suffix) = number(options);
                Spec { key, width, right, suffix, written }
            }
        })
        .collect()
}

/// The same for `-O`, where strtol(3) reads the number: blanks and a plus may stand before the digits.
fn number(text: &str) -> (bool, usize, &str) {
    let (dot, rest) = match text.strip_prefix('.') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let digits = rest.trim_start();
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    match digits.starts_with(|c: char| c.is_ascii_digit()) {
        true => {
            let (_, width, suffix) = width(digits);
            (dot, width, suffix)
        }
        false => (dot, 0, rest),
    }
}

/// `[.][digits]` at the start of a text: justification, width, and the rest.
fn width(text: &str) -> (bool, usize, &str) {
    let (right, text) = match text.strip_prefix('.') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    let width = number.bytes().fold(0_usize, |n, digit| (n * 10 + usize::from(digit - b'0')).min(MAX_WIDTH));
    (right, width, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn letters_have_widths_and_text_behind_them() {
        let format = short("x%.18i %9P|%j");
        assert_eq!(format.prefix, "x");
        let read: Vec<_> = format.specs.iter().map(|s| (s.key, s.width, s.right, s.suffix)).collect();
        assert_eq!(read, [("i", 18, true, " "), ("P", 9, false, "|"), ("j", 0, false, "")]);
    }

    #[test]
    fn odd_texts_are_read_as_slurm_reads_them() {
        assert!(short("%all").all);
        assert!(short("x %ALL").all);
        assert_eq!(short("%all %i").specs[0].suffix, "ll ");
        assert_eq!(short("%%%j%%").specs.len(), 1);
        assert_eq!(short("%-9P|").specs[0], Spec { key: "-", width: 0, right: false, suffix: "9P|", written: "%-9P|" });
        assert_eq!(short("%5").specs[0].key, "");
        assert_eq!(short("%.3äx").specs[0].key, "ä");
        assert_eq!(short("%99999999999999999999j").specs[0].width, MAX_WIDTH);
    }

    #[test]
    fn names_have_a_width_or_a_suffix() {
        let read: Vec<_> = long("JobArrayID:8,Name:.20,State: ,Reason:5x,NodeList,,a:###b###,c:.,d:5:7,e: 9x,f:.+8")
            .iter()
            .map(|s| (s.key, s.width, s.right, s.suffix))
            .collect();
        assert_eq!(
            read,
            [
                ("JobArrayID", 8, false, ""),
                ("Name", 20, true, ""),
                ("State", 0, false, " "),
                ("Reason", 5, false, "x"),
                ("NodeList", 20, false, ""),
                ("a", 0, false, "###b###"),
                ("c", 0, true, ""),
                ("d", 5, false, ":7"),
                ("e", 9, false, "x"),
                ("f", 8, true, ""),
            ]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_a_format(text in "\\PC{0,40}", odd in "[%.0-9a-zA-Z:, äé#|-]{0,40}") {
            for text in [text, odd] {
                let format = short(&text);
                prop_assert!(format.specs.iter().all(|s| s.width <= MAX_WIDTH && s.written.starts_with('%')));
                long(&text);
            }
        }
    }
}
