//! sacct(1): jobs and steps on record.

mod kept;
mod narrow;
mod query;

use super::{
    ask::{self, AskError, Said},
    check_cluster,
    dump::{self, Dump},
    terminal::{eprint, refuse},
};
use crate::{
    controller::{api::Filter, client::Client},
    job::{Depth, Job},
    report::{
        clock::{Clock, local},
        dump::{AccountingJobs, StepRow},
        job_values,
        sacct_fields::{Accounting, BRIEF, Row},
        sacct_table::{self, Column, Layout},
        sacct_values::{Context, OF_ALL_STEPS, Units},
    },
    slurm::{
        array::BITSTR_LEN,
        errno::Errno,
        options::{self, Command::Sacct, Options, Place, Refusal},
    },
};
use chrono::{Local, TimeZone};
use kept::Kept;
use query::Query;
use std::ffi::OsString;

const DEFAULT: &str = "jobid,jobname,partition,account,alloccpus,state,exitcode";
const SHORT: &str = "jobid,state,exitcode";
const LONG: &str = "jobid,jobidraw,jobname,partition,maxvmsize,maxvmsizenode,maxvmsizetask,avevmsize,maxrss,maxrssnode,\
    maxrsstask,averss,maxpages,maxpagesnode,maxpagestask,avepages,mincpu,mincpunode,mincputask,avecpu,ntasks,alloccpus,\
    elapsed,state,exitcode,avecpufreq,reqcpufreqmin,reqcpufreqmax,reqcpufreqgov,reqmem,consumedenergy,maxdiskread,\
    maxdiskreadnode,maxdiskreadtask,avediskread,maxdiskwrite,maxdiskwritenode,maxdiskwritetask,avediskwrite,reqtres,\
    alloctres,tresusageinave,tresusageinmax,tresusageinmaxnode,tresusageinmaxtask,tresusageinmin,tresusageinminnode,\
    tresusageinmintask,tresusageintot,tresusageoutmax,tresusageoutmaxnode,tresusageoutmaxtask,tresusageoutave,\
    tresusageouttot";

/// Runs `sacct` with these arguments (without its own name) and gives the exit code.
pub fn run(args: Vec<OsString>) -> u8 {
    let parsed = match options::parse(Sacct, &args, &ask::env) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal),
    };
    let options = &parsed.options;
    for (name, text) in [
        ("help", options::help as fn(_) -> _),
        ("usage", options::usage),
        ("version", |_| options::version().to_owned()),
        ("helpformat", |_| sacct_table::help_format::<Accounting>(19)),
    ] {
        if options.is_set(name) {
            return Said::out(format!("{}\n", text(Sacct).trim_end_matches('\n'))).print();
        }
    }
    let (columns, query) =
        match columns(options).and_then(|c| Ok((c, Query::read(&parsed, crate::host::clock::local())?))) {
            Ok(read) => read,
            Err(refusal) => return refuse(&refusal),
        };
    if let Some(kept) = kept(options).filter(|_| query.ids.is_empty()) {
        return refuse(&kept.of_which());
    }
    options.warnings(Place::Here).iter().for_each(|line| eprint(line));
    if options.is_set("verbose") {
        eprint(&window_in_words(&query));
    }
    let dump = match dump::read(options, Sacct, &args) {
        Ok(dump) => dump,
        Err(stop) => return stop.say(),
    };
    match listing(options, &columns, &query, dump.as_ref()) {
        Ok(Ok(code)) => code,
        Ok(Err(refusal)) => refuse(&refusal),
        Err(error) => Said::error(format!("sacct: error: {error}")).print(),
    }
}

/// The columns: those of `--format`, then of `--brief` and `--long`; else `SACCT_FORMAT`, or the usual ones.
fn columns(options: &Options) -> Result<Vec<Column<Accounting>>, Refusal> {
    let mut given: Vec<&str> = options.all("format").collect();
    if !given.is_empty() && options.is_set("long") {
        return Err(super::common::format_and_long(Sacct));
    }
    given.extend(
        [("brief", SHORT), ("long", LONG)].iter().filter(|(name, _)| options.is_set(name)).map(|(_, all)| *all),
    );
    let text = match given.as_slice() {
        [] => ask::env("SACCT_FORMAT").filter(|text| !text.is_empty()).unwrap_or_else(|| DEFAULT.to_owned()),
        given => given.join(","),
    };
    sacct_table::columns(&text).map_err(|error| Refusal::error(Sacct, 1, error.to_string()))
}

