//! Heterogeneous jobs: the components that a command line and a script are for.
//!
//! On the command line a `:` by itself stands between components, in a script a `hetjob` directive. What is said of one
//! component goes on to those behind it, except for what [`OF_ONE`] lists.

use super::{
    Command, Options, Parsed, Refusal, env, exclusions,
    parse::{display, parse_words, refuse},
};
use crate::slurm::idset::IdSet;
use std::ffi::OsString;

/// Options that are said of one component only: those that `sbatch -v` lists for the first of two components and not for
/// the second, and of srun's own those that have `reset_each_pass` in Slurm's table (`slurm_opt.c`); and the component itself.
const OF_ONE: [&str; 56] = [
    "accel-bind",
    "bb",
    "bbf",
    "bcast",
    "bcast-exclude",
    "constraint",
    "contiguous",
    "core-spec",
    "cores-per-socket",
    "cpu-bind",
    "cpu-freq",
    "cpus-per-gpu",
    "cpus-per-task",
    "distribution",
    "exclusive",
    "extra-node-info",
    "gpu-bind",
    "gpu-freq",
    "gpus",
    "gpus-per-node",
    "gpus-per-socket",
    "gpus-per-task",
    "gres",
    "gres-flags",
    "het-group",
    "licenses",
    "mail-type",
    "mail-user",
    "mem-bind",
    "mem-per-cpu",
    "mem-per-gpu",
    "mincpus",
    "network",
    "nodefile",
    "nodelist",
    "nodes",
    "ntasks",
    "ntasks-per-core",
    "ntasks-per-gpu",
    "ntasks-per-node",
    "ntasks-per-socket",
    "overcommit",
    "oversubscribe",
    "partition",
    "power",
    "relative",
    "resv-ports",
    "send-libs",
    "sockets-per-node",
    "spread-job",
    "switches",
    "thread-spec",
    "threads-per-core",
    "tmp",
    "tres-per-task",
    "use-min-nodes",
];

/// The most components of a job (`MAX_HET_JOB_COMPS`).
const MOST: usize = 128;

/// Takes over what an earlier component says and this one does not.
pub(super) fn inherit(options: &mut Options, earlier: &Options) {
    // Only one of them is in force.
    let said: Vec<&str> = options.occurrences().map(|setting| setting.row.name).collect();
    let of_memory = ["mem", "mem-per-cpu", "mem-per-gpu"].iter().any(|name| said.contains(name));
    let ends = |name: &str| OF_ONE.contains(&name) || said.contains(&name) || (name == "mem" && of_memory);
    for setting in earlier.occurrences().filter(|setting| !ends(setting.row.name)) {
        options.push(setting.clone());
    }
}

/// The components of a command line: the options of each, and the words that are none.
pub(super) fn components(command: Command, args: &[OsString]) -> Result<Vec<Parsed>, Refusal> {
    let mut all = Vec::new();
    let mut rest = args.to_vec();
    loop {
        let mut parsed = parse_words(command, &rest)?;
        let separator = |word: &OsString| word == ":";
        // srun has a program in each component.
        let end = match command {
            _ if parsed.asks_for_help() => None,
            Command::Srun => parsed.operands.iter().position(separator),
            Command::Salloc | Command::Sbatch => parsed.operands.first().filter(|w| separator(w)).map(|_| 0),
            _ => None,
        };
        let Some(end) = end else {
            all.push(parsed);
            break;
        };
        rest = parsed.operands.split_off(end).into_iter().skip(1).collect();
        all.push(parsed);
        if all.len() > MOST {
            let message = format!("Job submission failed: more than {MOST} components in a heterogeneous job");
            return Err(Refusal::error(command, 1, message));
        }
    }
    Ok(all)
}

