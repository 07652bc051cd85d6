//! sacctmgr(1): accounts, users, QOS, the cluster. They are set in the configuration file; here they are shown.

use super::{
    ask::{self, AskError, Said},
    dump::{self, Dump},
    terminal::{eprint, print, refuse},
    who,
};
use crate::{
    controller::{api::Cluster, client::Client},
    host::hardware,
    report::{
        associations,
        dump::{
            AccountRecords, AssociationRecords, ClusterRecords, DatabasePings, Managed, Ping, QosRecords, TresRecords,
            UserRecords,
        },
        sacct_table::{self, Layout},
        sacctmgr_fields::{self as fields, Entity, Listing, Row},
    },
    slurm::options::{self, Command::Sacctmgr, Options, Parsed, Place},
};
use std::{ffi::OsString, time::Instant};

/// The entities, how short their names may be, and what they are.
const ENTITIES: &[(&str, usize, Entity)] = &[
    ("accounts", 2, Entity::Account),
    ("associations", 2, Entity::Association),
    ("clusters", 1, Entity::Cluster),
    ("events", 1, Entity::Nothing),
    ("federation", 1, Entity::Nothing),
    ("instances", 1, Entity::Nothing),
    ("problems", 1, Entity::Nothing),
    ("qos", 1, Entity::Qos),
    ("reservations", 4, Entity::Nothing),
    ("resources", 1, Entity::Nothing),
    ("runawayjobs", 2, Entity::Nothing),
    ("transactions", 1, Entity::Nothing),
    ("txn", 2, Entity::Nothing),
    ("tres", 4, Entity::Tres),
    ("users", 1, Entity::User),
    ("wckeys", 1, Entity::Nothing),
];

const NO_ENTITY: &str = "\
No valid entity in list command
Input line must include \"Account\", \"Association\", \"Cluster\", \"Configuration\",
\"Event\", \"Federation\", \"Problem\", \"QOS\", \"Resource\", \"Reservation\",
\"RunAwayJobs\", \"Stats\", \"Transaction\", \"TRES\", \"User\", or \"WCKey\"";

/// Conditions that all there is fulfils, or that only say how it is shown.
const NO_CONDITION: &[&str] =
    &["where", "set", "withdeleted", "withrawqoslevel", "withsubaccounts", "withcoordinators", "onlydefaults"];

/// Keywords that would change something.
const CHANGES: &[&str] = &[
    "add",
    "archive",
    "clear",
    "create",
    "delete",
    "dump",
    "load",
    "modify",
    "reconfigure",
    "remove",
    "shutdown",
    "update",
];

/// Runs sacctmgr; the exit code.
pub fn run(args: Vec<OsString>) -> u8 {
    let parsed = match options::parse(Sacctmgr, &args, &ask::env) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal),
    };
    if let Some(text) = super::asked_for(&parsed, Sacctmgr) {
        return print(&text);
    }
    parsed.options.warnings(Place::Here).iter().for_each(|line| eprint(line));
    // Slurm repeats no word of the command line here.
    let dump = match dump::read(&parsed.options, Sacctmgr, &[]) {
        Ok(dump) => dump,
        Err(stop) => return stop.say(),
    };
    let cluster = || ask::cluster(&mut Client::connect()?);
    let mut said = match answer(&parsed, dump.as_ref(), cluster) {
        Ok(said) => said,
        Err(error) => Said::error(format!("sacctmgr: error: {error}")),
    };
    if parsed.options.is_set("quiet") {
        said.err.clear();
    }
    said.print()
}

fn answer(
    parsed: &Parsed,
    dump: Option<&Dump>,
    cluster: impl FnOnce() -> Result<Cluster, AskError>,
) -> Result<Said, AskError> {
    let words: Vec<String> = parsed.operands.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let [keyword, rest @ ..] = words.as_slice() else {
        let line = "sacctmgr: error: there is no interactive mode: give a command, see `sacctmgr help`";
        return Ok(Said::error(line));
    };
    let is = |name: &str, least: usize| begins(name, keyword, least);
    Ok(match () {
        _ if is("show", 3) || is("list", 1) => return show(&parsed.options, dump, rest, cluster),
        _ if is("version", 4) => Said::out(format!("{}\n", options::version())),
        _ if is("help", 2) => Said::out(options::help(Sacctmgr)),
        _ if is("exit", 1) || is("quit", 4) => Said::default(),
        _ if is("ping", 1) => {
            let begun = Instant::now();
            let name = cluster()?.name;
            let ping = Ping { host: hardware::host_name(), up: true, latency: begun.elapsed().as_micros() };
            match dump {
                Some(dump) => printed(dump.print::<DatabasePings>("pings", &[ping], &[], &name)),
                None => Said::out(format!("slurmdbd(primary) at {} is UP\n", ping.host)),
            }
        }
        _ if CHANGES.iter().any(|name| begins(name, keyword, 3)) => Said::error(format!(
            "sacctmgr: error: {keyword} is not supported: accounts and QOS are set in the configuration file (accounts, \
             qos_list)"
        )),
        _ => Said::error(format!("invalid keyword: {keyword}")),
    })
}

