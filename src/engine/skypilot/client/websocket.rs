//! The way to a node's sshd that leads through the server: a websocket, on which ssh's bytes travel.
//!
//! Every message is a byte for its kind and then the content. Servers take others without it from clients that do not
//! tell their version; all that we speak to have the byte (API version 22 and later; read in `sky/server/server.py`). The
//! other kinds measure the line, or send the client elsewhere, and are not asked for.

use super::{API_VERSION, Client, Error, answer::Failed, http::why, text::plain};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use reqwest::{
    Upgraded,
    header::{
        CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message,
        handshake::{client::generate_key, derive_accept_key},
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};

/// So long the server may take to begin. The sky client waits as long.
const OPENING: Duration = Duration::from_secs(60);

/// Bytes in one message, at most.
const PIECE: usize = 64 << 10;

/// No message of the server's is longer: it sends 4 KiB at a time.
const LONGEST: usize = 16 << 20;

/// What the content of a message is.
const DATA: u8 = 0;

type Socket = WebSocketStream<Upgraded>;

/// Connects to the sshd of node `worker` of a cluster at `path`, and hands on what comes from `input` and goes to `output`,
/// until one side ends.
pub(super) async fn splice(
    client: &Client,
    path: &str,
    (cluster, worker): (&str, usize),
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
) -> Result<(), Error> {
    let opening = tokio::time::timeout(OPENING, open(client, path, cluster, worker)).await;
    let opened = opening.unwrap_or_else(|_| Err(Failed::NotSent("no answer in time".into())));
    let (to_server, from_server) = opened.map_err(|failed| client.finally(path, failed))?.split();
    tokio::select! {
        ended = send(input, to_server) => ended,
        ended = receive(from_server, output) => ended,
    }
    .map_err(|failed| client.finally(path, failed))
}

async fn open(client: &Client, path: &str, cluster: &str, worker: usize) -> Result<Socket, Failed> {
    let key = generate_key();
    let mut headers = HeaderMap::new();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::try_from(&key).map_err(|e| Error::Nonsense(e.to_string()))?);
    let (worker, version) = (worker.to_string(), API_VERSION.to_string());
    let query = [("cluster_name", cluster), ("worker", &*worker), ("client_version", &*version), ("no_redirect", "1")];
    let response = client.upgrade(path, &query, headers).await?;
    let accepted = response.headers().get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
    if accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
        return Err(Error::Nonsense(format!("{path} is no websocket")).into());
    }
    let stream = response.upgrade().await.map_err(|error| Failed::Lost(why(&error)))?;
    let config = WebSocketConfig::default().max_message_size(Some(LONGEST)).max_frame_size(Some(LONGEST));
    Ok(WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await)
}

async fn send(mut input: impl AsyncRead + Unpin, mut server: SplitSink<Socket, Message>) -> Result<(), Failed> {
    loop {
        let mut message = Vec::with_capacity(PIECE + 1);
        message.push(DATA);
        match (&mut input).take(PIECE as u64).read_buf(&mut message).await {
            Ok(0) => return server.close().await.map_err(broken),
            Ok(_) => server.send(Message::binary(message)).await.map_err(broken)?,
            Err(error) => return Err(Failed::Lost(error.to_string())),
        }
    }
}

async fn receive(mut server: SplitStream<Socket>, mut output: impl AsyncWrite + Unpin) -> Result<(), Failed> {
    while let Some(message) = server.next().await {
        let message = match message.map_err(broken)? {
            Message::Binary(bytes) => bytes,
            Message::Close(Some(close)) => return closed(&close),
            Message::Close(None) => return Ok(()),
            _ => continue,
        };
        let Some((&DATA, data)) = message.split_first() else { continue };
        let written = async {
            output.write_all(data).await?;
            output.flush().await
        };
        if written.await.is_err() {
            return Ok(()); // ssh has gone
        }
    }
    Ok(())
}

/// The server closes with a reason where it refuses: there is no such cluster, or it is none of that kind.
fn closed(close: &CloseFrame) -> Result<(), Failed> {
    let reason = plain(&close.reason);
    match reason.is_empty() {
        true => Ok(()),
        false => Err(Error::Refused { kind: String::new(), message: reason }.into()),
    }
}

fn broken(error: tungstenite::Error) -> Failed {
    Failed::Lost(format!("the connection broke off: {}", plain(&error.to_string())))
}
