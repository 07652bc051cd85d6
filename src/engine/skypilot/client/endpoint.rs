//! Where the server is and who we are to it, found where the sky client finds it: `SKYPILOT_API_SERVER_ENDPOINT`,
//! `~/.sky/config.yaml`, `.sky.yaml`, `SKYPILOT_SERVICE_ACCOUNT_TOKEN`, the cookie file, `~/.sky/user_hash`.

use super::{identity, settings::Settings};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// A server and our credentials for it. `Debug` shows no secret; what serde writes is for files that nobody else reads.
#[derive(Clone, Serialize, Deserialize)]
pub struct Endpoint {
    /// Address without credentials and without a trailing `/`.
    pub url: String,
    /// Where the address was found, in words: `the configuration`, `SKYPILOT_API_SERVER_ENDPOINT`, a file's name.
    pub found: String,
    /// The token of a service account.
    pub token: Option<String>,
    /// User and password of the address.
    pub basic: Option<(String, String)>,
    /// The cookie file, if there is one and neither a token nor a password.
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
    /// The token is none. Says where it was found, never what it is.
    #[error("{found}: the token of a service account starts with \"sky_\"")]
    Token {
        /// Where it was found.
        found: String,
    },
}

impl Endpoint {
    /// The endpoint that `configured` (our own configuration), the environment and the files name, in this order. `None`
    /// if none of them does. Makes `~/.sky/user_hash` if there is an endpoint and no such file.
    ///
    /// # Errors
    /// When something names one that cannot be used.
    pub fn find(
        configured: Option<&str>,
        environment: &BTreeMap<String, String>,
    ) -> Result<Option<Self>, EndpointError> {
        let variable = |name: &str| environment.get(name).map(|v| v.trim()).filter(|v| !v.is_empty());
        let home = identity::home(environment);
        let settings = Settings::read(&home, environment)?;
        let (address, found) = if let Some(address) = configured {
            (address.to_owned(), "the configuration".to_owned())
        } else if let Some(address) = variable("SKYPILOT_API_SERVER_ENDPOINT") {
            (address.to_owned(), "SKYPILOT_API_SERVER_ENDPOINT".to_owned())
        } else if let Some(named) = settings.server("endpoint") {
            named
        } else {
            return Ok(None);
        };
        let (url, basic) = address_of(&address).ok_or_else(|| EndpointError::Url {
            found: found.clone(),
            url: without_credentials(&address).to_owned(),
        })?;
        let token = match variable("SKYPILOT_SERVICE_ACCOUNT_TOKEN") {
            Some(token) => Some((token.to_owned(), "SKYPILOT_SERVICE_ACCOUNT_TOKEN".to_owned())),
            None => settings.server("service_account_token"),
        };
        let token = match token {
            // What a header cannot hold is no token either.
            Some((token, _)) if token.starts_with("sky_") && token.bytes().all(|b| b.is_ascii_graphic()) => Some(token),
            Some((_, found)) => return Err(EndpointError::Token { found }),
            None => None,
        };
        let cookies = match variable("SKYPILOT_API_COOKIE_FILE") {
            Some(path) => identity::expand(path, &home),
            None => home.join(".sky/cookies.txt"),
        };
        let login = identity::login_name(environment);
        Ok(Some(Self {
            url,
            found,
            cookies: (token.is_none() && basic.is_none() && cookies.is_file()).then_some(cookies),
            token,
            basic,
            user_id: identity::user_id(&home, &login, environment),
            user_name: variable("SKYPILOT_USER").map_or(login, str::to_owned),
            client_config: settings.for_requests(),
        }))
    }
}

/// Splits an address into itself without credentials, and these; `None` if it is none of http or https.
fn address_of(text: &str) -> Option<(String, Option<(String, String)>)> {
    let mut url = Url::parse(text.trim()).ok()?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return None;
    }
    let basic = (!url.username().is_empty() || url.password().is_some())
        .then(|| (percent_decoded(url.username()), percent_decoded(url.password().unwrap_or_default())));
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    Some((url.as_str().trim_end_matches('/').to_owned(), basic))
}

