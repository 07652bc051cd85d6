//! Hostlists: `node[01-03,7],login` to names and back.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Most hosts in one range, as in Slurm.
const MAX_RANGE: u64 = 65_536;
/// Most hosts in a whole list; ours, so that a text of a few bytes cannot ask for all memory.
const MAX_HOSTS: usize = 262_144;

/// Why a hostlist was refused; `scontrol` prints `Invalid hostlist: TEXT` after it.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum HostlistError {
    /// Between brackets stands something that is neither a number nor a rising range.
    #[error("Invalid range: `{0}'")]
    Range(String),
    /// A range of more than 65,536 hosts, or a list that is too long altogether.
    #[error("Too many hosts in range `{0}'")]
    TooMany(String),
    /// An opened bracket is not closed, or one is inside another.
    #[error("Unbalanced brackets: `{0}'")]
    Brackets(String),
    /// A text after the last brackets (`x[01-02]y`), which Slurm refuses.
    #[error("Text after brackets: `{0}'")]
    Suffix(String),
}

/// All names of a hostlist, in `scontrol show hostnames`' order.
///
/// Commas and white space separate, empty words are passed over. With several
/// brackets in a word the last one runs fastest, then the first, the second and
/// so on: that is Slurm's order (`n[1-2]m[3-4]o[5-6]` is n1m3o5, n1m3o6, n2m3o5, ...).
pub fn expand(text: &str) -> Result<Vec<String>, HostlistError> {
    let mut hosts = Vec::new();
    for word in words(text) {
        expand_word(word, &mut hosts)?;
    }
    Ok(hosts)
}

/// The words between separators that stand outside of brackets.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.split(move |c: char| {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            _ => {}
        }
        !inside && (c == ',' || c.is_ascii_whitespace())
    })
    .filter(|word| !word.is_empty())
}

fn expand_word(word: &str, hosts: &mut Vec<String>) -> Result<(), HostlistError> {
    // Alternating: a literal text and what stands in the brackets after it.
    let mut parts: Vec<(&str, Vec<String>)> = Vec::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('[') {
        let unbalanced = || HostlistError::Brackets(word.to_owned());
        let (ranges, after) = after.split_once(']').ok_or_else(unbalanced)?;
        if ranges.contains('[') {
            return Err(unbalanced());
        }
        parts.push((before, numbers(ranges)?));
        rest = after;
    }
    if parts.is_empty() {
        hosts.push(word.to_owned());
        return bounded(hosts.len(), word);
    }
    if !rest.is_empty() {
        return Err(HostlistError::Suffix(word.to_owned()));
    }
    let total = parts.iter().try_fold(1usize, |product, (_, numbers)| product.checked_mul(numbers.len()));
    let total = total.filter(|total| *total <= MAX_HOSTS).ok_or_else(|| HostlistError::TooMany(word.to_owned()))?;
    bounded(hosts.len() + total, word)?;
    // A counter with one digit per bracket, fastest first.
    let fastest_first: Vec<usize> = [parts.len() - 1].into_iter().chain(0..parts.len() - 1).collect();
    for count in 0..total {
        let mut digits = vec![0; parts.len()];
        let mut carry = count;
        for bracket in &fastest_first {
            if let (Some(digit), Some((_, numbers))) = (digits.get_mut(*bracket), parts.get(*bracket)) {
                *digit = carry % numbers.len().max(1);
                carry /= numbers.len().max(1);
            }
        }
        let mut host = String::with_capacity(word.len());
        for ((before, numbers), digit) in parts.iter().zip(digits) {
            host.push_str(before);
            host.extend(numbers.get(digit).map(String::as_str));
        }
        hosts.push(host);
    }
    Ok(())
}

fn bounded(hosts: usize, word: &str) -> Result<(), HostlistError> {
    if hosts > MAX_HOSTS { Err(HostlistError::TooMany(word.to_owned())) } else { Ok(()) }
}

