//! A set of array task ids as a growable bitmap.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The highest id a text may name: Slurm's own bound of `MaxArraySize`, less
/// one. It keeps a typed `0-4294967295` from asking for half a gigabyte.
pub const MAX_ID: u32 = 4_000_000;

/// A set of ids, one bit each, so that an array of 10,000 tasks costs 1.3 kB.
///
/// `Display` and `FromStr` are the range list of Slurm's array fields,
/// `0-3,7`; `FromStr` also takes steps, `0-10:2`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<u64>", into = "Vec<u64>")]
pub struct IdSet {
    /// Never ends with an empty word, so that equal sets are equal vectors.
    words: Vec<u64>,
}

/// What is wrong with a list of ids.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdSetError {
    /// Not a number, a range or a range with a step.
    #[error("Invalid id range: {0}")]
    Range(String),
    /// An id above [`MAX_ID`].
    #[error("id {0} is too large")]
    TooLarge(String),
}

impl IdSet {
    /// The empty set.
    pub const fn new() -> Self {
        Self { words: Vec::new() }
    }

    /// Adds `id`; true if it was not there. Memory grows with the highest id: check ids from outside
    /// against [`MAX_ID`] first, as `FromStr` does.
    pub fn insert(&mut self, id: u32) -> bool {
        let (index, bit) = place(id);
        if index >= self.words.len() {
            self.words.resize(index + 1, 0);
        }
        self.words.get_mut(index).is_some_and(|word| {
            let new = *word & bit == 0;
            *word |= bit;
            new
        })
    }

    /// Takes `id` out; true if it was there.
    pub fn remove(&mut self, id: u32) -> bool {
        let (index, bit) = place(id);
        let found = self.words.get_mut(index).is_some_and(|word| {
            let found = *word & bit != 0;
            *word &= !bit;
            found
        });
        self.trim();
        found
    }

    /// Is `id` in the set?
    pub fn contains(&self, id: u32) -> bool {
        let (index, bit) = place(id);
        self.words.get(index).is_some_and(|word| word & bit != 0)
    }

    /// How many ids there are.
    pub fn len(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The ids, rising.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.words.iter().enumerate().flat_map(|(index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                u32::try_from(index * 64).ok()?.checked_add(bit)
            })
        })
    }

    /// The lowest id.
    pub fn first(&self) -> Option<u32> {
        self.iter().next()
    }

    /// The highest id.
    pub fn last(&self) -> Option<u32> {
        let word = self.words.last()?;
        let base = u32::try_from((self.words.len() - 1) * 64).ok()?;
        word.checked_ilog2().map(|bit| base + bit)
    }

    /// Moves the `n` lowest ids (fewer, if there are fewer) into a set of their
    /// own; `None` if there is nothing to move.
    pub fn take_first(&mut self, n: usize) -> Option<IdSet> {
        let taken: IdSet = self.iter().take(n).collect();
        self.difference_with(&taken);
        (!taken.is_empty()).then_some(taken)
    }

    /// Adds all ids of `other`.
    pub fn union_with(&mut self, other: &IdSet) {
        if other.words.len() > self.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine |= theirs;
        }
    }

    /// Takes out all ids of `other`.
    pub fn difference_with(&mut self, other: &IdSet) {
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine &= !theirs;
        }
        self.trim();
    }

    /// The runs of neighbouring ids, rising.
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u32>> + '_ {
        let mut from = 0;
        std::iter::from_fn(move || {
            let first = self.next(from, true)?;
            from = self.next(first, false)?;
            Some(first..=from - 1)
        })
    }

    /// The first id from `from` on that is in the set, or that is not, a word at a time.
    fn next(&self, from: u32, is_there: bool) -> Option<u32> {
        let (start, bit) = place(from);
        for index in start..=self.words.len() {
            let word = self.words.get(index).copied().unwrap_or(0);
            let wanted = if is_there { word } else { !word };
            let ahead = if index == start { wanted & bit.wrapping_neg() } else { wanted };
            if ahead != 0 {
                return u32::try_from(index * 64).ok()?.checked_add(ahead.trailing_zeros());
            }
        }
        None
    }

    /// The set as `0-3,7`; the empty set is the empty text.
    pub fn to_ranges(&self) -> String {
        self.to_string()
    }

    fn trim(&mut self) {
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
    }
}

fn place(id: u32) -> (usize, u64) {
    ((id / 64) as usize, 1 << (id % 64))
}

impl From<IdSet> for Vec<u64> {
    fn from(set: IdSet) -> Self {
        set.words
    }
}

impl From<Vec<u64>> for IdSet {
    fn from(words: Vec<u64>) -> Self {
        let mut set = Self { words };
        set.trim();
        set
    }
}

impl FromIterator<u32> for IdSet {
    fn from_iter<I: IntoIterator<Item = u32>>(ids: I) -> Self {
        let mut set = Self::new();
        set.extend(ids);
        set
    }
}

