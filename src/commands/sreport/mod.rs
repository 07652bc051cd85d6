//! sreport(1): usage of the cluster, of accounts and of users over a time, counted from the accounting.

mod conditions;

use super::{
    ask::{self, AskError, Said},
    session::{self, Carried},
    terminal::{eprint, print, refuse},
};
use crate::{
    controller::{
        api::{Cluster, Filter},
        client::Client,
    },
    host::user,
    job::Job,
    report::{
        associations::ROOT,
        clock::{Clock, local},
        job_values::Context,
        sacct_table::Layout,
        usage::{self, Line, Report, Resource, Sizes, TimeFormat, Usage, Window},
    },
    slurm::{
        array::BITSTR_LEN,
        options::{self, Command::Sreport, Options, Place, Refusal},
    },
};
use conditions::Conditions;
use std::{cmp::Reverse, collections::BTreeMap, ffi::OsString};

/// What a report is made by.
#[derive(Clone, Copy)]
enum Means {
    Table(Report),
    Sizes,
    /// Workload keys are not recorded, nor is what of a reservation nobody used.
    Nothing(&'static str),
}

/// The kinds of reports: keyword, how short it may be, its reports (likewise), and what Slurm says the valid ones are.
type Kind = (&'static str, usize, &'static [(&'static str, usize, Means)], &'static str);

const NO_KEYS: Means = Means::Nothing("workload keys are not recorded");
#[rustfmt::skip]
const KINDS: &[Kind] = &[
    ("cluster", 2, &[
        ("AccountUtilizationByUser", 1, Means::Table(Report::AccountByUser)),
        ("UserUtilizationByAccount", 18, Means::Table(Report::UserByAccount)),
        ("UserUtilizationByWckey", 18, NO_KEYS),
        ("Utilization", 2, Means::Table(Report::Utilization)),
        ("WCKeyUtilizationByUser", 1, NO_KEYS),
    ], "\"AccountUtilizationByUser\", \"UserUtilizationByAccount\", \"UserUtilizationByWckey\", \"Utilization\", and \"WCKeyUtilizationByUser\""),
    ("job", 1, &[
        ("SizesByAccount", 1, Means::Sizes),
        ("SizesByAccountAndWcKey", 15, NO_KEYS),
        ("SizesByWckey", 8, NO_KEYS),
    ], "\"SizesByAccount, SizesByAccountAndWcKey, and  SizesByWckey\""),
    ("reservation", 2, &[("Utilization", 1, Means::Nothing("what of a reservation was used is not recorded"))], "\"Utilization\""),
    ("user", 1, &[("TopUsage", 1, Means::Table(Report::TopUsage))], "\"Top\""),
];

/// Runs sreport; the exit code.
pub fn run(args: Vec<OsString>) -> u8 {
    let parsed = match options::parse(Sreport, &args, &ask::env) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal),
    };
    if let Some(text) = super::asked_for(&parsed, Sreport) {
        return print(&text);
    }
    parsed.options.warnings(Place::Here).iter().for_each(|line| eprint(line));
    let operands: Vec<String> = parsed.operands.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let carry_out = |words: &[String]| match answer(&parsed.options, words, load) {
        Ok(said) => said.print(),
        Err(error) => refuse(&Refusal::error(Sreport, 1, error.to_string())),
    };
    match operands.is_empty() {
        true => session::run(Sreport.name(), &mut std::io::stdin().lock(), |words| {
            let over = words.first().is_some_and(|word| begins("exit", word, 1) || begins("quit", word, 4));
            Carried { exit: carry_out(words), over }
        }),
        false => carry_out(&operands),
    }
}

/// The jobs of a window, with the runs of those that were requeued, and the cluster.
fn load(window: Window) -> Result<(Vec<Job>, Cluster), AskError> {
    let mut client = Client::connect()?;
    let filter = Filter { until: Some(window.end), duplicates: true, ..Filter::default() };
    let jobs = ask::accounting(&mut client, filter)?;
    Ok((jobs, ask::cluster(&mut client)?))
}

/// Whether `word` is the beginning of `name`, in any case, and not too short.
fn begins(name: &str, word: &str, least: usize) -> bool {
    word.len() >= least && name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

fn answer(
    options: &Options,
    words: &[String],
    load: impl FnOnce(Window) -> Result<(Vec<Job>, Cluster), AskError>,
) -> Result<Said, AskError> {
    let [keyword, rest @ ..] = words else { return Ok(Said::default()) };
    let is = |name: &str, least: usize| begins(name, keyword, least);
    let kind = KINDS.iter().find(|(name, least, ..)| is(name, *least));
    let too_few = || Said::error(format!("too few arguments for keyword:{keyword}"));
    match (kind, rest) {
        (Some(_), []) => Ok(too_few()),
        (Some((_, _, reports, valid)), [name, conditions @ ..]) => {
            let report = reports.iter().find(|(full, least, _)| begins(full, name, *least));
            let Some((_, _, means)) = report else {
                let kind = kind.map_or("", |kind| kind.0);
                let lines = vec![format!("Not valid report {name}"), format!("Valid {kind} reports are, {valid}")];
                return Ok(Said { err: lines, exit: 1, ..Said::default() });
            };
            if let Means::Nothing(why) = means {
                return Ok(Said::error(format!("sreport: error: {name} is not supported: {why}")));
            }
            make(options, *means, conditions, load)
        }
        _ if is("version", 4) => Ok(Said::out(format!("{}\n", options::version()))),
        _ if is("help", 2) => Ok(Said::out(options::help(Sreport))),
        _ if is("exit", 1) || is("quit", 4) => Ok(Said::default()),
        _ if is("time", 1) && rest.is_empty() => Ok(too_few()),
        _ => Ok(Said::error(format!("invalid keyword: {keyword}"))),
    }
}

fn make(
    options: &Options,
    means: Means,
    words: &[String],
    load: impl FnOnce(Window) -> Result<(Vec<Job>, Cluster), AskError>,
) -> Result<Said, AskError> {
    let resources = usage::resources(options.get("tres"));
    if resources.is_empty() {
        return Ok(Said::error("sreport: fatal: No valid TRES given"));
    }
    let conditions = Conditions::read(words, means, crate::host::clock::local());
    let mut said = Said { err: conditions.complaints.clone(), exit: conditions.exit, ..Said::default() };
    let format = match options.get("time").map(|word| (word, TimeFormat::parse(word))) {
        None => TimeFormat::default(),
        Some((_, Some(format))) => format,
        Some((word, None)) => {
            said.err.insert(0, format!("unknown time format {word}"));
            TimeFormat::default()
        }
    };
    let (mut jobs, cluster) = load(conditions.window)?;
    let clusters = options.get("cluster").into_iter().flat_map(|list| list.split(','));
    let here = clusters.chain(conditions.clusters.iter().map(String::as_str)).collect::<Vec<_>>();
    if !here.is_empty() && !here.contains(&cluster.name.as_str()) {
        jobs.clear();
    }
    let context = Context {
        cluster: &cluster.name,
        partitions: &cluster.partitions,
        clock: Clock::new(local, None, cluster.now),
        bitstr_len: BITSTR_LEN,
        noconvert: false,
        expand: false,
    };
    let page = Page {
        jobs: &jobs,
        cluster: &cluster,
        context: &context,
        conditions: &conditions,
        format,
        resources: &resources,
        by_tres: options.is_set("tres"),
        head: !options.is_set("noheader"),
        layout: Layout::of(options, "|"),
    };
    said.out = match means {
        Means::Table(report) => {
            let columns = conditions.format.clone().unwrap_or_else(|| report.default_format(page.by_tres).to_owned());
            let (columns, unknown) = usage::columns(&columns);
            said.exit = said.exit.max(u8::from(!unknown.is_empty()));
            said.err.extend(unknown.iter().map(|name| format!(" Unknown field '{name}'")));
            page.table(report, &columns)
        }
        _ => page.sizes(),
    };
    Ok(said)
}

/// What a report is made of.
struct Page<'a> {
    jobs: &'a [Job],
    cluster: &'a Cluster,
    context: &'a Context<'a>,
    conditions: &'a Conditions,
    format: TimeFormat,
    resources: &'a [Resource],
    by_tres: bool,
    head: bool,
    layout: Layout,
}

impl Page<'_> {
    fn title(&self, title: &str, with_seconds: bool, what: &str) -> String {
        if !self.head {
            return String::new();
        }
        let window = self.conditions.window;
        let mut times = [String::new(), String::new()];
        self.context.clock.write(window.start, &mut times[0]);
        self.context.clock.write(window.end - 1, &mut times[1]);
        let seconds = if with_seconds { format!(" ({} secs)", window.seconds()) } else { String::new() };
        let line = "-".repeat(80);
        format!("{line}\n{title} {} - {}{seconds}\n{what}\n{line}\n", times[0], times[1])
    }

