//! From options to a request. Values were checked when they were parsed; what is checked here
//! is what one option says with another, in Slurm's words.

mod together;

use super::{Distribution, Exclusive, ExportEnv, Limit, Memory, OpenMode, Request, Requeue, TasksPer, User};
use crate::slurm::{
    array::ArraySpec,
    begin,
    count::{NodeCount, parse_count},
    dependency::DependencyList,
    errno::Errno,
    gres::{Gres, GresList},
    hostlist,
    memory::parse_mem,
    options::{Command, Options, Refusal},
};
use std::str::FromStr;

/// What is known of who asks, and from where.
#[derive(Clone, Debug)]
pub struct Submitter {
    /// Who.
    pub user: User,
    /// Working directory, absolute.
    pub directory: String,
    /// Host name.
    pub host: String,
    /// umask.
    pub umask: u32,
    /// Soft resource limits.
    pub rlimits: Vec<(Limit, u64)>,
    /// The whole command line.
    pub command_line: String,
    /// The time, with the zone that times of day are in.
    pub now: chrono::DateTime<chrono::Local>,
}

/// Reads a value that its option's check has let pass; a check that was too lax is a refusal, not a panic.
struct Reader<'a> {
    command: Command,
    options: &'a Options,
}

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<String> {
        self.options.get(name).map(str::to_owned)
    }

    fn parse<T: FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        self.with(name, |text| text.parse().ok())
    }

    fn count(&self, name: &str) -> Result<Option<u32>, Refusal> {
        self.with(name, |text| parse_count(text).ok())
    }

    fn with<T>(&self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Refusal> {
        let Some(text) = self.options.get(name) else { return Ok(None) };
        let refusal = || Refusal::error(self.command, 255, format!("Invalid --{name} specification"));
        parse(text).map(Some).ok_or_else(refusal)
    }

    fn dependency(&self) -> Result<Option<DependencyList>, Refusal> {
        let refusal = |_| together::by_controller(self.command, self.options, Errno::Dependency);
        self.options.get("dependency").map(str::parse).transpose().map_err(refusal)
    }

    fn gres(&self, name: &str, parse: fn(&str) -> Option<GresList>) -> Result<Vec<Gres>, Refusal> {
        let Some(text) = self.options.get(name).filter(|t| !t.is_empty()) else { return Ok(Vec::new()) };
        let refusal = || Refusal::error(self.command, 1, Errno::InvalidGres.to_string());
        parse(text).map(|list| list.0).ok_or_else(refusal)
    }

    fn hosts(&self, name: &str) -> Result<Vec<String>, Refusal> {
        let hosts = self.with(name, |text| hostlist::expand(text).ok())?.unwrap_or_default();
        let mut seen = std::collections::HashSet::new();
        Ok(hosts.into_iter().filter(|host| seen.insert(host.clone())).collect())
    }
}

