//! sattach(1): looks on at a running step.

use super::{
    asked_for,
    srun::{
        find::{self, NotThere},
        output::Output,
        terminal::Raw,
    },
    terminal::{eprint, print, refuse},
};
use crate::{
    agent::{
        link::Link,
        step::{Bytes, FromClient, FromPart, ToClient},
        wire::Request,
    },
    job::ExitStatus,
    slurm::{
        hostlist,
        options::{self, Command, Options},
    },
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::{env, ffi::OsString, io, os::fd::BorrowedFd};

const USAGE: &str = "Usage: sattach [options] <jobid.stepid>";

/// Runs `sattach` with `args`, those behind its name. The exit code is the highest of the tasks'.
pub fn run(args: Vec<OsString>) -> u8 {
    let parsed = match options::parse(Command::Sattach, &args, &|name| env::var(name).ok()) {
        Ok(parsed) => parsed,
        Err(refusal) => return refuse(&refusal),
    };
    let options = &parsed.options;
    if let Some(text) = asked_for(&parsed, Command::Sattach) {
        return print(&text);
    }
    let [word] = parsed.operands.as_slice() else {
        eprint("sattach: error: too many parameters");
        eprint(USAGE);
        return 1;
    };
    let Some((job, step)) = step_id(&word.to_string_lossy()) else {
        eprint("sattach: error: Failed to parse stepid from command line options");
        eprint(USAGE);
        return 1;
    };
    let link = find::connect(Command::Sattach, job).and_then(|stream| Link::new(stream).map_err(|_| NotThere::Gone));
    let mut link = match link {
        Ok(link) => link,
        Err(why) => return refused(&format!("Could not get job step info: {why}")),
    };
    link.send(&Request::Attach { job, step, input: number(options, "input-filter") });
    Watching::new(options, link).run()
}

/// `12.0`; a batch script and a shell have no output that could be looked at.
fn step_id(text: &str) -> Option<(u32, u32)> {
    let (job, step) = text.split_once('.')?;
    Some((job.parse().ok()?, step.parse().ok()?))
}

fn number(options: &Options, name: &str) -> Option<u32> {
    options.get(name)?.parse().ok()
}

fn refused(text: &str) -> u8 {
    eprint(&format!("sattach: error: {text}"));
    1
}

struct Watching<'a> {
    options: &'a Options,
    link: Link,
    output: Output,
    error: Output,
    /// Tasks whose output is to be seen: `--output-filter`, `--error-filter`.
    only: [Option<u32>; 2],
    highest: u8,
    /// stdin has more, and what was sent is taken.
    input: bool,
    input_due: bool,
    exit: Option<u8>,
    raw: Option<Raw>,
}

impl<'a> Watching<'a> {
    fn new(options: &'a Options, link: Link) -> Self {
        Self {
            options,
            link,
            output: Output::new(false, None, None),
            error: Output::new(true, None, None),
            only: ["output-filter", "error-filter"].map(|name| number(options, name)),
            highest: 0,
            input: false,
            input_due: false,
            exit: None,
            raw: None,
        }
    }

    fn run(mut self) -> u8 {
        loop {
            while self.exit.is_none()
                && let Some(said) = self.link.receive()
            {
                self.on_agent(said);
            }
            if let Some(exit) = self.exit {
                drop(self.raw.take());
                return exit;
            }
            if self.link.closed {
                drop(self.raw.take());
                return refused("The agent of the job is gone");
            }
            if let Err(error) = self.wait() {
                drop(self.raw.take());
                return refused(&error.to_string());
            }
        }
    }

