//! What a task writes on stdout or stderr, on its way to srun: whole lines, so that those of several tasks never mix
//! (slurmstepd's `_task_build_message`).

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, BorrowedFd},
};

/// The beginning of a line that is as long as this is passed on (slurmstepd's `MAX_MSG_LEN`).
const LONGEST: usize = 1024;

/// Bytes that are read at a time.
const PIECE: usize = 64 << 10;

/// Our end of a task's pipe or terminal.
pub(in crate::agent) struct Stream {
    file: File,
    /// Pass on what there is, whether or not the line has an end: `--unbuffered`.
    unbuffered: bool,
    /// A line that has no end yet.
    begun: Vec<u8>,
}

impl Stream {
    /// `file` does not block.
    pub fn new(file: File, unbuffered: bool) -> Self {
        Self { file, unbuffered, begun: Vec::new() }
    }

    /// What can be passed on; empty: the task will write no more. `last`: the task is over, so that a line that has no
    /// end now is not waited for.
    ///
    /// # Errors
    /// `WouldBlock` or `Interrupted`: nothing for now.
    pub fn read(&mut self, last: bool) -> io::Result<Vec<u8>> {
        loop {
            let begun = self.begun.len();
            let mut bytes = std::mem::take(&mut self.begun);
            bytes.resize(begun + PIECE, 0);
            let read = self.file.read(bytes.get_mut(begun..).unwrap_or_default());
            bytes.truncate(begun + *read.as_ref().unwrap_or(&0));
            match read {
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                    if last && !bytes.is_empty() {
                        return Ok(bytes);
                    }
                    self.begun = bytes;
                    return Err(e);
                }
                Ok(n) if n > 0 => {
                    if !self.unbuffered {
                        self.begun = unfinished(&mut bytes);
                    }
                    if !bytes.is_empty() {
                        return Ok(bytes);
                    }
                }
                _ => return Ok(bytes), // the end; of a terminal it is an error
            }
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Takes off the beginning of a line that ends later, unless it is long.
fn unfinished(bytes: &mut Vec<u8>) -> Vec<u8> {
    // Only the end is looked at: a line that begins before it is long.
    let from = bytes.len().saturating_sub(LONGEST);
    let end = bytes.get(from..).unwrap_or_default();
    match end.iter().rposition(|b| *b == b'\n') {
        Some(at) => bytes.split_off(from + at + 1),
        None if end.len() >= LONGEST => Vec::new(),
        None => std::mem::take(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::{fcntl::OFlag, unistd::pipe2};
    use proptest::prelude::*;
    use std::io::Write;

    fn pipe() -> (File, File) {
        let (read, write) = pipe2(OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).unwrap();
        (read.into(), write.into())
    }

    /// When the other end is closed. A process that another test starts may hold it for a moment.
    fn rest(stream: &mut Stream) -> Vec<u8> {
        loop {
            match stream.read(false) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
                read => return read.unwrap(),
            }
        }
    }

    #[test]
    fn lines_are_passed_on_whole() {
        let (read, mut write) = pipe();
        let mut stream = Stream::new(read, false);
        write.write_all(b"a\nb\nc").unwrap();
        assert_eq!(stream.read(false).unwrap(), b"a\nb\n");
        assert_eq!(stream.read(false).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        write.write_all(b"d\ne").unwrap();
        assert_eq!(stream.read(false).unwrap(), b"cd\n");
        assert_eq!(stream.read(true).unwrap(), b"e"); // the task is over, and its pipe is held by another
        write.write_all(b"f").unwrap();
        drop(write);
        assert_eq!(rest(&mut stream), b"f");
        assert_eq!(rest(&mut stream), b"");
    }

    #[test]
    fn a_long_line_is_not_waited_for() {
        let (read, mut write) = pipe();
        let mut stream = Stream::new(read, false);
        write.write_all(&[b'x'; LONGEST - 1]).unwrap();
        assert!(stream.read(false).is_err());
        write.write_all(b"x").unwrap();
        assert_eq!(stream.read(false).unwrap().len(), LONGEST);
    }

    #[test]
    fn unbuffered_is_as_it_comes() {
        let (read, mut write) = pipe();
        let mut stream = Stream::new(read, true);
        write.write_all(b"a\nb").unwrap();
        assert_eq!(stream.read(false).unwrap(), b"a\nb");
    }

    proptest! {
        #[test]
        fn nothing_is_lost(pieces in prop::collection::vec(prop::collection::vec(prop::sample::select(b"\nab".to_vec()), 1..40), 0..20)) {
            let (read, mut write) = pipe();
            let mut stream = Stream::new(read, false);
            let mut all = Vec::new();
            for piece in &pieces {
                write.write_all(piece).unwrap();
                while let Ok(bytes) = stream.read(false) {
                    all.extend(bytes);
                    prop_assert!(all.ends_with(b"\n"));
                }
            }
            drop(write);
            loop {
                match rest(&mut stream) {
                    bytes if bytes.is_empty() => break,
                    bytes => all.extend(bytes),
                }
            }
            prop_assert_eq!(all, pieces.concat());
        }
    }
}
