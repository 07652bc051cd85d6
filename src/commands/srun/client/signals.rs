//! What srun does with the signals it gets.

use super::{Client, TWICE};
use crate::{agent::step::FromClient, commands::srun::terminal};
use nix::libc;
use std::time::Instant;

impl Client {
    pub(super) fn on_signal(&mut self, signal: i32) {
        if self.tasks.is_none() {
            // It waits for its turn: there is nothing to hand a signal to.
            if matches!(signal, libc::SIGINT | libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT) {
                self.tell(&format!("srun: Cancelled pending step for job {}", self.plan.request.job));
                self.exit = Some(1);
            }
            return;
        }
        match signal {
            libc::SIGINT => self.on_interrupt(),
            libc::SIGTERM | libc::SIGHUP | libc::SIGQUIT => self.force(),
            libc::SIGCONT => self.info("srun: got SIGCONT"),
            libc::SIGWINCH => {
                if let (Some(_), Ok((rows, columns))) = (&self.raw, terminal::size()) {
                    self.link.send(&FromClient::Resize(rows, columns));
                }
            }
            libc::SIGALRM | libc::SIGPIPE => {}
            signal => self.link.send(&FromClient::Signal(signal)),
        }
    }

    /// Ends the step at once.
    fn force(&mut self) {
        self.info("srun: forcing job termination");
        if !self.aborted {
            self.abort();
            self.link.send(&FromClient::Kill);
        }
    }

    fn on_interrupt(&mut self) {
        if self.plan.quit_on_interrupt {
            self.interrupt();
            return self.force();
        }
        let again = self.last_interrupt.is_some_and(|at| at.elapsed() <= TWICE) || self.plan.disable_status;
        if !again {
            self.info("srun: interrupt (one more within 1 sec to abort)");
            self.say_status();
            self.last_interrupt = Some(Instant::now());
            return;
        }
        if self.last_sent.is_some_and(|at| at.elapsed() < TWICE) {
            self.force();
            return;
        }
        self.last_sent = Some(Instant::now());
        self.interrupt();
    }

    fn interrupt(&mut self) {
        self.interrupted = true;
        if let Some(tasks) = &self.tasks {
            self.info(&format!("srun: sending Ctrl-C to {}", tasks.step()));
        }
        self.link.send(&FromClient::Signal(libc::SIGINT));
    }
}
