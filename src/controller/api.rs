//! What the commands ask of the controller, and what it answers.
//!
//! Frames on the state directory's socket (`host::ipc`); each begins with [`PROTOCOL`],
//! so that a controller of another version is told and not misread.

pub use super::counts::Counts;
/// What [`Call::Cluster`] is answered with.
pub use crate::job::Cluster;
use crate::{
    agent::wire::Target,
    engine::{Planned, Sending},
    job::{Depth, JobId, JobList, Request},
    slurm::{
        array::{ArraySpec, JobIdSpec},
        errno::Errno,
        hostlist,
        options::{Place, Refusal},
        reservation::Asked,
        state::JobState,
        time::TimeLimit,
    },
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Counts every change of the types that go over the socket.
pub const PROTOCOL: u16 = 14;

/// A question or an order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Call {
    /// Put a job into the queue. Answer: [`Reply::Submitted`], [`Reply::Declined`], [`Reply::Refused`].
    Submit(Box<Submission>),
    /// When and where a job would start. Answer: [`Reply::WouldStart`], [`Reply::Forecast`], and those of a refusal.
    TestOnly(Box<Submission>),
    /// Jobs still in memory: pending, running, and for `MinJobAge` those that ended. Answer: [`Reply::Jobs`].
    Jobs(Filter),
    /// When and where the jobs that wait will probably start. Answer: [`Reply::Planned`].
    Planned,
    /// All jobs on record, steps included. Answer: [`Reply::Jobs`].
    Accounting(Filter),
    /// Partitions, nodes and settings. Answer: [`Reply::Cluster`].
    Cluster,
    /// Cancel or signal jobs. Answer: [`Reply::Done`], one result for each id.
    Signal(Vec<SignalJob>),
    /// Change jobs. Answer: [`Reply::Done`], one result for each id.
    Change(Vec<JobIdSpec>, Change),
    /// Make a reservation. Answer: [`Reply::Reserved`], [`Reply::Refused`].
    Reserve(Box<Asked>),
    /// Change a reservation. Answer: [`Reply::Done`], [`Reply::Refused`].
    ChangeReservation(Box<Asked>),
    /// Take a reservation away. Answer: [`Reply::Done`], [`Reply::Refused`].
    DeleteReservation(String),
    /// Wait until the job (or the whole array) is over. Answer: [`Reply::Jobs`] with all its records.
    Wait(JobId),
    /// Wait until an interactive allocation has its nodes and its agent answers, or it is over; or, unless `knows`, until
    /// it was looked at and has to wait. Who hangs up gives up an allocation that waits. Answer: [`Reply::Jobs`].
    Granted {
        /// Which.
        id: JobId,
        /// Only what comes after waiting is of interest.
        knows: bool,
    },
    /// Who waited for an allocation has hung up. Answer: [`Reply::Done`].
    GiveUp(JobId),
    /// How far a handed job's files are on their way. Answer: [`Reply::Sending`].
    Sending(JobId),
    /// Have a way opened to the agent of a job that runs elsewhere. Answer: [`Reply::WayIn`], which may take a while.
    WayIn(JobId),
    /// A job's script. Answer: [`Reply::Script`].
    Script(JobId),
    /// The environment a job was submitted with. Answer: [`Reply::Script`].
    Environment(JobId),
    /// Who are you? Answer: [`Reply::Status`].
    Status,
    /// End; running jobs go on. Answer: [`Reply::Done`], then the end.
    Stop,
}

impl Call {
    /// Whether it changes nothing.
    pub fn is_question(&self) -> bool {
        use Call::{Accounting, Cluster, Environment, Jobs, Script, Sending, Status};
        matches!(self, Jobs(_) | Accounting(_) | Cluster | Sending(_) | Script(_) | Environment(_) | Status)
    }

    /// Whether the answer may be a long time in coming, and comes of something that was there before.
    pub fn may_wait(&self) -> bool {
        matches!(self, Self::Wait(_) | Self::Granted { .. })
    }
}

/// A job to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Submission {
    /// What it asks for.
    pub request: Request,
    /// `--array`
    pub array: Option<ArraySpec>,
    /// The script.
    pub script: Vec<u8>,
    /// The environment to export: `NAME=value`, each ended by NUL.
    pub environment: Vec<u8>,
    /// Places that cannot do what an option says, and the command's words for that. Nearly always there are none.
    pub refusals: Vec<(Place, Refusal)>,
    /// The further components of a heterogeneous job: what each asks for, and the places that cannot do it.
    pub others: Vec<(Request, Vec<(Place, Refusal)>)>,
}

/// Which jobs. Empty lists ask nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Filter {
    /// These jobs, elements or whole arrays.
    pub ids: Vec<JobIdSpec>,
    /// Of these users.
    pub uids: Vec<u32>,
    /// With one of these names.
    pub names: Vec<String>,
    /// In one of these partitions.
    pub partitions: Vec<String>,
    /// In one of these (shown or base) states.
    pub states: Vec<JobState>,
    /// Of one of these accounts.
    pub accounts: Vec<String>,
    /// Accounting: in the queue or running at some time from here on, epoch seconds.
    pub since: Option<i64>,
    /// Accounting: in the queue or running at some time up to here, epoch seconds.
    pub until: Option<i64>,
    /// Accounting: not the record last made of a requeued job only, but all (`sacct --duplicates`).
    pub duplicates: bool,
    /// How much of them.
    pub depth: Depth,
}

