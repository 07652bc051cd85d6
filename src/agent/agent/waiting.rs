//! What an agent waits for, and what is done when it comes.

use super::{Agent, connections::Connection, connections::Role};
use crate::agent::{
    events::Events,
    log, memory,
    remote::{Inbox, rendezvous},
    step,
};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

/// What poll(2) was asked about.
#[derive(Clone, Copy)]
pub(super) enum Source {
    Signals,
    Listener,
    /// Where commands come to that ask the controller.
    Desk,
    /// Where who is elsewhere comes to.
    Door(usize),
    /// stdout takes more of the log.
    Log,
    /// The script wrote something for the log.
    Script(log::Pipe),
    Link(u64),
    Part {
        step: u32,
        pipe: step::part::Pipe,
    },
}

impl Agent {
    /// Waits until something can be done, and says what.
    pub(super) fn wait(&self) -> io::Result<Vec<Source>> {
        let mut sources = vec![Source::Signals, Source::Listener];
        let mut fds = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
        ];
        if let Some(elsewhere) = &self.elsewhere {
            if let Some(desk) = &elsewhere.desk {
                sources.push(Source::Desk);
                fds.push(PollFd::new(desk.as_fd(), PollFlags::POLLIN));
            }
            for (index, (door, _)) in elsewhere.doors.iter().enumerate() {
                sources.push(Source::Door(index));
                fds.push(PollFd::new(door.as_fd(), PollFlags::POLLIN));
            }
            if let Some(log) = &elsewhere.log {
                if log.is_due() {
                    sources.push(Source::Log);
                    // SAFETY: descriptor 1 is nobody's to close but this process's at its end.
                    fds.push(PollFd::new(unsafe { BorrowedFd::borrow_raw(1) }, PollFlags::POLLOUT));
                }
                for (pipe, fd) in log.pipes() {
                    sources.push(Source::Script(pipe));
                    fds.push(PollFd::new(fd, PollFlags::POLLIN));
                }
            }
        }
        for (id, connection) in &self.connections {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::POLLIN, self.may_read(connection));
            flags.set(PollFlags::POLLOUT, connection.link.waiting() > 0);
            if !flags.is_empty() {
                sources.push(Source::Link(*id));
                fds.push(PollFd::new(connection.link.fd(), flags));
            }
        }
        for part in &self.parts {
            let full = self.connections.get(&part.connection).is_some_and(|c| c.link.is_full());
            part.pipes(full, |pipe, fd: BorrowedFd, flags| {
                sources.push(Source::Part { step: part.step(), pipe });
                // SAFETY: the pipe lives in `self.parts`, which is not touched before poll has returned.
                fds.push(PollFd::new(unsafe { BorrowedFd::borrow_raw(std::os::fd::AsRawFd::as_raw_fd(&fd)) }, flags));
            });
        }
        let telling = self.events.as_ref().and_then(Events::wait);
        let orders = self.elsewhere.as_ref().and_then(|e| e.inbox.as_ref()).map(Inbox::wait);
        let strangers = self.strangers().next().map(|(_, c)| rendezvous::SILENCE.saturating_sub(c.since.elapsed()));
        let memory = self.memory.as_ref().filter(|_| self.has_children).map(memory::Watch::wait);
        let waits = [self.limits.wait(), self.manager.wait(), self.owner.wait(), memory];
        let waits = waits.into_iter().chain([self.retry_first, telling, orders, strangers, self.asking_wait()]);
        let epilogs = self.parts.iter().filter_map(step::part::Part::wait);
        let timeout = waits.flatten().chain(epilogs).chain(self.components_wait()).min();
        let timeout = match timeout {
            // One more, since poll counts whole milliseconds.
            Some(t) => PollTimeout::try_from(t.as_millis().saturating_add(1).min(i32::MAX as u128) as i32)
                .unwrap_or(PollTimeout::MAX),
            None => PollTimeout::NONE,
        };
        match poll(&mut fds, timeout) {
            Err(Errno::EINTR) | Ok(0) => {
                return Ok(self.retry_first.map(|_| Source::Listener).into_iter().collect());
            }
            Err(errno) => return Err(errno.into()),
            Ok(_) => {}
        }
        let ready = fds.iter().map(|fd| fd.any().unwrap_or(false));
        Ok(sources.into_iter().zip(ready).filter(|(_, ready)| *ready).map(|(source, _)| source).collect())
    }

    /// What arrives is left in the socket while those it is for cannot take it.
    pub(super) fn may_read(&self, connection: &Connection) -> bool {
        let full = |id: &u64| self.connections.get(id).is_some_and(|c| c.link.is_full());
        match &connection.role {
            Role::Relay(other) => !full(other),
            Role::PartOf { step, .. } => !self.manager.hearers_of(*step).any(|id| full(&id)),
            _ => true,
        }
    }

    pub(super) fn serve(&mut self, source: Source) {
        match source {
            Source::Signals => self.on_signals(),
            Source::Listener => {
                if let Some(delay) = self.retry_first.take() {
                    self.join_first(delay);
                }
                while let Ok((stream, _)) = self.listener.accept() {
                    self.greet(stream, false);
                }
            }
            Source::Desk => {
                let desk = self.elsewhere.as_ref().and_then(|e| e.desk.as_ref());
                let come: Vec<_> = desk.into_iter().flat_map(|desk| desk.incoming().map_while(Result::ok)).collect();
                come.into_iter().for_each(|stream| self.greet(stream, true));
            }
            Source::Door(index) => self.open_door(index),
            Source::Log => {} // it is flushed in every turn
            Source::Script(pipe) => {
                if let Some(log) = self.script_log() {
                    log.take(pipe);
                }
            }
            Source::Link(id) => self.on_link(id),
            Source::Part { step, pipe } => self.on_pipe(step, pipe),
        }
    }
}