/// What is shown of an address that is none: nothing before an `@`.
fn without_credentials(text: &str) -> &str {
    text.rsplit_once('@').map_or(text, |(_, rest)| rest)
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        rest = match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                bytes.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                after
            }
            _ => {
                bytes.push(*first);
                tail
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("url", &self.url).field("found", &self.found).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    /// A home and a project, and the variables that lead there.
    struct Place {
        dir: tempfile::TempDir,
        environment: BTreeMap<String, String>,
    }

    impl Place {
        fn new(variables: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir_all(dir.path().join("home/.sky")).unwrap();
            fs::create_dir_all(dir.path().join("project")).unwrap();
            let mut environment: BTreeMap<String, String> = [
                ("HOME", dir.path().join("home").to_str().unwrap()),
                ("PWD", dir.path().join("project").to_str().unwrap()),
                ("LOGNAME", "ada"),
            ]
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .into();
            environment.extend(variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
            Self { dir, environment }
        }
        fn path(&self, name: &str) -> std::path::PathBuf {
            self.dir.path().join(name)
        }
        fn write(&self, name: &str, text: &str) -> &Self {
            fs::write(self.path(name), text).unwrap();
            self
        }
        fn find(&self, configured: Option<&str>) -> Result<Option<Endpoint>, String> {
            Endpoint::find(configured, &self.environment).map_err(|e| e.to_string().replace(self.root(), ""))
        }
        fn root(&self) -> &str {
            self.dir.path().to_str().unwrap()
        }
        fn where_found(&self, configured: Option<&str>) -> String {
            let found = self.find(configured).unwrap().unwrap();
            format!("{} from {}", found.url, found.found.replace(self.root(), ""))
        }
    }

    #[test]
    fn nothing_names_one() {
        let place = Place::new(&[]);
        assert!(place.find(None).unwrap().is_none());
        assert!(!place.path("home/.sky/user_hash").exists(), "an identity nobody needs");
        place.write("home/.sky/config.yaml", "# empty\n").write("project/.sky.yaml", "");
        assert!(place.find(None).unwrap().is_none());
    }

    #[test]
    fn the_order_of_places() {
        let mut place = Place::new(&[]);
        place.write("home/.sky/config.yaml", "api_server:\n  endpoint: http://global/\n");
        assert_eq!(place.where_found(None), "http://global from /home/.sky/config.yaml");
        place.write("project/.sky.yaml", "api_server: {endpoint: 'http://project:1//'}\n");
        assert_eq!(place.where_found(None), "http://project:1 from /project/.sky.yaml");
        place.environment.insert("SKYPILOT_API_SERVER_ENDPOINT".into(), "https://env/sky/".into());
        assert_eq!(place.where_found(None), "https://env/sky from SKYPILOT_API_SERVER_ENDPOINT");
        assert_eq!(place.where_found(Some("http://ours")), "http://ours from the configuration");
    }

    #[test]
    fn moved_files() {
        let place = Place::new(&[("SKYPILOT_GLOBAL_CONFIG", "~/other.yaml")]);
        place.write("home/other.yaml", "api_server: {endpoint: http://moved}\n");
        assert_eq!(place.where_found(None), "http://moved from /home/other.yaml");
        let place = Place::new(&[("SKYPILOT_PROJECT_CONFIG", "/nowhere/at/all.yaml")]);
        assert_eq!(
            place.find(None).unwrap_err(),
            "/nowhere/at/all.yaml: No such file or directory (os error 2) (named by SKYPILOT_PROJECT_CONFIG)"
        );
    }

    #[test]
    fn addresses_that_are_none() {
        for (text, shown) in [
            ("ftp://x", "ftp://x"),
            ("server:46580", "server:46580"),
            ("", ""),
            ("http://", "http://"),
            ("htp://me:secret@host", "host"),
        ] {
            let error = Place::new(&[]).find(Some(text)).unwrap_err();
            assert_eq!(error, format!("the configuration: \"{shown}\" is not the address of an API server"));
        }
    }

    #[test]
    fn credentials_in_their_order() {
        let mut place = Place::new(&[]);
        let url = Some("https://me%40home:p%2Fw%zz@host/");
        let found = place.find(url).unwrap().unwrap();
        assert_eq!((found.url.as_str(), found.token), ("https://host", None));
        assert_eq!(found.basic, Some(("me@home".into(), "p/w%zz".into())));

        place.write("home/.sky/cookies.txt", "");
        assert_eq!(place.find(url).unwrap().unwrap().cookies, None);
        let cookies = place.find(Some("https://host")).unwrap().unwrap().cookies;
        assert_eq!(cookies.as_deref(), Some(place.path("home/.sky/cookies.txt").as_path()));

        place.write("home/.sky/config.yaml", "api_server: {service_account_token: sky_file}\n");
        let found = place.find(Some("https://host")).unwrap().unwrap();
        assert_eq!((found.token.as_deref(), found.cookies), (Some("sky_file"), None));
        place.environment.insert("SKYPILOT_SERVICE_ACCOUNT_TOKEN".into(), "sky_env".into());
        assert_eq!(place.find(Some("https://host")).unwrap().unwrap().token.as_deref(), Some("sky_env"));

        for bad in ["secret", "sky_\nsecret"] {
            place.environment.insert("SKYPILOT_SERVICE_ACCOUNT_TOKEN".into(), bad.into());
            assert_eq!(
                place.find(Some("https://host")).unwrap_err(),
                "SKYPILOT_SERVICE_ACCOUNT_TOKEN: the token of a service account starts with \"sky_\""
            );
        }
    }

    #[test]
    fn the_identity_is_made_once() {
        let mut place = Place::new(&[]);
        fs::remove_dir(place.path("home/.sky")).unwrap();
        let first = place.find(Some("http://h")).unwrap().unwrap();
        assert_eq!(first.user_name, "ada");
        assert!(first.user_id.len() == 8 && first.user_id.bytes().all(|b| b.is_ascii_hexdigit()), "{}", first.user_id);
        let file = place.path("home/.sky/user_hash");
        assert_eq!(fs::read_to_string(&file).unwrap(), first.user_id);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

        place.write("home/.sky/user_hash", "0123abcd\n");
        assert_eq!(place.find(Some("http://h")).unwrap().unwrap().user_id, "0123abcd");
        place.environment.insert("SKYPILOT_USER_ID".into(), "not valid".into());
        assert_eq!(place.find(Some("http://h")).unwrap().unwrap().user_id, "0123abcd");
        place.environment.insert("SKYPILOT_USER_ID".into(), "sa-1-x".into());
        place.environment.insert("SKYPILOT_USER".into(), "grace".into());
        let other = place.find(Some("http://h")).unwrap().unwrap();
        assert_eq!((other.user_id.as_str(), other.user_name.as_str()), ("sa-1-x", "grace"));
    }

    #[test]
    fn what_goes_with_requests() {
        let place = Place::new(&[]);
        place.write(
            "home/.sky/config.yaml",
            "api_server: {endpoint: http://h}\nadmin_policy: a.b\njobs: {controller: {a: 1, b: 2}}\nlist: [1]\n",
        );
        place.write("project/.sky.yaml", "jobs: {controller: {b: 3}}\nlist: [2]\nactive_workspace: w\n");
        assert_eq!(
            place.find(None).unwrap().unwrap().client_config,
            serde_json::json!({"jobs": {"controller": {"a": 1, "b": 3}}, "list": [2], "active_workspace": "w"})
        );
        assert_eq!(Place::new(&[]).find(Some("http://h")).unwrap().unwrap().client_config, serde_json::json!({}));
    }

    #[test]
    fn files_that_are_none() {
        for (text, part) in [("a: [", "config.yaml: "), ("- 1\n", "a table of keys was expected")] {
            let place = Place::new(&[]);
            place.write("home/.sky/config.yaml", text);
            let error = place.find(None).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        // A secret in a broken file stays there.
        let place = Place::new(&[]);
        place.write("home/.sky/config.yaml", "api_server: {service_account_token: sky_SECRET\n  ]: x\n");
        let error = place.find(None).unwrap_err();
        assert!(!error.contains("SECRET"), "{error}");
    }

    #[test]
    fn no_secret_is_shown() {
        let mut place = Place::new(&[]);
        place.environment.insert("SKYPILOT_SERVICE_ACCOUNT_TOKEN".into(), "sky_SECRET".into());
        let found = place.find(Some("http://u:SECRET@h")).unwrap().unwrap();
        assert!(!format!("{found:?}").contains("SECRET"));
    }
}
