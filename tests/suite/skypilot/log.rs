//! The log of one run of a job: what its nodes print, merged, each line behind who printed it.

use std::{
    io::Read,
    sync::{Condvar, Mutex},
    time::Duration,
};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With this exit code.
    Code(i32),
    /// Its cluster is gone.
    Lost,
}

/// The log of a run.
#[derive(Default)]
pub struct Log {
    kept: Mutex<(Vec<u8>, Option<Ended>)>,
    more: Condvar,
}

impl Log {
    pub fn append(&self, bytes: &[u8]) {
        self.kept.lock().unwrap().0.extend_from_slice(bytes);
        self.more.notify_all();
    }

    /// Nothing will follow.
    pub fn end(&self, how: Ended) {
        self.kept.lock().unwrap().1.get_or_insert(how);
        self.more.notify_all();
    }

    /// What there is from an offset on, at most 256 KiB, and how the run ended if that is all; waits for it at most so long.
    pub fn read(&self, from: usize, wait: Duration) -> (Vec<u8>, Option<Ended>) {
        let kept = self.kept.lock().unwrap();
        let (kept, _) = self.more.wait_timeout_while(kept, wait, |k| k.0.len() <= from && k.1.is_none()).unwrap();
        let to = kept.0.len().min(from + (256 << 10));
        (kept.0[from..to].to_vec(), kept.1.filter(|_| to == kept.0.len()))
    }

    /// All of it.
    pub fn bytes(&self) -> Vec<u8> {
        self.kept.lock().unwrap().0.clone()
    }

    /// Takes what a node prints to its end: text in lines, as SkyPilot reads it (a `\r` ends a line too, what is not
    /// UTF-8 is replaced), each behind `(who)`.
    pub fn collect(&self, who: &str, mut from: impl Read) {
        let mut open: Vec<u8> = Vec::new();
        let mut piece = vec![0; 64 << 10];
        let line = |text: &[u8], out: &mut Vec<u8>| {
            out.extend_from_slice(format!("\x1b[36m({who})\x1b[0m ").as_bytes());
            out.extend_from_slice(String::from_utf8_lossy(text).as_bytes());
            out.push(b'\n');
        };
        while let Ok(size @ 1..) = from.read(&mut piece) {
            open.extend_from_slice(&piece[..size]);
            let (mut out, mut start) = (Vec::new(), 0);
            // A `\r` at the very end may have a `\n` behind it that is still to come.
            while let Some(at) = open[start..].iter().position(|b| matches!(b, b'\n' | b'\r')).map(|at| start + at) {
                let pair = open[at] == b'\r' && open.get(at + 1) == Some(&b'\n');
                if open[at] == b'\r' && at + 1 == open.len() {
                    break;
                }
                line(&open[start..at], &mut out);
                start = at + 1 + usize::from(pair);
            }
            open.drain(..start);
            self.append(&out);
        }
        if !open.is_empty() {
            let mut out = Vec::new();
            line(open.strip_suffix(b"\r").unwrap_or(&open), &mut out);
            self.append(&out);
        }
    }
}

#[test]
fn lines_get_their_prefix_and_lose_what_is_no_text() {
    let log = Log::default();
    log.collect("x, pid=1", &b"a\r\nb\rc\n\xff\nend\r"[..]);
    let text = String::from_utf8(log.bytes()).unwrap().replace("\x1b[36m(x, pid=1)\x1b[0m ", ">");
    assert_eq!(text, ">a\n>b\n>c\n>\u{fffd}\n>end\n");
}
