//! How an answer is laid out: the steps of a serializer, which JSON and YAML take each in its own way.

use std::io;

/// What brackets stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bracket {
    /// Names and values.
    Map,
    /// Values.
    List,
}

/// A value without parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
}

/// Writes an answer, step by step.
pub(super) trait Layout {
    /// Begins a map or a list that has something in it.
    fn open(&mut self, what: Bracket) -> io::Result<()>;
    /// Ends the innermost one.
    fn close(&mut self) -> io::Result<()>;
    /// A map or list with nothing in it.
    fn empty(&mut self, what: Bracket) -> io::Result<()>;
    /// The name of the value that follows.
    fn key(&mut self, name: &str) -> io::Result<()>;
    /// A value of a list follows.
    fn item(&mut self) -> io::Result<()>;
    /// A value.
    fn scalar(&mut self, value: Scalar) -> io::Result<()>;
    /// The end of all.
    fn end(&mut self) -> io::Result<()>;
}
