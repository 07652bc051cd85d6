//! Files for a server that has no `/upload_v2` (SkyPilot 0.11; API versions up to 40).
//!
//! `POST /upload` unpacks a zip file into one directory of the user's, over what is there, and nothing ever leaves it
//! (`unzip_file`). What two jobs have there would mix, and a file that is sent again is cut short while another submission
//! reads it. So each upload goes into a directory of its own, called as the upload is, and `file_mounts_mapping` of the
//! task leads there (`process_mounts_in_task_on_api_server`). The server copies the files on within the submission
//! (`_upload_files_to_controller`).
//!
//! Such a server cannot be asked what it has: what this process has sent is remembered, and believed until a request is
//! refused in words that name the directory. Nor can it be told to remove anything: whoever runs it may remove
//! `~/.sky/api_server/clients/*/file_mounts/sky-*`; what is still needed is sent again.

use super::{Client, Error, blob};
use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{BufReader, BufWriter, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};
use zip::{ZipArchive, ZipWriter, result::ZipResult};

/// Where what was sent is, by the blob's id.
#[derive(Default)]
pub(super) struct Sent(Mutex<HashMap<String, Directory>>);

struct Directory {
    name: String,
    /// A request has found its files there.
    is_proven: bool,
}

impl Sent {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Directory>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this was sent.
    pub(super) fn has(&self, id: &str) -> bool {
        self.all().contains_key(id)
    }

    /// Where the files of blob `id` are, if they were sent this way.
    pub(super) fn directory(&self, id: Option<&str>) -> Option<String> {
        id.and_then(|id| self.all().get(id).map(|directory| directory.name.clone()))
    }

    /// What became of a request with the files of blob `id` in directory `name`. Files that are not there are forgotten;
    /// unless nobody has found them there yet, they will be sent again.
    pub(super) fn learn<T>(&self, id: &str, name: &str, answer: Result<T, Error>) -> Result<T, Error> {
        let mut all = self.all();
        let known = all.get_mut(id).filter(|directory| directory.name == name);
        match answer {
            Ok(value) => {
                known.into_iter().for_each(|directory| directory.is_proven = true);
                Ok(value)
            }
            Err(Error::Refused { kind, message }) if message.contains(name) => {
                let is_new = known.is_some_and(|directory| !directory.is_proven);
                all.retain(|_, directory| directory.name != name);
                Err(if is_new { Error::Refused { kind, message } } else { Error::FilesLost(message) })
            }
            Err(error) => Err(error),
        }
    }
}

/// Leads the lines of the mapping, the last key of every task of ours, below `directory`.
pub(super) fn placed(task: &str, directory: &str) -> String {
    const KEY: &str = "\nfile_mounts_mapping:\n";
    let Some((head, mapping)) = task.rsplit_once(KEY) else { return task.to_owned() };
    let line = |line: &str| match line.rsplit_once(": ") {
        Some((path, place)) => format!("{path}: {directory}/{place}\n"),
        None => format!("{line}\n"),
    };
    let lines: String = mapping.lines().map(line).collect();
    format!("{head}{KEY}{lines}")
}

/// `POST /upload`, for every chunk.
pub(super) async fn upload(client: &Client, id: &str, path: &Path, sent: &(dyn Fn(u64) + Sync)) -> Result<(), Error> {
    let wrong = |why: String| Error::File { file: path.display().to_string(), why };
    let name = name().map_err(|e| wrong(e.to_string()))?;
    let below = path.with_extension("below");
    let moving = {
        let (path, below, name) = (path.to_owned(), below.clone(), name.clone());
        move || move_below(&path, &below, &name)
    };
    let moved = tokio::task::spawn_blocking(moving).await.map_err(|e| wrong(e.to_string()));
    let done = match moved.and_then(|moved| moved.map_err(|e| wrong(e.to_string()))) {
        Ok(()) => blob::upload_to(client, "/upload", &name, &below, sent).await,
        Err(error) => Err(error),
    };
    let _ = fs::remove_file(&below);
    done?;
    client.sent.all().insert(id.to_owned(), Directory { name, is_proven: false });
    Ok(())
}

/// An upload's name: like `sky-2025-01-17-09-10-13-933602-35d31c22`, or the server does not take it.
fn name() -> std::io::Result<String> {
    let random = u32::from_be_bytes(crate::engine::skypilot::names::random()?);
    Ok(format!("{}-{random:08x}", chrono::Utc::now().format("sky-%Y-%m-%d-%H-%M-%S-%6f")))
}

/// Writes the zip file at `from` to `to`, all of it below `directory`. Nothing is packed anew.
fn move_below(from: &Path, to: &Path, directory: &str) -> ZipResult<()> {
    let mut old = ZipArchive::new(BufReader::new(File::open(from)?))?;
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to)?;
    let mut new = ZipWriter::new(BufWriter::new(file));
    for index in 0..old.len() {
        let entry = old.by_index_raw(index)?;
        let name = format!("{directory}/{}", entry.name()?);
        new.raw_copy_file_rename(entry, name)?;
    }
    Ok(new.finish()?.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use zip::write::SimpleFileOptions;

    #[test]
    fn only_the_mapping_is_placed() {
        let task = "name: x\n---\nrun: |\n  file_mounts_mapping:\n    a: b\nfile_mounts_mapping:\n  /agent: agent\n  /workdir: workdir\n";
        let wanted = "name: x\n---\nrun: |\n  file_mounts_mapping:\n    a: b\nfile_mounts_mapping:\n  /agent: d/agent\n  /workdir: d/workdir\n";
        assert_eq!(placed(task, "d"), wanted);
        assert_eq!(placed("name: x\n---\nrun: y\n", "d"), "name: x\n---\nrun: y\n");
    }

    #[test]
    fn a_name_is_one_that_the_server_takes() {
        let (first, second) = (name().unwrap(), name().unwrap());
        let shape: String = first.chars().map(|c| if c.is_ascii_hexdigit() { '0' } else { c }).collect();
        assert_eq!(shape, "sky-0000-00-00-00-00-00-000000-00000000");
        assert_ne!(first, second);
    }

    #[test]
    fn an_archive_is_moved_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let mut zip = ZipWriter::new(File::create(&from).unwrap());
        let options = SimpleFileOptions::default().unix_permissions(0o755);
        zip.add_directory("w/\u{e4}/", options).unwrap();
        zip.start_file("w/file", options).unwrap();
        zip.write_all("many words ".repeat(99).as_bytes()).unwrap();
        zip.add_symlink("w/link", "file", options).unwrap();
        zip.finish().unwrap();
        move_below(&from, &to, "d").unwrap();
        let mut zip = ZipArchive::new(File::open(&to).unwrap()).unwrap();
        let mut seen = Vec::new();
        for index in 0..zip.len() {
            let mut entry = zip.by_index(index).unwrap();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            let name = entry.name().unwrap().into_owned();
            seen.push((name, entry.unix_mode().unwrap(), content));
        }
        assert_eq!(
            seen,
            [
                ("d/w/\u{e4}/".to_owned(), 0o40_755, String::new()),
                ("d/w/file".to_owned(), 0o100_755, "many words ".repeat(99)),
                ("d/w/link".to_owned(), 0o120_755, "file".to_owned()),
            ]
        );
    }
}
