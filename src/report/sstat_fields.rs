//! The fields of `sstat --format`, one row a field: name, width, and what is printed.
//!
//! Names, widths and forms of values are what sstat of Slurm 22.05 was seen to print. What can be said of a resource is the
//! same for all of them (the average of the tasks, the largest, whose it is, ...), so a field is a resource and a statistic.

use super::{
    sacct_table::{self, Cut, Kind},
    sacct_values::Units,
    table::number,
};
use crate::{
    job::{NodeUsage, StepUsage, TaskUsage},
    slurm::{hostlist, time::elapsed_sacct},
};

/// A line of the listing.
pub struct Row<'a> {
    /// The job.
    pub job: u32,
    /// The step.
    pub step: &'a StepUsage,
    /// The one node it is about (`--pidformat`); `None`: all.
    pub node: Option<&'a NodeUsage>,
    /// `--noconvert`
    pub units: Units,
}

/// What running steps use: sstat.
pub enum Running {}

/// A field of theirs.
pub type Field = sacct_table::Field<Running>;

impl Kind for Running {
    type Row<'a> = Row<'a>;
    const FIELDS: &'static [Field] = FIELDS;
    const ONE_WIDTH: bool = true;
}

/// The columns there are when nobody says which.
pub const DEFAULT: &str = "jobid,maxvmsize,maxvmsizenode,maxvmsizetask,avevmsize,maxrss,maxrssnode,maxrsstask,averss,\
    maxpages,maxpagesnode,maxpagestask,avepages,mincpu,mincpunode,mincputask,avecpu,ntasks,avecpufreq,reqcpufreqmin,\
    reqcpufreqmax,reqcpufreqgov,consumedenergy,maxdiskread,maxdiskreadnode,maxdiskreadtask,avediskread,maxdiskwrite,\
    maxdiskwritenode,maxdiskwritetask,avediskwrite,tresusageinave,tresusageinmax,tresusageinmaxnode,tresusageinmaxtask,\
    tresusageinmin,tresusageinminnode,tresusageinmintask,tresusageintot,tresusageoutave,tresusageoutmax,\
    tresusageoutmaxnode,tresusageoutmaxtask,tresusageoutmin,tresusageoutminnode,tresusageoutmintask,tresusageouttot";

/// Those of `--pidformat`.
pub const PIDS: &str = "jobid,nodelist,pids";

/// Something that is used.
struct Resource {
    /// As a TRES.
    name: &'static str,
    /// How much of it a task used.
    of: fn(&TaskUsage) -> u64,
    /// How an amount is shown.
    show: fn(u64, Units) -> String,
    /// Whether it is counted for each task, or for a node.
    of_tasks: bool,
}

const fn resource(name: &'static str, of: fn(&TaskUsage) -> u64) -> Resource {
    Resource { name, of, show: amount, of_tasks: true }
}

const CPU: Resource = Resource { show: |ms, _| seconds(ms), ..resource("cpu", |t| t.cpu_ms) };
const ENERGY: Resource = Resource { of_tasks: false, ..resource("energy", |_| 0) };
const READ: Resource = resource("fs/disk", |t| t.read);
const WRITTEN: Resource = resource("fs/disk", |t| t.written);
const RSS: Resource = resource("mem", |t| t.rss);
const PAGES: Resource = resource("pages", |t| t.pages);
const VSIZE: Resource = resource("vmem", |t| t.vsize);

/// `TRESUsageIn...`
const IN: &[Resource] = &[CPU, ENERGY, READ, RSS, PAGES, VSIZE];
/// `TRESUsageOut...`
const OUT: &[Resource] = &[ENERGY, WRITTEN];

/// What is said of a resource.
#[derive(Clone, Copy)]
enum Of {
    Average,
    Total,
    Max,
    MaxNode,
    MaxTask,
    Min,
    MinNode,
    MinTask,
}

