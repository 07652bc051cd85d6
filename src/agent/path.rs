//! That the commands are found inside a job, even after a login shell has set the PATH anew.

use super::Launch;
use crate::job::env::Environment;
use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// Sees to it that `srun` on the PATH is ours. The directory that is put in front has nothing but our commands.
pub(super) fn provide(environment: &mut Environment, launch: &Launch) {
    let ours = launch.commands.as_os_str().as_bytes();
    let path = environment.get("PATH").unwrap_or(b"/usr/local/bin:/usr/bin:/bin").to_vec();
    let first = path
        .split(|b| *b == b':')
        .find(|dir| *dir == ours || (!dir.is_empty() && Path::new(OsStr::from_bytes(dir)).join("srun").exists()));
    if first != Some(ours) {
        environment.set("PATH", [ours, b":", &path].concat());
    }
    // A profile that sets PATH runs before the file BASH_ENV names, so that one can mend it (bash(1), INVOCATION).
    if environment.get("BASH_ENV").is_none()
        && let Ok(file) = bash_env(launch)
    {
        environment.set("BASH_ENV", file.as_os_str().as_bytes());
    }
}

/// The file for `BASH_ENV`: one for all jobs, beside the file `SLURM_CONF` names.
fn bash_env(launch: &Launch) -> io::Result<PathBuf> {
    let file = launch.slurm_conf.with_file_name("bash_env");
    if file.exists() {
        return Ok(file);
    }
    let commands = launch.commands.to_string_lossy().replace('\'', "'\\''");
    let text = format!(
        "# Puts the commands back on the PATH of a shell whose profile has set it anew.\n\
         case \":$PATH:\" in *:'{commands}':*) ;; *) PATH='{commands}':$PATH ;; esac\n"
    );
    let draft = file.with_file_name(format!("bash_env.{}", std::process::id()));
    fs::write(&draft, text)?;
    fs::rename(&draft, &file)?;
    Ok(file)
}
