//! Which CPUs of this machine are of one core, one socket, one memory.

use std::{fs, path::Path};

/// Where the kernel tells it.
const SYSTEM: &str = "/sys/devices/system";

/// A CPU's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Its socket.
    pub socket: u32,
    /// Its core, by the lowest CPU of it.
    pub core: u32,
    /// Its memory (NUMA node); without NUMA its socket.
    pub domain: u32,
}

/// The places of the CPUs.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    places: Vec<(u32, Place)>,
}

impl Topology {
    /// This machine's, of these CPUs. Where the kernel does not tell, each is a core, and all one socket.
    pub fn of(cpus: &[u32]) -> Self {
        Self::below(Path::new(SYSTEM), cpus)
    }

    fn below(root: &Path, cpus: &[u32]) -> Self {
        let place = |cpu: u32| {
            let dir = root.join(format!("cpu/cpu{cpu}"));
            let text = |name: &str| fs::read_to_string(dir.join("topology").join(name)).unwrap_or_default();
            let socket = text("physical_package_id").trim().parse().unwrap_or(0);
            let siblings = text("thread_siblings_list");
            let core = siblings.split(['-', ',']).next().and_then(|n| n.trim().parse().ok()).unwrap_or(cpu);
            Place { socket, core, domain: domain(&dir).unwrap_or(socket) }
        };
        Self { places: cpus.iter().map(|cpu| (*cpu, place(*cpu))).collect() }
    }

    /// Where a CPU is.
    pub fn place(&self, cpu: u32) -> Place {
        let known = self.places.iter().find(|(c, _)| *c == cpu).map(|(_, place)| *place);
        known.unwrap_or(Place { core: cpu, ..Place::default() })
    }
}

/// The NUMA node of a CPU: the entry `nodeN` in its directory.
fn domain(dir: &Path) -> Option<u32> {
    let names = fs::read_dir(dir).ok()?.flatten();
    names.filter_map(|e| e.file_name().to_str()?.strip_prefix("node")?.parse().ok()).next()
}

/// The NUMA nodes this machine has.
pub fn domains() -> Vec<u32> {
    let names = fs::read_dir(Path::new(SYSTEM).join("node")).into_iter().flatten().flatten();
    let mut found: Vec<u32> =
        names.filter_map(|e| e.file_name().to_str()?.strip_prefix("node")?.parse().ok()).collect();
    found.sort_unstable();
    found
}

/// The CPUs this process may use, in order.
pub fn allowed() -> Vec<u32> {
    let own = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0));
    let Ok(set) = own else { return Vec::new() };
    (0..nix::sched::CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).map(|cpu| cpu as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_what_the_kernel_says() {
        let dir = tempfile::tempdir().unwrap();
        for (cpu, socket, siblings, node) in [(0, 0, "0,2", 0), (1, 1, "1,3", 1), (2, 0, "0,2", 0), (3, 1, "1,3", 1)] {
            let at = dir.path().join(format!("cpu/cpu{cpu}"));
            fs::create_dir_all(at.join("topology")).unwrap();
            fs::create_dir_all(at.join(format!("node{node}"))).unwrap();
            fs::write(at.join("topology/physical_package_id"), format!("{socket}\n")).unwrap();
            fs::write(at.join("topology/thread_siblings_list"), format!("{siblings}\n")).unwrap();
        }
        let topology = Topology::below(dir.path(), &[0, 1, 2, 3]);
        assert_eq!(topology.place(2), Place { socket: 0, core: 0, domain: 0 });
        assert_eq!(topology.place(3), Place { socket: 1, core: 1, domain: 1 });
        let unknown = Topology::below(Path::new("/nonexistent"), &[0, 5]);
        assert_eq!(unknown.place(5), Place { socket: 0, core: 5, domain: 0 });
    }

    #[test]
    fn this_process_may_use_some() {
        assert!(!allowed().is_empty());
    }
}
