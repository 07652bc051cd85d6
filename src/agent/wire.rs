//! What is asked of an agent on its socket, by the engine and by srun.
//!
//! Frames are those of `host::ipc`. The first one on a connection is a [`Request`]; an engine calls [`control`].

use super::{
    broadcast,
    step::{Launching, StepRequest},
};
use crate::{
    host::ipc,
    job::{StepId, StepUsage},
};
use serde::{Deserialize, Serialize};
use std::{io, os::unix::net::UnixStream, path::Path, time::Duration};

/// The first frame on a connection to an agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// The engine asks one thing. Answer: [`Answer`], then the end.
    Control(Control),
    /// The client of an interactive allocation. Answers: [`super::owner::ToOwner`].
    Own,
    /// A command asks the controller, which cannot be reached from here. On from here: frames as on the controller's socket.
    Ask,
    /// srun asks for a step: for one request, or one for each component of it, in their order. Answers: [`super::step::ToClient`].
    Step(Vec<StepRequest>),
    /// sbcast or srun brings a file. On from here: [`broadcast::Piece`], [`broadcast::ToSender`].
    Broadcast(Box<broadcast::File>),
    /// An agent is ready for a file, on node `index` of the job. On from here: [`broadcast::FromReceiver`], [`broadcast::Piece`].
    Receiver {
        /// Which file.
        id: u64,
        /// Its node's index.
        index: usize,
    },
    /// sattach wants to look on at a step. Answers: [`super::step::ToClient`].
    Attach {
        /// Its job.
        job: u32,
        /// Which.
        step: u32,
        /// The task that what it sends is for; `None`: all.
        input: Option<u32>,
    },
    /// An agent tells the first node's that it is there. What comes back: [`Order`].
    Node {
        /// Its node's index.
        index: usize,
    },
    /// An agent has begun with its part of a step. On from here: [`super::step::FromPart`], [`super::step::ToPart`].
    Part {
        /// Which step.
        step: u32,
        /// Which node of the step.
        node: usize,
    },
    /// Somebody keeps a connection open that says nothing: while it stands, so does the way from an allocation's client.
    Witness,
    /// sstat asks what running steps use. Answer: their [`StepUsage`], within a good second.
    Usage {
        /// What they have of which component of a heterogeneous job; 0: of any other job.
        component: u32,
        /// Which.
        steps: Steps,
    },
}

/// Which steps are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Steps {
    /// All that run, and the script.
    All,
    /// The one with the lowest number.
    Lowest,
    /// This one.
    One(StepId),
}

/// What the first node's agent tells another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Order {
    /// Start your part of a step, and connect with [`Request::Part`].
    Launch(Box<Launching>),
    /// A file comes: connect with [`Request::Receiver`].
    Receive {
        /// Which.
        id: u64,
        /// What and where.
        file: Box<broadcast::File>,
    },
    /// The job is over: end all that is left of it and go.
    Finish,
}

/// Asks one thing of the agent whose socket is at `socket`, and waits for its answer.
///
/// # Errors
/// When there is no agent (any more), or it does not answer within ten seconds.
pub fn control(socket: &Path, control: &Control) -> io::Result<Answer> {
    let mut stream = ipc::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    ipc::send(&mut stream, &Request::Control(control.clone()))?;
    ipc::receive(&mut stream)
}

/// Asks the agent at the other end what running steps use. One that is gone meanwhile is not told of.
///
/// # Errors
/// When the agent ends, or does not answer within ten seconds.
pub fn usage(mut stream: UnixStream, component: u32, steps: Steps) -> io::Result<Vec<StepUsage>> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    ipc::send(&mut stream, &Request::Usage { component, steps })?;
    ipc::receive(&mut stream)
}

/// Which processes of a job a signal is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// All steps, not the batch shell: `scancel --signal=X`.
    Steps,
    /// The batch shell only: `scancel --batch`.
    Batch,
    /// The batch shell and all steps: `scancel --full`.
    Full,
    /// One step.
    Step(StepId),
}

/// Which question of a job's commands: the run of its agent, and a number that is of that run alone.
pub type Which = (u32, u64);

/// What the engine asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Control {
    /// End the job: message in its output, TERM, `kill_wait`, KILL; it ends in `state`.
    Terminate {
        /// Who asked.
        uid: u32,
        /// CANCELLED, PREEMPTED, or PENDING for a requeue.
        state: crate::slurm::state::JobState,
    },
    /// Send a signal. A step that is sent KILL this way counts as cancelled by `uid`.
    Signal {
        /// Who asked.
        uid: u32,
        /// Signal number.
        signal: i32,
        /// To which processes.
        target: Target,
    },
    /// Stop all processes of the job; its time stands still. Where they are stopped, nothing.
    Suspend,
    /// Let them go on.
    Resume,
    /// The job's time limit is now this many minutes after its start; `None`: unlimited.
    TimeLimit(Option<u32>),
    /// The controller's answer to a question ([`super::EventKind::Asked`]).
    Answer {
        /// The question's number.
        number: u64,
        /// What it answered, sealed.
        answer: String,
    },
    /// The same for one component of a heterogeneous job: of the first, the whole job's end and limit are meant.
    Component(u32, Box<Control>),
    /// A message for who looks at its output, or waits for it at a terminal.
    Notify(String),
}

impl Control {
    /// This, for a component if it is one of several.
    pub fn of(self, component: Option<u32>) -> Self {
        match (component, &self) {
            (None, _) | (Some(0), Self::Terminate { .. } | Self::TimeLimit(_)) => self,
            (Some(component), _) => Self::Component(component, Box::new(self)),
        }
    }
}

/// The answer to a [`Control`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Done, or under way.
    Done,
    /// There is no such step.
    NoSuchStep,
}
