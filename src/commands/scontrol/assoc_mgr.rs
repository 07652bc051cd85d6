//! `scontrol show assoc_mgr`.

use super::Words;
use crate::{
    commands::{
        ask::{self, AskError, Said},
        who,
    },
    controller::{api::Filter, client::Client},
    report::{
        clock::{Clock, local},
        job_values::Context,
        show::{self, Style, Wanted},
    },
    slurm::array::BITSTR_LEN,
};

/// Shows users, associations and QOS.
pub fn show(words: &Words, conditions: &[String]) -> Result<Said, AskError> {
    let wanted = match read(conditions) {
        Ok(wanted) => wanted,
        Err(said) => return Ok(said),
    };
    let mut client = Client::connect()?;
    let jobs = ask::jobs(&mut client, Filter::default())?;
    let cluster = ask::cluster(&mut client)?;
    let context = Context {
        cluster: &cluster.name,
        partitions: &cluster.partitions,
        clock: Clock::new(local, None, cluster.now),
        bitstr_len: BITSTR_LEN,
        noconvert: true,
        expand: false,
    };
    let (name, uid) = (who::my_name(), who::me());
    let style = Style { oneliner: words.oneliner, details: words.details };
    let mut out = String::new();
    show::assoc_mgr(&cluster, &jobs, &context, (&name, uid), &wanted, style, &mut out);
    Ok(Said::out(out))
}

/// `flags=qos,users`, `accounts=a,b`, ...; beginnings of the words will do.
fn read(conditions: &[String]) -> Result<Wanted, Said> {
    let mut wanted = Wanted::default();
    for condition in conditions {
        let Some((name, value)) = condition.split_once('=') else {
            // No error to the real one.
            return Err(Said { exit: 0, ..Said::error(format!("No value given for option {condition}")) });
        };
        let is = |full: &str| full.get(..name.len().max(1)).is_some_and(|start| start.eq_ignore_ascii_case(name));
        let list = || value.split(',').filter(|one| !one.is_empty()).map(str::to_owned);
        match () {
            () if is("accounts") => wanted.of_accounts.extend(list()),
            () if is("qos") => wanted.of_qos.extend(list()),
            () if is("users") => wanted.of_users.extend(list()),
            () if is("flags") => {
                let value = value.to_ascii_lowercase();
                wanted.users |= value.contains("users");
                wanted.associations |= value.contains("assoc");
                wanted.qos |= value.contains("qos");
                if !(wanted.users || wanted.associations || wanted.qos) {
                    let text = format!("invalid flag '{value}', valid options are 'Assoc, QOS, and/or Users'");
                    return Err(Said { exit: 0, ..Said::error(text) });
                }
            }
            () => return Err(Said::error(format!("invalid entity: {condition} for keyword:show assoc_mgr"))),
        }
    }
    if !(wanted.users || wanted.associations || wanted.qos) {
        (wanted.users, wanted.associations, wanted.qos) = (true, true, true);
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read() {
        let of = |words: &str| read(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let all = of("a=research q=normal").unwrap();
        assert!(
            all.users && all.associations && all.qos && all.of_accounts == ["research"] && all.of_qos == ["normal"]
        );
        let qos = of("flags=QOS").unwrap();
        assert!(qos.qos && !qos.users);
        for (words, line, exit) in [
            ("users", "No value given for option users", 0),
            ("foo=1", "invalid entity: foo=1 for keyword:show assoc_mgr", 1),
            ("flags=bogus", "invalid flag 'bogus', valid options are 'Assoc, QOS, and/or Users'", 0),
        ] {
            assert_eq!(of(words).unwrap_err(), Said { exit, ..Said::error(line) }, "{words}");
        }
    }
}
