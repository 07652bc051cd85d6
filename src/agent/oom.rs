//! Whether the kernel killed a process for want of memory: the count that it keeps for the agent's own cgroup.
//!
//! In Slurm each step has a cgroup, and a step in whose cgroup the kernel killed something is OUT_OF_MEMORY, however its
//! tasks ended. Our cgroup is shared: by the steps of the job, and on this machine by other jobs, too. So the count alone
//! says nothing of a step: it has to have risen since the step began, a task must have ended as one does that was killed
//! ([`Counter::may_be`]), and each such task has one of what was counted to itself. Not seen is therefore what a task
//! survives: a process of its own that was killed, and of which it made something else than 137. On a node that was made for
//! the job the cgroup may be the job's alone; there a launcher that fails by its own exit code is seen, too.

use crate::job::{ExitStatus, StepId};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where version 2 of cgroups has the count.
const EVENTS: &str = "memory.events";

/// The kernel's count. A machine that does not keep one (no memory controller, Linux before 4.13) never says anything.
#[derive(Debug, Default)]
pub(super) struct Counter {
    file: Option<PathBuf>,
    /// How many of those counted are known to be whose.
    known: u64,
    /// Nothing but the job is in the cgroup.
    is_alone: bool,
}

impl Counter {
    /// That of the cgroup this process is in, on a node that was `made` for the job or not.
    pub fn of_own_cgroup(made: bool) -> Self {
        let read = |file| fs::read_to_string(file).unwrap_or_default();
        let file = file(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"));
        // In version 2 the machine as a whole has no such file, so it is that of a pod, a session, another system's job.
        let is_alone = made && file.as_ref().is_some_and(|f| f.ends_with(EVENTS));
        Self { file, known: 0, is_alone }
    }

    /// Whether what ended so may have been killed for want of memory: by KILL, or it is a shell whose last command was.
    pub fn may_be(&self, exit: ExitStatus) -> bool {
        match self.is_alone {
            true => !exit.is_success(),
            false => [ExitStatus::signaled(9), ExitStatus::exited(137)].contains(&exit),
        }
    }

    /// How many processes were killed so far of which it is not known whose they were; `None`: there is no count.
    pub fn read(&self) -> Option<u64> {
        count(&fs::read_to_string(self.file.as_ref()?).ok()?)?.checked_sub(self.known)
    }

    /// How many of `killed` tasks were killed for want of memory since `before` was read.
    pub fn claim(&mut self, before: Option<u64>, killed: u64) -> u64 {
        if killed == 0 {
            return 0; // the usual case: nothing is read
        }
        // Where there was no count then, or is none now, nothing can be said.
        let counted = before.and_then(|before| self.read()?.checked_sub(before)).unwrap_or(0);
        let claimed = counted.min(killed);
        self.known += claimed;
        claimed
    }
}

/// What slurmstepd says of it, on the step's stderr (24.11, `task_cgroup_memory.c`).
pub(super) fn message(kills: u64, job: u32, step: StepId) -> String {
    let s = if kills == 1 { "" } else { "s" };
    format!("Detected {kills} oom_kill event{s} in StepId={job}.{step}. Some of the step tasks have been OOM Killed.")
}

/// The file with the count, by /proc/self/cgroup and /proc/self/mountinfo (cgroups(7), proc(5)): of the hierarchy that has
/// the memory controller, version 1 where that is mounted, else version 2. In a container both paths are the container's.
fn file(cgroups: &str, mounts: &str) -> Option<PathBuf> {
    let mut lines = cgroups.lines().filter_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        Some((controllers, path))
    });
    let memory = lines.clone().find(|(controllers, _)| controllers.split(',').any(|c| c == "memory"));
    let (_, cgroup) = memory.or_else(|| lines.find(|(controllers, _)| controllers.is_empty()))?;
    let name = if memory.is_some() { "memory.oom_control" } else { EVENTS };
    mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let (mut left, mut right) = (left.split(' ').skip(3), right.split(' '));
        let (root, at) = (left.next()?, left.next()?);
        let (kind, options) = (right.next()?, right.nth(1)?);
        let fits = match memory {
            Some(_) => kind == "cgroup" && options.split(',').any(|o| o == "memory"),
            None => kind == "cgroup2",
        };
        let below = Path::new(cgroup).strip_prefix(root).ok().filter(|_| fits)?;
        Some(Path::new(at).join(below).join(name))
    })
}

