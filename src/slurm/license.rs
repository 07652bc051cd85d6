//! Licenses: `--licenses=NAME[:COUNT],...`.

use super::errno::Errno;

/// A license and how many of it.
pub type License = (String, u32);

/// Reads a list. A name without a count asks for one; `;` stands for `,`, as in Slurm, whose `;` means "and" as well.
///
/// # Errors
/// For what is no list of names with counts: `Invalid license specification`.
pub fn parse(text: &str) -> Result<Vec<License>, Errno> {
    let mut list: Vec<License> = Vec::new();
    for one in text.split([',', ';']) {
        let (name, count) = one.split_once(':').unwrap_or((one, "1"));
        // A colon with nothing behind it asks for none of it.
        let count: u32 = if count.is_empty() { 0 } else { count.parse().map_err(|_| Errno::InvalidLicenses)? };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.@".contains(&b)) {
            return Err(Errno::InvalidLicenses);
        }
        match list.iter_mut().find(|(known, _)| known == name) {
            Some((_, sum)) => *sum = sum.saturating_add(count),
            None => list.push((name.to_owned(), count)),
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_a_real_slurm_takes_them() {
        let list = |text| parse(text).map(|l| l.iter().map(|(n, c)| format!("{n}={c}")).collect::<Vec<_>>().join(" "));
        assert_eq!(list("matlab:2,foo"), Ok("matlab=2 foo=1".into()));
        assert_eq!(list("matlab;foo"), Ok("matlab=1 foo=1".into()));
        assert_eq!(list("matlab:"), Ok("matlab=0".into()));
        assert_eq!(list("a,a:2"), Ok("a=3".into()));
        for bad in ["matlab=2", "matlab:x", "", ",", "a b", "a:-1", "a:1:2"] {
            assert_eq!(parse(bad), Err(Errno::InvalidLicenses), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text(text in "\\PC*") { let _ = parse(&text); }
    }
}
