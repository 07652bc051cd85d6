//! An agent's connections: who is on the other end, and what was said.

use super::Agent;
use crate::{
    agent::{
        link::Link,
        processes,
        remote::{Inbox, rendezvous},
        wire::{Order, Request},
    },
    host::ipc,
    slurm::state::JobState,
};
use std::{
    io,
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

/// What a connection is for.
pub(in crate::agent) enum Role {
    /// Nothing was said yet.
    New,
    /// srun.
    Client,
    /// The client of the allocation itself.
    Owner,
    /// Another node's agent, here on the first node.
    Node(usize),
    /// The first node's agent, there on another node.
    First,
    /// A node's part of a step, here on the first node.
    PartOf { step: u32, node: usize },
    /// The first node's agent, for our part of a step.
    Part(u32),
    /// sattach.
    Watcher,
    /// [`Request::Witness`]
    Witness,
    /// Who brings a file for the nodes.
    Sender,
    /// A node's agent that writes a file, here on the first node.
    ReceiverOf { id: u64, index: usize },
    /// The first node's agent, for a file we write.
    Receiving,
    /// A command that asks the controller.
    Asker,
    /// One of two connections between which everything is handed on unread.
    Relay(u64),
}

/// A connection.
pub(in crate::agent) struct Connection {
    pub link: Link,
    pub role: Role,
    pub(super) since: Instant,
}

impl Agent {
    /// Takes a new connection, if it is the job's user's (or root's); one to the desk asks the controller.
    pub(super) fn greet(&mut self, stream: UnixStream, is_at_desk: bool) {
        let owner = nix::unistd::geteuid().as_raw();
        if !ipc::peer_uid(&stream).is_ok_and(|uid| uid == owner || uid == 0) {
            return;
        }
        let Ok(link) = Link::new(stream) else { return };
        if self.index == 0 {
            self.adopt(link, if is_at_desk { Role::Asker } else { Role::New });
        } else if let Ok(mut first) = self.first.dial() {
            if is_at_desk {
                first.send(&Request::Ask);
            }
            // The account of the job is kept on the first node: what is said here is said there.
            let (here, there) = (self.adopt(link, Role::New), self.adopt(first, Role::New));
            self.set_role(here, Role::Relay(there));
            self.set_role(there, Role::Relay(here));
        }
    }

    /// Lets in who comes from elsewhere. Who they are shows when they speak; those who do not are sent away.
    pub(super) fn open_door(&mut self, index: usize) {
        let Some((door, key)) = self.elsewhere.as_ref().and_then(|e| e.doors.get(index)) else {
            return;
        };
        let accept = || door.accept().ok().map(|(stream, _)| Link::accepted(stream, key));
        let links: Vec<Link> = std::iter::from_fn(accept).flatten().collect();
        for link in links {
            self.adopt(link, Role::New);
        }
        let surplus = self.strangers().count().saturating_sub(rendezvous::STRANGERS);
        let longest: Vec<u64> = self.strangers().take(surplus).map(|(id, _)| id).collect();
        longest.into_iter().for_each(|id| self.lost(id));
    }

    /// Connections from other machines that have not said what they are for, the oldest first.
    pub(super) fn strangers(&self) -> impl Iterator<Item = (u64, &Connection)> {
        let stranger = |c: &Connection| matches!(c.role, Role::New) && c.link.is_far();
        self.connections.iter().map(|(id, c)| (*id, c)).filter(move |(_, c)| stranger(c))
    }

    /// Does what the controller asks, and sends away who has been silent for too long.
    pub(super) fn take_orders(&mut self) {
        let orders = self.elsewhere.as_mut().and_then(|e| e.inbox.as_mut()).map(Inbox::take).unwrap_or_default();
        for control in orders {
            self.on_control(control);
        }
        let silent = |c: &Connection| c.since.elapsed() >= rendezvous::SILENCE;
        let silent: Vec<u64> = self.strangers().filter(|(_, c)| silent(c)).map(|(id, _)| id).collect();
        silent.into_iter().for_each(|id| self.lost(id));
    }

    /// Keeps a connection.
    pub fn adopt(&mut self, link: Link, role: Role) -> u64 {
        self.last_connection += 1;
        self.connections.insert(self.last_connection, Connection { link, role, since: Instant::now() });
        self.last_connection
    }

    /// Connects to the first node's agent, later again if it is not there yet.
    pub(super) fn join_first(&mut self, delay: Duration) {
        match self.first.dial() {
            Ok(link) => {
                let id = self.adopt(link, Role::First);
                let index = self.index;
                self.send(id, &Request::Node { index });
            }
            // Its directory may outlive the job: our own socket may have come into it while it was being removed.
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.layout.launch().exists() => {
                self.retry_first = Some((delay * 2).min(Duration::from_millis(200)));
            }
            Err(_) => self.closing = true, // it was there and is gone: the job is over
        }
    }

    /// Sends a frame to a connection, if it is still there.
    pub fn send(&mut self, connection: u64, value: &impl serde::Serialize) {
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.link.send(value);
        }
    }

    pub(super) fn on_link(&mut self, id: u64) {
        let may_read = self.connections.get(&id).is_some_and(|c| self.may_read(c));
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.link.flush();
        if may_read {
            connection.link.fill();
        }
        loop {
            let Some(connection) = self.connections.get_mut(&id) else {
                return;
            };
            let link = &mut connection.link;
            let went_on = match connection.role {
                Role::Relay(other) => {
                    let bytes = link.take_raw();
                    if let Some(other) = self.connections.get_mut(&other) {
                        other.link.send_raw(&bytes);
                    }
                    false
                }
                Role::New => link.receive().map(|request| self.on_request(id, request)).is_some(),
                Role::Client => link.receive().map(|said| self.on_client(id, said)).is_some(),
                Role::Owner => link.receive().map(|said| self.on_owner(said)).is_some(),
                Role::First => link.receive().map(|order| self.on_order(order)).is_some(),
                Role::PartOf { step, node } => link.receive().map(|said| self.on_part_of(step, node, said)).is_some(),
                Role::Part(step) => link.receive().map(|told| self.on_part(step, told)).is_some(),
                Role::Watcher => link.receive().map(|said| self.on_watcher(id, said)).is_some(),
                Role::Sender => link.receive().map(|piece| self.on_sender(id, &piece)).is_some(),
                Role::ReceiverOf { id: file, index } => {
                    link.receive().map(|said| self.on_receiver(file, index, said)).is_some()
                }
                Role::Asker => link.receive_unread().map(|question| self.on_question(id, &question)).is_some(),
                Role::Receiving => link.receive().map(|piece| self.on_piece(id, &piece)).is_some(),
                Role::Node(_) | Role::Witness => link.receive::<Order>().is_some(), // says nothing after its name
            };
            if !went_on {
                break;
            }
        }
        if self.connections.get(&id).is_some_and(|c| c.link.closed) {
            self.lost(id);
        }
    }

    /// The other end of a connection is gone.
    fn lost(&mut self, id: u64) {
        let Some(connection) = self.connections.remove(&id) else {
            return;
        };
        if let Role::Node(index) = connection.role {
            self.receivers_lost(index);
        }
        match connection.role {
            Role::Relay(other) => {
                // What is on its way still arrives; then the other end closes.
                if let Some(connection) = self.connections.get_mut(&other) {
                    connection.link.close_when_sent();
                    if connection.link.closed {
                        self.connections.remove(&other);
                    }
                }
            }
            Role::Client => self.client_lost(id),
            Role::Owner => self.owner_gone(id),
            Role::PartOf { step, node } => self.part_lost(step, node),
            Role::Part(step) => self.part_cut_off(step),
            Role::Watcher => self.watcher_lost(id),
            Role::Sender => self.sender_lost(id),
            Role::Asker => self.asker_lost(id),
            Role::ReceiverOf { id, index } => self.receiver_lost(id, index),
            Role::Receiving => drop(self.receiving.remove(&id)),
            Role::First => self.closing = true,
            Role::Node(index) => self.node_lost(index),
            Role::New | Role::Witness => {}
        }
    }

    /// The agent of another node is gone.
    fn node_lost(&mut self, index: usize) {
        if self.closing {
            return;
        }
        let node = self.launch.shares().nth(index).map(|n| n.node.as_str());
        if self.elsewhere.is_none() && node.is_some() {
            processes::kill_orphans(&self.launch, node);
        }
        if self.component_ends(self.launch.component_of(index)) {
            return;
        }
        // Without one of its nodes a job cannot go on, unless it said that it can.
        if !self.launch.job.request.no_kill {
            self.terminate(None, JobState::NodeFail);
        }
    }

    fn on_request(&mut self, id: u64, request: Request) {
        match request {
            Request::Control(control) => {
                let answer = self.on_control(control);
                self.send(id, &answer);
            }
            Request::Own => self.on_own(id),
            Request::Witness => self.set_role(id, Role::Witness),
            Request::Ask => self.set_role(id, Role::Asker),
            Request::Step(requests) => self.on_step_request(id, requests),
            Request::Attach { job, step, input } => self.on_attach(id, job, step, input),
            Request::Usage { component, steps } => self.on_usage(id, component, steps),
            Request::Broadcast(file) => self.on_broadcast(id, *file),
            Request::Receiver { id: file, index } => {
                self.set_role(id, Role::ReceiverOf { id: file, index });
                self.receiver_joined(file, index, id);
            }
            // One that is none, or is there already, is none of ours.
            Request::Node { index } if !self.is_missing(index) => drop(self.connections.remove(&id)),
            Request::Node { index } => {
                self.set_role(id, Role::Node(index));
                if self.closing || self.component_ends(self.launch.component_of(index)) {
                    self.send(id, &Order::Finish);
                } else {
                    self.node_joined(index);
                }
            }
            Request::Part { step, node } => {
                self.set_role(id, Role::PartOf { step, node });
                self.part_joined(step, node, id);
            }
        }
    }

    /// Whether another node of the job has this place, and has not come yet.
    fn is_missing(&self, index: usize) -> bool {
        let nodes = self.launch.shares().count();
        self.index == 0 && (1..nodes).contains(&index) && self.node_connection(index).is_none()
    }

    pub fn set_role(&mut self, id: u64, role: Role) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.role = role;
        }
    }

    fn on_order(&mut self, order: Order) {
        match order {
            Order::Launch(launching) => self.launch_part(*launching, None),
            Order::Receive { id, file } => self.receive_file(id, *file, None),
            Order::Finish => self.closing = true,
        }
    }

    /// The connection to the agent of node `index` of the job.
    pub fn node_connection(&self, index: usize) -> Option<u64> {
        self.connections.iter().find(|(_, c)| matches!(c.role, Role::Node(i) if i == index)).map(|(id, _)| *id)
    }
}
