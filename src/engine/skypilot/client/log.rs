//! Logs: an answer that comes in pieces for as long as the job runs.

use super::{
    Client, Error, LogOf,
    http::{Again, Ask, Body, Within, why},
};
use reqwest::{Method, Response};
use serde_json::json;
use std::time::Duration;
use tokio::time::timeout;

/// A log, as it comes. Dropping it closes its connection, and ends the request on the server.
pub struct Log {
    response: Option<Response>,
    endpoint: String,
    /// A server that is there says something within this time.
    within: Duration,
}

impl Log {
    /// The next piece; `None` at its end. `<sky-payload>` control lines are left in.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when it broke off before its end.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let Some(response) = &mut self.response else { return Ok(None) };
        let broken = match timeout(self.within, response.chunk()).await {
            Ok(Ok(Some(piece))) => return Ok(Some(piece.into())),
            Ok(Ok(None)) => None,
            Ok(Err(error)) => Some(why(&error)),
            Err(_) => Some("nothing comes any more".to_owned()),
        };
        self.response = None;
        match broken {
            None => Ok(None),
            Some(why) => {
                let why = format!("the log broke off: {why}");
                Err(Error::Unreachable { endpoint: self.endpoint.clone(), why })
            }
        }
    }
}

/// `POST /jobs/logs`, `POST /logs`
pub(super) async fn open(client: &Client, of: &LogOf, follow: bool) -> Result<Log, Error> {
    let (path, fields) = match of {
        LogOf::Job(id, task) => (
            "/jobs/logs",
            json!({"job_id": id, "task": task, "follow": follow, "controller": false, "refresh": false, "tail": null}),
        ),
        // Null would be the latest job, which is another as soon as something was executed there. Numbers begin at 1.
        LogOf::Cluster(name) => ("/logs", json!({"cluster_name": name, "job_id": 1, "follow": follow, "tail": 0})),
    };
    let (body, again) = (client.body(fields), Again::Harmless);
    let ask = Ask { method: Method::POST, path, query: &[], body: Body::Json(&body), within: Within::Head, again };
    let answer = client.send(&ask).await.map_err(|failed| client.finally(path, failed))?;
    if answer.id.is_none() {
        return Err(Error::Nonsense(format!("{path} gave something that is no log")));
    }
    Ok(Log { response: Some(answer.response), endpoint: client.endpoint.url.clone(), within: client.within })
}
