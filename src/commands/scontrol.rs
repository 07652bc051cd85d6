//! scontrol(1): show and change jobs, show nodes, partitions and the configuration.

mod assoc_mgr;
mod help;
mod hosts;
mod jobs;
mod keyword;
mod notify;
mod ready;
mod reservation;
mod sentences;
mod show;
mod update;
mod write;

use super::{
    ask::{self, AskError, Said},
    dump::{self, Dump},
    session::{self, Carried},
    terminal::{eprint, refuse},
    who,
};
use crate::{
    controller::{
        api::{Call, Filter, Reply},
        client::Client,
    },
    host::hardware,
    report::dump::{Ping, Pings},
    slurm::{
        array::JobIdSpec,
        options::{self, Command::Scontrol, Place},
    },
};
use jobs::Order;
use keyword::{Keyword, row};
use std::{ffi::OsString, time::Instant};

/// A command as it was typed, and what the options say of its output.
pub(crate) struct Words<'a> {
    /// The keyword as it was typed.
    keyword: &'a str,
    /// What follows it.
    args: &'a [String],
    /// `--oneliner`
    oneliner: bool,
    /// `--details`
    details: bool,
    /// `--json`, `--yaml`
    dump: Option<Dump>,
}

impl Words<'_> {
    fn too_few(&self) -> Said {
        Said::error(format!("too few arguments for keyword:{}", self.keyword))
    }

    fn too_many(&self) -> Said {
        Said::error(format!("too many arguments for keyword:{}", self.keyword))
    }
}

/// How the commands of a session are answered. One that is not interactive has one command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    /// `oneliner`
    oneliner: bool,
    /// `details`
    details: bool,
    /// `quiet`; `verbose` takes it back.
    quiet: bool,
    /// `--json`, `--yaml`
    dump: Option<Dump>,
    /// `exit`, `quit`
    over: bool,
}

/// What a keyword does.
#[derive(Clone, Copy)]
enum Means {
    Show,
    Change(Order),
    Update,
    Create,
    Delete,
    Write,
    Ping,
    Version,
    Help,
    WaitJob,
    Completing,
    ErrNumStr,
    ListPids,
    Top,
    Notify,
    /// It changes how what follows is answered.
    Session(fn(&mut Session)),
    Unsupported(&'static str),
}

const ADMIN: &str = "there is nothing to administrate: `skyslurm controller` starts and stops the controller";
/// scontrol's keywords and how short they may be, as the real one takes them.
#[rustfmt::skip]
const KEYWORDS: &[Keyword<Means>] = &[
    row("show", 3, Means::Show),
    row("hold", 4, Means::Change(Order::Hold)),
    row("holdu", 5, Means::Change(Order::Hold)),
    row("uhold", 5, Means::Change(Order::Hold)),
    row("release", 3, Means::Change(Order::Release)),
    row("requeue", 3, Means::Change(Order::Requeue { hold: false })),
    row("requeuehold", 11, Means::Change(Order::Requeue { hold: true })),
    row("update", 1, Means::Update),
    row("write", 5, Means::Write),
    row("ping", 3, Means::Ping),
    row("version", 4, Means::Version),
    row("help", 2, Means::Help),
    row("exit", 2, Means::Session(|s| s.over = true)),
    row("quit", 4, Means::Session(|s| s.over = true)),
    row("oneliner", 1, Means::Session(|s| s.oneliner = true)),
    row("details", 1, Means::Session(|s| s.details = true)),
    row("all", 3, Means::Session(|_| {})),
    row("hide", 2, Means::Session(|_| {})),
    row("quiet", 4, Means::Session(|s| s.quiet = true)),
    row("verbose", 4, Means::Session(|s| s.quiet = false)),
    row("cluster", 2, Means::Unsupported("there is one cluster only")),
    row("suspend", 2, Means::Change(Order::Suspend)),
    row("resume", 3, Means::Change(Order::Resume)),
    row("top", 3, Means::Top),
    row("notify", 1, Means::Notify),
    row("wait_job", 2, Means::WaitJob),
    row("listpids", 1, Means::ListPids),
    row("pidinfo", 3, Means::Unsupported("use `scontrol listpids`")),
    row("completing", 2, Means::Completing),
    row("errnumstr", 2, Means::ErrNumStr),
    row("create", 2, Means::Create),
    row("delete", 3, Means::Delete),
    row("reboot", 3, Means::Unsupported(ADMIN)),
    row("reconfigure", 3, Means::Unsupported("use `skyslurm controller restart`")),
    row("shutdown", 8, Means::Unsupported("use `skyslurm controller stop`")),
    row("setdebug", 8, Means::Unsupported(ADMIN)),
    row("setdebugflags", 9, Means::Unsupported(ADMIN)),
    row("schedloglevel", 3, Means::Unsupported(ADMIN)),
    row("takeover", 8, Means::Unsupported(ADMIN)),
    row("abort", 5, Means::Unsupported(ADMIN)),
    row("token", 5, Means::Unsupported(ADMIN)),
    row("cancel_reboot", 3, Means::Unsupported(ADMIN)),
    row("fsdampeningfactor", 3, Means::Unsupported(ADMIN)),
];

/// Runs `scontrol` with these arguments (without its own name) and gives the exit code.
pub fn run(args: Vec<OsString>) -> u8 {
    let parsed = match options::parse(Scontrol, &args, &ask::env) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal),
    };
    let options = &parsed.options;
    if options.is_set("version") {
        return Said::out(version()).print();
    }
    if options.is_set("help") || options.is_set("usage") {
        return Said::out(help::text()).print();
    }
    options.warnings(Place::Here).iter().for_each(|line| eprint(line));
    let operands: Vec<String> = parsed.operands.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    if let Err(exit) = ask::right_cluster(Scontrol, options) {
        return exit;
    }
    let dump = match dump::read(options, Scontrol, &[]) {
        Ok(dump) => dump,
        Err(stop) => return stop.say(),
    };
    let [oneliner, details, quiet] = ["oneliner", "details", "quiet"].map(|name| options.is_set(name));
    let mut session = Session { oneliner, details, quiet, dump, over: false };
    match operands.is_empty() {
        true => session::run(Scontrol.name(), &mut std::io::stdin().lock(), |words| {
            let exit = carry_out(&mut session, words);
            Carried { exit, over: session.over }
        }),
        false => carry_out(&mut session, &operands),
    }
}

