//! `--json` and `--yaml`: which shape of the answer is asked for.

/// The one shape that is written: that of the promised release (Slurm 24.11).
pub const VERSION: &str = "data_parser/v0.0.42";

/// What stands behind `--json=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataParser {
    /// `list`: which shapes there are.
    List,
    /// A shape.
    Shape(Shape),
}

/// How an answer is to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// `data_parser/v0.0.42+complex`: the shape and its flags as they were asked for, which the answer repeats.
    pub name: String,
    /// `+complex`: what can be unset or infinite stands alone, as `null` and `"Infinity"`.
    pub complex: bool,
    /// Flags there are not; they only bring a warning.
    pub unknown: Vec<String>,
}

/// A shape there is not: what Slurm says first of why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownShape {
    /// Another version.
    #[error("load_plugins: unable to find plugin: data_parser/{0}")]
    Version(String),
    /// `--json=`
    #[error("data_parser_g_new: invalid plugin ")]
    Empty,
    /// `--json=+complex`
    #[error("data_parser_g_new: unable to find plugin ")]
    Nameless,
    /// Several.
    #[error("data_parser_g_new: rejecting ambiguous plugin {0}")]
    Several(String),
}

impl UnknownShape {
    /// All that Slurm says, ended by what cannot be had (`application/json`).
    pub fn lines(&self, mime: &str) -> Vec<String> {
        let second = "data_parser_g_new: failure loading plugins: Plugin has invalid format or unable to be loaded";
        let second = matches!(self, Self::Version(_)).then(|| second.to_owned());
        let last = format!("{mime} output not supported by {VERSION}");
        [self.to_string()].into_iter().chain(second).chain([last]).collect()
    }
}

impl DataParser {
    /// Reads `v0.0.42`, `data_parser/v0.0.42+complex`, `latest`, `list`; what was not said is the latest.
    ///
    /// # Errors
    /// Another version.
    pub fn parse(text: Option<&str>) -> Result<Self, UnknownShape> {
        let text = text.unwrap_or("latest");
        if text.eq_ignore_ascii_case("list") {
            return Ok(Self::List);
        }
        let (version, flags) = text.split_at(text.find('+').unwrap_or(text.len()));
        let version = version.strip_prefix("data_parser/").unwrap_or(version);
        match version {
            "" if flags.is_empty() => return Err(UnknownShape::Empty),
            "" => return Err(UnknownShape::Nameless),
            "latest" => {}
            _ if VERSION.ends_with(version) && version.starts_with('v') => {}
            _ if text.contains(',') => return Err(UnknownShape::Several(text.to_owned())),
            _ => return Err(UnknownShape::Version(version.to_owned())),
        }
        let mut shape = Shape { name: format!("{VERSION}{flags}"), complex: false, unknown: Vec::new() };
        for flag in flags.split('+').filter(|flag| !flag.is_empty()) {
            match flag.to_ascii_lowercase().as_str() {
                "complex" => shape.complex = true,
                // How a specification is written, and how hard is looked for names: not what an answer holds.
                "fast" | "prefer_refs" | "minimize_refs" => {}
                _ => shape.unknown.push(flag.to_owned()),
            }
        }
        Ok(Self::Shape(shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shape(flags: &str, complex: bool, unknown: &[&str]) -> Result<DataParser, UnknownShape> {
        let unknown = unknown.iter().map(|&flag| flag.to_owned()).collect();
        Ok(DataParser::Shape(Shape { name: format!("data_parser/v0.0.42{flags}"), complex, unknown }))
    }

    /// Asked of a real one (which has v0.0.41 and v0.0.40, too).
    #[test]
    fn shapes_are_read() {
        let version = |name: &str| Err(UnknownShape::Version(name.to_owned()));
        for (text, read) in [
            (None, shape("", false, &[])),
            (Some("latest"), shape("", false, &[])),
            (Some("v0.0.42"), shape("", false, &[])),
            (Some("data_parser/v0.0.42"), shape("", false, &[])),
            (Some("v0.0.42+FAST"), shape("+FAST", false, &[])),
            (Some("v0.0.42+complex+fast"), shape("+complex+fast", true, &[])),
            (Some("v0.0.42+none"), shape("+none", false, &["none"])),
            (Some("LIST"), Ok(DataParser::List)),
            (Some("V0.0.42"), version("V0.0.42")),
            (Some("v0.0.41"), version("v0.0.41")),
            (Some("42"), version("42")),
            (Some(""), Err(UnknownShape::Empty)),
            (Some("+complex"), Err(UnknownShape::Nameless)),
            (Some("v0.0.42,fast"), Err(UnknownShape::Several("v0.0.42,fast".into()))),
        ] {
            assert_eq!(DataParser::parse(text), read, "{text:?}");
        }
    }

    #[test]
    fn refusals_are_slurms() {
        assert_eq!(
            UnknownShape::Version("bogus".into()).lines("application/json"),
            [
                "load_plugins: unable to find plugin: data_parser/bogus",
                "data_parser_g_new: failure loading plugins: Plugin has invalid format or unable to be loaded",
                "application/json output not supported by data_parser/v0.0.42",
            ]
        );
        assert_eq!(
            UnknownShape::Empty.lines("application/x-yaml"),
            ["data_parser_g_new: invalid plugin ", "application/x-yaml output not supported by data_parser/v0.0.42"]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,20}") {
            let _ = DataParser::parse(Some(&text));
        }
    }
}
