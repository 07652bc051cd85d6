//! The environments of batch scripts and of the tasks of steps.
//!
//! Variable for variable what a capture of the real ones shows (`env.txt`), with what later releases of Slurm
//! dropped (`SLURM_NODE_ALIASES`, `SLURM_WORKING_CLUSTER`) and added (`SLURM_JOB_START_TIME`, `SLURM_TRES_PER_TASK`).
//! Pure: who asks gives the facts.

mod batch;
mod export;
mod het;
mod names;
mod task;

pub use batch::{Batch, batch, shell};
pub use export::{Base, base, of_batch, of_step};
pub use het::{describe_components, describe_shell, size};
pub use task::{Het, Task, task};

/// Environment variables in order: `NAME=value` each. Names occur once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(Vec<Vec<u8>>);

impl Environment {
    /// What a block of `NAME=value`, each ended by NUL, says; pieces without a name are left out.
    pub fn parse(block: &[u8]) -> Self {
        Self(block.split(|b| *b == 0).filter(|entry| name_of(entry).is_some()).map(<[u8]>::to_vec).collect())
    }

    /// The block that [`Environment::parse`] reads.
    pub fn to_block(&self) -> Vec<u8> {
        let mut block = Vec::with_capacity(self.0.iter().map(|e| e.len() + 1).sum());
        for entry in &self.0 {
            block.extend_from_slice(entry);
            block.push(0);
        }
        block
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find_map(|entry| value_of(entry, name.as_bytes()))
    }

    /// The value of `name`, if it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Gives `name` a value. A NUL ends it, since nothing behind one could be handed on.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let value = value.as_ref().split(|b| *b == 0).next().unwrap_or_default();
        let mut entry = Vec::with_capacity(name.len() + 1 + value.len());
        entry.extend_from_slice(name.as_bytes());
        entry.push(b'=');
        entry.extend_from_slice(value);
        match self.0.iter_mut().find(|entry| value_of(entry, name.as_bytes()).is_some()) {
            Some(old) => *old = entry,
            None => self.0.push(entry),
        }
    }

    /// Takes `name` out.
    pub fn unset(&mut self, name: &str) {
        self.0.retain(|entry| value_of(entry, name.as_bytes()).is_none());
    }

    /// Keeps the variables whose name `wanted` says yes to.
    pub fn retain(&mut self, mut wanted: impl FnMut(&[u8]) -> bool) {
        self.0.retain(|entry| name_of(entry).is_some_and(&mut wanted));
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().filter_map(|entry| {
            let name = name_of(entry)?;
            Some((name, entry.get(name.len() + 1..)?))
        })
    }

    /// The entries, `NAME=value` each.
    pub fn entries(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// Sets everything `other` has.
    pub fn merge(&mut self, other: &Environment) {
        for (name, value) in other.iter() {
            match std::str::from_utf8(name) {
                Ok(name) => self.set(name, value),
                Err(_) => self.0.push([name, b"=", value].concat()),
            }
        }
    }
}

fn name_of(entry: &[u8]) -> Option<&[u8]> {
    let end = entry.iter().position(|b| *b == b'=').filter(|at| *at > 0)?;
    entry.get(..end)
}

fn value_of<'a>(entry: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    entry.strip_prefix(name)?.strip_prefix(b"=")
}

/// Sets what the rows of a table came to; `None` leaves a variable as it is.
fn fill(environment: &mut Environment, rows: impl Iterator<Item = (&'static str, Option<String>)>) {
    for (name, value) in rows {
        if let Some(value) = value {
            environment.set(name, value);
        }
    }
}

#[cfg(test)]
mod tests;