/// Carries out a command and prints what comes of it; the exit code.
fn carry_out(session: &mut Session, words: &[String]) -> u8 {
    let Some((keyword, args)) = words.split_first() else { return 0 };
    if let Some(Means::Session(change)) = keyword::find(KEYWORDS, keyword) {
        change(session);
        if args.is_empty() {
            return 0;
        }
    }
    let Session { oneliner, details, .. } = *session;
    let dump = session.dump.clone().map(|dump| dump.with_command(words.to_vec()));
    let mut said = match answer(&Words { keyword, args, oneliner, details, dump }) {
        Ok(said) => said,
        Err(error) => Said::error(format!("scontrol: error: {error}")),
    };
    if session.quiet {
        said.err.clear();
    }
    said.print()
}

fn answer(words: &Words) -> Result<Said, AskError> {
    let keyword = words.keyword;
    let Some(means) = keyword::find(KEYWORDS, keyword) else {
        return Ok(Said::error(format!("invalid keyword: {keyword}")));
    };
    match means {
        Means::Show => show::run(words),
        Means::Change(order) => jobs::run(words, order),
        // A job may be given a reservation.
        Means::Update
            if !update::is_of_jobs(words.args) && words.args.iter().any(|word| reservation::is_named(word)) =>
        {
            reservation::update(words)
        }
        Means::Update => update::run(words),
        Means::Create => reservation::create(words),
        Means::Delete => reservation::delete(words),
        Means::Write => write::run(words),
        Means::Ping if !words.args.is_empty() => Ok(words.too_many()),
        Means::Ping => Ok(ping(words.dump.as_ref())),
        Means::Version if !words.args.is_empty() => {
            Ok(Said::error(format!("too many arguments for {keyword} keyword")))
        }
        Means::Version => Ok(Said::out(version())),
        Means::Help => Ok(Said::out(help::text())),
        Means::WaitJob => ready::wait_job(words),
        Means::Completing => ready::completing(words),
        Means::ErrNumStr => Ok(ready::errnumstr(words)),
        Means::ListPids => ready::listpids(words),
        Means::Top => ready::top(words),
        Means::Notify => notify::run(words),
        Means::Session(_) => Ok(words.too_many()),
        Means::Unsupported(instead) => {
            Ok(Said::error(format!("scontrol: error: {keyword} is not supported: {instead}")))
        }
    }
}

