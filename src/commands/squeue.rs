//! squeue: the jobs and steps in the queue.

mod words;

use crate::{
    commands::{
        ask::{self, AskError},
        dump::{self, Dump},
        terminal::{eprint, print, refuse},
        who,
    },
    controller::{
        api::{Call, Cluster, Filter, Reply},
        client::{Client, ClientError},
    },
    job::{Depth, Job},
    report::{
        clock::{self, Clock, Zone},
        dump::{QueueJobs, StepRecords},
        field::Layout,
        job_fields::{BRIEF, Jobs},
        job_rows::{Selection, States},
        job_values::Context,
        sort,
        step_fields::Steps,
    },
    slurm::{
        array::{BITSTR_LEN, JobIdSpec},
        errno::Errno,
        options::{self, Command, Options, Parsed, Place, Refusal, Source},
        state::JobState,
    },
};
use std::ffi::OsString;

const DEFAULT: &str = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R";
const LONG: &str = "%.18i %.9P %.8j %.8u %.8T %.10M %.9l %.6D %R";
const START: &str = "%.18i %.9P %.8j %.8u %.2t %.19S %.6D %20Y %R";
const STEPS: &str = "%.15i %.8j %.9P %.8u %.9M %N";

/// Runs squeue; the exit code.
pub fn run(args: Vec<OsString>) -> u8 {
    let env = |name: &str| std::env::var(name).ok();
    let parsed = match options::parse(Command::Squeue, &args, &env) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal),
    };
    if let Some(text) = super::asked_for(&parsed, Command::Squeue) {
        return print(&text);
    }
    parsed.options.warnings(Place::Here).iter().for_each(|line| eprint(line));
    let users = Users { me: who::me(), by_name: who::by_name, by_uid: who::is_known };
    let dump = match dump::read(&parsed.options, Command::Squeue, &args) {
        Ok(dump) => dump,
        Err(stop) => return stop.say(),
    };
    let query = match Query::new(&parsed, &env, &users) {
        Ok(query) => query,
        Err(refusal) => return refuse(&refusal),
    };
    query.complaints.iter().for_each(|line| eprint(line));
    let mut client = match Client::connect() {
        Ok(client) => client,
        Err(error) => return query.unreachable(&error),
    };
    super::iterate(query.iterate, || once(&mut client, &query, dump.as_ref()))
}

/// Asks once and prints.
fn once(client: &mut Client, query: &Query, dump: Option<&Dump>) -> u8 {
    let filter = query.filter();
    let (cluster, found) = match client.ask_both(&Call::Cluster, &Call::Jobs(filter.clone())) {
        Ok((Reply::Cluster(cluster), found)) => (*cluster, found),
        Ok((Reply::Refused { errno, .. }, _)) => return query.failed(errno),
        Ok(_) => return query.failed(Errno::ConnectFailure),
        Err(error) => return query.unreachable(&error),
    };
    let jobs = |reply: Reply| match reply {
        Reply::Jobs(jobs) => Ok(jobs.into_jobs()),
        Reply::Refused { errno: Errno::InvalidJobId, .. } if !query.asks_for_one() => Ok(Vec::new()),
        Reply::Refused { errno, .. } => Err(query.failed(errno)),
        _ => Err(query.failed(Errno::ConnectFailure)),
    };
    let found = match jobs(found) {
        // Whether it is over, or there is none.
        Ok(found) if found.is_empty() && query.asks_for_one() => {
            match client.ask(&Call::Jobs(Filter { states: Vec::new(), ..filter })) {
                Ok(reply) => jobs(reply),
                Err(error) => return query.unreachable(&error),
            }
        }
        found => found,
    };
    let mut jobs = match found {
        Ok(jobs) => jobs,
        Err(code) => return code,
    };
    if dump.is_some() || query.tells_of_starts() {
        match ask::plan(client, &mut jobs) {
            Ok(()) => {}
            Err(AskError::Client(error)) => return query.unreachable(&error),
            Err(_) => return query.failed(Errno::ConnectFailure),
        }
    }
    let now = crate::host::clock::now();
    let answer = match dump {
        Some(dump) => query.dump(&jobs, &cluster, now, dump),
        None => query.render(&jobs, &cluster, now, clock::local).map(|(text, wrong)| {
            let code = print(&text);
            wrong.map_or(code, |refusal| refuse(&refusal))
        }),
    };
    match answer {
        Ok(code) => {
            ask::warn_of_age(Command::Squeue, &cluster, &jobs);
            code
        }
        Err(refusal) => refuse(&refusal),
    }
}