impl Extend<u32> for IdSet {
    fn extend<I: IntoIterator<Item = u32>>(&mut self, ids: I) {
        for id in ids {
            self.insert(id);
        }
    }
}

impl fmt::Display for IdSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        for range in self.ranges() {
            let (first, last) = range.into_inner();
            write!(f, "{comma}{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
            comma = ",";
        }
        Ok(())
    }
}

impl FromStr for IdSet {
    type Err = IdSetError;

    fn from_str(text: &str) -> Result<Self, IdSetError> {
        let mut set = Self::new();
        for part in text.split(',').filter(|_| !text.is_empty()) {
            let wrong = || IdSetError::Range(part.to_owned());
            let (range, step) = match part.split_once(':') {
                Some((range, step)) => (range, id(step)?),
                None => (part, 1),
            };
            let (first, last) = match range.split_once('-') {
                Some((first, last)) => (id(first)?, id(last)?),
                None if part.contains(':') => return Err(wrong()),
                None => (id(range)?, id(range)?),
            };
            if step == 0 || first > last {
                return Err(wrong());
            }
            set.extend((first..=last).step_by(step as usize));
        }
        Ok(set)
    }
}

/// One unsigned number without sign or blanks, at most [`MAX_ID`].
fn id(text: &str) -> Result<u32, IdSetError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(IdSetError::Range(text.to_owned()));
    }
    text.parse().ok().filter(|id| *id <= MAX_ID).ok_or_else(|| IdSetError::TooLarge(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn runs_go_over_words() {
        let runs = |ids: &[RangeInclusive<u32>]| ids.iter().cloned().flatten().collect::<IdSet>().to_ranges();
        assert_eq!(runs(&[0..=63]), "0-63");
        assert_eq!(runs(&[63..=64, 66..=66, 127..=128, 130..=255]), "63-64,66,127-128,130-255");
        assert_eq!(runs(&[0..=0, 191..=191]), "0,191");
    }

    #[test]
    fn text_is_ranges() {
        let set: IdSet = [7, 0, 1, 2, 3, 3].into_iter().collect();
        assert_eq!(set.to_ranges(), "0-3,7");
        assert_eq!("0-3,7".parse(), Ok(set));
        assert_eq!("1-9:4".parse::<IdSet>().map(|s| s.to_string()), Ok("1,5,9".into()));
        assert_eq!("".parse(), Ok(IdSet::new()));
        for bad in ["1,,2", "3-1", "1:2", "1-3:0", "a", "-1", "+1", "1-", "4000001", "0-4294967295"] {
            assert!(bad.parse::<IdSet>().is_err(), "{bad}");
        }
    }

    #[test]
    fn taking_the_first() {
        let mut set: IdSet = (1..=5).collect();
        assert_eq!(set.take_first(2).map(|s| s.to_string()), Some("1-2".into()));
        assert_eq!((set.first(), set.last(), set.len()), (Some(3), Some(5), 3));
        assert_eq!(set.take_first(9).map(|s| s.to_string()), Some("3-5".into()));
        assert_eq!(set.take_first(1), None);
        assert_eq!(set, IdSet::new());
    }

    #[test]
    fn travels_by_postcard() {
        let set: IdSet = [1, 64, 10_000].into_iter().collect();
        let bytes = postcard::to_allocvec(&set).unwrap();
        assert_eq!(postcard::from_bytes::<IdSet>(&bytes), Ok(set));
    }

    proptest! {
        #[test]
        fn is_a_set(a in prop::collection::btree_set(0u32..400, 0..60), b in prop::collection::btree_set(0u32..400, 0..60)) {
            let (mut x, y): (IdSet, IdSet) = (a.iter().copied().collect(), b.iter().copied().collect());
            prop_assert_eq!(x.iter().collect::<BTreeSet<_>>(), a.clone());
            prop_assert_eq!(x.len(), a.len());
            prop_assert_eq!(x.last(), a.last().copied());
            prop_assert_eq!(x.to_string().parse(), Ok(x.clone()));
            x.difference_with(&y);
            prop_assert_eq!(&x, &a.difference(&b).copied().collect());
            x.union_with(&y);
            prop_assert_eq!(&x, &a.union(&b).copied().collect());
            for id in &b { prop_assert!(x.remove(*id)); }
            prop_assert_eq!(&x, &a.difference(&b).copied().collect());
        }

        #[test]
        fn any_text(text in "\\PC*") { let _ = text.parse::<IdSet>(); }

        #[test]
        fn any_ranges(text in "[0-9,:-]*") { let _ = text.parse::<IdSet>(); }
    }

    #[test]
    fn json_and_postcard_come_back() {
        let set: IdSet = [1, 70, 3].into_iter().collect();
        let json = serde_json::to_string(&set).unwrap();
        assert_eq!(serde_json::from_str::<IdSet>(&json).unwrap(), set);
        let bytes = postcard::to_stdvec(&set).unwrap();
        assert_eq!(postcard::from_bytes::<IdSet>(&bytes).unwrap(), set);
    }
}
