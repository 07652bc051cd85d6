//! The `--sort` texts of squeue and sinfo, and the order they ask for.

use super::{
    field::Kind,
    job_fields::{JobRow, Jobs},
    job_values as values,
    node_groups::NodeRow,
    step_fields::StepRow,
};
use crate::{
    job::{Job, StepId},
    slurm::{hostlist::natural, state::JobState},
};
use std::cmp::Ordering;

/// One key: a letter of `-o`, and which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The letter.
    pub letter: char,
    /// `-` stood before it.
    pub descending: bool,
    /// `#` stood before it: partitions as they are configured, not by name.
    pub configured: bool,
}

/// Letters that squeue refuses as keys for jobs; it takes all others, whether they sort or not (asked of 22.05).
const NO_JOB_KEYS: &str = "aAEFkKoqrRswWxXyYZ";

/// Reads a sort text: letters, each perhaps with `+`, `-` or `#` before it; commas may stand between them.
/// Only the mark right before a letter counts (`sinfo -S '-#P'` is `#P`).
pub fn keys(text: &str) -> Vec<Key> {
    let mut mark = None;
    let mut keys = Vec::new();
    for letter in text.chars() {
        if !matches!(letter, '-' | '+' | '#' | ',') {
            keys.push(Key { letter, descending: mark == Some('-'), configured: mark == Some('#') });
        }
        mark = Some(letter);
    }
    keys
}

/// The keys of `squeue --sort`, or the letter that is none. Slurm looks at the last letter first.
pub fn job_keys(text: &str) -> Result<Vec<Key>, char> {
    let keys = keys(text);
    match keys.iter().rev().find(|k| !k.letter.is_ascii_alphabetic() || NO_JOB_KEYS.contains(k.letter)) {
        Some(key) => Err(key.letter),
        None => Ok(keys),
    }
}

/// Whether all keys are among these fields of jobs, named as for `-O`.
pub fn is_only_by(keys: &[Key], names: &[&str]) -> bool {
    let is_known = |key: &Key| {
        let field = Jobs::FIELDS.iter().find(|field| field.letter == Some(key.letter));
        field.is_none_or(|field| field.names.iter().any(|name| names.contains(name)))
    };
    keys.iter().all(is_known)
}

