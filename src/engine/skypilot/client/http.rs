//! Sending: one connection pool, the headers of every request, and patience with a server that is away.

use super::{
    API_VERSION, Client, Error,
    answer::{Failed, check_version, failure},
    cookies::CookieFile,
    reach::{Pauses, Reach},
    read::{failure_text, text_of},
};
use reqwest::{
    Method, Response, Url,
    header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION},
};
use std::{
    error::Error as _,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// The release whose API [`API_VERSION`] is.
const SKYPILOT_VERSION: &str = "0.14.1";
const VERSION_HEADER: HeaderName = HeaderName::from_static("x-skypilot-api-version");
const RELEASE_HEADER: HeaderName = HeaderName::from_static("x-skypilot-version");
const ID_HEADER: HeaderName = HeaderName::from_static("x-skypilot-request-id");

/// A wait that is longer was cut for its length: no other attempt takes so long to fail.
const LONG: Duration = Duration::from_secs(20);

/// So often in a row the end of a request is waited for as long as an answer may take. Then whoever waits sees to other things.
pub(super) const WAITS: u32 = 5;

/// What has to come within the time that an answer may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Within {
    /// All of it; the server gives it within milliseconds.
    All,
    /// All of it, which comes when something has happened: asking again costs nothing.
    Wait,
    /// That it begins. Its pieces come when something has happened.
    Head,
    /// It is for the caller to see how what is sent goes on.
    Open,
}

/// What is said of an answer that did not come.
pub(super) const NOT_IN_TIME: &str = "no answer in time";

/// What all clones of a client share.
pub(super) struct Wire {
    /// Base of all addresses, without a trailing `/`.
    base: Url,
    headers: HeaderMap,
    cookies: Option<Arc<CookieFile>>,
    /// Made when first needed: reading the machine's certificates takes time.
    client: OnceLock<Result<reqwest::Client, String>>,
    /// The server's API version by its last answer; 0: not known.
    version: AtomicU32,
    pub(super) reach: Reach,
}

/// Whether sending a request again, after its answer was lost, could do something twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Again {
    /// It could not.
    Harmless,
    /// It could.
    Twice,
}

/// What is sent.
pub(super) struct Ask<'a> {
    pub method: Method,
    pub path: &'a str,
    pub query: &'a [(&'a str, &'a str)],
    pub body: Body<'a>,
    pub within: Within,
    pub again: Again,
}

/// With what.
pub(super) enum Body<'a> {
    None,
    Json(&'a serde_json::Value),
    Chunk(&'a super::blob::Chunk<'a>),
}

/// An answer of status 200: the id of the request it began, and the answer itself, unread.
pub(super) struct Answer {
    pub id: Option<String>,
    pub response: Response,
}

