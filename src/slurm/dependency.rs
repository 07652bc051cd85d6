//! Dependencies: `--dependency` and how squeue's `%E` shows it.

mod unmet;

pub use unmet::{Condition, Outcome, Progress, Unmet};

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::idset::IdSet;

/// What has to happen to the other job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DependencyKind {
    /// It has started or been cancelled, and the delay is over.
    After,
    /// It has ended.
    AfterAny,
    /// It has ended with exit code 0.
    AfterOk,
    /// It has failed.
    AfterNotOk,
    /// The task with the same index has ended with exit code 0.
    AfterCorr,
    /// It has ended, and what its burst buffer staged out is done.
    AfterBurstBuffer,
    /// This job adds to the other's allocation; today's Slurm refuses it (see [`DependencyList::expands`]).
    Expand,
}

/// Slurm's names, lower case as it shows them.
const KINDS: [(&str, DependencyKind); 7] = [
    ("after", DependencyKind::After),
    ("afterany", DependencyKind::AfterAny),
    ("afterok", DependencyKind::AfterOk),
    ("afternotok", DependencyKind::AfterNotOk),
    ("aftercorr", DependencyKind::AfterCorr),
    ("afterburstbuffer", DependencyKind::AfterBurstBuffer),
    ("expand", DependencyKind::Expand),
];

impl DependencyKind {
    /// The name in `--dependency`.
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

/// Which part of the other job is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DependencyTask {
    /// `12`: a job; if 12 is an array, all of it. Slurm turns this into
    /// [`All`](Self::All) when it takes the job in.
    Whole,
    /// `12_3`
    One(u32),
    /// `12_*`
    All,
}

/// One condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Dependency {
    /// No other job of this name and user runs or waits before this one.
    Singleton,
    /// Something about another job.
    On {
        /// What has to happen.
        kind: DependencyKind,
        /// The other job, never 0.
        job: u32,
        /// Which part of it.
        task: DependencyTask,
        /// How many minutes later; 0 if nothing was said.
        minutes: u32,
    },
}

/// All conditions of a job. Empty is no dependency at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DependencyList {
    /// One of them is enough (`?`), instead of all (`,`).
    pub any: bool,
    /// In the order given, without doubles.
    pub items: Vec<Dependency>,
}

/// Slurm's answer to every bad `--dependency`, given by the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("Job dependency problem")]
pub struct DependencyError;

/// More ids than this in one list are refused, ours: `afterok:1_[0-4000000]`.
const MAX_ITEMS: usize = 10_000;

impl DependencyList {
    /// Is there an `expand`? Slurm refuses it with `Requested operation not supported on this system`.
    pub fn expands(&self) -> bool {
        self.items.iter().any(|item| matches!(item, Dependency::On { kind: DependencyKind::Expand, .. }))
    }

    fn separator(&self) -> &'static str {
        if self.any { "?" } else { "," }
    }

    fn push(&mut self, item: Dependency) -> Result<(), DependencyError> {
        if self.items.len() >= MAX_ITEMS {
            return Err(DependencyError);
        }
        if !self.items.contains(&item) {
            self.items.push(item);
        }
        Ok(())
    }

    /// Reads `kind:id[+minutes][:id[+minutes]...]`.
    fn push_condition(&mut self, text: &str) -> Result<(), DependencyError> {
        if text.eq_ignore_ascii_case("singleton") {
            return self.push(Dependency::Singleton);
        }
        let Some((name, ids)) = text.split_once(':') else {
            // A bare id, as PBS has it.
            return self.push_ids(DependencyKind::AfterAny, text, &mut 0);
        };
        let kind = KINDS.iter().find(|(kind, _)| kind.eq_ignore_ascii_case(name)).ok_or(DependencyError)?.1;
        // In Slurm a delay holds for the ids after it as well.
        let mut minutes = 0;
        ids.split(':').try_for_each(|id| self.push_ids(kind, id, &mut minutes))
    }

    fn push_ids(&mut self, kind: DependencyKind, text: &str, minutes: &mut u32) -> Result<(), DependencyError> {
        let (id, delay) = text.split_once('+').map_or((text, None), |(id, delay)| (id, Some(delay)));
        if let Some(delay) = delay {
            *minutes = number(delay).filter(|minutes| *minutes <= u32::MAX / 60).ok_or(DependencyError)?;
        }
        let (job, tasks) = id.split_once('_').map_or((id, None), |(job, tasks)| (job, Some(tasks)));
        let job = number(job).ok_or(DependencyError)?;
        let mut push = |task| self.push(Dependency::On { kind, job, task, minutes: *minutes });
        match tasks {
            None => push(DependencyTask::Whole),
            Some("*") => push(DependencyTask::All),
            Some(tasks) => match tasks.strip_prefix('[').and_then(|tasks| tasks.strip_suffix(']')) {
                Some(set) => {
                    let set: IdSet = set.parse().map_err(|_| DependencyError)?;
                    if set.is_empty() {
                        return Err(DependencyError);
                    }
                    set.iter().try_for_each(|task| push(DependencyTask::One(task)))
                }
                None => push(DependencyTask::One(digits(tasks).ok_or(DependencyError)?)),
            },
        }
    }
}

impl FromStr for DependencyList {
    type Err = DependencyError;