fn version() -> String {
    format!("{}\n", options::version())
}

/// Whether the controller answers (it is started if none runs).
fn ping(dump: Option<&Dump>) -> Said {
    let begun = Instant::now();
    let status = Client::connect().and_then(|mut client| client.ask(&Call::Status));
    let ping = Ping {
        host: hardware::host_name(),
        up: matches!(status, Ok(Reply::Status(_))),
        latency: begun.elapsed().as_micros(),
    };
    let state = if ping.up { "UP" } else { "DOWN" };
    let exit = u8::from(!ping.up);
    let err = status.err().map(|error| format!("scontrol: error: {error}")).into_iter().collect();
    match dump {
        None => Said { out: format!("Slurmctld(primary) at {} is {state}\n", ping.host), err, exit },
        Some(dump) => Said { exit: dump.print::<Pings>("pings", &[ping], &[], "").max(exit), err, ..Said::default() },
    }
}

/// This user's jobs of a name.
fn jobs_named(client: &mut Client, name: &str) -> Result<Vec<JobIdSpec>, AskError> {
    let filter = Filter { names: vec![name.to_owned()], uids: vec![who::me()], ..Filter::default() };
    let mut ids: Vec<u32> = ask::jobs(client, filter)?.iter().map(|job| job.id).collect();
    ids.dedup();
    Ok(ids.into_iter().map(JobIdSpec::job).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> (String, u8) {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let (keyword, args) = words.split_first().unwrap();
        let said = answer(&Words { keyword, args, oneliner: false, details: false, dump: None }).unwrap();
        (said.out + &said.err.join("\n"), said.exit)
    }

    /// Asked of the real one; none of them needs a controller.
    #[test]
    fn messages_are_slurms() {
        for (line, answer) in [
            ("nosuch", "invalid keyword: nosuch"),
            ("sh", "invalid keyword: sh"),
            ("hol 1", "invalid keyword: hol"),
            ("requeueh 1", "invalid keyword: requeueh"),
            ("show", "too few arguments for keyword:show"),
            ("show nosuch", "invalid entity:nosuch for keyword:show "),
            ("show p", "invalid entity:p for keyword:show "),
            ("show nodename=node1", "invalid entity:nodename=node1 for keyword:show "),
            ("show hosts a", "invalid entity:hosts for keyword:show "),
            ("show hostnames a b", "too many arguments for keyword:show"),
            ("show hostlist", "invalid encode argument"),
            ("hold", "too few arguments for keyword:hold"),
            ("rel", "too few arguments for keyword:rel"),
            ("requeue", "too few arguments for keyword:requeue"),
            ("write", "too few arguments for keyword:write"),
            ("write nosuch", "invalid write argument:nosuch"),
            ("write batch_script 1 a b", "too many arguments for keyword:write"),
            ("write batch_script abc -", "job script retrieval failed: Invalid job id specified"),
            ("vers x", "too many arguments for vers keyword"),
            ("ping x", "too many arguments for keyword:ping"),
            ("exit 5", "too many arguments for keyword:exit"),
            ("update", "too few arguments for update keyword"),
            ("errnumstr", "one arguments required for keyword:errnumstr"),
            ("errnumstr x", "numeric arguments required for keyword:errnumstr"),
            ("wait_job", "too few arguments for keyword:wait_job"),
            ("wait_job abc", "Invalid job_id abc"),
            ("notify", "too few arguments for keyword:notify"),
            ("notify 1", "too few arguments for keyword:notify"),
            ("notify abc hi", "Invalid job_id abcjob notify failure: No error"),
            ("notify 1.0 hi", "job notify failure: Invalid job id specified"),
            ("top", "too few arguments for keyword:top"),
        ] {
            assert_eq!(said(line), (answer.to_owned(), 1), "{line}");
        }
    }

    #[test]
    fn host_lists_need_no_controller() {
        assert_eq!(said("show hostnames n[1-2]"), ("n1\nn2\n".into(), 0));
        assert_eq!(said("show hostn n[1-2]"), ("n1\nn2\n".into(), 0));
        assert_eq!(said("sho hostlistsorted b,a"), ("a,b\n".into(), 0));
        assert_eq!(said("version").0, format!("{}\n", options::version()));
        assert!(said("help").0.contains("hostnames"));
    }
}