impl Wire {
    pub(super) fn new(endpoint: &super::Endpoint) -> Result<Self, Error> {
        let wrong = |what: &str| Error::Login(format!("{what} cannot be sent in a header"));
        let base = Url::parse(&endpoint.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| Error::Unreachable { endpoint: endpoint.url.clone(), why: "it is no address".into() })?;
        let mut headers = HeaderMap::new();
        headers.insert(VERSION_HEADER, HeaderValue::from(API_VERSION));
        headers.insert(RELEASE_HEADER, HeaderValue::from_static(SKYPILOT_VERSION));
        let authorization = match (&endpoint.token, &endpoint.basic) {
            (Some(token), _) => Some(format!("Bearer {token}")),
            (None, Some((user, password))) => {
                use base64::Engine;
                let both = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
                Some(format!("Basic {both}"))
            }
            (None, None) => None,
        };
        if let Some(text) = authorization {
            let mut value = HeaderValue::try_from(text).map_err(|_| wrong("the token"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let cookies = endpoint.cookies.as_ref().map(|path| Arc::new(CookieFile::new(path, &base)));
        Ok(Self {
            base,
            headers,
            cookies,
            client: OnceLock::new(),
            version: AtomicU32::new(0),
            reach: Reach::default(),
        })
    }

    fn client(&self) -> Result<&reqwest::Client, String> {
        self.client.get_or_init(|| self.make().map_err(|e| why(&e))).as_ref().map_err(String::clone)
    }

    fn make(&self) -> Result<reqwest::Client, reqwest::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("skyslurm/", env!("CARGO_PKG_VERSION")))
            .default_headers(self.headers.clone())
            // A POST that is sent elsewhere becomes a GET, or a login page.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            // The server closes a connection that is idle for 5 seconds (uvicorn's default). A submission that is sent as
            // it does so would be one whose answer was lost.
            .pool_idle_timeout(Duration::from_secs(3))
            // A dead peer is found within two minutes, however long an answer takes.
            .tcp_keepalive(Duration::from_secs(60))
            .tcp_keepalive_interval(Duration::from_secs(15))
            .tcp_keepalive_retries(4)
            .tcp_user_timeout(Duration::from_secs(120));
        if let Some(cookies) = &self.cookies {
            builder = builder.cookie_provider(cookies.clone());
        }
        if self.is_loopback() {
            builder = builder.no_proxy();
        }
        if self.base.scheme() == "http" {
            // No certificate is ever looked at: none are read.
            let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            if let Ok(tls) = tls {
                let tls = tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
                builder = builder.tls_backend_preconfigured(tls);
            }
        } else {
            // Fails if there is one already, which serves as well.
            let _ = rustls::crypto::CryptoProvider::install_default(Arc::unwrap_or_clone(provider));
        }
        builder.build()
    }

    fn is_loopback(&self) -> bool {
        let host = self.base.host_str().unwrap_or_default().trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

fn header(response: &Response, name: &HeaderName) -> Option<String> {
    response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned)
}

/// The innermost cause, which tells most: `Connection refused (os error 111)`.
pub(super) fn why(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match (error.is_timeout(), std::ptr::addr_eq(cause, error)) {
        (true, _) if error.is_connect() => "no connection within 10 seconds".into(),
        (true, _) => NOT_IN_TIME.into(),
        // Its own words name the whole address.
        (false, true) => "the connection failed".into(),
        (false, false) => cause.to_string(),
    }
}

/// Whether the server's certificate, or its TLS, is what is wrong.
fn is_tls(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<rustls::Error>() {
            return true;
        }
        // The source of an I/O error is that of what it wraps, which may be an I/O error again.
        cause = match inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => inner.source(),
        };
    }
    false
}

impl Client {
    /// The server's API version by its last answer; 0: none yet.
    pub(super) fn version_heard(&self) -> u32 {
        self.wire.version.load(Ordering::Relaxed)
    }

    /// The server's API version, asked for if no answer has told it yet.
    pub(super) async fn version(&self) -> Result<u32, Error> {
        match self.version_heard() {
            0 => Ok(self.health().await?.api_version),
            version => Ok(version),
        }
    }

    /// That the server is new enough for `what`.
    pub(super) async fn at_least(&self, needed: u32, what: &str) -> Result<(), Error> {
        is_enough(self.version().await?, needed, what)
    }

    /// Notes the version that an answer told.
    pub(super) fn heard(&self, version: u32) -> Result<(), Error> {
        self.wire.version.store(version, Ordering::Relaxed);
        check_version(version)
    }

    pub(super) fn unreachable(&self, why: String) -> Error {
        Error::Unreachable { endpoint: self.endpoint.url.clone(), why }
    }

    /// Sends, once.
    async fn attempt(&self, ask: &Ask<'_>) -> Result<Answer, Failed> {
        let answer = match ask.within {
            Within::Head => match tokio::time::timeout(self.within, self.once(ask)).await {
                Ok(answer) => answer,
                Err(_) => Err(Failed::Lost(NOT_IN_TIME.into())),
            },
            _ => self.once(ask).await,
        };
        match &answer {
            Ok(_) => self.wire.reach.is_back(),
            Err(Failed::NotSent(_) | Failed::Lost(_)) => self.wire.reach.is_away(),
            Err(_) => {}
        }
        answer
    }

    async fn once(&self, ask: &Ask<'_>) -> Result<Answer, Failed> {
        let url = format!("{}{}", self.endpoint.url, ask.path);
        let client = self.wire.client().map_err(|why| self.unreachable(why))?;
        let mut request = client.request(ask.method.clone(), url).query(ask.query);
        if matches!(ask.within, Within::All | Within::Wait) {
            request = request.timeout(self.within);
        }
        request = match ask.body {
            Body::None => request,
            Body::Json(value) => request.json(value),
            Body::Chunk(chunk) => chunk.put(request).await?,
        };
        let response = self.answered(request, 200).await?;
        Ok(Answer { id: header(&response, &ID_HEADER), response })
    }

