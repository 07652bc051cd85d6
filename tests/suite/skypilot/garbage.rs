//! What no API server answers, but what stands before one may, or what is left of one: the answers of a server that has
//! gone wrong altogether.

use std::{
    io::{self, Write},
    net::TcpStream,
};

/// A wrong answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Garbage {
    /// A proxy's page, with status 200.
    Page,
    /// The API's own headers, and JSON that breaks off.
    Truncated,
    /// JSON of other types than were asked for.
    WrongTypes,
    /// No body.
    Empty,
    /// Far more than anything that is asked for has.
    Huge,
    /// Less than it says that it is going to send; the connection stays.
    TooShort,
    /// More than it says that it is going to send.
    TooLong,
    /// The connection is closed in the middle of the body.
    Broken,
    /// It sends us to where we are.
    Redirect,
    /// A proxy that knows no such page.
    NotFound,
    /// A proxy that does not understand us.
    BadRequest,
    /// Nothing at all; the connection stays.
    Silence,
}

/// All of them.
pub const ALL: [Garbage; 12] = [
    Garbage::Page,
    Garbage::Silence,
    Garbage::Truncated,
    Garbage::WrongTypes,
    Garbage::Empty,
    Garbage::Huge,
    Garbage::TooShort,
    Garbage::TooLong,
    Garbage::Broken,
    Garbage::Redirect,
    Garbage::NotFound,
    Garbage::BadRequest,
];

/// What is left to be done with the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It is kept, with nothing more to come.
    Hold,
    /// It is closed.
    Close,
}

const OURS: &str = "x-skypilot-api-version: 62\r\nx-skypilot-version: 0.14.1\r\nx-skypilot-request-id: gone\r\n\
                    content-type: application/json\r\n";
const PAGE: &str = "<html><head><title>Welcome</title></head><body>nobody is at home</body></html>";

/// So much is sent of what is huge, unless who asked has left: more than may be kept in memory.
const HUGE: usize = 400 << 20;

impl Garbage {
    /// Answers so.
    pub fn send(self, path: &str, to: &mut TcpStream) -> io::Result<Then> {
        let html = "content-type: text/html\r\n";
        let mut say = |status: &str, headers: &str, length: usize, body: &str| {
            to.write_all(format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}").as_bytes())
        };
        let half = r#"{"request_id": "gone", "status": "SUCC"#;
        match self {
            Self::Page => say("200 OK", html, PAGE.len(), PAGE)?,
            Self::Truncated => say("200 OK", OURS, half.len(), half)?,
            Self::WrongTypes => {
                let body = r#"{"status": 7, "jobs": {"job_id": []}, "exists": "perhaps", "return_value": 3, "api_version": {}}"#;
                say("200 OK", OURS, body.len(), body)?;
            }
            Self::Empty => say("200 OK", OURS, 0, "")?,
            Self::TooShort => {
                say("200 OK", OURS, half.len() + 1000, half)?;
                return Ok(Then::Hold);
            }
            Self::TooLong => say("200 OK", OURS, 4, half)?,
            Self::Broken => say("200 OK", OURS, half.len() + 1000, half)?,
            Self::Redirect => say("307 Temporary Redirect", &format!("location: {path}\r\n"), 0, "")?,
            Self::NotFound => say("404 Not Found", html, PAGE.len(), PAGE)?,
            Self::BadRequest => say("400 Bad Request", html, PAGE.len(), PAGE)?,
            Self::Silence => return Ok(Then::Hold),
            Self::Huge => {
                say("200 OK", OURS, HUGE, "")?;
                let piece = vec![b'x'; 1 << 20];
                (0..HUGE / piece.len()).try_for_each(|_| to.write_all(&piece))?;
            }
        }
        Ok(Then::Close)
    }
}