    fn wait(&mut self) -> io::Result<()> {
        let mut fds = vec![PollFd::new(self.link.fd(), self.link.interest())];
        if self.input && !self.input_due {
            // SAFETY: descriptor 0 is nobody's to close but this process's at its end.
            fds.push(PollFd::new(unsafe { BorrowedFd::borrow_raw(0) }, PollFlags::POLLIN));
        }
        match poll(&mut fds, PollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) => return Ok(()),
            Err(errno) => return Err(errno.into()),
            Ok(_) => {}
        }
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        drop(fds);
        if ready.first() == Some(&true) {
            self.link.flush();
            self.link.fill();
        }
        if ready.get(1) == Some(&true) {
            let mut bytes = vec![0; 64 << 10];
            match nix::unistd::read(io::stdin(), &mut bytes) {
                Ok(n) if n > 0 => {
                    bytes.truncate(n);
                    self.link.send(&FromClient::Input(Bytes(bytes)));
                    self.input_due = true;
                }
                Err(nix::errno::Errno::EINTR | nix::errno::Errno::EAGAIN) => {}
                _ => self.input = false, // its end is not that of the tasks' input
            }
        }
        Ok(())
    }

    fn on_agent(&mut self, said: ToClient) {
        match said {
            ToClient::Refused(text) => self.exit = Some(refused(&text)),
            ToClient::Created { nodes, layout, .. } => self.begin(&nodes, &layout),
            ToClient::InputTaken => self.input_due = false,
            ToClient::Done => self.exit = Some(self.highest),
            ToClient::Part { said, .. } => self.on_part(said),
            ToClient::Busy | ToClient::Warning(_) | ToClient::Aborted | ToClient::PartAborted => {}
        }
    }

    fn begin(&mut self, nodes: &[String], layout: &[Vec<u32>]) {
        let tasks = layout.iter().map(|ids| ids.len() as u32).sum();
        if self.options.is_set("layout") {
            self.exit = Some(print(&shown(nodes, layout, tasks)));
            return;
        }
        let label = self.options.is_set("label").then_some(tasks);
        self.output.label(label);
        self.error.label(label);
        self.input = true;
        if self.options.is_set("pty") {
            self.raw = Raw::enter();
            if self.raw.is_none() {
                eprint("tcsetattr: Inappropriate ioctl for device");
            }
        }
    }

    fn on_part(&mut self, said: FromPart) {
        let [output, error] = self.only;
        match said {
            FromPart::Output { task, error: false, bytes } if output.is_none_or(|only| only == task) => {
                self.output.write(task, &bytes.0);
            }
            FromPart::Output { task, error: true, bytes } if error.is_none_or(|only| only == task) => {
                self.error.write(task, &bytes.0);
            }
            FromPart::OutputEnd { task, error: false } => self.output.end(task),
            FromPart::OutputEnd { task, error: true } => self.error.end(task),
            FromPart::Message(text) => self.error.put(format!("slurmstepd: error: {text}\n").as_bytes()),
            FromPart::Exited { tasks, exit } => {
                self.highest = self.highest.max(exit.shell_code());
                for task in tasks.iter().filter(|_| !exit.is_success()) {
                    eprint(&format!("sattach: error: task {task} {}", how(exit)));
                }
            }
            FromPart::Output { .. }
            | FromPart::InputTaken
            | FromPart::Pmi(_)
            | FromPart::Measured(..)
            | FromPart::Done(_) => {}
        }
    }
}

/// `exited with exit code 3`
fn how(exit: ExitStatus) -> String {
    match exit.signal() {
        0 => format!("exited with exit code {}", exit.code()),
        signal => format!("killed by signal {signal}"),
    }
}

/// What `--layout` prints.
fn shown(nodes: &[String], layout: &[Vec<u32>], tasks: u32) -> String {
    let list = hostlist::compress(nodes);
    let mut text = format!("Job step layout:\n\t{tasks} tasks, {} nodes ({list})\n\n", nodes.len());
    for ((index, node), ids) in nodes.iter().enumerate().zip(layout) {
        let ids_text: String = ids.iter().map(|id| format!("{id} ")).collect();
        text.push_str(&format!("\tNode {index} ({node}), {} task(s): {ids_text}\n", ids.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_shown_as_captured() {
        let nodes = ["node1".to_owned(), "node2".to_owned()];
        assert_eq!(
            shown(&nodes, &[vec![0], vec![1]], 2),
            "Job step layout:\n\t2 tasks, 2 nodes (node[1-2])\n\n\tNode 0 (node1), 1 task(s): 0 \n\tNode 1 (node2), 1 task(s): 1 \n"
        );
    }

    #[test]
    fn only_steps_with_numbers_can_be_looked_at() {
        assert_eq!(step_id("12.3"), Some((12, 3)));
        assert!(["12", "abc", "12.batch", "", "1.2.3"].iter().all(|text| step_id(text).is_none()));
    }
}
