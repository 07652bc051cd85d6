//! Who we are to a server that knows no logins: the sky client's user hash, and the user's name.

use crate::host::user;
use md5::{Digest, Md5};
use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// `HOME`, else the user database's.
pub(super) fn home(environment: &BTreeMap<String, String>) -> PathBuf {
    match environment.get("HOME").filter(|home| !home.is_empty()) {
        Some(home) => home.into(),
        None => user::by_uid(user::uid()).map_or_else(|| "/".into(), |p| p.home.into()),
    }
}

/// A path whose `~/` is `home`.
pub(super) fn expand(path: &str, home: &Path) -> PathBuf {
    path.strip_prefix("~/").map_or_else(|| path.into(), |rest| home.join(rest))
}

/// The login name, as Python's `getpass.getuser` finds it.
pub(super) fn login_name(environment: &BTreeMap<String, String>) -> String {
    ["LOGNAME", "USER", "LNAME", "USERNAME"]
        .iter()
        .find_map(|name| environment.get(*name).filter(|v| !v.is_empty()))
        .cloned()
        .unwrap_or_else(|| user::name_of(user::uid()))
}

/// The user hash: `SKYPILOT_USER_ID`, else that of `~/.sky/user_hash`, else the one that the sky client would make
/// (`common_utils.generate_user_hash`), which is written there.
pub(super) fn user_id(home: &Path, login: &str, environment: &BTreeMap<String, String>) -> String {
    if let Some(id) = environment.get("SKYPILOT_USER_ID").filter(|id| is_user_id(id)) {
        return id.clone();
    }
    let file = home.join(".sky/user_hash");
    let read = || fs::read_to_string(&file).ok().map(|id| id.trim().to_owned()).filter(|id| is_user_id(id));
    if let Some(id) = read() {
        return id;
    }
    let host = nix::unistd::gethostname().unwrap_or_default();
    let host = hex(&Md5::digest(host.as_encoded_bytes()));
    let id = hex(&Md5::digest(format!("{login}-{}", host.get(28..).unwrap_or_default())));
    let id = id.get(..8).unwrap_or_default().to_owned();
    // It comes out the same the next time, so a home that cannot be written to does no harm.
    let _ = fs::create_dir_all(home.join(".sky"));
    let made = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&file);
    let _ = made.and_then(|mut file| file.write_all(id.as_bytes()));
    id
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// As `common_utils.is_valid_user_hash`: service accounts have longer ones with hyphens.
fn is_user_id(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
