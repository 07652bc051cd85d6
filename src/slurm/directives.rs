//! Directives: the `#SBATCH` lines of a batch script, and those of PBS and LSF.
//!
//! Only the comments at its head are looked at; the rest of a script is bash's
//! (PBS and LSF lines count wherever they stand, as in Slurm). Bytes stay bytes:
//! a directive need not be UTF-8.

use super::options::Refusal;

/// The words of a script's directives, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directives {
    /// Of `#SBATCH` lines, up to the first command; of a heterogeneous job, those of its first component.
    pub sbatch: Vec<Vec<u8>>,
    /// The same of each further component.
    pub others: Vec<Vec<Vec<u8>>>,
    /// Whether one begins with `packjob`, the old word for `hetjob`.
    pub says_packjob: bool,
    /// Of `#PBS` lines.
    pub pbs: Vec<Vec<u8>>,
    /// Of `#BSUB` lines. When there are any, Slurm does not look at those of PBS.
    pub bsub: Vec<Vec<u8>>,
}

/// A directive that cannot be split into words; ends sbatch with `fatal:` and 1 (directives.txt).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectiveError {
    /// A quote without its other half.
    #[error("{file}: line {line}: Unmatched `{quote}` in [{text}]")]
    Unmatched {
        /// The script's name as given.
        file: String,
        /// Counted from 1.
        line: usize,
        /// `"` or `'`.
        quote: char,
        /// The rest of the line, from where the word begins.
        text: String,
    },
    /// A `:` that stands alone or begins a word separates the parts of a heterogeneous
    /// job on the command line, and is refused in a script.
    #[error("{file}: line {line}: Unexpected `:` in [{text}]")]
    Colon {
        /// The script's name as given.
        file: String,
        /// Counted from 1.
        line: usize,
        /// The rest of the line.
        text: String,
    },
}

/// What is wrong with a script as a whole; each ends sbatch with these lines and 1 (sbatch.txt).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// No bytes at all.
    #[error("Batch script is empty!")]
    Empty,
    /// Nothing but blanks.
    #[error("Batch script contains only whitespace!")]
    Blank,
    /// The first line names no interpreter.
    #[error(
        "This does not look like a batch script.  The first\nline must start with #! followed by the path to an interpreter.\nFor instance: #!/bin/sh"
    )]
    NoInterpreter,
    /// A NUL byte.
    #[error("The Slurm controller does not allow scripts that\ncontain a NULL character '\\0'.")]
    Nul,
    /// Windows line ends.
    #[error("Batch script contains DOS line breaks (\\r\\n)\ninstead of expected UNIX line breaks (\\n).")]
    DosLineBreaks,
}

/// Whether a script may be submitted: sbatch's lines and exit code if not.
pub fn check_script(script: &[u8]) -> Result<(), Refusal> {
    // Slurm looks at it as a C string.
    let text = script.split(|b| *b == 0).next();
    let error = if script.is_empty() {
        ScriptError::Empty
    } else if text.is_some_and(|t| t.iter().all(u8::is_ascii_whitespace)) {
        ScriptError::Blank
    } else if !script.starts_with(b"#!") {
        ScriptError::NoInterpreter
    } else if script.contains(&0) {
        ScriptError::Nul
    } else if script.windows(2).any(|w| w == b"\r\n") {
        ScriptError::DosLineBreaks
    } else {
        return Ok(());
    };
    let message = error.to_string();
    let lines = message.lines().map(|l| format!("sbatch: error: {l}")).collect();
    Err(Refusal { lines, exit: 1 })
}