    fn table(&self, report: Report, columns: &[(&usage::Field, Option<i32>)]) -> String {
        let words = self.format.words();
        let what = match (self.format.is_share(), self.by_tres) {
            (true, _) => format!("Usage reported in {words}"),
            (false, true) => format!("Usage reported in TRES {words}"),
            (false, false) => format!("Usage reported in CPU {words}"),
        };
        let (title, seconds) = match report {
            Report::Utilization => ("Cluster Utilization".to_owned(), false),
            Report::AccountByUser => ("Cluster/Account/User Utilization".to_owned(), true),
            Report::UserByAccount => ("Cluster/User/Account Utilization".to_owned(), true),
            Report::TopUsage => (format!("Top {} Users", self.conditions.top), true),
        };
        let mut out = self.title(&title, seconds, &what);
        let count = |resource: &Resource| {
            let usage = Usage::count(self.jobs, self.cluster, self.context, self.conditions.window, *resource);
            (resource.name, usage)
        };
        let usage: Vec<_> = self.resources.iter().map(count).filter(|_| !self.jobs.is_empty()).collect();
        let lines = match report {
            Report::Utilization => self.utilization(&usage),
            _ => self.by_user(report, &usage),
        };
        let tree = self.conditions.tree && report == Report::AccountByUser;
        usage::print(columns, &lines, self.format, tree, self.head, &self.layout, &mut out);
        out
    }

