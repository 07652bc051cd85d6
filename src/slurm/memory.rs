//! Memory sizes: `--mem` and its kin, and how sizes are shown.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An amount of memory in MiB, Slurm's own unit. Zero in `--mem=0` means
/// "all of the node".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mebibytes(pub u64);

/// Not one of `--mem`'s forms. The command says which option it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("Invalid memory specification")]
pub struct MemError;

/// Reads `--mem`'s grammar: digits, then K, M (the default), G or T in either
/// case, then perhaps a B. K is rounded up to whole MiB. As recorded in
/// sbatch.txt, fractions, `4B`, `4GiB` and P are refused; a blank or a plus
/// sign in front is not.
pub fn parse_mem(text: &str) -> Result<Mebibytes, MemError> {
    let text = text.trim_start();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let (count, unit) = digits.split_at(end);
    let count: u64 = count.parse().map_err(|_| MemError)?;
    if text.starts_with('-') && count != 0 {
        return Err(MemError);
    }
    let mebibytes = match unit.to_ascii_lowercase().as_str() {
        "" | "m" | "mb" => Some(count),
        "k" | "kb" => Some(count.div_ceil(1 << 10)),
        "g" | "gb" => count.checked_mul(1 << 10),
        "t" | "tb" => count.checked_mul(1 << 20),
        _ => None,
    };
    mebibytes.map(Mebibytes).ok_or(MemError)
}

impl FromStr for Mebibytes {
    type Err = MemError;

    fn from_str(text: &str) -> Result<Self, MemError> {
        parse_mem(text)
    }
}

impl Mebibytes {
    /// The amount in bytes, at most `u64::MAX`.
    pub fn bytes(self) -> u64 {
        self.0.saturating_mul(1 << 20)
    }

    /// As squeue's `%m` and `scontrol show job` show it: `4G`, `4000M`,
    /// `1.50G`, `1T`, `0`. The largest unit that needs at most a half.
    pub fn squeue_min(&self) -> String {
        if self.0 == 0 {
            return "0".into();
        }
        self.tres()
    }

    /// As it stands in TRES strings, after `mem=`: `500G`, `2000M`, `0`.
    pub fn tres(&self) -> String {
        if self.0 == 0 {
            return "0".into();
        }
        // Slurm's own arithmetic, floating point and all.
        let mut amount = self.0 as f64;
        let mut units = ['M', 'G', 'T', 'P'].into_iter();
        let mut unit = units.next();
        while amount >= 1024.0 && (amount as u64).is_multiple_of(512) {
            amount /= 1024.0;
            unit = units.next();
        }
        show(amount, unit)
    }

    /// As sacct shows sizes, rounded to the largest unit below 1024 of it:
    /// `1.95G`, `500G`, `0`.
    pub fn rounded(&self) -> String {
        if self.0 == 0 {
            return "0".into();
        }
        let mut amount = self.0 as f64;
        let mut units = ['M', 'G', 'T', 'P'].into_iter();
        let mut unit = units.next();
        while amount >= 1024.0 {
            amount /= 1024.0;
            unit = units.next();
        }
        show(amount, unit)
    }
}

/// A whole number, or two places; beyond petabytes Slurm has no letter.
fn show(amount: f64, unit: Option<char>) -> String {
    let unit = unit.unwrap_or('?');
    if amount.fract() == 0.0 { format!("{amount:.0}{unit}") } else { format!("{amount:.2}{unit}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// sbatch.txt, "bad values", and more asked of the same Slurm.
    #[test]
    fn as_recorded() {
        let table = [
            ("4G", "4G"),
            ("4000", "4000M"),
            ("4GB", "4G"),
            ("1T", "1T"),
            ("0", "0"),
            ("999T", "999T"),
            ("4g", "4G"),
            ("4gb", "4G"),
            ("4Gb", "4G"),
            ("4K", "1M"),
            ("1024K", "1M"),
            ("1025K", "2M"),
            ("4KB", "1M"),
            ("4m", "4M"),
            ("4MB", "4M"),
            ("+4", "4M"),
            (" 4", "4M"),
            ("-0", "0"),
            ("0K", "0"),
            ("1023", "1023M"),
            ("1024", "1G"),
            ("1025", "1025M"),
            ("1536", "1.50G"),
            ("10240", "10G"),
            ("1048576", "1T"),
            ("1048577", "1048577M"),
            ("512000", "500G"),
            ("1024G", "1T"),
            ("1000T", "1000T"),
            ("2048M", "2G"),
            ("3000G", "3000G"),
            ("12345678", "12345678M"),
            ("3145728", "3T"),
            ("1572864", "1.50T"),
            ("1048576K", "1G"),
            ("17592186044416", "16?"),
        ];
        for (text, shown) in table {
            assert_eq!(parse_mem(text).map(|m| m.squeue_min()), Ok(shown.into()), "{text}");
        }
        for bad in [
            "abc",
            "-1",
            "4X",
            "1.5G",
            "1P",
            "4B",
            "4GiB",
            "4Gi",
            "4Gx",
            "4 G",
            "4 ",
            "4G ",
            "0x10",
            "",
            "999999999999999999999",
            "2E",
            "99999999999999999999T",
            "1.0",
            "G",
        ] {
            assert_eq!(parse_mem(bad), Err(MemError), "{bad}");
        }
    }

    #[test]
    fn other_displays() {
        assert_eq!(Mebibytes(512_000).tres(), "500G");
        assert_eq!(Mebibytes(2000).tres(), "2000M");
        assert_eq!(Mebibytes(2000).rounded(), "1.95G");
        assert_eq!(Mebibytes(512_000).rounded(), "500G");
        assert_eq!(Mebibytes(2).bytes(), 2_097_152);
    }

    proptest! {
        #[test]
        fn round_trip(mib in 1u64..(1 << 30)) {
            let shown = Mebibytes(mib).squeue_min();
            if !shown.contains('.') { prop_assert_eq!(parse_mem(&shown), Ok(Mebibytes(mib))); }
        }

        #[test]
        fn any_text(text in "\\PC*") { let _ = parse_mem(&text); }

        #[test]
        fn any_size(mib: u64) { let m = Mebibytes(mib); m.squeue_min(); m.tres(); m.rounded(); m.bytes(); }
    }
}
