//! Where configuration and state are.
//!
//! Not a library's: those fall back to the C library's user database, which a static
//! program must not ask.

use std::{
    env, fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// First line of the file that `SLURM_CONF` names inside a job.
pub const CONF_MARK: &str = "# skyslurm";

/// Second line of that file on a node from which no controller can be reached: one that was made for a job elsewhere.
pub const NO_CONTROLLER: &str = "# no controller here";

/// The configuration file: `SKYSLURM_CONFIG`, or `skyslurm/config.toml` in the configuration directory.
pub fn config_file() -> PathBuf {
    match env::var_os("SKYSLURM_CONFIG") {
        Some(path) if !path.is_empty() => path.into(),
        _ => xdg("XDG_CONFIG_HOME", ".config").join("skyslurm/config.toml"),
    }
}

/// The state directory: `SKYSLURM_STATE_DIR`; inside a job the directory of the file
/// that `SLURM_CONF` names, if it is ours; else `skyslurm` in the user's state directory.
pub fn state() -> PathBuf {
    if let Some(path) = env::var_os("SKYSLURM_STATE_DIR").filter(|p| !p.is_empty()) {
        return std::path::absolute(&path).unwrap_or_else(|_| path.into());
    }
    if let Some(dir) = env::var_os("SLURM_CONF").and_then(|conf| of_conf(Path::new(&conf))) {
        return dir;
    }
    xdg("XDG_STATE_HOME", ".local/state").join("skyslurm")
}

/// The state directory that a `slurm.conf` of ours stands in; `None` for another's.
pub fn of_conf(conf: &Path) -> Option<PathBuf> {
    let text = fs::read(conf).ok()?;
    text.starts_with(CONF_MARK.as_bytes()).then(|| conf.parent().map(Path::to_owned)).flatten()
}

/// Whether the controller of a state directory can be reached from here; not on a node that was made for a job.
pub fn has_controller(state: &Path) -> bool {
    let text = fs::read_to_string(state.join("slurm.conf")).unwrap_or_default();
    text.lines().nth(1) != Some(NO_CONTROLLER)
}

/// The socket in such a node's state directory that takes what is to be asked to the controller. It is there where that can be.
pub fn desk(state: &Path) -> PathBuf {
    state.join("desk.sock")
}

fn xdg(variable: &str, below_home: &str) -> PathBuf {
    match env::var_os(variable).map(PathBuf::from) {
        Some(path) if path.is_absolute() => path,
        _ => home().join(below_home),
    }
}

/// The home directory: `HOME`, else the user database's.
pub fn home() -> PathBuf {
    match env::var_os("HOME").filter(|h| !h.is_empty()) {
        Some(home) => home.into(),
        None => super::user::by_uid(super::user::uid()).map_or_else(|| "/".into(), |p| p.home.into()),
    }
}

/// Makes `path` a directory of this user's alone (0700), with its parents.
///
/// # Errors
/// When it cannot be made, or is another user's.
pub fn make_private(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let seen = fs::metadata(path)?;
    if !seen.is_dir() {
        return Err(io::Error::other("it is not a directory"));
    }
    if seen.uid() != nix::unistd::geteuid().as_raw() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("it belongs to user {}", super::user::name_of(seen.uid())),
        ));
    }
    if seen.mode() & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_that_there_is_no_controller() {
        let dir = tempfile::tempdir().unwrap();
        assert!(has_controller(dir.path()));
        let conf = dir.path().join("slurm.conf");
        fs::write(&conf, format!("{CONF_MARK}: words\nClusterName=x\n")).unwrap();
        assert!(has_controller(dir.path()));
        fs::write(&conf, format!("{CONF_MARK}\n{NO_CONTROLLER}\n")).unwrap();
        assert!(!has_controller(dir.path()) && of_conf(&conf).as_deref() == Some(dir.path()));
    }
}
