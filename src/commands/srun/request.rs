//! From options to a step.

use super::{hooks::Hooks, mpi, multi_prog, setup, terminal};
use crate::{
    agent::step::{Binding, Bytes, Gpus, Ordering, Programs, Sink, Source, StepRequest, error_text},
    job::{
        env::{self, Environment},
        resolve,
    },
    slurm::{
        count::NodeCount,
        gres::GresList,
        hostlist,
        memory::parse_mem,
        options::{self, Command, Options, Refusal},
    },
};
use nix::sys::stat::{Mode, umask};
use std::{env as process, ffi::OsString, os::unix::ffi::OsStrExt, path::PathBuf};

/// What srun is to do.
pub(super) struct Plan {
    /// The step.
    pub request: StepRequest,
    /// Lines for stderr before it.
    pub warnings: Vec<String>,
    /// A file by pattern that srun itself writes stdout of all tasks to.
    pub output: Option<String>,
    /// The same for stderr; `None` and `error_is_output`: into that of stdout.
    pub error: Option<String>,
    /// stderr goes where stdout goes.
    pub error_is_output: bool,
    /// A file by pattern that srun itself reads for all tasks.
    pub input: Option<String>,
    /// Say nothing but errors.
    pub quiet: bool,
    /// Say more. `SRUN_DEBUG`, which every task has, asks for nothing.
    pub verbose: bool,
    /// Seconds the others have once the first task has ended.
    pub wait: Option<u64>,
    /// Seconds to wait for a place: `--immediate`.
    pub immediate: Option<u32>,
    /// The first ^C ends the step.
    pub quit_on_interrupt: bool,
    /// No status on ^C.
    pub disable_status: bool,
    /// `--prolog`, `--epilog`
    pub hooks: Hooks,
    /// `--bcast-exclude`
    pub bcast_exclude: Option<String>,
}