/// What must be known of this machine's users to read the options.
pub struct Users {
    /// Who runs the command.
    pub me: u32,
    /// The id of a user.
    pub by_name: fn(&str) -> Option<u32>,
    /// Whether there is a user with this id.
    pub by_uid: fn(u32) -> bool,
}

/// Jobs or steps, in which columns.
enum Table {
    Jobs(Layout<Jobs>),
    Steps(Layout<Steps>),
}

/// What a squeue command line asks for.
pub struct Query {
    table: Table,
    selection: Selection,
    /// The keys, or the letter that is none: that is told when the header stands.
    sort: Result<Vec<sort::Key>, char>,
    header: bool,
    date: bool,
    clusters: Option<String>,
    nodes: Option<String>,
    iterate: Option<u64>,
    bitstr_len: usize,
    time_format: Option<String>,
    noconvert: bool,
    expand: bool,
    verbose: bool,
    /// `--json`, `--yaml`
    dumps: bool,
    /// Lines for stderr about what could not be read and does not matter much.
    pub complaints: Vec<String>,
}

fn error(message: impl AsRef<str>) -> Refusal {
    Refusal::error(Command::Squeue, 1, message)
}

fn list(text: Option<&str>) -> Option<Vec<String>> {
    text.map(|text| text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect())
}

impl Query {
    /// Reads the options.
    pub fn new(parsed: &Parsed, env: &dyn Fn(&str) -> Option<String>, users: &Users) -> Result<Self, Refusal> {
        let options = &parsed.options;
        let mut complaints = Vec::new();
        let mut operands = parsed.operands.iter().map(|word| word.to_string_lossy().into_owned());
        let steps = options.is_set("steps");
        let start = options.is_set("start") && !steps;
        let mut jobs_text = options.get("jobs").map(str::to_owned);
        let mut steps_text = options.get("steps").map(str::to_owned);
        // `-j` and `-s` take their list as a word of its own, too.
        if options.is_set("jobs") && jobs_text.is_none() {
            jobs_text = operands.next();
        } else if steps && steps_text.is_none() && !options.is_set("jobs") {
            steps_text = operands.next();
        }
        if let Some(word) = operands.next() {
            let mut refusal = error(format!("Unrecognized option: {word}"));
            refusal.lines.extend(options::usage(Command::Squeue).lines().map(str::to_owned));
            return Err(refusal);
        }
        let iterate = options.get("iterate").map(super::seconds);
        if iterate == Some(None) {
            let mut refusal = error(format!("--iterate={}", options.get("iterate").unwrap_or_default()));
            refusal.lines.push(String::new());
            return Err(refusal);
        }
        let table = table(options, steps, start, &mut complaints)?;
        let sort = match options.get("sort") {
            Some(text) if steps => Ok(sort::keys(text)),
            Some(text) => sort::job_keys(text),
            None if steps => Ok(sort::keys("P,i")),
            None if start => Ok(sort::keys("S")),
            None => Ok(sort::keys("P,t,-p")),
        };
        let me = users.me;
        let unfold = options.is_set("array");
        // A user whom nobody knows is told of, whatever else is wrong; of that, a state is the first.
        let mut strangers = Vec::new();
        let users = match options.is_set("me") {
            true => Some(vec![users.me]),
            false => options.get("users").map(|text| words::uids(text, users, &mut strangers)),
        };
        let read = || -> Result<_, Refusal> {
            let states = options.get("states").map(words::states).transpose()?;
            let ids = jobs_text.as_deref().map(words::job_ids).transpose()?;
            Ok((states, ids, steps_text.as_deref().map(words::step_ids).transpose()?))
        };
        let (states, ids, steps_of) = read().map_err(|refusal| Refusal {
            lines: strangers.iter().chain(&refusal.lines).cloned().collect(),
            ..refusal
        })?;
        complaints.extend(strangers);
        let dumps = options.is_set("json") || options.is_set("yaml");
        let selection = Selection {
            ids,
            uids: users,
            not_uid: options.is_set("notme").then_some(me),
            names: list(options.get("name")),
            partitions: list(options.get("partitions")),
            accounts: list(options.get("accounts")),
            qos: list(options.get("qos")),
            nodes: None,
            states: match states {
                Some(states) => states,
                // Programs are told of all jobs, unless they choose.
                None if dumps => States::All,
                None if start => States::These(vec![JobState::Pending]),
                None => States::Active,
            },
            licenses: list(options.get("licenses")),
            reservations: list(options.get("reservation")),
            unfold,
            unique: options.is_set("array-unique"),
            by_partition: options.is_set("priority"),
            steps: steps_of,
        };
        let bitstr_len = env("SLURM_BITSTR_LEN").and_then(|text| text.trim().parse().ok()).unwrap_or(BITSTR_LEN);
        Ok(Self {
            table,
            selection,
            sort,
            header: !options.is_set("noheader"),
            date: !options.is_set("noheader") && ["long", "iterate", "verbose"].iter().any(|name| options.is_set(name)),
            clusters: options.get("clusters").map(str::to_owned),
            nodes: options.get("nodelist").map(str::to_owned),
            iterate: iterate.flatten(),
            bitstr_len: if unfold { 0 } else { bitstr_len },
            time_format: env("SLURM_TIME_FORMAT"),
            noconvert: options.is_set("noconvert"),
            expand: options.is_set("expand-patterns"),
            verbose: options.is_set("verbose"),
            dumps,
            complaints,
        })
    }

