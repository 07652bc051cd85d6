//! Names of the nodes that can be connected to from every node of the job.
//!
//! Best are the hosts' own, where each of them leads to the right address everywhere. Where one does not, it is put into
//! `/etc/hosts`; where that cannot be written, into a copy of it that only the job sees.

use crate::{
    agent::{Host, namespace},
    job::JobId,
};
use std::{
    fs,
    io::{self, Read, Write},
    net::IpAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const TABLE: &str = "/etc/hosts";

/// How names of the job's own begin.
const MADE_UP: &str = "skynode-";

/// A name service that has not answered after this does not know the name.
const PATIENCE: Duration = Duration::from_secs(3);

/// The names of nodes with these host names and addresses: their own if they tell them apart, else the job's.
pub(super) fn choose(job: JobId, nodes: &[Host]) -> Vec<Host> {
    let usable = |name: &str| {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        !name.is_empty() && plain && !name.starts_with("localhost") && name.parse::<IpAddr>().is_err()
    };
    let distinct = nodes.iter().enumerate().all(|(i, n)| nodes.iter().take(i).all(|m| m.name != n.name));
    let own = distinct && nodes.iter().all(|n| usable(&n.name));
    let name = |(rank, node): (usize, &Host)| Host {
        name: if own { node.name.clone() } else { format!("{MADE_UP}{job}-{rank}") },
        address: node.address.clone(),
    };
    nodes.iter().enumerate().map(name).collect()
}

/// The addresses themselves, where names cannot be had.
pub(super) fn addresses(nodes: &[Host]) -> Vec<Host> {
    nodes.iter().map(|n| Host { name: n.address.clone(), ..n.clone() }).collect()
}

/// What was written into `/etc/hosts`, for as long as the job runs.
pub(in crate::agent) struct Entries {
    before: String,
    after: String,
}

impl Drop for Entries {
    fn drop(&mut self) {
        // If others have written since, theirs counts.
        if fs::read_to_string(TABLE).is_ok_and(|now| now == self.after) {
            write_table(&self.before);
        }
    }
}

/// Sees to it that each name leads to its address here, on the node at `index`. `false`: it does not.
pub(super) fn provide(hosts: &[Host], index: usize, state: &Path) -> (bool, Option<Entries>) {
    let wrong = wrong(hosts);
    if wrong.is_empty() {
        return (true, None);
    }
    let before = fs::read_to_string(TABLE).unwrap_or_default();
    let after = table(&before, &wrong);
    // Names that stand for this machine alone are nobody else's business.
    let ours_alone = hosts.iter().all(|h| is_loopback(&h.address));
    let mut entries = None;
    if !ours_alone && write_table(&after) {
        entries = Some(Entries { before, after });
    } else {
        let copy = state.join("hosts");
        if fs::write(&copy, after).is_ok() {
            namespace::enter(hosts.get(index).map_or("", |h| &h.name), Some(&copy), || None);
        }
    }
    (self::wrong(hosts).is_empty(), entries)
}

/// Those whose name leads elsewhere or nowhere.
fn wrong(hosts: &[Host]) -> Vec<Host> {
    let table = fs::read_to_string(TABLE).unwrap_or_default();
    let alone = hosts.len() < 2; // nobody else asks where the one node is
    let right = |host: &Host, found: &[String]| {
        let loopback = !alone && !is_loopback(&host.address) && found.iter().any(|a| is_loopback(a));
        !loopback && (alone && !found.is_empty() || found.contains(&host.address))
    };
    let asked: Vec<(&Host, Option<Child>, Vec<String>)> = hosts
        .iter()
        .map(|host| {
            let found = listed(&table, &host.name);
            // Nobody else knows a name that we have made up.
            let child = if found.is_empty() && !host.name.starts_with(MADE_UP) { ask(&host.name) } else { None };
            (host, child, found)
        })
        .collect();
    let until = Instant::now() + PATIENCE;
    asked
        .into_iter()
        .filter_map(|(host, child, mut found)| {
            found.extend(child.into_iter().flat_map(|child| answer(child, until)));
            (!right(host, &found)).then(|| host.clone())
        })
        .collect()
}

/// The addresses that a host table has for `name`.
fn listed(table: &str, name: &str) -> Vec<String> {
    let line = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address = words.next()?;
        words.any(|word| word.eq_ignore_ascii_case(name)).then(|| address.to_owned())
    };
    table.lines().filter_map(line).collect()
}

