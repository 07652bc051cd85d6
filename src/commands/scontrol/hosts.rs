//! `scontrol show hostnames`, `hostlist` and `hostlistsorted`: host lists, without a controller.

use crate::{commands::ask::Said, slurm::hostlist};

/// One name a line. Without an argument, those of `SLURM_NODELIST`; `SLURM_JOB_NODELIST` is
/// not read, in no version (sinfo.txt).
pub fn names(list: Option<&str>, variable: Option<&str>) -> Said {
    let Some(text) = list.or(variable) else {
        let err = vec!["scontrol: error: host list is empty".to_owned()];
        return Said { err, ..Said::default() };
    };
    expanded(text, |names| {
        let mut out = String::with_capacity(names.iter().map(|name| name.len() + 1).sum());
        for name in names {
            out.push_str(name);
            out.push('\n');
        }
        out
    })
}

/// The shortest form, in the order given, or sorted.
pub fn list(text: Option<&str>, sorted: bool) -> Said {
    let Some(text) = text else { return Said::error("invalid encode argument") };
    let names = match file(text) {
        Some(Err(error)) => return Said::error(error),
        Some(Ok(names)) => names,
        None => text.to_owned(),
    };
    let said = expanded(&names, |names| {
        let short = if sorted { hostlist::compress_sorted(names) } else { hostlist::compress(names) };
        format!("{short}\n")
    });
    Said { exit: u8::from(!said.err.is_empty()), ..said }
}

/// What `show` makes of the names; a list that cannot be read is told, with exit code 0 where names are asked for (sinfo.txt).
fn expanded(text: &str, show: impl Fn(&[String]) -> String) -> Said {
    let read = if text.is_empty() { Ok(Vec::new()) } else { hostlist::expand(text) };
    match read {
        Ok(names) => Said::out(show(&names)),
        Err(_) => Said { err: vec![format!("Invalid hostlist: {text}")], ..Said::default() },
    }
}

/// `/a/file` with names, separated by commas or new lines; `None` for a list.
fn file(text: &str) -> Option<Result<String, String>> {
    text.starts_with('/').then(|| {
        let text = std::fs::read_to_string(text)
            .map_err(|error| format!("scontrol: error: Can not open file: {text}: {error}"))?;
        let names: Vec<&str> = text.split([',', '\n']).map(str::trim).filter(|name| !name.is_empty()).collect();
        Ok(names.join(","))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_sinfo_txt() {
        let out = |list: Option<&str>, variable| names(list, variable).out;
        assert_eq!(out(Some("node[1-3]"), None), "node1\nnode2\nnode3\n");
        assert_eq!(out(Some("n[1-2]m[3-4]"), None), "n1m3\nn1m4\nn2m3\nn2m4\n");
        assert_eq!(names(Some(""), Some("x")), Said::default());
        assert_eq!(out(None, Some("node[3-4]")), "node3\nnode4\n");
        let none = names(None, None);
        assert_eq!((none.err.join(""), none.exit), ("scontrol: error: host list is empty".into(), 0));
        let bad = names(Some("node[1-3,5],x[01-02]y,single"), None);
        assert_eq!((bad.err.join(""), bad.exit), ("Invalid hostlist: node[1-3,5],x[01-02]y,single".into(), 0));
    }

    #[test]
    fn lists_are_those_of_sinfo_txt() {
        let out = |text, sorted| list(Some(text), sorted).out;
        assert_eq!(out("node3,node1,node2,node2", false), "node[3,1-2,2]\n");
        assert_eq!(out("node3,node1,node2,node2", true), "node[1-2,2-3]\n");
        assert_eq!(out("node01,node02,node10", false), "node[01-02,10]\n");
        assert_eq!(out("", false), "\n");
        assert_eq!(list(None, false).exit, 1);
        assert_eq!(list(Some("n[1-3]-ib"), false).exit, 1);
    }

    #[test]
    fn files_hold_names() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hosts");
        std::fs::write(&path, "a1\na2,a3\n\n").unwrap();
        assert_eq!(list(path.to_str(), false).out, "a[1-3]\n");
        assert_eq!(list(Some("/no/such/file"), false).exit, 1);
    }
}