    /// Whether it shows, or sorts by, when jobs will start.
    fn tells_of_starts(&self) -> bool {
        const FIELDS: [&str; 3] = ["starttime", "endtime", "schednodes"];
        let shown = match &self.table {
            Table::Jobs(layout) => layout.shows(&FIELDS),
            Table::Steps(_) => false,
        };
        shown || self.sort.iter().flatten().any(|key| matches!(key.letter, 'S' | 'e'))
    }

    fn asks_for_one(&self) -> bool {
        matches!(self.selection.ids.as_deref(), Some([_]))
    }

    /// What to ask the controller for. What is left out here is left out again by the selection. Of a large array most
    /// elements may be over, and not shown.
    pub fn filter(&self) -> Filter {
        let selection = &self.selection;
        let states = match &selection.states {
            States::All => Vec::new(),
            // Steps run, whatever states of jobs are asked for.
            _ if matches!(self.table, Table::Steps(_)) => {
                JobState::all().filter(|state| !state.is_finished()).collect()
            }
            States::Active => JobState::all().filter(|state| !state.is_finished()).collect(),
            States::These(states) => states.clone(),
        };
        if let Some(ids) = selection.ids.as_ref().filter(|ids| !ids.is_empty()) {
            let ids = ids.iter().map(|id| JobIdSpec::job(id.job)).collect();
            return Filter { ids, states, depth: self.depth(), ..Filter::default() };
        }
        let uids = selection.uids.clone().unwrap_or_default();
        Filter { uids, states, depth: self.depth(), ..Filter::default() }
    }

    /// How much of the jobs is shown, sorted by, or chosen from.
    fn depth(&self) -> Depth {
        let is_brief = self.sort.as_ref().is_ok_and(|keys| sort::is_only_by(keys, BRIEF));
        let by_request = self.selection.licenses.is_some() || self.selection.reservations.is_some();
        match &self.table {
            _ if self.dumps => Depth::Whole,
            Table::Steps(_) => Depth::Whole,
            // How a script ended that was ended is told with its step.
            Table::Jobs(layout) if layout.shows(&["exit_code"]) => Depth::Whole,
            Table::Jobs(layout) if layout.shows_only(BRIEF) && is_brief && !by_request => Depth::Brief,
            Table::Jobs(_) => Depth::WithoutSteps,
        }
    }

    /// What is asked for, now that the cluster is known.
    fn selection(&self, jobs: &[Job], cluster: &Cluster) -> Result<Selection, Refusal> {
        if self.asks_for_one() && jobs.is_empty() {
            return Err(load_error(Errno::InvalidJobId));
        }
        super::check_cluster(Command::Squeue, self.clusters.as_deref(), &cluster.name)?;
        let mut selection = self.selection.clone();
        if let Some(text) = &self.nodes {
            selection.nodes = Some(words::node_names(text, cluster)?);
        }
        Ok(selection)
    }

