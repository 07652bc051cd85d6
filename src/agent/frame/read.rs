//! Taking frames out of a log.

use super::{DATA, ENCODINGS, Encoding, KINDS, Kind, MARKER, by_letter, checksum, marker};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Decompress, FlushDecompress, Status};

/// A line of more bytes is given up: no frame is that long.
const LONGEST: usize = 256 * 1024;

/// What a reader found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The first frame of another run than the last; what follows is of this run.
    Run(u32),
    /// What the next frame in order carried.
    Data(Kind, Vec<u8>),
    /// A line that is no frame, without its end, its colours and SkyPilot's prefix: somebody else's. Of a line of more
    /// than 256 KiB, the beginning.
    Line(String),
}

/// A frame is missing, or damaged: the log has to be read again from an earlier place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log lacks frame {expected}")]
pub struct Gap {
    /// The frame that should have come.
    pub expected: u64,
}

/// Takes frames out of a log. A log that is read again from its start, or from some place before the end of
/// what was read, is fed to the same reader after [`Reader::rewind`].
///
/// It holds one line at most. After a [`Gap`] it says so again until it is rewound.
pub struct Reader {
    /// The run that is read, and the number of its next frame.
    position: Option<(u32, u64)>,
    /// Runs that are over.
    old: Vec<u32>,
    /// The frame that was seen last since the log began anew: tells which one a damaged one is.
    seen: Option<(u32, u64)>,
    /// A line whose end has not come yet.
    line: Vec<u8>,
    /// The line was given up; its end has not come yet.
    skipping: bool,
    gap: Option<Gap>,
    decoder: Decoder,
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// For a log of which nothing was read.
    pub fn new() -> Self {
        let decoder = Decoder { inflate: Decompress::new(true), packed: Vec::new() };
        Self { position: None, old: Vec::new(), seen: None, line: Vec::new(), skipping: false, gap: None, decoder }
    }

    /// For a log of which all frames of `run` before number `next` were read by another reader.
    ///
    /// A run that it does not know is a new one to it: the log must not show runs from before `run`.
    pub fn resume(run: u32, next: u64) -> Self {
        Self { position: Some((run, next)), ..Self::new() }
    }

    /// The run that is being read and the number of the next frame: what [`Reader::resume`] wants.
    pub fn position(&self) -> Option<(u32, u64)> {
        self.position
    }

    /// The log begins anew; frames that were read are passed over, lines that are no frames are found again.
    pub fn rewind(&mut self) {
        self.line.clear();
        (self.skipping, self.seen, self.gap) = (false, None, None);
    }

    /// More of the log, in pieces of any size.
    ///
    /// # Errors
    /// When a frame is missing or damaged. What was found before it is in `found`.
    pub fn read(&mut self, log: &[u8], found: &mut Vec<Found>) -> Result<(), Gap> {
        if let Some(gap) = self.gap {
            return Err(gap);
        }
        let mut rest = log;
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (piece, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            self.piece(piece, true, found).inspect_err(|gap| self.gap = Some(*gap))?;
        }
        self.piece(rest, false, found).inspect_err(|gap| self.gap = Some(*gap))
    }

    /// A part of a line, up to its end or not.
    fn piece(&mut self, piece: &[u8], ends: bool, found: &mut Vec<Found>) -> Result<(), Gap> {
        if self.skipping {
            self.skipping = !ends;
            return Ok(());
        }
        if ends && self.line.is_empty() && piece.len() <= LONGEST {
            return self.whole(piece, found);
        }
        let (taken, too_much) = piece.split_at(piece.len().min(LONGEST - self.line.len()));
        self.line.extend_from_slice(taken);
        if ends || !too_much.is_empty() {
            self.skipping = !ends;
            let mut line = std::mem::take(&mut self.line);
            self.whole(&line, found)?;
            line.clear();
            self.line = line;
        }
        Ok(())
    }

    /// A whole line.
    fn whole(&mut self, line: &[u8], found: &mut Vec<Found>) -> Result<(), Gap> {
        let Some(at) = marker(line) else {
            found.extend(foreign(line).map(Found::Line));
            return Ok(());
        };
        let head = line.get(at + MARKER.len()..).and_then(Head::parse);
        let Some(head) = head else { return self.damaged(None) };
        let Some(data) = self.decoder.data(&head) else { return self.damaged(Some(&head)) };
        self.seen = Some((head.run, head.number));
        match self.position {
            Some((run, next)) if run == head.run => match head.number {
                number if number < next => return Ok(()),
                number if number > next => return Err(Gap { expected: next }),
                _ => {}
            },
            _ if self.old.contains(&head.run) => return Ok(()),
            _ if head.number > 0 => return Err(Gap { expected: 0 }),
            last => {
                self.old.extend(last.map(|(run, _)| run));
                found.push(Found::Run(head.run));
            }
        }
        self.position = Some((head.run, head.number + 1));
        found.push(Found::Data(head.kind, data));
        Ok(())
    }