    fn utilization(&self, usage: &[(&'static str, Usage)]) -> Vec<Line> {
        let there = |(_, usage): &&(&str, Usage)| usage.reported > 0 || self.by_tres;
        let line = |(resource, usage): &(&'static str, Usage)| Line {
            cluster: self.cluster.name.clone(),
            resource,
            count: usage.count,
            allocated: usage.allocated,
            idle: usage.reported - usage.allocated - usage.planned,
            planned: usage.planned,
            overcommitted: usage.overcommitted,
            reported: usage.reported,
            ..Line::default()
        };
        usage.iter().filter(there).map(line).collect()
    }

    /// Who had what: a line for each of the resources.
    fn by_user(&self, report: Report, usage: &[(&'static str, Usage)]) -> Vec<Line> {
        let wanted = |list: &[String], name: &str| list.is_empty() || list.iter().any(|one| one == name);
        let mut sums: BTreeMap<(String, String), Vec<u64>> = BTreeMap::new();
        for (at, (_, usage)) in usage.iter().enumerate() {
            for ((account, user), amount) in &usage.by_user {
                if !wanted(&self.conditions.accounts, account) || !wanted(&self.conditions.users, user) {
                    continue;
                }
                let mut add = |account: &str, user: &str| {
                    let key = (account.to_owned(), user.to_owned());
                    if let Some(sum) = sums.entry(key).or_insert_with(|| vec![0; self.resources.len()]).get_mut(at) {
                        *sum = sum.saturating_add(*amount);
                    }
                };
                add(account, user);
                if report == Report::AccountByUser {
                    add(account, "");
                    if account != ROOT {
                        add(ROOT, "");
                    }
                }
            }
        }
        let mut rows: Vec<((String, String), Vec<u64>)> = sums.into_iter().collect();
        match report {
            // The root first.
            Report::AccountByUser => rows.sort_by_key(|((account, _), _)| account != ROOT),
            _ => rows.sort_by_key(|(_, amounts)| Reverse(amounts.first().copied())),
        }
        if report == Report::TopUsage {
            rows.truncate(self.conditions.top);
        }
        let row = |((account, login), amounts): ((String, String), Vec<u64>)| {
            let depth = usize::from(account != ROOT) + usize::from(!login.is_empty());
            let blanks = if self.conditions.tree { depth } else { 0 };
            let proper = if login.is_empty() { String::new() } else { user::proper_name(&login) };
            let line = Line {
                cluster: self.cluster.name.clone(),
                account: format!("{}{account}", " ".repeat(blanks)),
                login,
                proper,
                ..Line::default()
            };
            let of = move |((resource, usage), allocated): (&(&'static str, Usage), u64)| Line {
                resource,
                count: usage.count,
                allocated,
                reported: usage.reported,
                ..line.clone()
            };
            usage.iter().zip(amounts).map(of).collect::<Vec<_>>()
        };
        rows.into_iter().flat_map(row).collect()
    }

    fn sizes(&self) -> String {
        let c = self.conditions;
        let wanted = |list: &[String], name: &str| list.is_empty() || list.iter().any(|one| one == name);
        let takes = |job: &&Job| {
            let request = &job.request;
            wanted(&c.users, &request.user.name)
                && wanted(&c.partitions, &job.partition)
                && wanted(&c.accounts, request.account.as_deref().unwrap_or_default())
        };
        let jobs: Vec<&Job> = self.jobs.iter().filter(takes).collect();
        let mut found: Vec<&str> = jobs.iter().filter_map(|job| job.request.account.as_deref()).collect();
        found.sort_unstable();
        found.dedup();
        let of = Sizes {
            groups: c.groups.clone(),
            accounts: (c.flat || !c.accounts.is_empty()).then_some(found),
            count_jobs: c.count_jobs,
            format: self.format,
            resource: self.resources.first().copied().unwrap_or(usage::CPU),
        };
        let what = match c.count_jobs {
            true => "Units are in number of jobs ran".to_owned(),
            false => format!("Time reported in {}", self.format.words()),
        };
        let mut out = self.title("Job Sizes", true, &what);
        usage::sizes(&jobs, self.context, c.window, &of, self.head, &self.layout, &mut out);
        out
    }
}
