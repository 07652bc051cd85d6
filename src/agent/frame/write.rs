//! Making frames.

use super::{DATA, ENCODINGS, Encoding, KINDS, Kind, MARKER, TEXT, checksum, letter, marker};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compress, Compression, FlushCompress, Status};
use std::io::Write as _;

/// What is longer, in one call, is packed: nobody reads along that fast.
const READABLE: usize = 4096;

/// What has more lines, in one call, is packed: each frame has 40 bytes of its own.
const READABLE_LINES: usize = 64;

/// Makes frames.
pub struct Writer {
    run: u32,
    next: u64,
    deflate: Compress,
    packed: Vec<u8>,
    base64: String,
}

impl Writer {
    /// Begins a run; `run` tells it from every other run of the same job (a random number will do).
    pub fn new(run: u32) -> Self {
        let deflate = Compress::new(Compression::fast(), true);
        Self { run, next: 0, deflate, packed: Vec::new(), base64: String::new() }
    }

    /// Appends the frames that carry `bytes` to `log`: whole lines, each at most 64 KiB long.
    pub fn write(&mut self, kind: Kind, bytes: &[u8], log: &mut Vec<u8>) {
        let much = bytes.len() > READABLE || bytes.iter().filter(|byte| **byte == b'\n').count() > READABLE_LINES;
        if much {
            return self.packed(kind, bytes, log);
        }
        // Lines that cannot be shown go together, so that a progress bar costs one frame.
        let (mut rest, mut hidden) = (bytes, 0);
        while let Some(line) = rest.get(hidden..).and_then(|rest| rest.split_inclusive(|byte| *byte == b'\n').next()) {
            if !readable(line) {
                hidden += line.len();
                continue;
            }
            let (before, after) = rest.split_at(hidden);
            self.packed(kind, before, log);
            self.text(kind, line, log);
            (rest, hidden) = (after.get(line.len()..).unwrap_or_default(), 0);
        }
        self.packed(kind, rest, log);
    }

    /// One frame that can be read.
    fn text(&mut self, kind: Kind, line: &[u8], log: &mut Vec<u8>) {
        match line.strip_suffix(b"\n") {
            Some(text) => self.frame(kind, Encoding::Line, line, text, log),
            None => self.frame(kind, Encoding::Text, line, line, log),
        }
    }

    /// As many frames as it takes.
    fn packed(&mut self, kind: Kind, bytes: &[u8], log: &mut Vec<u8>) {
        for data in bytes.chunks(DATA) {
            let encoding = if self.shrink(data) { Encoding::Zlib } else { Encoding::Plain };
            let mut base64 = std::mem::take(&mut self.base64);
            base64.clear();
            STANDARD.encode_string(if encoding == Encoding::Zlib { &self.packed } else { data }, &mut base64);
            self.frame(kind, encoding, data, base64.as_bytes(), log);
            self.base64 = base64;
        }
    }

    /// Compresses `data` into `self.packed`; false when it does not become smaller.
    fn shrink(&mut self, data: &[u8]) -> bool {
        self.deflate.reset();
        self.packed.clear();
        self.packed.reserve(data.len());
        let end = self.deflate.compress_vec(data, &mut self.packed, FlushCompress::Finish);
        matches!(end, Ok(Status::StreamEnd)) && self.packed.len() < data.len()
    }

    /// One line of the log.
    fn frame(&mut self, kind: Kind, encoding: Encoding, data: &[u8], written: &[u8], log: &mut Vec<u8>) {
        let (run, number) = (self.run, self.next);
        self.next += 1;
        log.extend_from_slice(MARKER);
        let (k, e) = (char::from(letter(&KINDS, &kind)), char::from(letter(&ENCODINGS, &encoding)));
        // Writing to a vector does not fail.
        let _ = write!(log, "{run:08x} {number:x} {k}{e} {:08x}", checksum(run, number, kind, &[data]));
        if !written.is_empty() {
            log.push(b' ');
            log.extend_from_slice(written);
        }
        log.push(b'\n');
    }
}

/// Whether a line comes through any log as it is.
fn readable(line: &[u8]) -> bool {
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    let shown = |c: char| c == '\t' || !(c.is_control() || c == '\u{2028}' || c == '\u{2029}');
    text.len() <= TEXT
        && marker(text).is_none()
        && std::str::from_utf8(text).is_ok_and(|text| text.trim_end() == text && text.chars().all(shown))
}
