//! `--mail-type`: of which occasions a user wants to hear.

use serde::{Deserialize, Serialize};

/// Something that happens to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Occasion {
    /// It starts.
    Begin,
    /// It is over: completed, or cancelled.
    End,
    /// It failed.
    Fail,
    /// It was put back into the queue.
    Requeue,
    /// What it waits for can never come about.
    InvalidDepend,
    /// So many percent of its time limit are over.
    TimeLimit(u8),
}

/// The words of `--mail-type`, and what each asks for.
const WORDS: &[(&str, &[Occasion])] = &[
    ("NONE", &[]),
    ("BEGIN", &[Occasion::Begin]),
    ("END", &[Occasion::End]),
    ("FAIL", &[Occasion::Fail]),
    ("REQUEUE", &[Occasion::Requeue]),
    ("ALL", &[Occasion::Begin, Occasion::End, Occasion::Fail, Occasion::InvalidDepend, Occasion::Requeue]),
    ("INVALID_DEPEND", &[Occasion::InvalidDepend]),
    // Nothing is staged out.
    ("STAGE_OUT", &[]),
    ("TIME_LIMIT", &[Occasion::TimeLimit(100)]),
    ("TIME_LIMIT_90", &[Occasion::TimeLimit(90)]),
    ("TIME_LIMIT_80", &[Occasion::TimeLimit(80)]),
    ("TIME_LIMIT_50", &[Occasion::TimeLimit(50)]),
    (ARRAY_TASKS, &[]),
];

const ARRAY_TASKS: &str = "ARRAY_TASKS";

/// Whether it has one of these words; Slurm passes over others beside it.
pub fn is_valid(list: &str) -> bool {
    list.split(',').any(|word| WORDS.iter().any(|(known, _)| known.eq_ignore_ascii_case(word)))
}

/// Whether a list asks for this. `NONE` takes back what stands before it.
pub fn wants(list: &str, occasion: Occasion) -> bool {
    asked(list).iter().any(|word| WORDS.iter().any(|(known, of)| known == word && of.contains(&occasion)))
}

/// Whether every element of an array is an occasion of its own.
pub fn of_each_task(list: &str) -> bool {
    asked(list).iter().any(|word| word == ARRAY_TASKS)
}

/// The order in which a list is shown.
const SHOWN: [&str; 11] = [
    ARRAY_TASKS,
    "INVALID_DEPEND",
    "BEGIN",
    "END",
    "FAIL",
    "REQUEUE",
    "STAGE_OUT",
    "TIME_LIMIT_50",
    "TIME_LIMIT_80",
    "TIME_LIMIT_90",
    "TIME_LIMIT",
];

/// The words of `ALL`.
const ALL: [&str; 6] = ["INVALID_DEPEND", "BEGIN", "END", "FAIL", "REQUEUE", "STAGE_OUT"];

/// A list as `scontrol show job` has it: one by one, in its order; nothing of a list that asks for nothing.
pub fn shown(list: &str) -> String {
    let asked = asked(list);
    let has = |word: &&str| asked.iter().any(|asked| asked == word || asked == "ALL" && ALL.contains(word));
    SHOWN.into_iter().filter(has).collect::<Vec<_>>().join(",")
}

fn asked(list: &str) -> Vec<String> {
    let words: Vec<String> = list.split(',').map(str::to_ascii_uppercase).collect();
    let from = words.iter().rposition(|word| word == "NONE").map_or(0, |at| at + 1);
    words[from..].to_vec()
}

impl Occasion {
    /// The word in the subject and in `SLURM_JOB_MAIL_TYPE`.
    pub fn words(self) -> String {
        match self {
            Occasion::Begin => "Began".into(),
            Occasion::End => "Ended".into(),
            Occasion::Fail => "Failed".into(),
            Occasion::Requeue => "Requeued".into(),
            Occasion::InvalidDepend => "Invalid dependency".into(),
            Occasion::TimeLimit(100..) => "Reached time limit".into(),
            Occasion::TimeLimit(percent) => format!("Reached {percent}% of time limit"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_occasions() {
        assert!(is_valid("ALL") && is_valid("begin,END,time_limit_80") && !is_valid("FOO") && is_valid("FOO,END"));
        assert!(wants("ALL", Occasion::InvalidDepend) && !wants("ALL", Occasion::TimeLimit(100)));
        assert!(wants("end,time_limit_80", Occasion::TimeLimit(80)) && !wants("END", Occasion::Fail));
        assert!(!wants("ALL,NONE", Occasion::Begin) && wants("NONE,BEGIN", Occasion::Begin));
        assert!(of_each_task("END,array_tasks") && !of_each_task("ALL"));
        assert_eq!(shown("ALL,ARRAY_TASKS"), "ARRAY_TASKS,INVALID_DEPEND,BEGIN,END,FAIL,REQUEUE,STAGE_OUT");
        assert_eq!(shown("time_limit_50,requeue,BEGIN,BOGUS"), "BEGIN,REQUEUE,TIME_LIMIT_50");
        assert_eq!(Occasion::TimeLimit(80).words(), "Reached 80% of time limit");
    }
}