impl Row<'_> {
    fn nodes(&self) -> &[NodeUsage] {
        self.node.map_or(self.step.nodes.as_slice(), std::slice::from_ref)
    }

    /// All tasks, each with its node.
    fn tasks(&self) -> impl Iterator<Item = (&str, &TaskUsage)> {
        self.nodes().iter().flat_map(|node| node.tasks.iter().map(|task| (node.node.as_str(), task)))
    }

    /// The first of the tasks with the most of a resource, or with the least.
    fn extreme(&self, most: bool, of: fn(&TaskUsage) -> u64) -> Option<(&str, &TaskUsage)> {
        self.tasks().reduce(|best, next| {
            let better = if most { of(next.1) > of(best.1) } else { of(next.1) < of(best.1) };
            if better { next } else { best }
        })
    }

    /// Sum over the tasks, and how many there are.
    fn sum(&self, of: fn(&TaskUsage) -> u64) -> (u64, u64) {
        self.tasks().fold((0, 0), |(sum, count), (_, task)| (sum.saturating_add(of(task)), count + 1))
    }

    fn average(&self, of: fn(&TaskUsage) -> u64) -> Option<u64> {
        let (sum, count) = self.sum(of);
        sum.checked_div(count)
    }

    /// A value by its statistic. A step of which no task was measured has none.
    fn value(&self, resource: &Resource, said: Of) -> Option<String> {
        let show = |value| (resource.show)(value, self.units);
        let (node, task) = self.extreme(matches!(said, Of::Max | Of::MaxNode | Of::MaxTask), resource.of)?;
        Some(match said {
            Of::Average => show(self.average(resource.of)?),
            Of::Total => show(self.sum(resource.of).0),
            Of::Max | Of::Min => show((resource.of)(task)),
            Of::MaxNode | Of::MinNode => node.to_owned(),
            Of::MaxTask | Of::MinTask => task.task.to_string(),
        })
    }
}

/// One resource's column.
fn one(row: &Row, out: &mut String, resource: &Resource, said: Of) {
    if let Some(value) = row.value(resource, said) {
        out.push_str(&value);
    }
}

/// `cpu=00:00:00,energy=0,...`. What is of nodes has no task; and a task's number is shown as if it were an amount, so
/// that `cpu`'s is a time: that is how Slurm does it.
fn tres(row: &Row, out: &mut String, resources: &[Resource], said: Of) {
    let numbered = matches!(said, Of::MaxTask | Of::MinTask);
    let start = out.len();
    for resource in resources.iter().filter(|r| r.of_tasks || !numbered) {
        let Some(mut value) = row.value(resource, said) else { return };
        if numbered && let Ok(task) = value.parse() {
            value = (resource.show)(task, row.units);
        }
        if out.len() > start {
            out.push(',');
        }
        out.push_str(resource.name);
        out.push('=');
        out.push_str(&value);
    }
}

/// CPU time: `00:00:04`.
fn seconds(ms: u64) -> String {
    elapsed_sacct(i64::try_from(ms / 1000).unwrap_or(i64::MAX))
}

/// `4940K`, `1.00M`, `105473`: a unit is larger by 1024 as long as that loses no more than a half.
fn amount(value: u64, units: Units) -> String {
    let exact = |amount: f64| (amount as u64).is_multiple_of(512);
    scaled(value, 1024.0, units, exact)
}

/// `2.30M`
fn frequency(khz: u64, units: Units) -> String {
    scaled(khz, 1000.0, units, |_| true)
}

fn scaled(value: u64, by: f64, units: Units, may: impl Fn(f64) -> bool) -> String {
    let (mut amount, mut letters, mut unit) = (value as f64, "KMGTP".chars(), None);
    while units != Units::AsIs && amount >= by && may(amount) {
        let Some(letter) = letters.next() else { break };
        (amount, unit) = (amount / by, Some(letter));
    }
    match unit {
        None => value.to_string(),
        Some(unit) if amount.fract() == 0.0 => format!("{amount:.0}{unit}"),
        Some(unit) => format!("{amount:.2}{unit}"),
    }
}

fn write_id(row: &Row, out: &mut String) {
    number(out, row.job);
    out.push('.');
    out.push_str(&row.step.id.to_string());
}

fn write_nodes(row: &Row, out: &mut String) {
    let names: Vec<&str> = row.nodes().iter().map(|node| node.node.as_str()).collect();
    out.push_str(&hostlist::compress_sorted(names));
}

fn write_pids(row: &Row, out: &mut String) {
    let mut all: Vec<String> = Vec::new();
    for node in row.nodes() {
        let mut pids: Vec<i32> = node.tasks.iter().flat_map(|task| &task.pids).copied().collect();
        pids.sort_unstable_by_key(|pid| std::cmp::Reverse(*pid));
        all.extend(pids.iter().map(i32::to_string));
    }
    out.push_str(&all.join(","));
}

