//! `scontrol show step`.

use super::{Record, Style};
use crate::{
    job::{Job, Step},
    report::{clock::Clock, job_values::step_tres, sacct_values::layout},
    slurm::hostlist,
};

/// Appends the record of a step.
pub fn step(job: &Job, step: &Step, clock: &Clock, style: Style, out: &mut String) {
    let numbered = step.id.is_numbered();
    let mut record = Record::new(style, out);
    // Of a component of a heterogeneous job it is the id of its own that is shown.
    let id = if job.het.is_some() { job.id.to_string() } else { job.shown_id(0).to_string() };
    record.put("StepId", format!("{id}.{}", step.id)).number("UserId", job.request.user.uid);
    record.with("StartTime", |out| clock.write(step.start, out)).fixed("TimeLimit=UNLIMITED").line();
    record.put("State", step.state.name()).put("Partition", &job.partition);
    record.put("NodeList", hostlist::compress_sorted(&step.nodes)).line();
    record.number("Nodes", step.nodes.len() as i64).number("CPUs", if numbered { step.cpus } else { 0 });
    record.number("Tasks", step.tasks).put("Name", &step.name).fixed("Network=(null)").line();
    record.put("TRES", if numbered { step_tres(step).to_string() } else { "(null)".to_owned() }).line();
    record.fixed("ResvPorts=(null)").line();
    record.fixed("CPUFreqReq=Default");
    if numbered {
        record.put("Dist", layout(step));
    }
    record.line();
    // Nobody keeps which process asked for it.
    record.fixed("SrunHost:Pid=(null):0").end();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        job::{ExitStatus, StepId, Usage},
        report::{clock::utc, sample_jobs},
        slurm::state::JobState,
    };

    #[test]
    fn records_are_those_of_sinfo_txt() {
        let job = sample_jobs::job(140, |_| {}, JobState::Running);
        let sample = Step {
            id: StepId::Batch,
            name: "batch".into(),
            state: JobState::Running,
            nodes: vec!["node1".into()],
            tasks: 1,
            cpus: 2,
            memory: 0,
            gpus: 0,
            tasks_per_node: vec![1],
            start: sample_jobs::START,
            end: None,
            exit: ExitStatus::default(),
            usage: Usage::default(),
            cancelled_by: None,
            command: String::new(),
        };
        let mut out = String::new();
        step(&job, &sample, &Clock::new(utc, None, 0), Style::default(), &mut out);
        let expected = "\
StepId=140.batch UserId=2001 StartTime=2026-11-20T11:39:16 TimeLimit=UNLIMITED
   State=RUNNING Partition=gpu NodeList=node1
   Nodes=1 CPUs=0 Tasks=1 Name=batch Network=(null)
   TRES=(null)
   ResvPorts=(null)
   CPUFreqReq=Default
   SrunHost:Pid=(null):0

";
        assert_eq!(out, expected);
    }
}