    /// A damaged frame is missing, unless it is one of those that were read: by the frame before it, or, if it is the
    /// first, by its own word.
    fn damaged(&self, head: Option<&Head>) -> Result<(), Gap> {
        let claimed = head.map(|head| (head.run, head.number));
        let place = self.seen.map(|(run, number)| (run, number.saturating_add(1))).or(claimed);
        match (self.position, place) {
            (Some((run, next)), Some((this, number))) if this == run && number < next => Ok(()),
            (Some(_), Some((this, _))) if self.old.contains(&this) => Ok(()),
            (position, _) => Err(Gap { expected: position.map_or(0, |(_, next)| next) }),
        }
    }
}

/// A frame as it is written.
struct Head<'a> {
    run: u32,
    number: u64,
    kind: Kind,
    encoding: Encoding,
    checksum: u32,
    written: &'a [u8],
}

impl<'a> Head<'a> {
    /// What is after the marker.
    fn parse(frame: &'a [u8]) -> Option<Self> {
        let mut words = frame.splitn(5, |byte| *byte == b' ');
        let hex = |word: Option<&[u8]>| u64::from_str_radix(std::str::from_utf8(word?).ok()?, 16).ok();
        let (run, number) = (hex(words.next())?, hex(words.next())?);
        let &[kind, encoding] = words.next()? else { return None };
        Some(Self {
            run: run.try_into().ok()?,
            // The last number is left free, so that there is always a next one.
            number: Some(number).filter(|number| *number < u64::MAX)?,
            kind: by_letter(&KINDS, kind)?,
            encoding: by_letter(&ENCODINGS, encoding)?,
            checksum: hex(words.next())?.try_into().ok()?,
            written: words.next().unwrap_or_default(),
        })
    }
}

/// What is needed to unpack.
struct Decoder {
    inflate: Decompress,
    packed: Vec<u8>,
}

impl Decoder {
    /// What a frame carries, if it is whole.
    fn data(&mut self, head: &Head) -> Option<Vec<u8>> {
        let data = match head.encoding {
            Encoding::Line => [head.written, b"\n"].concat(),
            Encoding::Text => head.written.to_vec(),
            Encoding::Plain => STANDARD.decode(head.written).ok()?,
            Encoding::Zlib => self.inflated(head.written)?,
        };
        (checksum(head.run, head.number, head.kind, &[&data]) == head.checksum).then_some(data)
    }

    /// Never more than [`DATA`] bytes (and what the allocator rounds up to), whatever is in it.
    fn inflated(&mut self, written: &[u8]) -> Option<Vec<u8>> {
        self.packed.clear();
        STANDARD.decode_vec(written, &mut self.packed).ok()?;
        self.inflate.reset(true);
        let mut data = Vec::with_capacity(DATA);
        let end = self.inflate.decompress_vec(&self.packed, &mut data, FlushDecompress::Finish);
        matches!(end, Ok(Status::StreamEnd)).then_some(data)
    }
}

/// A line of somebody else's; `None` where nothing is on it, or only a word of the server's to its own client.
fn foreign(line: &[u8]) -> Option<String> {
    let text = plain(&String::from_utf8_lossy(line));
    let text = unprefixed(&text).trim_end();
    let control = text.starts_with("<sky-payload") && text.ends_with("</sky-payload>");
    (!text.is_empty() && !control).then(|| text.to_owned())
}

/// Without what SkyPilot puts before a line of a task: `(head, rank=0, pid=7224) `, `(setup pid=7224) `.
fn unprefixed(text: &str) -> &str {
    match text.strip_prefix('(').and_then(|text| text.split_once(')')) {
        Some((inside, rest)) if inside.contains("pid=") => rest.strip_prefix(' ').unwrap_or(rest),
        _ => text,
    }
}

/// Without ANSI escapes: `ESC [ ... letter`, `ESC ] ... BEL`, `ESC letter`.
fn plain(text: &str) -> String {
    let (mut plain, mut chars) = (String::with_capacity(text.len()), text.chars());
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('[') => drop(chars.find(|c| ('@'..='~').contains(c))),
            Some(']') => drop(chars.find(|c| *c == '\u{7}')),
            _ => {}
        }
    }
    plain
}
