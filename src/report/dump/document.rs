//! A whole answer.

use super::{
    json::Layout,
    meta::Meta,
    tree::{Record, Records, Tree},
    value::{NONE, Shown, Value, text, time},
};
use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};
use std::io::{self, Write};

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `--json`
    Json,
    /// `--yaml`: the same, without the tags that Slurm puts before every value.
    Yaml,
}

impl Format {
    /// The name by which Slurm's messages call it.
    pub fn mime(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Yaml => "application/x-yaml",
        }
    }
}

/// An answer: records, and what is to be known of them.
pub struct Document<'d, 'a, K: Records> {
    /// What they are called: `jobs`, `nodes`, ...
    pub name: &'static str,
    /// The records.
    pub rows: &'d [K::Row<'a>],
    /// When something of them changed last, and whatever else stands behind them: name and epoch seconds.
    pub times: &'d [(&'static str, i64)],
    /// Who answers.
    pub meta: &'d Meta,
    /// `+complex`
    pub complex: bool,
}

impl<K: Records> Document<'_, '_, K> {
    /// Writes it.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write<W: Write>(&self, format: Format, to: &mut W) -> io::Result<()> {
        match format {
            Format::Json => {
                self.serialize(&mut serde_json::Serializer::with_formatter(&mut *to, Layout::default()))?;
                to.write_all(b"\n")
            }
            Format::Yaml => serde_yaml::to_writer(to, self).map_err(io::Error::other),
        }
    }

    /// Slurm says so of jobs.
    fn warnings(&self) -> Value<'static> {
        match (self.name, self.rows) {
            ("jobs", []) if !self.times.is_empty() => {
                Value::List(vec![Value::Map(vec![("description", text("Zero jobs to dump")), ("source", text(""))])])
            }
            _ => NONE,
        }
    }
}

impl<K: Records> Serialize for Document<'_, '_, K> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let complex = self.complex;
        let mut map = to.serialize_map(Some(4 + self.times.len()))?;
        match self.rows {
            [row] if K::SINGLE => map.serialize_entry(self.name, &Tree::<K>::new().record(row, complex))?,
            rows => map.serialize_entry(self.name, &Rows::<K> { rows, complex })?,
        }
        for (name, seconds) in self.times {
            map.serialize_entry(name, &Shown { value: &time(Some(*seconds)), complex })?;
        }
        map.serialize_entry("meta", &Shown { value: &self.meta.value(), complex })?;
        map.serialize_entry("errors", &Shown { value: &NONE, complex })?;
        map.serialize_entry("warnings", &Shown { value: &self.warnings(), complex })?;
        map.end()
    }
}

struct Rows<'d, 'a, K: Records> {
    rows: &'d [K::Row<'a>],
    complex: bool,
}

impl<K: Records> Serialize for Rows<'_, '_, K> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let tree = Tree::<K>::new();
        let mut seq = to.serialize_seq(Some(self.rows.len()))?;
        for row in self.rows {
            let record: Record<K> = tree.record(row, self.complex);
            seq.serialize_element(&record)?;
        }
        seq.end()
    }
}
