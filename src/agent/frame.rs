//! What an agent says in a log that others read too: lines among other lines.
//!
//! Where all that comes back from a node is the log of its job, the agent writes what the script's
//! output and its own events are in *frames*, a line each, and the reader takes them out again, byte for
//! byte, whatever the log has put around them (a prefix with colours, other lines) and however often it
//! shows them again. A frame has the number of its run, a sequence number and a checksum, so that none is
//! taken twice and a missing one is noticed.
//!
//! Short printable lines are left readable, for those who look at the log itself.
//!
//! # Format
//!
//! ```text
//! @skyslurm1 0badcafe 0 O= d5e1128f epoch 3: loss 0.12
//! MARKER     RUN      N KE CHECKSUM DATA
//! ```
//!
//! - the marker, whose digit is the version of the format; whatever is before it on the line is somebody else's;
//! - the run, 8 hex digits; and the frame's number in it, from 0, hex;
//! - the kind, a letter: `O`utput, `E`rror, e`V`ent; and how the data is written:
//!   `=` as text, a newline follows it; `-` as text, no newline follows; `z` zlib, then base64; `b` base64;
//! - CRC-32 of run (4 bytes) and number (8), little-endian, the kind's letter, and the data as it was given;
//! - the data, after one blank; without it there is no blank either. At most [`DATA`] bytes before encoding,
//!   so that a line is never longer than 64 KiB.
//!
//! Text is UTF-8 without control characters other than tab, without the marker, without blanks at its end, and at most
//! [`TEXT`] bytes.

mod read;
mod write;

pub use read::{Found, Gap, Reader};
pub use write::Writer;

use flate2::Crc;

/// What a frame line has before anything else.
const MARKER: &[u8] = b"@skyslurm1 ";

/// Most bytes one frame carries.
pub const DATA: usize = 48_000;

/// Most bytes that are left readable in one frame.
pub const TEXT: usize = 1024;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes of the script's stdout (and of its stderr, where both go to one file).
    Output,
    /// Bytes of the script's stderr.
    Error,
    /// Bytes of the event file: one [`super::Event`] as JSON, given in one call. Only one of more than [`DATA`] bytes comes
    /// in several pieces.
    Event,
}

/// Kinds and their letters.
const KINDS: [(Kind, u8); 3] = [(Kind::Output, b'O'), (Kind::Error, b'E'), (Kind::Event, b'V')];

/// How the data of a frame is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    /// As it is; a newline follows it.
    Line,
    /// As it is.
    Text,
    /// zlib, base64
    Zlib,
    /// base64
    Plain,
}

/// Encodings and their letters.
const ENCODINGS: [(Encoding, u8); 4] =
    [(Encoding::Line, b'='), (Encoding::Text, b'-'), (Encoding::Zlib, b'z'), (Encoding::Plain, b'b')];

/// The letter of a row of a table.
fn letter<T: PartialEq>(table: &[(T, u8)], value: &T) -> u8 {
    table.iter().find(|(row, _)| row == value).map_or(b'?', |(_, letter)| *letter)
}

/// The row of a letter.
fn by_letter<T: Copy>(table: &[(T, u8)], wanted: u8) -> Option<T> {
    table.iter().find(|(_, letter)| *letter == wanted).map(|(row, _)| *row)
}

/// The checksum of a frame.
fn checksum(run: u32, number: u64, kind: Kind, data: &[&[u8]]) -> u32 {
    let mut crc = Crc::new();
    crc.update(&run.to_le_bytes());
    crc.update(&number.to_le_bytes());
    crc.update(&[letter(&KINDS, &kind)]);
    data.iter().for_each(|part| crc.update(part));
    crc.sum()
}

/// Where the marker is in a line.
fn marker(line: &[u8]) -> Option<usize> {
    let first = MARKER.first()?;
    let mut from = 0;
    loop {
        let rest = line.get(from..)?;
        let at = from + rest.iter().position(|byte| byte == first)?;
        if line.get(at..).is_some_and(|rest| rest.starts_with(MARKER)) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests;
