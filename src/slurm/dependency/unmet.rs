//! What is left of a job's conditions while it waits: which hold by now, and which never will.

use super::{Dependency, DependencyKind, DependencyList, DependencyTask};
use serde::{Deserialize, Serialize};

/// How far the other job is, or all of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It waits; of an array, some of it does.
    Pending,
    /// It has started.
    Started {
        /// When, epoch seconds; of an array, its last element.
        start: i64,
    },
    /// It is over.
    Ended {
        /// Whether it is COMPLETED; of an array, all of it.
        ok: bool,
        /// When it started; one that never did, when it ended.
        start: i64,
    },
}

/// What a condition comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It may hold yet; asked again when the other job has got further.
    Open,
    /// It will hold at this time, epoch seconds.
    At(i64),
    /// It holds.
    Met,
    /// It can never hold.
    Failed,
}

impl DependencyKind {
    /// What the condition comes to where the other job is so far.
    pub fn outcome(self, other: Progress, minutes: u32, now: i64) -> Outcome {
        use Progress::{Ended, Pending, Started};
        match (self, other) {
            (_, Pending) => Outcome::Open,
            (Self::After | Self::Expand, Started { start } | Ended { start, .. }) => {
                match start.saturating_add(i64::from(minutes) * 60) {
                    then if minutes > 0 && then > now => Outcome::At(then),
                    _ => Outcome::Met,
                }
            }
            (_, Started { .. }) => Outcome::Open,
            (Self::AfterAny | Self::AfterBurstBuffer, Ended { .. }) => Outcome::Met,
            (Self::AfterNotOk, Ended { ok, .. }) => {
                if ok {
                    Outcome::Failed
                } else {
                    Outcome::Met
                }
            }
            (Self::AfterOk | Self::AfterCorr, Ended { ok, .. }) => {
                if ok {
                    Outcome::Met
                } else {
                    Outcome::Failed
                }
            }
        }
    }
}

/// One condition that does not hold yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Which.
    pub dependency: Dependency,
    /// It can never hold; that stays so, whatever becomes of the other job.
    pub failed: bool,
}

/// The conditions of a job that do not hold yet. Those that do are gone, as in Slurm. Empty: nothing to wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmet {
    /// One of them is enough.
    pub any: bool,
    /// Them, in the order given.
    pub conditions: Vec<Condition>,
}

impl Unmet {
    /// All of a list; `is_array` tells which numbers are those of arrays: what names one means all of it.
    pub fn new(list: &DependencyList, is_array: impl Fn(u32) -> bool) -> Self {
        let condition = |dependency: &Dependency| {
            let dependency = match *dependency {
                Dependency::On { kind, job, task: DependencyTask::Whole, minutes } if is_array(job) => {
                    Dependency::On { kind, job, task: DependencyTask::All, minutes }
                }
                other => other,
            };
            Condition { dependency, failed: false }
        };
        Self { any: list.any, conditions: list.items.iter().map(condition).collect() }
    }

    /// Whether nothing is waited for.
    pub fn is_empty(&self) -> bool {
        self.conditions.is_empty()
    }

    /// Whether the job can never start.
    pub fn never(&self) -> bool {
        match self.any {
            true => !self.is_empty() && self.conditions.iter().all(|c| c.failed),
            false => self.conditions.iter().any(|c| c.failed),
        }
    }

    /// Asks after all conditions that are open, unless it is known that the job can never start. When one of them will
    /// hold by itself, if one does: epoch seconds.
    pub fn settle(&mut self, outcome: impl Fn(&Dependency) -> Outcome) -> Option<i64> {
        if self.never() {
            return None;
        }
        let (mut met, mut due) = (false, None);
        self.conditions.retain_mut(|condition| {
            if condition.failed {
                return true;
            }
            let outcome = outcome(&condition.dependency);
            condition.failed = outcome == Outcome::Failed;
            met |= outcome == Outcome::Met;
            if let Outcome::At(time) = outcome {
                due = Some(due.unwrap_or(time).min(time));
            }
            outcome != Outcome::Met
        });
        if self.any && met {
            self.conditions.clear();
        }
        due
    }