    fn context<'a>(&self, cluster: &'a Cluster, now: i64, zone: Zone) -> Context<'a> {
        Context {
            cluster: &cluster.name,
            partitions: &cluster.partitions,
            clock: Clock::new(zone, self.time_format.as_deref(), now),
            bitstr_len: self.bitstr_len,
            noconvert: self.noconvert,
            expand: self.expand,
        }
    }

    /// Prints the records themselves; what is asked of lines (`-r`, `-P`, `-S`) makes no difference to them.
    fn dump(&self, jobs: &[Job], cluster: &Cluster, now: i64, dump: &Dump) -> Result<u8, Refusal> {
        let selection =
            Selection { unfold: false, unique: true, by_partition: false, ..self.selection(jobs, cluster)? };
        let context = Context { bitstr_len: 0, ..self.context(cluster, now, clock::local) };
        Ok(match &self.table {
            Table::Jobs(_) => {
                let rows = selection.rows(jobs, &context);
                let times = [("last_backfill", 0), ("last_update", cluster.now)];
                dump.print::<QueueJobs>("jobs", &rows, &times, &cluster.name)
            }
            Table::Steps(_) => {
                let rows = selection.step_rows(jobs, &context);
                dump.print::<StepRecords>("steps", &rows, &[("last_update", cluster.now)], &cluster.name)
            }
        })
    }

    /// The whole output, from what the controller answered; and what was wrong when the header stood already.
    pub fn render(
        &self,
        jobs: &[Job],
        cluster: &Cluster,
        now: i64,
        zone: Zone,
    ) -> Result<(String, Option<Refusal>), Refusal> {
        let selection = self.selection(jobs, cluster)?;
        let context = self.context(cluster, now, zone);
        let mut out = String::with_capacity(128 * (jobs.len() + 2));
        if self.date {
            out.push_str(&context.clock.ctime());
            out.push('\n');
        }
        if self.verbose {
            out.push_str(&format!("last_update_time={now} records={}\n", jobs.len()));
        }
        if self.header && self.clusters.is_some() {
            out.push_str(&format!("CLUSTER: {}\n", cluster.name));
        }
        let keys = match &self.sort {
            Ok(keys) => keys.as_slice(),
            Err(letter) => {
                if let Table::Jobs(layout) = &self.table {
                    write(layout, &[], self.header, &mut out);
                }
                return Ok((out, Some(error(format!("Invalid sort specification: {letter}")))));
            }
        };
        match &self.table {
            Table::Jobs(layout) => {
                let mut rows = selection.rows(jobs, &context);
                sort::jobs(&mut rows, keys);
                write(layout, &rows, self.header, &mut out);
            }
            Table::Steps(layout) => {
                let mut rows = selection.step_rows(jobs, &context);
                sort::steps(&mut rows, keys);
                write(layout, &rows, self.header, &mut out);
            }
        }
        Ok((out, None))
    }

    fn failed(&self, errno: Errno) -> u8 {
        refuse(&load_error(errno))
    }

    fn unreachable(&self, error: &ClientError) -> u8 {
        eprint(&format!("squeue: error: {error}"));
        if matches!(error, ClientError::Elsewhere) {
            return 1;
        }
        self.failed(Errno::ConnectFailure)
    }
}

fn write<K: crate::report::field::Kind>(layout: &Layout<K>, rows: &[K::Row<'_>], header: bool, out: &mut String) {
    if header {
        layout.header(out);
    }
    for row in rows {
        layout.row(row, out);
    }
}

/// squeue prints this without its own name (squeue.txt).
fn load_error(errno: Errno) -> Refusal {
    Refusal { lines: vec![format!("slurm_load_jobs error: {errno}")], exit: 1 }
}

/// The columns: `-o` or `-O`, the variables unless an option asks for another default, or the default.
fn table(options: &Options, steps: bool, start: bool, complaints: &mut Vec<String>) -> Result<Table, Refusal> {
    let long = options.is_set("long");
    let by_hand = |name| options.get(name).filter(|_| options.source(name) == Some(Source::CommandLine));
    let by_variable = |name| options.get(name).filter(|_| !(long || steps || options.is_set("start")));
    let (short, names) = match (by_hand("format"), by_hand("Format")) {
        (Some(_), Some(_)) => {
            return Err(error("-O (--Format) is incompatible with -o (--format)"));
        }
        (Some(_), None) if long => {
            return Err(super::common::format_and_long(Command::Squeue));
        }
        (None, None) => match by_variable("format") {
            Some(format) => (Some(format), None),
            None => (None, by_variable("Format")),
        },
        given => given,
    };
    Ok(if steps {
        let layout = match names {
            Some(names) => Layout::long(names),
            None => Layout::short(short.unwrap_or(STEPS), "|"),
        };
        let unknown = layout.unknown.iter();
        complaints.extend(unknown.map(|key| format!("squeue: error: Invalid job step format specification: {key}")));
        Table::Steps(layout)
    } else {
        let default = match (start, long) {
            (true, _) => START,
            (false, true) => LONG,
            (false, false) => DEFAULT,
        };
        let layout = match names {
            Some(names) => Layout::long(names),
            None => Layout::short(short.unwrap_or(default), "|"),
        };
        let unknown = layout.unknown.iter();
        complaints.extend(unknown.map(|key| format!("squeue: error: Invalid job format specification: {key}")));
        Table::Jobs(layout)
    })
}

#[cfg(test)]
#[path = "squeue_tests.rs"]
mod tests;
