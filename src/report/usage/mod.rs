//! Usage, as sreport counts it: seconds of CPUs and other resources over a window of time.
//!
//! Slurm's database adds up every hour what jobs had; here it is counted from the jobs themselves when it is asked for.

mod count;
mod fields;
mod sizes;
mod time_format;

pub use count::{Usage, Window};
pub use fields::{Field, Line, Report, columns, print};
pub use sizes::{Sizes, sizes};
pub use time_format::TimeFormat;

use crate::slurm::gres::Tres;

/// A resource that is counted: its name and how much of it something has.
#[derive(Clone, Copy, Debug)]
pub struct Resource {
    /// As in `--tres`.
    pub name: &'static str,
    /// How much; memory in MiB.
    pub of: fn(&Tres) -> u64,
}

/// CPUs.
pub const CPU: Resource = Resource { name: "cpu", of: |tres| tres.cpu };

/// Those that Slurm always has, in its order; it counts no nodes, for several jobs may be on one.
const RESOURCES: &[Resource] = &[
    CPU,
    Resource { name: "mem", of: |tres| tres.mem.0 },
    Resource { name: "energy", of: |_| 0 },
    Resource { name: "billing", of: |tres| tres.billing },
    Resource { name: "fs/disk", of: |_| 0 },
    Resource { name: "vmem", of: |_| 0 },
    Resource { name: "pages", of: |_| 0 },
    Resource { name: "gres/gpu", of: |tres| tres.gres.0.iter().filter(|g| g.name == "gpu").map(|g| g.count).sum() },
];

/// The resources of `--tres`, in the order of the list; CPUs without one. Empty if none is known.
pub fn resources(list: Option<&str>) -> Vec<Resource> {
    match list {
        None => vec![CPU],
        Some(all) if all.eq_ignore_ascii_case("all") => RESOURCES.to_vec(),
        Some(list) => list
            .split(',')
            .filter_map(|name| RESOURCES.iter().find(|known| known.name.eq_ignore_ascii_case(name.trim())).copied())
            .collect(),
    }
}
