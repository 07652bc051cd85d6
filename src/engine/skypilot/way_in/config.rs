//! What ssh is told of a job's nodes: the text of ssh_config(5). Pure.

use super::nodes::{Node, Via};
use std::path::Path;

/// A path or a command that ssh's configuration cannot hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot stand in ssh's configuration")]
pub struct Unsayable(String);

/// What the text names.
pub struct Files<'a> {
    /// The private key.
    pub key: &'a Path,
    /// Where ssh notes the nodes' keys. They are new with every cluster, so no file of the user's knows them.
    pub known_hosts: &'a Path,
    /// What `skyslurm ssh-proxy` is to read.
    pub door: &'a Path,
    /// Our program.
    pub program: &'a Path,
}

/// The text for `nodes`.
///
/// # Errors
/// [`Unsayable`]
pub fn text(nodes: &[Node], files: &Files) -> Result<String, Unsayable> {
    let (key, known_hosts) = (word(files.key)?, word(files.known_hosts)?);
    let mut text = String::from("# Of skyslurm, for as long as the allocation lives.\n");
    for node in nodes {
        let alias = node.names.first().map_or("", |name| name);
        text += &format!(
            "\nHost {}\n  HostName {}\n  User {}\n  Port {}\n  HostKeyAlias {alias}\n  IdentityFile {key}\n  IdentitiesOnly yes\n  \
             UserKnownHostsFile {known_hosts}\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking accept-new\n  \
             ServerAliveInterval 15\n  ServerAliveCountMax 4\n",
            node.names.join(" "),
            quoted(&node.host)?,
            quoted(&node.user)?,
            node.port,
        );
        match &node.via {
            Via::Straight => {}
            Via::Node(other) => text += &format!("  ProxyJump {other}\n"),
            Via::Command(command) => text += &format!("  ProxyCommand {}\n", line(command)?),
            Via::Server { path, worker } => {
                let (program, door) = (argument(files.program)?, argument(files.door)?);
                text += &format!("  ProxyCommand {program} ssh-proxy {door} {path} {worker}\n");
            }
        }
    }
    Ok(text)
}

/// A path as one word, in which `%` and `${` would else stand for something.
fn word(path: &Path) -> Result<String, Unsayable> {
    let text = said(path)?;
    if text.contains("${") {
        return Err(Unsayable(text.into()));
    }
    quoted(&text.replace('%', "%%"))
}

fn quoted(text: &str) -> Result<String, Unsayable> {
    Ok(format!("\"{}\"", line(text)?.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// A path as an argument in a command, which ssh hands to a shell when it has looked for `%`. Before that it looks whether all
/// quotes of the line are closed, and takes a backslash for more than a shell does.
fn argument(path: &Path) -> Result<String, Unsayable> {
    let text = line(said(path)?)?;
    if text.contains('\\') {
        return Err(Unsayable(text.into()));
    }
    Ok(format!("'{}'", text.replace('\'', "'\\''").replace('%', "%%")))
}

fn said(path: &Path) -> Result<&str, Unsayable> {
    path.to_str().ok_or_else(|| Unsayable(path.to_string_lossy().into_owned()))
}

/// What is to stay on its line.
fn line(text: &str) -> Result<&str, Unsayable> {
    match text.contains(|c: char| c.is_control()) {
        true => Err(Unsayable(text.into())),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    fn node(names: &[&str], via: Via) -> Node {
        let names = names.iter().map(|n| (*n).to_owned()).collect();
        Node { names, user: "sky".into(), host: "h".into(), port: 22, via }
    }

    fn files(dir: &str) -> [std::path::PathBuf; 4] {
        ["key", "known_hosts", "door", "skyslurm"].map(|name| Path::new(dir).join(name))
    }

    fn of(nodes: &[Node], dir: &str) -> Result<String, Unsayable> {
        let [key, known_hosts, door, program] = &files(dir);
        text(nodes, &Files { key, known_hosts, door, program })
    }

    #[test]
    fn what_is_written() {
        let server = Via::Server { path: "/p", worker: 1 };
        insta::assert_snapshot!(of(&[node(&["c", "a"], server), node(&["c-1"], Via::Node("c".into()))], "/it's 5%").unwrap(), @r#"
        # Of skyslurm, for as long as the allocation lives.

        Host c a
          HostName "h"
          User "sky"
          Port 22
          HostKeyAlias c
          IdentityFile "/it's 5%%/key"
          IdentitiesOnly yes
          UserKnownHostsFile "/it's 5%%/known_hosts"
          GlobalKnownHostsFile /dev/null
          StrictHostKeyChecking accept-new
          ServerAliveInterval 15
          ServerAliveCountMax 4
          ProxyCommand '/it'\''s 5%%/skyslurm' ssh-proxy '/it'\''s 5%%/door' /p 1

        Host c-1
          HostName "h"
          User "sky"
          Port 22
          HostKeyAlias c-1
          IdentityFile "/it's 5%%/key"
          IdentitiesOnly yes
          UserKnownHostsFile "/it's 5%%/known_hosts"
          GlobalKnownHostsFile /dev/null
          StrictHostKeyChecking accept-new
          ServerAliveInterval 15
          ServerAliveCountMax 4
          ProxyJump c
        "#);
    }

    /// What ssh itself makes of it; `None` where there is no ssh.
    fn read_by_ssh(text: &str, host: &str) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        std::fs::write(&path, text).unwrap();
        let out = Command::new("ssh").arg("-F").arg(path).args(["-G", host]).output().ok()?;
        assert!(out.status.success(), "{out:?}");
        Some(String::from_utf8(out.stdout).unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn ssh_reads_what_was_meant(dir in "/[ -~]{1,20}") {
            let Ok(text) = of(&[node(&["c", "a"], Via::Server { path: "/p", worker: 0 })], &dir) else {
                let odd = dir.contains("${") || dir.contains('\\');
                prop_assert!(odd);
                return Ok(());
            };
            let Some(read) = read_by_ssh(&text, "a") else { return Ok(()) };
            let has = |line: String| read.lines().any(|l| l == line);
            // It shows these words as they will count, and the others before it has looked for %.
            prop_assert!(has(format!("userknownhostsfile {}", Path::new(&dir).join("known_hosts").display())), "{}", read);
            let key = format!("identityfile {}", Path::new(&dir).join("key").display());
            prop_assert!(has(key.replace('%', "%%")), "{}", read);
            let asked = read.lines().find_map(|l| l.strip_prefix("proxycommand ")).unwrap();
            let line = format!("set -- {}; printf '%s\\n' \"$@\"", asked.replace("%%", "%"));
            let words = Command::new("sh").arg("-c").arg(line).output().unwrap();
            let [_, _, door, program] = &files(&dir);
            let meant = format!("{}\nssh-proxy\n{}\n/p\n0\n", program.display(), door.display());
            prop_assert_eq!(String::from_utf8(words.stdout).unwrap(), meant);
        }

        #[test]
        fn nothing_leaves_its_line(text in any::<String>()) {
            let mut odd = node(&["c"], Via::Command(text.clone()));
            odd.user = text.clone();
            if let Ok(written) = of(&[odd, node(&["d"], Via::Straight)], "/d") {
                prop_assert_eq!(written.lines().filter(|l| !l.starts_with("  ")).count(), 5);
                prop_assert!(!text.contains('\n'));
            }
        }
    }
}
