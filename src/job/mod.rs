//! What a job is: the resolved request, the record the controller keeps of it,
//! its placement on nodes, and the environments that follow from these.

pub mod batch;
pub mod env;
mod exit;
pub mod files;
pub mod gpu_type;
mod het;
mod list;
mod needs;
mod node;
pub mod notice;
mod placement;
mod record;
mod remote;
mod request;
mod reservation;
pub mod resolve;
mod shape;
mod step;
mod usage;

pub use exit::ExitStatus;
pub use het::Het;
pub use list::{Depth, JobList, all, whole};
pub use needs::{Gpus, Needs, gpus_in};
pub use node::{Cluster, Kept, Node, NodeState, Partition};
pub use placement::{GresShare, NodeShare, Placement};
pub use record::{ArrayRef, Hold, Job, JobId, Suspension};
pub use remote::Remote;
pub use request::{
    Distribution, Exclusive, ExportEnv, Kind, Limit, Memory, OpenMode, Request, Requeue, TasksPer, User,
};
pub use reservation::{Float, Reservation, idle_time};
pub use resolve::Submitter;
pub use shape::{MadeNode, Shape};
pub use step::{Step, StepId, Usage};
pub use usage::{NodeUsage, StepUsage, TaskUsage};
