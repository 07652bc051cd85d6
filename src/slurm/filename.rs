//! File name patterns of `--output`, `--error` and `--input`: sbatch(1), "filename pattern".

use serde::{Deserialize, Serialize};

/// What Slurm writes for `%a` when the job is no array (its `NO_VAL`).
const NO_TASK: u32 = 0xffff_fffe;
/// Numbers are padded to at most so many digits.
const MAX_WIDTH: usize = 10;

/// What the letters stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vars {
    /// `%j`: the job's own id, in an array the element's.
    pub job_id: u32,
    /// `%A`: the array's id, else the job's.
    pub array_job_id: u32,
    /// `%a`, and its last digit `%b`.
    pub array_task_id: Option<u32>,
    /// `%s`: `0`; in a batch script `batch`. `%J` is the job id alone in a batch script, else `JOB.STEP`.
    pub step: String,
    /// `%N`: the node's short name.
    pub node_name: String,
    /// `%n`: the node's number in the job.
    pub node_index: u32,
    /// `%t`: the task's rank.
    pub task_id: u32,
    /// `%u`
    pub user: String,
    /// `%x`
    pub job_name: String,
}

/// A pattern with its letters replaced, as recorded in files.txt.
///
/// A backslash anywhere turns all letters off and is dropped (two are one). A number
/// pads what is a number with zeros, at most ten wide. Unknown letters stay; after a
/// number they lose their percent sign.
pub fn expand(pattern: &str, vars: &Vars) -> String {
    if pattern.contains('\\') {
        return unescape(pattern);
    }
    let mut name = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('%') {
        name.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            name.push('%');
            rest = after;
            continue;
        }
        let unpadded = after.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = after.get(..after.len() - unpadded.len()).unwrap_or_default();
        let width = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(MAX_WIDTH).min(MAX_WIDTH) };
        let mut letters = unpadded.chars();
        match letters.next().and_then(|letter| value(letter, width, vars)) {
            Some(text) => {
                name.push_str(&text);
                rest = letters.as_str();
            }
            None => {
                if digits.is_empty() {
                    name.push('%');
                }
                name.push_str(digits);
                rest = unpadded;
            }
        }
    }
    name.push_str(rest);
    name
}

/// What one letter stands for; `None` for letters that stand for nothing.
fn value(letter: char, width: usize, vars: &Vars) -> Option<String> {
    let number = |number: u32| format!("{number:0width$}");
    let task = vars.array_task_id.unwrap_or(NO_TASK);
    Some(match letter {
        'A' => number(vars.array_job_id),
        'a' => number(task),
        // Since 24.11; before it was no letter.
        'b' => number(task % 10),
        'J' if vars.step == "batch" => number(vars.job_id),
        'J' => format!("{}.{}", number(vars.job_id), vars.step),
        'j' => number(vars.job_id),
        'N' => vars.node_name.clone(),
        'n' => number(vars.node_index),
        's' => vars.step.parse().map_or_else(|_| vars.step.clone(), number),
        't' => number(vars.task_id),
        'u' => vars.user.clone(),
        'x' => vars.job_name.clone(),
        _ => return None,
    })
}

fn unescape(pattern: &str) -> String {
    let mut name = String::with_capacity(pattern.len());
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        name.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn batch() -> Vars {
        Vars {
            job_id: 174,
            array_job_id: 174,
            array_task_id: None,
            step: "batch".into(),
            node_name: "node1".into(),
            node_index: 0,
            task_id: 0,
            user: "alice".into(),
            job_name: "nm".into(),
        }
    }

    /// files.txt; there `%b` stayed, which is a letter since 24.11.
    #[test]
    fn batch_as_recorded() {
        let table = [
            (
                "f_j%j_A%A_a%a_x%x_N%N_n%n_t%t_u%u_pc%%_5j%5j_s%s_J%J_h%h_z%z",
                "f_j174_A174_a4294967294_xnm_Nnode1_n0_t0_ualice_pc%_5j00174_sbatch_J174_h%h_z%z",
            ),
            ("\\%j", "%j"),
            ("a b %j", "a b 174"),
            ("%", "%"),
            ("x%20jx", "x0000000174x"),
            ("a\\b%j", "ab%j"),
            ("a\\\\b%j", "a\\b%j"),
            ("a%j\\", "a%j"),
            ("%5x", "nm"),
            ("%0j", "174"),
            ("%05j", "00174"),
            ("%5%", "5%"),
            ("x%5", "x5"),
            ("%12J", "0000000174"),
            ("%8s", "batch"),
            ("%-5j", "%-5j"),
            ("%5z", "5z"),
            ("%%j", "%j"),
            ("%%%j", "%174"),
            ("%5%j", "5174"),
            ("%3t%3n", "000000"),
            ("%1j", "174"),
            ("%999999999999999999999999j", "0000000174"),
            ("%15a", "4294967294"),
            ("%l%h%q", "%l%h%q"),
        ];
        for (pattern, name) in table {
            assert_eq!(expand(pattern, &batch()), name, "{pattern}");
        }
    }

    #[test]
    fn array_as_recorded() {
        let vars = Vars { job_id: 176, array_job_id: 175, array_task_id: Some(12), ..batch() };
        let pattern = "f_j%j_A%A_a%a_3a%3a_4A%4A_x%x_b%b";
        assert_eq!(expand(pattern, &vars), "f_j176_A175_a12_3a012_4A0175_xnm_b2");
        assert_eq!(expand("slurm-%A_%a.out", &vars), "slurm-175_12.out");
    }

    #[test]
    fn step_as_recorded() {
        let vars = Vars { job_id: 193, array_job_id: 193, step: "0".into(), task_id: 3, node_index: 1, ..batch() };
        let vars = Vars { node_name: "node2".into(), job_name: "wrap".into(), ..vars };
        let pattern = "s_%j_%s_%t_%n_%N_%x_%J_%A_%a";
        assert_eq!(expand(pattern, &vars), "s_193_0_3_1_node2_wrap_193.0_193_4294967294");
        // sbatch(1)
        let vars = Vars { job_id: 128, task_id: 1, ..vars };
        assert_eq!(expand("job%J.out job%4j.out job%j-%2t.out", &vars), "job128.0.out job0128.out job128-01.out");
    }

    proptest! {
        #[test]
        fn any_pattern(pattern in "\\PC*") { expand(&pattern, &batch()); }

        #[test]
        fn any_letters(pattern in "[%\\\\0-9a-zA-Z]*") { expand(&pattern, &batch()); }

        #[test]
        fn plain_text_stays(text in "[^%\\\\]*") { prop_assert_eq!(expand(&text, &batch()), text); }
    }
}
