//! sshare(1): the shares of accounts and users.

use super::{
    ask::{self, Said},
    check_cluster,
    terminal::{eprint, print, refuse},
    who,
};
use crate::{
    controller::{api::Cluster, client::Client},
    report::{
        associations::{self, Association},
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
    let cluster = match Client::connect().map_err(Into::into).and_then(|mut client| ask::cluster(&mut client)) {
        Ok(cluster) => cluster,
        Err(error) => return refuse(&Refusal::error(Sshare, 1, error.to_string())),
    };
    match listing(options, &cluster, &who::my_name()) {
        Ok(out) => Said::out(out).print(),
        Err(refusal) => refuse(&refusal),
    }
}

/// The whole output, for the user of that name.
fn listing(options: &Options, cluster: &Cluster, me: &str) -> Result<String, Refusal> {
    check_cluster(Sshare, options.get("clusters"), &cluster.name)?;
    let default = || default_format(options.is_set("long"), options.is_set("partition"));
    let format = options.get("format").map_or_else(default, str::to_owned);
    let columns = sacct_table::columns::<Shares>(&format)
        .map_err(|unknown| Refusal::error(Sshare, 1, unknown.to_string().to_lowercase().replacen('i', "I", 1)))?;
    let layout = Layout::of(options, "|");
    let mut out = String::new();
    if !options.is_set("noheader") {
        sacct_table::header(&columns, &layout, &mut out);
    }
    let own = options.is_set("Users");
    let chosen = |name: &str, of: &str| options.get(name).is_none_or(|list| list.split(',').any(|word| word == of));
    let wanted = |a: &Association| {
        let account = options.get("accounts").is_none() || (a.depth > 0 && chosen("accounts", a.account));
        account && a.user.map_or(!own, |user| chosen("users", user))
    };
    // With accounts chosen the tree begins at them.
    let above = usize::from(options.get("accounts").is_some());
    for mut association in associations::tree(cluster, me).into_iter().filter(wanted) {
        association.depth -= above;
        let row = Row { association, cluster: &cluster.name, tree: !own };
        sacct_table::row(&columns, &layout, &row, &mut out);
    }
    Ok(out)
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
        assert_eq!(said("-o Account,Bogus"), "sshare: error: Invalid field requested: \"bogus\"");
    }
}
