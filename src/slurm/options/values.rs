//! The options that are set, and by whom.

use super::{Class, Command, Place, Row, place, table};
use crate::slurm::{
    count::{NodeCount, parse_count},
    hostlist,
    time::TimeLimit,
};

/// Who set an option. A later one overrides an earlier one (sbatch(1), INPUT ENVIRONMENT VARIABLES).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A `#SBATCH`, `#PBS` or `#BSUB` line.
    Directive,
    /// An input variable such as `SBATCH_TIMELIMIT`.
    Environment,
    /// The command line.
    CommandLine,
}

/// One time an option was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Which option.
    pub row: &'static Row,
    /// Its argument; `None` for a flag and for an optional argument left out.
    pub value: Option<String>,
    /// Who set it.
    pub source: Source,
    /// The variable it came from.
    pub variable: Option<&'static str>,
    /// False for a variable that takes a flag back (`SBATCH_REQUEUE=no`).
    pub on: bool,
}

/// Every option that was given, each with all its occurrences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    command: Command,
    settings: Vec<Setting>,
    notes: Vec<String>,
}

impl Options {
    /// None set yet.
    pub fn new(command: Command) -> Options {
        Options { command, settings: Vec::new(), notes: Vec::new() }
    }

    /// The command they were given to.
    pub fn command(&self) -> Command {
        self.command
    }

