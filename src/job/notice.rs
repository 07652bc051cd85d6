//! What is said of a job by mail and to hooks: a subject, and variables.

use super::{ArrayRef, Job};
use crate::slurm::{hostlist, layout::repetitions, mail::Occasion, state::JobState, time::elapsed_sacct};

/// What all elements of an array came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The state of all of them; `None`: not the same of all.
    pub state: Option<JobState>,
    /// Lowest and highest exit code.
    pub codes: (u8, u8),
}

/// The subject of a mail, as Slurm writes it; of all of an array with its summary.
pub fn subject(job: &Job, occasion: Occasion, summary: Option<Summary>, now: i64) -> String {
    let which = match (&job.array, summary.is_some()) {
        (Some(ArrayRef { job_id, .. }), true) => format!("Array Summary Job_id={job_id}_* ({job_id})"),
        (Some(ArrayRef { job_id, task_id: Some(task), .. }), _) => {
            format!("Array Task Job_id={job_id}_{task} ({})", job.id)
        }
        _ => format!("Job_id={}", job.id),
    };
    let mut text = format!("Slurm {which} Name={} {}", job.request.name, occasion.words());
    match summary {
        Some(_) if occasion == Occasion::Begin => {}
        Some(Summary { state, codes: (low, high) }) => {
            text += &format!(", {}, ExitCode [{low}-{high}]", state.map_or("Mixed", JobState::name));
        }
        None => {
            text += &time(job, occasion, now)
                .map(|(name, secs)| format!(", {name} time {}", elapsed_sacct(secs)))
                .unwrap_or_default();
            if matches!(occasion, Occasion::End | Occasion::Fail) {
                text += &format!(", {}", job.state.name());
                // What was ended by a signal has no code.
                if job.exit.signal() == 0 {
                    text += &format!(", ExitCode {}", job.exit.code());
                }
            }
        }
    }
    // A name is the user's own: no line of it becomes a header.
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// How long it waited or ran, seconds.
fn time(job: &Job, occasion: Occasion, now: i64) -> Option<(&'static str, i64)> {
    let start = job.start_time?;
    match occasion {
        Occasion::Begin => Some(("Queued", (start - job.submit_time).max(0))),
        Occasion::InvalidDepend => None,
        _ => Some(("Run", (job.end_time.unwrap_or(now) - start).max(0))),
    }
}

/// The variables of a mail program or a hook; of all of an array with its summary. As a real 22.05 sets them.
pub fn environment(
    job: &Job,
    occasion: Occasion,
    summary: Option<Summary>,
    cluster: &str,
    now: i64,
) -> Vec<(&'static str, String)> {
    let request = &job.request;
    // What is put back waits, and so does an array of which one element begins.
    let waits = occasion == Occasion::Requeue || (occasion == Occasion::Begin && summary.is_some());
    // Of a limit that is reached is told before the end that follows.
    let over = job.is_finished() && !matches!(occasion, Occasion::TimeLimit(_));
    let state = match (waits, job.is_finished() && !over) {
        (true, _) => JobState::Pending,
        (_, true) => JobState::Running,
        _ => job.state,
    };
    let mut all = vec![
        ("SLURM_CLUSTER_NAME", cluster.to_owned()),
        ("SLURM_JOBID", job.id.to_string()),
        ("SLURM_JOB_ID", job.id.to_string()),
        ("SLURM_JOB_MAIL_TYPE", occasion.words()),
        ("SLURM_JOB_NAME", request.name.clone()),
        ("SLURM_JOB_STATE", state.name().to_owned()),
        ("SLURM_JOB_PARTITION", job.partition.clone()),
        ("SLURM_JOB_USER", request.user.name.clone()),
        ("SLURM_JOB_UID", request.user.uid.to_string()),
        ("SLURM_JOB_GROUP", request.user.group.clone()),
        ("SLURM_JOB_GID", request.user.gid.to_string()),
        ("SLURM_JOB_WORK_DIR", request.work_dir.clone()),
        ("SLURM_JOB_RESTART_COUNT", job.restarts.to_string()),
        (
            "SLURM_JOB_STDIN",
            request.input.as_ref().map_or_else(|| "/dev/null".into(), |file| request.in_work_dir(file)),
        ),
    ];
    // As they were asked for, patterns and all; nothing of what was not.
    for (name, file) in [("SLURM_JOB_STDOUT", &request.output), ("SLURM_JOB_STDERR", &request.error)] {
        all.extend(file.as_ref().map(|file| (name, request.in_work_dir(file))));
    }
    all.extend(request.account.clone().map(|account| ("SLURM_JOB_ACCOUNT", account)));
    if let Some(ArrayRef { job_id, task_id, spec, .. }) = &job.array {
        all.push(("SLURM_ARRAY_JOB_ID", job_id.to_string()));
        // All of an array is told of by its last element.
        let task = if summary.is_some() { Some(spec.max()) } else { *task_id };
        all.extend(task.map(|task| ("SLURM_ARRAY_TASK_ID", task.to_string())));
        all.push(("SLURM_ARRAY_TASK_COUNT", spec.count().to_string()));
        all.push(("SLURM_ARRAY_TASK_MAX", spec.max().to_string()));
        all.push(("SLURM_ARRAY_TASK_MIN", spec.min().to_string()));
        all.push(("SLURM_ARRAY_TASK_STEP", spec.step().to_string()));
    }
    match job.placement.as_ref().filter(|_| !(waits && summary.is_some())) {
        Some(placement) => {
            all.push(("SLURM_JOB_NODELIST", hostlist::compress(placement.names())));
            all.push(("SLURM_JOB_NUM_NODES", placement.nodes.len().to_string()));
            all.push((
                "SLURM_JOB_CPUS_PER_NODE",
                repetitions(placement.nodes.iter().map(|node| node.cpus.len() as u32)),
            ));
        }
        None => all.push(("SLURM_JOB_NODELIST", "(null)".to_owned())),
    }
    if let Some((name, seconds)) = time(job, occasion, now) {
        all.push((if name == "Run" { "SLURM_JOB_RUN_TIME" } else { "SLURM_JOB_QUEUED_TIME" }, elapsed_sacct(seconds)));
    }
    if over {
        all.push(("SLURM_JOB_EXIT_CODE", job.exit.0.to_string()));
        all.push(("SLURM_JOB_EXIT_CODE2", job.exit.pair()));
        all.push(("SLURM_JOB_DERIVED_EC", job.derived_exit.0.to_string()));
        let (low, high) =
            summary.map_or((None, job.exit.code()), |Summary { codes: (low, high), .. }| (Some(low), high));
        all.push(("SLURM_JOB_EXIT_CODE_MAX", high.to_string()));
        all.extend(low.map(|low| ("SLURM_JOB_EXIT_CODE_MIN", low.to_string())));
    }
    // What has a NUL in it is no variable.
    all.retain(|(_, value)| !value.contains('\0'));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        job::{ExitStatus, Request},
        slurm::array::ArraySpec,
    };
    use std::sync::Arc;

    /// As a real Slurm called its mail program.
    #[test]
    fn subjects() {
        let request = Request { name: "good".into(), ..Request::default() };
        let mut job = Job { start_time: Some(101), state: JobState::Running, ..Job::new(233, request.into(), 100) };
        let of = |job: &Job, occasion| subject(job, occasion, None, 102);
        assert_eq!(of(&job, Occasion::Begin), "Slurm Job_id=233 Name=good Began, Queued time 00:00:01");
        let time = of(&job, Occasion::TimeLimit(80));
        assert_eq!(time, "Slurm Job_id=233 Name=good Reached 80% of time limit, Run time 00:00:01");
        (job.end_time, job.state) = (Some(102), JobState::Completed);
        assert_eq!(of(&job, Occasion::Requeue), "Slurm Job_id=233 Name=good Requeued, Run time 00:00:01");
        let ended = "Slurm Job_id=233 Name=good Ended, Run time 00:00:01, COMPLETED, ExitCode 0";
        assert_eq!(of(&job, Occasion::End), ended);
        (job.exit, job.state) = (ExitStatus::exited(3), JobState::Failed);
        let failed = "Slurm Job_id=233 Name=good Failed, Run time 00:00:01, FAILED, ExitCode 3";
        assert_eq!(of(&job, Occasion::Fail), failed);
        let killed = Job { exit: ExitStatus::signaled(9), ..job.clone() };
        assert_eq!(of(&killed, Occasion::Fail), "Slurm Job_id=233 Name=good Failed, Run time 00:00:01, FAILED");
        assert_eq!(
            of(&Job { start_time: None, ..job.clone() }, Occasion::InvalidDepend),
            "Slurm Job_id=233 Name=good Invalid dependency"
        );
        let spec = Arc::new(ArraySpec::parse("1-3", 10).unwrap());
        job.array = Some(ArrayRef { job_id: 236, spec, throttle: None, task_id: Some(1), pending: Default::default() });
        let task = "Slurm Array Task Job_id=236_1 (233) Name=good Failed, Run time 00:00:01, FAILED, ExitCode 3";
        assert_eq!(of(&job, Occasion::Fail), task);
        let summary = |occasion| subject(&job, occasion, Some(Summary { state: None, codes: (0, 2) }), 102);
        assert_eq!(summary(Occasion::Begin), "Slurm Array Summary Job_id=236_* (236) Name=good Began");
        assert_eq!(
            summary(Occasion::Fail),
            "Slurm Array Summary Job_id=236_* (236) Name=good Failed, Mixed, ExitCode [0-2]"
        );
    }

    /// As a real Slurm set them for its mail program.
    #[test]
    fn variables() {
        let share =
            |name: &str| crate::job::NodeShare { node: name.into(), cpus: (0..2).collect(), ..Default::default() };
        let placement = crate::job::Placement { nodes: vec![share("n1"), share("n2")] };
        let spec = Arc::new(ArraySpec::parse("1-5:2", 10).unwrap());
        let array = ArrayRef { job_id: 7, spec, throttle: None, task_id: Some(3), pending: Default::default() };
        let job = Job {
            array: Some(array),
            placement: Some(placement),
            start_time: Some(101),
            end_time: Some(102),
            state: JobState::Failed,
            exit: ExitStatus::exited(3),
            ..Job::new(9, Request::default().into(), 100)
        };
        let running = Job { state: JobState::Running, end_time: None, exit: ExitStatus::default(), ..job.clone() };
        let of = |job: &Job, occasion, summary| {
            let all = environment(job, occasion, summary, "lab", 102);
            let value = |name: &str| all.iter().find(|(there, _)| *there == name).map_or("-", |(_, value)| value);
            let names = ["JOB_STATE", "JOB_NODELIST", "JOB_CPUS_PER_NODE", "JOB_EXIT_CODE_MIN", "JOB_EXIT_CODE_MAX"];
            assert_eq!(value("SLURM_ARRAY_TASK_COUNT"), "3");
            assert_eq!((value("SLURM_ARRAY_TASK_STEP"), value("SLURM_JOB_STDIN")), ("2", "/dev/null"));
            names.map(|name| value(&format!("SLURM_{name}")).to_owned()).join(" ")
        };
        let all = Some(Summary { state: None, codes: (0, 3) });
        assert_eq!(of(&job, Occasion::Fail, None), "FAILED n[1-2] 2(x2) - 3");
        assert_eq!(of(&job, Occasion::Fail, all), "FAILED n[1-2] 2(x2) 0 3");
        assert_eq!(of(&job, Occasion::TimeLimit(100), None), "RUNNING n[1-2] 2(x2) - -");
        assert_eq!(of(&running, Occasion::Begin, None), "RUNNING n[1-2] 2(x2) - -");
        assert_eq!(of(&running, Occasion::Begin, all), "PENDING (null) - - -");
        assert_eq!(of(&running, Occasion::Requeue, None), "PENDING n[1-2] 2(x2) - -");
    }

    #[test]
    fn a_name_makes_no_header() {
        let request = Request { name: "a\nBcc: eve".into(), ..Request::default() };
        assert!(!subject(&Job::new(1, request.into(), 0), Occasion::End, None, 0).contains('\n'));
    }
}
