//! The values of a record.

use super::layout::{Bracket, Layout, Scalar};
use std::{borrow::Cow, io};

/// A value, as the parsers of Slurm know it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A text; what is not said is an empty one, and `null` with `+complex`.
    Text(Cow<'a, str>),
    /// A text that is empty in every shape.
    Blank,
    /// Nothing, where there could be a map.
    Null,
    /// A list that Slurm has no longer: empty, and `null` with `+complex`.
    Gone,
    /// A number that is not told: 0, and `null` with `+complex`.
    Untold,
    /// Yes or no.
    Bool(bool),
    /// A number that is always there.
    Int(i64),
    /// The same with a fraction.
    Float(f64),
    /// A number that may not be set or have no end: `{"set": true, "infinite": false, "number": 1}`.
    Number(Number),
    /// Several.
    List(Vec<Value<'a>>),
    /// Named ones.
    Map(Vec<(&'static str, Value<'a>)>),
}

/// A number that can be unset or infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Not said; whether it would have a fraction.
    Unset {
        /// `0.0`, not `0`.
        fraction: bool,
    },
    /// No limit; whether it would have a fraction.
    Infinite {
        /// `0.0`, not `0`.
        fraction: bool,
    },
    /// That many.
    Int(i64),
    /// That much.
    Float(f64),
}

impl Value<'_> {
    /// The same, on its own.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Blank => Value::Blank,
            Value::Null => Value::Null,
            Value::Gone => Value::Gone,
            Value::Untold => Value::Untold,
            Value::Bool(value) => Value::Bool(value),
            Value::Int(value) => Value::Int(value),
            Value::Float(value) => Value::Float(value),
            Value::Number(number) => Value::Number(number),
            Value::List(list) => Value::List(list.into_iter().map(Value::into_owned).collect()),
            Value::Map(fields) => Value::Map(fields.into_iter().map(|(name, v)| (name, v.into_owned())).collect()),
        }
    }
}

/// Text.
pub fn text<'a>(value: impl Into<Cow<'a, str>>) -> Value<'a> {
    Value::Text(value.into())
}

/// Text that may not have been said.
pub fn or_empty(value: Option<&str>) -> Value<'_> {
    text(value.unwrap_or_default())
}

/// Text that may not have been said, and is empty in every shape then.
pub fn or_blank<'a>(value: Option<impl Into<Cow<'a, str>>>) -> Value<'a> {
    value.map_or(Value::Blank, text)
}

/// What something appends.
pub fn written<'a>(write: impl FnOnce(&mut String)) -> Value<'a> {
    let mut out = String::new();
    write(&mut out);
    text(out)
}

/// The same, where one of these words stands for nothing.
pub fn written_unless<'a>(nothing: &[&str], write: impl FnOnce(&mut String)) -> Value<'a> {
    match written(write) {
        Value::Text(word) if nothing.contains(&&*word) => text(""),
        other => other,
    }
}

/// A whole number.
pub fn int<'a>(value: impl TryInto<i64>) -> Value<'a> {
    Value::Int(value.try_into().unwrap_or(i64::MAX))
}

/// A whole number that is set.
pub fn number<'a>(value: impl TryInto<i64>) -> Value<'a> {
    Value::Number(Number::Int(value.try_into().unwrap_or(i64::MAX)))
}

/// A whole number that may not be set.
pub fn number_or_unset<'a>(value: Option<impl TryInto<i64>>) -> Value<'a> {
    value.map_or(UNSET, number)
}

/// A point in time; 0 where there is none.
pub fn time<'a>(value: Option<i64>) -> Value<'a> {
    number(value.unwrap_or(0))
}

/// Words.
pub fn words<'a, T: Into<Cow<'a, str>>>(list: impl IntoIterator<Item = T>) -> Value<'a> {
    Value::List(list.into_iter().map(text).collect())
}

/// What is not set.
pub const UNSET: Value<'static> = Value::Number(Number::Unset { fraction: false });

/// What has no limit.
pub const INFINITE: Value<'static> = Value::Number(Number::Infinite { fraction: false });

/// The same of what could have a fraction.
pub const INFINITE_FRACTION: Value<'static> = Value::Number(Number::Infinite { fraction: true });

/// No entries.
pub const NONE: Value<'static> = Value::List(Vec::new());

impl Value<'_> {
    /// Writes it; `complex` is how numbers that need not be set, and texts, are shown.
    pub(super) fn write(&self, to: &mut dyn Layout, complex: bool) -> io::Result<()> {
        match self {
            Value::Text(text) if text.is_empty() && complex => to.scalar(Scalar::Null),
            Value::Text(text) => to.scalar(Scalar::Text(text)),
            Value::Blank => to.scalar(Scalar::Text("")),
            Value::Null => to.scalar(Scalar::Null),
            Value::Gone | Value::Untold if complex => to.scalar(Scalar::Null),
            Value::Gone => to.empty(Bracket::List),
            Value::Untold => to.scalar(Scalar::Int(0)),
            Value::Bool(value) => to.scalar(Scalar::Bool(*value)),
            Value::Int(value) => to.scalar(Scalar::Int(*value)),
            Value::Float(value) => to.scalar(Scalar::Float(*value)),
            Value::Number(number) => number.write(to, complex),
            Value::List(list) if list.is_empty() => to.empty(Bracket::List),
            Value::List(list) => {
                to.open(Bracket::List)?;
                list.iter().try_for_each(|value| to.item().and_then(|()| value.write(to, complex)))?;
                to.close()
            }
            Value::Map(fields) if fields.is_empty() => to.empty(Bracket::Map),
            Value::Map(fields) => {
                to.open(Bracket::Map)?;
                fields.iter().try_for_each(|(name, value)| to.key(name).and_then(|()| value.write(to, complex)))?;
                to.close()
            }
        }
    }
}

impl Number {
    fn write(self, to: &mut dyn Layout, complex: bool) -> io::Result<()> {
        let zero = |fraction| if fraction { Scalar::Float(0.0) } else { Scalar::Int(0) };
        let (alone, number) = match self {
            Self::Unset { fraction } => (Scalar::Null, zero(fraction)),
            Self::Infinite { fraction } => (Scalar::Text("Infinity"), zero(fraction)),
            Self::Int(value) => (Scalar::Int(value), Scalar::Int(value)),
            Self::Float(value) => (Scalar::Float(value), Scalar::Float(value)),
        };
        if complex {
            return to.scalar(alone);
        }
        to.open(Bracket::Map)?;
        to.key("set")?;
        to.scalar(Scalar::Bool(matches!(self, Self::Int(_) | Self::Float(_))))?;
        to.key("infinite")?;
        to.scalar(Scalar::Bool(matches!(self, Self::Infinite { .. })))?;
        to.key("number")?;
        to.scalar(number)?;
        to.close()
    }
}
