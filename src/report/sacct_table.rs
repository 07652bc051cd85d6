//! sacct's table: `--format` read into columns, and rows printed in them.

use super::sacct_fields::{FIELDS, Field, Row};

/// The widest column; a wider one is cut to this, so that a slip of the finger costs no memory.
const MAX_WIDTH: i32 = 4096;

/// A column: a field and its width; negative for left-justified, as `%-20`.
#[derive(Clone, Copy)]
pub struct Column {
    field: &'static Field,
    width: i32,
}

/// How rows are printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Columns of a width; a value that is cut ends in `+`.
    Columns,
    /// `--parsable`: a delimiter behind every value.
    Parsable(String),
    /// `--parsable2`: a delimiter between values.
    Parsable2(String),
}

/// `--format` names a field there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid field requested: \"{0}\"")]
pub struct UnknownField(pub String);

/// Reads `--format`: names or beginnings of names, in any case, each with `%WIDTH` or `%-WIDTH`; `all`.
pub fn columns(text: &str) -> Result<Vec<Column>, UnknownField> {
    let mut columns = Vec::new();
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let (name, width) = match word.split_once('%') {
            Some((name, width)) => (name, Some(number(width))),
            None => (word, None),
        };
        if name.eq_ignore_ascii_case("all") {
            columns.extend(FIELDS.iter().filter(|f| f.listed).map(|field| Column { field, width: field.width }));
            continue;
        }
        let field = Field::find(name).ok_or_else(|| UnknownField(name.to_owned()))?;
        columns.push(Column { field, width: width.unwrap_or(field.width) });
    }
    Ok(columns)
}

/// What C's atoi makes of it: `x` is 0.
fn number(text: &str) -> i32 {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let digits = digits.bytes().take_while(u8::is_ascii_digit);
    let width = digits.fold(0_i32, |n, digit| (n * 10 + i32::from(digit - b'0')).min(MAX_WIDTH));
    if negative { -width } else { width }
}

/// Appends the header: names, and under columns of a width a line of dashes.
pub fn header(columns: &[Column], layout: &Layout, out: &mut String) {
    line(columns, layout, false, out, |column, out| out.push_str(column.field.name));
    if *layout == Layout::Columns {
        for column in columns {
            out.extend(std::iter::repeat_n('-', width(column)));
            out.push(' ');
        }
        out.push('\n');
    }
}

/// Appends a row.
pub fn row(columns: &[Column], layout: &Layout, row: &Row, out: &mut String) {
    line(columns, layout, true, out, |column, out| (column.field.write)(row, out));
}

fn line(columns: &[Column], layout: &Layout, mark: bool, out: &mut String, value: impl Fn(&Column, &mut String)) {
    for (index, column) in columns.iter().enumerate() {
        match layout {
            Layout::Columns => {
                cell(out, width(column), column.width < 0, mark, |out| value(column, out));
                out.push(' ');
            }
            Layout::Parsable(delimiter) => {
                value(column, out);
                out.push_str(delimiter);
            }
            Layout::Parsable2(delimiter) => {
                if index > 0 {
                    out.push_str(delimiter);
                }
                value(column, out);
            }
        }
    }
    out.push('\n');
}

fn width(column: &Column) -> usize {
    column.width.unsigned_abs() as usize
}

/// Fills a value up to its width or cuts it; `mark`: a value that is cut ends in `+`.
fn cell(out: &mut String, width: usize, left: bool, mark: bool, value: impl FnOnce(&mut String)) {
    let start = out.len();
    value(out);
    let written = out.get(start..).unwrap_or_default();
    let length = if written.is_ascii() { written.len() } else { written.chars().count() };
    if length > width {
        let kept = if mark { width.saturating_sub(1) } else { width };
        let cut = written.char_indices().nth(kept).map_or(out.len(), |(at, _)| start + at);
        out.truncate(cut);
        if mark && width > 0 {
            out.push('+');
        }
    } else {
        let blanks = std::iter::repeat_n(' ', width - length);
        if left {
            out.extend(blanks);
        } else {
            out.insert_str(start, &blanks.collect::<String>());
        }
    }
}

/// What `sacct --helpformat` prints: the names, four a line.
pub fn help_format() -> String {
    let names: Vec<&str> = FIELDS.iter().filter(|field| field.listed).map(|field| field.name).collect();
    let mut out = String::new();
    for four in names.chunks(4) {
        let line: Vec<String> = four.iter().map(|name| format!("{name:<19}")).collect();
        out.push_str(&line.join(" "));
        out.push('\n');
    }
    out
}