const fn row(name: &'static str, width: i32, write: for<'a> fn(&Row<'a>, &mut String)) -> Field {
    Field { name, header: name, width, cut: Cut::Marked, listed: true, write }
}

/// Nothing sets a frequency.
const fn unknown(name: &'static str, width: i32) -> Field {
    row(name, width, |_, o| o.push_str("Unknown"))
}

/// All fields, in the order in which `--helpformat` lists them; beginnings of names are looked for in it too.
#[rustfmt::skip]
const FIELDS: &[Field] = &[
    row("AveCPU", 10, |r, o| one(r, o, &CPU, Of::Average)),
    row("AveCPUFreq", 10, |r, o| o.push_str(&frequency(r.average(|t| t.khz).unwrap_or(0), r.units))),
    row("AveDiskRead", 12, |r, o| one(r, o, &READ, Of::Average)),
    row("AveDiskWrite", 12, |r, o| one(r, o, &WRITTEN, Of::Average)),
    row("AvePages", 10, |r, o| one(r, o, &PAGES, Of::Average)),
    row("AveRSS", 10, |r, o| one(r, o, &RSS, Of::Average)),
    row("AveVMSize", 10, |r, o| one(r, o, &VSIZE, Of::Average)),
    row("ConsumedEnergy", 14, |_, o| o.push('0')),
    row("ConsumedEnergyRaw", 17, |_, o| o.push('0')),
    row("JobID", -12, write_id),
    row("MaxDiskRead", 12, |r, o| one(r, o, &READ, Of::Max)),
    row("MaxDiskReadNode", 15, |r, o| one(r, o, &READ, Of::MaxNode)),
    row("MaxDiskReadTask", 15, |r, o| one(r, o, &READ, Of::MaxTask)),
    row("MaxDiskWrite", 12, |r, o| one(r, o, &WRITTEN, Of::Max)),
    row("MaxDiskWriteNode", 16, |r, o| one(r, o, &WRITTEN, Of::MaxNode)),
    row("MaxDiskWriteTask", 16, |r, o| one(r, o, &WRITTEN, Of::MaxTask)),
    row("MaxPages", 8, |r, o| one(r, o, &PAGES, Of::Max)),
    row("MaxPagesNode", 12, |r, o| one(r, o, &PAGES, Of::MaxNode)),
    row("MaxPagesTask", 14, |r, o| one(r, o, &PAGES, Of::MaxTask)),
    row("MaxRSS", 10, |r, o| one(r, o, &RSS, Of::Max)),
    row("MaxRSSNode", 10, |r, o| one(r, o, &RSS, Of::MaxNode)),
    row("MaxRSSTask", 10, |r, o| one(r, o, &RSS, Of::MaxTask)),
    row("MaxVMSize", 10, |r, o| one(r, o, &VSIZE, Of::Max)),
    row("MaxVMSizeNode", 14, |r, o| one(r, o, &VSIZE, Of::MaxNode)),
    row("MaxVMSizeTask", 14, |r, o| one(r, o, &VSIZE, Of::MaxTask)),
    row("MinCPU", 10, |r, o| one(r, o, &CPU, Of::Min)),
    row("MinCPUNode", 10, |r, o| one(r, o, &CPU, Of::MinNode)),
    row("MinCPUTask", 10, |r, o| one(r, o, &CPU, Of::MinTask)),
    row("Nodelist", 20, write_nodes),
    Field { cut: Cut::Never, ..row("NTasks", 8, |r, o| number(o, r.tasks().count() as u32)) },
    row("Pids", 20, write_pids),
    unknown("ReqCPUFreq", 10),
    unknown("ReqCPUFreqMin", 13),
    unknown("ReqCPUFreqMax", 13),
    unknown("ReqCPUFreqGov", 13),
    row("TRESUsageInAve", 14, |r, o| tres(r, o, IN, Of::Average)),
    row("TRESUsageInMax", 14, |r, o| tres(r, o, IN, Of::Max)),
    row("TRESUsageInMaxNode", 18, |r, o| tres(r, o, IN, Of::MaxNode)),
    row("TRESUsageInMaxTask", 18, |r, o| tres(r, o, IN, Of::MaxTask)),
    row("TRESUsageInMin", 14, |r, o| tres(r, o, IN, Of::Min)),
    row("TRESUsageInMinNode", 18, |r, o| tres(r, o, IN, Of::MinNode)),
    row("TRESUsageInMinTask", 18, |r, o| tres(r, o, IN, Of::MinTask)),
    row("TRESUsageInTot", 14, |r, o| tres(r, o, IN, Of::Total)),
    row("TRESUsageOutAve", 15, |r, o| tres(r, o, OUT, Of::Average)),
    row("TRESUsageOutMax", 15, |r, o| tres(r, o, OUT, Of::Max)),
    row("TRESUsageOutMaxNode", 19, |r, o| tres(r, o, OUT, Of::MaxNode)),
    row("TRESUsageOutMaxTask", 19, |r, o| tres(r, o, OUT, Of::MaxTask)),
    row("TRESUsageOutMin", 15, |r, o| tres(r, o, OUT, Of::Min)),
    row("TRESUsageOutMinNode", 19, |r, o| tres(r, o, OUT, Of::MinNode)),
    row("TRESUsageOutMinTask", 19, |r, o| tres(r, o, OUT, Of::MinTask)),
    row("TRESUsageOutTot", 15, |r, o| tres(r, o, OUT, Of::Total)),
];

#[cfg(test)]
mod tests;
