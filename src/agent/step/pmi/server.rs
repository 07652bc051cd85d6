//! The PMI server of one node, for its tasks of one step.

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{Read, Write};

    /// A server of the first of two nodes with two tasks each, and the tasks' ends.
    fn server() -> (Server, Vec<UnixStream>) {
        let launching = Launching {
            step: 3,
            request: Default::default(),
            nodes: vec!["a".into(), "b".into()],
            layout: vec![vec![0, 1], vec![2, 3]],
            distribution: "block".into(),
            node: 0,
            cpus: 2,
            gpus: Default::default(),
            launcher: String::new(),
        };
        let (server, ends) = Server::new(7, &launching).unwrap();
        let ends: Vec<UnixStream> = ends.into_iter().map(UnixStream::from).collect();
        ends.iter().for_each(|end| end.set_nonblocking(true).unwrap());
        (server, ends)
    }

    /// What a task reads now.
    fn heard(mut end: &UnixStream) -> String {
        let mut bytes = vec![0; 1 << 20];
        let read = end.read(&mut bytes).unwrap_or(0);
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    }

    /// What a task hears when it says this, and what the first node hears.
    fn say(server: &mut Server, ends: &[UnixStream], task: usize, text: &str) -> (String, Vec<FromPart>) {
        (&ends[task]).write_all(text.as_bytes()).unwrap();
        let said = server.serve(task);
        (heard(&ends[task]), said)
    }

    fn two(body: &str) -> String {
        format!("{:<6}{body}", body.len())
    }

    fn up(said: &[FromPart]) -> Vec<&Up> {
        said.iter().filter_map(|said| if let FromPart::Pmi(up) = said { Some(up) } else { None }).collect()
    }

    fn pair(key: &str, value: &str) -> super::super::Pair {
        (Bytes(key.into()), Bytes(value.into()))
    }

    #[test]
    fn tasks_of_both_protocols_meet_in_a_fence() {
        let (mut server, ends) = server();
        let ask = |server: &mut Server, task, text: &str| say(server, &ends, task, text).0;
        assert_eq!(
            ask(&mut server, 0, "cmd=init pmi_version=1 pmi_subversion=1\n"),
            "cmd=response_to_init rc=0 pmi_version=1 pmi_subversion=1\n"
        );
        // Cut anywhere, and several at once.
        assert_eq!(ask(&mut server, 0, "cmd=get_ma"), "");
        assert_eq!(
            ask(&mut server, 0, "xes\ncmd=get_my_kvsname\n"),
            "cmd=maxes rc=0 kvsname_max=256 keylen_max=64 vallen_max=1024\ncmd=my_kvsname rc=0 kvsname=7.3\n"
        );
        ask(&mut server, 1, "cmd=init pmi_version=2 pmi_subversion=0\n");
        let init = ask(&mut server, 1, &two("cmd=fullinit;pmijobid=7.3;pmirank=1;threaded=FALSE;"));
        assert!(init[6..].starts_with("cmd=fullinit-response;rc=0;pmi-version=2;pmi-subversion=0;rank=1;size=4;"));
        let mapping = "value=(vector,(0,2,2))";
        assert!(ask(&mut server, 0, "cmd=get kvsname=7.3 key=PMI_process_mapping\n").contains(mapping));
        assert!(ask(&mut server, 1, &two("cmd=info-getjobattr;key=PMI_process_mapping;")).contains(mapping));

        assert_eq!(ask(&mut server, 0, "cmd=put kvsname=7.3 key=a value=1\n"), "cmd=put_result rc=0\n");
        assert_eq!(ask(&mut server, 0, "cmd=get kvsname=7.3 key=a\n"), "cmd=get_result rc=1\n");
        let (out, said) = say(&mut server, &ends, 0, "cmd=barrier_in\n");
        assert!(out.is_empty() && said.is_empty());
        let (out, said) = say(&mut server, &ends, 1, &two("cmd=kvs-fence;thrid=0x1;"));
        assert_eq!((out.as_str(), up(&said)), ("", vec![&Up::Fence(vec![pair("a", "1")])]));
        assert!(server.hear(Down::Fence(Some(vec![pair("a", "1"), pair("b", "x;y")]))).is_empty());
        assert_eq!(heard(&ends[0]), "cmd=barrier_out rc=0\n");
        assert_eq!(heard(&ends[1]), two("cmd=kvs-fence-response;thrid=0x1;rc=0;"));
        assert_eq!(
            ask(&mut server, 1, &two("cmd=kvs-get;jobid=;srcid=-1;key=b;")),
            two("cmd=kvs-get-response;rc=0;found=TRUE;value=x;;y;")
        );
        assert_eq!(ask(&mut server, 0, "cmd=finalize\n"), "cmd=finalize_ack rc=0\n");
        assert_eq!(server.wants(false).count(), 1, "who is done is not waited for");
    }

    #[test]
    fn attributes_of_the_node_are_waited_for() {
        let (mut server, ends) = server();
        for task in 0..2 {
            say(&mut server, &ends, task, "cmd=init pmi_version=2 pmi_subversion=0\n");
        }
        let none = two("cmd=info-getnodeattr-response;rc=0;found=FALSE;");
        assert_eq!(say(&mut server, &ends, 1, &two("cmd=info-getnodeattr;key=shm;wait=FALSE;")).0, none);
        assert_eq!(say(&mut server, &ends, 1, &two("cmd=info-getnodeattr;key=shm;wait=TRUE;")).0, "");
        let done = two("cmd=info-putnodeattr-response;rc=0;");
        assert_eq!(say(&mut server, &ends, 0, &two("cmd=info-putnodeattr;key=shm;value=5;")).0, done);
        assert_eq!(heard(&ends[1]), two("cmd=info-getnodeattr-response;rc=0;found=TRUE;value=5;"));
    }

    #[test]
    fn names_go_to_the_first_node_and_come_back_in_order() {
        let (mut server, ends) = server();
        say(&mut server, &ends, 0, "cmd=init pmi_version=1 pmi_subversion=1\n");
        say(&mut server, &ends, 1, "cmd=init pmi_version=2 pmi_subversion=0\n");
        let (_, said) = say(&mut server, &ends, 0, "cmd=lookup_name service=ocean\n");
        assert_eq!(up(&said), [&Up::Lookup(Bytes("ocean".into()))]);
        let (_, said) = say(&mut server, &ends, 1, &two("cmd=name-publish;name=ocean;port=p;"));
        assert_eq!(up(&said), [&Up::Publish(Bytes("ocean".into()), Bytes("p".into()))]);
        server.hear(Down::Name(None, false));
        server.hear(Down::Name(None, true));
        server.hear(Down::Name(None, true)); // nobody has asked
        assert_eq!(heard(&ends[0]), "cmd=lookup_result rc=1 info=fail\n");
        assert_eq!(heard(&ends[1]), two("cmd=name-publish-response;rc=0;"));
    }

    #[test]
    fn what_there_is_not_is_refused() {
        let (mut server, ends) = server();
        say(&mut server, &ends, 1, "cmd=init pmi_version=2 pmi_subversion=0\n");
        let (out, _) = say(&mut server, &ends, 1, &two("cmd=ring;count=1;left=a;right=b;"));
        assert_eq!(out, two("cmd=ring-response;rc=14;errmsg=request of 'ring' not supported;"));
        let (out, said) = say(&mut server, &ends, 1, &two("cmd=spawn;ncmds=1;preputcount=0;subcmd=/bin/true;"));
        assert!(out.contains("cmd=spawn-response;rc=14;errmsg=spawn failed") && said.len() == 1, "{out}");
        let (_, said) = say(&mut server, &ends, 1, &two("cmd=abort;isworld=FALSE;msg=x;"));
        assert!(said.is_empty());
        let (_, said) = say(&mut server, &ends, 1, &two("cmd=abort;isworld=TRUE;msg=x;"));
        assert_eq!(up(&said), [&Up::Abort]);
        // A protocol that there is not, then one that there is; then nonsense, which is the end.
        let refused = "cmd=response_to_init rc=-1 pmi_version=2 pmi_subversion=0\n";
        assert_eq!(say(&mut server, &ends, 0, "cmd=init pmi_version=3 pmi_subversion=0\n").0, refused);
        say(&mut server, &ends, 0, "cmd=init pmi_version=1 pmi_subversion=2\n");
        let (_, said) = say(&mut server, &ends, 0, "cmd=create_kvs\n");
        let FromPart::Message(text) = &said[0] else { panic!("{said:?}") };
        assert_eq!(text, "mpi/pmi2: task 0: PMI1 request of 'create_kvs' not supported");
        assert!((&ends[0]).write_all(b"x").is_err(), "the connection is closed");
    }

    #[test]
    fn a_task_that_does_not_read_is_not_served_on() {
        let (mut server, ends) = server();
        say(&mut server, &ends, 0, "cmd=init pmi_version=1 pmi_subversion=1\n");
        let many = "cmd=get kvsname=7.3 key=PMI_process_mapping\n".repeat(500);
        let mut rounds = 0;
        while (&ends[0]).write_all(many.as_bytes()).is_ok() {
            server.serve(0);
            rounds += 1;
            assert!(rounds < 10_000, "it takes whatever comes");
        }
        assert!(server.wants(true).any(|(task, _, flags)| (task, flags) == (0, PollFlags::POLLOUT)));
        assert!(!server.wants(true).any(|(task, _, _)| task == 1), "while the way is full, nothing is taken in");
        let answers = std::iter::repeat_with(|| {
            server.serve(0);
            heard(&ends[0]).lines().count()
        });
        let answers: usize = answers.take_while(|n| *n > 0).sum();
        assert!(answers >= 500 * rounds, "{answers} of {rounds} times 500");
    }

    proptest! {
        #[test]
        fn nothing_a_task_says_harms(
            version in 1..3,
            pieces in prop::collection::vec(prop_oneof![
                prop::collection::vec(any::<u8>(), 0..60),
                "(cmd|mcmd)=(put|get|barrier_in|spawn|finalize|lookup_name)( key=a| value=b){0,3}\n".prop_map(String::into_bytes),
                "cmd=(fullinit|kvs-put|kvs-fence|info-getnodeattr|name-publish|abort);(key=a;|value=b;|wait=TRUE;){0,3}"
                    .prop_map(|body| two(&body).into_bytes()),
            ], 0..20),
        ) {
            let (mut server, ends) = server();
            say(&mut server, &ends, 0, &format!("cmd=init pmi_version={version} pmi_subversion=0\n"));
            for piece in pieces {
                let _ = (&ends[0]).write_all(&piece);
                server.serve(0);
                server.hear(Down::Name(None, true));
            }
            server.hear(Down::Fence(None));
            // The other task does not notice.
            let out = say(&mut server, &ends, 1, "cmd=init pmi_version=1 pmi_subversion=1\n").0;
            prop_assert!(out.starts_with("cmd=response_to_init rc=0"));
        }
    }
}
