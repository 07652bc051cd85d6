//! The values of a record.

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};
use std::borrow::Cow;

/// A value, as the parsers of Slurm know it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// A text; what is not said is an empty one.
    Text(Cow<'a, str>),
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
    /// No limit.
    Infinite,
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
pub const INFINITE: Value<'static> = Value::Number(Number::Infinite);

/// No entries.
pub const NONE: Value<'static> = Value::List(Vec::new());

/// A value for a serializer, with what was said of numbers.
pub(super) struct Shown<'a> {
    pub value: &'a Value<'a>,
    pub complex: bool,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let complex = self.complex;
        match self.value {
            Value::Text(text) => to.serialize_str(text),
            Value::Bool(value) => to.serialize_bool(*value),
            Value::Int(value) => to.serialize_i64(*value),
            Value::Float(value) => to.serialize_f64(*value),
            Value::Number(number) if complex => number.alone(to),
            Value::Number(number) => number.whole(to),
            Value::List(list) => {
                let mut seq = to.serialize_seq(Some(list.len()))?;
                list.iter().try_for_each(|value| seq.serialize_element(&Shown { value, complex }))?;
                seq.end()
            }
            Value::Map(fields) => {
                let mut map = to.serialize_map(Some(fields.len()))?;
                fields.iter().try_for_each(|(name, value)| map.serialize_entry(name, &Shown { value, complex }))?;
                map.end()
            }
        }
    }
}

impl Number {
    /// `+complex`
    fn alone<S: Serializer>(self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unset { .. } => to.serialize_unit(),
            Self::Infinite => to.serialize_str("Infinity"),
            Self::Int(value) => to.serialize_i64(value),
            Self::Float(value) => to.serialize_f64(value),
        }
    }

    fn whole<S: Serializer>(self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(3))?;
        map.serialize_entry("set", &matches!(self, Self::Int(_) | Self::Float(_)))?;
        map.serialize_entry("infinite", &(self == Self::Infinite))?;
        match self {
            Self::Int(value) => map.serialize_entry("number", &value)?,
            Self::Float(value) => map.serialize_entry("number", &value)?,
            Self::Unset { fraction: true } => map.serialize_entry("number", &0.0)?,
            Self::Unset { fraction: false } | Self::Infinite => map.serialize_entry("number", &0)?,
        }
        map.end()
    }
}
