//! Cancelling managed jobs. What is asked for while a request goes on goes together in the next one: the elements of a large
//! array are cancelled one by one, all at once.

use super::{Client, Error, http::Again};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// What all clones of a client share.
#[derive(Default)]
pub(super) struct Cancelling {
    /// Jobs of the next request.
    wanted: Mutex<Vec<u32>>,
    /// Held by whose request goes on: what became of jobs that went along with another's.
    told: tokio::sync::Mutex<HashMap<u32, Result<(), Error>>>,
}

/// `POST /jobs/cancel`. Cancelling twice is cancelling. A server that is away is not waited for: others may be waiting.
pub(super) async fn cancel(client: &Client, jobs: &[u32]) -> Result<(), Error> {
    let wanted = || client.cancelling.wanted.lock().unwrap_or_else(PoisonError::into_inner);
    let [first, ..] = jobs else { return Ok(()) };
    wanted().extend(jobs);
    let mut told = client.cancelling.told.lock().await;
    if let Some(answer) = told.remove(first) {
        jobs.iter().for_each(|job| drop(told.remove(job)));
        return answer;
    }
    let mut together = std::mem::take(&mut *wanted());
    // Who took them along may have given up.
    together.extend(jobs);
    together.sort_unstable();
    together.dedup();
    let client = client.clone().with_patience(Duration::ZERO);
    let answer = client.call::<Value>("/jobs/cancel", json!({"job_ids": together}), Again::Harmless).await.map(drop);
    told.extend(together.into_iter().filter(|job| !jobs.contains(job)).map(|job| (job, answer.clone())));
    answer
}