    /// Sends a request whose answer is to have `status`.
    async fn answered(&self, request: reqwest::RequestBuilder, status: u16) -> Result<Response, Failed> {
        let response = request.send().await.map_err(|error| match () {
            () if error.is_builder() => Error::Nonsense(why(&error)).into(),
            () if is_tls(&error) => self.unreachable(why(&error)).into(),
            () if error.is_connect() => Failed::NotSent(why(&error)),
            () => Failed::Lost(why(&error)),
        })?;
        let version = header(&response, &VERSION_HEADER).and_then(|v| v.parse().ok());
        if let Some(version) = version {
            self.heard(version)?;
        }
        let got = response.status().as_u16();
        if got == status {
            return Ok(response);
        }
        let location = header(&response, &LOCATION);
        let text = failure_text(response).await?;
        match failure(got, &text, location.as_deref()) {
            Failed::Missing(what) if version.is_none() => {
                Err(Error::Nonsense(format!("there is no SkyPilot API server at {} ({what})", self.endpoint.url))
                    .into())
            }
            failed => Err(failed),
        }
    }

    /// Asks to go on in another protocol: the answer to a GET with `headers`, of status 101.
    pub(super) async fn upgrade(
        &self,
        path: &str,
        query: &[(&str, &str)],
        headers: HeaderMap,
    ) -> Result<Response, Failed> {
        let client = self.wire.client().map_err(|why| self.unreachable(why))?;
        let request = client.get(format!("{}{path}", self.endpoint.url)).query(query).headers(headers);
        self.answered(request, 101).await
    }

    /// Sends until there is an answer, or patience ends.
    pub(super) async fn send(&self, ask: &Ask<'_>) -> Result<Answer, Failed> {
        let mut pauses = Pauses::new(self.patience);
        loop {
            match self.attempt(ask).await {
                Err(failed) => self.rest(&mut pauses, failed, ask.again).await?,
                answer => return answer,
            }
        }
    }

    /// The same, with the answer's text.
    pub(super) async fn text(&self, ask: &Ask<'_>) -> Result<String, Failed> {
        let (mut pauses, mut waits) = (Pauses::new(self.patience), 0);
        loop {
            let begun = Instant::now();
            let failed = match self.attempt(ask).await {
                Ok(answer) => match text_of(answer.response).await {
                    Err(failed) => failed,
                    text => return text,
                },
                Err(failed) => failed,
            };
            // A wait that is long is cut, by a proxy or by us. That costs no patience, if the server itself is there.
            let waited = ask.within == Within::Wait && begun.elapsed() >= LONG.min(self.within);
            if waited && waits < WAITS && matches!(failed, Failed::Lost(_)) && self.is_there().await {
                (pauses, waits) = (Pauses::new(self.patience), waits + 1);
                continue;
            }
            self.rest(&mut pauses, failed, ask.again).await?;
        }
    }

    async fn is_there(&self) -> bool {
        let (within, again) = (Within::All, Again::Harmless);
        let ask = Ask { method: Method::GET, path: "/api/health", query: &[], body: Body::None, within, again };
        tokio::time::timeout(Duration::from_secs(10), self.attempt(&ask)).await.is_ok_and(|answer| answer.is_ok())
    }

    /// Waits before the next attempt, if there may be one.
    async fn rest(&self, pauses: &mut Pauses, failed: Failed, again: Again) -> Result<(), Failed> {
        let why = match failed {
            Failed::Lost(why) if again == Again::Twice => return Err(Error::MayHaveHappened(why).into()),
            Failed::NotSent(why) | Failed::Lost(why) => why,
            failed => return Err(failed),
        };
        match pauses.rest(&self.wire.reach).await {
            true => Ok(()),
            false => Err(self.unreachable(why).into()),
        }
    }
}

/// That a server of this version is new enough for `what`.
pub(super) fn is_enough(version: u32, needed: u32, what: &str) -> Result<(), Error> {
    match version >= needed {
        true => Ok(()),
        false => Err(Error::Version(format!(
            "the SkyPilot API server speaks API version {version}; {what} needs {needed}: upgrade the server"
        ))),
    }
}