/// The addresses of `name`.
pub(super) fn look_up(name: &str) -> Vec<String> {
    ask(name).map(|child| answer(child, Instant::now() + PATIENCE)).unwrap_or_default()
}

/// Asks the system's name service, in a child: this program may not ask it itself.
fn ask(name: &str) -> Option<Child> {
    let mut getent = Command::new("getent");
    getent.args(["ahosts", name]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()
}

fn answer(mut child: Child, until: Instant) -> Vec<String> {
    while matches!(child.try_wait(), Ok(None)) {
        if Instant::now() >= until {
            let _ = child.kill();
            let _ = child.wait();
            return Vec::new();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut text = String::new();
    let _ = child.stdout.take().map(|mut out| out.read_to_string(&mut text));
    text.lines().filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
}

/// A host table in which these names, and no others, lead where they should; the rest of it stays.
fn table(before: &str, hosts: &[Host]) -> String {
    let ours = |word: &str| hosts.iter().any(|h| h.name.eq_ignore_ascii_case(word));
    let mut lines = Vec::new();
    for line in before.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let (address, names): (Option<&str>, Vec<&str>) = (words.next(), words.collect());
        match address {
            Some(address) if names.iter().any(|n| ours(n)) => {
                let kept: Vec<&str> = names.into_iter().filter(|n| !ours(n)).collect();
                if !kept.is_empty() {
                    lines.push(format!("{address} {}", kept.join(" ")));
                }
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines.extend(hosts.iter().map(|h| format!("{} {}", h.address, h.name)));
    lines.join("\n") + "\n"
}

/// Writes the machine's host table: in place, since in a container it cannot be replaced.
fn write_table(text: &str) -> bool {
    let direct = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).open(TABLE)?;
        file.set_len(0)?;
        file.write_all(text.as_bytes())
    };
    direct().is_ok() || with_sudo(text).is_ok_and(|written| written)
}

fn with_sudo(text: &str) -> io::Result<bool> {
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", "tee", TABLE]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = sudo.spawn()?;
    let written = child.stdin.take().map_or(Ok(()), |mut to| to.write_all(text.as_bytes()));
    Ok(child.wait()?.success() && written.is_ok())
}

fn is_loopback(address: &str) -> bool {
    address.parse::<IpAddr>().is_ok_and(|a| a.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(pairs: &[(&str, &str)]) -> Vec<Host> {
        pairs.iter().map(|(name, address)| Host { name: (*name).into(), address: (*address).into() }).collect()
    }

    fn chosen(pairs: &[(&str, &str)]) -> Vec<String> {
        choose(7, &hosts(pairs)).into_iter().map(|h| h.name).collect()
    }

    #[test]
    fn hosts_keep_their_names_if_these_tell_them_apart() {
        assert_eq!(chosen(&[("a", "10.0.0.1"), ("b", "10.0.0.2")]), ["a", "b"]);
        assert_eq!(chosen(&[("a", "10.0.0.1"), ("a", "10.0.0.2")]), ["skynode-7-0", "skynode-7-1"]);
        assert_eq!(chosen(&[("localhost", "10.0.0.1")]), ["skynode-7-0"]);
        assert_eq!(chosen(&[("$(x)", "10.0.0.1")]), ["skynode-7-0"]);
    }

    #[test]
    fn a_table_has_our_names_once_and_keeps_the_rest() {
        let before = "# head\n127.0.0.1 localhost\n127.0.1.1 a.lab a # own\n10.0.0.9 b\n";
        let after = table(before, &hosts(&[("a", "10.0.0.1"), ("b", "10.0.0.2")]));
        assert_eq!(after, "# head\n127.0.0.1 localhost\n127.0.1.1 a.lab\n10.0.0.1 a\n10.0.0.2 b\n");
        assert_eq!(listed(&after, "A"), ["10.0.0.1"]);
        assert_eq!(listed("10.0.0.3 # a\n", "a"), [""; 0]);
    }

    #[test]
    fn names_are_checked_where_programs_look_them_up() {
        assert!(wrong(&hosts(&[("localhost", "127.0.0.1")])).is_empty());
        let found = wrong(&hosts(&[("localhost", "10.9.8.7"), ("no-such-host.invalid", "10.9.8.6")]));
        assert_eq!(found.len(), 2);
    }
}
