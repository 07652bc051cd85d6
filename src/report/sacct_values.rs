//! What sacct shows of a job or step that is not simply a field of its record.

use super::{clock::Clock, job_values as jobs, sacct_fields::Row};
use crate::{
    job::{Job, Partition, Step},
    slurm::{
        gres::{GresList, Tres},
        memory::Mebibytes,
        reason::Reason,
        state::JobState,
    },
};

/// What a listing knows besides the jobs.
pub struct Context<'a> {
    /// What listings of jobs know: cluster, partitions, clock.
    pub jobs: jobs::Context<'a>,
    /// `--units`, `--noconvert`
    pub units: Units,
}

impl Context<'_> {
    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.jobs.clock
    }

    /// The partitions of the cluster.
    pub fn partitions(&self) -> &[Partition] {
        self.jobs.partitions
    }
}

/// In which unit sizes are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Units {
    /// The largest that does not cost precision.
    #[default]
    Best,
    /// `--noconvert`: as it was measured or asked for.
    AsIs,
    /// `--units`: `K`, `M`, `G`, `T` or `P`.
    Fixed(char),
}

const LETTERS: &str = "KMGTP";

/// A size of `value` in units of `base` (a letter of [`LETTERS`]): `2000M`, `1684K`, `1.95G`, `0`.
pub fn size(value: u64, base: char, units: Units) -> String {
    if value == 0 {
        return "0".to_owned();
    }
    let place = |letter: char| LETTERS.find(letter).unwrap_or(0) as i32;
    let (amount, letter) = match units {
        Units::AsIs => (value as f64, base),
        Units::Fixed(letter) => (value as f64 / 1024_f64.powi(place(letter) - place(base)), letter),
        Units::Best => {
            let (mut amount, mut at) = (value as f64, place(base) as usize);
            // Slurm's own arithmetic: half units are exact enough.
            while amount >= 1024.0 && (amount as u64).is_multiple_of(512) && at + 1 < LETTERS.len() {
                amount /= 1024.0;
                at += 1;
            }
            (amount, LETTERS.chars().nth(at).unwrap_or(base))
        }
    };
    match amount.fract() == 0.0 {
        true => format!("{amount:.0}{letter}"),
        false => format!("{amount:.2}{letter}"),
    }
}

/// CPU time: `00:00.002` below an hour with a part of a second, else `00:00:04` or `1-02:03:04`.
pub fn cpu_time(micros: u64) -> String {
    let (seconds, millis) = (micros / 1_000_000, micros % 1_000_000 / 1000);
    match (seconds < 3600, micros % 1_000_000) {
        (true, 1..) => format!("{:02}:{:02}.{millis:03}", seconds / 60, seconds % 60),
        _ => crate::slurm::time::elapsed_sacct(i64::try_from(seconds).unwrap_or(i64::MAX)),
    }
}

/// TRES in sacct's order, that of the alphabet: `billing=2,cpu=2,mem=4000M,node=1`.
pub fn tres(tres: &Tres, units: Units) -> String {
    let number = |name: &str, count: u64| (count > 0).then(|| format!("{name}={count}"));
    let mut parts: Vec<String> = number("billing", tres.billing).into_iter().chain(number("cpu", tres.cpu)).collect();
    let mut gres: Vec<String> =
        tres.gres.0.iter().filter_map(|g| number(&format!("gres/{}", g.name), g.count)).collect();
    gres.sort();
    parts.extend(gres);
    if tres.mem.0 > 0 {
        parts.push(format!("mem={}", size(tres.mem.0, 'M', units)));
    }
    parts.extend(number("node", tres.node));
    parts.join(",")
}

/// What the job or step has. A job that never started has nothing; only jobs are billed.
pub fn allocated(row: &Row) -> Option<Tres> {
    jobs::allocation(row.job)?;
    Some(row.step.map_or_else(|| jobs::tres(row.job, &row.context.jobs), jobs::step_tres))
}

