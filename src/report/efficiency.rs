//! How well a job used what it had, as seff (2.1) prints it.

use super::{
    job_values as values,
    sacct_fields::Row,
    sacct_values::{self, Context},
    table::number,
};
use crate::{
    job::{Job, Step},
    slurm::{state::JobState, time::elapsed_sacct},
};

const UNITS: [&str; 6] = ["K", "M", "G", "T", "P", "E"];

/// KiB in the largest unit there is one of: `1.95 GB`, `0.00 MB`.
fn size(kib: f64) -> String {
    if kib < 1.0 {
        return "0.00 MB".to_owned();
    }
    let place = UNITS.len().min(1 + kib.log(1024.0) as usize) - 1;
    let unit = UNITS.get(place).copied().unwrap_or_default();
    format!("{:.2} {unit}B", kib / 1024_f64.powi(place as i32))
}

/// The memory of a step, KiB, and whether it was measured. Of several tasks only the largest is known: had all been like it.
fn memory(step: &Step) -> (u64, bool) {
    (step.usage.max_rss_kib.saturating_mul(u64::from(step.tasks.max(1))), step.tasks <= 1)
}

fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole * 100.0 } else { 0.0 }
}

/// What is counted with, as `-d` shows it: 15 names and 14 values, as in seff itself.
fn raw(job: &Job, context: &Context) -> String {
    let row = Row { job, step: None, element: None, context };
    let array = job.array.as_ref().and_then(|array| Some(format!("{}_{}", array.job_id, array.task_id?)));
    let (user, group) = (&job.request.user.name, &job.request.user.group);
    let asked = values::requested_tres(job, &context.jobs).mem.0.saturating_mul(1024);
    let per_node = u8::from(!values::memory(job, &context.jobs).1);
    let most = job.steps.iter().map(memory).max().unwrap_or((0, true)).0;
    format!(
        "Slurm data: JobID ArrayJobID User Group State Clustername Ncpus Nnodes Ntasks Reqmem PerNode Cput Walltime Mem \
         ExitStatus\nSlurm data: {} {} {user} {group} {} {} {} {} {asked} {per_node} {} {} {most} {}\n\n",
        job.id,
        array.unwrap_or_default(),
        job.state.name(),
        context.jobs.cluster,
        values::cpus(job).max(1),
        values::nodes(job).max(1),
        cpu_seconds(&row),
        sacct_values::elapsed(&row),
        job.exit.code(),
    )
}

/// Seconds of CPUs that were used.
fn cpu_seconds(row: &Row) -> i64 {
    let (in_user, in_system) = sacct_values::cpu_used(row);
    (in_user.saturating_add(in_system).saturating_add(500_000) / 1_000_000) as i64
}

