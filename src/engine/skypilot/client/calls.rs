//! The calls that have to do with jobs.

use super::{
    Client, Error, Health, JobEvent, Launch, QueueRow, Rows, http::Again, request::understood, text::plain, upload_v1,
};
use serde_json::{Value, json};

/// API version that takes `num_jobs` outside of a pool: 0.12.3 (50) refuses it, 0.11.0 (24) forgets it.
const ARRAYS: u32 = 56;

/// API version whose queue has `cluster_name_on_cloud`; one without (24) refuses to be asked for it.
const CLUSTER_NAMES: u32 = 31;

/// API version with job groups (0.11.2).
const GROUPS: u32 = 31;

/// Who the server is. Needs no credentials.
pub(super) async fn health(client: &Client) -> Result<Health, Error> {
    let answer: Value = client.inline("/api/health", &[]).await?;
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(plain);
    // A number inside a string.
    let api_version = answer.get("api_version").and_then(|v| match v {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|v| u32::try_from(v).ok()),
    });
    let api_version = api_version
        .ok_or_else(|| Error::Nonsense("/api/health tells no API version: is this a SkyPilot API server?".into()))?;
    client.heard(api_version)?;
    Ok(Health {
        status: text(answer.get("status")).unwrap_or_default(),
        api_version,
        version: text(answer.get("version")).unwrap_or_default(),
        user: answer.get("user").and_then(|user| text(user.get("name")).or_else(|| text(user.get("id")))),
    })
}

/// Whether jobs outside of a pool can be submitted together, as far as is known.
pub(super) fn may_take_arrays(client: &Client) -> bool {
    !(1..ARRAYS).contains(&client.version_heard())
}

/// The same, asked for if it is not known.
pub(super) async fn takes_arrays(client: &Client) -> Result<bool, Error> {
    client.version().await.map(|version| version >= ARRAYS)
}

/// Whether tasks can be submitted as a group, as far as is known.
pub(super) fn may_take_groups(client: &Client) -> bool {
    !(1..GROUPS).contains(&client.version_heard())
}

/// The same, asked for if it is not known.
pub(super) async fn takes_groups(client: &Client) -> Result<bool, Error> {
    client.version().await.map(|version| version >= GROUPS)
}

/// `POST /jobs/launch`
pub(super) async fn launch(client: &Client, launch: &Launch<'_>) -> Result<Vec<u32>, Error> {
    let mut body = json!({"name": null, "pool": launch.pool});
    if launch.count > 1 {
        if launch.pool.is_none() {
            client.at_least(ARRAYS, "an array in one request").await?;
        }
        body["num_jobs"] = launch.count.into();
    }
    let answer = with_files(client, "/jobs/launch", launch.task, launch.blob, body).await?;
    numbers(&answer, launch.count)
}

/// `GET /api/get` of a launch that was to be waited for later.
pub(super) async fn launched_jobs(client: &Client, request: &str, count: u32) -> Result<Vec<u32>, Error> {
    numbers(&client.outcome(request).await?, count)
}

fn numbers(answer: &Value, count: u32) -> Result<Vec<u32>, Error> {
    let wanted = count.max(1) as usize;
    ids(answer.get("job_id"))
        .filter(|ids| ids.len() == wanted)
        .ok_or_else(|| Error::Nonsense(format!("/jobs/launch does not tell the ids of {wanted} jobs")))
}

/// Posts a task whose files are on the server already.
async fn with_files(
    client: &Client,
    path: &str,
    task: &str,
    blob: Option<&str>,
    mut body: Value,
) -> Result<Value, Error> {
    let Some((id, directory)) = blob.zip(client.sent.directory(blob)) else {
        body["task"] = task.into();
        body["file_mounts_blob_id"] = blob.into();
        return client.call(path, body, Again::Twice).await;
    };
    body["task"] = upload_v1::placed(task, &directory).into();
    client.sent.learn(id, &directory, client.call(path, body, Again::Twice).await)
}

/// One id, or a list of them; ascending.
fn ids(value: Option<&Value>) -> Option<Vec<u32>> {
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    let mut ids: Vec<u32> = match value? {
        Value::Array(list) => list.iter().map(id).collect::<Option<_>>()?,
        one => vec![id(one)?],
    };
    ids.sort_unstable();
    ids.dedup();
    Some(ids)
}

/// `POST /jobs/queue/v2`
pub(super) async fn queue(client: &Client, rows: Rows<'_>) -> Result<Vec<QueueRow>, Error> {
    let (key, value) = match rows {
        Rows::Jobs([]) => return Ok(Vec::new()),
        Rows::Jobs(ids) => ("job_ids", json!(ids)),
        Rows::Named(name) => ("name_match", json!(name)),
    };
    let mut fields = QueueRow::FIELDS.to_vec();
    if client.version().await? < CLUSTER_NAMES {
        fields.retain(|field| *field != "cluster_name_on_cloud");
    }
    let mut body = json!({"refresh": false, "skip_finished": false, "fields": fields});
    body[key] = value;
    let path = "/jobs/queue/v2";
    let mut answer: Value = client.call(path, body, Again::Harmless).await?;
    let jobs = match answer.get_mut("jobs") {
        Some(jobs) => jobs.take(),
        // Older servers give the list itself.
        None => answer,
    };
    understood(path, jobs)
}

/// `POST /jobs/events`
pub(super) async fn events(client: &Client, job: u32) -> Result<Vec<JobEvent>, Error> {
    client.call("/jobs/events", json!({"job_id": job, "limit": null}), Again::Harmless).await
}

/// `POST /exec`
pub(super) async fn exec(client: &Client, cluster: &str, task: &str, blob: Option<&str>) -> Result<(), Error> {
    with_files(client, "/exec", task, blob, json!({"cluster_name": cluster})).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_in_all_shapes() {
        assert_eq!(ids(Some(&json!(7))), Some(vec![7]));
        assert_eq!(ids(Some(&json!([9, 7, 8]))), Some(vec![7, 8, 9]));
        for none in [json!(null), json!("7"), json!([1, null]), json!(-1), json!(4_294_967_296_u64)] {
            assert_eq!(ids(Some(&none)), None, "{none}");
        }
        assert_eq!(ids(None), None);
    }
}
