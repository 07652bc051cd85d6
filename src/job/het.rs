//! Heterogeneous jobs: several jobs that are submitted, started and ended as one.

use super::JobId;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// A job's place in a heterogeneous job. Its components have consecutive ids; the first leads the others: its id is
/// that of the whole (`HetJobId`), the script runs on its first node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Het {
    /// Id of the first component.
    pub leader: JobId,
    /// Which component this is, from 0 (`HetJobOffset`).
    pub offset: u32,
    /// How many components there are.
    pub size: u32,
}

impl Het {
    /// Whether it is the first.
    pub fn leads(&self) -> bool {
        self.offset == 0
    }

    /// The ids of all (`HetJobIdSet`).
    pub fn ids(&self) -> RangeInclusive<JobId> {
        self.leader..=self.leader + self.size.saturating_sub(1)
    }

    /// `12-14`
    pub fn id_set(&self) -> String {
        format!("{}-{}", self.ids().start(), self.ids().end())
    }
}
