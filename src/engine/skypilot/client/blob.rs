//! Uploads: a file in chunks, each read as it is sent. To a blob that the server knows by its content, where it has such
//! (`/upload_v2`); else the older way ([`upload_v1`]).

use super::{
    Client, Error,
    answer::Failed,
    http::{Again, Ask, Body, NOT_IN_TIME, WAITS, Within},
    rows::or_default,
    upload_v1,
};
use futures_core::Stream;
use reqwest::{
    Method, RequestBuilder,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use serde::Deserialize;
use std::{
    io,
    path::Path,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    fs::File,
    io::{AsyncRead, AsyncSeekExt, ReadBuf},
    sync::watch,
};

/// As the sky client's (`UPLOAD_CHUNK_BYTES`): below the limits of common proxies.
const CHUNK: u64 = 95_000_000;
/// What is in memory of a file at a time.
const PIECE: u64 = 256 * 1024;
/// How often what the server misses is sent anew.
const ROUNDS: u32 = 3;
/// API version that has `/upload_v2`.
const UPLOAD_V2: u32 = 41;

/// `GET /upload_v2/blob`; of an older server, whether it was sent.
pub(super) async fn has(client: &Client, id: &str, size: u64) -> Result<bool, Error> {
    #[derive(Deserialize)]
    struct Answer {
        exists: bool,
    }
    if client.version().await? < UPLOAD_V2 {
        return Ok(client.sent.has(id));
    }
    let size = size.to_string();
    let query = [("user_hash", client.endpoint.user_id.as_str()), ("blob_id", id), ("size_bytes", &size)];
    client.inline::<Answer>("/upload_v2/blob", &query).await.map(|answer| answer.exists)
}

/// A part of a file.
pub(super) struct Chunk<'a> {
    path: &'a Path,
    from: u64,
    length: u64,
    /// Told how many bytes of the chunk have gone.
    sent: &'a watch::Sender<u64>,
}

impl Chunk<'_> {
    /// Makes it a request's body.
    pub(super) async fn put(&self, request: RequestBuilder) -> Result<RequestBuilder, Failed> {
        let wrong = |why: String| Failed::Finally(Error::File { file: self.path.display().to_string(), why });
        let mut file = File::open(self.path).await.map_err(|e| wrong(e.to_string()))?;
        let size = file.metadata().await.map_err(|e| wrong(e.to_string()))?.len();
        if size < self.from.saturating_add(self.length) {
            return Err(wrong("it became shorter while it was sent".into()));
        }
        file.seek(io::SeekFrom::Start(self.from)).await.map_err(|e| wrong(e.to_string()))?;
        self.sent.send_replace(0);
        let body = Pieces { file, left: self.length, buffer: Vec::new(), sent: self.sent.clone() };
        Ok(request
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, self.length)
            .body(reqwest::Body::wrap_stream(body)))
    }
}

/// A chunk as it is read.
struct Pieces {
    file: File,
    left: u64,
    buffer: Vec<u8>,
    sent: watch::Sender<u64>,
}

impl Stream for Pieces {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.left == 0 {
            return Poll::Ready(None);
        }
        this.buffer.resize(usize::try_from(this.left.min(PIECE)).unwrap_or(usize::MAX), 0);
        let mut buffer = ReadBuf::new(&mut this.buffer);
        ready!(Pin::new(&mut this.file).poll_read(context, &mut buffer))?;
        let piece = buffer.filled().to_vec();
        if piece.is_empty() {
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        let length = piece.len() as u64;
        this.left = this.left.saturating_sub(length);
        this.sent.send_modify(|sent| *sent += length);
        Poll::Ready(Some(Ok(piece)))
    }
}

/// What the server says after each chunk.
#[derive(Deserialize)]
struct Progress {
    status: String,
    /// `part3`
    #[serde(default, deserialize_with = "or_default")]
    missing_chunks: Vec<String>,
}

/// `POST /upload_v2`, for every chunk; to an older server the older way.
pub(super) async fn upload(client: &Client, id: &str, path: &Path, sent: &(dyn Fn(u64) + Sync)) -> Result<(), Error> {
    match client.version().await? {
        UPLOAD_V2.. => upload_to(client, "/upload_v2", id, path, sent).await,
        _ => upload_v1::upload(client, id, path, sent).await,
    }
}

/// The same to `endpoint`, as upload `id`.
pub(super) async fn upload_to(
    client: &Client,
    endpoint: &str,
    id: &str,
    path: &Path,
    sent: &(dyn Fn(u64) + Sync),
) -> Result<(), Error> {
    let size = tokio::fs::metadata(path)
        .await
        .map_err(|e| Error::File { file: path.display().to_string(), why: e.to_string() })?
        .len();
    upload_in(client, (endpoint, id), path, size, CHUNK, sent).await
}

pub(super) async fn upload_in(
    client: &Client,
    to: (&str, &str),
    path: &Path,
    size: u64,
    chunk: u64,
    sent: &(dyn Fn(u64) + Sync),
) -> Result<(), Error> {
    let total = size.div_ceil(chunk).max(1);
    let mut missing: Vec<u64> = (0..total).collect();
    for round in 0..ROUNDS {
        let mut told = Vec::new();
        for index in missing {
            let from = index * chunk;
            let (gone, mut news) = watch::channel(0);
            let part = Chunk { path, from, length: chunk.min(size.saturating_sub(from)), sent: &gone };
            let answer = send(client, to, index, total, &part);
            tokio::pin!(answer);
            let progress = loop {
                // With the last chunk the server unpacks all of them before it answers.
                let has_gone = *gone.borrow() >= part.length;
                let limit = if has_gone { client.within * WAITS } else { client.within };
                tokio::select! {
                    answer = &mut answer => break answer?,
                    // What is sent anew was counted before.
                    Ok(()) = news.changed() => if round == 0 { sent(from + *news.borrow_and_update()) },
                    () = tokio::time::sleep(limit) => return Err(client.unreachable(NOT_IN_TIME.into())),
                }
            };
            if progress.status == "completed" {
                sent(size);
                return Ok(());
            }
            told = progress.missing_chunks;
        }
        missing =
            told.iter().filter_map(|part| part.strip_prefix("part")?.parse().ok()).filter(|i| *i < total).collect();
        if missing.is_empty() {
            break;
        }
    }
    Err(Error::Nonsense(format!("{} has all chunks and does not say that it is complete", to.0)))
}

async fn send(
    client: &Client,
    (path, id): (&str, &str),
    index: u64,
    total: u64,
    part: &Chunk<'_>,
) -> Result<Progress, Error> {
    let (index, total) = (index.to_string(), total.to_string());
    let query = [
        ("user_hash", client.endpoint.user_id.as_str()),
        ("upload_id", id),
        ("chunk_index", &index),
        ("total_chunks", &total),
    ];
    let again = Again::Harmless;
    let ask = Ask { method: Method::POST, path, query: &query, body: Body::Chunk(part), within: Within::Open, again };
    let text = client.text(&ask).await.map_err(|failed| client.finally(path, failed))?;
    client.parsed(path, text).await
}
