//! What an answer means: its status, and the record of a request. Pure.

use super::{
    Error, OLDEST_API_VERSION,
    text::{page_title, plain},
};
use serde_json::Value;

/// Why one attempt gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// Nothing happened on the server: asking again does no harm.
    NotSent(String),
    /// It was sent, and what became of it is not known.
    Lost(String),
    /// There is no such request, or no such path.
    Missing(String),
    /// An answer, which asking again would not change.
    Finally(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Finally(error)
    }
}

/// The `kind` of an answer to a request that a restart of the server ended.
const INTERRUPTED: &str = "RequestInterruptedError";

/// What an answer that is not 200 means. `location` is where it redirects to.
pub(super) fn failure(status: u16, text: &str, location: Option<&str>) -> Failed {
    let json: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    let said = said(&json, text);
    let or = |default: &str| if said.is_empty() { default.to_owned() } else { said.clone() };
    match status {
        300..400 => Failed::Finally(redirected(location.unwrap_or("elsewhere"))),
        400 if json.get("error").and_then(Value::as_str) == Some("version_mismatch") => {
            let message = json.get("message").and_then(Value::as_str).unwrap_or("its version does not go with ours");
            Failed::Finally(Error::Version(format!("SkyPilot API server: {}", plain(message))))
        }
        401 | 403 => Failed::Finally(Error::Login(or("it gave no reason"))),
        404 => Failed::Missing(or("not found")),
        408 | 502 | 504 => Failed::Lost(or(&format!("a proxy answered with status {status}"))),
        413 => {
            Failed::Finally(refused(format!("the SkyPilot API server does not take so much data: {}", or("no more"))))
        }
        429 => Failed::NotSent(or("it asks to be left alone for a while")),
        500 => match json.get("detail") {
            Some(record) if record.get("status").is_some() || record.get("error").is_some() => of_record(record),
            // What its framework says where it fell over itself, which is no verdict on what it was asked.
            None if json.is_null() => Failed::Lost(or("it failed, and gave no reason")),
            _ => Failed::Finally(refused(format!("the SkyPilot API server failed: {}", or("it gave no reason")))),
        },
        // The server's own 503 comes before anything is done; a proxy's may come after.
        503 if json.get("detail").is_some() => Failed::NotSent(or("it is overloaded")),
        503 => Failed::Lost(or("it is overloaded")),
        507 => Failed::Finally(refused(format!("the SkyPilot API server's disk is full: {}", or("no space left")))),
        // Not what the server itself says: its words are JSON.
        400 if json.is_null() => Failed::Lost(or("a proxy does not take the request")),
        400 | 422 => Failed::Finally(refused(or("the SkyPilot API server does not take the request"))),
        _ => Failed::Finally(Error::Nonsense(format!("status {status}: {}", or("no text")))),
    }
}

fn refused(message: String) -> Error {
    Error::Refused { kind: String::new(), message }
}

fn redirected(location: &str) -> Error {
    // What comes after the path may be a login's state.
    let place = location.split(['?', '#']).next().unwrap_or_default();
    let place = place.rsplit_once('@').map_or(place, |(_, rest)| rest);
    Error::Login(format!("it sends us to {}. Log in with `sky api login`, or correct the endpoint", plain(place)))
}

/// What an error's body says: FastAPI's `detail`, a bare JSON string, a page's title, else the text.
fn said(json: &Value, text: &str) -> String {
    match json.get("detail").unwrap_or(json) {
        Value::String(text) => plain(text),
        Value::Array(list) => list.iter().map(field_error).collect::<Vec<_>>().join("; "),
        // Not JSON at all: a proxy's words.
        Value::Null if text.trim() != "null" => page_title(text).unwrap_or_else(|| plain(text)),
        Value::Null => String::new(),
        Value::Object(empty) if empty.is_empty() => String::new(),
        other => plain(other.get("message").and_then(Value::as_str).unwrap_or(&other.to_string())),
    }
}

/// One of a 422's list: `{type, loc, msg}`. Its `input` is what we sent, and is not shown.
fn field_error(error: &Value) -> String {
    let path = error.get("loc").and_then(Value::as_array).into_iter().flatten();
    let path: Vec<String> = path.map(|p| p.as_str().map_or_else(|| p.to_string(), str::to_owned)).collect();
    let message = error.get("msg").and_then(Value::as_str).unwrap_or("wrong");
    plain(&format!("{}: {message}", path.join(".")))
}