/// The words of all directives. `foreign`: those of PBS and LSF too (not with `--ignore-pbs`).
pub fn read(script: &[u8], file: &str, foreign: bool) -> Result<Directives, DirectiveError> {
    let mut found = Directives::default();
    let mut at_head = true;
    for (index, line) in script.split(|b| *b == b'\n').enumerate() {
        let number = index + 1;
        if at_head {
            if let Some(text) = line.strip_prefix(b"#SBATCH") {
                let component = found.others.last_mut().unwrap_or(&mut found.sbatch);
                let before = component.len();
                words(text, file, number, component)?;
                // A component begins; nothing behind the word is looked at.
                let begins = |word: &Vec<u8>| word == b"hetjob" || word == b"packjob";
                if let Some(at) = component.iter().skip(before).position(begins) {
                    let rest = component.split_off(before + at);
                    found.says_packjob |= rest.first().is_some_and(|word| word == b"packjob");
                    found.others.push(Vec::new());
                }
                continue;
            }
            at_head = matches!(line.trim_ascii_start().first(), None | Some(b'#'));
        }
        if foreign {
            if let Some(text) = line.strip_prefix(b"#PBS") {
                words(text, file, number, &mut found.pbs)?;
            } else if let Some(text) = line.strip_prefix(b"#BSUB") {
                words(text, file, number, &mut found.bsub)?;
            }
        }
    }
    Ok(found)
}

/// Splits what follows the magic word. Quotes group, a backslash takes the next
/// character's meaning (but not a blank's), `#` ends the line, and so does an empty word.
fn words(text: &[u8], file: &str, line: usize, out: &mut Vec<Vec<u8>>) -> Result<(), DirectiveError> {
    let mut rest = skip_blanks(text);
    loop {
        let begin = rest;
        let mut bytes = skip_blanks(rest);
        let shown = || String::from_utf8_lossy(begin).into_owned();
        if bytes.first() == Some(&b':') {
            return Err(DirectiveError::Colon { file: file.to_owned(), line, text: shown() });
        }
        let mut word = Vec::new();
        let mut quote: Option<u8> = None;
        let mut escaped = false;
        while let Some((byte, after)) = bytes.split_first() {
            let plain = quote.is_none();
            match *byte {
                b' ' | b'\t' | 0x0b | 0x0c | b'\r' if plain => break,
                b if escaped => {
                    word.push(b);
                    escaped = false;
                }
                b'\\' => escaped = true,
                b if quote == Some(b) => quote = None,
                b'"' | b'\'' if plain => quote = Some(*byte),
                b'#' if plain => {
                    bytes = &[];
                    break;
                }
                b => word.push(b),
            }
            bytes = after;
        }
        if let Some(quote) = quote {
            let quote = char::from(quote);
            return Err(DirectiveError::Unmatched { file: file.to_owned(), line, quote, text: shown() });
        }
        if word.is_empty() {
            return Ok(());
        }
        out.push(word);
        rest = bytes;
    }
}

