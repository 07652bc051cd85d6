//! A node's part of a step: the tasks here, what they write, how they end.

use super::{
    Bytes, FromPart, Launching, Mpi, ToPart,
    pmi::server::Server,
    task::{Starter, Task, directory},
};
use crate::{
    agent::{
        agent::{Agent, Role},
        batch,
        link::Link,
        measure::Measure,
        oom,
        processes::{self, Tree},
        wire::Request,
    },
    job::{ExitStatus, StepId, Usage},
};
use nix::{
    libc::{self, SIGCONT, SIGKILL},
    poll::PollFlags,
    sys::stat::{Mode, umask},
};
use std::{
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::net::UnixStream,
    },
    time::{Duration, Instant},
};

/// One of the pipes of a part.
#[derive(Clone, Copy, Debug)]
pub(in crate::agent) struct Pipe {
    task: usize,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Input,
    Output,
    Error,
    Pmi,
}

/// A part of a step.
pub(in crate::agent) struct Part {
    step: u32,
    /// To the first node's agent.
    pub connection: u64,
    tasks: Vec<Task>,
    usage: Usage,
    /// Input came that not all have taken.
    input_due: bool,
    /// What the tasks left behind was looked for.
    cleaned: bool,
    /// We have killed tasks.
    killed: bool,
    /// The kernel's count of what it killed for want of memory, as the part began.
    oom_before: Option<u64>,
    /// It has killed something of ours.
    out_of_memory: bool,
    /// What the agent itself killed for want of memory, and of which nothing was told yet.
    oom_kills: u64,
    /// Memory that its tasks may have here, bytes.
    memory: Option<u64>,
    /// What `--mpi=pmi2` needs.
    pmi: Option<Box<Server>>,
}

impl Part {
    /// Number of its step.
    pub fn step(&self) -> u32 {
        self.step
    }

    /// Says on which pipes to wait for what. While the connection is `full`, tasks have to wait with their output.
    pub fn pipes<'a>(&'a self, full: bool, mut wait: impl FnMut(Pipe, BorrowedFd<'a>, PollFlags)) {
        for (task, state) in self.tasks.iter().enumerate() {
            for (end, file) in [(End::Output, &state.output), (End::Error, &state.error)] {
                if let Some(file) = file.as_ref().filter(|_| !full) {
                    wait(Pipe { task, end }, file.as_fd(), PollFlags::POLLIN);
                }
            }
            if let Some(input) = state.input.as_ref().filter(|_| !state.pending.is_empty()) {
                wait(Pipe { task, end: End::Input }, input.as_fd(), PollFlags::POLLOUT);
            }
        }
        for (task, fd, flags) in self.pmi.iter().flat_map(|pmi| pmi.wants(full)) {
            wait(Pipe { task, end: End::Pmi }, fd, flags);
        }
    }

    fn running(&self) -> impl Iterator<Item = i32> {
        self.tasks.iter().filter(|t| t.exit.is_none()).map(|t| t.pid)
    }

