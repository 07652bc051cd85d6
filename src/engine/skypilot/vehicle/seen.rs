//! How a handed job is there, as the server tells it; whatever carries it.

use crate::engine::skypilot::client::QueueRow;

/// How far a handed job is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// The server has it in its queue.
    #[default]
    Pending,
    /// Its nodes are being made.
    Starting,
    /// It runs, as far as the server knows.
    Running,
    /// It has lost its nodes, and the server makes others.
    Recovering,
    /// It is being ended.
    Ending,
    /// It was cancelled there.
    Cancelled,
    /// It is over: ended or failed.
    Over,
    /// It never began, through no fault of its own, and will not.
    Lost,
}

/// What was seen of a handed job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// How far it is.
    pub status: Status,
    /// What it waits for, or why it is over, in the server's words.
    pub detail: Option<String>,
    /// It is over, and did not end by itself with 0.
    pub has_failed: bool,
    /// It has a cluster, which may have a log of it.
    pub has_cluster: bool,
}

impl Seen {
    /// Whether nothing comes after this.
    pub fn is_over(&self) -> bool {
        matches!(self.status, Status::Cancelled | Status::Over | Status::Lost)
    }
}

impl From<QueueRow> for Seen {
    fn from(row: QueueRow) -> Self {
        let status = match row.status.as_str() {
            "PENDING" | "SUBMITTED" => Status::Pending,
            "STARTING" => Status::Starting,
            "RUNNING" | "WINDING_DOWN" => Status::Running,
            "RECOVERING" => Status::Recovering,
            "CANCELLED" => Status::Cancelled,
            status if is_terminal(status) => Status::Over,
            _ => Status::Ending,
        };
        let detail = match status {
            Status::Over => {
                let known = row.failure_reason.or(row.details);
                Some(known.unwrap_or_else(|| format!("SkyPilot's status is {}", row.status)))
            }
            _ => row.details,
        };
        let detail = detail.as_deref().map(strip).filter(|d| !d.is_empty());
        let has_failed = row.status.starts_with("FAILED");
        Self { status, detail, has_failed, has_cluster: row.cluster_name_on_cloud.is_some() }
    }
}

/// Whether nothing comes after this status of a managed job, or of a job in a cluster's queue.
pub fn is_terminal(status: &str) -> bool {
    status == "SUCCEEDED" || status == "CANCELLED" || status.starts_with("FAILED")
}

/// A text of the server's in one line, without advice about its own commands.
pub fn strip(text: &str) -> String {
    let end = text.find("To see the details, run:").unwrap_or(text.len());
    let words = text.get(..end).unwrap_or(text).split_whitespace();
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_queue() {
        let row = |status: &str, details: Option<&str>, reason: Option<&str>| QueueRow {
            status: status.into(),
            details: details.map(str::to_owned),
            failure_reason: reason.map(str::to_owned),
            ..QueueRow::default()
        };
        let seen = |row: QueueRow| {
            let seen = Seen::from(row);
            (seen.status, seen.detail.unwrap_or_default())
        };
        assert_eq!(seen(row("STARTING", Some("Launching\n now"), None)), (Status::Starting, "Launching now".into()));
        let failed = row("FAILED_SETUP", Some("d"), Some("no. To see the details, run: sky jobs logs"));
        assert_eq!(seen(failed), (Status::Over, "no.".into()));
        assert_eq!(seen(row("FAILED", None, None)), (Status::Over, "SkyPilot's status is FAILED".into()));
        assert_eq!(seen(row("CANCELLING", None, None)), (Status::Ending, String::new()));
        assert!(Seen::from(row("CANCELLED", None, None)).is_over());
    }
}
