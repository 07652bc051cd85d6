//! The comments before a task: what became of the options, and what was decided.

use super::shown;
use crate::{
    engine::skypilot::task::Facts,
    job::{Gpus, Needs, Request},
    slurm::{
        array::ArraySpec,
        options::{Options, Place, explain},
        time::TimeLimit,
    },
};
use std::ffi::{OsStr, OsString};

/// What is spoken of.
pub(super) struct Job<'a> {
    /// sbatch's arguments.
    pub words: &'a [OsString],
    /// What it made of them.
    pub options: &'a Options,
    /// What was asked for.
    pub request: &'a Request,
    /// `--array`
    pub array: Option<&'a ArraySpec>,
    /// Where, and on what nodes.
    pub facts: &'a Facts<'a>,
}

/// The comments, with an empty line at the end.
pub(super) fn head(job: &Job) -> String {
    let word = |word: &OsString| match shown(word) {
        text if text.is_empty() || text.contains([' ', '\'', '"']) => format!("'{}'", text.replace('\'', "'\\''")),
        text => text,
    };
    let words: Vec<String> = job.words.iter().map(word).collect();
    let mut lines = vec![format!("sbatch {}", words.join(" "))];
    let rows = explain(job.options, Place::SkyPilot);
    if !rows.is_empty() {
        lines.push(String::new());
    }
    let option = |row: &crate::slurm::options::Explained| match &row.value {
        Some(value) => format!("{}={}", row.option, shown(OsStr::new(value))),
        None => row.option.clone(),
    };
    let first = rows.iter().map(|row| option(row).chars().count()).max().unwrap_or(0);
    let second = rows.iter().map(|row| row.source.chars().count()).max().unwrap_or(0);
    for row in &rows {
        lines.push(format!("{:first$}  {:second$}  {}", option(row), row.source, row.class));
    }
    let decided = decided(job);
    lines.push(String::new());
    lines.extend(decided.into_iter().map(|text| format!("- {}", shown(OsStr::new(&text)))));
    let comments = lines.iter().map(|line| format!("# {line}").trim_end().to_owned() + "\n");
    comments.collect::<String>() + "\n"
}

/// What the options left open.
fn decided(job: &Job) -> Vec<String> {
    let Job { request, facts, .. } = job;
    let (partition, shape) = (facts.partition, facts.shape);
    let nodes = shape.nodes();
    let mut said = Vec::new();
    let mut say = |text: String| said.push(text);
    match (&partition.pool, partition.infra.0.as_slice()) {
        (Some(pool), _) => {
            say(format!("partition {} is pool {pool}: sky jobs launch --pool {pool} FILE", partition.name))
        }
        (None, []) => {
            say(format!("partition {} is on this machine: no infra is named, SkyPilot chooses one", partition.name))
        }
        (None, [infra]) => say(format!("partition {} is {infra}", partition.name)),
        (None, several) => say(format!("partition {} is, best first: {}", partition.name, several.join(", "))),
    }
    if request.partitions.len() > 1 {
        say(format!("of the partitions that were named the first on SkyPilot is taken: {}", partition.name));
    }
    if let Some(count) = request.nodes.filter(|count| count.max.is_some_and(|most| most > count.min)) {
        say(format!("of {count} nodes {nodes} are taken, the least that hold the tasks and GPUs"));
    } else if request.nodes.is_none() && nodes > 1 {
        say(format!("the tasks and GPUs need {nodes} nodes"));
    }
    if let Gpus::Total(_) = Needs::of(request, None).gpus {
        let asked: u64 = request.gpus.iter().map(|gres| gres.count).sum();
        let had = u64::from(shape.gpus) * nodes as u64;
        let rounded = if had > asked { format!(", {had} in all since nodes are alike") } else { String::new() };
        let nodes = if nodes == 1 { "one node".to_owned() } else { format!("{nodes} nodes") };
        say(format!("--gpus={asked}: {} on each of {nodes}{rounded}", shape.gpus));
    }
    match (shape.gpus, &shape.gpu_type, &partition.gpu_type) {
        (0, ..) | (_, Some(_), _) => {}
        (_, None, Some(kind)) => say(format!("the GPU type {kind} is the partition's (gpu_type)")),
        (gpus, None, None) => say(format!(
            "no GPU type is named: any will do here (\"1GB+:{gpus}\"); name one in its place (H100:{gpus}), or set \
             gpu_type of the partition. sbatch asks the server what can be had"
        )),
    }
    if shape.cpus.is_none() {
        say("--exclusive: the job has all CPUs of the nodes it gets".into());
    }
    match request.time {
        Some(limit @ TimeLimit::Minutes(_)) => {
            say(format!("the time limit {} is kept by the agent; SkyPilot has none", limit.squeue()));
        }
        _ => say("there is no time limit".into()),
    }
    if let Some(array) = job.array {
        say(format!(
            "an array of {0}: sky jobs launch --num-jobs {0} FILE; each takes its index by its rank (without --num-jobs \
             the first one runs alone)",
            array.count()
        ));
    }
    let files: Vec<&str> = [("--output", &request.output), ("--error", &request.error)]
        .iter()
        .filter(|f| f.1.is_some())
        .map(|f| f.0)
        .collect();
    if !files.is_empty() && !partition.sees(&request.work_dir) {
        say(format!(
            "{}: on the first node, and gone with it; sky jobs logs shows what goes to no file",
            files.join(", ")
        ));
    }
    let of_the_controller =
        ["begin", "hold", "dependency", "deadline", "licenses"].into_iter().filter(|name| job.options.is_set(name));
    let mut kept: Vec<String> = of_the_controller.map(|name| format!("--{name}")).collect();
    if job.array.is_some_and(|array| array.throttle.is_some()) {
        kept.push("the array's limit (%N)".into());
    }
    if !kept.is_empty() {
        say(format!("{}: sbatch's controller sees to it, a task that is launched by hand does not", kept.join(", ")));
    }
    say("sbatch sends the environment along; a task that is launched by hand has only what --export sets".into());
    said
}
