//! Options that are another way to write several others.

use super::{Command, Refusal, Setting, table};

/// What a setting says besides itself, as settings of the options it stands for. sbatch(1), `--tres-per-task`
pub(super) fn parts(command: Command, setting: &Setting) -> Result<Vec<Setting>, Refusal> {
    let (true, "tres-per-task", Some(list)) = (setting.on, setting.row.name, setting.value.as_deref()) else {
        return Ok(Vec::new());
    };
    let tres = TresPerTask::read(list).map_err(|part| {
        let said = format!("--tres-per-task: {part}: only cpu and gres/gpu are counted by tasks");
        Refusal::error(command, 255, said)
    })?;
    let given = [("cpus-per-task", tres.cpus), ("gpus-per-task", tres.gpus)];
    let stands_for = |(name, value): (&str, Option<String>)| {
        Some(Setting { row: table::row(command, name)?, value: Some(value?), ..setting.clone() })
    };
    Ok(given.into_iter().filter_map(stands_for).collect())
}

/// `cpu=4,gres/gpu:h100=2`, or with `:` before the numbers.
#[derive(Debug, Default, PartialEq, Eq)]
struct TresPerTask {
    /// As `--cpus-per-task` has it.
    cpus: Option<String>,
    /// As `--gpus-per-task` has it.
    gpus: Option<String>,
}

impl TresPerTask {
    /// # Errors
    /// The part that is something else.
    fn read(list: &str) -> Result<Self, &str> {
        let mut tres = Self::default();
        for part in list.split(',').filter(|part| !part.is_empty()) {
            let (name, rest) = part.split_once([':', '=']).unwrap_or((part, ""));
            match name.to_ascii_lowercase().as_str() {
                "cpu" => tres.cpus = Some(rest.to_owned()),
                "gres/gpu" | "gpu" => {
                    let one = if rest.is_empty() { "1".to_owned() } else { rest.replace('=', ":") };
                    tres.gpus = Some(tres.gpus.map_or(one.clone(), |all| format!("{all},{one}")));
                }
                _ => return Err(part),
            }
        }
        Ok(tres)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slurm::options::parse;

    fn read(list: &str) -> (Option<String>, Option<String>) {
        let tres = TresPerTask::read(list).unwrap();
        (tres.cpus, tres.gpus)
    }

    #[test]
    fn tres_of_a_task() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read("cpu=4"), (some("4"), None));
        assert_eq!(read("cpu:4,gres/gpu:2"), (some("4"), some("2")));
        assert_eq!(read("gres/gpu:h100=2,gres/gpu:a100:1"), (None, some("h100:2,a100:1")));
        assert_eq!(read("gres/gpu"), (None, some("1")));
        assert_eq!(TresPerTask::read("cpu=1,mem=5G"), Err("mem=5G"));
    }

    #[test]
    fn it_sets_what_it_stands_for() {
        let options = |words: &[&str]| {
            let words: Vec<std::ffi::OsString> = words.iter().map(Into::into).collect();
            parse(Command::Srun, &words, &|_| None).map(|parsed| parsed.options)
        };
        let taken = options(&["-c", "1", "--tres-per-task=cpu=4,gres/gpu:2", "true"]).unwrap();
        assert_eq!((taken.get("cpus-per-task"), taken.get("gpus-per-task")), (Some("4"), Some("2")));
        let refused = options(&["--tres-per-task=cpu=x", "true"]).unwrap_err();
        assert_eq!(refused.to_string(), "srun: error: Invalid numeric value \"x\" for --cpus-per-task.");
        let refused = options(&["--tres-per-task=mem=5G", "true"]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "srun: error: --tres-per-task: mem=5G: only cpu and gres/gpu are counted by tasks"
        );
    }
}
