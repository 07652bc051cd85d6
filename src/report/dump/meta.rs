//! What stands around the records: who answers, whom, and by what.

use super::value::*;
use crate::slurm::{data_parser, options};

/// The part `meta` of an answer.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// `ClusterName`
    pub cluster: String,
    /// The command line, as Slurm repeats it.
    pub command: Vec<String>,
    /// Who asks: user and group.
    pub client: Client,
}

/// Who asks.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// User name.
    pub user: String,
    /// Group name.
    pub group: String,
}

impl Meta {
    /// As a value. Where the command was typed is left empty, so that an answer is the same wherever it is asked for.
    pub(super) fn value(&self) -> Value<'_> {
        let release = options::version().trim_start_matches("slurm ");
        let mut parts = release.split('.');
        let mut part = || text(parts.next().unwrap_or_default());
        let (major, minor, micro) = (part(), part(), part());
        Value::Map(vec![
            (
                "plugin",
                Value::Map(vec![
                    ("type", text("")),
                    ("name", text("")),
                    ("data_parser", text(data_parser::VERSION)),
                    ("accounting_storage", text("skyslurm/sqlite")),
                ]),
            ),
            (
                "client",
                Value::Map(vec![
                    ("source", text("")),
                    ("user", text(&self.client.user)),
                    ("group", text(&self.client.group)),
                ]),
            ),
            ("command", words(&self.command)),
            (
                "slurm",
                Value::Map(vec![
                    ("version", Value::Map(vec![("major", major), ("micro", micro), ("minor", minor)])),
                    ("release", text(release)),
                    ("cluster", text(&self.cluster)),
                ]),
            ),
        ])
    }
}
