//! What stands around the records: who answers, whom, and by what.

use super::value::*;
use crate::slurm::options;

/// The part `meta` of an answer.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// `ClusterName`
    pub cluster: String,
    /// The command line, as the command read it.
    pub command: Vec<String>,
    /// The shape, as it was asked for: `data_parser/v0.0.42+complex`.
    pub data_parser: String,
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
        // Slurm 24.11 leaves out the last word, whatever it is.
        let command = &self.command[..self.command.len().saturating_sub(1)];
        Value::Map(vec![
            (
                "plugin",
                Value::Map(vec![
                    ("type", text("")),
                    ("name", text("")),
                    ("data_parser", text(&self.data_parser)),
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
            ("command", words(command)),
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