fn layout(options: &Options) -> Layout {
    Layout::of(options, options.get("delimiter").unwrap_or("|"))
}

fn units(options: &Options) -> Units {
    match options.get("units").and_then(|unit| unit.chars().next()) {
        _ if options.is_set("noconvert") => Units::AsIs,
        Some(unit) => Units::Fixed(unit.to_ascii_uppercase()),
        None => Units::Best,
    }
}

/// `--batch-script`, `--env-vars`
fn kept(options: &Options) -> Option<Kept> {
    match (options.is_set("batch-script"), options.is_set("env-vars")) {
        (true, _) => Some(Kept::Script),
        (false, true) => Some(Kept::Environment),
        (false, false) => None,
    }
}

fn window_in_words(query: &Query) -> String {
    let word = |when: i64| match (when, Local.timestamp_opt(when, 0).single()) {
        (0, _) | (_, None) => "Epoch 0".to_owned(),
        (_, Some(time)) => time.format("%a %b %e %H:%M:%S %Y").to_string(),
    };
    format!("sacct: Jobs Eligible in the time window from {} to {}", word(query.since), word(query.until))
}

/// How much of the jobs is shown, or chosen from. Without their lines, steps are asked for only where they are in what is shown of
/// their job.
fn depth(columns: &[Column<Accounting>], query: &Query) -> Depth {
    let shows = |names: &[&str]| columns.iter().any(|column| names.contains(&column.name()));
    let shows_only = |names: &[&str]| columns.iter().all(|column| names.contains(&column.name()));
    match query.allocations {
        false => Depth::Whole,
        true if shows(&OF_ALL_STEPS) => Depth::Whole,
        true if shows_only(BRIEF) && query.is_brief() => Depth::Brief,
        true => Depth::WithoutSteps,
    }
}

fn listing(
    options: &Options,
    columns: &[Column<Accounting>],
    query: &Query,
    dump: Option<&Dump>,
) -> Result<Result<u8, Refusal>, AskError> {
    let mut client = Client::connect()?;
    let depth = if dump.is_some() { Depth::Whole } else { depth(columns, query) };
    let jobs = match ask::accounting(&mut client, Filter { depth, ..query.filter() }) {
        // An id that never was is an empty listing.
        Err(AskError::Refused(Errno::InvalidJobId)) => Vec::new(),
        other => other?,
    };
    let cluster = ask::cluster(&mut client)?;
    if let Err(refusal) = check_cluster(Sacct, options.get("clusters"), &cluster.name) {
        return Ok(Err(refusal));
    }
    let is_qos = |name: &String| name.is_empty() || cluster.qos.iter().any(|qos| qos.eq_ignore_ascii_case(name));
    if let Some(name) = query.qos.iter().find(|name| !is_qos(name)) {
        let bad = format!("You gave a bad qos '{name}'. Valid QOS's are {}", cluster.qos.join(","));
        let mut refusal = Refusal::error(Sacct, 1, bad);
        refusal.lines.push("sacct: fatal: problem processing qos list".to_owned());
        return Ok(Err(refusal));
    }
    ask::warn_of_age(Sacct, &cluster, &jobs);
    if let Some(kept) = kept(options) {
        return Ok(Ok(kept.print(&mut client, &shown(&jobs, query))?));
    }
    let jobs = if options.is_set("truncate") { jobs.into_iter().map(|job| query.cut(job)).collect() } else { jobs };
    let bitstr_len = ask::env("SLURM_BITSTR_LEN").and_then(|text| text.parse().ok()).unwrap_or(BITSTR_LEN);
    let units = units(options);
    let context = Context {
        jobs: job_values::Context {
            cluster: &cluster.name,
            partitions: &cluster.partitions,
            clock: Clock::new(local, ask::env("SLURM_TIME_FORMAT").as_deref(), cluster.now),
            bitstr_len,
            noconvert: units == Units::AsIs,
            expand: options.is_set("expand-patterns"),
        },
        units,
    };
    let shown = shown(&jobs, query);
    if let Some(dump) = dump {
        return Ok(Ok(dump.print::<AccountingJobs>("jobs", &records(&shown, query, &context), &[], &cluster.name)));
    }
    let mut out = String::new();
    if !options.is_set("noheader") {
        sacct_table::header(columns, &layout(options), &mut out);
    }
    rows(&shown, query, columns, &layout(options), options.is_set("array"), &context, &mut out);
    Ok(Ok(Said::out(out).print()))
}

