//! The names jobs have there: short enough that SkyPilot's cluster names are made of them unchanged
//! (`generate_managed_job_cluster_name`: at most 25 characters), and like no other.

use std::{fs, io, path::Path};

/// Longest name whose cluster is called `NAME-NUMBER`.
const LONGEST: usize = 25;

/// Characters of a mark.
const MARK: usize = 4;

/// Names of one state directory.
#[derive(Clone, Debug)]
pub struct Names {
    /// 4 letters and digits that no other state directory of the user has, most likely.
    system: String,
}

impl Names {
    /// The mark of the state directory whose file is `path`; made if it is not there.
    ///
    /// # Errors
    /// When it can neither be read nor written.
    pub fn open(path: &Path) -> io::Result<Self> {
        let known = fs::read_to_string(path).unwrap_or_default();
        let known = known.trim();
        if known.len() == MARK && known.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
            return Ok(Self { system: known.to_owned() });
        }
        let system = letters(random()?);
        fs::write(path, format!("{system}\n"))?;
        Ok(Self { system })
    }

    /// `train-12-3fx2b8z9`: the job's name as far as it goes, its id, our mark and a random one.
    pub fn of_job(&self, name: &str, id: u32) -> String {
        let tail = format!("-{id}-{}{}", self.system, letters(random().unwrap_or_default()));
        let room = LONGEST.saturating_sub(tail.len());
        let mut head = String::new();
        for c in name.chars().map(|c| c.to_ascii_lowercase()) {
            match c {
                'a'..='z' | '0'..='9' => head.push(c),
                _ if !head.is_empty() && !head.ends_with('-') => head.push('-'),
                _ => {}
            }
            if head.len() >= room {
                break;
            }
        }
        let head = head.trim_end_matches('-');
        // A cluster's name begins with a letter.
        match head.bytes().next() {
            Some(b'a'..=b'z') => format!("{head}{tail}"),
            Some(_) if head.len() < room => format!("j{head}{tail}"),
            _ => format!("job{tail}"),
        }
    }

    /// What all names of this state directory have in them.
    pub fn mark(&self) -> String {
        format!("-{}", self.system)
    }

    /// Whether a name is one of ours.
    pub fn is_ours(&self, name: &str) -> bool {
        name.rsplit_once('-').is_some_and(|(_, last)| last.len() == 2 * MARK && last.starts_with(&self.system))
    }
}

/// The name of a managed job's cluster.
pub fn cluster(name: &str, number: u32) -> String {
    format!("{name}-{number}")
}

/// Random bytes.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|e| io::Error::other(e.to_string()))?;
    Ok(bytes)
}

fn letters(bytes: [u8; 8]) -> String {
    let mut number = u64::from_be_bytes(bytes);
    let digits = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let digit = |number: &mut u64| {
        let place = usize::try_from(*number % 36).unwrap_or(0);
        *number /= 36;
        digits.get(place).copied().map_or('0', char::from)
    };
    (0..MARK).map(|_| digit(&mut number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_mark_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mark");
        let first = Names::open(&path).unwrap();
        assert_eq!(first.mark(), Names::open(&path).unwrap().mark());
        let name = first.of_job("Train Net", 12);
        assert!(name.starts_with("train-net-12-") && first.is_ours(&name), "{name}");
        assert_ne!(name, first.of_job("Train Net", 12));
    }

    proptest! {
        #[test]
        fn any_name_becomes_a_valid_one(name in any::<String>(), id in 1u32..9_999_999) {
            let names = Names { system: "0a1b".into() };
            let made = names.of_job(&name, id);
            prop_assert!(made.len() <= LONGEST);
            prop_assert!(made.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            prop_assert!(made.as_bytes()[0].is_ascii_lowercase() && !made.contains("--"));
        }
    }
}