/// What `01-03,7` stands for: `01`, `02`, `03`, `7`. Each range is as wide as its first number.
fn numbers(ranges: &str) -> Result<Vec<String>, HostlistError> {
    let mut numbers = Vec::new();
    for range in ranges.split(',') {
        let wrong = || HostlistError::Range(range.to_owned());
        let (low, high) = range.split_once('-').unwrap_or((range, range));
        let digits = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| text.parse::<u64>().ok()).flatten().ok_or_else(wrong)
        };
        let (first, last) = (digits(low)?, digits(high)?);
        let span = last.checked_sub(first).ok_or_else(wrong)?;
        if span >= MAX_RANGE || numbers.len() + span as usize >= MAX_HOSTS {
            return Err(HostlistError::TooMany(range.to_owned()));
        }
        numbers.extend((first..=last).map(|number| format!("{number:0width$}", width = low.len())));
    }
    Ok(numbers)
}

/// A name cut into its text and the number at its end.
#[derive(Clone, Copy)]
struct Host<'a> {
    prefix: &'a str,
    /// The digits as written, and what they are worth.
    number: Option<(&'a str, u64)>,
}

impl<'a> Host<'a> {
    fn new(name: &'a str) -> Self {
        let prefix = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let digits = name.get(prefix.len()..).unwrap_or_default();
        match digits.parse() {
            Ok(number) => Self { prefix, number: Some((digits, number)) },
            Err(_) => Self { prefix: name, number: None },
        }
    }

    /// Does this name stand right after `before` in a range written with `width` digits?
    fn follows(self, before: Host<'_>, width: usize) -> bool {
        let (Some((digits, number)), Some((_, last))) = (self.number, before.number) else {
            return false;
        };
        self.prefix == before.prefix && last.checked_add(1) == Some(number) && format!("{number:0width$}") == digits
    }

    /// The width its zeros give it; none without a zero in front.
    fn padding(self) -> Option<usize> {
        let (digits, _) = self.number?;
        (digits.len() > 1 && digits.starts_with('0')).then_some(digits.len())
    }
}

/// Names as `scontrol show hostlist` writes them: neighbours that count up are
/// a range, neighbours with the same text share brackets; nothing is sorted
/// and nothing thrown out, `node[3,1-2,2]`.
pub fn compress<I: IntoIterator<Item = impl AsRef<str>>>(names: I) -> String {
    let names: Vec<_> = names.into_iter().collect();
    compress_hosts(&names.iter().map(|name| Host::new(name.as_ref())).collect::<Vec<_>>())
}

/// Names as `scontrol show hostlistsorted` and the node lists of squeue and sinfo
/// write them: sorted with numbers as numbers, then as [`compress`].
pub fn compress_sorted<I: IntoIterator<Item = impl AsRef<str>>>(names: I) -> String {
    let names: Vec<_> = names.into_iter().collect();
    let mut hosts: Vec<Host<'_>> = names.iter().map(|name| Host::new(name.as_ref())).collect();
    // Slurm keeps numbers of different zero-padding apart: `n[2,001,003]`. A number
    // without zeros in front belongs to the widest padding it could have grown from.
    let mut paddings: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for host in &hosts {
        paddings.entry(host.prefix).or_default().extend(host.padding());
    }
    let padding = |host: &Host<'_>| {
        let width = host.number.map_or(0, |(digits, _)| digits.len());
        let widths = paddings.get(host.prefix).into_iter().flatten();
        host.padding().or_else(|| widths.copied().filter(|padding| *padding <= width).max())
    };
    hosts.sort_by(|a, b| {
        natural(a.prefix, b.prefix)
            .then_with(|| padding(a).cmp(&padding(b)))
            .then_with(|| a.number.map(|n| n.1).cmp(&b.number.map(|n| n.1)))
    });
    compress_hosts(&hosts)
}

