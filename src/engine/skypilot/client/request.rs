//! The server's requests: posted, given an id, and waited for at `/api/get`.

use super::{
    Client, Error,
    answer::{Failed, returned},
    http::{Again, Ask, Body, Within},
    reach::Pauses,
    read::{aside, text_of},
};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

impl Client {
    /// What every body has: who we are, and our own configuration; and `fields`.
    pub(super) fn body(&self, fields: Value) -> Value {
        let mut body = json!({
            "env_vars": {"SKYPILOT_USER_ID": self.endpoint.user_id, "SKYPILOT_USER": self.endpoint.user_name},
            "using_remote_api_server": true,
            "entrypoint_command": "skyslurm",
            "override_skypilot_config": self.endpoint.client_config,
        });
        if let (Value::Object(body), Value::Object(fields)) = (&mut body, fields) {
            body.extend(fields);
        }
        body
    }

    /// Posts a request and waits for what it gives.
    pub(super) async fn call<T: DeserializeOwned>(&self, path: &str, fields: Value, again: Again) -> Result<T, Error> {
        let body = self.body(fields);
        let within = Within::All;
        let ask = Ask { method: Method::POST, path, query: &[], body: Body::Json(&body), within, again };
        let (_, value) = self.request(&ask).await?;
        understood(path, value)
    }

    /// An answer that comes at once, without a request of the server's own.
    pub(super) async fn inline<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Error> {
        let (within, again) = (Within::All, Again::Harmless);
        let ask = Ask { method: Method::GET, path, query, body: Body::None, within, again };
        let text = self.text(&ask).await.map_err(|failed| self.finally(path, failed))?;
        self.parsed(path, text).await
    }

    /// Sends a request and waits for it; its id and what it gave. One that a restart of the server ended is sent again,
    /// unless that could do it twice.
    pub(super) async fn request(&self, ask: &Ask<'_>) -> Result<(String, Value), Error> {
        if ask.again == Again::Twice {
            // A server too old for us must not hear of it.
            self.version().await?;
        }
        let mut pauses = Pauses::new(self.patience);
        loop {
            let answer = self.send(ask).await.map_err(|failed| self.finally(ask.path, failed))?;
            // The body is `null`. It is read so that the connection can be used again; a proxy's page says more.
            let text = text_of(answer.response).await;
            let got = match (answer.id, text) {
                (Some(id), _) => match (self.wait(&id).await, ask.again) {
                    (Ok(value), _) => Ok((id, value)),
                    (Err(failed), Again::Twice) => return Err(underway(id, failed)),
                    (Err(failed), Again::Harmless) => Err(failed),
                },
                (None, Err(failed @ Failed::Finally(_))) => Err(failed),
                (None, _) => Err(Error::Nonsense(format!("{} gave no request id", ask.path)).into()),
            };
            let failed = match got {
                Ok(got) => return Ok(got),
                Err(failed) => failed,
            };
            match (ask.again, failed) {
                (Again::Twice, failed) => return Err(lost(failed)),
                (Again::Harmless, Failed::Missing(why)) if !pauses.rest(&self.wire.reach).await => {
                    return Err(self.unreachable(why));
                }
                (Again::Harmless, Failed::Missing(_)) => {}
                (Again::Harmless, failed) => return Err(self.finally(ask.path, failed)),
            }
        }
    }

    /// Waits for a request.
    pub(super) async fn wait(&self, id: &str) -> Result<Value, Failed> {
        let (path, query) = ("/api/get", [("request_id", id)]);
        let (within, again) = (Within::Wait, Again::Harmless);
        let ask = Ask { method: Method::GET, path, query: &query, body: Body::None, within, again };
        let text = self.text(&ask).await?;
        let size = text.len();
        let record: Value = self.parsed(path, text).await?;
        aside(size, move || returned(&record)).await?
    }

    /// What a request that could not be waited for has given.
    ///
    /// # Errors
    /// The same as of the call that began it.
    pub(super) async fn outcome(&self, id: &str) -> Result<Value, Error> {
        self.wait(id).await.map_err(|failed| underway(id.to_owned(), failed))
    }

    /// JSON of an answer. Who gives none is as good as away.
    pub(super) async fn parsed<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        text: String,
    ) -> Result<T, Error> {
        aside(text.len(), move || serde_json::from_str(&text)).await?.map_err(|error| {
            self.wire.reach.is_away();
            // What the text was is not shown: it may have secrets.
            nonsense(path, &error)
        })
    }

    /// What is left when nothing more can be tried.
    pub(super) fn finally(&self, path: &str, failed: Failed) -> Error {
        match failed {
            Failed::Finally(error) => error,
            Failed::NotSent(why) | Failed::Lost(why) => self.unreachable(why),
            Failed::Missing(_) => Error::Version(format!(
                "the SkyPilot API server at {} does not know {path}: upgrade it",
                self.endpoint.url
            )),
        }
    }
}

fn is_cancelled(error: &Error) -> bool {
    matches!(error, Error::Refused { kind, .. } if kind == "RequestCancelled")
}

/// The end of a request that must not be sent again, as far as it can be told.
fn underway(request: String, failed: Failed) -> Error {
    match failed {
        // It is known to have failed, and how.
        Failed::Finally(error @ Error::Refused { .. }) if !is_cancelled(&error) => error,
        // It is not known there, or was ended before it was done.
        Failed::Missing(_) | Failed::Finally(Error::Refused { .. }) => lost(failed),
        Failed::NotSent(why) | Failed::Lost(why) | Failed::Finally(Error::Unreachable { why, .. }) => {
            Error::Underway { request, why }
        }
        Failed::Finally(error) => Error::Underway { request, why: error.to_string() },
    }
}

/// The end of a request that the server took, and of which no more is known.
fn lost(failed: Failed) -> Error {
    Error::MayHaveHappened(match failed {
        Failed::NotSent(why) | Failed::Lost(why) | Failed::Missing(why) => why,
        Failed::Finally(Error::MayHaveHappened(why) | Error::Unreachable { why, .. }) => why,
        Failed::Finally(error) => error.to_string(),
    })
}

pub(super) fn understood<T: DeserializeOwned>(path: &str, value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| nonsense(path, &error))
}

fn nonsense(path: &str, error: &serde_json::Error) -> Error {
    Error::Nonsense(format!("{path}: {}", super::text::plain(&error.to_string())))
}