/// The jobs that match. An array's elements stand by their numbers, and behind them its waiting rest.
fn shown<'a>(jobs: &'a [Job], query: &Query) -> Vec<&'a Job> {
    let mut shown: Vec<&Job> = jobs.iter().filter(|job| query.matches(job)).collect();
    shown.sort_by_key(|job| {
        let task = job.array.as_ref().map(|array| array.task_id.unwrap_or(u32::MAX));
        (job.array_job_id(), task, job.id, job.restarts)
    });
    shown
}

/// Jobs with those of their steps that are asked for.
fn records<'a>(shown: &[&'a Job], query: &Query, context: &'a Context<'a>) -> Vec<(Row<'a>, Vec<StepRow<'a>>)> {
    let record = |job: &&'a Job| {
        let job = *job;
        let row = |step| Row { job, step, element: None, context };
        let steps = job.steps.iter().filter(|step| query.shows_step(job, step.id));
        (row(None), steps.map(|step| StepRow { row: row(Some(step)), step }).collect())
    };
    shown.iter().map(record).collect()
}

/// Appends the rows of these jobs: a job, then its steps.
fn rows(
    shown: &[&Job],
    query: &Query,
    columns: &[Column<Accounting>],
    layout: &Layout,
    each: bool,
    context: &Context,
    out: &mut String,
) {
    for job in shown.iter().copied() {
        if query.shows_job(job) {
            let pending =
                job.array.as_ref().filter(|array| each && array.task_id.is_none()).map(|array| &array.pending);
            match pending {
                Some(pending) => pending.iter().for_each(|task| {
                    let row = Row { job, step: None, element: Some(task), context };
                    sacct_table::row(columns, layout, &row, out);
                }),
                None => sacct_table::row(columns, layout, &Row { job, step: None, element: None, context }, out),
            }
        }
        for step in &job.steps {
            if query.shows_step(job, step.id) {
                sacct_table::row(columns, layout, &Row { job, step: Some(step), element: None, context }, out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        job::{ArrayRef, ExitStatus, Step, StepId, Usage},
        report::{clock::utc, sample_jobs},
        slurm::{array::ArraySpec, state::JobState},
    };
    use std::sync::Arc;

    fn listed(words: &str, jobs: &[Job]) -> String {
        let args: Vec<OsString> = words.split_whitespace().map(Into::into).collect();
        let parsed = options::parse(Sacct, &args, &|_| None).unwrap();
        let query = Query::read(&parsed, Local.timestamp_opt(sample_jobs::START + 30, 0).unwrap()).unwrap();
        let partitions = [sample_jobs::gpu()];
        let clock = Clock::new(utc, None, sample_jobs::START + 30);
        let jobs_context = job_values::Context {
            cluster: "lab",
            partitions: &partitions,
            clock,
            bitstr_len: 64,
            noconvert: false,
            expand: false,
        };
        let context = Context { jobs: jobs_context, units: units(&parsed.options) };
        let (columns, layout) = (columns(&parsed.options).unwrap(), layout(&parsed.options));
        let mut out = String::new();
        rows(&shown(jobs, &query), &query, &columns, &layout, parsed.options.is_set("array"), &context, &mut out);
        out
    }

    fn array() -> Vec<Job> {
        let spec = Arc::new(ArraySpec::parse("1-4%2", 1001).unwrap());
        let of = |id, task_id, pending: &[u32], state| {
            let mut job = sample_jobs::job(id, |request| request.name = "arr".into(), state);
            let pending = pending.iter().copied().collect();
            job.array = Some(ArrayRef { job_id: 127, spec: spec.clone(), throttle: Some(2), task_id, pending });
            job.cancelled_by = Some(2001);
            job
        };
        let mut batch = step(StepId::Batch);
        batch.exit = ExitStatus::signaled(15);
        batch.state = JobState::Cancelled;
        let mut jobs = vec![
            of(127, None, &[3, 4], JobState::Cancelled),
            of(128, Some(1), &[], JobState::Cancelled),
            of(129, Some(2), &[], JobState::Cancelled),
        ];
        jobs[1].steps = vec![batch];
        jobs
    }

    fn step(id: StepId) -> Step {
        Step {
            id,
            name: "batch".into(),
            state: JobState::Completed,
            nodes: vec!["node1".into()],
            tasks: 1,
            cpus: 1,
            memory: 0,
            gpus: 0,
            tasks_per_node: vec![1],
            start: sample_jobs::START,
            end: Some(sample_jobs::START + 2),
            exit: ExitStatus::default(),
            usage: Usage::default(),
            cancelled_by: None,
            command: String::new(),
        }
    }

    /// scancel.txt, sacct.txt
    #[test]
    fn arrays_are_listed_as_recorded() {
        let expected = "\
127_1                     CANCELLED by 2001 
127_2                     CANCELLED by 2001 
127_[3-4%2]               CANCELLED by 2001 
";
        assert_eq!(listed("-n -X -j 127 -o jobid,state%30", &array()), expected);
        let ids = |words: &str| listed(&format!("-P -o jobid {words}"), &array()).replace('\n', " ");
        assert_eq!(ids("-j 127"), "127_1 127_1.batch 127_2 127_[3-4%2] ");
        assert_eq!(ids("-j 127_1"), "127_1 127_1.batch ");
        assert_eq!(ids("-j 127_1.batch"), "127_1.batch ");
        assert_eq!(ids("-j 128 -X"), "127_1 ");
        assert_eq!(ids("-X -j 127_[1-2]"), "127_1 127_2 ");
        assert_eq!(ids("-X -j 127 --array"), "127_1 127_2 127_3 127_4 ");
        assert_eq!(ids("-X -j 127_9"), "");
        assert_eq!(ids("-j 999999"), "");
    }

    #[test]
    fn formats_are_chosen() {
        let jobs = [sample_jobs::job(9, |_| {}, JobState::Failed)];
        assert_eq!(listed("-b -j 9", &jobs), "9                FAILED      0:0 \n");
        assert_eq!(listed("-P -o jobid -o state -j 9", &jobs), "9|FAILED\n");
        assert_eq!(
            listed("-j 9 --units=G -o reqmem,reqtres%40", &jobs),
            "     3.91G         billing=2,cpu=2,mem=3.91G,node=1 \n"
        );
        assert_eq!(listed("-l -P -j 9", &jobs).matches('|').count(), 53);
        let args = ["-o", "jobid,bogus"].map(OsString::from);
        let parsed = options::parse(Sacct, &args, &|_| None).unwrap();
        let refusal = columns(&parsed.options).err().unwrap();
        assert_eq!(
            (refusal.lines.join(""), refusal.exit),
            ("sacct: error: Invalid field requested: \"bogus\"".to_owned(), 1)
        );
    }

    /// Ten thousand jobs in a few ms, of which a debug build takes ten times as many.
    #[test]
    fn many_jobs_are_listed_quickly() {
        let one = sample_jobs::job(1, |_| {}, JobState::Completed);
        let many: Vec<Job> = (1..=10_000).map(|id| Job { id, ..one.clone() }).collect();
        let begun = std::time::Instant::now();
        assert_eq!(listed("-a", &many).lines().count(), 10_000);
        assert!(begun.elapsed().as_millis() < 2000);
    }
}
