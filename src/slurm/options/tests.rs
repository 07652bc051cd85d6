//! What the recorded captures and the manual say, on the parser.

use std::ffi::OsString;

use super::*;

fn words(text: &[&str]) -> Vec<OsString> {
    text.iter().map(OsString::from).collect()
}
