//! As much of HTTP/1.1 as the server needs: kept connections, bodies with a length or in chunks, answers in one
//! piece or as a stream.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
};

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    /// Without the query.
    pub path: String,
    pub query: Vec<(String, String)>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub fn query(&self, name: &str) -> &str {
        self.query.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str())
    }

    /// The body as JSON; null if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The next request of a connection; `None` at its end.
    pub fn read(from: &mut BufReader<TcpStream>) -> io::Result<Option<Self>> {
        let Some(first) = line(from)? else { return Ok(None) };
        let mut words = first.split(' ');
        let mut request = Self { method: words.next().unwrap_or_default().into(), ..Self::default() };
        let target = words.next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        request.path = path.into();
        for pair in query.split('&').filter(|p| !p.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            request.query.push((unescape(name), unescape(value)));
        }
        while let Some(header) = line(from)?.filter(|h| !h.is_empty()) {
            let (name, value) = header.split_once(':').unwrap_or((&header, ""));
            request.headers.push((name.to_ascii_lowercase(), value.trim().into()));
        }
        if request.header("transfer-encoding").is_some() {
            loop {
                let size = line(from)?.unwrap_or_default();
                let size = u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
                from.take(size).read_to_end(&mut request.body)?;
                line(from)?;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(size) = request.header("content-length").and_then(|l| l.parse().ok()) {
            from.take(size).read_to_end(&mut request.body)?;
            if request.body.len() as u64 != size {
                return Ok(None);
            }
        }
        Ok(Some(request))
    }
}

/// A line without its end; `None` at the end of the connection.
fn line(from: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if from.read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&bytes).trim_end().to_owned()))
}

fn unescape(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        rest = after;
        let hex = |b: &[u8]| u8::from_str_radix(str::from_utf8(b).ok()?, 16).ok();
        match (first, after.get(..2).and_then(hex)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An answer in one piece.
pub struct Answer {
    pub status: u16,
    /// The request's id, for the header.
    pub id: String,
    pub body: String,
}

/// Sends an answer in one piece.
pub fn send(to: &mut TcpStream, api_version: u32, answer: &Answer) -> io::Result<()> {
    let head = head(api_version, answer.status, &answer.id, "application/json");
    to.write_all(format!("{head}content-length: {}\r\n\r\n{}", answer.body.len(), answer.body).as_bytes())
}

/// A streamed answer: chunks until it is ended.
pub struct Stream<'a> {
    to: &'a mut TcpStream,
}

impl<'a> Stream<'a> {
    pub fn begin(to: &'a mut TcpStream, api_version: u32, id: &str) -> io::Result<Self> {
        let head = head(api_version, 200, id, "text/plain; charset=utf-8");
        to.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes())?;
        Ok(Self { to })
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.to.write_all(&chunk)
    }

    pub fn end(self) -> io::Result<()> {
        self.to.write_all(b"0\r\n\r\n")
    }
}

fn head(api_version: u32, status: u16, id: &str, kind: &str) -> String {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        422 => "Unprocessable Entity",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    };
    format!(
        "HTTP/1.1 {status} {reason}\r\nserver: uvicorn\r\ncontent-type: {kind}\r\nx-skypilot-api-version: {api_version}\r\n\
         x-skypilot-version: 0.14.1\r\nx-skypilot-request-id: {id}\r\n"
    )
}
