//! JSON as Slurm's commands print it (json-c's layout): a line a value, two blanks a level, a stroke before every slash.

use super::layout::{Bracket, Layout, Scalar};
use std::io::{self, Write};

/// JSON.
pub(super) struct Json<W> {
    to: W,
    /// What is open, and whether something is in it already.
    open: Vec<(Bracket, bool)>,
}

/// A new line and blanks.
const LINE: &[u8] = b"\n                                                                ";

impl<W: Write> Json<W> {
    pub fn new(to: W) -> Self {
        Self { to, open: Vec::new() }
    }

    fn line(&mut self) -> io::Result<()> {
        // Nothing here is deeper than this; if it were, it would stand less far to the right.
        self.to.write_all(LINE.get(..1 + 2 * self.open.len()).unwrap_or(LINE))
    }

    fn next(&mut self) -> io::Result<()> {
        if let Some((_, some)) = self.open.last_mut()
            && std::mem::replace(some, true)
        {
            self.to.write_all(b",")?;
        }
        self.line()
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        // Names, and most values, are written as they are.
        if text.bytes().all(|byte| byte >= b' ' && !matches!(byte, b'"' | b'\\' | b'/')) {
            return write!(self.to, "\"{text}\"");
        }
        let quoted = serde_json::to_string(text)?;
        let mut parts = quoted.split('/');
        self.to.write_all(parts.next().unwrap_or_default().as_bytes())?;
        parts.try_for_each(|part| self.to.write_all(b"\\/").and_then(|()| self.to.write_all(part.as_bytes())))
    }
}

impl<W: Write> Layout for Json<W> {
    fn open(&mut self, what: Bracket) -> io::Result<()> {
        self.open.push((what, false));
        self.to.write_all(if what == Bracket::Map { b"{" } else { b"[" })
    }

    fn close(&mut self) -> io::Result<()> {
        let Some((what, _)) = self.open.pop() else { return Ok(()) };
        self.line()?;
        self.to.write_all(if what == Bracket::Map { b"}" } else { b"]" })
    }

    fn empty(&mut self, what: Bracket) -> io::Result<()> {
        self.to.write_all(if what == Bracket::Map { b"{}" } else { b"[]" })
    }

    fn key(&mut self, name: &str) -> io::Result<()> {
        self.next()?;
        self.text(name)?;
        self.to.write_all(b": ")
    }

    fn item(&mut self) -> io::Result<()> {
        self.next()
    }

    fn scalar(&mut self, value: Scalar) -> io::Result<()> {
        match value {
            Scalar::Null => self.to.write_all(b"null"),
            Scalar::Bool(value) => write!(self.to, "{value}"),
            Scalar::Int(value) => write!(self.to, "{value}"),
            Scalar::Float(value) => self.to.write_all(float(value).as_bytes()),
            Scalar::Text(text) => self.text(text),
        }
    }

    fn end(&mut self) -> io::Result<()> {
        self.to.write_all(b"\n")
    }
}

/// As json-c writes it: `%.17g`, and `.0` behind what would look like a whole number.
fn float(value: f64) -> String {
    let scientific = format!("{value:.16e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let short = |text: &str| text.trim_end_matches('0').trim_end_matches('.').to_owned();
    if !(-4..17).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", short(digits), exponent.abs());
    }
    let fixed = format!("{value:.*}", usize::try_from(16 - exponent).unwrap_or(0));
    let text = if fixed.contains('.') { short(&fixed) } else { fixed };
    if text.contains('.') { text } else { text + ".0" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_those_of_json_c() {
        for (value, text) in [
            (0.0, "0.0"),
            (6.0, "6.0"),
            (-2.5, "-2.5"),
            (0.1, "0.10000000000000001"),
            (1e16, "10000000000000000.0"),
            (18_446_744_073_709_551_615.0, "1.8446744073709552e+19"),
            (1e-7, "9.9999999999999995e-08"),
        ] {
            assert_eq!(float(value), text);
        }
    }
}