fn compress_hosts(hosts: &[Host<'_>]) -> String {
    // Ranges (first and last), gathered under one prefix while they follow each other.
    let mut groups: Vec<Vec<(Host<'_>, Host<'_>)>> = Vec::new();
    for host in hosts {
        if let Some(group) = groups.last_mut()
            && let Some((first, last)) = group.last_mut()
        {
            let width = first.number.map_or(0, |(digits, _)| digits.len());
            if host.follows(*last, width) {
                *last = *host;
                continue;
            }
            if host.number.is_some() && first.number.is_some() && host.prefix == first.prefix {
                group.push((*host, *host));
                continue;
            }
        }
        groups.push(vec![(*host, *host)]);
    }
    let texts: Vec<String> = groups.iter().map(|group| show_group(group)).collect();
    texts.join(",")
}

fn show_group(group: &[(Host<'_>, Host<'_>)]) -> String {
    let digits = |host: &Host<'_>| host.number.map_or("", |(digits, _)| digits).to_owned();
    let ranges: Vec<String> = group
        .iter()
        .map(|(first, last)| {
            if first.number.map(|n| n.1) == last.number.map(|n| n.1) {
                digits(first)
            } else {
                format!("{}-{}", digits(first), digits(last))
            }
        })
        .collect();
    let ranges = ranges.join(",");
    let prefix = group.first().map_or("", |(first, _)| first.prefix);
    let one = !ranges.contains([',', '-']);
    if one { format!("{prefix}{ranges}") } else { format!("{prefix}[{ranges}]") }
}

/// Compares texts with the numbers in them as numbers, so that `r2n` is before `r10n`.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (x, y) = (chunk(a), chunk(b));
        if x.is_empty() || y.is_empty() {
            return x.len().cmp(&y.len());
        }
        let order = match (x.parse::<u128>(), y.parse::<u128>()) {
            (Ok(i), Ok(j)) => i.cmp(&j).then_with(|| x.len().cmp(&y.len())),
            _ => x.cmp(y),
        };
        if order != Ordering::Equal {
            return order;
        }
        a = a.get(x.len()..).unwrap_or_default();
        b = b.get(y.len()..).unwrap_or_default();
    }
}