/// salloc and srun: components with what the environment says of them; the first, with the others in it.
pub(super) fn complete(
    command: Command,
    mut all: Vec<Parsed>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Parsed, Refusal> {
    if command == Command::Srun {
        all = grouped(all, env)?;
    }
    let mut earlier: Option<Options> = None;
    for parsed in &mut all {
        let group = parsed.group;
        // In a job of several components its variables say of which they are.
        let env = |name: &str| {
            // The id is that of the whole.
            let group = group.filter(|_| !matches!(name, "SLURM_JOB_ID" | "SLURM_JOBID"));
            group.and_then(|g| env(&format!("{name}_HET_GROUP_{g}"))).or_else(|| env(name))
        };
        env::read(&mut parsed.options, &env)?;
        if let Some(earlier) = earlier.take() {
            inherit(&mut parsed.options, &earlier);
        }
        exclusions::check(&mut parsed.options)?;
        display(&parsed.options, &env)?;
        refuse(&parsed.options)?;
        earlier = Some(parsed.options.clone());
    }
    Ok(first(command, all))
}

/// The first component, with the others in it. Script and arguments of all stand behind the last.
pub(super) fn first(command: Command, mut all: Vec<Parsed>) -> Parsed {
    let mut operands = Vec::new();
    for parsed in all.iter_mut().rev() {
        if command == Command::Srun && !parsed.operands.is_empty() {
            operands.clone_from(&parsed.operands);
        } else if command == Command::Srun {
            parsed.operands.clone_from(&operands);
        } else if operands.is_empty() {
            operands = std::mem::take(&mut parsed.operands);
        }
    }
    let mut all = all.into_iter();
    let mut first = all.next().unwrap_or_else(|| Parsed::new(command));
    if command != Command::Srun {
        first.operands = operands;
    }
    first.others = all.collect();
    first
}

/// srun's components as those of its job: each `--het-group` is one of its own, and they are in the job's order.
fn grouped(all: Vec<Parsed>, env: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Parsed>, Refusal> {
    let several = all.len() > 1;
    let mut out: Vec<Parsed> = Vec::new();
    // A component without a program has the one behind it, and at least that must be there.
    let bare = all.last().is_some_and(|p| p.operands.is_empty() && !p.asks_for_help());
    if several && bare {
        return Err(Refusal::fatal(Command::Srun, "No command given to execute."));
    }
    for (place, mut parsed) in all.into_iter().enumerate() {
        let groups = match parsed.options.get("het-group").map(str::to_owned) {
            Some(text) => groups(&text)?,
            None if several => vec![place as u32],
            None => {
                parsed.group = env("SLURM_HET_SIZE").filter(|_| env("SLURM_JOB_ID").is_some()).map(|_| 0);
                out.push(parsed);
                continue;
            }
        };
        out.extend(groups.into_iter().map(|group| Parsed { group: Some(group), ..parsed.clone() }));
    }
    let mut seen: Vec<u32> = out.iter().filter_map(|p| p.group).collect();
    seen.sort_unstable();
    if seen.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Refusal::fatal(Command::Srun, "Duplicate het groups in single srun not supported"));
    }
    Ok(out)
}