/// The whole text about a job; with `debug` what is counted with stands before it.
pub fn efficiency(job: &Job, context: &Context, debug: bool) -> String {
    let row = Row { job, step: None, element: None, context };
    let (user, state) = (&job.request.user, job.state);
    let (cpus, nodes) = (u64::from(values::cpus(job).max(1)), u64::from(values::nodes(job).max(1)));
    let mut out = if debug { raw(job, context) } else { String::new() };
    out.push_str(&format!("Job ID: {}\n", job.id));
    if let Some((array, task)) = job.array.as_ref().and_then(|array| Some((array.job_id, array.task_id?))) {
        out.push_str(&format!("Array Job ID: {array}_{task}\n"));
    }
    out.push_str(&format!("Cluster: {}\nUser/Group: {}/{}\n", context.jobs.cluster, user.name, user.group));
    out.push_str(&format!("State: {}", state.name()));
    match state {
        JobState::Pending | JobState::Running => out.push('\n'),
        _ => out.push_str(&format!(" (exit code {})\n", job.exit.code())),
    }
    match cpus {
        1 => out.push_str("Cores: 1\n"),
        _ => {
            out.push_str(&format!("Nodes: {nodes}\nCores per node: "));
            number(&mut out, (cpus / nodes) as i64);
            out.push('\n');
        }
    }
    if state == JobState::Pending {
        out.push_str("Efficiency not available for jobs in the PENDING state.\n");
        return out;
    }
    let wall = sacct_values::elapsed(&row);
    let of_cores = wall.saturating_mul(cpus as i64);
    let used = cpu_seconds(&row);
    out.push_str(&format!("CPU Utilized: {}\n", elapsed_sacct(used)));
    let share = percent(used as f64, of_cores as f64);
    out.push_str(&format!("CPU Efficiency: {share:.2}% of {} core-walltime\n", elapsed_sacct(of_cores)));
    out.push_str(&format!("Job Wall-clock time: {}\n", elapsed_sacct(wall)));
    let (most, measured) = job.steps.iter().map(memory).max().unwrap_or((0, true));
    let estimated = if measured { "" } else { " (estimated maximum)" };
    out.push_str(&format!("Memory Utilized: {}{estimated}\n", size(most as f64)));
    let had = values::tres(job, &context.jobs).mem.0.saturating_mul(1024) as f64;
    let (each, of) = match values::memory(job, &context.jobs).1 {
        true => (had / cpus as f64, "core"),
        false => (had / nodes as f64, "node"),
    };
    let share = percent(most as f64, had);
    out.push_str(&format!("Memory Efficiency: {share:.2}% of {} ({}/{of})\n", size(had), size(each)));
    if state == JobState::Running {
        out.push_str(
            "WARNING: Efficiency statistics can only be obtained after the job has ended as seff tool is based on the \
             accounting database data.\n",
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        job::{ExitStatus, StepId, Usage},
        report::{
            clock::{Clock, utc},
            job_values, sample_jobs,
        },
    };

    /// By seff's own arithmetic.
    #[test]
    fn what_was_used_is_told() {
        let mut job = sample_jobs::job(7, |_| {}, JobState::Completed);
        let end = job.end_time.unwrap();
        job.steps.push(Step {
            id: StepId::Batch,
            name: "batch".into(),
            state: JobState::Completed,
            nodes: vec!["node1".into()],
            tasks: 1,
            cpus: 2,
            memory: 4000,
            gpus: 0,
            tasks_per_node: vec![1],
            start: job.start_time.unwrap(),
            end: Some(end),
            exit: ExitStatus::default(),
            usage: Usage { user_us: 1_400_000, system_us: 200_000, max_rss_kib: 512 * 1024 },
            cancelled_by: None,
            command: String::new(),
        });
        let partitions = [sample_jobs::gpu()];
        let clock = Clock::new(utc, None, end);
        let jobs = job_values::Context {
            cluster: "lab",
            partitions: &partitions,
            clock,
            bitstr_len: 64,
            noconvert: false,
            expand: false,
        };
        let context = Context { jobs, units: sacct_values::Units::Best };
        let wall = end - job.start_time.unwrap();
        let out = efficiency(&job, &context, false);
        for line in [
            "Job ID: 7".to_owned(),
            "Cluster: lab".into(),
            "State: COMPLETED (exit code 0)".into(),
            "CPU Utilized: 00:00:02".into(),
            format!("CPU Efficiency: {:.2}% of {} core-walltime", 100.0 / wall as f64, elapsed_sacct(2 * wall)),
            "Memory Utilized: 512.00 MB".into(),
            "Memory Efficiency: 12.80% of 3.91 GB (1.95 GB/core)".into(),
        ] {
            assert!(out.lines().any(|l| l == line), "{line:?} in\n{out}");
        }
        let debug = efficiency(&job, &context, true);
        let [names, data, blank] = debug.lines().take(3).collect::<Vec<_>>()[..] else { panic!("{debug}") };
        assert!(names.ends_with(" Cput Walltime Mem ExitStatus") && blank.is_empty(), "{names}");
        assert!(data.ends_with(&format!(" 2 1 4096000 0 2 {wall} 524288 0")), "{data}");
        job.steps[0].tasks = 3;
        assert!(efficiency(&job, &context, false).contains("Memory Utilized: 1.50 GB (estimated maximum)\n"));
        job.state = JobState::Pending;
        assert!(
            efficiency(&job, &context, false).ends_with("Efficiency not available for jobs in the PENDING state.\n")
        );
        assert_eq!((size(0.0), size(1023.0), size(1024.0)), ("0.00 MB".into(), "1023.00 KB".into(), "1.00 MB".into()));
    }
}