/// The digits in front (as many as surely are a number), or one character.
fn chunk(text: &str) -> &str {
    let digits = text.bytes().take(38).take_while(u8::is_ascii_digit).count();
    let end = if digits > 0 { digits } else { text.chars().next().map_or(0, char::len_utf8) };
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expanded(text: &str) -> String {
        expand(text).map_or_else(|error| error.to_string(), |hosts| hosts.join(" "))
    }

    /// sinfo.txt, and more asked of the same `scontrol show hostnames`.
    #[test]
    fn expands_as_recorded() {
        let table = [
            ("node[1-3]", "node1 node2 node3"),
            ("n[1-2]m[3-4]", "n1m3 n1m4 n2m3 n2m4"),
            ("", ""),
            ("n[01-03]", "n01 n02 n03"),
            ("n[1,3-4,07]", "n1 n3 n4 n07"),
            ("n[09-11]", "n09 n10 n11"),
            ("n[1-03]", "n1 n2 n3"),
            ("n[01-3]", "n01 n02 n03"),
            ("n]", "n]"),
            ("n[1-2]y[3-4]", "n1y3 n1y4 n2y3 n2y4"),
            ("a,b,,c", "a b c"),
            (",a b\tc\n", "a b c"),
            ("[1-3]", "1 2 3"),
            ("n[1-3],n[1-3]", "n1 n2 n3 n1 n2 n3"),
            ("n[1-2][3-4]", "n13 n14 n23 n24"),
            ("n[1-2]m[3-4]o[5-6]", "n1m3o5 n1m3o6 n2m3o5 n2m3o6 n1m4o5 n1m4o6 n2m4o5 n2m4o6"),
            (
                "n[1-2]a[1-2]b[1-2]c[1-2]",
                "n1a1b1c1 n1a1b1c2 n2a1b1c1 n2a1b1c2 n1a2b1c1 n1a2b1c2 n2a2b1c1 n2a2b1c2 \
                 n1a1b2c1 n1a1b2c2 n2a1b2c1 n2a1b2c2 n1a2b2c1 n1a2b2c2 n2a2b2c1 n2a2b2c2",
            ),
            ("n[1-2].dom[1-2]", "n1.dom1 n1.dom2 n2.dom1 n2.dom2"),
            ("n[18446744073709551615]", "n18446744073709551615"),
            ("n[3-1]", "Invalid range: `3-1'"),
            ("n[]", "Invalid range: `'"),
            ("n[1,]", "Invalid range: `'"),
            ("n[a-b]", "Invalid range: `a-b'"),
            ("n[1--3]", "Invalid range: `1--3'"),
            ("n[1-3:2]", "Invalid range: `1-3:2'"),
            ("n[0-99999]", "Too many hosts in range `0-99999'"),
            ("n[0-65536]", "Too many hosts in range `0-65536'"),
            ("node[1-3,5],x[01-02]y,single", "Text after brackets: `x[01-02]y'"),
            ("n[1]2", "Text after brackets: `n[1]2'"),
            ("n[[1-2]]", "Unbalanced brackets: `n[[1-2]]'"),
            ("node[1-", "Unbalanced brackets: `node[1-'"),
        ];
        for (text, result) in table {
            assert_eq!(expanded(text), result, "{text}");
        }
        assert_eq!(expand("n[0-65535]").map(|hosts| hosts.len()), Ok(65_536));
        assert!(expand("n[1-60000][1-60000]").is_err());
        assert!(expand(&"n[0-65535],".repeat(5)).is_err());
    }

    /// sinfo.txt, and more asked of the same `scontrol show hostlist` and `hostlistsorted`.
    #[test]
    fn compresses_as_recorded() {
        let table = [
            ("node3,node1,node2,node2", "node[3,1-2,2]", "node[1-2,2-3]"),
            ("node1,login,node2", "node1,login,node2", "login,node[1-2]"),
            ("n1,n2,n3,m1,m2", "n[1-3],m[1-2]", "m[1-2],n[1-3]"),
            ("n01,n02,n10", "n[01-02,10]", "n[01-02,10]"),
            ("n1,n01", "n[1,01]", "n[1,01]"),
            ("n1,n02,n3", "n[1,02,3]", "n[1,3,02]"),
            ("n9,n10,n11", "n[9-11]", "n[9-11]"),
            ("n09,n10,n11", "n[09-11]", "n[09-11]"),
            ("n099,n100,n101", "n[099-101]", "n[099-101]"),
            ("n1", "n1", "n1"),
            ("n1,n1", "n[1,1]", "n[1,1]"),
            ("n1m1,n1m2,n2m1,n2m2", "n1m[1-2],n2m[1-2]", "n1m[1-2],n2m[1-2]"),
            ("n1-a,n1-b", "n1-a,n1-b", "n1-a,n1-b"),
            ("n001,n2,n003", "n[001,2,003]", "n[2,001,003]"),
            ("1,2,3", "[1-3]", "[1-3]"),
            ("n10,n9,n8", "n[10,9,8]", "n[8-10]"),
            ("b1,a1,b2,a2", "b1,a1,b2,a2", "a[1-2],b[1-2]"),
            ("n[1-3],n[2-4]", "n[1-3,2-4]", "n[1-2,2-3,3-4]"),
            ("login,login,compute", "login,login,compute", "compute,login,login"),
            ("a1,a,a2", "a1,a,a2", "a,a[1-2]"),
            ("rack1-n1,rack1-n2,rack2-n1", "rack1-n[1-2],rack2-n1", "rack1-n[1-2],rack2-n1"),
            ("n-1,n-2", "n-[1-2]", "n-[1-2]"),
            ("r10n1,r2n1", "r10n1,r2n1", "r2n1,r10n1"),
            ("n100,n09,n9", "n[100,09,9]", "n[9,09,100]"),
            ("n1,n01,n10", "n[1,01,10]", "n[1,01,10]"),
            ("rack10-a,rack9-a", "rack10-a,rack9-a", "rack9-a,rack10-a"),
            ("login1,Login1", "login1,Login1", "Login1,login1"),
            ("", "", ""),
        ];
        for (text, plain, sorted) in table {
            let hosts = expand(text).unwrap();
            assert_eq!(compress(&hosts), plain, "{text}");
            assert_eq!(compress_sorted(&hosts), sorted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(hosts in prop::collection::vec("[a-c]{0,2}[0-9]{0,3}[a-c]?[0-9]{1,2}|[a-c]{1,2}", 0..30)) {
            prop_assert_eq!(expand(&compress(&hosts)), Ok(hosts.clone()));
            let mut sorted = expand(&compress_sorted(&hosts)).unwrap();
            let mut hosts = hosts;
            hosts.sort();
            sorted.sort();
            prop_assert_eq!(sorted, hosts);
        }

        #[test]
        fn any_text(text in "\\PC*") { let _ = expand(&text); }

        #[test]
        fn any_brackets(text in "[an0-9,\\[\\] -]{0,24}") {
            if let Ok(hosts) = expand(&text) { compress_sorted(&hosts); }
        }

        #[test]
        fn any_names(names in prop::collection::vec("\\PC*", 0..9)) { compress(&names); compress_sorted(&names); }
    }
}