/// Whether `word` is the beginning of `name`, in any case, and not too short.
fn begins(name: &str, word: &str, least: usize) -> bool {
    word.len() >= least && name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// What is listed of an entity.
#[derive(Default)]
struct Wanted<'a> {
    accounts: Vec<&'a str>,
    clusters: Vec<&'a str>,
    names: Vec<&'a str>,
    users: Vec<&'a str>,
    format: Option<&'a str>,
    associations: bool,
    tree: bool,
}

/// Reads what stands behind the entity: conditions, names, the format.
fn read<'a>(entity: Entity, words: &'a [String]) -> Result<Wanted<'a>, String> {
    let mut wanted = Wanted::default();
    for word in words {
        let list =
            |value: &'a str| value.split(',').map(|one| one.trim_matches(['\'', '"'])).filter(|one| !one.is_empty());
        match word.split_once('=') {
            Some((name, value)) if begins("format", name, 1) => wanted.format = Some(value),
            Some((name, value)) if begins("accounts", name, 2) => wanted.accounts.extend(list(value)),
            Some((name, value)) if begins("clusters", name, 1) => wanted.clusters.extend(list(value)),
            Some((name, value)) if begins("users", name, 1) => wanted.users.extend(list(value)),
            Some((name, value)) if begins("names", name, 1) || begins("qos", name, 1) || begins("ids", name, 1) => {
                wanted.names.extend(list(value));
            }
            Some(_) => return Err(format!(" Unknown condition: {word}")),
            None if begins("withassoc", word, 5) => wanted.associations = true,
            None if word.eq_ignore_ascii_case("tree") => wanted.tree = true,
            None if NO_CONDITION.iter().any(|name| name.eq_ignore_ascii_case(word)) => {}
            None => wanted.names.extend(list(word)),
        }
    }
    // What is named without a condition is the entity itself.
    let names = std::mem::take(&mut wanted.names);
    match entity {
        Entity::Account => wanted.accounts.extend(names),
        Entity::Cluster => wanted.clusters.extend(names),
        Entity::User => wanted.users.extend(names),
        _ => wanted.names = names,
    }
    Ok(wanted)
}

fn show(
    options: &Options,
    dump: Option<&Dump>,
    words: &[String],
    cluster: impl FnOnce() -> Result<Cluster, AskError>,
) -> Result<Said, AskError> {
    let said = |text: &str| Said { err: text.lines().map(str::to_owned).collect(), exit: 1, ..Said::default() };
    let Some((name, rest)) = words.split_first() else { return Ok(said(NO_ENTITY)) };
    if begins("configuration", name, 2) {
        return Ok(Said::out(configuration(&cluster()?)));
    }
    let Some((full, _, entity)) = ENTITIES.iter().find(|(full, least, _)| begins(full, name, *least)) else {
        return Ok(said(NO_ENTITY));
    };
    let wanted = match read(*entity, rest) {
        Ok(wanted) => wanted,
        Err(line) => return Ok(said(&line)),
    };
    let associations = wanted.associations || options.is_set("associations");
    // Fields of associations make the list one of them, as in Slurm.
    let chosen = wanted.format.map(str::to_ascii_lowercase).unwrap_or_default();
    let of_associations = |field: &str| match entity {
        Entity::User => ["account", "cluster", "partition", "qos"].iter().any(|name| begins(name, field, 2)),
        Entity::Account => ["cluster", "user", "parentname", "qos"].iter().any(|name| begins(name, field, 2)),
        _ => false,
    };
    let names = chosen.split(',').filter_map(|field| field.split('%').next());
    let with = associations && (wanted.format.is_none() || names.filter(|name| !name.is_empty()).any(of_associations));
    let format = wanted.format.unwrap_or_else(|| fields::default_format(*entity, with));
    let columns = match sacct_table::columns::<Listing>(format) {
        Ok(columns) => columns,
        Err(unknown) => return Ok(said(&format!("Unknown field '{}'", unknown.0.to_lowercase()))),
    };
    let layout = Layout::of(options, "|");
    let mut out = String::new();
    if !options.is_set("noheader") {
        sacct_table::header(&columns, &layout, &mut out);
    }
    let cluster = cluster()?;
    let (host, me) = (hardware::host_name(), who::my_name());
    let one = |name, kind, id, association| Row {
        entity: *entity,
        cluster: &cluster,
        host: &host,
        user: &me,
        association,
        name,
        kind,
        id,
        tree: wanted.tree,
    };
    let mut shown = rows(*entity, with && dump.is_none(), &cluster, &me, one);
    shown.retain(|row| takes(&wanted, row));
    if let Some(exit) = dump.and_then(|dump| print_records(dump, (*entity, full), &shown, associations, &cluster)) {
        return Ok(printed(exit));
    }
    // The tree begins where the list does.
    let above = shown.iter().filter_map(|row| row.association.as_ref()).map(|a| a.depth).min().unwrap_or(0);
    for row in &mut shown {
        row.association.iter_mut().for_each(|association| association.depth -= above);
        sacct_table::row(&columns, &layout, row, &mut out);
    }
    Ok(Said::out(out))
}

