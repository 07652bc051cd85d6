//! The first node's side: pieces go to all nodes, and answers come back as one.

use super::{File, FromReceiver, Piece, ToSender};
use crate::agent::{
    agent::{Agent, Role},
    link::Link,
    wire::Order,
};
use nix::errno::Errno;
use std::os::unix::net::UnixStream;

/// A file under way.
pub(in crate::agent) struct Broadcast {
    /// Who brings it.
    client: u64,
    targets: Vec<Target>,
}

/// A node it goes to.
struct Target {
    index: usize,
    name: String,
    connection: Option<u64>,
    /// It has not answered the last piece.
    due: bool,
    failed: Option<i32>,
    done: bool,
}

impl Agent {
    /// Somebody brings a file.
    pub(in crate::agent) fn on_broadcast(&mut self, client: u64, about: File) {
        self.set_role(client, Role::Sender);
        let job = self.launch.job.id;
        let lookup =
            |what: String| ToSender::Refused(format!("Slurm job {what} lookup error: Invalid job id specified"));
        if about.job != job || self.closing {
            self.send(client, &lookup(about.job.to_string()));
            return;
        }
        let nodes = match about.step {
            Some(step) => self.manager.nodes_of(step),
            None => Some((0..self.launch.job.placement.as_ref().map_or(0, |p| p.nodes.len())).collect()),
        };
        let Some(mut nodes) = nodes else {
            let step = about.step.unwrap_or_default();
            self.send(client, &lookup(format!("{job}.{step}")));
            return;
        };
        // Virtual nodes have one file system: what has one name there is one file.
        if self.launch.virtual_nodes && !about.to.named {
            nodes.truncate(1);
        }
        let id = client;
        let mut targets = Vec::new();
        for index in nodes {
            let name = self.launch.node_name(index).to_owned();
            let reached = index == 0 || self.node_connection(index).is_some();
            let failed = (!reached).then_some(Errno::EHOSTUNREACH as i32);
            targets.push(Target { index, name, connection: None, due: reached, failed, done: false });
        }
        let indices: Vec<usize> = targets.iter().filter(|t| t.due).map(|t| t.index).collect();
        self.broadcasts.insert(id, Broadcast { client, targets });
        for index in indices {
            match (index, self.node_connection(index)) {
                (0, _) => self.broadcast_to_self(id, about.clone()),
                (_, Some(connection)) => self.send(connection, &Order::Receive { id, file: Box::new(about.clone()) }),
                (_, None) => {}
            }
        }
        self.answer_sender(id);
    }

    fn broadcast_to_self(&mut self, id: u64, about: File) {
        let pair = UnixStream::pair().and_then(|(here, there)| Ok((Link::new(here)?, there)));
        let Ok((here, there)) = pair else {
            self.receiver_lost(id, 0);
            return;
        };
        let connection = self.adopt(here, Role::ReceiverOf { id, index: 0 });
        self.receiver_joined(id, 0, connection);
        self.receive_file(id, about, Some(there));
    }

    /// A node's agent is ready for the file, or will say why not.
    pub(in crate::agent) fn receiver_joined(&mut self, id: u64, index: usize, connection: u64) {
        let known = self.broadcasts.get_mut(&id).and_then(|b| b.targets.iter_mut().find(|t| t.index == index));
        match known {
            Some(target) => target.connection = Some(connection),
            None => {
                self.connections.remove(&connection);
            }
        }
    }

    /// The next piece came: it goes to all.
    pub(in crate::agent) fn on_sender(&mut self, client: u64, piece: &Piece) {
        let Some(broadcast) = self.broadcasts.get_mut(&client) else {
            return;
        };
        let mut connections = Vec::new();
        for target in broadcast.targets.iter_mut().filter(|t| t.failed.is_none() && !t.done) {
            target.due = true;
            connections.extend(target.connection);
        }
        for connection in connections {
            self.send(connection, piece);
        }
        self.answer_sender(client);
    }

    /// A node has answered.
    pub(in crate::agent) fn on_receiver(&mut self, id: u64, index: usize, said: FromReceiver) {
        let target = self.broadcasts.get_mut(&id).and_then(|b| b.targets.iter_mut().find(|t| t.index == index));
        if let Some(target) = target {
            target.due = false;
            match said {
                FromReceiver::Taken => {}
                FromReceiver::Failed(errno) => target.failed = Some(errno),
                FromReceiver::Done => target.done = true,
            }
        }
        self.answer_sender(id);
    }

    /// A node's agent is gone with the file.
    pub(in crate::agent) fn receiver_lost(&mut self, id: u64, index: usize) {
        let finished = |b: &Broadcast| b.targets.iter().any(|t| t.index == index && (t.done || t.failed.is_some()));
        if self.broadcasts.get(&id).is_some_and(|b| !finished(b)) {
            self.on_receiver(id, index, FromReceiver::Failed(Errno::ECONNRESET as i32));
        }
    }

    /// A node is gone, with all files that were under way to it.
    pub(in crate::agent) fn receivers_lost(&mut self, index: usize) {
        for id in self.broadcasts.keys().copied().collect::<Vec<u64>>() {
            self.receiver_lost(id, index);
        }
    }

    /// Tells who brings the file what all nodes came to, once they have.
    fn answer_sender(&mut self, id: u64) {
        let Some(broadcast) = self.broadcasts.get(&id).filter(|b| b.targets.iter().all(|t| !t.due)) else {
            return;
        };
        let client = broadcast.client;
        let failed = broadcast.targets.iter().filter_map(|t| Some((t.name.clone(), t.failed?)));
        let failed: Vec<(String, i32)> = failed.collect();
        let done = broadcast.targets.iter().all(|t| t.done);
        let said = match (failed.is_empty(), done) {
            (false, _) => ToSender::Failed(failed),
            (true, true) => ToSender::Done,
            (true, false) => ToSender::Taken,
        };
        let over = said != ToSender::Taken;
        self.send(client, &said);
        if over {
            self.sender_lost(id);
        }
    }

    /// Nobody brings more of it: the nodes need not wait.
    pub(in crate::agent) fn sender_lost(&mut self, id: u64) {
        let Some(broadcast) = self.broadcasts.remove(&id) else {
            return;
        };
        for connection in broadcast.targets.into_iter().filter_map(|t| t.connection) {
            self.connections.remove(&connection);
        }
    }
}
