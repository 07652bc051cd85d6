//! The captures: what was typed on a real Slurm, and what came out.
//!
//! The format is told in `testdata/captures/README.md`.

/// What one command printed, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

/// One thing in a capture, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A file that was made in the work directory.
    File { name: String, content: String },
    /// A line of shell whose output was not kept, run to prepare what follows.
    Prepare(String),
    /// A line of shell, and what it printed.
    Command { line: String, printed: Printed },
}

/// Reads a capture.
pub fn parse(text: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("# file ") {
            let mut content = String::new();
            while let Some(more) = lines.next_if(|l| l.starts_with("#   ")) {
                content.push_str(&more[4..]);
                content.push('\n');
            }
            entries.push(Entry::File { name: name.to_owned(), content });
        } else if let Some(prepare) = line.strip_prefix("! ") {
            entries.push(Entry::Prepare(prepare.to_owned()));
        } else if let Some(first) = line.strip_prefix("$ ") {
            let mut command = first.to_owned();
            let mut printed = Printed::default();
            for line in lines.by_ref() {
                match line.split_at_checked(2) {
                    Some(("= ", code)) => {
                        printed.code = code.parse().expect("an exit code");
                        break;
                    }
                    Some(("1|", out)) => push(&mut printed.stdout, out, "\n"),
                    Some(("1~", out)) => push(&mut printed.stdout, out, ""),
                    Some(("2|", out)) => push(&mut printed.stderr, out, "\n"),
                    Some(("2~", out)) => push(&mut printed.stderr, out, ""),
                    // The command has more than one line.
                    _ => {
                        command.push('\n');
                        command.push_str(line);
                    }
                }
            }
            entries.push(Entry::Command { line: command, printed });
        }
    }
    entries
}

fn push(to: &mut String, line: &str, end: &str) {
    to.push_str(line.strip_prefix(' ').unwrap_or(line));
    to.push_str(end);
}

#[test]
fn a_capture_is_read() {
    let text = "# title\n\n# file a.sh\n#   #!/bin/sh\n#   \n\n! sleep 1\n\n$ echo a\n1| a\n1~ b\n2| c\n= 3\n\n$ two\nlines\n= 0\n";
    let printed = Printed { stdout: "a\nb".into(), stderr: "c\n".into(), code: 3 };
    assert_eq!(
        parse(text),
        [
            Entry::File { name: "a.sh".into(), content: "#!/bin/sh\n\n".into() },
            Entry::Prepare("sleep 1".into()),
            Entry::Command { line: "echo a".into(), printed },
            Entry::Command { line: "two\nlines".into(), printed: Printed::default() },
        ]
    );
}
