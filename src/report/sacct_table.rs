//! The table of sacct, sstat, sacctmgr and sshare: `--format` read into columns, and rows printed in them.

use crate::slurm::options::Options;

/// What a table is about.
pub trait Kind: 'static {
    /// A line of it.
    type Row<'a>;
    /// All fields, in the order in which `--helpformat` lists them and beginnings of names are looked for.
    const FIELDS: &'static [Field<Self>];
    /// Whether a field that is asked for twice has one width: the last that was given.
    const ONE_WIDTH: bool = false;
}

/// What becomes of a value that is wider than its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It ends in `+`: texts.
    Marked,
    /// It ends where the column does: points in time.
    Plain,
    /// It stands out: numbers and spans of time.
    Never,
}

/// A field.
pub struct Field<K: Kind + ?Sized> {
    /// Its name.
    pub name: &'static str,
    /// What stands above its column: nearly always its name.
    pub header: &'static str,
    /// Its width; negative: left-justified.
    pub width: i32,
    /// What becomes of a value that is too wide.
    pub cut: Cut,
    /// Whether `--helpformat` and `--format=all` know it. Fields that came after 22.05 can be asked for
    /// by name, but what reads all columns of the recorded release by place is not disturbed.
    pub listed: bool,
    /// Appends the value.
    pub write: for<'a> fn(&K::Row<'a>, &mut String),
}

impl<K: Kind> Field<K> {
    /// The first field that begins like `name`, in any case.
    pub fn find(name: &str) -> Option<&'static Self> {
        let is = |field: &&Self| field.name.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        K::FIELDS.iter().find(is)
    }
}

/// The widest column; a wider one is cut to this, so that a slip of the finger costs no memory.
const MAX_WIDTH: i32 = 4096;

/// A column: a field and its width; negative for left-justified, as `%-20`.
pub struct Column<K: Kind> {
    field: &'static Field<K>,
    width: i32,
}

impl<K: Kind> Column<K> {
    /// Its field's name.
    pub fn name(&self) -> &'static str {
        self.field.name
    }
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

impl Layout {
    /// What `--parsable` and `--parsable2` ask for, with this delimiter.
    pub fn of(options: &Options, delimiter: &str) -> Self {
        match (options.is_set("parsable2"), options.is_set("parsable")) {
            (true, _) => Self::Parsable2(delimiter.to_owned()),
            (false, true) => Self::Parsable(delimiter.to_owned()),
            (false, false) => Self::Columns,
        }
    }
}

/// `--format` names a field there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid field requested: \"{0}\"")]
pub struct UnknownField(pub String);

/// Reads `--format`: names or beginnings of names, in any case, each with `%WIDTH` or `%-WIDTH`; `all`. It ends before a name
/// that is empty.
pub fn columns<K: Kind>(text: &str) -> Result<Vec<Column<K>>, UnknownField> {
    let mut columns = Vec::new();
    for word in text.split(',').map(str::trim_start).take_while(|word| !word.is_empty()) {
        let (name, width) = match word.split_once('%') {
            Some((name, width)) => (name, Some(number(width))),
            None => (word, None),
        };
        if name.eq_ignore_ascii_case("all") {
            columns.extend(K::FIELDS.iter().filter(|f| f.listed).map(|field| Column { field, width: field.width }));
            continue;
        }
        let field = Field::find(name).ok_or_else(|| UnknownField(name.to_owned()))?;
        let before =
            columns.iter_mut().filter(|column: &&mut Column<K>| K::ONE_WIDTH && std::ptr::eq(column.field, field));
        let mut known = None;
        for column in before {
            column.width = width.unwrap_or(column.width);
            known = Some(column.width);
        }
        columns.push(Column { field, width: width.or(known).unwrap_or(field.width) });
    }
    Ok(columns)
}

/// What C's atoi makes of it: `x` is 0.
pub fn number(text: &str) -> i32 {
    let text = text.trim_start();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.bytes().take_while(u8::is_ascii_digit);
    let width = digits.fold(0_i32, |n, digit| (n * 10 + i32::from(digit - b'0')).min(MAX_WIDTH));
    if negative { -width } else { width }
}

/// Appends the header: names, and under columns of a width a line of dashes.
pub fn header<K: Kind>(columns: &[Column<K>], layout: &Layout, out: &mut String) {
    line(columns, layout, |_| Cut::Plain, out, |column, out| out.push_str(column.field.header));
    if *layout == Layout::Columns {
        for column in columns {
            out.extend(std::iter::repeat_n('-', width(column)));
            out.push(' ');
        }
        out.push('\n');
    }
}

/// Appends a row.
pub fn row<K: Kind>(columns: &[Column<K>], layout: &Layout, row: &K::Row<'_>, out: &mut String) {
    line(columns, layout, |field| field.cut, out, |column, out| (column.field.write)(row, out));
}

fn line<K: Kind>(
    columns: &[Column<K>],
    layout: &Layout,
    cut: fn(&Field<K>) -> Cut,
    out: &mut String,
    value: impl Fn(&Column<K>, &mut String),
) {
    for (index, column) in columns.iter().enumerate() {
        match layout {
            Layout::Columns => {
                cell(out, width(column), column.width < 0, cut(column.field), |out| value(column, out));
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

/// Appends a header for columns whose names are made, not fixed; widths as in a [`Field`].
pub fn text_header(widths: &[i32], names: &[String], layout: &Layout, out: &mut String) {
    texts(widths, names, layout, Cut::Plain, out);
    if *layout == Layout::Columns {
        for width in widths {
            out.extend(std::iter::repeat_n('-', width.unsigned_abs() as usize));
            out.push(' ');
        }
        out.push('\n');
    }
}

/// Appends a line of such columns.
pub fn text_line(widths: &[i32], values: &[String], layout: &Layout, out: &mut String) {
    texts(widths, values, layout, Cut::Marked, out);
}

fn texts(widths: &[i32], values: &[String], layout: &Layout, cut: Cut, out: &mut String) {
    match layout {
        Layout::Columns => {
            for (width, value) in widths.iter().zip(values) {
                cell(out, width.unsigned_abs() as usize, *width < 0, cut, |out| out.push_str(value));
                out.push(' ');
            }
        }
        Layout::Parsable(delimiter) => values.iter().for_each(|value| {
            out.push_str(value);
            out.push_str(delimiter);
        }),
        Layout::Parsable2(delimiter) => out.push_str(&values.join(delimiter)),
    }
    out.push('\n');
}

fn width<K: Kind>(column: &Column<K>) -> usize {
    column.width.unsigned_abs() as usize
}

/// Fills a value up to its width or cuts it.
fn cell(out: &mut String, width: usize, left: bool, cut: Cut, value: impl FnOnce(&mut String)) {
    let start = out.len();
    value(out);
    let written = out.get(start..).unwrap_or_default();
    let length = if written.is_ascii() { written.len() } else { written.chars().count() };
    if length > width {
        if cut == Cut::Never {
            return;
        }
        let mark = cut == Cut::Marked;
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

/// What `--helpformat` prints: the names, four a line, each so wide.
pub fn help_format<K: Kind>(width: usize) -> String {
    let names: Vec<&str> = K::FIELDS.iter().filter(|field| field.listed).map(|field| field.name).collect();
    let mut out = String::new();
    for four in names.chunks(4) {
        let line: Vec<String> = four.iter().map(|name| format!("{name:<width$}")).collect();
        out.push_str(&line.join(" "));
        out.push('\n');
    }
    out
}
