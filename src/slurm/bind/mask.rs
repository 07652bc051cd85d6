//! Sets of CPUs, domains or GPUs as hexadecimal masks.

use crate::slurm::idset::IdSet;

/// The highest number a mask may have.
const MOST: usize = 4096;

/// The numbers a mask such as `0x3` or `f0` stands for. `None`: it is none, or stands for none.
pub fn mask_ids(text: &str) -> Option<IdSet> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    if digits.is_empty() || digits.len() > MOST / 4 {
        return None;
    }
    let mut ids = IdSet::new();
    for (place, digit) in (0u32..).zip(digits.bytes().rev()) {
        let digit = char::from(digit).to_digit(16)?;
        (0..4).filter(|bit| digit >> bit & 1 == 1).for_each(|bit| {
            ids.insert(place * 4 + bit);
        });
    }
    Some(ids)
}

/// The mask of these numbers, `0x3`.
pub fn mask_text(ids: &IdSet) -> String {
    let Some(last) = ids.last() else {
        return "0x0".into();
    };
    let mut text = String::from("0x");
    for place in (0..=last / 4).rev() {
        let digit: u32 = (0..4).filter(|bit| ids.contains(place * 4 + bit)).map(|bit| 1 << bit).sum();
        text.extend(char::from_digit(digit, 16));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_and_numbers_are_the_same() {
        let shown = |text: &str| mask_ids(text).map(|ids| (ids.to_ranges(), mask_text(&ids)));
        assert_eq!(shown("0x3"), Some(("0-1".into(), "0x3".into())));
        assert_eq!(shown("F00000000000000000"), Some(("68-71".into(), "0xf00000000000000000".into())));
        assert_eq!(shown("0"), Some((String::new(), "0x0".into())));
        assert_eq!((shown("zz"), shown("0x"), shown("")), (None, None, None));
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read(ids: std::collections::BTreeSet<u8>) {
            let ids: IdSet = ids.into_iter().map(u32::from).collect();
            proptest::prop_assert_eq!(mask_ids(&mask_text(&ids)), Some(ids));
        }
    }
}