/// The request of sbatch, salloc or srun. The job's name and command are the caller's to set where no option does.
///
/// # Errors
/// Slurm's refusal of what does not go together.
pub fn resolve(command: Command, options: &Options, who: Submitter) -> Result<Request, Refusal> {
    let read = Reader { command, options };
    let mut nodelist = match node_file(command, options)? {
        Some(nodes) => nodes,
        None => read.hosts("nodelist")?,
    };
    let mut nodes: Option<NodeCount> = read.parse("nodes")?;
    let ntasks = read.count("ntasks")?;
    if let Some(tasks) = ntasks {
        nodes = nodes.map(|nodes| nodes.for_tasks(tasks));
        nodelist.truncate(tasks as usize);
    }
    if let Some(most) = nodes.map(NodeCount::most).filter(|most| (*most as usize) < nodelist.len()) {
        let message = format!("invalid number of nodes (-N {}-{most})", nodelist.len());
        return Err(Refusal::error(command, 1, message));
    }
    let distribution_text = read.text("distribution");
    let distribution = distribution_text.as_deref().map(distribution).unwrap_or_default();
    let memory = match (
        read.with("mem", |t| parse_mem(t).ok())?,
        read.with("mem-per-cpu", |t| parse_mem(t).ok())?,
        read.with("mem-per-gpu", |t| parse_mem(t).ok())?,
    ) {
        (Some(m), ..) => Some(Memory::PerNode(m.0)),
        (_, Some(m), _) => Some(Memory::PerCpu(m.0)),
        (.., Some(m)) => Some(Memory::PerGpu(m.0)),
        _ => None,
    };
    let gpus = |text: &str| GresList::parse_gpus(text).ok();
    let gres = read.gres("gres", |text| GresList::parse(text).ok())?;
    if let Some(unknown) = gres.iter().find(|g| g.name.is_empty()) {
        return Err(Refusal::error(command, 1, format!("{}: {}", Errno::InvalidGres, unknown.name)));
    }
    let export = match options.get("export") {
        Some(text) => ExportEnv::Given(text.to_owned()),
        None => ExportEnv::Unset,
    };
    let directory = match options.get("chdir") {
        Some(dir) => absolute(&who.directory, dir),
        None => who.directory.clone(),
    };
    let constraint = read.text("constraint").filter(|c| !c.is_empty());
    let request = Request {
        kind: super::Kind::Batch,
        name: read.text("job-name").unwrap_or_default(),
        user: who.user,
        account: read.text("account").filter(|a| !a.is_empty()),
        qos: read.text("qos").filter(|q| !q.is_empty()),
        wckey: read.text("wckey"),
        partitions: list(options.get("partition")),
        nodes,
        ntasks,
        tasks_per: TasksPer {
            node: read.count("ntasks-per-node")?,
            gpu: read.count("ntasks-per-gpu")?,
            socket: read.count("ntasks-per-socket")?,
            core: read.count("ntasks-per-core")?,
        },
        cpus_per_task: read.count("cpus-per-task")?,
        cpus_per_gpu: read.count("cpus-per-gpu")?,
        min_cpus: read.count("mincpus")?,
        memory,
        tmp: read.with("tmp", |t| parse_mem(t).ok())?.map(|m| m.0),
        gres,
        gpus: read.gres("gpus", gpus)?,
        gpus_per_node: read.gres("gpus-per-node", gpus)?,
        gpus_per_task: read.gres("gpus-per-task", gpus)?,
        gpus_per_socket: read.gres("gpus-per-socket", gpus)?,
        gpu_bind: read.text("gpu-bind"),
        exclusive: match options.get("exclusive") {
            Some("user") => Exclusive::User,
            Some("mcs" | "topo") => Exclusive::Other,
            _ if options.is_set("exclusive") => Exclusive::Node,
            _ if options.is_set("oversubscribe") => Exclusive::Oversubscribe,
            _ => Exclusive::No,
        },
        overcommit: options.is_set("overcommit"),
        contiguous: options.is_set("contiguous"),
        // An empty name is none (reservations.txt).
        reservation: read.text("reservation").filter(|name| !name.is_empty()),
        spread_job: options.is_set("spread-job"),
        use_min_nodes: options.is_set("use-min-nodes"),
        constraint,
        nodelist,
        exclude: read.hosts("exclude")?,
        distribution,
        distribution_text,
        hint: read.text("hint"),
        threads_per_core: read.count("threads-per-core")?,
        profile: options.get("profile").map(capitalised),
        time: read.parse("time")?,
        time_min: read.parse("time-min")?,
        begin: read.with("begin", |text| begin::parse(text, who.now).ok())?,
        deadline: read.with("deadline", |text| begin::parse(text, who.now).ok())?,
        dependency: read.dependency()?,
        dependency_text: read.text("dependency"),
        hold: options.is_set("hold"),
        // `--nice` alone is 100; a word that is no number counts as 0 (sbatch.txt).
        nice: match options.get("nice") {
            Some(text) => leading_number(text),
            None if options.is_set("nice") => 100,
            None => 0,
        },
        priority: options.get("priority").and_then(|text| match text {
            "TOP" | "top" => Some(u32::MAX - 1),
            number => number.parse().ok(),
        }),
        requeue: match (options.is_set("requeue"), options.is_set("no-requeue")) {
            (_, true) => Requeue::No,
            (true, _) => Requeue::Yes,
            _ => Requeue::Default,
        },
        signal: read.parse("signal")?,
        comment: read.text("comment"),
        work_dir: directory,
        submit_dir: who.directory,
        submit_host: who.host,
        command: None,
        submit_line: who.command_line,
        args: Vec::new(),
        output: read.text("output"),
        error: read.text("error"),
        input: read.text("input"),
        open_mode: read.text("open-mode").and_then(|mode| match mode.get(..1) {
            Some("a" | "A") => Some(OpenMode::Append),
            Some("t" | "T") => Some(OpenMode::Truncate),
            _ => None,
        }),
        export,
        get_user_env: options.is_set("get-user-env"),
        umask: who.umask,
        rlimits: propagated(options.get("propagate"), who.rlimits),
        container_image: read.text("container-image"),
        mail_type: read.text("mail-type"),
        mail_user: read.text("mail-user"),
        licenses: read.text("licenses").filter(|list| !list.is_empty()),
        extra: read.text("extra"),
        wait_all_nodes: options.get("wait-all-nodes") == Some("1"),
        kill_on_invalid_dep: options.get("kill-on-invalid-dep").map(|v| v.eq_ignore_ascii_case("yes")),
        no_kill: options.is_set("no-kill"),
        default_account: false,
        default_qos: false,
    };
    together::check(command, options, &request)?;
    Ok(request)
}

