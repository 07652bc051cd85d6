//! `scontrol show config`.

use crate::{
    job::Cluster,
    report::clock::{Clock, local},
};

/// The configuration, `key = value` a line, and that the controller on `host` is up.
pub fn config(cluster: &Cluster, host: &str) -> String {
    let mut out = String::from("Configuration data as of ");
    Clock::new(local, None, cluster.now).write(cluster.now, &mut out);
    out.push('\n');
    for (key, value) in &cluster.config {
        out.push_str(&format!("{key:<23} = {value}\n"));
    }
    out.push_str(&format!("\nSlurmctld(primary) at {host} is UP\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_sinfo_txt() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let config_of = vec![pair("AccountingStorageHost", "localhost"), pair("AcctGatherFilesystemType", "none")];
        let text = config(&Cluster { config: config_of, ..Cluster::default() }, "vm");
        assert!(text.starts_with("Configuration data as of "));
        let rest = text.split_once('\n').map(|(_, rest)| rest);
        let expected =
            "AccountingStorageHost   = localhost\nAcctGatherFilesystemType = none\n\nSlurmctld(primary) at vm is UP\n";
        assert_eq!(rest, Some(expected));
    }
}