/// Works out what the options and the command line ask for.
///
/// # Errors
/// srun's own refusals; what only the allocation can tell is told by its agent.
pub(super) fn plan(options: &Options, operands: &[OsString], args: &[OsString]) -> Result<Plan, Refusal> {
    let error = |text: &str| Refusal::error(Command::Srun, 1, text);
    let Some(command) = operands.first() else {
        return Err(Refusal::fatal(Command::Srun, "No command given to execute."));
    };
    // Without one the job is yet to be made.
    let job = options.get("jobid").unwrap_or("0");
    let job = job.parse().map_err(|_| error(&format!("Invalid numeric value \"{job}\" for --jobid.")))?;
    let number = |name: &str| options.get(name).and_then(|text| text.parse::<u32>().ok());
    let typed = |name: &str| options.source(name) == Some(options::Source::CommandLine);
    let mut warnings = Vec::new();

    let tasks = number("ntasks");
    let mut nodes = options.get("nodes").and_then(|text| text.parse::<NodeCount>().ok());
    if let (Some(tasks), Some(asked)) = (tasks, nodes) {
        warnings.extend(NodeCount::too_few_tasks("srun", asked.min, tasks));
        nodes = Some(asked.for_tasks(tasks));
    }
    let nodes = nodes.map(|nodes| (nodes.min, nodes.most()));
    let tasks_per_node = number("ntasks-per-node");
    if let (Some(tasks), Some(each), Some((least, _))) = (tasks, tasks_per_node, nodes)
        && tasks > each
        && u64::from(tasks) != u64::from(each) * u64::from(least)
    {
        warnings.push(format!(
            "srun: Warning: can't honor --ntasks-per-node set to {each} which doesn't match the requested tasks {tasks} \
             with the number of requested nodes {least}. Ignoring --ntasks-per-node."
        ));
    }
    let hosts = |name: &str| match options.get(name) {
        Some(text) => hostlist::expand(text).map_err(|_| error(&format!("Invalid node list: {text}"))),
        None => Ok(Vec::new()),
    };
    let directory = match options.get("chdir") {
        Some(dir) => std::path::absolute(dir).unwrap_or_else(|_| PathBuf::from(dir)),
        None => process::current_dir().unwrap_or_else(|_| "/".into()),
    };
    // What is started for others to be started by leaves the resources to them.
    let beside = options.is_set("interactive");
    let mut request = StepRequest {
        job,
        name: match options.get("job-name").filter(|_| typed("job-name")) {
            Some(name) => name.to_owned(),
            None => PathBuf::from(command).file_name().unwrap_or_default().to_string_lossy().into_owned(),
        },
        tasks,
        nodes,
        cpus_per_task: number("cpus-per-task"),
        cpus_per_gpu: number("cpus-per-gpu").filter(|_| typed("cpus-per-gpu")),
        tasks_per_node,
        node_list: resolve::node_file(Command::Srun, options)?.map_or_else(|| hosts("nodelist"), Ok)?,
        exclude: hosts("exclude")?,
        relative: number("relative"),
        order: order(options.get("distribution"))?,
        exact: (options.is_set("exact") || options.is_set("exclusive") || options.is_set("cpus-per-task"))
            && !options.is_set("whole")
            && !beside,
        overlap: options.is_set("overlap") || beside,
        overcommit: options.is_set("overcommit"),
        immediate: options.is_set("immediate") && number("immediate").unwrap_or(0) == 0,
        directory: Bytes(directory.as_os_str().as_bytes().to_vec()),
        environment: Bytes(mpi::told(options, environment(options)).to_block()),
        umask: own_umask(),
        append: options.get("open-mode").is_some_and(|m| m.starts_with(['a', 'A'])),
        kill_on_bad_exit: options.is_set("kill-on-bad-exit") && options.get("kill-on-bad-exit") != Some("0"),
        label: options.is_set("label"),
        unbuffered: options.is_set("unbuffered"),
        command: command_line(args),
        time_limit: setup::time_limit(options),
        setup: setup::resolve(options)?,
        mpi: mpi::plugin(options)?,
        ..StepRequest::default()
    };
    memory(options, &mut request);
    gpus(options, &mut request).map_err(|()| error("Invalid Trackable RESource (TRES) specification"))?;
    if options.is_set("external-launcher") {
        mpi::external(&mut request);
    }
    let arguments = |words: &[OsString]| words.iter().map(|w| Bytes(w.as_bytes().to_vec())).collect();
    request.programs = Programs::Same(arguments(operands));
    if options.is_set("multi-prog") {
        let file = command.to_string_lossy();
        let text =
            std::fs::read(command).map_err(|_| error(&format!("Could not open multi_prog config file {file}")))?;
        let tasks = tasks.or(nodes.map(|n| n.0)).unwrap_or(1);
        request.tasks = Some(tasks);
        let all = multi_prog::commands(&file, &String::from_utf8_lossy(&text), tasks);
        request.programs = Programs::Each(all.map_err(|text| error(&text))?);
    }
    if options.is_set("pty") {
        match terminal::size() {
            Ok(size) => request.terminal = Some(size),
            Err(e) => {
                warnings.push(format!("srun: error: ioctl(TIOCGWINSZ): {}", error_text(&e)));
                warnings.push("srun: error: Not using a pseudo-terminal, disregarding --pty option".into());
            }
        }
    }
    let mut plan = Plan {
        request,
        warnings,
        output: None,
        error: None,
        error_is_output: false,
        input: None,
        quiet: options.is_set("quiet"),
        verbose: typed("verbose"),
        wait: options.get("wait").and_then(|w| w.parse().ok()).filter(|w| *w > 0),
        immediate: number("immediate").filter(|n| *n > 0),
        quit_on_interrupt: options.is_set("quit-on-interrupt"),
        disable_status: options.is_set("disable-status"),
        hooks: Hooks::new(options, operands),
        bcast_exclude: options.get("bcast-exclude").map(str::to_owned),
    };
    plan.request.held = plan.hooks.prolog.is_some() || plan.request.setup.brought.is_some();
    files(options, &mut plan);
    Ok(plan)
}

