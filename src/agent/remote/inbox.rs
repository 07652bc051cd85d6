//! What the controller asks of a job elsewhere: files that come to a directory on its first node.

use crate::agent::wire::Control;
use std::{
    collections::BTreeSet,
    fs, io,
    path::PathBuf,
    time::{Duration, Instant},
};

/// How often it is looked for.
const PERIOD: Duration = Duration::from_millis(500);

/// A directory to which files come, each one [`Control`] as JSON, named by a number that tells the order. Other names are
/// files that are not there in full yet.
pub(in crate::agent) struct Inbox {
    dir: PathBuf,
    next: Instant,
    /// Done, but could not be removed.
    done: BTreeSet<u64>,
}

impl Inbox {
    /// Looks into `dir`, which need not be there yet, from now on.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, next: Instant::now(), done: BTreeSet::new() }
    }

    /// How long until it is time to look.
    pub fn wait(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    /// What has come since, in order; nothing before it is time to look again. It is told once.
    pub fn take(&mut self) -> Vec<Control> {
        if !self.wait().is_zero() {
            return Vec::new();
        }
        self.next = Instant::now() + PERIOD;
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let mut files: Vec<(u64, PathBuf)> =
            entries.filter_map(|e| Some((e.file_name().to_str()?.parse().ok()?, e.path()))).collect();
        files.sort_unstable();
        let mut found = Vec::new();
        for (number, path) in files {
            let text = fs::read(&path);
            if !self.done.contains(&number) {
                found.extend(text.ok().and_then(|text| serde_json::from_slice(&text).ok()));
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => self.done.insert(number),
                _ => self.done.remove(&number),
            };
        }
        found
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir); // the job is over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_told_once_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("job-0");
        let mut inbox = Inbox::new(dir.clone());
        assert_eq!(inbox.take(), []);
        fs::create_dir(&dir).unwrap();
        let put = |name: &str, minutes| {
            fs::write(dir.join(name), serde_json::to_vec(&Control::TimeLimit(Some(minutes))).unwrap()).unwrap();
        };
        put("10", 10);
        put("9", 9);
        put(".11.XyZ", 11);
        fs::write(dir.join("3"), "nonsense").unwrap();
        inbox.next = Instant::now();
        assert_eq!(inbox.take(), [9, 10].map(|n| Control::TimeLimit(Some(n))));
        put("12", 12);
        assert_eq!(inbox.take(), []); // not yet time
        inbox.next = Instant::now();
        assert_eq!(inbox.take(), [Control::TimeLimit(Some(12))]);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        drop(inbox);
        assert!(!dir.exists());
    }
}