/// isspace(3) but for the newline, which ends the line.
fn skip_blanks(text: &[u8]) -> &[u8] {
    let blank = |b: &u8| matches!(b, b' ' | b'\t' | 0x0b | 0x0c | b'\r');
    let skip = text.iter().take_while(|b| blank(b)).count();
    text.get(skip..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of one `#SBATCH` line, or what is wrong with it.
    fn split(text: &str) -> Vec<String> {
        let script = format!("#!/bin/bash\n#SBATCH {text}\n");
        match read(script.as_bytes(), "d.sh", true) {
            Ok(found) => found.sbatch.into_iter().map(|w| String::from_utf8_lossy(&w).into_owned()).collect(),
            Err(error) => vec![error.to_string()],
        }
    }

    #[test]
    fn quotes_escapes_and_comments() {
        for (text, words) in [
            (r#"--comment="two words" # trailing"#, &["--comment=two words"][..]),
            ("-J 'single quoted'", &["-J", "single quoted"]),
            (r#"-J a'b'c"d""#, &["-J", "abcd"]),
            (r#"-J a\"b"#, &["-J", "a\"b"]),
            (r"-J a\\b", &["-J", r"a\b"]),
            (r#"-J "a\"b""#, &["-J", "a\"b"]),
            (r"-J 'a\b'", &["-J", "ab"]),
            (r"-J a\#b", &["-J", "a#b"]),
            (r"-J a\ b", &["-J", "a", "b"]),
            (r"-J a\", &["-J", "a"]),
            (r"-J a \ -N2", &["-J", "a"]),
            ("--comment=no#comment -N2", &["--comment=no"]),
            (r#"-J "quoted # hash""#, &["-J", "quoted # hash"]),
            (r#"-J "" -N2"#, &["-J"]),
            ("-J x\x0c-N2", &["-J", "x", "-N2"]),
            ("-J it's # don't", &["-J", "its # dont"]),
            ("-J a:b", &["-J", "a:b"]),
            (r#"-J "a":b":""#, &["-J", "a:b:"]),
        ] {
            assert_eq!(split(text), words, "{text}");
        }
    }

    #[test]
    fn only_the_head_of_the_script_and_column_1() {
        let script = b"#!/bin/bash\n\n   # indented\n #SBATCH -a\n##SBATCH -b\n#sbatch -c\n# SBATCH -d\n#SBATCH--glued\n#SBATCH\t-t\t7\n : # command\n#SBATCH -e\n#PBS -N late\n";
        let found = read(script, "d.sh", true).unwrap_or_default();
        assert_eq!(found.sbatch, [b"--glued".to_vec(), b"-t".to_vec(), b"7".to_vec()]);
        assert_eq!(found.pbs, [b"-N".to_vec(), b"late".to_vec()]);
        let own = read(script, "d.sh", false).unwrap_or_default();
        assert!(own.pbs.is_empty() && own.sbatch == found.sbatch);
    }

    #[test]
    fn bytes_survive_and_the_last_line_needs_no_newline() {
        let found = read(b"#!/bin/sh\n#SBATCH -J \xff\xe9", "d.sh", true).unwrap_or_default();
        assert_eq!(found.sbatch, [b"-J".to_vec(), b"\xff\xe9".to_vec()]);
    }

    #[test]
    fn components_begin_with_a_word() {
        let script = b"#!/bin/sh\n#SBATCH -N2 hetjob\n#SBATCH packjob -n3\n#SBATCH -n2\n";
        let found = read(script, "d.sh", true).unwrap_or_default();
        assert_eq!(found.sbatch, [b"-N2".to_vec()]);
        assert_eq!(found.others, [vec![], vec![b"-n2".to_vec()]]);
        assert!(found.says_packjob && !read(b"#SBATCH hetjob", "d.sh", true).unwrap_or_default().says_packjob);
    }

    #[test]
    fn scripts_that_are_none() {
        let lines = |script: &[u8]| check_script(script).err().map(|r| (r.lines.join("|"), r.exit));
        let says = |text: &str| Some((text.to_owned(), 1));
        assert_eq!(lines(b""), says("sbatch: error: Batch script is empty!"));
        assert_eq!(lines(b" \n"), says("sbatch: error: Batch script contains only whitespace!"));
        assert_eq!(
            lines(b"\n#!/bin/sh\n"),
            says(
                "sbatch: error: This does not look like a batch script.  The first|sbatch: error: line must start with #! followed by the path to an interpreter.|sbatch: error: For instance: #!/bin/sh"
            )
        );
        assert_eq!(
            lines(b"#!/bin/sh\n\0"),
            says(
                "sbatch: error: The Slurm controller does not allow scripts that|sbatch: error: contain a NULL character '\\0'."
            )
        );
        assert_eq!(
            lines(b"#!/bin/sh\r\n"),
            says(
                "sbatch: error: Batch script contains DOS line breaks (\\r\\n)|sbatch: error: instead of expected UNIX line breaks (\\n)."
            )
        );
        assert_eq!(lines(b"#!/bin/sh\ntrue\n"), None);
    }
}