fn memory(options: &Options, request: &mut StepRequest) {
    let size = |name: &str| options.get(name).and_then(|t| parse_mem(t).ok()).map(|m| m.0).filter(|m| *m > 0);
    let names = ["mem", "mem-per-cpu", "mem-per-gpu"];
    // What was typed counts, and not what the job's environment carries of another kind.
    let typed = names.iter().find(|n| options.source(n) == Some(options::Source::CommandLine));
    for name in names.iter().filter(|n| typed.is_none_or(|t| t == *n)) {
        match *name {
            "mem" => request.memory_per_node = size(name),
            "mem-per-cpu" => request.memory_per_cpu = size(name),
            _ => request.memory_per_gpu = size(name),
        }
    }
}

fn gpus(options: &Options, request: &mut StepRequest) -> Result<(), ()> {
    let typed = |name: &str| options.source(name) == Some(options::Source::CommandLine);
    let count = |list: GresList| u32::try_from(list.total("gpu")).unwrap_or(u32::MAX);
    let gpus = |name: &str| options.get(name).map(|t| GresList::parse_gpus(t).map(count).map_err(|_| ())).transpose();
    // The job's own --gpus and --gpus-per-node reach a step as variables: they mean all there are on its nodes.
    let mut asked = None;
    if typed("gpus") {
        asked = gpus("gpus")?.map(Gpus::Total);
    }
    if typed("gpus-per-node") {
        asked = gpus("gpus-per-node")?.map(Gpus::PerNode);
    }
    if let Some(text) = options.get("gres") {
        let list = GresList::parse(text).map_err(|_| ())?;
        asked = Some(if count(list.clone()) > 0 { Gpus::PerNode(count(list)) } else { Gpus::None });
    }
    if let Some(n) = gpus("gpus-per-task")?.filter(|n| *n > 0 && (asked.is_none() || typed("gpus-per-task"))) {
        asked = asked.or(Some(Gpus::PerTask(n)));
        request.gpu_binding = Binding::PerTask(n);
    } else if let Some(n) = options.get("ntasks-per-gpu").and_then(|t| t.parse().ok()) {
        request.gpu_binding = Binding::Single(n);
        if let (Some(tasks), true) = (request.tasks, typed("ntasks-per-gpu") && asked.is_none()) {
            asked = Some(Gpus::Total(tasks.div_ceil(u32::max(n, 1))));
        }
    }
    request.gpus = asked.unwrap_or_default();
    Ok(())
}

fn order(text: Option<&str>) -> Result<Ordering, Refusal> {
    let Some(text) = text else {
        return Ok(Ordering::Unset);
    };
    // The parts behind a colon are about sockets and cores, those behind a comma about how tightly to pack.
    let first = text.split([':', ',']).next().unwrap_or(text).to_ascii_lowercase();
    Ok(match (first.as_str(), first.split_once('=')) {
        ("block", _) => Ordering::Block,
        ("cyclic", _) => Ordering::Cyclic,
        (_, Some(("plane", size))) => Ordering::Plane(size.parse().unwrap_or(1)),
        ("plane", _) => {
            let size = process::var("SLURM_DIST_PLANESIZE").ok().and_then(|s| s.parse().ok());
            Ordering::Plane(size.unwrap_or(1))
        }
        ("arbitrary", _) => {
            let file = process::var("SLURM_HOSTFILE").unwrap_or_default();
            let text = std::fs::read_to_string(&file).map_err(|_| {
                Refusal::error(Command::Srun, 1, format!("SLURM_HOSTFILE: cannot read the list of nodes: {file}"))
            })?;
            let names = text.split_whitespace().flat_map(|word| hostlist::expand(word).unwrap_or_default());
            Ordering::Arbitrary(names.collect())
        }
        _ => Ordering::Unset,
    })
}

