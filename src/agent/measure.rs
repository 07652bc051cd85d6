//! What a task uses at this moment: the sum over its processes, from proc(5).
//!
//! Slurm's `jobacct_gather/linux` reads the same: the resident sets and major faults of `stat`, the characters read and
//! written of `io`. To the CPU time belongs here also that of children that have ended and were waited for.

use super::processes::Tree;
use crate::job::TaskUsage;
use nix::unistd::{SysconfVar, sysconf};
use std::{collections::BTreeMap, fs};

/// What is there to be measured with.
pub(super) struct Measure {
    tree: Tree,
    /// Clock frequencies of the CPUs, kHz.
    frequencies: BTreeMap<u32, u64>,
    /// Ticks of a second, in which CPU time is counted.
    ticks: u64,
    /// Bytes of a page, in which resident sets are counted.
    page: u64,
}

impl Measure {
    /// Looks at all processes now.
    pub fn now() -> Self {
        let of_system = |what| sysconf(what).ok().flatten().and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0);
        Self {
            tree: Tree::look(),
            frequencies: frequencies(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            ticks: of_system(SysconfVar::CLK_TCK).unwrap_or(100),
            page: of_system(SysconfVar::PAGE_SIZE).unwrap_or(4096),
        }
    }

    /// Task `task`, whose first process is `pid`. Processes that go meanwhile count for nothing.
    pub fn task(&self, task: u32, pid: i32) -> TaskUsage {
        let mut usage = TaskUsage { task, ..TaskUsage::default() };
        let mut ticks = 0_u64;
        for process in self.tree.of(pid) {
            let read = |file| fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
            let Some(stat) = stat(&String::from_utf8_lossy(&read("stat"))) else { continue };
            let (characters_read, characters_written) = transferred(&String::from_utf8_lossy(&read("io")));
            usage.rss = usage.rss.saturating_add(stat.rss.saturating_mul(self.page));
            usage.vsize = usage.vsize.saturating_add(stat.vsize);
            usage.pages = usage.pages.saturating_add(stat.pages);
            usage.read = usage.read.saturating_add(characters_read);
            usage.written = usage.written.saturating_add(characters_written);
            ticks = ticks.saturating_add(stat.ticks);
            if process == pid {
                usage.khz = self.frequencies.get(&stat.cpu).copied().unwrap_or(0);
            }
            usage.pids.push(process);
        }
        usage.cpu_ms = ticks.saturating_mul(1000) / self.ticks;
        usage
    }
}

/// What is of interest in a line of `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    /// Major faults.
    pages: u64,
    /// CPU time, its own and of the children it has waited for, in both modes.
    ticks: u64,
    /// Bytes.
    vsize: u64,
    /// Pages.
    rss: u64,
    /// The CPU it last ran on.
    cpu: u32,
}

/// The name in brackets may hold anything.
fn stat(line: &str) -> Option<Stat> {
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
    // As proc(5) counts them, where the state is the third.
    let field = |number: usize| -> Option<u64> { fields.get(number - 3)?.parse().ok() };
    Some(Stat {
        pages: field(12)?,
        ticks: (14..=17).try_fold(0_u64, |sum, number| Some(sum.saturating_add(field(number)?)))?,
        vsize: field(23)?,
        rss: field(24)?,
        cpu: field(39).and_then(|cpu| u32::try_from(cpu).ok()).unwrap_or(0),
    })
}

/// Characters read and written, from `/proc/PID/io`.
fn transferred(text: &str) -> (u64, u64) {
    let of = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0);
    (of("rchar:"), of("wchar:"))
}

/// kHz of each CPU, from `/proc/cpuinfo`; not all machines tell.
fn frequencies(text: &str) -> BTreeMap<u32, u64> {
    let mut found = BTreeMap::new();
    let mut cpu = None;
    for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
        match name.trim() {
            "processor" => cpu = value.trim().parse().ok(),
            "cpu MHz" => {
                let mhz = value.trim().parse::<f64>().ok().filter(|mhz| mhz.is_finite() && *mhz >= 0.0);
                found.extend(cpu.zip(mhz).map(|(cpu, mhz)| (cpu, (mhz * 1000.0) as u64)));
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: &str = "17 (a) b) S 3 17 9 0 -1 4194304 100 200 7 8 11 12 13 14 20 0 1 0 5000 8192000 500 1844 \
        1 1 0 0 0 0 0 0 0 0 0 0 17 3 0 0 0 0 0";

    #[test]
    fn lines_of_stat_are_read_past_any_name() {
        assert_eq!(stat(LINE), Some(Stat { pages: 7, ticks: 50, vsize: 8_192_000, rss: 500, cpu: 3 }));
        assert_eq!(stat("17 (a) S 3"), None);
    }

    #[test]
    fn what_was_transferred_and_frequencies_are_found_by_name() {
        assert_eq!(transferred("rchar: 6976\nwchar: 12\nread_bytes: 1\n"), (6976, 12));
        assert_eq!(transferred(""), (0, 0));
        let two = "processor\t: 0\ncpu MHz\t\t: 2300.000\n\nprocessor\t: 1\nmodel name\t: x: y\ncpu MHz\t\t: 1200.5\n";
        assert_eq!(frequencies(two), BTreeMap::from([(0, 2_300_000), (1, 1_200_500)]));
        assert!(frequencies("cpu MHz : 3\nprocessor : 0\ncpu MHz : NaN\n").is_empty());
    }

    #[test]
    fn we_are_measured_ourselves() {
        let held = std::hint::black_box(vec![1_u8; 30 << 20]);
        let me = std::process::id() as i32;
        let measure = Measure::now();
        let usage = measure.task(5, me);
        assert!(usage.task == 5 && usage.pids.contains(&me), "{usage:?}");
        assert!(usage.rss > held.len() as u64 && usage.vsize > usage.rss && usage.read > 0, "{usage:?}");
    }

    #[test]
    fn a_process_that_is_gone_is_nothing() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let (pid, measure) = (child.id() as i32, Measure::now());
        child.wait().unwrap();
        assert_eq!(measure.task(1, pid), TaskUsage { task: 1, ..TaskUsage::default() });
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not(text in "\\PC{0,80}", odd in "(1 \\(x\\) S( -?[0-9]{1,22}){0,50})|((rchar|wchar|processor|cpu MHz) ?: ?[0-9.eE-]{0,30}\n){0,4}") {
            for text in [text, odd] {
                let _ = (stat(&text), transferred(&text), frequencies(&text));
            }
        }

        #[test]
        fn stat_is_what_was_written(pages: u64, user in 0..1_u64 << 60, vsize: u64, rss: u64, cpu: u32, name in "[ -~]{0,15}") {
            let line = format!("5 ({name}) R 1 2 3 0 -1 0 0 0 {pages} 0 {user} 1 2 3 20 0 1 0 5 {vsize} {rss} 0 0 0 0 0 0 0 0 0 0 0 0 0 17 {cpu} 0");
            prop_assert_eq!(stat(&line), Some(Stat { pages, ticks: user + 6, vsize, rss, cpu }));
        }
    }
}