    /// How long until the epilog of a task has had its time.
    pub fn wait(&self) -> Option<Duration> {
        let next = self.tasks.iter().filter_map(Task::epilog_until).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// How many tasks were killed of which nothing was told yet, and not by us.
    fn newly_killed(&self, oom: &oom::Counter) -> u64 {
        let news = |t: &&Task| !self.killed && !t.told && t.exit.is_some_and(|exit| oom.may_be(exit));
        self.tasks.iter().filter(news).count() as u64
    }

    fn signal(&mut self, signal: i32) {
        self.killed |= signal == SIGKILL;
        let running: Vec<i32> = self.running().collect();
        if running.is_empty() {
            return;
        }
        let tree = Tree::look();
        for pid in running {
            processes::signal(&tree.of(pid), signal);
        }
    }
}

impl Agent {
    /// Starts our part of a step; `stream` leads to the first node's agent where that is ourselves.
    pub(in crate::agent) fn launch_part(&mut self, launching: Launching, stream: Option<UnixStream>) {
        let step = launching.step;
        let own = stream.is_some();
        let link = stream.map_or_else(|| self.first.dial(), Link::new);
        let Ok(connection) = link.map(|link| self.adopt(link, Role::Part(step))) else {
            return;
        };
        if !own {
            self.send(connection, &Request::Part { step, node: launching.node });
        }
        umask(Mode::from_bits_truncate(launching.request.umask & 0o777));
        let mut lines = Vec::new();
        let directory = String::from_utf8_lossy(&directory(&self.launch, &launching)).into_owned();
        batch::change_directory(&directory, |line| lines.push(line.to_owned()));
        let mut part = Part {
            step,
            connection,
            tasks: Vec::new(),
            usage: Usage::default(),
            input_due: false,
            cleaned: false,
            killed: false,
            oom_before: self.oom.read(),
            out_of_memory: false,
            oom_kills: 0,
            memory: launching.request.memory_per_node.filter(|m| self.memory.is_some() && *m > 0).map(|m| m << 20),
            pmi: None,
        };
        let mut starter = Starter::new(&self.launch, &launching);
        if launching.request.mpi == Mpi::Pmi2 {
            match Server::new(self.launch.job.id, &launching) {
                Ok((server, ends)) => {
                    starter.give_pmi(&server, ends);
                    part.pmi = Some(Box::new(server));
                }
                Err(error) => lines.push(format!("mpi/pmi2: {}", super::error_text(&error))),
            }
        }
        for (local, id) in launching.layout.get(launching.node).into_iter().flatten().enumerate() {
            let (task, line) = starter.start(*id, local);
            lines.extend(line);
            part.tasks.push(task);
        }
        for line in lines {
            self.send(connection, &FromPart::Message(line));
        }
        if let Some((watch, limit)) = self.memory.as_mut().zip(part.memory) {
            watch.began(limit);
        }
        self.parts.push(part);
        self.started_child();
        self.report_exits();
        // What has no task, or none that could be started, is over.
        self.finish_parts();
    }

    pub(in crate::agent) fn on_part(&mut self, step: u32, told: ToPart) {
        let Some(part) = self.parts.iter_mut().find(|p| p.step == step) else {
            return;
        };
        match told {
            ToPart::Input(_) | ToPart::InputFor(..) => {
                let (only, bytes) = match &told {
                    ToPart::InputFor(task, bytes) => (Some(*task), &bytes.0[..]),
                    ToPart::Input(bytes) => (None, &bytes.0[..]),
                    _ => (None, &[][..]),
                };
                part.input_due = true;
                let takes = |t: &&mut Task| t.input.is_some() && only.is_none_or(|id| id == t.id);
                part.tasks.iter_mut().filter(takes).for_each(|t| t.pending.extend_from_slice(bytes));
                self.feed(step);
            }
            ToPart::InputEnd => {
                part.tasks.iter_mut().for_each(|t| t.input_ends = true);
                self.feed(step);
            }
            ToPart::Signal(signal) => part.signal(signal),
            ToPart::Cancel(signal) => {
                part.signal(SIGCONT);
                part.signal(signal);
            }
            ToPart::Pmi(down) => {
                let (connection, said) = (part.connection, part.pmi.as_mut().map(|pmi| pmi.hear(down)));
                said.into_iter().flatten().for_each(|said| self.send(connection, &said));
            }
            ToPart::Measure(number) => {
                let measure = Measure::now();
                let running = part.tasks.iter().filter(|t| t.exit.is_none());
                let measured = running.map(|t| measure.task(t.id, t.pid)).collect();
                let connection = part.connection;
                self.send(connection, &FromPart::Measured(number, measured));
            }
            ToPart::Resize(rows, columns) => {
                let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
                for file in part.tasks.iter().filter(|t| t.terminal).filter_map(|t| t.input.as_ref()) {
                    // SAFETY: TIOCSWINSZ reads one winsize; the terminal is open.
                    unsafe { libc::ioctl(file.as_raw_fd(), libc::TIOCSWINSZ, &size) };
                }
            }
        }
    }