/// `--het-group`: `0,2-3`, in brackets or without.
fn groups(text: &str) -> Result<Vec<u32>, Refusal> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    match bare.parse::<IdSet>() {
        Ok(set) if !set.is_empty() && set.len() <= MOST => Ok(set.iter().collect()),
        _ => Err(Refusal::error(Command::Srun, 1, format!("_parse_single_range: Invalid range: `{bare}'"))
            .and_error(Command::Srun, format!("Invalid --het-group value: {text}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slurm::options::{Script, parse, parse_batch};

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    fn shown(parsed: &Parsed, names: &[&str]) -> Vec<String> {
        let one = |p: &Parsed| names.iter().map(|n| p.options.get(n).unwrap_or("-")).collect::<Vec<_>>().join(" ");
        parsed.components().map(one).collect()
    }

    fn batch(args: &str, script: &str) -> Parsed {
        let script = Script { bytes: format!("#!/bin/sh\n{script}\n").into_bytes(), name: "s".into() };
        parse_batch(&words(args), &|_| None, &mut |_, _| Ok(Some(script.clone()))).unwrap().0
    }

    #[test]
    fn script_and_command_line_meet_component_by_component() {
        let names = ["job-name", "ntasks"];
        let script = "#SBATCH -n1 -J s1\n#SBATCH hetjob\n#SBATCH packjob -n3\n#SBATCH -n2\n#SBATCH hetjob";
        assert_eq!(shown(&batch("-H", script), &names), ["s1 1", "s1 -", "s1 2", "s1 -"]);
        assert_eq!(shown(&batch("-H -n4 : -J cl", script), &names), ["s1 4", "cl -", "cl 2", "cl -"]);
        assert_eq!(shown(&batch("-n4", script), &names), ["s1 4", "s1 4", "s1 4", "s1 4"]);
        let five = shown(&batch("-n4 : -J cl : -n5 : -n6 : -n7", script), &names);
        assert_eq!(five, ["s1 4", "cl -", "cl 5", "cl 6", "cl 7"]);
    }

    #[test]
    fn what_is_of_one_component_does_not_go_on() {
        let parsed = batch("-c2 -n1 --mem=1G -p debug -t3 -J nm --gres=gpu:1 -N1 : -n1 : --mem-per-cpu=5 x y", "");
        let names = ["cpus-per-task", "mem", "mem-per-cpu", "partition", "time", "job-name", "gres", "nodes"];
        assert_eq!(shown(&parsed, &names), ["2 1G - debug 3 nm gpu:1 1", "- 1G - - 3 nm - -", "- - 5 - 3 nm - -"]);
        assert_eq!(parsed.operands, words("x y"));
    }

    #[test]
    fn the_environment_comes_before_what_is_taken_over() {
        let env = |name: &str| (name == "SALLOC_TIMELIMIT").then(|| "3".to_owned());
        let parsed = parse(Command::Salloc, &words("-t 4 : -n2 sleep 5"), &env).unwrap();
        assert_eq!(shown(&parsed, &["time"]), ["4", "3"]);
        assert_eq!(parsed.operands, words("sleep 5"));
    }

    #[test]
    fn srun_has_a_program_for_each() {
        let env = |name: &str| match name {
            "SLURM_NTASKS_HET_GROUP_1" => Some("4".to_owned()),
            "SLURM_JOB_ID" => Some("7".to_owned()),
            "SLURM_JOB_ID_HET_GROUP_1" => Some("8".to_owned()),
            "SLURM_NTASKS" => Some("1".to_owned()),
            _ => None,
        };
        let parsed = parse(Command::Srun, &words("--het-group=0-1 -l a b"), &env).unwrap();
        assert_eq!(shown(&parsed, &["ntasks", "jobid"]), ["1 7", "4 7"]);
        assert!(parsed.components().all(|p| p.operands == words("a b") && p.options.is_set("label")));
        let parsed = parse(Command::Srun, &words("-n1 : -n2 b c : d"), &|_| None).unwrap();
        let operands: Vec<_> = parsed.components().map(|p| (p.group, p.operands.clone())).collect();
        assert_eq!(operands, [(Some(0), words("b c")), (Some(1), words("b c")), (Some(2), words("d"))]);
        let fails = |text: &str| parse(Command::Srun, &words(text), &|_| None).unwrap_err().to_string();
        assert_eq!(fails("-n1 a : -n2"), "srun: fatal: No command given to execute.");
        assert_eq!(
            fails("--het-group=0 a : --het-group=0 b"),
            "srun: fatal: Duplicate het groups in single srun not supported"
        );
        assert_eq!(
            fails("--het-group=x a"),
            "srun: error: _parse_single_range: Invalid range: `x'\nsrun: error: Invalid --het-group value: x"
        );
    }
}