    /// Reads `--dependency`. If there is one `?` in it, all of the list is a choice, as in Slurm.
    fn from_str(text: &str) -> Result<Self, DependencyError> {
        let mut list = Self::default();
        if text.is_empty() {
            return Ok(list);
        }
        let mut inside = false;
        let separates = |c: char| {
            match c {
                '[' => inside = true,
                ']' => inside = false,
                _ => {}
            }
            !inside && matches!(c, ',' | '?')
        };
        text.split(separates).try_for_each(|item| list.push_condition(item))?;
        list.any = text.contains('?') && list.items.len() > 1;
        Ok(list)
    }
}

fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A job id or a delay, which both cannot be 0.
fn number(text: &str) -> Option<u32> {
    digits(text).filter(|number| *number > 0)
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::On { kind, job, task, minutes } = self else {
            return f.write_str("singleton");
        };
        write!(f, "{}:{job}", kind.name())?;
        match task {
            DependencyTask::Whole => {}
            DependencyTask::One(task) => write!(f, "_{task}")?,
            DependencyTask::All => f.write_str("_*")?,
        }
        if *minutes > 0 {
            write!(f, "+{minutes}")?;
        }
        Ok(())
    }
}

/// The plain form, which can be read again.
impl fmt::Display for DependencyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.items.iter().enumerate() {
            write!(f, "{}{item}", if index > 0 { self.separator() } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// sbatch.txt, "bad values", and more asked of the same Slurm.
    #[test]
    fn as_recorded() {
        let table = [
            ("afterok:999999", "afterok:999999"),
            ("afterany:999999", "afterany:999999"),
            ("singleton", "singleton"),
            ("afterok:1:2", "afterok:1,afterok:2"),
            ("after:999999+5", "after:999999+5"),
            ("afterok:1+3", "afterok:1+3"),
            ("after:1+3:2", "after:1+3,after:2+3"),
            ("after:1:2+3", "after:1,after:2+3"),
            ("afterany:1_1", "afterany:1_1"),
            ("afterany:1_*", "afterany:1_*"),
            ("afterany:1_[1-2]", "afterany:1_1,afterany:1_2"),
            ("aftercorr:1_2", "aftercorr:1_2"),
            ("afterok:1?afterany:2", "afterok:1?afterany:2"),
            ("afterok:1,afterany:2?after:3", "afterok:1?afterany:2?after:3"),
            ("singleton,afterok:1", "singleton,afterok:1"),
            ("afterok:1?singleton", "afterok:1?singleton"),
            ("AfterOk:1", "afterok:1"),
            ("afterok:1:1", "afterok:1"),
            ("afterok:1,afterok:1", "afterok:1"),
            ("afterburstbuffer:1", "afterburstbuffer:1"),
            ("425", "afterany:425"),
            ("425,426", "afterany:425,afterany:426"),
            ("after:1_1+5", "after:1_1+5"),
            ("afternotok:1_1:1_2", "afternotok:1_1,afternotok:1_2"),
            ("", ""),
        ];
        for (text, shown) in table {
            assert_eq!(text.parse::<DependencyList>().map(|list| list.to_string()), Ok(shown.into()), "{text}");
        }
        for bad in [
            "abc",
            "afterok",
            "afterok:",
            "foo:1",
            "after:1+0",
            "after:1+x",
            "singleton:1",
            "afterok:1,",
            ",afterok:1",
            "afterok:1,,afterok:2",
            "afterok:1 ",
            " afterok:1",
            "afterok:1::2",
            "afterok:1:",
            "afterok:0",
            "afterok:abc",
            "afterok:1x",
            ":1",
            "1:2",
            "singletonx",
            "afterok=1",
            "afterokx:1",
            "afterok:1 afterok:2",
            "afterok:1, afterok:2",
            "none",
            "afterok:1.0",
        ] {
            assert_eq!(bad.parse::<DependencyList>(), Err(DependencyError), "{bad}");
        }
        assert!("expand:1".parse::<DependencyList>().is_ok_and(|list| list.expands()));
    }

    fn item() -> impl Strategy<Value = Dependency> {
        let task = prop_oneof![
            Just(DependencyTask::Whole),
            Just(DependencyTask::All),
            (0u32..99).prop_map(DependencyTask::One)
        ];
        let on = (0..KINDS.len(), 1u32..9999, task, 0u32..50).prop_map(|(kind, job, task, minutes)| Dependency::On {
            kind: KINDS[kind].1,
            job,
            task,
            minutes,
        });
        prop_oneof![1 => Just(Dependency::Singleton), 9 => on]
    }

    proptest! {
        #[test]
        fn round_trip(items in prop::collection::vec(item(), 0..6), any: bool) {
            let mut list = DependencyList::default();
            for item in items { list.push(item).unwrap(); }
            list.any = any && list.items.len() > 1;
            prop_assert_eq!(list.to_string().parse(), Ok(list));
        }

        #[test]
        fn any_text(text in "\\PC*") { let _ = text.parse::<DependencyList>(); }

        #[test]
        fn any_words(text in "(after|ok|any|singleton|[0-9:,?+_*]|\\[|\\]|-)*") { let _ = text.parse::<DependencyList>(); }
    }
}