/// What a request gave, by its record at `/api/get`.
pub(super) fn returned(record: &Value) -> Result<Value, Failed> {
    match record.get("status").and_then(Value::as_str) {
        Some("SUCCEEDED") => inner(record.get("return_value")),
        Some("FAILED" | "CANCELLED") => Err(of_record(record)),
        Some(status) => Err(Error::Nonsense(format!("a request in state {}", plain(status))).into()),
        None => Err(Error::Nonsense("a request's record without a status".into()).into()),
    }
}

/// JSON inside a string; what is no string is taken as it is.
fn inner(value: Option<&Value>) -> Result<Value, Failed> {
    match value {
        Some(Value::String(text)) => serde_json::from_str(text)
            .map_err(|e| Error::Nonsense(format!("the value of a request is not JSON ({e})")).into()),
        other => Ok(other.cloned().unwrap_or(Value::Null)),
    }
}

/// The failure that a record tells of.
fn of_record(record: &Value) -> Failed {
    if record.get("status").and_then(Value::as_str) == Some("CANCELLED") {
        let message = "the request was cancelled on the SkyPilot API server".to_owned();
        return Failed::Finally(Error::Refused { kind: "RequestCancelled".into(), message });
    }
    let error = match inner(record.get("error")) {
        Ok(error) => error,
        Err(failed) => return failed,
    };
    let text = |key: &str| error.get(key).and_then(Value::as_str).map(plain).unwrap_or_default();
    let (kind, message) = (text("type"), text("message"));
    if kind == INTERRUPTED || record.get("should_retry").and_then(Value::as_bool) == Some(true) {
        return Failed::Missing(if message.is_empty() { "the server was restarted".into() } else { message });
    }
    let message = match (message.is_empty(), kind.is_empty()) {
        (false, _) => message,
        (true, false) => kind.clone(),
        (true, true) => "the request failed on the SkyPilot API server, which did not say why".into(),
    };
    Failed::Finally(Error::Refused { kind, message })
}