/// What the job asked for, as TRES.
pub fn requested(row: &Row) -> Tres {
    let job = row.job;
    let nodes = u64::from(job.min_nodes);
    let (memory, per_cpu) = jobs::memory(job, &row.context.jobs);
    let cpus = u64::from(job.min_cpus);
    let mem = memory.saturating_mul(if per_cpu { cpus } else { nodes });
    // The allocation's memory is meant where a whole node's was asked for.
    let mem = if mem == 0 { jobs::allocation(job).map_or(0, |p| p.memory()) } else { mem };
    let gres = jobs::requested_gres(job, nodes);
    Tres { cpu: cpus, mem: Mebibytes(mem), node: nodes, billing: cpus, gres: GresList(gres) }
}

/// Seconds it has run.
pub fn elapsed(row: &Row) -> i64 {
    let now = row.context.clock().now();
    match row.step {
        Some(step) => (step.end.unwrap_or(now) - step.start).max(0),
        None => row.job.elapsed(now),
    }
}

/// CPUs of the job or step.
pub fn cpus(row: &Row) -> u32 {
    row.step.map_or_else(|| jobs::cpus(row.job), |step| step.cpus)
}

/// The fields of a job that are its steps' together.
pub const OF_ALL_STEPS: [&str; 3] = ["SystemCPU", "TotalCPU", "UserCPU"];

/// CPU time in user mode and in the kernel, µs; a job's is its steps'.
pub fn cpu_used(row: &Row) -> (u64, u64) {
    let steps = row.step.map_or(row.job.steps.as_slice(), std::slice::from_ref);
    steps.iter().fold((0, 0), |(user, system), step| {
        (user.saturating_add(step.usage.user_us), system.saturating_add(step.usage.system_us))
    })
}

/// Seconds it waited from when it could start (`Planned`).
pub fn planned(job: &Job, now: i64) -> Option<i64> {
    let until = match job.state {
        JobState::Pending => now,
        _ => job.start_time.or(job.end_time)?,
    };
    Some((until - job.eligible_time?).max(0))
}

/// `CANCELLED by 2001`, `REQUEUED`, `COMPLETED`, ...
pub fn write_state(row: &Row, out: &mut String) {
    let (state, by) = match row.step {
        Some(step) => (step.state, step.cancelled_by),
        // A record that ended with a flag is that of an earlier run (`--duplicates`).
        None => (
            row.job
                .flag
                .filter(|_| row.job.end_time.is_some() && row.job.state == JobState::Pending)
                .unwrap_or(row.job.state),
            row.job.cancelled_by,
        ),
    };
    out.push_str(state.name());
    if let Some(uid) = by.filter(|_| state == JobState::Cancelled) {
        out.push_str(" by ");
        super::table::number(out, uid);
    }
}

/// Why it waited; how it ended is no reason here.
pub fn waited_for(job: &Job) -> &'static str {
    use Reason::*;
    match job.reason {
        NonZeroExitCode | RaisedSignal | TimeLimit | NodeDown | JobLaunchFailure | OutOfMemory | DeadLine => "None",
        reason => reason.text(),
    }
}

/// `Block` or `Cyclic`, as srun lays tasks out when nobody says.
pub fn layout(step: &Step) -> &'static str {
    match step.id.is_numbered() {
        true if step.tasks as usize > step.nodes.len() => "Block",
        true => "Cyclic",
        false => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// sacct.txt, and asked of the same Slurm.
    #[test]
    fn sizes_are_slurms() {
        for (value, base, units, shown) in [
            (2000, 'M', Units::Best, "2000M"),
            (20_480, 'M', Units::Best, "20G"),
            (1684, 'K', Units::Best, "1684K"),
            (2000, 'M', Units::Fixed('G'), "1.95G"),
            (2000, 'M', Units::Fixed('K'), "2048000K"),
            (20_480, 'M', Units::Fixed('T'), "0.02T"),
            (20_480, 'M', Units::AsIs, "20480M"),
            (0, 'K', Units::Best, "0"),
        ] {
            assert_eq!(size(value, base, units), shown);
        }
    }

    #[test]
    fn cpu_times_are_slurms() {
        assert_eq!(cpu_time(2000), "00:00.002");
        assert_eq!(cpu_time(0), "00:00:00");
        assert_eq!(cpu_time(61_500_000), "01:01.500");
        assert_eq!(cpu_time(4_000_000), "00:00:04");
        assert_eq!(cpu_time(93_784_500_000), "1-02:03:04");
        cpu_time(u64::MAX);
    }
}
