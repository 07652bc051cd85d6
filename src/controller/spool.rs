//! Scripts and environments as files, where agents read them.

use super::core::Core;
use crate::job::{Job, Kind};
use std::{fs, io, path::PathBuf};

impl Core {
    /// The script, if it has one, and the environment of a job, as files.
    pub(super) fn files_of(&mut self, job: &Job) -> io::Result<(Option<PathBuf>, PathBuf)> {
        let script = match job.request.kind {
            Kind::Batch => Some(self.spool_file("script", job.script, "slurm_script")?),
            _ => None,
        };
        Ok((script, self.spool_file("environment", job.environment, "environment")?))
    }

    /// A script or an environment of the store, as a file in the spool directory.
    fn spool_file(&mut self, kind: &str, blob: u64, name: &str) -> io::Result<PathBuf> {
        let dir = self.state_dir.join("spool").join(kind).join(blob.to_string());
        let path = dir.join(name);
        if self.files.contains(&path) {
            return Ok(path);
        }
        let data = self.store.blob(blob).map_err(io::Error::other)?;
        let write = || -> io::Result<()> {
            use std::os::unix::fs::PermissionsExt;
            fs::create_dir_all(&dir)?;
            // Never a half-written script: it takes its name when it is whole.
            let part = dir.join(format!(".{name}.part"));
            fs::write(&part, &data)?;
            fs::set_permissions(&part, fs::Permissions::from_mode(if kind == "script" { 0o700 } else { 0o600 }))?;
            fs::rename(&part, &path)
        };
        write().map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))?;
        self.files.insert(path.clone());
        Ok(path)
    }
}