/// Whether a server of this API version is one we speak to.
pub(super) fn check_version(version: u32) -> Result<(), Error> {
    if version >= OLDEST_API_VERSION {
        return Ok(());
    }
    Err(Error::Version(format!(
        "the SkyPilot API server speaks API version {version}, and skyslurm {OLDEST_API_VERSION} and later: upgrade the server to SkyPilot 0.11 or later"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn finally(status: u16, body: &Value) -> String {
        match failure(status, &body.to_string(), None) {
            Failed::Finally(error) => format!("{error:?}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn statuses() {
        let list = json!({"detail": [{"type": "missing", "loc": ["body", "name", 0], "msg": "Field required",
            "input": {"env_vars": {"TOKEN": "SECRET"}}}]});
        let table = [
            (400, json!({"detail": "Bad \u{1b}[1mtask\u{1b}[0m"})),
            (400, json!({"error": "version_mismatch", "message": "Upgrade\u{1b}[0m it."})),
            (401, json!("Unauthorized")),
            (401, json!({"detail": "Invalid or expired service account token"})),
            (403, Value::Null),
            (404, json!({"detail": "Request 'x' not found"})),
            (413, json!({"detail": "Upload of 2 GB exceeds the 1 GB limit"})),
            (418, json!({})),
            (422, list),
            (429, json!({})),
            (500, json!({"detail": "boom"})),
            (503, json!({"detail": "shutting down"})),
            (504, Value::Null),
            (507, json!({"detail": "3 GB needed"})),
        ];
        let shown: String = table.iter().map(|(s, body)| format!("{s} {}\n", finally(*s, body))).collect();
        insta::assert_snapshot!(shown, @r#"
        400 Refused { kind: "", message: "Bad task" }
        400 Version("SkyPilot API server: Upgrade it.")
        401 Login("Unauthorized")
        401 Login("Invalid or expired service account token")
        403 Login("it gave no reason")
        404 Missing("Request 'x' not found")
        413 Refused { kind: "", message: "the SkyPilot API server does not take so much data: Upload of 2 GB exceeds the 1 GB limit" }
        418 Nonsense("status 418: no text")
        422 Refused { kind: "", message: "body.name.0: Field required" }
        429 NotSent("it asks to be left alone for a while")
        500 Refused { kind: "", message: "the SkyPilot API server failed: boom" }
        503 NotSent("shutting down")
        504 Lost("a proxy answered with status 504")
        507 Refused { kind: "", message: "the SkyPilot API server's disk is full: 3 GB needed" }
        "#);
    }

    #[test]
    fn words_of_proxies() {
        let html = "<html><head><title>503 Service Unavailable</title></head></html>";
        assert_eq!(failure(503, html, None), Failed::Lost("503 Service Unavailable".into()));
        assert_eq!(failure(400, html, None), Failed::Lost("503 Service Unavailable".into()));
        assert_eq!(failure(500, "Internal Server Error", None), Failed::Lost("Internal Server Error".into()));
        assert_eq!(failure(502, "", None), Failed::Lost("a proxy answered with status 502".into()));
        let failed = failure(302, "", Some("https://u:SECRET@login.example/oauth2/start?state=SECRET"));
        let Failed::Finally(Error::Login(message)) = failed else { panic!("{failed:?}") };
        assert_eq!(
            message,
            "it sends us to login.example/oauth2/start. Log in with `sky api login`, or correct the endpoint"
        );
    }

    #[test]
    fn records() {
        let record =
            |status: &str, value: Value, error: Value| json!({"status": status, "return_value": value, "error": error});
        let value = |v: &Value| returned(v).map_err(|e| format!("{e:?}"));
        assert_eq!(value(&record("SUCCEEDED", json!("[1, 2]"), json!("null"))), Ok(json!([1, 2])));
        assert_eq!(value(&record("SUCCEEDED", json!("null"), Value::Null)), Ok(Value::Null));
        assert_eq!(value(&record("SUCCEEDED", Value::Null, Value::Null)), Ok(Value::Null));
        assert_eq!(value(&record("SUCCEEDED", json!({"a": 1}), Value::Null)), Ok(json!({"a": 1})));
        let failures = [
            record("SUCCEEDED", json!("{"), Value::Null),
            record("CANCELLED", json!("null"), json!("null")),
            record(
                "FAILED",
                json!("null"),
                json!("{\"type\": \"ValueError\", \"message\": \"no \\u001b[1mway\\u001b[0m\", \"object\": \"gASV\"}"),
            ),
            record("FAILED", json!("null"), json!({"type": "KeyError"})),
            record("FAILED", json!("null"), json!("null")),
            record(
                "FAILED",
                json!("null"),
                json!("{\"type\": \"RequestInterruptedError\", \"message\": \"restarted\"}"),
            ),
            record("RUNNING", Value::Null, Value::Null),
            json!({"status": "FAILED", "should_retry": true}),
            json!([]),
            Value::Null,
        ];
        let shown: String = failures.iter().map(|r| format!("{}\n", value(r).unwrap_err())).collect();
        insta::assert_snapshot!(shown, @r#"
        Finally(Nonsense("the value of a request is not JSON (EOF while parsing an object at line 1 column 1)"))
        Finally(Refused { kind: "RequestCancelled", message: "the request was cancelled on the SkyPilot API server" })
        Finally(Refused { kind: "ValueError", message: "no way" })
        Finally(Refused { kind: "KeyError", message: "KeyError" })
        Finally(Refused { kind: "", message: "the request failed on the SkyPilot API server, which did not say why" })
        Missing("restarted")
        Finally(Nonsense("a request in state RUNNING"))
        Missing("the server was restarted")
        Finally(Nonsense("a request's record without a status"))
        Finally(Nonsense("a request's record without a status"))
        "#);
        // The same inside a 500.
        let detail =
            json!({"detail": record("FAILED", Value::Null, json!("{\"type\": \"ValueError\", \"message\": \"x\"}"))});
        assert_eq!(finally(500, &detail), r#"Refused { kind: "ValueError", message: "x" }"#);
    }

    proptest::proptest! {
        #[test]
        fn any_answer(status in 0_u16..1000, text in ".*", location in proptest::option::of(".*")) {
            let _ = failure(status, &text, location.as_deref());
        }
    }
}
