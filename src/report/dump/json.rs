//! JSON as Slurm's commands print it: a line a value, two blanks a level, and a stroke before every slash.

use serde_json::ser::Formatter;
use std::io::{self, Write};

/// The layout of json-c, by which Slurm prints. Brackets with nothing between them stand on two lines, too.
#[derive(Default)]
pub(super) struct Layout {
    depth: usize,
}

/// A new line and blanks.
const LINE: &[u8] = b"\n                                                                ";

impl Layout {
    fn open<W: Write + ?Sized>(&mut self, to: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        to.write_all(bracket)
    }

    fn close<W: Write + ?Sized>(&mut self, to: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        self.line(to)?;
        to.write_all(bracket)
    }

    fn next<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        if !first {
            to.write_all(b",")?;
        }
        self.line(to)
    }

    fn line<W: Write + ?Sized>(&self, to: &mut W) -> io::Result<()> {
        // Nothing here is deeper than this; if it were, it would stand less far to the right.
        to.write_all(LINE.get(..1 + 2 * self.depth).unwrap_or(LINE))
    }
}

impl Formatter for Layout {
    fn begin_array<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.open(to, b"[")
    }

    fn end_array<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.close(to, b"]")
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.next(to, first)
    }

    fn begin_object<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.open(to, b"{")
    }

    fn end_object<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        self.close(to, b"}")
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, to: &mut W, first: bool) -> io::Result<()> {
        self.next(to, first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        to.write_all(b": ")
    }

    fn write_string_fragment<W: Write + ?Sized>(&mut self, to: &mut W, fragment: &str) -> io::Result<()> {
        if !fragment.as_bytes().contains(&b'/') {
            return to.write_all(fragment.as_bytes());
        }
        let mut parts = fragment.split('/');
        to.write_all(parts.next().unwrap_or_default().as_bytes())?;
        for part in parts {
            to.write_all(b"\\/")?;
            to.write_all(part.as_bytes())?;
        }
        Ok(())
    }
}
