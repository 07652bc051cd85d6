//! Finding keywords: scontrol(1) takes beginnings of them, in any case, each to a length of its own.

/// A keyword and the fewest letters that stand for it.
#[derive(Clone, Copy, Debug)]
pub struct Keyword<T: 'static> {
    /// The whole word, in lower case.
    pub name: &'static str,
    /// So many letters are enough.
    pub least: usize,
    /// What it means.
    pub means: T,
}

/// A row of a table of keywords.
pub const fn row<T>(name: &'static str, least: usize, means: T) -> Keyword<T> {
    Keyword { name, least, means }
}

/// What `word` stands for in `table`; the first row that fits.
pub fn find<T: Copy>(table: &'static [Keyword<T>], word: &str) -> Option<T> {
    table.iter().find(|k| is(word, k.name, k.least)).map(|k| k.means)
}

/// Whether `word` is `name` or a beginning of it of at least so many letters.
pub fn is(word: &str, name: &str, least: usize) -> bool {
    word.len() >= least && name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_stand_for_keywords() {
        assert!(is("sho", "show", 3) && is("SHOW", "show", 3) && is("show", "show", 3));
        assert!(!is("sh", "show", 3) && !is("showx", "show", 3) && !is("hol", "hold", 4));
        assert!(!is("ä", "show", 1));
    }
}
