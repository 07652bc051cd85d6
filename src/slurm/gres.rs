//! Generic resources: `--gres`, `--gpus` and its kin, what a node has, and TRES strings.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::memory::{Mebibytes, parse_mem};

/// One generic resource: `gpu:h100:8`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Gres {
    /// `gpu`. Whether it is a known name the configuration decides.
    pub name: String,
    /// `h100`, if a type was named.
    pub type_: Option<String>,
    /// How many; 1 if no number was given.
    pub count: u64,
}

/// Several of them, in the order given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GresList(pub Vec<Gres>);

/// Why a list of generic resources was refused. The first and the last are the
/// command's own words, the second is the controller's (`Batch job submission failed: ...`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GresError {
    /// Too many or empty parts.
    #[error("Invalid generic resource (gres) specification")]
    Gres,
    /// A count that is no number, or nothing between two commas.
    #[error("Invalid Trackable RESource (TRES) specification")]
    Tres,
    /// `gpu:2,gpu:h100:1`
    #[error("Invalid GRES specification (with and without type identification)")]
    MixedTypes,
}

impl Gres {
    /// Reads `name[:type][:count]`.
    fn parse(text: &str) -> Result<Self, GresError> {
        // Slurm takes its own way of showing them, too.
        let text = text.strip_prefix("gres:").or_else(|| text.strip_prefix("gres/")).unwrap_or(text);
        let (name, rest) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        if name.is_empty() {
            return Err(GresError::Tres);
        }
        if !plain(name) {
            return Err(GresError::Gres);
        }
        let (type_, count) = rest.map_or(Ok((None, 1)), type_and_count)?;
        Ok(Self { name: name.to_owned(), type_, count })
    }
}

/// Reads `count`, `type` or `type:count`. A type alone must not begin with a digit.
fn type_and_count(text: &str) -> Result<(Option<String>, u64), GresError> {
    match text.split_once(':') {
        Some((type_, number)) if plain(type_) && number.starts_with(|c: char| c.is_ascii_digit()) => {
            if number.contains(':') {
                return Err(GresError::Gres);
            }
            Ok((Some(type_.to_owned()), count(number)?))
        }
        Some(_) => Err(GresError::Gres),
        None if text.starts_with(|c: char| c.is_ascii_digit()) => Ok((None, count(text)?)),
        None if plain(text) => Ok((Some(text.to_owned()), 1)),
        None => Err(GresError::Gres),
    }
}

/// A word that cannot be mistaken for another part of a list, a TRES string or a path.
fn plain(word: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '+');
    !word.is_empty() && !word.starts_with(['-', '+']) && word.chars().all(allowed)
}

/// Digits with perhaps k, m, g, t or p, each 1024 of the one before.
fn count(text: &str) -> Result<u64, GresError> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let power = match unit {
        "" => 0,
        "k" | "K" => 1,
        "m" | "M" => 2,
        "g" | "G" => 3,
        "t" | "T" => 4,
        "p" | "P" => 5,
        _ => return Err(GresError::Tres),
    };
    let number: u64 = digits.parse().map_err(|_| GresError::Tres)?;
    number.checked_mul(1 << (10 * power)).ok_or(GresError::Tres)
}

impl GresList {
    /// Reads `--gres`: `gpu`, `gpu:2`, `gpu:h100`, `gpu:h100:2`, a list of those; `none` is an empty list.
    pub fn parse(text: &str) -> Result<Self, GresError> {
        if text.eq_ignore_ascii_case("none") {
            return Ok(Self::default());
        }
        Self::checked(text.split(',').map(Gres::parse).collect::<Result<_, _>>()?)
    }

    /// Reads `--gpus`, `--gpus-per-node`, `--gpus-per-task`, `--gpus-per-socket`:
    /// `2`, `h100`, `h100:2`, a list of those. Nothing is an empty list. Here `gpu:2` asks for
    /// a type called gpu, and `gpu:h100:2` is refused, as in Slurm.
    pub fn parse_gpus(text: &str) -> Result<Self, GresError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let gpu = |part: &str| {
            let (type_, count) = if part.is_empty() { Err(GresError::Tres) } else { type_and_count(part) }?;
            Ok(Gres { name: "gpu".into(), type_, count })
        };
        Self::checked(text.split(',').map(gpu).collect::<Result<_, _>>()?)
    }

    /// Reads what a node has, as in the configuration: each text is `gpu:h100:8`, perhaps with
    /// Slurm's topology note behind it, `gpu:h100:8(S:0-1)`.
    pub fn parse_node<I: IntoIterator<Item = impl AsRef<str>>>(texts: I) -> Result<Self, GresError> {
        let mut list = Vec::new();
        for text in texts {
            let text = text.as_ref().trim();
            let text = text.split_once('(').map_or(text, |(text, _)| text);
            list.extend(Self::parse(text)?.0);
        }
        Ok(Self(list))
    }

    fn checked(list: Vec<Gres>) -> Result<Self, GresError> {
        let mixed = |a: &Gres| list.iter().any(|b| a.name == b.name && a.type_.is_some() != b.type_.is_some());
        if list.iter().any(mixed) { Err(GresError::MixedTypes) } else { Ok(Self(list)) }
    }

    /// How many there are of `name`, of whatever type.
    pub fn total(&self, name: &str) -> u64 {
        let counts = self.0.iter().filter(|gres| gres.name == name).map(|gres| gres.count);
        counts.fold(0, u64::saturating_add)
    }

    /// As `TresPerNode` and its kin show a request: `gres/gpu:h100:2` (24.11; 22.05 wrote `gres:gpu:h100:2`).
    pub fn tres_request(&self) -> String {
        let parts: Vec<String> = self.0.iter().map(|gres| format!("gres/{gres}")).collect();
        parts.join(",")
    }
}

