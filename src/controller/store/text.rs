//! What has parts, as a column's text.

use crate::job::Request;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// What has parts, as a text.
pub(super) fn json(value: &impl Serialize) -> String {
    // Our own plain types: no map with keys that are no strings, nothing that can fail.
    serde_json::to_string(value).unwrap_or_default()
}

/// A request without what it does not say: most of its fields, which come back as their defaults.
pub(super) fn sparse(request: &Request) -> String {
    let mut value = serde_json::to_value(request).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, field| match field {
            Value::Null | Value::Bool(false) => false,
            Value::Array(list) => !list.is_empty(),
            Value::Object(parts) => parts.values().any(|part| !part.is_null()),
            _ => true,
        });
    }
    value.to_string()
}

/// It read back.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|e| e.to_string())
}
