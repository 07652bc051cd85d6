//! Texts of the server as a person would read them.

/// Longest message that is passed on, in characters.
const LONGEST: usize = 4000;

/// `text` without colours and other control characters (lines and tabs stay), trimmed, and not too long.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(LONGEST));
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            // ECMA-48: a control sequence ends with a character from @ to ~; other escapes are one character.
            '\u{1b}' if chars.next_if_eq(&'[').is_some() => {
                while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
            }
            '\u{1b}' => drop(chars.next()),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    let trimmed = out.trim();
    match trimmed.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", trimmed.get(..end).unwrap_or_default()),
        None => trimmed.to_owned(),
    }
}

/// The title of a page in HTML, if it is one: a proxy's words.
pub(super) fn page_title(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    if !lower.trim_start().starts_with('<') {
        return None;
    }
    let title = lower.find("<title").and_then(|at| {
        let start = at + lower.get(at..)?.find('>')? + 1;
        let end = start + lower.get(start..)?.find("</title")?;
        // ASCII lower case keeps every byte where it is.
        text.get(start..end)
    });
    Some(plain(title.unwrap_or("a page")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_controls_go() {
        assert_eq!(plain("run: \u{1b}[1msky check\u{1b}[0m\r\n  \u{7}next\u{1b}"), "run: sky check\n  next");
        assert_eq!(plain("\u{1b}[31"), "");
        assert_eq!(plain(&"é".repeat(5000)).chars().count(), LONGEST + 3);
    }

    #[test]
    fn pages() {
        assert_eq!(page_title("\n<HTML><Title a=b>502 Bad Gateway</title>").as_deref(), Some("502 Bad Gateway"));
        assert_eq!(page_title("<html>İ<title>").as_deref(), Some("a page"));
        assert_eq!(page_title("plain"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_text(text in ".*") {
            let shown = plain(&text);
            proptest::prop_assert!(!shown.contains('\x1b'));
            let _ = page_title(&format!("<{text}"));
        }
    }
}