impl FromStr for GresList {
    type Err = GresError;

    fn from_str(text: &str) -> Result<Self, GresError> {
        Self::parse(text)
    }
}

impl fmt::Display for Gres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.type_ {
            Some(type_) => write!(f, "{}:{type_}:{}", self.name, self.count),
            None => write!(f, "{}:{}", self.name, self.count),
        }
    }
}

impl fmt::Display for GresList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, gres) in self.0.iter().enumerate() {
            write!(f, "{}{gres}", if index > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

/// Trackable resources as one string: `cpu=1,mem=500G,node=1,billing=1,gres/gpu=8,gres/gpu:h100=8`.
///
/// What is 0 is not shown, and what is not shown is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tres {
    /// CPUs.
    pub cpu: u64,
    /// Memory.
    pub mem: Mebibytes,
    /// Nodes.
    pub node: u64,
    /// What it costs, in the controller's own units.
    pub billing: u64,
    /// Generic resources. One with a type adds to the count of its name as well.
    pub gres: GresList,
}

impl fmt::Display for Tres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |name: &str, count: u64| (count > 0).then(|| format!("{name}={count}"));
        let mem = (self.mem.0 > 0).then(|| format!("mem={}", self.mem.tres()));
        let mut parts: Vec<String> =
            [number("cpu", self.cpu), mem, number("node", self.node), number("billing", self.billing)]
                .into_iter()
                .flatten()
                .collect();
        let mut seen: Vec<(&str, Option<&str>)> = Vec::new();
        for gres in &self.gres.0 {
            let name = gres.name.as_str();
            if !seen.contains(&(name, None)) {
                seen.push((name, None));
                parts.extend(number(&format!("gres/{name}"), self.gres.total(name)));
                for typed in self.gres.0.iter().filter(|typed| typed.name == name) {
                    let type_ = typed.type_.as_deref();
                    if let Some(text) = type_
                        && !seen.contains(&(name, type_))
                    {
                        seen.push((name, type_));
                        let same = self.gres.0.iter().filter(|g| g.name == name && g.type_.as_deref() == type_);
                        let count = same.fold(0u64, |sum, gres| sum.saturating_add(gres.count));
                        parts.extend(number(&format!("gres/{name}:{text}"), count));
                    }
                }
            }
        }
        f.write_str(&parts.join(","))
    }
}

impl FromStr for Tres {
    type Err = GresError;

    fn from_str(text: &str) -> Result<Self, GresError> {
        let mut tres = Self::default();
        for part in text.split(',').filter(|_| !text.is_empty()) {
            let (name, value) = part.split_once('=').ok_or(GresError::Tres)?;
            match name {
                "cpu" => tres.cpu = count(value)?,
                "mem" => tres.mem = memory(value)?,
                "node" => tres.node = count(value)?,
                "billing" => tres.billing = count(value)?,
                _ => {
                    let name = name.strip_prefix("gres/").ok_or(GresError::Tres)?;
                    let (name, type_) = name.split_once(':').map_or((name, None), |(n, t)| (n, Some(t)));
                    if !plain(name) || type_.is_some_and(|type_| !plain(type_)) {
                        return Err(GresError::Tres);
                    }
                    let count = count(value)?;
                    tres.gres.0.push(Gres { name: name.into(), type_: type_.map(Into::into), count });
                }
            }
        }
        tres.gres = without_totals(tres.gres);
        Ok(tres)
    }
}

/// `gres/gpu=8,gres/gpu:h100=8` is one resource told twice: take what the types account for out of the totals.
fn without_totals(list: GresList) -> GresList {
    let typed = |name: &str| {
        let counts = list.0.iter().filter(|gres| gres.name == name && gres.type_.is_some()).map(|gres| gres.count);
        counts.fold(0, u64::saturating_add)
    };
    let rest = |gres: &Gres| match gres.type_ {
        Some(_) => gres.clone(),
        None => Gres { count: gres.count.saturating_sub(typed(&gres.name)), ..gres.clone() },
    };
    GresList(list.0.iter().map(rest).filter(|gres| gres.count > 0).collect())
}

