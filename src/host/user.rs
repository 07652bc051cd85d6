//! Names of users and groups.
//!
//! The program is linked statically, and a static glibc must not be asked for the
//! name service: names come from /etc/passwd and /etc/group, then from `getent` as
//! a child, which knows LDAP and its kin.

use std::{fs, process::Command};

/// An entry of the user database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passwd {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
}

/// The user with this id.
pub fn by_uid(uid: u32) -> Option<Passwd> {
    let key = uid.to_string();
    lookup("passwd", "/etc/passwd", |f| f.get(2) == Some(&key.as_str()), &key).and_then(|l| passwd(&l))
}

/// The user with this name.
pub fn by_name(name: &str) -> Option<Passwd> {
    lookup("passwd", "/etc/passwd", |f| f.first() == Some(&name), name).and_then(|l| passwd(&l))
}

/// The name of the group with this id.
pub fn group_name(gid: u32) -> Option<String> {
    let key = gid.to_string();
    let line = lookup("group", "/etc/group", |f| f.get(2) == Some(&key.as_str()), &key)?;
    line.split(':').next().map(str::to_owned)
}

/// The id of the group with this name.
pub fn group_id(name: &str) -> Option<u32> {
    let line = lookup("group", "/etc/group", |f| f.first() == Some(&name), name)?;
    line.split(':').nth(2)?.parse().ok()
}

/// The name of the user with this id, or the number where it has none.
pub fn name_of(uid: u32) -> String {
    by_uid(uid).map_or_else(|| uid.to_string(), |p| p.name)
}

/// A user's own name, as the user database has it (the first part of GECOS); empty if it has none.
pub fn proper_name(name: &str) -> String {
    let line = lookup("passwd", "/etc/passwd", |f| f.first() == Some(&name), name).unwrap_or_default();
    let gecos = line.split(':').nth(4).unwrap_or_default();
    gecos.split(',').next().unwrap_or_default().to_owned()
}

/// The real user id of this process.
pub fn uid() -> u32 {
    nix::unistd::getuid().as_raw()
}

/// The real group id of this process.
pub fn gid() -> u32 {
    nix::unistd::getgid().as_raw()
}

fn lookup(database: &str, file: &str, wanted: impl Fn(&[&str]) -> bool, key: &str) -> Option<String> {
    let local = fs::read(file).unwrap_or_default();
    let local = String::from_utf8_lossy(&local);
    for line in local.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        if wanted(&fields) {
            return Some(line.to_owned());
        }
    }
    if key.is_empty() || key.starts_with('-') {
        return None;
    }
    let answer = Command::new("getent").arg(database).arg(key).output().ok()?;
    let line = String::from_utf8_lossy(&answer.stdout).lines().next()?.to_owned();
    wanted(&line.split(':').collect::<Vec<_>>()).then_some(line)
}

fn passwd(line: &str) -> Option<Passwd> {
    let f: Vec<&str> = line.split(':').collect();
    Some(Passwd {
        name: (*f.first()?).to_owned(),
        uid: f.get(2)?.parse().ok()?,
        gid: f.get(3)?.parse().ok()?,
        home: (*f.get(5)?).to_owned(),
        shell: (*f.get(6)?).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_both_ways() {
        let root = by_uid(0).unwrap();
        assert_eq!(root.name, "root");
        assert_eq!(by_name("root"), Some(root));
        assert_eq!(group_name(0).as_deref(), Some("root"));
        assert_eq!(by_name("no-such-user-here"), None);
        assert_eq!(by_name("-x"), None);
    }
}
