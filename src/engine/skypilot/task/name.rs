//! Names that SkyPilot takes, made of any name.

/// Longest name we give.
const LONGEST: usize = 60;

/// A task's name for a job of any name: `[a-zA-Z0-9]+(?:[._-]{1,2}[a-zA-Z0-9]+)*` (SkyPilot's `sky/task.py`), beginning
/// with a letter, since a cluster is named after it. What has another character becomes a dash.
pub fn valid_name(name: &str) -> String {
    let mut valid = String::new();
    let mut between = String::new();
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() {
            between.push(c);
            continue;
        }
        if valid.is_empty() {
            valid.push_str(if c.is_ascii_digit() { "job-" } else { "" });
        } else if !between.is_empty() {
            let fine = between.len() <= 2 && between.chars().all(|c| matches!(c, '.' | '_' | '-'));
            valid.push_str(if fine { &between } else { "-" });
        }
        between.clear();
        valid.push(c);
    }
    // ASCII only: every byte is a character.
    valid.truncate(LONGEST);
    valid.truncate(valid.trim_end_matches(['.', '_', '-']).len());
    if valid.is_empty() { "job".to_owned() } else { valid }
}

/// The value of a label, if every cloud takes it as it is (Kubernetes and GCP are the strictest).
pub(super) fn label(value: &str) -> Option<&str> {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let allowed = |c: char| alphanumeric(c) || matches!(c, '-' | '_');
    let valid = value.len() <= 63
        && value.starts_with(alphanumeric)
        && value.ends_with(alphanumeric)
        && value.chars().all(allowed);
    valid.then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names() {
        let table = [
            ("train", "train"),
            ("my_job.v1-2", "my_job.v1-2"),
            ("a--b__c", "a--b__c"),
            ("a---b", "a-b"),
            ("my job (2)", "my-job-2"),
            ("x\"; rm -rf /\n- y: z", "x-rm-rf-y-z"),
            ("_job_", "job"),
            ("2024-01-01", "job-2024-01-01"),
            ("學習", "job"),
            ("élan", "lan"),
            ("", "job"),
        ];
        for (name, expected) in table {
            assert_eq!(valid_name(name), expected, "{name}");
        }
        assert_eq!(valid_name(&"ab-".repeat(100)).len(), 59);
    }

    #[test]
    fn labels() {
        assert_eq!(label("train_1-a"), Some("train_1-a"));
        for value in ["", "Train", "a b", "-a", "a.b", "é", &"a".repeat(64)] {
            assert_eq!(label(value), None, "{value}");
        }
    }

    /// SkyPilot's own rule, spelt out.
    fn is_valid(name: &str) -> bool {
        let word = |c: char| c.is_ascii_alphanumeric();
        let runs = name.split(word).filter(|run| !run.is_empty());
        name.starts_with(word) && name.ends_with(word) && name.chars().all(|c| word(c) || "._-".contains(c)) && { runs }
            .all(|run| run.len() <= 2)
    }

    proptest! {
        #[test]
        fn every_name_becomes_valid(name in "(\\PC|[-_.a-z0-9\n]){0,80}") {
            let valid = valid_name(&name);
            prop_assert!(is_valid(&valid) && valid.len() <= LONGEST, "{}", valid);
            prop_assert!(valid.starts_with(|c: char| c.is_ascii_alphabetic()));
            prop_assert_eq!(valid_name(&valid), valid);
        }
    }
}