/// A size as `mem=` shows it, which may have a fraction (`1.50G`).
fn memory(text: &str) -> Result<Mebibytes, GresError> {
    if let Ok(whole) = parse_mem(text) {
        return Ok(whole);
    }
    let number = text.strip_suffix(['M', 'G', 'T', 'P']).unwrap_or(text);
    let power = text.chars().last().and_then(|unit| "MGTP".find(unit)).ok_or(GresError::Tres)?;
    let digits = number.starts_with(|c: char| c.is_ascii_digit());
    let amount: f64 = number.parse().ok().filter(|_| digits).ok_or(GresError::Tres)?;
    Ok(Mebibytes((amount * 1024f64.powi(power as i32)).round() as u64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gres(text: &str) -> String {
        GresList::parse(text).map_or_else(|error| format!("{error:?}"), |list| list.to_string())
    }

    fn gpus(text: &str) -> String {
        GresList::parse_gpus(text).map_or_else(|error| format!("{error:?}"), |list| list.to_string())
    }

    /// sbatch.txt, and more asked of the same Slurm.
    #[test]
    fn gres_as_recorded() {
        let table = [
            ("gpu", "gpu:1"),
            ("gpu:2", "gpu:2"),
            ("gpu:h100:2", "gpu:h100:2"),
            ("gpu:h100", "gpu:h100:1"),
            ("gpu:0", "gpu:0"),
            ("gpu:abc", "gpu:abc:1"),
            ("gpu:1k", "gpu:1024"),
            ("gpu:h100:1k", "gpu:h100:1024"),
            ("gpu:3g.20gb:2", "gpu:3g.20gb:2"),
            ("gpu,gpu", "gpu:1,gpu:1"),
            ("gpu:h100:2,gpu:h100:1", "gpu:h100:2,gpu:h100:1"),
            ("gres:gpu:2", "gpu:2"),
            ("none", ""),
            ("NONE", ""),
            ("gpu:2,gpu:h100:1", "MixedTypes"),
            ("gpu:", "Gres"),
            ("gpu::", "Gres"),
            ("gpu:h100:", "Gres"),
            ("gpu:2:h100", "Gres"),
            ("gpu:1:2:3", "Gres"),
            ("gpu:2:S:0", "Gres"),
            ("gpu=2", "Gres"),
            ("gpu:-1", "Gres"),
            ("gpu:2x", "Tres"),
            ("gpu:2 ", "Tres"),
            ("gpu:1.5", "Tres"),
            ("gpu:2,", "Tres"),
            (",gpu:2", "Tres"),
            ("", "Tres"),
        ];
        for (text, result) in table {
            assert_eq!(gres(text), result, "{text}");
        }
    }

    #[test]
    fn gpus_as_recorded() {
        let table = [
            ("2", "gpu:2"),
            ("h100:2", "gpu:h100:2"),
            ("h100", "gpu:h100:1"),
            ("gpu:2", "gpu:gpu:2"),
            ("gpu", "gpu:gpu:1"),
            ("h100:2,a100:1", "gpu:h100:2,gpu:a100:1"),
            ("0", "gpu:0"),
            ("1k", "gpu:1024"),
            ("2,3", "gpu:2,gpu:3"),
            ("", ""),
            ("gpu:h100:2", "Gres"),
            ("h100:", "Gres"),
            ("2x", "Tres"),
            ("h100:1,2", "MixedTypes"),
        ];
        for (text, result) in table {
            assert_eq!(gpus(text), result, "{text}");
        }
        assert_eq!(GresList::parse_gpus("h100:2").unwrap().tres_request(), "gres/gpu:h100:2");
    }

    #[test]
    fn nodes() {
        let list = GresList::parse_node(["gpu:h100:8(S:0-1)", "shard:16"]).unwrap();
        assert_eq!((list.to_string().as_str(), list.total("gpu")), ("gpu:h100:8,shard:16", 8));
    }

    #[test]
    fn tres() {
        for text in [
            "cpu=1,mem=500G,node=1,billing=1,gres/gpu=8,gres/gpu:h100=8",
            "cpu=1,mem=2000M,gres/gpu=2",
            "cpu=256,mem=2000G,node=4,billing=256,gres/gpu=32",
            "cpu=64,mem=1.50G",
            "",
        ] {
            assert_eq!(text.parse::<Tres>().map(|tres| tres.to_string()), Ok(text.into()));
        }
        for bad in ["cpu", "cpu=x", "mem=NaNG", "foo=1", "gres/=1", "cpu=1,"] {
            assert_eq!(bad.parse::<Tres>(), Err(GresError::Tres), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(types in prop::collection::vec(("[a-z][a-z0-9]{0,5}", 0u64..99), 1..5)) {
            let gpu = |(type_, count): (String, u64)| Gres { name: "gpu".into(), type_: Some(type_), count };
            let list = GresList(types.into_iter().map(gpu).collect());
            prop_assert_eq!(list.to_string().parse(), Ok(list.clone()));
            let tres = Tres { cpu: 1, gres: list, ..Tres::default() };
            let shown = tres.to_string();
            prop_assert_eq!(shown.parse::<Tres>().map(|tres| tres.to_string()), Ok(shown));
        }

        #[test]
        fn any_text(text in "\\PC*") { gres(&text); gpus(&text); let _ = text.parse::<Tres>(); }

        #[test]
        fn any_words(text in "([gpu/0-9k:,=.]|mem|gres/)*") { gres(&text); gpus(&text); let _ = text.parse::<Tres>(); }
    }
}