/// `--array`; `None` where it is not given, or empty.
///
/// # Errors
/// As the controller refuses it.
pub fn array(options: &Options) -> Result<Option<ArraySpec>, Errno> {
    match options.get("array").filter(|text| !text.is_empty()) {
        // How large an array may be is the controller's to say.
        Some(text) => ArraySpec::parse(text, u32::MAX).map(Some).map_err(|_| Errno::InvalidArray),
        None => Ok(None),
    }
}

/// The nodes that `--nodefile` names: hostlists, on lines or between commas and blanks.
///
/// # Errors
/// The command's own words where it cannot be read.
pub fn node_file(command: Command, options: &Options) -> Result<Option<Vec<String>>, Refusal> {
    let Some(file) = options.get("nodefile") else { return Ok(None) };
    let wrong = |said: &str, of_nodes: bool| match command {
        Command::Srun => {
            Refusal::error(command, 255, format!("slurm_allocate_resources error opening file {file}, {said}"))
                .and_error(command, "Invalid --nodefile node file")
        }
        _ if of_nodes => Refusal::error(command, 1, Errno::InvalidNodeName.to_string()),
        _ => Refusal::error(command, 1, format!("Unable to open {file}: {said}")),
    };
    let text = std::fs::read_to_string(file).map_err(|error| {
        let said = error.to_string();
        wrong(said.split(" (os error ").next().unwrap_or(&said), false)
    })?;
    let joined = text.split_whitespace().collect::<Vec<_>>().join(",");
    hostlist::expand(&joined).map(Some).map_err(|_| wrong("Invalid argument", true))
}

fn list(text: Option<&str>) -> Vec<String> {
    text.into_iter().flat_map(|t| t.split(',')).filter(|p| !p.is_empty()).map(str::to_owned).collect()
}

/// `-m block:cyclic` and its kin: the first part says how tasks go to nodes.
fn distribution(text: &str) -> Distribution {
    let first = text.split([':', ',']).next().unwrap_or_default();
    match first.split_once('=') {
        Some(("plane", size)) => Distribution::Plane(size.parse().unwrap_or(1)),
        _ => match first {
            "block" => Distribution::Block,
            "cyclic" => Distribution::Cyclic,
            "plane" => Distribution::Plane(1),
            "arbitrary" => Distribution::Arbitrary,
            _ => Distribution::Unset,
        },
    }
}

/// The number a text begins with, as strtol(3) has it; else 0.
fn leading_number(text: &str) -> i32 {
    let text = text.trim_start();
    let end = text
        .char_indices()
        .find(|(i, c)| !(c.is_ascii_digit() || *i == 0 && matches!(c, '-' | '+')))
        .map_or(text.len(), |(i, _)| i);
    text[..end].parse().unwrap_or(0)
}

/// `none` as Slurm hands it on: `None`.
fn capitalised(words: &str) -> String {
    let word = |word: &str| word.get(..1).unwrap_or_default().to_uppercase() + word.get(1..).unwrap_or_default();
    words.split(',').map(word).collect::<Vec<_>>().join(",")
}

/// A directory as seen from another.
fn absolute(from: &str, dir: &str) -> String {
    match dir.starts_with('/') {
        true => dir.to_owned(),
        false => format!("{}/{dir}", from.trim_end_matches('/')),
    }
}

/// The limits of `--propagate`: all (the default), none, or those it names.
pub fn propagated(list: Option<&str>, limits: Vec<(Limit, u64)>) -> Vec<(Limit, u64)> {
    match list.map(str::to_ascii_uppercase) {
        None => limits,
        Some(all) if all == "ALL" || all.is_empty() => limits,
        Some(none) if none == "NONE" => Vec::new(),
        Some(names) => {
            let wanted = |limit: Limit| names.split(',').any(|n| n.trim_start_matches("RLIMIT_") == limit.name());
            limits.into_iter().filter(|(limit, _)| wanted(*limit)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_far_as_they_go() {
        assert_eq!(
            (leading_number("10"), leading_number("-5x"), leading_number("abc"), leading_number("")),
            (10, -5, 0, 0)
        );
    }

    #[test]
    fn the_first_part_of_a_distribution_counts() {
        assert_eq!(distribution("cyclic:block"), Distribution::Cyclic);
        assert_eq!(distribution("plane=4"), Distribution::Plane(4));
        assert_eq!(distribution("*:cyclic"), Distribution::Unset);
    }

    #[test]
    fn limits_are_chosen_by_name() {
        let limits = vec![(Limit::Nofile, 5), (Limit::Core, 0)];
        assert_eq!(propagated(Some("NOFILE"), limits.clone()), [(Limit::Nofile, 5)]);
        assert_eq!(propagated(Some("NONE"), limits.clone()), []);
        assert_eq!(propagated(None, limits.clone()), limits);
    }
}
