//! What tasks write, as srun passes it on.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write},
};

/// A line of a task that has come so far without an end is passed on, so that no line fills the memory.
const LONGEST: usize = 64 << 10;

/// Where the output of all tasks goes: one for stdout, one for stderr.
pub struct Output {
    to: To,
    /// Width of the labels; `None`: none.
    label: Option<usize>,
    begun: BTreeMap<u32, Line>,
}

enum To {
    Stdout,
    Stderr,
    File(File),
    /// Nobody reads it any more.
    Nobody,
}

#[derive(Default)]
struct Line {
    text: Vec<u8>,
    /// Its label and some of it are written already.
    labelled: bool,
}

impl Output {
    /// To srun's own stdout (or stderr), or to `file`. With `--label`, for so many tasks.
    pub fn new(error: bool, file: Option<File>, label: Option<u32>) -> Self {
        let to = match (file, error) {
            (Some(file), _) => To::File(file),
            (None, false) => To::Stdout,
            (None, true) => To::Stderr,
        };
        let mut output = Self { to, label: None, begun: BTreeMap::new() };
        output.label(label);
        output
    }

    /// Labels from now on, for so many tasks.
    pub fn label(&mut self, tasks: Option<u32>) {
        self.label = tasks.map(|tasks| tasks.saturating_sub(1).to_string().len());
    }

    /// A task wrote something.
    pub fn write(&mut self, task: u32, bytes: &[u8]) {
        let Some(width) = self.label else {
            self.put(bytes);
            return;
        };
        let mut ready = Vec::with_capacity(bytes.len() + 16);
        let line = self.begun.entry(task).or_default();
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            line.text.extend_from_slice(piece);
            let ends = piece.ends_with(b"\n");
            if ends || line.text.len() >= LONGEST {
                if !line.labelled {
                    ready.extend_from_slice(format!("{task:>width$}: ").as_bytes());
                }
                ready.append(&mut line.text);
                line.labelled = !ends;
            }
        }
        self.put(&ready);
    }

    /// A task will write no more: its last line gets an end, if lines are labelled.
    pub fn end(&mut self, task: u32) {
        let open = self.begun.get(&task).is_some_and(|l| l.labelled || !l.text.is_empty());
        if open {
            self.write(task, b"\n");
        }
        self.begun.remove(&task);
    }

    /// Something that is no task's.
    pub fn put(&mut self, bytes: &[u8]) {
        let put = match &mut self.to {
            To::Stdout => io::stdout().lock().write_all(bytes).and_then(|()| io::stdout().lock().flush()),
            To::Stderr => io::stderr().lock().write_all(bytes),
            To::File(file) => file.write_all(bytes),
            To::Nobody => Ok(()),
        };
        if put.is_err() {
            self.to = To::Nobody;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Seek};

    fn written(label: Option<u32>, write: impl FnOnce(&mut Output)) -> String {
        let mut file = tempfile::tempfile().unwrap();
        write(&mut Output::new(false, Some(file.try_clone().unwrap()), label));
        file.rewind().unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn labels_stand_before_whole_lines_right_aligned() {
        let text = written(Some(12), |o| {
            o.write(1, b"a");
            o.write(10, b"b\nc\n");
            o.write(1, b"d\ne");
            o.end(1);
            o.end(10);
        });
        assert_eq!(text, "10: b\n10: c\n 1: ad\n 1: e\n");
    }

    #[test]
    fn without_labels_bytes_stay_as_they_are() {
        let text = written(None, |o| {
            o.write(0, b"no-newline");
            o.end(0);
        });
        assert_eq!(text, "no-newline");
    }

    #[test]
    fn a_line_without_end_is_passed_on() {
        let long = "x".repeat(LONGEST + 5);
        let text = written(Some(1), |o| {
            o.write(0, long.as_bytes());
            o.write(0, b"yz\n");
        });
        assert_eq!(text, format!("0: {long}yz\n"));
    }
}
