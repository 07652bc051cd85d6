//! Where the server is and who we are to it, found where the sky client finds it: `SKYPILOT_API_SERVER_ENDPOINT`,
//! `~/.sky/config.yaml`, `.sky.yaml`, `SKYPILOT_SERVICE_ACCOUNT_TOKEN`, the cookie file, `~/.sky/user_hash`.

use std::{collections::BTreeMap, path::PathBuf};

/// A server and our credentials for it. `Debug` shows no secret.
#[derive(Clone)]
pub struct Endpoint {
    /// Address without credentials and without a trailing `/`.
    pub url: String,
    /// Where the address was found, in words: `the configuration`, `SKYPILOT_API_SERVER_ENDPOINT`, a file's name.
    pub found: String,
    /// The token of a service account.
    pub token: Option<String>,
    /// User and password of the address.
    pub basic: Option<(String, String)>,
    /// The cookie file, if there is one and no token.
    pub cookies: Option<PathBuf>,
    /// `SKYPILOT_USER_ID`: 8 hex digits.
    pub user_id: String,
    /// `SKYPILOT_USER`
    pub user_name: String,
    /// What of the client's own configuration goes with every request (`override_skypilot_config`).
    pub client_config: serde_json::Value,
}

/// Why no endpoint can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// A file cannot be read or understood.
    #[error("{file}: {why}")]
    File {
        /// Which.
        file: String,
        /// Why.
        why: String,
    },
    /// The address is none.
    #[error("{found}: \"{url}\" is not the address of an API server")]
    Url {
        /// Where it was found.
        found: String,
        /// It, without credentials.
        url: String,
    },
}

impl Endpoint {
    /// The endpoint that `configured` (our own configuration), the environment and the files name. `None` if none of
    /// them does and there is none on this machine to be taken for granted.
    ///
    /// # Errors
    /// When something names one that cannot be used.
    pub fn find(
        configured: Option<&str>,
        environment: &BTreeMap<String, String>,
    ) -> Result<Option<Self>, EndpointError> {
        let _ = (configured, environment);
        todo!("client")
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("url", &self.url).field("found", &self.found).finish_non_exhaustive()
    }
}
