//! `scontrol show licenses`.

/// One license, of `total` of which `used` are in use.
pub fn license(name: &str, total: u32, used: u32, one_line: bool) -> String {
    let free = total.saturating_sub(used);
    let between = if one_line { " " } else { "\n    " };
    format!("LicenseName={name}{between}Total={total} Used={used} Free={free} Reserved=0 Remote=no\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a real one printed it.
    #[test]
    fn two_lines_or_one() {
        let two = "LicenseName=matlab\n    Total=4 Used=3 Free=1 Reserved=0 Remote=no\n";
        assert_eq!(license("matlab", 4, 3, false), two);
        assert_eq!(license("a", 1, 1, true), "LicenseName=a Total=1 Used=1 Free=0 Reserved=0 Remote=no\n");
    }
}
