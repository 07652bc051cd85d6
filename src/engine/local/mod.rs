//! This machine, as one node or as several virtual ones.

mod backfill;
mod inventory;
mod launch;
mod place;
mod plan;
#[cfg(test)]
mod tests;
mod together;
mod watch;

mod imp;
pub use imp::Local;
