//! sshare(1): the shares of accounts and users.

use super::{
    ask::{self, Said},
    check_cluster,
    dump::{self, Dump},
    terminal::{eprint, print, refuse},
    who,
};
use crate::{
    controller::{api::Cluster, client::Client},
    report::{
        associations::{self, Association},
        dump::ShareList,
        sacct_table::{self, Layout},
        share_fields::{Row, Shares, default_format},
    },
    slurm::options::{self, Command::Sshare, Options, Place, Refusal},
};
use std::ffi::OsString;

/// Runs sshare; the exit code.
pub fn run(args: Vec<OsString>) -> u8 {
    let parsed = match options::parse(Sshare, &args, &ask::env) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal),
    };
    let options = &parsed.options;
    if options.is_set("helpformat") {
        return print(&sacct_table::help_format::<Shares>(17));
    }
    if let Some(text) = super::asked_for(&parsed, Sshare) {
        return print(&text);
    }
    options.warnings(Place::Here).iter().for_each(|line| eprint(line));
    let dump = match dump::read(options, Sshare, &args) {
        Ok(dump) => dump,
        Err(stop) => return stop.say(),
    };
    let cluster = match Client::connect().map_err(Into::into).and_then(|mut client| ask::cluster(&mut client)) {
        Ok(cluster) => cluster,
        Err(error) => return refuse(&Refusal::error(Sshare, 1, error.to_string())),
    };
    let me = who::my_name();
    let answer = match &dump {
        Some(dump) => rows(options, &cluster, &me).map(|rows| print_records(dump, rows, &cluster.name)),
        None => listing(options, &cluster, &me).map(|out| Said::out(out).print()),
    };
    answer.unwrap_or_else(|refusal| refuse(&refusal))
}

fn print_records(dump: &Dump, rows: Vec<Row>, cluster: &str) -> u8 {
    dump.print::<ShareList>("shares", &[rows], &[], cluster)
}

/// The whole output, for the user of that name.
fn listing(options: &Options, cluster: &Cluster, me: &str) -> Result<String, Refusal> {
    let rows = rows(options, cluster, me)?;
    let default = || default_format(options.is_set("long"), options.is_set("partition"));
    let format = options.get("format").map_or_else(default, str::to_owned);
    let columns = sacct_table::columns::<Shares>(&format)
        .map_err(|unknown| Refusal::error(Sshare, 1, unknown.to_string().to_lowercase().replacen('i', "I", 1)))?;
    let layout = Layout::of(options, "|");
    let mut out = String::new();
    if options.is_set("verbose") {
        out.push_str(&requested("Users", options.get("users").unwrap_or(me)));
        out.push_str(&requested("Accounts", options.get("accounts").unwrap_or("all")));
    }
    if options.is_set("clusters") {
        out.push_str(&format!("CLUSTER: {}\n", cluster.name));
    }
    if !options.is_set("noheader") {
        sacct_table::header(&columns, &layout, &mut out);
    }
    rows.iter().for_each(|row| sacct_table::row(&columns, &layout, row, &mut out));
    Ok(out)
}

/// `--verbose`
fn requested(what: &str, names: &str) -> String {
    let names: String = names.split(',').map(|name| format!("\t: {name}\n")).collect();
    format!("{what} requested:\n{names}")
}

/// The lines that the options choose.
fn rows<'a>(options: &Options, cluster: &'a Cluster, me: &'a str) -> Result<Vec<Row<'a>>, Refusal> {
    check_cluster(Sshare, options.get("clusters"), &cluster.name)?;
    let own = options.is_set("Users");
    let chosen = |name: &str, of: &str| options.get(name).is_none_or(|list| list.split(',').any(|word| word == of));
    let wanted = |a: &Association| chosen("accounts", a.account) && a.user.map_or(!own, |user| chosen("users", user));
    let shown: Vec<_> = associations::tree(cluster, me).into_iter().filter(wanted).collect();
    // With accounts chosen the tree begins at them.
    let above = shown.iter().map(|a| a.depth).min().filter(|_| options.is_set("accounts")).unwrap_or(0);
    Ok(shown
        .into_iter()
        .map(|a| Row { association: Association { depth: a.depth - above, ..a }, cluster, tree: !own })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    /// What a real sshare printed, with priority/basic.
    #[test]
    fn listings_are_slurms() {
        let said = |words: &str| {
            let args: Vec<OsString> = words.split_whitespace().map(Into::into).collect();
            let parsed = options::parse(Sshare, &args, &|_| None).unwrap();
            listing(&parsed.options, &samples::cluster(), "alice").unwrap_or_else(|refusal| refusal.to_string())
        };
        let expected = "\
Account                    User  RawShares  NormShares    RawUsage  EffectvUsage  FairShare 
-------------------- ---------- ---------- ----------- ----------- ------------- ---------- 
root                                                             0      0.000000            
 research                                1                       0      0.000000            
  research                alice          1                       0      0.000000   0.000000 
";
        assert_eq!(said(""), expected);
        assert_eq!(
            said("-n -P"),
            "root||||0|0.000000|\n research||1||0|0.000000|\n  research|alice|1||0|0.000000|0.000000\n"
        );
        assert_eq!(said("-U --format Account%25 --noheader"), "                 research \n");
        assert_eq!(said("-n -A research -P -o account,user"), "research|\n research|alice\n");
        assert_eq!(said("-n -u nosuch -P -o account,user"), "root|\n research|\n");
        assert_eq!(said("-P -m -n -o partition,id"), "|1\n|2\n|3\n");
        assert_eq!(said("-P -l").lines().next().unwrap().matches('|').count(), 10);
        assert_eq!(said("-n -A root -P -o account"), "root\n");
        assert_eq!(
            said("-v -n -P -o user -A research"),
            "Users requested:\n\t: alice\nAccounts requested:\n\t: research\n\nalice\n"
        );
        assert_eq!(
            said("-n -P -o tresrunmins -A root"),
            "cpu=0,mem=0,energy=0,node=0,billing=0,fs/disk=0,vmem=0,pages=0,gres/gpu=0\n"
        );
        assert_eq!(said("-o Account,Bogus"), "sshare: error: Invalid field requested: \"bogus\"");
    }
}
