//! A job as a SkyPilot task: the YAML that `POST /jobs/launch` takes, and that `skyslurm translate` shows. Pure.

use crate::{
    config::PartitionConfig,
    job::{Request, Shape},
};
use serde::Serialize;

/// A task, in the order in which a person would write it. What is `None` or empty is not written.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Task {
    /// `name`
    pub name: String,
}

/// What a task is made of besides the request.
pub struct Facts<'a> {
    /// The partition it goes to.
    pub partition: &'a PartitionConfig,
    /// `[skypilot]`
    pub settings: &'a crate::config::SkypilotConfig,
    /// Its nodes.
    pub shape: &'a Shape,
    /// GPU types that can be had there, for a request that names none where the partition has no type either; from the
    /// server. Type and counts a node.
    pub offered: &'a [(String, Vec<u32>)],
}

/// How the agent and the job's description get to the nodes.
pub enum Carrier<'a> {
    /// As it is submitted: the agent's directory and the work directory are in the blob, the description is sealed.
    Sealed {
        /// The name that is unique.
        name: &'a str,
        /// The sealed payload (`agent::remote::VARIABLE`).
        payload: &'a str,
        /// Whether the blob has a work directory.
        workdir: bool,
    },
    /// As a person would keep it: the program and the script are files here.
    Plain {
        /// This program's path.
        program: &'a str,
        /// The work directory.
        workdir: &'a str,
        /// The script's text.
        script: &'a str,
    },
}

impl Task {
    /// The task for `request`.
    ///
    /// # Errors
    /// What of it cannot be had on this partition, in words.
    pub fn of(request: &Request, facts: &Facts, carrier: &Carrier) -> Result<Self, String> {
        let _ = (request, facts, carrier);
        todo!("translation")
    }

    /// The YAML, with the header document that the API wants.
    pub fn submission(&self) -> String {
        todo!("translation")
    }

    /// The YAML as a person would write it.
    pub fn yaml(&self) -> String {
        todo!("translation")
    }
}
