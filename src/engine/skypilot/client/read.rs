//! Reading an answer to its end: a page is none, and what is far too long is none either.

use super::{Error, answer::Failed, http::why, text::page_title};
use reqwest::{Response, header::CONTENT_TYPE};

/// Longest answer, bytes: at the 450 or so that a real server gives a row, those of an array of 100,000 are half of it.
const LONGEST: usize = 96 << 20;

/// An answer of more bytes takes a while to be understood.
const LARGE: usize = 256 << 10;

/// Longest text of a failure, or of a page, bytes.
const LONGEST_FAILURE: usize = 1 << 20;

/// The text of an answer; a page is none.
pub(super) async fn text_of(response: Response) -> Result<String, Failed> {
    let page = response.headers().get(CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"text/html"));
    let text = text(response, if page { LONGEST_FAILURE } else { LONGEST }).await?;
    match page.then(|| page_title(&text)).flatten() {
        Some(title) => Err(Error::Login(format!(
            "it shows a page (\"{title}\"). Log in with `sky api login`, or correct the endpoint"
        ))
        .into()),
        None => Ok(text),
    }
}

/// The text of an answer that is no success.
pub(super) async fn failure_text(response: Response) -> Result<String, Failed> {
    text(response, LONGEST_FAILURE).await
}

/// Does what takes a while with an answer of this size, if that is large, where nobody waits for it: the controller has one thread.
pub(super) async fn aside<T: Send + 'static>(
    size: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    match size < LARGE {
        true => Ok(work()),
        false => tokio::task::spawn_blocking(work).await.map_err(|died| Error::Nonsense(died.to_string())),
    }
}

async fn text(mut response: Response, longest: usize) -> Result<String, Failed> {
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| Failed::Lost(why(&error)))? {
        if bytes.len() + piece.len() > longest {
            return Err(Error::Nonsense(format!("more than {} MiB", longest >> 20)).into());
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(String::from_utf8(bytes).unwrap_or_else(|wrong| String::from_utf8_lossy(wrong.as_bytes()).into_owned()))
}
