//! What asks for nothing without another option: refused as a real Slurm was seen to refuse it.

use crate::{
    job::{Distribution, Memory, Request},
    slurm::{
        errno::Errno,
        options::{Command, Options, Refusal},
    },
};

/// # Errors
/// The refusal of what the request lacks.
pub(super) fn check(command: Command, options: &Options, request: &Request) -> Result<(), Refusal> {
    let no_gpu =
        |lacks: String| Err(Refusal::error(command, 1, lacks).and_error(command, Errno::InvalidGres.to_string()));
    let has_gpu = [&request.gpus, &request.gpus_per_node, &request.gpus_per_task].iter().any(|gpus| !gpus.is_empty())
        || request.gres.iter().any(|gres| gres.name == "gpu");
    let has_tasks = request.ntasks.is_some() || request.nodes.is_some() || !request.gpus.is_empty();
    if !request.gpus_per_task.is_empty() && !has_tasks {
        let words = "--gpus-per-task used without either --gpus or -n/--ntasks is not allowed.";
        return no_gpu(format!("Failed to validate job spec. {words}"));
    }
    if let Some(Memory::PerGpu(mib)) = request.memory
        && !has_gpu
    {
        return no_gpu(format!("Requested mem_per_tres=gres:gpu:{mib} but did not request any GPU."));
    }
    if command != Command::Srun && request.distribution == Distribution::Arbitrary && request.nodelist.is_empty() {
        let words = "With Arbitrary distribution you need to specify a nodelist or hostfile with the -w option";
        return Err(Refusal::error(command, 1, words));
    }
    if options.is_set("core-spec") && options.is_set("thread-spec") {
        // Slurm's spelling.
        return Err(Refusal::fatal(command, "-S/--core-spec and --thred-spec options are mutually exclusive"));
    }
    if options.get("partition") == Some("") {
        let mut refusal = Refusal::error(command, 1, "invalid partition specified: (null)");
        refusal.lines.extend(by_controller(command, options, Errno::InvalidPartition).lines);
        return Err(refusal);
    }
    Ok(())
}

/// What the controller would answer, to `--test-only` too.
pub(super) fn by_controller(command: Command, options: &Options, errno: Errno) -> Refusal {
    match options.is_set("test-only") {
        true => Refusal { lines: vec![format!("allocation failure: {errno}")], exit: 1 },
        false => Refusal::by_controller(command, errno.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use crate::slurm::options;

    fn said(words: &str) -> String {
        let args: Vec<_> = words.split_whitespace().map(|word| word.trim_matches('\'').into()).collect();
        let parsed = options::parse(Command::Sbatch, &args, &|_| None).unwrap();
        let now = chrono::Local::now();
        let who = Submitter {
            user: User::default(),
            directory: "/".into(),
            host: String::new(),
            umask: 0,
            rlimits: Vec::new(),
            command_line: String::new(),
            now,
        };
        resolve(Command::Sbatch, &parsed.options, who).map_or_else(|r| r.lines.join("\n"), |_| String::new())
    }

    /// random.txt
    #[test]
    fn what_needs_another_option_is_refused_without_it() {
        let gres = "\nsbatch: error: Invalid generic resource (gres) specification";
        let task = "sbatch: error: Failed to validate job spec. --gpus-per-task used without either --gpus or -n/--ntasks is not allowed.";
        let memory = "sbatch: error: Requested mem_per_tres=gres:gpu:2048 but did not request any GPU.";
        assert_eq!(
            said("-S1 --thread-spec=2"),
            "sbatch: fatal: -S/--core-spec and --thred-spec options are mutually exclusive"
        );
        assert_eq!(said("--gpus-per-task=1"), task.to_owned() + gres);
        assert_eq!(said("--gpus-per-task=1 --gres=gpu:1"), task.to_owned() + gres);
        assert_eq!(said("--mem-per-gpu=2G"), memory.to_owned() + gres);
        for words in
            ["-n1 --gpus-per-task=1", "-N2 --gpus-per-task=1", "-G1 --gpus-per-task=1", "--gres=gpu:1 --mem-per-gpu=1G"]
        {
            assert_eq!(said(words), "", "{words}");
        }
        assert!(
            said("-m arbitrary").contains("you need to specify a nodelist") && said("-m arbitrary -w a").is_empty()
        );
        assert_eq!(said("--test-only -d afterok:"), "allocation failure: Job dependency problem");
        assert!(said("--partition=").ends_with("Batch job submission failed: Invalid partition name specified"));
    }
}
