//! A field, a column made of one, and a layout made of columns.

use super::{format, table};

/// What a table of fields is about: jobs, steps, or groups of nodes.
pub trait Kind: 'static {
    /// A row of the output.
    type Row<'a>;
    /// All fields.
    const FIELDS: &'static [Field<Self>];
}

/// What makes two nodes stand in different rows of sinfo. Jobs are never put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// Rows with different values of this field may be put together.
    Never,
    /// They may, unless `--exact` was given.
    Exact,
    /// They may not.
    Always,
}

/// What becomes of a value that is wider than its column. Headers are cut in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It is cut.
    Always,
    /// It is cut, but the mark at its end stays (`*` of the default partition).
    KeepMark(char),
    /// It is cut in a left-justified column; in a right-justified one it stands out
    /// (times and node lists of squeue).
    IfLeft,
}

/// A field: one row of a table that `-o` and `-O` share.
pub struct Field<K: Kind + ?Sized> {
    /// The letter of `-o`, if it has one.
    pub letter: Option<char>,
    /// The names of `-O`, in lower case.
    pub names: &'static [&'static str],
    /// The column's header.
    pub header: &'static str,
    /// What becomes of a value that is too wide.
    pub cut: Cut,
    /// Whether it keeps rows apart.
    pub tells: Tells,
    /// Appends the value of a row.
    pub write: for<'a> fn(&K::Row<'a>, &mut String),
}

/// A column of the output.
pub struct Column<K: Kind> {
    /// The field; without one, only the suffix is printed.
    pub field: Option<&'static Field<K>>,
    /// Width in characters; 0: as wide as the value.
    pub width: usize,
    /// Right-justified.
    pub right: bool,
    /// What is printed behind it.
    pub suffix: String,
}

/// The columns of a table.
pub struct Layout<K: Kind> {
    /// From left to right.
    pub columns: Vec<Column<K>>,
    /// Letters and names that are no fields, in the order they were met.
    pub unknown: Vec<String>,
}

impl<K: Kind> Field<K> {
    fn by_letter(key: &str) -> Option<&'static Self> {
        let mut chars = key.chars();
        let letter = chars.next()?;
        K::FIELDS.iter().find(|field| field.letter == Some(letter))
    }

    /// The field with this `-O` name, in any case.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        K::FIELDS.iter().find(|field| field.names.iter().any(|n| n.eq_ignore_ascii_case(name)))
    }
}

impl<K: Kind> Layout<K> {
    /// The layout of a `-o` text.
    ///
    /// `all_suffix` is what `%all` puts behind the capital letters: squeue has `|` everywhere,
    /// sinfo ` |` there (squeue.txt, sinfo.txt).
    pub fn short(text: &str, all_suffix: &str) -> Self {
        let read = format::short(text);
        let mut columns = Vec::with_capacity(read.specs.len() + 1);
        if !read.prefix.is_empty() {
            columns.push(Column::text(read.prefix));
        }
        if read.all {
            columns.extend(Self::all(all_suffix));
        }
        let mut unknown = Vec::new();
        for spec in &read.specs {
            match Field::by_letter(spec.key) {
                Some(field) => columns.push(Column::of(field, spec)),
                None => {
                    unknown.push(spec.key.to_owned());
                    columns.push(Column::text(spec.written));
                }
            }
        }
        Self { columns, unknown }
    }

    /// The layout of a `-O` text.
    pub fn long(text: &str) -> Self {
        let mut unknown = Vec::new();
        let columns = format::long(text)
            .iter()
            .map(|spec| match Field::by_name(spec.key) {
                Some(field) => Column::of(field, spec),
                None => {
                    unknown.push(spec.key.to_owned());
                    Column::text(spec.suffix)
                }
            })
            .collect();
        Self { columns, unknown }
    }

    /// `%all`: every letter, small ones first, a bar between them.
    pub fn all(capital_suffix: &str) -> impl Iterator<Item = Column<K>> {
        ('a'..='z').chain('A'..='Z').filter_map(move |letter| {
            let field = K::FIELDS.iter().find(|field| field.letter == Some(letter))?;
            let suffix = match letter {
                'Z' => capital_suffix.trim_end_matches('|'),
                'A'..='Y' => capital_suffix,
                _ => "|",
            };
            Some(Column { field: Some(field), width: 0, right: false, suffix: suffix.to_owned() })
        })
    }

    /// Whether one of these fields, named as for `-O`, is among the columns.
    pub fn shows(&self, names: &[&str]) -> bool {
        let fields = self.columns.iter().filter_map(|column| column.field);
        fields.flat_map(|field| field.names).any(|name| names.contains(name))
    }

    /// Whether all columns are among these fields, named as for `-O`.
    pub fn shows_only(&self, names: &[&str]) -> bool {
        let mut fields = self.columns.iter().filter_map(|column| column.field);
        fields.all(|field| field.names.iter().any(|name| names.contains(name)))
    }

    /// Appends the header line.
    pub fn header(&self, out: &mut String) {
        for column in &self.columns {
            if let Some(field) = column.field {
                table::cell(out, column.width, column.right, |out| out.push_str(field.header));
            }
            out.push_str(&column.suffix);
        }
        out.push('\n');
    }

    /// Appends the line of a row.
    pub fn row(&self, row: &K::Row<'_>, out: &mut String) {
        for column in &self.columns {
            if let Some(field) = column.field {
                let (width, right, write) = (column.width, column.right, |out: &mut String| (field.write)(row, out));
                match field.cut {
                    Cut::Always => table::cell(out, width, right, write),
                    Cut::KeepMark(mark) => table::marked_cell(out, width, right, mark, write),
                    Cut::IfLeft if right => table::uncut_cell(out, width, write),
                    Cut::IfLeft => table::cell(out, width, right, write),
                }
            }
            out.push_str(&column.suffix);
        }
        out.push('\n');
    }
}

impl<K: Kind> Column<K> {
    fn text(text: &str) -> Self {
        Self { field: None, width: 0, right: false, suffix: text.to_owned() }
    }

    fn of(field: &'static Field<K>, spec: &format::Spec) -> Self {
        Self { field: Some(field), width: spec.width, right: spec.right, suffix: spec.suffix.to_owned() }
    }
}
