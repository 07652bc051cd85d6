//! The PMI server of one node, for its tasks of one step.

#[cfg(test)]
mod tests;

use super::{
    Asked, Command, Down, Up, Wire,
    client::Client,
    mapping::mapping,
    store::{KEY, NAME, Store, VALUE},
};
use crate::agent::step::{Bytes, FromPart, Launching};
use nix::poll::PollFlags;
use std::{
    collections::VecDeque,
    io,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

/// `PMI_process_mapping`, known to all from the beginning.
const MAPPING: &str = "PMI_process_mapping";

/// More requests of one task than this cannot wait for their answers.
const PATIENCE: usize = 64;

/// The same number for all that goes wrong: `PMI_FAIL` of a value that is none, `PMI2_ERR_OTHER`.
const FAILED: [&[u8]; 2] = [b"1", b"14"];

/// Whom an answer is for: the task, and the thread of it that asked, if it said which.
struct Asker {
    task: usize,
    thread: Option<Vec<u8>>,
}

/// A node's server.
pub(in crate::agent) struct Server {
    clients: Vec<Client>,
    ranks: Vec<u32>,
    size: u32,
    /// `JOB.STEP`
    id: String,
    /// What all tasks know.
    known: Store,
    /// What tasks here have put since the last fence.
    put: Store,
    /// What only the tasks of this node know.
    attributes: Store,
    /// Who is in the fence.
    fence: Vec<Asker>,
    /// Who waits for an answer about a name, in the order in which they come.
    names: VecDeque<(Asker, Command)>,
    /// Who waits for an attribute.
    wanted: Vec<(Asker, Vec<u8>)>,
}

impl Server {
    /// A server for the tasks of a part of job `job`'s step, and their ends of the connections.
    ///
    /// # Errors
    /// When there are no more descriptors.
    pub fn new(job: u32, launching: &Launching) -> io::Result<(Self, Vec<OwnedFd>)> {
        let ranks = launching.layout.get(launching.node).cloned().unwrap_or_default();
        let (mut clients, mut ends) = (Vec::new(), Vec::new());
        for _ in &ranks {
            let (ours, theirs) = UnixStream::pair()?;
            clients.push(Client::new(ours)?);
            ends.push(theirs.into());
        }
        let mut known = Store::default();
        // One that is too long is left out: the library then looks at the names of the nodes.
        known.put(MAPPING.into(), mapping(&launching.layout).into_bytes());
        let server = Self {
            clients,
            ranks,
            size: launching.layout.iter().map(|ranks| ranks.len() as u32).sum(),
            id: format!("{job}.{}", launching.step),
            known,
            put: Store::default(),
            attributes: Store::default(),
            fence: Vec::new(),
            names: VecDeque::new(),
            wanted: Vec::new(),
        };
        Ok((server, ends))
    }

    /// The variables of a task whose end of the connection has this number.
    pub fn variables(&self, task: usize, fd: i32) -> [(&'static str, String); 4] {
        let rank = self.ranks.get(task).copied().unwrap_or_default();
        [
            ("PMI_FD", fd.to_string()),
            ("PMI_JOBID", self.id.clone()),
            ("PMI_RANK", rank.to_string()),
            ("PMI_SIZE", self.size.to_string()),
        ]
    }

    /// What to wait for, for each task. While the way to the first node is `full`, tasks wait with their requests.
    pub fn wants(&self, full: bool) -> impl Iterator<Item = (usize, BorrowedFd<'_>, PollFlags)> {
        let clients = self.clients.iter().enumerate();
        clients.filter_map(move |(task, client)| client.wants(full).map(|(fd, flags)| (task, fd, flags)))
    }

    /// Does for a task what it asks for. What is returned is for the first node.
    pub fn serve(&mut self, task: usize) -> Vec<FromPart> {
        let mut said = Vec::new();
        let mut filled = false; // once: a task that never stops asking keeps nobody else waiting
        while let Some(client) = self.clients.get_mut(task)
            && client.flush()
        {
            match client.next() {
                Ok(Some(asked)) => {
                    let done = match client.wire() {
                        Some(wire) => self.answer(task, wire, &asked, &mut said),
                        None => client.begin(&asked).map_err(|garbage| garbage.to_string()),
                    };
                    if let Err(text) = done {
                        self.cut_off(task, &text, &mut said);
                    }
                }
                Ok(None) if filled => break,
                Ok(None) => {
                    client.fill();
                    filled = true;
                }
                Err(garbage) => self.cut_off(task, &garbage.to_string(), &mut said),
            }
        }
        said
    }

    fn cut_off(&mut self, task: usize, text: &str, said: &mut Vec<FromPart>) {
        if let Some(client) = self.clients.get_mut(task) {
            client.close();
        }
        let rank = self.ranks.get(task).copied().unwrap_or_default();
        said.push(FromPart::Message(format!("mpi/pmi2: task {rank}: {text}")));
    }

    /// # Errors
    /// When there is no answer to that: what to say of it.
    fn answer(&mut self, task: usize, wire: Wire, asked: &Asked, said: &mut Vec<FromPart>) -> Result<(), String> {
        let Some(client) = self.clients.get_mut(task) else { return Ok(()) };
        let thread = asked.get("thrid");
        let Some((_, _, command)) = wire.table().iter().find(|(name, _, _)| *name == asked.name) else {
            let text = format!("request of '{}' not supported", asked.name);
            if wire == Wire::One {
                return Err(format!("PMI1 {text}"));
            }
            let pairs = [("rc", FAILED[1]), ("errmsg", text.as_bytes())];
            client.write(wire, &format!("{}-response", asked.name), thread, &pairs);
            return Ok(());
        };
        let command = *command;
        let key = || asked.get("key").unwrap_or_default().to_vec();
        let name = || Bytes(asked.get("service").or_else(|| asked.get("name")).unwrap_or_default().to_vec());
        let pair = || Some((asked.get("key")?.to_vec(), asked.get("value")?.to_vec()));
        let asker = Asker { task, thread: thread.map(<[u8]>::to_vec) };
        let mut reply = |pairs: &[(&str, &[u8])]| client.answer(command, thread, pairs);
        match command {
            Command::FullInit => reply(&[
                ("rc", b"0"),
                ("pmi-version", b"2"),
                ("pmi-subversion", b"0"),
                ("rank", self.ranks.get(task).copied().unwrap_or_default().to_string().as_bytes()),
                ("size", self.size.to_string().as_bytes()),
                ("appnum", b"-1"),
                ("debugged", b"FALSE"),
                ("pmiverbose", b"FALSE"),
            ]),
            Command::Maxes => reply(&[
                ("rc", b"0"),
                ("kvsname_max", NAME.to_string().as_bytes()),
                ("keylen_max", KEY.to_string().as_bytes()),
                ("vallen_max", VALUE.to_string().as_bytes()),
            ]),
            Command::UniverseSize => reply(&[("rc", b"0"), ("size", self.size.to_string().as_bytes())]),
            Command::AppNum => reply(&[("rc", b"0"), ("appnum", b"-1")]),
            Command::JobId => {
                let key = if wire == Wire::One { "kvsname" } else { "jobid" };
                reply(&[("rc", b"0"), (key, self.id.as_bytes())]);
            }
            Command::Put => {
                let taken = pair().is_some_and(|(key, value)| self.put.put(key, value));
                reply(&outcome(wire, taken));
            }
            Command::Get => reply(&found(wire, self.known.get(&key()))),
            Command::GetJobAttribute if key() == b"universeSize" => {
                reply(&found(wire, Some(self.size.to_string().as_bytes())));
            }
            Command::GetJobAttribute => {
                reply(&found(wire, self.known.get(&key()).filter(|_| key() == MAPPING.as_bytes())))
            }
            Command::GetNodeAttribute => match self.attributes.get(&key()) {
                None if asked.is_true("wait") => {
                    wait(client)?;
                    self.wanted.push((asker, key()));
                }
                value => reply(&found(wire, value)),
            },
            Command::PutNodeAttribute => {
                let taken = pair().is_some_and(|(key, value)| self.attributes.put(key, value));
                reply(&outcome(wire, taken));
                self.attribute_came(&key());
            }
            Command::Fence if self.fence.iter().any(|other| other.task == task) => {
                return Err(format!("request of '{}' within one", asked.name));
            }
            Command::Fence => {
                self.fence.push(asker);
                if self.fence.len() == self.clients.len() {
                    said.push(FromPart::Pmi(Up::Fence(self.put.take())));
                }
            }
            Command::Publish | Command::Unpublish | Command::Lookup => {
                wait(client)?;
                self.names.push_back((asker, command));
                said.push(FromPart::Pmi(match command {
                    Command::Publish => Up::Publish(name(), Bytes(asked.get("port").unwrap_or_default().to_vec())),
                    Command::Unpublish => Up::Unpublish(name()),
                    _ => Up::Lookup(name()),
                }));
            }
            Command::Spawn => {
                let text = "spawn failed: a step cannot start further ones; start the program with srun";
                reply(&failed(wire, text.as_bytes()));
                said.push(FromPart::Message(format!("mpi/pmi2: {text}")));
            }
            // PMI-2's may be about the task alone.
            Command::Abort if asked.get("isworld").is_none() || asked.is_true("isworld") => {
                said.push(FromPart::Pmi(Up::Abort));
            }
            Command::Abort => {}
            Command::Finalize => {
                reply(&[("rc", b"0")]);
                client.finish();
            }
        }
        Ok(())
    }

    /// Answers those who have waited for an attribute.
    fn attribute_came(&mut self, key: &[u8]) {
        let Some(value) = self.attributes.get(key) else { return };
        for (asker, _) in self.wanted.extract_if(.., |(_, wanted)| wanted == key) {
            if let Some(client) = self.clients.get_mut(asker.task) {
                client.waits -= 1;
                client.answer(Command::GetNodeAttribute, asker.thread.as_deref(), &found(Wire::Two, Some(value)));
                client.flush();
            }
        }
    }

    /// Hears from the first node.
    pub fn hear(&mut self, down: Down) -> Vec<FromPart> {
        match down {
            Down::Fence(pairs) => {
                let fits = pairs.is_some_and(|pairs| {
                    pairs.into_iter().fold(true, |fits, (key, value)| self.known.put(key.0, value.0) && fits)
                });
                let askers = std::mem::take(&mut self.fence);
                for asker in &askers {
                    self.reply(asker, Command::Fence, |wire| outcome(wire, fits).to_vec());
                }
                // Who did not wait for the fence to be left may have asked for more.
                askers.iter().flat_map(|asker| self.serve(asker.task)).collect()
            }
            Down::Name(port, worked) => {
                let Some((asker, command)) = self.names.pop_front() else { return Vec::new() };
                if let Some(client) = self.clients.get_mut(asker.task) {
                    client.waits -= 1;
                }
                self.reply(&asker, command, |wire| named(wire, worked, port.as_ref().map(|port| port.0.as_slice())));
                self.serve(asker.task)
            }
        }
    }

    fn reply<'a>(&mut self, asker: &Asker, command: Command, pairs: impl FnOnce(Wire) -> Vec<(&'a str, &'a [u8])>) {
        if let Some((client, wire)) = self.clients.get_mut(asker.task).and_then(|c| c.wire().map(|wire| (c, wire))) {
            client.answer(command, asker.thread.as_deref(), &pairs(wire));
        }
    }
}

fn wait(client: &mut Client) -> Result<(), String> {
    client.waits += 1;
    if client.waits > PATIENCE { Err("too many requests at once".to_owned()) } else { Ok(()) }
}

fn failed(wire: Wire, text: &[u8]) -> [(&'static str, &[u8]); 2] {
    match wire {
        Wire::One => [("rc", FAILED[0]), ("msg", text)],
        Wire::Two => [("rc", FAILED[1]), ("errmsg", text)],
    }
}

/// Whether something was done.
fn outcome(wire: Wire, done: bool) -> Vec<(&'static str, &'static [u8])> {
    if done { vec![("rc", b"0")] } else { failed(wire, b"no room for it").to_vec() }
}

/// A value, if there is one.
fn found(wire: Wire, value: Option<&[u8]>) -> Vec<(&'static str, &[u8])> {
    match (wire, value) {
        (Wire::One, Some(value)) => vec![("rc", b"0"), ("value", value)],
        (Wire::One, None) => vec![("rc", FAILED[0])],
        (Wire::Two, Some(value)) => vec![("rc", b"0"), ("found", b"TRUE"), ("value", value)],
        (Wire::Two, None) => vec![("rc", b"0"), ("found", b"FALSE")],
    }
}

/// What became of a name. PMI-2's libraries do not agree on what the port is called.
fn named(wire: Wire, worked: bool, port: Option<&[u8]>) -> Vec<(&'static str, &[u8])> {
    let mut pairs: Vec<(&str, &[u8])> = vec![("rc", if worked { b"0" } else { b"1" })];
    match wire {
        Wire::One => {
            pairs.push(("info", if worked { b"ok" } else { b"fail" }));
            pairs.extend(port.map(|port| ("port", port)));
        }
        Wire::Two => pairs.extend(port.into_iter().flat_map(|port| [("value", port), ("port", port)])),
    }
    pairs
}