/// Sorts lines of jobs; those that are equal stay as they are.
pub fn jobs(rows: &mut [JobRow<'_>], keys: &[Key]) {
    rows.sort_by(|a, b| by_keys(keys, |key| compare_jobs(key.letter, a, b)));
}

/// Sorts lines of steps.
pub fn steps(rows: &mut [StepRow<'_>], keys: &[Key]) {
    rows.sort_by(|a, b| by_keys(keys, |key| compare_steps(key.letter, a, b)));
}

/// Sorts lines of sinfo.
pub fn nodes(rows: &mut [NodeRow<'_>], keys: &[Key]) {
    rows.sort_by(|a, b| by_keys(keys, |key| compare_nodes(*key, a, b)));
}

fn by_keys(keys: &[Key], compare: impl Fn(&Key) -> Ordering) -> Ordering {
    for key in keys {
        let order = compare(key);
        let order = if key.descending { order.reverse() } else { order };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn compare_jobs(letter: char, a: &JobRow, b: &JobRow) -> Ordering {
    let (x, y) = (a.job, b.job);
    let (ask, bsk) = (&x.request, &y.request);
    match letter {
        'b' => ask.gres.iter().map(|g| &g.name).cmp(bsk.gres.iter().map(|g| &g.name)),
        'B' => values::batch_host(x).cmp(&values::batch_host(y)),
        'c' => values::min_cpus_per_node(ask).cmp(&values::min_cpus_per_node(bsk)),
        'C' => values::cpus(x).cmp(&values::cpus(y)),
        'd' => ask.tmp.cmp(&bsk.tmp),
        'D' => values::nodes(x).cmp(&values::nodes(y)),
        'e' => late(values::end_time(x)).cmp(&late(values::end_time(y))),
        'f' => ask.constraint.cmp(&bsk.constraint),
        'g' => ask.user.group.cmp(&bsk.user.group),
        'G' => ask.user.gid.cmp(&bsk.user.gid),
        // What waits of an array stands behind its elements (limits.txt).
        'i' => (x.array_job_id(), a.task().is_none(), a.task(), x.id).cmp(&(
            y.array_job_id(),
            b.task().is_none(),
            b.task(),
            y.id,
        )),
        'j' => ask.name.cmp(&bsk.name),
        'l' => late(x.time_limit.seconds()).cmp(&late(y.time_limit.seconds())),
        'L' => time_left(x, a.context.clock.now()).cmp(&time_left(y, b.context.clock.now())),
        'm' => values::memory(x, a.context).0.cmp(&values::memory(y, b.context).0),
        'M' => x.elapsed(a.context.clock.now()).cmp(&y.elapsed(b.context.clock.now())),
        'n' => ask.nodelist.cmp(&bsk.nodelist),
        'N' => first_node(x).cmp(&first_node(y)),
        'p' | 'Q' => x.priority.cmp(&y.priority),
        'P' => compare_partitions(a, b),
        'S' => late(values::start_time(x)).cmp(&late(values::start_time(y))),
        't' => x.shown_state().code().cmp(y.shown_state().code()),
        'T' => x.shown_state().name().cmp(y.shown_state().name()),
        'u' => ask.user.name.cmp(&bsk.user.name),
        'U' => ask.user.uid.cmp(&bsk.user.uid),
        'V' => x.submit_time.cmp(&y.submit_time),
        _ => Ordering::Equal,
    }
}

/// By the text of the partition column, which for a waiting job may be a list.
fn compare_partitions(a: &JobRow, b: &JobRow) -> Ordering {
    match (several(a), several(b)) {
        (None, None) => partition(a).cmp(partition(b)),
        (x, y) => {
            let text = |list: Option<&[String]>, row| list.map_or_else(|| partition(row).to_owned(), |l| l.join(","));
            text(x, a).cmp(&text(y, b))
        }
    }
}

fn several<'a>(row: &JobRow<'a>) -> Option<&'a [String]> {
    let list = &row.job.request.partitions;
    (row.partition.is_none() && row.job.state == JobState::Pending && list.len() > 1).then_some(list.as_slice())
}

fn partition<'a>(row: &JobRow<'a>) -> &'a str {
    row.partition.unwrap_or(&row.job.partition)
}

fn compare_steps(letter: char, a: &StepRow, b: &StepRow) -> Ordering {
    match letter {
        // By the job's own id, whatever array it is of (squeue.txt).
        'i' => (a.job.job.id, step_number(a.step.id)).cmp(&(b.job.job.id, step_number(b.step.id))),
        'j' => a.step.name.cmp(&b.step.name),
        'M' => a.elapsed().cmp(&b.elapsed()),
        'N' => a.step.nodes.cmp(&b.step.nodes),
        'S' => a.step.start.cmp(&b.step.start),
        'P' | 'u' | 'U' => compare_jobs(letter, &a.job, &b.job),
        _ => Ordering::Equal,
    }
}

fn compare_nodes(key: Key, a: &NodeRow, b: &NodeRow) -> Ordering {
    match key.letter {
        'P' if key.configured => a.partition_index.cmp(&b.partition_index),
        'P' | 'R' => a.partition.name.cmp(&b.partition.name),
        't' | 'T' => a.state_rank().cmp(&b.state_rank()),
        'N' | 'n' | 'o' => natural(a.first_name(), b.first_name()),
        'D' => a.nodes.len().cmp(&b.nodes.len()),
        'c' | 'C' | 'X' | 'Y' | 'z' => a.smallest(|n| u64::from(n.cpus)).cmp(&b.smallest(|n| u64::from(n.cpus))),
        'm' => a.smallest(|n| n.memory).cmp(&b.smallest(|n| n.memory)),
        'e' => a
            .smallest(|n| n.memory.saturating_sub(n.memory_used))
            .cmp(&b.smallest(|n| n.memory.saturating_sub(n.memory_used))),
        'a' => a.partition.up.cmp(&b.partition.up),
        'l' => late(a.partition.max_time.seconds()).cmp(&late(b.partition.max_time.seconds())),
        'p' => a.partition.priority_tier.cmp(&b.partition.priority_tier),
        'E' => a.reason().cmp(&b.reason()),
        'f' | 'b' => a.features().cmp(b.features()),
        _ => Ordering::Equal,
    }
}

/// What is not known, or has no limit, comes last.
fn late<T: Ord>(value: Option<T>) -> (bool, Option<T>) {
    (value.is_none(), value)
}

fn time_left(job: &Job, now: i64) -> (bool, Option<i64>) {
    late(job.time_limit.seconds().and_then(|limit| i64::try_from(limit).ok()).map(|limit| limit - job.elapsed(now)))
}

fn first_node(job: &Job) -> Option<&str> {
    values::allocation(job).and_then(|placement| placement.names().next())
}

/// Slurm numbers the special steps from the top down: they come behind the others, batch before extern.
fn step_number(id: StepId) -> u32 {
    match id {
        StepId::Number(number) | StepId::Component(number, _) => number,
        StepId::Interactive => u32::MAX - 5,
        StepId::Batch => u32::MAX - 4,
        StepId::Extern => u32::MAX - 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_directions() {
        let read: Vec<_> = keys("P,t,-p").iter().map(|k| (k.letter, k.descending)).collect();
        assert_eq!(read, [('P', false), ('t', false), ('p', true)]);
        assert_eq!(keys("#P,-t").len(), 2);
        assert!(keys("-#P")[0].configured && keys("#-P")[0].descending);
        assert!(keys("").is_empty());
    }

    #[test]
    fn the_last_letter_that_is_no_key_is_named() {
        assert_eq!(job_keys("foo"), Err('o'));
        assert_eq!(job_keys("cluster,name"), Err('a'));
        assert_eq!(job_keys("zz").map(|k| k.len()), Ok(2));
    }
}
