use super::*;
use crate::{
    job::{ArrayRef, Depth, ExitStatus, Usage},
    report::{
        clock::{Clock, utc},
        sacct_table::{self, Layout},
        sacct_values::Units,
        sample_jobs::{self, START},
        samples,
    },
    slurm::{array::ArraySpec, reason::Reason, state::JobState},
};
use proptest::prelude::*;
use std::sync::Arc;

fn step(id: StepId, name: &str, state: JobState) -> Step {
    Step {
        id,
        name: name.into(),
        state,
        nodes: vec!["node1".into()],
        tasks: 1,
        cpus: 2,
        memory: 4000,
        gpus: 0,
        tasks_per_node: vec![1],
        start: START,
        end: Some(START + 2),
        exit: ExitStatus::default(),
        usage: Usage::default(),
        cancelled_by: None,
        command: String::new(),
    }
}

/// Job 112 of sacct.txt.
fn steps() -> Job {
    let mut job = sample_jobs::job(112, |_| {}, JobState::Completed);
    job.derived_exit = ExitStatus::exited(1);
    let mut batch = step(StepId::Batch, "batch", JobState::Completed);
    batch.usage = Usage { user_us: 16_000, system_us: 3_000, max_rss_kib: 1684 };
    let external = step(StepId::Extern, "extern", JobState::Completed);
    let mut failed = step(StepId::Number(1), "false", JobState::Failed);
    failed.end = Some(START);
    failed.exit = ExitStatus::exited(1);
    failed.command = "srun -n1 false".into();
    job.steps = vec![batch, external, failed];
    job
}

fn shown(job: &Job, format: &str, layout: &Layout) -> String {
    let partitions = [sample_jobs::gpu()];
    let clock = Clock::new(utc, None, START + 20);
    let jobs = jobs::Context {
        cluster: "lab",
        partitions: &partitions,
        clock,
        bitstr_len: 64,
        noconvert: false,
        expand: false,
    };
    let context = Context { jobs, units: Units::Best };
    let columns = sacct_table::columns::<Accounting>(format).unwrap();
    let mut out = String::new();
    sacct_table::header(&columns, layout, &mut out);
    for step in std::iter::once(None).chain(job.steps.iter().map(Some)) {
        sacct_table::row(&columns, layout, &Row { job, step, element: None, context: &context }, &mut out);
    }
    out
}

#[test]
fn what_is_brief_needs_no_more() {
    let said = Arc::new(samples::request_that_says_all("said"));
    for state in [JobState::Pending, JobState::Running, JobState::Cancelled] {
        let whole = Job { request: Arc::clone(&said), ..sample_jobs::job(112, |_| {}, state) };
        let brief = samples::sent(Depth::Brief, std::slice::from_ref(&whole)).remove(0);
        for name in BRIEF {
            let of = |job| shown(job, name, &Layout::Parsable("|".into()));
            assert_eq!(of(&brief), of(&whole), "{name}");
        }
    }
}

const DEFAULT: &str = "JobID%-12,JobName,Partition,Account,AllocCPUS,State,ExitCode";

#[test]
fn the_default_table_is_that_of_sacct_txt() {
    let expected = "\
JobID           JobName  Partition    Account  AllocCPUS      State ExitCode 
------------ ---------- ---------- ---------- ---------- ---------- -------- 
112               steps        gpu   research          2  COMPLETED      0:0 
112.batch         batch              research          2  COMPLETED      0:0 
112.extern       extern              research          2  COMPLETED      0:0 
112.1             false              research          2     FAILED      1:0 
";
    assert_eq!(shown(&steps(), DEFAULT, &Layout::Columns), expected);
}

#[test]
fn parsable_tables_are_those_of_sacct_txt() {
    let job = Job { steps: steps().steps.split_off(2), ..steps() };
    let lines = |layout| shown(&job, "jobid,partition,state%3", &layout);
    assert_eq!(lines(Layout::Parsable("|".into())), "JobID|Partition|State|\n112|gpu|COMPLETED|\n112.1||FAILED|\n");
    assert_eq!(
        lines(Layout::Parsable2("::".into())),
        "JobID::Partition::State\n112::gpu::COMPLETED\n112.1::::FAILED\n"
    );
}

