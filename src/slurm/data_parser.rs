//! `--json` and `--yaml`: which shape of the answer is asked for.

/// The one shape that is written: that of the promised release (Slurm 24.11).
pub const VERSION: &str = "data_parser/v0.0.42";

/// What stands behind `--json=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataParser {
    /// `list`: which shapes there are.
    List,
    /// A shape.
    Shape {
        /// `+complex`: numbers that can be unset or infinite stand alone, as `null` and `"Infinity"`.
        complex: bool,
    },
}

/// A shape there is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("output not supported by {VERSION}")]
pub struct UnknownShape;

impl DataParser {
    /// Reads `v0.0.42`, `data_parser/v0.0.42+complex`, `list`; nothing is the default.
    ///
    /// # Errors
    /// Another version, or a flag that the shape has not.
    pub fn parse(text: Option<&str>) -> Result<Self, UnknownShape> {
        let text = text.unwrap_or_default();
        if text.eq_ignore_ascii_case("list") {
            return Ok(Self::List);
        }
        let mut words = text.split('+');
        let version = words.next().unwrap_or_default();
        let known = |name: &str| version.eq_ignore_ascii_case(name);
        if !(known("") || known(VERSION) || VERSION.strip_prefix("data_parser/").is_some_and(known)) {
            return Err(UnknownShape);
        }
        let mut complex = false;
        for flag in words {
            match flag.to_ascii_lowercase().as_str() {
                "complex" => complex = true,
                // How a specification is written, and how hard is looked for names: not what an answer holds.
                "none" | "fast" | "prefer_refs" | "minimize_refs" => {}
                _ => return Err(UnknownShape),
            }
        }
        Ok(Self::Shape { complex })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shapes_are_read() {
        let plain = Ok(DataParser::Shape { complex: false });
        for (text, read) in [
            (None, plain),
            (Some(""), plain),
            (Some("v0.0.42"), plain),
            (Some("data_parser/v0.0.42"), plain),
            (Some("V0.0.42+FAST"), plain),
            (Some("v0.0.42+complex"), Ok(DataParser::Shape { complex: true })),
            (Some("LIST"), Ok(DataParser::List)),
            (Some("v0.0.41"), Err(UnknownShape)),
            (Some("v0.0.42+bogus"), Err(UnknownShape)),
            (Some("bogus"), Err(UnknownShape)),
        ] {
            assert_eq!(DataParser::parse(text), read, "{text:?}");
        }
        assert_eq!(UnknownShape.to_string(), "output not supported by data_parser/v0.0.42");
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,20}") {
            let _ = DataParser::parse(Some(&text));
        }
    }
}
