//! How one gets into a cluster: what `/status` says of it when it is asked for credentials.

use super::{Client, Error, http::Again, request::understood, rows::or_default, text::plain};
use serde::Deserialize;
use serde_json::{Value, json};

/// How one gets into a cluster. `Debug` shows no secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Whose it is: `Slurm`, `Kubernetes`, `AWS`.
    pub cloud: String,
    /// Where there: a Slurm's name, a context of Kubernetes', a region.
    pub region: String,
    /// Who logs in.
    pub user: String,
    /// With which private key: its text.
    pub key: String,
    /// Command whose stdin and stdout lead to a node (ssh's `ProxyCommand`), where the server has one.
    pub proxy_command: Option<String>,
    /// Who logs in to the container that the cluster's jobs run in, where there is one.
    pub container_user: Option<String>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Access").field("cloud", &self.cloud).field("user", &self.user).finish_non_exhaustive()
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Row {
    name: String,
    #[serde(deserialize_with = "or_default")]
    cloud: String,
    #[serde(deserialize_with = "or_default")]
    region: String,
    credentials: Option<Credentials>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Credentials {
    #[serde(deserialize_with = "or_default")]
    ssh_user: String,
    #[serde(deserialize_with = "or_default")]
    ssh_private_key_content: String,
    ssh_proxy_command: Option<String>,
    docker_user: Option<String>,
}

/// `POST /status`
pub(super) async fn access(client: &Client, cluster: &str) -> Result<Option<Access>, Error> {
    let path = "/status";
    let fields = json!({
        "cluster_names": [cluster], "refresh": "NONE", "all_users": false,
        "include_credentials": true, "summary_response": true, "include_handle": false,
        // The clusters of managed jobs are only told to who wants to know more (`backend_utils.get_clusters`).
        "env_vars": {
            "SKYPILOT_USER_ID": client.endpoint.user_id, "SKYPILOT_USER": client.endpoint.user_name, "SKYPILOT_DEBUG": "1",
        },
    });
    let rows: Vec<Row> = understood(path, client.call::<Value>(path, fields, Again::Harmless).await?)?;
    let Some(row) = rows.into_iter().find(|row| row.name == cluster) else { return Ok(None) };
    Ok(row.credentials.filter(|c| !c.ssh_private_key_content.is_empty()).map(|given| Access {
        cloud: plain(&row.cloud),
        region: plain(&row.region),
        user: plain(&given.ssh_user),
        key: given.ssh_private_key_content,
        proxy_command: given.ssh_proxy_command.filter(|c| !c.is_empty()),
        container_user: given.docker_user.filter(|u| !u.is_empty()),
    }))
}