    /// The argument of the option that counts: the last one of the highest source.
    /// `None` when it is not set, and when it is set without an argument.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.setting(name)?.value.as_deref()
    }

    /// Whether it is set, with or without an argument.
    pub fn is_set(&self, name: &str) -> bool {
        self.setting(name).is_some()
    }

    /// How often it was given: `-vv` is 2.
    pub fn count(&self, name: &str) -> usize {
        self.of_top_source(name).count()
    }

    /// All arguments of the highest source that set it, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.of_top_source(name).filter_map(|s| s.value.as_deref())
    }

    /// Who set the one that counts.
    pub fn source(&self, name: &str) -> Option<Source> {
        self.setting(name).map(|s| s.source)
    }

    /// The options that count, one each, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = &Setting> + '_ {
        table::rows(self.command).filter_map(|row| self.setting(row.name))
    }

    /// Every occurrence, in the order they were read.
    pub fn occurrences(&self) -> impl Iterator<Item = &Setting> + '_ {
        self.settings.iter()
    }

    /// `--verbose` of sbatch and srun: complete lines for stderr that tell what was asked for. Empty without it.
    pub fn defined(&self) -> Vec<String> {
        let verbose = self.count("verbose");
        if verbose == 0 {
            return Vec::new();
        }
        let value = |setting: &Setting| match (setting.row.name, setting.value.as_deref()) {
            ("verbose", _) => verbose.to_string(),
            ("time" | "time-min", Some(text)) => {
                text.parse::<TimeLimit>().map_or_else(|_| text.to_owned(), |limit| limit.scontrol())
            }
            (_, Some(text)) => text.to_owned(),
            (_, None) => "set".to_owned(),
        };
        let rule = "-------------------- --------------------".to_owned();
        let given = self.iter().map(|setting| format!("{:<20}: {}", setting.row.name, value(setting)));
        let mut given: Vec<String> = given.collect();
        given.sort();
        let head = ["defined options".to_owned(), rule.clone()];
        let all = head.into_iter().chain(given).chain([rule, "end of defined options".to_owned()]);
        all.map(|line| format!("{}: {line}", self.command.name())).collect()
    }

    /// Complete lines for stderr about options that are taken in a place, but do not do all they say there.
    pub fn warnings(&self, place: Place) -> Vec<String> {
        let mut lines = self.notes.clone();
        lines.extend(self.fewer_nodes());
        lines.extend(self.specialized());
        for setting in self.iter() {
            // srun's input variables are what the job's own environment carries: nobody asked.
            if setting.source == Source::Environment && self.command == Command::Srun {
                continue;
            }
            // `--mpi=none`, `--mail-type=NONE`: nothing was asked for.
            if setting.value.as_deref().is_some_and(|v| v.eq_ignore_ascii_case("none")) {
                continue;
            }
            if let Some(Class::Approximated(how)) =
                place.class_of(self.command, setting).filter(|_| place.warns(setting))
            {
                let option = setting.row.display_name();
                lines.push(format!("{}: warning: {option}: {how}", self.command.name()));
            }
        }
        lines
    }

    /// The warnings of all components of a job, each once.
    pub fn warnings_of<'a>(components: impl Iterator<Item = &'a Options>, place: Place) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for line in components.flat_map(|options| options.warnings(place)) {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines
    }

    /// What is said of cores for the system where the configuration lets nobody choose them, as here (random.txt). Both are
    /// refused together.
    fn specialized(&self) -> impl Iterator<Item = String> {
        let given = [("core-spec", "-S"), ("thread-spec", "--thread-spec")].into_iter();
        let both = given.clone().all(|(name, _)| self.is_set(name));
        let given = given.filter(move |(name, _)| !both && self.is_set(name));
        given.map(|(_, shown)| {
            let why = "since it's not allowed by configuration (AllowSpecResourcesUsage = No)";
            format!("{}: error: Ignoring {shown} {why}", self.command.name())
        })
    }

    /// What sbatch and salloc say when there are more nodes than tasks (nodes.txt).
    fn fewer_nodes(&self) -> Option<String> {
        // Of the two only sbatch is quiet when told to be.
        match self.command {
            Command::Sbatch if !self.is_set("quiet") => {}
            Command::Salloc => {}
            _ => return None,
        }
        let tasks = parse_count(self.get("ntasks")?).ok()?;
        let least = self.get("nodes").and_then(|text| text.parse::<NodeCount>().ok()).map_or(0, |nodes| nodes.min);
        let listed = self.get("nodelist").and_then(|text| hostlist::expand(text).ok()).map_or(0, |names| names.len());
        NodeCount::too_few_tasks(self.command.name(), least.max(listed as u32), tasks)
    }

    /// The warnings of what belongs to the allocation that srun makes.
    pub fn warnings_of_allocation(&self, place: Place) -> Vec<String> {
        let is_of_it = |setting: &&Setting| {
            place::class_of_allocation(place, setting.row) != Place::Here.class(self.command, setting.row)
        };
        let is_met = |setting: &Setting| place.class_of(Command::Sbatch, setting) == Some(Class::Honoured);
        let line = |setting: &Setting| match place::class_of_allocation(place, setting.row) {
            Some(Class::Approximated(how)) if place.warns(setting) && !is_met(setting) => {
                Some(format!("{}: warning: {}: {how}", self.command.name(), setting.row.display_name()))
            }
            _ => None,
        };
        self.iter().filter(is_of_it).filter_map(line).collect()
    }

    pub(super) fn push(&mut self, setting: Setting) {
        self.settings.push(setting);
    }

    pub(super) fn note(&mut self, line: String) {
        self.notes.push(line);
    }

    /// Whether the option was given by a directive or on the command line, as
    /// Slurm asks when two options exclude each other.
    pub(super) fn set_by_hand(&self, name: &str) -> bool {
        self.source(name).is_some_and(|s| s != Source::Environment)
    }

    /// Forgets an option that another one displaces.
    pub(super) fn forget(&mut self, name: &str) {
        self.settings.retain(|s| s.row.name != name);
    }

    fn setting(&self, name: &str) -> Option<&Setting> {
        let mut best: Option<&Setting> = None;
        for setting in self.settings.iter().filter(|s| s.row.name == name) {
            if best.is_none_or(|b| setting.source >= b.source) {
                best = Some(setting);
            }
        }
        best.filter(|s| s.on)
    }

    fn of_top_source<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Setting> + 'a {
        let top = self.source(name);
        self.settings.iter().filter(move |s| s.row.name == name && s.on && Some(s.source) == top)
    }
}