    /// Hands on input, and says when it is taken.
    fn feed(&mut self, step: u32) {
        let Some(part) = self.parts.iter_mut().find(|p| p.step == step) else {
            return;
        };
        part.tasks.iter_mut().for_each(Task::feed);
        if part.input_due && part.tasks.iter().all(|t| t.pending.is_empty()) {
            part.input_due = false;
            let connection = part.connection;
            self.send(connection, &FromPart::InputTaken);
        }
    }

    pub(in crate::agent) fn on_pipe(&mut self, step: u32, pipe: Pipe) {
        match pipe.end {
            End::Input => self.feed(step),
            End::Pmi => self.serve_pmi(step, pipe.task),
            end => {
                self.pump(step, pipe.task, end == End::Error);
                self.finish_parts();
            }
        }
    }

    fn serve_pmi(&mut self, step: u32, task: usize) {
        let Some(part) = self.parts.iter_mut().find(|p| p.step == step) else { return };
        let (connection, said) = (part.connection, part.pmi.as_mut().map(|pmi| pmi.serve(task)));
        said.into_iter().flatten().for_each(|said| self.send(connection, &said));
    }

    /// Sends on what a task has written. `false`: there is no more for now.
    fn pump(&mut self, step: u32, task: usize, error: bool) -> bool {
        let Some(part) = self.parts.iter_mut().find(|p| p.step == step) else {
            return false;
        };
        let connection = part.connection;
        let Some(task) = part.tasks.get_mut(task) else {
            return false;
        };
        let id = task.id;
        if (if error { &task.error } else { &task.output }).is_none() {
            return false;
        }
        match task.read(error) {
            Ok(Some(bytes)) => {
                self.send(connection, &FromPart::Output { task: id, error, bytes: Bytes(bytes) });
                true
            }
            Ok(None) => {
                self.send(connection, &FromPart::OutputEnd { task: id, error });
                false
            }
            Err(_) => false,
        }
    }

    pub(in crate::agent) fn task_ended(&mut self, pid: i32, exit: ExitStatus, usage: Usage) {
        for part in &mut self.parts {
            if let Some(task) = part.tasks.iter_mut().find(|t| t.pid == pid && t.exit.is_none()) {
                task.ended(exit);
                part.usage.user_us += usage.user_us;
                part.usage.system_us += usage.system_us;
                part.usage.max_rss_kib = part.usage.max_rss_kib.max(usage.max_rss_kib);
                return;
            }
        }
    }

    /// Kills the epilogs that take too long.
    pub(in crate::agent) fn kill_overdue_epilogs(&mut self) {
        let now = Instant::now();
        let tasks = self.parts.iter().flat_map(|p| &p.tasks);
        let overdue = |t: &&Task| t.exit.is_none() && t.epilog_until().is_some_and(|at| at <= now);
        let overdue: Vec<i32> = tasks.filter(overdue).map(|t| t.pid).collect();
        if !overdue.is_empty() {
            let tree = Tree::look();
            overdue.into_iter().for_each(|pid| processes::signal(&tree.of(pid), SIGKILL));
        }
    }

    /// Tells of tasks that ended, after what they wrote, and together of those that ended alike. Once there was not enough
    /// memory, that is how all end that have not ended before (slurmstepd's `oom_error`).
    pub(in crate::agent) fn report_exits(&mut self) {
        for at in 0..self.parts.len() {
            let Some(part) = self.parts.get_mut(at) else {
                break;
            };
            let (step, connection) = (part.step, part.connection);
            let kills = {
                let killed = part.newly_killed(&self.oom);
                let ours = match part.tasks.iter().any(|task| task.exit.is_some() && !task.told) {
                    true => std::mem::take(&mut part.oom_kills),
                    false => 0, // nobody has ended of it yet
                };
                ours + self.oom.claim(part.oom_before, killed.saturating_sub(ours))
            };
            let first = kills > 0 && !part.out_of_memory;
            part.out_of_memory |= first;
            let mut alike: Vec<(ExitStatus, Vec<u32>)> = Vec::new();
            let mut ended = Vec::new();
            for (index, task) in part.tasks.iter_mut().enumerate().filter(|(_, t)| !t.told) {
                let Some(mut exit) = task.exit else { continue };
                if part.out_of_memory {
                    exit = ExitStatus::OUT_OF_MEMORY;
                }
                task.told = true;
                task.input = None;
                task.pending = Vec::new();
                ended.push(index);
                match alike.iter_mut().find(|(e, _)| *e == exit) {
                    Some((_, ids)) => ids.push(task.id),
                    None => alike.push((exit, vec![task.id])),
                }
            }
            for index in ended {
                for error in [false, true] {
                    while !self.connections.get(&connection).is_some_and(|c| c.link.is_full())
                        && self.pump(step, index, error)
                    {}
                }
            }
            if first {
                let line = oom::message(kills, self.launch.job.id, StepId::Number(step));
                self.send(connection, &FromPart::Message(line));
            }
            for (exit, tasks) in alike {
                self.send(connection, &FromPart::Exited { tasks, exit });
            }
            self.feed(step);
        }
        self.finish_parts();
    }