fn files(options: &Options, plan: &mut Plan) {
    let per_task = |text: &str| ["%t", "%n", "%N"].iter().any(|l| text.contains(l)) || padded(text);
    let request = &mut plan.request;
    let sink = |name: &str, local: &mut Option<String>| match options.get(name) {
        None | Some("all") => Sink::Client,
        Some("none") => Sink::None,
        Some(text) => match text.parse() {
            Ok(rank) => Sink::Rank(rank),
            Err(_) if per_task(text) => Sink::File(text.to_owned()),
            Err(_) => {
                *local = Some(text.to_owned());
                Sink::Client
            }
        },
    };
    request.output = sink("output", &mut plan.output);
    request.error = sink("error", &mut plan.error);
    if !options.is_set("error") && options.is_set("output") {
        match &request.output {
            Sink::File(_) => request.error = Sink::Stdout,
            Sink::Client => plan.error_is_output = plan.output.is_some(),
            other => request.error = other.clone(),
        }
    }
    plan.error_is_output |= plan.error.is_some() && plan.error == plan.output;
    request.input = match options.get("input") {
        None | Some("all") => Source::Client,
        Some("none") => Source::None,
        Some(text) => match text.parse() {
            Ok(rank) => Source::Rank(rank),
            Err(_) if per_task(text) => Source::File(text.to_owned()),
            Err(_) => {
                plan.input = Some(text.to_owned());
                Source::Client
            }
        },
    };
}

/// Whether a pattern has `%5t` or the like, a task's letter with a width.
fn padded(text: &str) -> bool {
    text.split('%').skip(1).any(|after| {
        let letter = after.trim_start_matches(|c: char| c.is_ascii_digit());
        letter.starts_with(['t', 'n', 'N'])
    })
}

/// What was typed, and the variable by which tasks learn of it.
const TOLD: &[(&str, &str)] = &[
    ("cpus-per-gpu", "SLURM_CPUS_PER_GPU"),
    ("gpus", "SLURM_GPUS"),
    ("gpus-per-node", "SLURM_GPUS_PER_NODE"),
    ("gpus-per-task", "SLURM_GPUS_PER_TASK"),
    ("mem", "SLURM_MEM_PER_NODE"),
    ("mem-per-cpu", "SLURM_MEM_PER_CPU"),
    ("mem-per-gpu", "SLURM_MEM_PER_GPU"),
    ("ntasks-per-gpu", "SLURM_NTASKS_PER_GPU"),
    ("ntasks-per-node", "SLURM_NTASKS_PER_NODE"),
];

/// srun's environment for the tasks.
fn environment(options: &Options) -> Environment {
    let mut block = Vec::new();
    for (name, value) in process::vars_os() {
        block.extend_from_slice(name.as_bytes());
        block.push(b'=');
        block.extend_from_slice(value.as_bytes());
        block.push(0);
    }
    let mut environment = env::of_step(options.get("export"), Environment::parse(&block));
    let typed = |name: &str| options.source(name) == Some(options::Source::CommandLine);
    if ["mem", "mem-per-cpu", "mem-per-gpu"].iter().any(|n| typed(n)) {
        // Only one of them is in force.
        TOLD.iter().filter(|(n, _)| n.starts_with("mem")).for_each(|(_, variable)| environment.unset(variable));
    }
    for (name, variable) in TOLD.iter().filter(|(name, _)| typed(name)) {
        match (options.get(name), name.starts_with("mem")) {
            (Some(text), true) => match parse_mem(text) {
                Ok(size) if size.0 > 0 => environment.set(variable, size.0.to_string()),
                _ => {}
            },
            (Some(text), false) => environment.set(variable, text),
            (None, _) => {}
        }
    }
    environment
}

fn own_umask() -> u32 {
    let mask = umask(Mode::empty());
    umask(mask);
    mask.bits()
}

fn command_line(args: &[OsString]) -> String {
    let words = args.iter().map(|a| a.to_string_lossy().into_owned());
    std::iter::once("srun".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}
