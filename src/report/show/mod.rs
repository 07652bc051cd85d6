//! The records of `scontrol show`, one file an entity. The layout is that of Slurm 24.11 where it is known
//! to differ from the recorded 22.05 (squeue.txt, sinfo.txt).

mod assoc_mgr;
mod config;
mod job;
mod license;
mod node;
mod partition;
mod reservation;
mod step;

pub use assoc_mgr::{Wanted, assoc_mgr};
pub use config::config;
pub use job::job;
pub use license::license;
pub use node::node;
pub use partition::partition;
pub use reservation::{reservation, table as reservations};
pub use step::step;

/// How records are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// `--oneliner`: a record a line.
    pub oneliner: bool,
    /// `--details`
    pub details: bool,
}

impl Style {
    /// What stands behind a line of a record.
    fn line_end(self) -> &'static str {
        if self.oneliner { " " } else { "\n   " }
    }

    /// What stands behind a record.
    fn record_end(self) -> &'static str {
        if self.oneliner { "\n" } else { "\n\n" }
    }
}

/// A record that is being written.
struct Record<'a> {
    out: &'a mut String,
    style: Style,
}

impl<'a> Record<'a> {
    fn new(style: Style, out: &'a mut String) -> Self {
        Self { out, style }
    }

    /// `key=value` and a blank.
    fn put(&mut self, key: &str, value: impl AsRef<str>) -> &mut Self {
        self.with(key, |out| out.push_str(value.as_ref()))
    }

    /// `key=`, what `value` writes, and a blank.
    fn with(&mut self, key: &str, value: impl FnOnce(&mut String)) -> &mut Self {
        self.out.push_str(key);
        self.out.push('=');
        value(self.out);
        self.out.push(' ');
        self
    }

    /// The same for a number.
    fn number(&mut self, key: &str, value: impl Into<i64>) -> &mut Self {
        self.with(key, |out| super::table::number(out, value))
    }

    /// Fields whose values never change here, as they are printed.
    fn fixed(&mut self, text: &str) -> &mut Self {
        self.out.push_str(text);
        self.out.push(' ');
        self
    }

    /// Ends the line: the blank behind the last field goes.
    fn line(&mut self) {
        if self.out.ends_with(' ') {
            self.out.pop();
        }
        self.out.push_str(self.style.line_end());
    }

    /// Ends the last line and the record.
    fn end(&mut self) {
        if self.out.ends_with(' ') {
            self.out.pop();
        }
        self.out.push_str(self.style.record_end());
    }
}

fn or_null(value: Option<&str>) -> &str {
    value.unwrap_or("(null)")
}