    /// As squeue's `%E` shows it: `afterok:1(unfulfilled),afterok:2(failed)`; nothing for nothing.
    pub fn show(&self) -> String {
        let shown = |c: &Condition| format!("{}({})", c.dependency, if c.failed { "failed" } else { "unfulfilled" });
        self.conditions.iter().map(shown).collect::<Vec<_>>().join(if self.any { "?" } else { "," })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmet(text: &str) -> Unmet {
        Unmet::new(&text.parse().unwrap(), |job| job == 12)
    }

    /// What the job of each number came to: 1 open, 2 met, 3 failed.
    fn settled(text: &str) -> (String, bool) {
        let mut unmet = unmet(text);
        unmet.settle(|dependency| match dependency {
            Dependency::On { job: 2, .. } => Outcome::Met,
            Dependency::On { job: 3, .. } => Outcome::Failed,
            _ => Outcome::Open,
        });
        (unmet.show(), unmet.never())
    }

    #[test]
    fn kinds_and_progress() {
        let (pending, started) = (Progress::Pending, Progress::Started { start: 100 });
        let (good, bad) = (Progress::Ended { ok: true, start: 100 }, Progress::Ended { ok: false, start: 100 });
        let table = [
            ("after", [Outcome::Open, Outcome::Met, Outcome::Met, Outcome::Met]),
            ("afterany", [Outcome::Open, Outcome::Open, Outcome::Met, Outcome::Met]),
            ("afterok", [Outcome::Open, Outcome::Open, Outcome::Met, Outcome::Failed]),
            ("afternotok", [Outcome::Open, Outcome::Open, Outcome::Failed, Outcome::Met]),
            ("aftercorr", [Outcome::Open, Outcome::Open, Outcome::Met, Outcome::Failed]),
            ("afterburstbuffer", [Outcome::Open, Outcome::Open, Outcome::Met, Outcome::Met]),
        ];
        for (name, outcomes) in table {
            let list: DependencyList = format!("{name}:1").parse().unwrap();
            let Dependency::On { kind, .. } = list.items[0] else { panic!() };
            assert_eq!([pending, started, good, bad].map(|p| kind.outcome(p, 0, 100)), outcomes, "{name}");
        }
        let after = |progress, now| DependencyKind::After.outcome(progress, 2, now);
        assert_eq!(after(started, 150), Outcome::At(220));
        assert_eq!(after(bad, 219), Outcome::At(220));
        assert_eq!(after(started, 220), Outcome::Met);
        assert_eq!(after(pending, 999), Outcome::Open);
    }

    /// As a real Slurm showed them.
    #[test]
    fn all_of_them_or_any() {
        let table = [
            ("afterok:1", "afterok:1(unfulfilled)", false),
            ("afterok:2", "", false),
            ("afterok:3", "afterok:3(failed)", true),
            ("afterok:3,afterany:2", "afterok:3(failed)", true),
            ("afterok:3:1", "afterok:3(failed),afterok:1(unfulfilled)", true),
            ("afterok:1?afterok:3", "afterok:1(unfulfilled)?afterok:3(failed)", false),
            ("afterok:3?afternotok:3", "afterok:3(failed)?afternotok:3(failed)", true),
            ("afterok:1?afterok:2", "", false),
            ("singleton,afterok:2", "singleton(unfulfilled)", false),
            ("afterok:12", "afterok:12_*(unfulfilled)", false),
            ("afterok:12_2", "afterok:12_2(unfulfilled)", false),
        ];
        for (text, shown, never) in table {
            assert_eq!(settled(text), (shown.to_owned(), never), "{text}");
        }
    }

    #[test]
    fn what_can_never_be_stays_so() {
        let mut unmet = unmet("afterok:1,afterok:2");
        unmet.settle(|d| if d.to_string() == "afterok:1" { Outcome::Failed } else { Outcome::Open });
        unmet.settle(|_| Outcome::Met);
        assert_eq!(unmet.show(), "afterok:1(failed),afterok:2(unfulfilled)");
    }
}
