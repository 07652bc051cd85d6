//! A server for tests: HTTP/1.1 by hand, one connection after the other, replies by a script.

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
    thread,
};

/// What the server does with one request.
pub enum Reply {
    /// Answers: status, more headers, body.
    Says(u16, &'static str, Vec<u8>),
    /// Reads the request and closes the connection.
    Cut,
    /// Sends raw bytes and closes.
    Raw(Vec<u8>),
    /// Answers when told to.
    When(mpsc::Receiver<()>, Vec<u8>),
}

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub line: String,
    pub headers: Vec<String>,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
    pub fn has(&self, header: &str) -> bool {
        self.headers.iter().any(|h| h.eq_ignore_ascii_case(header))
    }
}

pub struct Server {
    pub url: String,
    pub seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Gives out `replies` in order; what is asked after them is an error of the test.
    pub fn new(replies: Vec<Reply>) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), replies)
    }

    pub fn on(listener: TcpListener, replies: Vec<Reply>) -> Self {
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let all = seen.clone();
        thread::spawn(move || {
            let mut replies = replies.into_iter();
            for stream in listener.incoming() {
                serve(stream.unwrap(), &mut replies, &all);
            }
        });
        Self { url, seen }
    }

    pub fn lines(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|seen| seen.line.clone()).collect()
    }

    pub fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().unwrap().clone()
    }
}

/// One connection, until a reply closes it.
fn serve(stream: TcpStream, replies: &mut impl Iterator<Item = Reply>, all: &Mutex<Vec<Seen>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut out = stream;
    while let Some(seen) = read(&mut reader) {
        all.lock().unwrap().push(seen);
        let (status, more, body) = match replies.next() {
            Some(Reply::Says(status, more, body)) => (status, more, body),
            Some(Reply::Cut) => return,
            Some(Reply::Raw(bytes)) => return out.write_all(&bytes).unwrap_or(()),
            Some(Reply::When(told, body)) => {
                let _ = told.recv();
                (200, "", body)
            }
            None => (400, "", br#"{"detail": "asked too often"}"#.to_vec()),
        };
        let version = if more.contains("X-SkyPilot-API-Version") { "" } else { "X-SkyPilot-API-Version: 62\r\n" };
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{version}{more}\r\n", body.len());
        if out.write_all(head.as_bytes()).and_then(|()| out.write_all(&body)).is_err() {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Seen> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let length = lines.iter().find_map(|l| l.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let line = lines.remove(0).trim_end_matches(" HTTP/1.1").to_owned();
    Some(Seen { line, headers: lines, body })
}