/// Prints records, each with its associations; nothing where Slurm writes a listing whatever is asked for.
fn print_records(
    dump: &Dump,
    (entity, full): (Entity, &str),
    rows: &[Row],
    with: bool,
    cluster: &Cluster,
) -> Option<u8> {
    fn managed<'a>(row: &Row<'a>, entity: Entity, with: bool) -> Managed<'a> {
        let of = |a: &associations::Association| match entity {
            Entity::User => a.user.is_some(),
            _ => a.account == row.name,
        };
        let mut associations = associations::tree(row.cluster, row.user);
        associations.retain(|association| with && of(association));
        Managed { row: row.clone(), associations }
    }
    let all: Vec<_> = rows.iter().map(|row| managed(row, entity, with)).collect();
    let name = &cluster.name;
    Some(match entity {
        Entity::Account => dump.print::<AccountRecords>("accounts", &all, &[], name),
        Entity::Association => dump.print::<AssociationRecords>("associations", rows, &[], name),
        Entity::Cluster => dump.print::<ClusterRecords>("clusters", &all, &[], name),
        Entity::Qos => dump.print::<QosRecords>("qos", &all, &[], name),
        Entity::Tres => dump.print::<TresRecords>("TRES", &all, &[], name),
        Entity::User => dump.print::<UserRecords>("users", &all, &[], name),
        Entity::Nothing if full == "wckeys" => dump.print::<TresRecords>("wckeys", &[], &[], name),
        Entity::Nothing if full == "instances" => dump.print::<TresRecords>("instances", &[], &[], name),
        Entity::Nothing => return None,
    })
}

/// What has been printed already.
fn printed(exit: u8) -> Said {
    Said { exit, ..Said::default() }
}

/// All there is of an entity.
fn rows<'a>(
    entity: Entity,
    with: bool,
    cluster: &'a Cluster,
    me: &'a str,
    one: impl Fn(&'a str, &'a str, u32, Option<associations::Association<'a>>) -> Row<'a>,
) -> Vec<Row<'a>> {
    let tree = || associations::tree(cluster, me).into_iter();
    match entity {
        Entity::Account if with => tree().map(|a| one(a.account, "", 0, Some(a))).collect(),
        Entity::Account => tree().filter(|a| a.user.is_none()).map(|a| one(a.account, "", 0, None)).collect(),
        Entity::Association => tree().map(|a| one("", "", 0, Some(a))).collect(),
        Entity::Cluster => vec![one(&cluster.name, "", 0, None)],
        Entity::Qos => cluster.qos.iter().zip(1..).map(|(name, id)| one(name, "", id, None)).collect(),
        Entity::Tres => {
            fields::all_tres(cluster).into_iter().map(|(kind, name, id)| one(name, kind, id, None)).collect()
        }
        Entity::User if with => tree().filter(|a| a.user.is_some()).map(|a| one("", "", 0, Some(a))).collect(),
        Entity::User => vec![one("", "", 0, None)],
        Entity::Nothing => Vec::new(),
    }
}