/// The count in `memory.events` (version 2) or `memory.oom_control` (version 1): both have a name and a number a line.
fn count(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const V1: &str = "9:name=systemd:/\n4:cpu,memory:/box/7\n3:cpuset:/\n0::/other\n";
    const V1_MOUNTS: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime shared:9 - cgroup cgroup rw,cpuset
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:10 - cgroup cgroup rw,cpu,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";
    const V2_MOUNTS: &str = "30 23 0:27 / /sys/fs/cgroup ro,nosuid shared:4 - cgroup2 cgroup rw,nsdelegate\n";

    #[track_caller]
    fn found(cgroups: &str, mounts: &str) -> String {
        file(cgroups, mounts).map_or_else(|| "none".into(), |f| f.display().to_string())
    }

    #[test]
    fn the_file_is_that_of_the_hierarchy_with_the_memory_controller() {
        assert_eq!(found(V1, V1_MOUNTS), "/sys/fs/cgroup/memory/box/7/memory.oom_control");
        let session = "0::/user.slice/user-1000.slice/session-3.scope\n";
        assert_eq!(
            found(session, V2_MOUNTS),
            "/sys/fs/cgroup/user.slice/user-1000.slice/session-3.scope/memory.events"
        );
        assert_eq!(found("4:pids:/\n", V1_MOUNTS), "none");
        assert_eq!(found(V1, V2_MOUNTS), "none");
        assert_eq!(found("", ""), "none");
    }

    #[test]
    fn in_a_container_it_is_the_container_s() {
        // A cgroup namespace.
        assert_eq!(found("0::/\n", V2_MOUNTS), "/sys/fs/cgroup/memory.events");
        // None, but only the container's own directory is there.
        let mounts = V1_MOUNTS.replace("0:32 / ", "0:32 /box ");
        assert_eq!(found(V1, &mounts), "/sys/fs/cgroup/memory/7/memory.oom_control");
        // What is mounted is not ours.
        let mounts = V1_MOUNTS.replace("0:32 / ", "0:32 /bo ");
        assert_eq!(found(V1, &mounts), "none");
    }

    /// Writes a cgroup's file below a directory that takes the place of the mounted hierarchy.
    fn counts(cgroups: &str, mounts: impl Fn(&str) -> String, name: &str, text: impl Fn(u32) -> String) {
        let dir = tempfile::tempdir().unwrap();
        let mut counter =
            Counter { file: file(cgroups, &mounts(dir.path().to_str().unwrap())), known: 0, is_alone: false };
        assert_eq!((counter.read(), counter.claim(None, 1)), (None, 0), "there is no such file yet");
        fs::create_dir_all(dir.path().join("job")).unwrap();
        let write = |kills| fs::write(dir.path().join("job").join(name), text(kills)).unwrap();
        write(2);
        let before = counter.read();
        assert_eq!((before, counter.claim(before, 1), counter.claim(None, 1)), (Some(2), 0, 0));
        write(5);
        assert_eq!((counter.claim(before, 0), counter.claim(before, 2), counter.claim(before, 2)), (0, 2, 1));
        assert_eq!((counter.read(), counter.claim(before, 1)), (before, 0), "each counts once");
        write(6);
        assert_eq!(counter.claim(before, 1), 1);
        write(1);
        assert_eq!(counter.claim(before, 1), 0, "another cgroup of the same name");
        fs::remove_dir_all(dir.path().join("job")).unwrap();
        assert_eq!(counter.claim(before, 1), 0);
    }

    #[test]
    fn both_versions_are_counted() {
        counts(
            "4:memory:/job\n0::/\n",
            |dir| format!("35 31 0:32 / {dir} rw - cgroup cgroup rw,memory\n"),
            "memory.oom_control",
            |kills| format!("oom_kill_disable 0\nunder_oom 0\noom_kill {kills}\n"),
        );
        counts(
            "0::/job\n",
            |dir| format!("35 31 0:32 / {dir} rw - cgroup2 cgroup2 rw\n"),
            "memory.events",
            |kills| format!("low 0\nhigh 0\nmax 71\noom 9\noom_kill {kills}\noom_group_kill 4\n"),
        );
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\n"), None); // before 4.13
    }

    #[test]
    fn nothing_is_said_where_nothing_is_known() {
        let mut counter = Counter::default();
        assert_eq!((counter.read(), counter.claim(Some(0), 1)), (None, 0));
    }

    #[test]
    fn what_may_have_been_killed() {
        let shared = Counter::default();
        let alone = Counter { is_alone: true, ..Counter::default() };
        let kills = [ExitStatus::signaled(9), ExitStatus::exited(137)];
        let failures = [ExitStatus::exited(1), ExitStatus::signaled(6)];
        assert!(kills.iter().all(|e| shared.may_be(*e)) && failures.iter().all(|e| !shared.may_be(*e)));
        assert!(kills.iter().chain(&failures).all(|e| alone.may_be(*e)) && !alone.may_be(ExitStatus::default()));
    }

    #[test]
    fn words_are_slurmstepd_s() {
        insta::assert_snapshot!(
            message(1, 5, StepId::Batch),
            @"Detected 1 oom_kill event in StepId=5.batch. Some of the step tasks have been OOM Killed."
        );
        insta::assert_snapshot!(
            message(2, 5, StepId::Number(0)),
            @"Detected 2 oom_kill events in StepId=5.0. Some of the step tasks have been OOM Killed."
        );
    }

    proptest! {
        #[test]
        fn any_cgroup_below_any_mount_is_found(
            root in "(/[a-z.-]{1,8}){0,3}",
            below in "(/[a-z.:-]{1,8}){0,3}",
            at in "(/[a-z.-]{1,8}){1,3}",
            others in proptest::collection::vec("[1-9]:(cpu|pids|cpuset|name=memory)?,?:/x", 0..4),
            version_1: bool,
        ) {
            let root_shown = if root.is_empty() { "/" } else { &root };
            let path = if root.is_empty() && below.is_empty() { "/".to_owned() } else { format!("{root}{below}") };
            let (line, kind, options, name) = match version_1 {
                true => (format!("4:memory:{path}"), "cgroup", "rw,memory", "memory.oom_control"),
                false => (format!("0::{path}"), "cgroup2", "rw", "memory.events"),
            };
            // A line without controllers is version 2's; there is one at most.
            let others: Vec<String> = others.into_iter().filter(|o| !o.contains("::")).collect();
            let cgroups = format!("{}\n{line}\n", others.join("\n"));
            let mounts = format!("1 0 0:1 / / rw - ext4 /dev/vda rw\n35 31 0:32 {root_shown} {at} rw master:1 - {kind} x {options}\n");
            prop_assert_eq!(file(&cgroups, &mounts), Some(PathBuf::from(format!("{at}{below}/{name}"))));
        }

        #[test]
        fn any_text_is_borne(cgroups in ".*", mounts in "[-/ a-z0-9\n]*", text in "(oom_kill|[a-z ]| -?[0-9]{1,25}|\n)*") {
            let _ = (file(&cgroups, &mounts), file("0::/\n", &mounts), count(&text));
        }

        #[test]
        fn the_count_is_found_among_others(
            before in proptest::collection::vec("[a-z_]{1,9}x [0-9]{1,5}", 0..5),
            kills: u64,
            after in proptest::collection::vec("oom_kill_?[a-z]{1,9} [0-9]{1,5}", 0..5),
        ) {
            let lines: Vec<String> = before.into_iter().chain([format!("oom_kill {kills}")]).chain(after).collect();
            prop_assert_eq!(count(&(lines.join("\n") + "\n")), Some(kills));
        }
    }
}