/// The rows of `sacct -P -o all` in sacct.txt, field by field as far as they are measured here.
#[test]
fn every_field_is_as_recorded() {
    let all = shown(&steps(), "all", &Layout::Parsable2("|".into()));
    let table: Vec<Vec<&str>> = all.lines().map(|line| line.split('|').collect()).collect();
    assert_eq!(table[0].len(), 109);
    let value = |row: usize, name: &str| table[row][table[0].iter().position(|n| *n == name).unwrap()];
    for (name, job, batch, step) in [
        ("AllocTRES", "billing=2,cpu=2,mem=4000M,node=1", "cpu=2,mem=4000M,node=1", "cpu=2,mem=4000M,node=1"),
        ("ReqTRES", "billing=2,cpu=2,mem=4000M,node=1", "", ""),
        ("Cluster", "lab", "lab", "lab"),
        ("CPUTime", "00:00:04", "00:00:04", "00:00:00"),
        ("CPUTimeRAW", "4", "4", "0"),
        ("DerivedExitCode", "1:0", "", ""),
        ("Elapsed", "00:00:02", "00:00:02", "00:00:00"),
        ("Eligible", "2026-11-20T11:39:16", "2026-11-20T11:39:16", "2026-11-20T11:39:16"),
        ("End", "2026-11-20T11:39:18", "2026-11-20T11:39:18", "2026-11-20T11:39:16"),
        ("GID", "2001", "", ""),
        ("JobIDRaw", "112", "112.batch", "112.1"),
        ("Layout", "", "Unknown", "Cyclic"),
        ("MaxRSS", "", "1684K", ""),
        ("NCPUS", "2", "2", "2"),
        ("NNodes", "1", "1", "1"),
        ("NodeList", "node1", "node1", "node1"),
        ("NTasks", "", "1", "1"),
        ("Priority", "4294901676", "", ""),
        ("QOS", "normal", "", ""),
        ("Reason", "None", "", ""),
        ("ReqCPUFreq", "Unknown", "0", "Unknown"),
        ("ReqMem", "4000M", "", ""),
        ("Reserved", "00:00:00", "", ""),
        ("SubmitLine", "sbatch -Q --wait -J steps -n2 --wrap true", "", "srun -n1 false"),
        ("Suspended", "00:00:00", "00:00:00", "00:00:00"),
        ("SystemCPU", "00:00.003", "00:00.003", "00:00:00"),
        ("Timelimit", "1-00:00:00", "", ""),
        ("TimelimitRaw", "1440", "", ""),
        ("TotalCPU", "00:00.019", "00:00.019", "00:00:00"),
        ("TRESUsageInTot", "", "cpu=00:00:00,energy=0,mem=1684K", "energy=0"),
        ("User", "alice", "", ""),
        ("WorkDir", "/tmp/slurm-rec/home/alice/w", "", ""),
    ] {
        assert_eq!((value(1, name), value(2, name), value(4, name)), (job, batch, step), "{name}");
    }
}

#[test]
fn values_that_are_cut_are_marked() {
    let mut job =
        sample_jobs::job(89, |request| request.name = "a-very-long-job-name-indeed".into(), JobState::Cancelled);
    job.cancelled_by = Some(2001);
    assert!(
        shown(&job, DEFAULT, &Layout::Columns)
            .ends_with("89           a-very-lo+        gpu   research          2 CANCELLED+      0:0 \n")
    );
    assert!(
        shown(&job, "jobid%-20,state%20", &Layout::Columns).ends_with("89                      CANCELLED by 2001 \n")
    );
    assert!(shown(&job, "state%5", &Layout::Columns).ends_with("State \n----- \nCANC+ \n"));
    assert_eq!(shown(&job, "jobid%0", &Layout::Columns), " \n \n \n");
}

/// scancel.txt: what is left of an array when it is cancelled.
#[test]
fn the_rest_of_an_array_is_one_row() {
    let mut job = sample_jobs::job(127, |_| {}, JobState::Cancelled);
    job.cancelled_by = Some(2001);
    (job.start_time, job.placement) = (None, None);
    job.reason = Reason::JobArrayTaskLimit;
    let spec = Arc::new(ArraySpec::parse("1-6%2", 1001).unwrap());
    job.array = Some(ArrayRef { job_id: 127, spec, throttle: Some(2), task_id: None, pending: (3..=4).collect() });
    let text = shown(&job, "jobid,state%30,start,nodelist,alloctres,allocnodes", &Layout::Parsable2("|".into()));
    assert!(text.ends_with("\n127_[3-4%2]|CANCELLED by 2001|None|None assigned||0\n"), "{text}");
    job.eligible_time = None;
    assert!(shown(&job, "start", &Layout::Columns).ends_with("2026-11-20T11:39:18 \n"));
    let mut waits = sample_jobs::job(7, |_| {}, JobState::Pending);
    waits.reason = Reason::Dependency;
    let text = shown(&waits, "start,end,state,reason,planned", &Layout::Parsable2("|".into()));
    assert!(text.ends_with("\nUnknown|Unknown|PENDING|Dependency|00:00:20\n"), "{text}");
}

#[test]
fn the_list_of_fields_is_that_of_sacct_txt() {
    let text = sacct_table::help_format::<Accounting>(19);
    assert!(
        text.starts_with("Account             AdminComment        AllocCPUS           AllocNodes         \nAllocTRES ")
    );
    assert!(text.ends_with("\nWorkDir            \n"));
    assert_eq!(text.split_whitespace().count(), 109);
}

#[test]
fn beginnings_of_names_are_the_real_ones() {
    let name = |text: &str| Field::find(text).map(|f| f.name);
    for (text, field) in [
        ("job", "JobID"),
        ("jobn", "JobName"),
        ("s", "Start"),
        ("e", "Elapsed"),
        ("MAX", "MaxDiskRead"),
        ("user", "User"),
    ] {
        assert_eq!(name(text), Some(field));
    }
    assert_eq!(
        sacct_table::columns::<Accounting>("jobid,bogus").err().unwrap().to_string(),
        "Invalid field requested: \"bogus\""
    );
}

proptest! {
    #[test]
    fn any_format_prints_or_is_refused(text in "\\PC{0,30}", odd in "(jobid|state|all|%|-|[0-9]|,| ){0,12}") {
        for text in [text, odd] {
            if sacct_table::columns::<Accounting>(&text).is_ok() {
                shown(&steps(), &text, &Layout::Columns);
            }
        }
    }
}

#[test]
fn few_fields_of_a_job_are_its_steps() {
    let whole = Job { state: JobState::Completed, ..steps() };
    let alone = Job { steps: Vec::new(), ..whole.clone() };
    for field in FIELDS {
        let of = |job| shown(job, field.name, &Layout::Parsable2("|".into()));
        let of_job = |job| of(job).lines().nth(1).unwrap_or_default().to_owned();
        assert_eq!(of_job(&whole) != of_job(&alone), values::OF_ALL_STEPS.contains(&field.name), "{}", field.name);
    }
}