fn takes(wanted: &Wanted, row: &Row) -> bool {
    let any = |list: &[&str], is: &dyn Fn(&str) -> bool| list.is_empty() || list.iter().any(|name| is(name));
    let account = row.association.as_ref().map_or(row.name, |a| a.account);
    let user = row.association.as_ref().map_or(Some(row.user), |a| a.user);
    let of_accounts = matches!(row.entity, Entity::Account | Entity::Association) || row.association.is_some();
    let of_users = matches!(row.entity, Entity::User | Entity::Association) || row.association.is_some();
    let id = row.id.to_string();
    any(&wanted.clusters, &|name| name == row.cluster.name)
        && (!of_accounts || any(&wanted.accounts, &|name| name == account))
        && (!of_users || any(&wanted.users, &|name| user == Some(name)))
        && any(&wanted.names, &|name| name == row.name || name == row.kind || name == id)
}

/// `sacctmgr show configuration`, as far as there is such a thing.
fn configuration(cluster: &Cluster) -> String {
    const SHOWN: [&str; 3] = ["AccountingStorageType", "SLURM_CONF", "SLURM_VERSION"];
    let mut out = String::new();
    for (key, value) in cluster.config.iter().filter(|(key, _)| SHOWN.contains(&key.as_str())) {
        out.push_str(&format!("{key:<22} = {value}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn said(line: &str) -> (String, u8) {
        let args: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
        let parsed = options::parse(Sacctmgr, &args, &|_| None).unwrap();
        let said = answer(&parsed, None, || Ok(samples::cluster())).unwrap();
        (said.out + &said.err.join("\n"), said.exit)
    }

    /// Asked of a real one, whose cluster has one account and one user (its root apart).
    #[test]
    fn listings_are_slurms() {
        let me = who::my_name();
        for (line, expected) in [
            (
                "-nP show assoc format=cluster,account,user,partition,qos",
                format!("lab|root|||normal\nlab|research|||normal\nlab|research|{me}||normal\n"),
            ),
            ("-nP show assoc tree format=account,user", format!("root|\n research|\n  research|{me}\n")),
            ("-nP list associations cluster=lab account=research format=user", format!("\n{me}\n")),
            ("-nP show assoc user=nobody", String::new()),
            ("-P show user format=user,account,defaultaccount", format!("User|Account|Def Acct\n{me}||research\n")),
            ("-nP show user withassoc format=user,account,defaultaccount", format!("{me}|research|research\n")),
            ("-n -s list user format=account%12", "    research \n".into()),
            ("-nP show user bogus", String::new()),
            ("-nP show account", "root|default root account|root\nresearch|research|lab\n".into()),
            ("-nP show account where name=research", "research|research|lab\n".into()),
            ("-nP show qos format=name,priority,maxwall", "normal|0|\n".into()),
            (
                "show qos format=name%-20,maxwall%5",
                "Name                 MaxWa \n-------------------- ----- \nnormal                     \n".into(),
            ),
            ("-P list cluster format=cluster", "Cluster\nlab\n".into()),
            ("-nP show cluster nosuch", String::new()),
            ("-nP show tres type=gres", " Unknown condition: type=gres".into()),
            ("-np show tres gres", "gres|gpu|1001|\n".into()),
            ("-nP show wckey", String::new()),
            ("-nP show federation", String::new()),
            ("version", format!("{}\n", options::version())),
        ] {
            let (out, exit) = said(line);
            assert_eq!((out, exit != 0), (expected, line.contains("type=gres")), "{line}");
        }
        assert_eq!(said("-nP show user withassoc").0.matches('|').count(), 15);
        assert_eq!(said("-nP show account withassoc").0.lines().next().unwrap().matches('|').count(), 22);
    }

    #[test]
    fn refusals_are_slurms_or_say_what_to_do() {
        for (line, expected) in [
            ("bogus", "invalid keyword: bogus"),
            ("show", NO_ENTITY),
            ("show bogus", NO_ENTITY),
            ("show account format=bogus", "Unknown field 'bogus'"),
            ("show assoc where bogus=1", " Unknown condition: bogus=1"),
        ] {
            assert_eq!(said(line), (expected.to_owned(), 1), "{line}");
        }
        for line in ["add user bob account=research", "-i delete user x", "modify qos normal set priority=1"] {
            assert!(
                said(line).0.contains("is not supported: accounts and QOS are set in the configuration file"),
                "{line}"
            );
        }
    }
}
