//! sinfo: partitions and nodes.

use crate::{
    commands::{
        dump::{self, Dump},
        terminal::{eprint, print, refuse},
    },
    controller::{
        api::{Call, Cluster, Filter, Reply},
        client::{Client, ClientError},
    },
    job::Job,
    report::{
        clock::{self, Clock, Zone},
        dump::{SinfoRow, SinfoRows},
        field::Layout,
        node_fields::Nodes,
        node_groups::{Context, Grouping, NodeRow, used_gres},
        node_state::{VALID, Wanted},
        sort,
    },
    slurm::{
        errno::Errno,
        hostlist,
        options::{self, Command, Options, Parsed, Place, Refusal, Source},
        state::JobState,
    },
};
use std::ffi::OsString;

/// Least width of the partition and node name columns of the default formats.
const NAME_WIDTH: usize = 9;

/// Runs sinfo; the exit code.
pub fn run(args: Vec<OsString>) -> u8 {
    let env = |name: &str| std::env::var(name).ok();
    let parsed = match options::parse(Command::Sinfo, &args, &env) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal),
    };
    if let Some(text) = super::asked_for(&parsed, Command::Sinfo) {
        return print(&text);
    }
    parsed.options.warnings(Place::Here).iter().for_each(|line| eprint(line));
    let query = match Query::new(&parsed, &env) {
        Ok(query) => query,
        Err(refusal) => return refuse(&refusal),
    };
    let dump = match dump::read(&parsed.options, Command::Sinfo, &args) {
        Ok(dump) => dump,
        Err(stop) => return stop.say(),
    };
    query.complaints().iter().for_each(|line| eprint(line));
    let mut client = match Client::connect() {
        Ok(client) => client,
        Err(error) => return unreachable(&error),
    };
    super::iterate(query.iterate, || once(&mut client, &query, dump.as_ref()))
}

/// Asks once and prints.
fn once(client: &mut Client, query: &Query, dump: Option<&Dump>) -> u8 {
    let cluster = match client.ask(&Call::Cluster) {
        Ok(Reply::Cluster(cluster)) => *cluster,
        Ok(Reply::Refused { errno, .. }) => return failed(errno),
        Ok(_) => return failed(Errno::ConnectFailure),
        Err(error) => return unreachable(&error),
    };
    let jobs = if dump.is_some() || query.needs_jobs() {
        let running = Filter { states: vec![JobState::Running, JobState::Suspended], ..Filter::default() };
        match client.ask(&Call::Jobs(running)) {
            Ok(Reply::Jobs(jobs)) => jobs.into_jobs(),
            Ok(_) => return failed(Errno::ConnectFailure),
            Err(error) => return unreachable(&error),
        }
    } else {
        Vec::new()
    };
    let now = crate::host::clock::now();
    let answer = match dump {
        Some(dump) => query.dump(&cluster, &jobs, now, dump),
        None => query.render(&cluster, &jobs, now, clock::local).map(|text| print(&text)),
    };
    match answer {
        Ok(code) => code,
        Err(refusal) => refuse(&refusal),
    }
}

/// The words of sinfo when the controller cannot be asked (sbatch.txt).
fn failed(errno: Errno) -> u8 {
    refuse(&Refusal { lines: vec![format!("slurm_load_partitions: {errno}")], exit: 1 })
}

fn unreachable(error: &ClientError) -> u8 {
    eprint(&format!("sinfo: error: {error}"));
    if matches!(error, ClientError::Elsewhere) {
        return 1;
    }
    failed(Errno::ConnectFailure)
}

/// What a sinfo command line asks for.
pub struct Query {
    format: Format,
    each: bool,
    reasons: bool,
    exact: bool,
    responding: bool,
    dead: bool,
    header: bool,
    date: bool,
    noconvert: bool,
    reservations: bool,
    partitions: Option<String>,
    nodes: Option<Vec<String>>,
    states: Option<Wanted>,
    sort: Option<String>,
    clusters: Option<String>,
    iterate: Option<u64>,
    time_format: Option<String>,
}

/// Where the columns come from.
enum Format {
    /// `-o`
    Short(String),
    /// `-O`
    Long(String),
    /// A default; it depends on the names to be printed.
    Default { summary: bool, long: bool },
}

fn error(message: impl AsRef<str>) -> Refusal {
    Refusal::error(Command::Sinfo, 1, message)
}

