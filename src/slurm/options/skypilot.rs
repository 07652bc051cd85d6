//! What becomes of sbatch's options on a partition that is on SkyPilot, where that is something else than on this machine.

use super::{
    Class::{self, Approximated, Honoured, Inert, Refused},
    Command, Row, Setting,
};

const MADE: Class = Refused("nodes are made for the job and have no names before it starts; leave it out");
const THE_INFRA_S: Class = Approximated("how the nodes are connected is the infra's choice");
const NO_HOME: Class = Inert("the home directory of the node is the image's own");
const ITS_OWN: Class = Inert("the node's file system is the image's, and can be written to");
const NO_DISPLAY: Class =
    Refused("srun forwards no display from there; try ssh -X to the node, while the allocation lives");
const NO_ENTRYPOINT: Class = Inert("an image's entrypoint is not run");

/// The rows of sbatch that differ.
#[rustfmt::skip]
const DIFFERENT: &[(&str, Class)] = &[
    ("chdir", Approximated("the nodes have a copy of the directory, unless they see it (shared, in the configuration)")),
    ("constraint", Approximated("only the name of a GPU type can be met; other features are refused")),
    ("container", Refused("an OCI bundle stays on this machine; name an image of a registry: --container-image")),
    ("container-entrypoint", Refused("an image's entrypoint is not run; call it in the script")),
    ("container-env", Inert("the job's environment goes over the image's")),
    ("container-id", Refused("there is no container on a node yet; name an image: --container-image")),
    ("container-image", Honoured),
    ("container-mount-home", Approximated("the home directory is the image's own; the work directory is copied into it")),
    ("container-mounts", Refused("the node itself is the container; the partition's volumes and file_mounts are mounted")),
    ("container-name", Refused("a container ends with its node; leave the option out")),
    ("container-readonly", Approximated("the node's file system can be written to")),
    ("container-remap-root", ITS_OWN),
    ("container-save", Refused("an image cannot be saved from a node; build it before")),
    ("container-workdir", Refused("use --chdir")),
    ("container-writable", ITS_OWN),
    ("delay-boot", Inert("nodes are not booted for their features")),
    ("exclude", MADE),
    ("exclusive", Approximated("nodes are made for the job; on Kubernetes other pods may be on the same machine")),
    ("export", Approximated("variables that belong to this machine (PATH, HOME, LD_*, ...) stay here")),
    ("get-user-env", Approximated("it is the environment of a login on the node")),
    ("gpus", Approximated("nodes are all alike: what cannot be shared out evenly is rounded up on each node")),
    ("gres", Approximated("GPUs only; other generic resources are refused")),
    ("input", Approximated("the file has to be in the work directory, or where the nodes see it")),
    ("network", THE_INFRA_S),
    ("nice", Approximated("it is taken from SkyPilot's priority, which ends at -1000")),
    ("no-container-entrypoint", NO_ENTRYPOINT),
    ("no-container-mount-home", NO_HOME),
    ("no-container-remap-root", Approximated("one is root in most images")),
    ("no-kill", Approximated("when a node fails SkyPilot recovers the whole job, and the script starts again")),
    ("nodefile", MADE),
    ("nodelist", MADE),
    ("nodes", Approximated("of a range it is the least that holds the tasks and GPUs")),
    ("oversubscribe", Inert("nodes are made for one job")),
    ("priority", Approximated("it orders the jobs that wait here; SkyPilot's own priority is that of the QOS")),
    ("propagate", Approximated("limits are raised as far as the node allows")),
    ("qos", Approximated("its priority and class are what the configuration says")),
    ("reservation", Refused("nodes are made for the job, and none are reserved; leave it out")),
    ("spread-job", Refused("nodes are made to measure: say how many with --nodes")),
    ("switches", THE_INFRA_S),
    ("test-only", Approximated("the job is checked; when it would start cannot be told")),
    ("time-min", Inert("there is no backfill that a shorter limit would help")),
    ("tmp", Honoured),
    ("use-min-nodes", Inert("the least number of nodes is always taken")),
    ("wait-all-nodes", Inert("a job starts when all of its nodes are ready")),
];

/// The rows of salloc that differ from those of sbatch there: no script starts again, and the environment is that of here.
const OF_SALLOC: &[(&str, Class)] = &[
    ("get-user-env", Honoured),
    ("no-kill", Approximated("when a node fails the allocation ends")),
    ("x11", NO_DISPLAY),
];

/// The rows of srun that differ.
const OF_SRUN: &[(&str, Class)] = &[("x11", NO_DISPLAY)];

/// The class of an option of `command` on SkyPilot.
pub(super) fn class(command: Command, row: &Row) -> Option<Class> {
    let own = row.used_by(command)?.class;
    let tables: &[&[(&str, Class)]] = match command {
        Command::Sbatch => &[DIFFERENT],
        Command::Salloc => &[OF_SALLOC, DIFFERENT],
        Command::Srun => &[OF_SRUN],
        _ => &[],
    };
    let different = tables.iter().copied().flatten().find(|(name, _)| *name == row.name);
    Some(different.map_or(own, |(_, class)| *class))
}

/// Whether a value is such a one.
type Holds = fn(&str) -> bool;

/// Values of which the class of the row does not speak: what is asked for is what comes.
const TO_THE_LETTER: &[(&str, Holds)] = &[
    ("gres", |value| value.split(',').all(|one| one.split(':').next() == Some("gpu"))),
    ("nodes", |value| !value.contains('-')),
];

/// What holds for every job there, or is refused where it matters: said by `explain`, but no warning.
const QUIET: &[&str] = &["chdir", "constraint", "export", "gpus", "qos"];

/// Whether the option's class is worth a warning to one who gives it.
pub(super) fn warns(setting: &Setting) -> bool {
    !QUIET.contains(&setting.row.name)
}

/// The class of an option with its value.
pub(super) fn class_of(command: Command, setting: &Setting) -> Option<Class> {
    let exact = TO_THE_LETTER.iter().find(|(name, _)| *name == setting.row.name);
    match (exact, &setting.value) {
        (Some((_, holds)), Some(value)) if holds(value) => Some(Honoured),
        _ => class(command, setting.row),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slurm::options::{Place, read_batch, table};

    #[test]
    fn every_row_differs_and_says_why() {
        for (name, class) in DIFFERENT {
            let row = table::row(Command::Sbatch, name).unwrap_or_else(|| panic!("{name}"));
            assert_ne!(row.used_by(Command::Sbatch).map(|u| u.class), Some(*class), "{name}");
            if let Approximated(text) | Inert(text) | Refused(text) = class {
                assert!(!text.is_empty() && !text.ends_with('.'), "{name}");
            }
        }
        assert!(DIFFERENT.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn refusals_are_sbatch_s() {
        let refused = |args: &[&str]| {
            let words: Vec<std::ffi::OsString> = args.iter().map(Into::into).collect();
            let (parsed, _) = read_batch(&words, &|_| None, &mut |_, _| Ok(None)).unwrap();
            Place::SkyPilot.refuse(&parsed.options).map_or_else(|refusal| refusal.to_string(), |()| "taken".to_owned())
        };
        assert_eq!(refused(&["--container-image=ubuntu", "--tmp=1G", "-C", "h100"]), "taken");
        let text =
            "sbatch: error: --nodelist: nodes are made for the job and have no names before it starts; leave it out";
        assert_eq!(refused(&["-w", "node1"]), text);
        assert_eq!(refused(&["--reboot"]), "sbatch: error: --reboot: nodes cannot be rebooted; leave the option out");
    }
}
