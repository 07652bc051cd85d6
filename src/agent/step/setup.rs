//! What srun's options ask for around each task's program.

use serde::{Deserialize, Serialize};

/// What is done on a node before and behind the program of each task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// `--task-prolog`
    pub prolog: Option<String>,
    /// `--task-epilog`
    pub epilog: Option<String>,
}
