//! scontrol and sreport without a command: commands are read from stdin, one a line.

use super::terminal::print;
use std::io::{BufRead, IsTerminal};

/// What a command has come to: its exit code, and whether it was the last.
pub struct Carried {
    /// Its exit code.
    pub exit: u8,
    /// `exit`, `quit`
    pub over: bool,
}

/// Carries out what is read until `exit` or the end; the exit code: 1 if one of them failed, as in Slurm.
pub fn run(name: &str, lines: &mut impl BufRead, mut carry_out: impl FnMut(&[String]) -> Carried) -> u8 {
    // What is typed stands on the terminal already; what comes from elsewhere Slurm repeats.
    let echo = !std::io::stdin().is_terminal();
    let mut exit = 0;
    let mut last: Option<String> = None;
    loop {
        print(&format!("{name}: "));
        let mut line = String::new();
        if !lines.read_line(&mut line).is_ok_and(|read| read > 0) {
            print("\n");
            return exit;
        }
        let line = line.trim_end_matches('\n').to_owned();
        if echo {
            print(&format!("{line}\n"));
        }
        let line = match (line.trim(), &last) {
            ("!!", Some(before)) => before.clone(),
            _ => line,
        };
        let words = words(&line);
        if words.is_empty() || words == ["!!"] {
            continue;
        }
        let carried = carry_out(&words);
        exit = exit.max(carried.exit);
        last = Some(line);
        if carried.over {
            return exit;
        }
    }
}

/// The words of a line; quotes hold blanks together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote, mut begun) = (String::new(), None, false);
    for c in line.chars() {
        match quote {
            Some(q) if c == q => quote = None,
            None if c == '"' || c == '\'' => (quote, begun) = (Some(c), true),
            None if c.is_whitespace() => {
                if std::mem::take(&mut begun) {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_words() {
        assert_eq!(words("  show  job 7 "), ["show", "job", "7"]);
        assert_eq!(
            words("update jobid=7 comment='two words' a=\"b'c\""),
            ["update", "jobid=7", "comment=two words", "a=b'c"]
        );
        assert_eq!(words("a '' b"), ["a", "", "b"]);
        assert_eq!(words(" "), [""; 0]);
    }

    proptest! {
        #[test]
        fn any_line_is_words(line in "\\PC{0,40}") {
            words(&line);
        }
    }
}