impl Query {
    /// Reads the options. Words that are no options are passed over, as in Slurm.
    pub fn new(parsed: &Parsed, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Refusal> {
        let options = &parsed.options;
        let set = |name| options.is_set(name);
        let iterate = options.get("iterate").map(super::seconds);
        if iterate == Some(None) {
            let given = options.get("iterate").unwrap_or_default();
            return Err(error(format!("Error: invalid entry for --iterate={given}")));
        }
        let states = match options.get("states") {
            Some(text) => Some(Wanted::parse(text).map_err(|word| {
                error(format!("Bad state string: \"{word}\""))
                    .and_error(Command::Sinfo, format!("valid states: {VALID}"))
            })?),
            None if set("list-reasons") => Wanted::parse("down,fail,drain").ok(),
            None => None,
        };
        if options.source("all") == Some(Source::CommandLine)
            && options.source("partition") == Some(Source::CommandLine)
        {
            return Err(error("Conflicting options, -a and -p, specified. Please choose one or the other."));
        }
        let nodes = match options.get("nodes") {
            Some(text) => {
                Some(hostlist::expand(text).map_err(|_| error(format!("'{text}' invalid entry for --nodes")))?)
            }
            None => None,
        };
        Ok(Self {
            format: format(options)?,
            each: set("Node"),
            reasons: set("list-reasons"),
            exact: set("exact"),
            responding: set("responding"),
            dead: set("dead"),
            header: !set("noheader"),
            date: !set("noheader") && (set("long") || set("iterate")),
            noconvert: set("noconvert"),
            reservations: set("reservation"),
            partitions: options
                .get("partition")
                .filter(|_| options.source("all") != Some(Source::CommandLine))
                .map(str::to_owned),
            nodes,
            states,
            sort: options.get("sort").map(str::to_owned),
            clusters: options.get("clusters").map(str::to_owned),
            iterate: iterate.flatten(),
            time_format: env("SLURM_TIME_FORMAT"),
        })
    }

    /// Lines for stderr about letters and names that are no fields.
    pub fn complaints(&self) -> Vec<String> {
        let unknown =
            |layout: Layout<Nodes>, words: &str| layout.unknown.iter().map(|key| format!("{words}: {key}")).collect();
        match &self.format {
            Format::Short(text) => unknown(Layout::short(text, " |"), "Invalid node format specification"),
            Format::Long(text) => unknown(long_layout(text), "sinfo: error: Invalid job format specification"),
            Format::Default { .. } => Vec::new(),
        }
    }

    /// Whether the output tells which GPUs are in use, which the jobs know.
    fn needs_jobs(&self) -> bool {
        match &self.format {
            Format::Long(text) => text.to_ascii_lowercase().contains("gresused"),
            _ => false,
        }
    }

    fn context<'a>(&self, jobs: &'a [Job], now: i64, zone: Zone) -> Context<'a> {
        Context {
            clock: Clock::new(zone, self.time_format.as_deref(), now),
            used: used_gres(jobs),
            version: options::version().trim_start_matches("slurm "),
            noconvert: self.noconvert,
        }
    }

    /// The groups of nodes that lines of this layout would show.
    fn rows<'a>(&self, cluster: &'a Cluster, layout: &Layout<Nodes>, context: &'a Context<'a>) -> Vec<NodeRow<'a>> {
        let by_partition = layout.columns.iter().filter_map(|c| c.field).any(|f| matches!(f.letter, Some('P' | 'R')));
        let grouping = Grouping {
            partitions: self.partitions.as_deref().map(|text| text.split(',').collect()),
            nodes: self.nodes.clone(),
            states: self.states.clone(),
            responding: self.responding,
            dead: self.dead,
            exact: self.exact,
            each: self.each,
            empty: by_partition && !self.reasons,
        };
        grouping.rows(&cluster.partitions, &cluster.nodes, &layout.columns, context)
    }

    /// The same in their order.
    fn sorted<'a>(&self, cluster: &'a Cluster, layout: &Layout<Nodes>, context: &'a Context<'a>) -> Vec<NodeRow<'a>> {
        let mut rows = self.rows(cluster, layout, context);
        let default = if self.each { "N" } else { "#P,-t" };
        sort::nodes(&mut rows, &sort::keys(self.sort.as_deref().unwrap_or(default)));
        rows
    }

    /// Prints the groups as records, in the order of the lines.
    fn dump(&self, cluster: &Cluster, jobs: &[Job], now: i64, dump: &Dump) -> Result<u8, Refusal> {
        super::check_cluster(Command::Sinfo, self.clusters.as_deref(), &cluster.name)?;
        let context = self.context(jobs, now, clock::local);
        let layout = self.layout(cluster);
        let shows = |letter| layout.columns.iter().filter_map(|c| c.field).any(|f| f.letter == Some(letter));
        let (named, hosts, addresses) = (self.clusters.is_some(), shows('n'), shows('o'));
        let rows = self.sorted(cluster, &layout, &context).into_iter();
        let rows: Vec<_> = rows.map(|group| SinfoRow { group, cluster, named, hosts, addresses }).collect();
        Ok(dump.print::<SinfoRows>("sinfo", &rows, &[], &cluster.name))
    }

    /// The whole output, from what the controller answered.
    pub fn render(&self, cluster: &Cluster, jobs: &[Job], now: i64, zone: Zone) -> Result<String, Refusal> {
        super::check_cluster(Command::Sinfo, self.clusters.as_deref(), &cluster.name)?;
        let context = self.context(jobs, now, zone);
        let mut out = String::new();
        if self.reservations {
            match &cluster.reservations[..] {
                [] => out.push_str("No reservations in the system\n"),
                all => {
                    let table = crate::report::show::reservations(all, &context.clock);
                    let (header, rows) = table.split_once('\n').unwrap_or_default();
                    out.push_str(if self.header { &table[..=header.len()] } else { "" });
                    out.push_str(rows);
                }
            }
            return Ok(out);
        }
        if self.date {
            out.push_str(&context.clock.ctime());
            out.push('\n');
        }
        if self.header && self.clusters.is_some() {
            out.push_str(&format!("CLUSTER: {}\n", cluster.name));
        }
        let layout = self.layout(cluster);
        let rows = self.sorted(cluster, &layout, &context);
        if self.header {
            layout.header(&mut out);
        }
        for row in &rows {
            layout.row(row, &mut out);
        }
        Ok(out)
    }

    fn layout(&self, cluster: &Cluster) -> Layout<Nodes> {
        match &self.format {
            Format::Short(text) => Layout::short(text, " |"),
            Format::Long(text) => long_layout(text),
            Format::Default { summary, long } => Layout::short(&self.default_format(*summary, *long, cluster), " |"),
        }
    }

    /// The default formats of sinfo(1); `#` there is a width that fits all names.
    fn default_format(&self, summary: bool, long: bool, cluster: &Cluster) -> String {
        let partition_width = |p: &crate::job::Partition| p.name.chars().count() + usize::from(p.default);
        let p = cluster.partitions.iter().map(partition_width).fold(NAME_WIDTH, usize::max);
        let n = cluster.nodes.iter().map(|n| n.name.chars().count()).fold(NAME_WIDTH, usize::max);
        match (summary, self.each, self.reasons, long) {
            (true, ..) => format!("%{p}P %.5a %.10l %.16F %N"),
            (_, true, _, true) => {
                format!("%{n}N %.6D %.{p}P %.11T %4c %.8z %.6m %.8d %.6w %.8f %20E")
            }
            (_, true, _, false) => format!("%{n}N %.6D %.{p}P %6t"),
            (_, _, true, true) => "%20E %12U %19H %6t %N".to_owned(),
            (_, _, true, false) => "%20E %9u %19H %N".to_owned(),
            (.., true) => format!("%{p}P %.5a %.10l %.10s %.4r %.8h %.10g %.6D %.11T %N"),
            (.., false) => format!("%{p}P %.5a %.10l %.6D %.6t %N"),
        }
    }
}