    /// Whether a part here has a limit of its own.
    pub(in crate::agent) fn has_limited_parts(&self) -> bool {
        self.parts.iter().any(|part| part.memory.is_some())
    }

    /// The processes of the parts here that have a limit of their own, and that, bytes.
    pub(in crate::agent) fn limited_parts(&self, tree: &Tree) -> Vec<(Vec<i32>, u64)> {
        let limited = self.parts.iter().filter_map(|part| Some((part, part.memory?)));
        limited.map(|(part, limit)| (part.running().flat_map(|pid| tree.of(pid)).collect(), limit)).collect()
    }

    /// Notes in the part that process `pid` belongs to, if it is one's, that it was killed for want of memory.
    pub(in crate::agent) fn blame_part(&mut self, tree: &Tree, pid: i32) -> bool {
        let part = self.parts.iter_mut().find(|part| part.running().any(|root| tree.of(root).contains(&pid)));
        part.map(|part| part.oom_kills += 1).is_some()
    }

    /// Ends the parts whose tasks have all ended: what they left behind is killed, and when nobody can write any
    /// more they are done.
    fn finish_parts(&mut self) {
        let over = |p: &Part| p.tasks.iter().all(|t| t.exit.is_some());
        let uncleaned: Vec<u32> = self.parts.iter().filter(|p| over(p) && !p.cleaned).map(|p| p.step).collect();
        for step in uncleaned {
            self.clean(step);
        }
        let silent = |p: &Part| p.tasks.iter().all(|t| t.output.is_none() && t.error.is_none());
        let (done, left) = std::mem::take(&mut self.parts).into_iter().partition(|p| over(p) && silent(p));
        self.parts = left;
        let done: Vec<Part> = done;
        for part in done {
            self.send(part.connection, &FromPart::Done(part.usage));
        }
    }

    fn clean(&mut self, step: u32) {
        let mut known: Vec<i32> = self.running_script().into_iter().collect();
        known.extend(self.parts.iter().flat_map(Part::running));
        let Some(part) = self.parts.iter_mut().find(|p| p.step == step) else {
            return;
        };
        part.cleaned = true;
        if processes::children().is_some_and(|children| children.iter().all(|c| known.contains(c))) {
            return;
        }
        let tree = Tree::look();
        for task in part.tasks.iter().filter(|t| t.pid > 0) {
            let mut left = tree.of(task.pid);
            left.retain(|pid| *pid != task.pid); // gone, and its number may be another's
            processes::signal(&left, SIGKILL);
        }
        let job = self.launch.job.id;
        for pid in tree.strays(&known) {
            if processes::began_in(pid, job, step) {
                processes::send(pid, SIGKILL);
            }
        }
    }

    /// Passes a signal on to all tasks here.
    pub(in crate::agent) fn signal_parts(&mut self, signal: i32) {
        self.parts.iter_mut().for_each(|part| part.signal(signal));
    }

    /// The first node's agent is gone, or has no use for the part: its tasks end.
    pub(in crate::agent) fn part_cut_off(&mut self, step: u32) {
        if let Some(part) = self.parts.iter_mut().find(|p| p.step == step) {
            part.signal(SIGKILL);
        }
    }
}
