//! A whole answer.

use super::{
    json::Json,
    layout::{Bracket, Layout},
    meta::Meta,
    tree::{Records, Tree},
    value::{NONE, Value, text, time},
    yaml::Yaml,
};
use std::io::{self, Write};

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `--json`
    Json,
    /// `--yaml`
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
            Format::Json => self.lay_out(&mut Json::new(to)),
            Format::Yaml => self.lay_out(&mut Yaml::new(to)?),
        }
    }

    /// Writes it in a layout.
    pub(super) fn lay_out(&self, to: &mut dyn Layout) -> io::Result<()> {
        to.open(Bracket::Map)?;
        to.key(self.name)?;
        self.records(to)?;
        let mut entry = |name: &str, value: &Value| {
            to.key(name)?;
            value.write(to, self.complex)
        };
        for (name, seconds) in self.times {
            entry(name, &time(Some(*seconds)))?;
        }
        entry("meta", &self.meta.value())?;
        entry("errors", &NONE)?;
        entry("warnings", &self.warnings())?;
        to.close()?;
        to.end()
    }

    fn records(&self, to: &mut dyn Layout) -> io::Result<()> {
        let tree = Tree::<K>::new();
        match self.rows {
            [row] if K::SINGLE => tree.write(row, to, self.complex),
            [] => to.empty(Bracket::List),
            rows => {
                to.open(Bracket::List)?;
                rows.iter().try_for_each(|row| to.item().and_then(|()| tree.write(row, to, self.complex)))?;
                to.close()
            }
        }
    }

    /// That there are none is said where all were looked at: what is not there has no time of its last change.
    fn warnings(&self) -> Value<'static> {
        let looked = self.rows.is_empty() && self.times.iter().any(|(_, seconds)| *seconds != 0);
        match K::NONE.filter(|_| looked) {
            Some(words) => Value::List(vec![Value::Map(vec![("description", text(words)), ("source", text(""))])]),
            None => NONE,
        }
    }
}