/// A job to cancel or to signal.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignalJob {
    /// Which job, element, elements or step.
    pub id: JobIdSpec,
    /// `None`: cancel it.
    pub signal: Option<i32>,
    /// Which of its processes.
    pub target: Target,
}

/// What `scontrol hold`, `release`, `requeue` and `update` change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Change {
    /// Hold it.
    Hold,
    /// Let it go.
    Release,
    /// Stop its processes.
    Suspend,
    /// Let them go on.
    Resume,
    /// Put it back into the queue (and hold it).
    Requeue {
        /// And hold it.
        hold: bool,
    },
    /// Several settings at once: all or none.
    Update(Vec<Setting>),
    /// Tell it something.
    Notify(String),
}

/// One setting of `scontrol update`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Setting {
    /// `JobName=`
    Name(String),
    /// `TimeLimit=`
    TimeLimit(TimeLimit),
    /// `TimeLimit+=`, `TimeLimit-=`, minutes
    TimeLimitBy(i64),
    /// `Partition=`
    Partition(Vec<String>),
    /// `Nice=`
    Nice(i32),
    /// `Priority=`
    Priority(u32),
    /// `Comment=`
    Comment(String),
    /// `Account=`
    Account(String),
    /// `QOS=`
    Qos(String),
    /// `ArrayTaskThrottle=`; 0: no limit
    ArrayThrottle(u32),
    /// `StartTime=`, `EligibleTime=`, epoch seconds
    Begin(i64),
    /// `TimeMin=`
    TimeMin(TimeLimit),
    /// `Licenses=`, as written
    Licenses(String),
    /// `ReservationName=`; empty: none
    Reservation(String),
    /// `Deadline=`, epoch seconds
    Deadline(i64),
    /// `Dependency=`, as written
    Dependency(String),
    /// `Requeue=`
    Requeue(bool),
    /// `NumNodes=`, least and most
    Nodes(u32, Option<u32>),
    /// `NumTasks=`
    Tasks(u32),
    /// `NumCPUs=`: CPUs per task
    CpusPerTask(u32),
    /// `MinMemoryNode=`, MiB
    MemoryPerNode(u64),
    /// `ReqNodeList=`
    NodeList(Vec<String>),
    /// `ExcNodeList=`
    ExcludeNodes(Vec<String>),
}

/// An answer. Jobs are sent from references and received as records.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Reply<L = JobList> {
    /// The job is on disk.
    Submitted(JobId),
    /// What is answered of a job that goes, or would go, to another place than this machine. The command knows what
    /// becomes of its options there.
    At(Place, Box<Self>),
    /// Nothing was submitted: this is what the submission has for the place it would go to.
    Declined(Refusal),
    /// Nothing was submitted, or the question cannot be answered.
    Refused {
        /// Why.
        errno: Errno,
        /// Lines Slurm prints before it, without `sbatch: error: `.
        before: Vec<String>,
        /// For a limit of ours and not of Slurm's: what to do, in words.
        hint: Option<String>,
    },
    /// `--test-only`.
    WouldStart(WouldStart),
    /// `--test-only` of a job that would be handed to another system: what that would make of it, line by line; or
    /// why not.
    Forecast(Result<Vec<String>, String>),
    /// The reservation of this name is on disk.
    Reserved(String),
    /// Jobs, oldest id first.
    Jobs(Box<L>),
    /// When and where jobs will probably start.
    Planned(Vec<Planned>),
    /// The cluster.
    Cluster(Box<Cluster>),
    /// One result for each thing asked.
    Done(Vec<Result<(), Errno>>),
    /// How far files are on their way.
    Sending(Sending),
    /// Its socket is in the job's spool directory; or why not.
    WayIn(Result<(), String>),
    /// A script, or an environment: `NAME=value`, each ended by NUL.
    Script(Vec<u8>),
    /// Who answers.
    Status(Box<Status>),
}

/// When and where a job would start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WouldStart {
    /// The id it used up.
    pub id: JobId,
    /// Epoch seconds.
    pub start: i64,
    /// CPUs over all nodes.
    pub cpus: u32,
    /// Node names in order.
    pub nodes: Vec<String>,
    /// Partition it would run in; `None` of a heterogeneous job.
    pub partition: Option<String>,
}

/// As sbatch and srun say it.
impl fmt::Display for WouldStart {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { id, start, cpus, nodes, partition } = self;
        let start = chrono::DateTime::from_timestamp(*start, 0).unwrap_or_default().with_timezone(&chrono::Local);
        let (start, nodes) = (start.format("%Y-%m-%dT%H:%M:%S"), hostlist::compress(nodes));
        write!(f, "Job {id} to start at {start} using {cpus} processors on ")?;
        match partition {
            Some(partition) => write!(f, "nodes {nodes} in partition {partition}"),
            None => write!(f, "{nodes}"),
        }
    }
}

impl<L> Reply<L> {
    /// A refusal without more words.
    pub fn refused(errno: Errno) -> Self {
        Self::Refused { errno, before: Vec::new(), hint: None }
    }

    /// This, of a job in that place.
    pub fn at(self, place: Place) -> Self {
        match place {
            Place::Here => self,
            _ => Self::At(place, Box::new(self)),
        }
    }
}

/// The controller about itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Process id.
    pub pid: u32,
    /// Program version.
    pub version: String,
    /// When it was started, epoch seconds.
    pub since: i64,
    /// Jobs waiting.
    pub pending: u32,
    /// Jobs running.
    pub running: u32,
    /// The last job id given out.
    pub last_job_id: JobId,
    /// Its clock, epoch seconds.
    pub now: i64,
    /// What it has done.
    pub counts: Counts,
}
