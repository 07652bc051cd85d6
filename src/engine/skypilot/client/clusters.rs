//! The calls that have to do with clusters of our own.

use super::{
    Client, ClusterRow, Error, LaunchRow,
    answer::Failed,
    http::{Again, Ask, Body, Within, is_enough},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// API version from which files are sent as blobs. What an older one has lost it tells only when a launch has failed.
const BLOBS: u32 = 41;

/// The name a launch has among the server's requests.
const LAUNCH: &str = "sky.launch";

/// The columns of a request that are looked at.
const FIELDS: [(&str, &str); 5] = [
    ("fields", "request_id"),
    ("fields", "name"),
    ("fields", "status"),
    ("fields", "status_msg"),
    ("fields", "cluster_name"),
];

const WHAT: &str = "an interactive allocation";

/// Whether clusters can be launched, as far as is known.
pub(super) fn may_launch(client: &Client) -> Result<(), Error> {
    match client.version_heard() {
        0 => Ok(()),
        version => is_enough(version, BLOBS, WHAT),
    }
}

/// `POST /launch`, as far as it is taken.
pub(super) async fn launch(client: &Client, cluster: &str, task: &str, blob: Option<&str>) -> Result<(), Error> {
    client.at_least(BLOBS, WHAT).await?;
    let body = client.body(json!({
        "task": task, "cluster_name": cluster, "file_mounts_blob_id": blob, "retry_until_up": true,
    }));
    let (path, again) = ("/launch", Again::Twice);
    let ask = Ask { method: Method::POST, path, query: &[], body: Body::Json(&body), within: Within::All, again };
    let answer = client.send(&ask).await.map_err(|failed| client.finally(path, failed))?;
    answer.id.map(drop).ok_or_else(|| Error::Nonsense(format!("{path} gave no request id")))
}

/// `GET /api/status`
pub(super) async fn launches(client: &Client, cluster: &str) -> Result<Vec<LaunchRow>, Error> {
    let mut query = FIELDS.to_vec();
    query.extend([("cluster_name", cluster), ("all_status", "true")]);
    let mut rows: Vec<LaunchRow> = client.inline("/api/status", &query).await?;
    // A server may know fewer filters.
    rows.retain(|row| row.name == LAUNCH && row.cluster_name == cluster);
    Ok(rows)
}

/// `GET /api/get` of a launch.
pub(super) async fn launched(client: &Client, request: &str) -> Result<(), Error> {
    client.wait(request).await.map(drop).map_err(|failed| match failed {
        Failed::Missing(why) => Error::MayHaveHappened(why),
        failed => client.finally("/api/get", failed),
    })
}

/// `POST /status`
pub(super) async fn clusters(client: &Client, names: Option<&[&str]>, look: bool) -> Result<Vec<ClusterRow>, Error> {
    let body = json!({
        "cluster_names": names, "refresh": if look { "FORCE" } else { "NONE" }, "all_users": false,
        // By default the answer has the private key in it.
        "include_credentials": false, "include_handle": false, "summary_response": true,
    });
    client.call("/status", body, Again::Harmless).await
}

/// `POST /job_status`
pub(super) async fn job_status(client: &Client, cluster: &str, job: u32) -> Result<Option<String>, Error> {
    let body = json!({"cluster_name": cluster, "job_ids": [job]});
    let known: BTreeMap<String, Option<String>> = client.call("/job_status", body, Again::Harmless).await?;
    Ok(known.get(&job.to_string()).cloned().flatten())
}

/// `POST /api/cancel`
pub(super) async fn cancel_requests(client: &Client, requests: &[String]) -> Result<(), Error> {
    client.call::<Value>("/api/cancel", json!({"request_ids": requests}), Again::Harmless).await.map(drop)
}

/// `POST /down`. One that is not there is down.
pub(super) async fn down(client: &Client, cluster: &str) -> Result<(), Error> {
    match client.call::<Value>("/down", json!({"cluster_name": cluster}), Again::Harmless).await {
        Err(Error::Refused { kind, .. }) if kind == "ClusterDoesNotExist" => Ok(()),
        answer => answer.map(drop),
    }
}
