//! Reasons that many rows share.

use crate::slurm::options::Class;

pub(super) const HONOURED: Class = Class::Honoured;

/// A thing of an allocation, given to srun.
pub(in crate::slurm::options) const ALLOCATIONS: Class = Class::Inert(
    "it belongs to the allocation: inside one it is ignored, as Slurm does; outside of one it is as sbatch's",
);
pub(super) const NO_KILL: Class = Class::Inert("this machine's nodes do not fail one without the others");
/// As Slurm without its SELinux plugin.
pub(super) const NO_SELINUX: Class = Class::Inert("there is no SELinux plugin");
/// The nodes of this machine; `parse.rs` refuses it where there is no display.
pub(super) const DISPLAY: Class = Class::Inert("the tasks run on this machine, where the display is");
/// Of a command that only shows.
pub(super) const NOTHING_CHANGES: Class = Class::Inert("nothing is changed by this command here");
/// What only root may do in Slurm; `check.rs` refuses it in Slurm's words.
pub(super) const ROOT: Class = Class::Refused("jobs run as the user who submits them");
pub(super) const GPU_BINDING: Class = Class::Approximated("every task sees all GPUs that the step has on its node");
pub(super) const NEAR: Class = Class::Inert("all GPUs of a node count as equally near to its tasks");
/// The links between nodes carry it as it is.
pub(super) const UNCOMPRESSED: Class = Class::Inert("a file is sent as it is");
/// A step that others are started by.
pub(super) const BESIDE: Class = Class::Approximated("it is a step like others, which leaves what it has to them");
pub(super) const PINNING: Class = Class::Inert("tasks are not bound to processors or memory; the system places them");
pub(super) const TOPOLOGY: Class = Class::Approximated("sockets, cores and threads are not told apart: a CPU is a CPU");
pub(super) const NETWORK: Class = Class::Inert("the nodes have no network that could be chosen");
pub(super) const SAMPLING: Class = Class::Inert("usage is taken from the kernel at the end, not sampled");
pub(super) const FREQUENCY: Class = Class::Refused("clock frequencies cannot be set from here; leave the option out");
pub(super) const BURST_BUFFER: Class = Class::Refused("there are no burst buffers; write to the node's own disk");
pub(super) const NO_BOOT: Class = Class::Inert("nodes are never booted for a job");
pub(super) const ONE_CLUSTER: Class = Class::Refused("there is one cluster; leave the option out");
pub(super) const FEDERATION: Class = Class::Inert("there is one cluster and no federation");
pub(super) const CONTAINER: Class =
    Class::Refused("containers are not supported on this machine; start the container in the script");
/// pyxis' options: `skypilot.rs` says what they are elsewhere.
pub(super) const PYXIS: Class =
    Class::Refused("containers are for partitions on SkyPilot; on this machine start the container in the script");
/// OCI bundles, of a step.
pub(super) const STEP_CONTAINER: Class =
    Class::Refused("OCI bundles are not started here; name an image: --container-image, or run runc in the step");
pub(super) const SPECIALIZED: Class = Class::Inert("no core is reserved for the system, so there is none to choose");
pub(super) const HIDDEN: Class = Class::Inert("no partition is hidden");