/// The format that counts: of `-o` and `-O` the last one; a variable only if nothing else asks for a default of its own.
fn format(options: &Options) -> Result<Format, Refusal> {
    let by_hand = options.occurrences().filter(|s| s.source == Source::CommandLine);
    let last = by_hand.filter(|s| matches!(s.row.name, "format" | "Format")).last();
    if let Some(setting) = last {
        let text = setting.value.clone().unwrap_or_default();
        if options.is_set("long") {
            return Err(super::common::format_and_long(Command::Sinfo));
        }
        return Ok(if setting.row.name == "Format" { Format::Long(text) } else { Format::Short(text) });
    }
    let summary = options.is_set("summarize");
    let own = summary || options.is_set("Node") || options.is_set("list-reasons");
    match (options.get("format"), options.get("Format")) {
        (Some(text), _) if !own => Ok(Format::Short(text.to_owned())),
        (None, Some(text)) if !own => Ok(Format::Long(text.to_owned())),
        _ => Ok(Format::Default { summary, long: options.is_set("long") }),
    }
}

/// A `-O` text, in which `All` stands for every letter.
fn long_layout(text: &str) -> Layout<Nodes> {
    if text.eq_ignore_ascii_case("all") { Layout::short("%all", " |") } else { Layout::long(text) }
}

#[cfg(test)]
#[path = "sinfo_tests.rs"]
mod tests;
