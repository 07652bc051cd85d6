//! This machine, as one node or as several virtual ones.

mod backfill;
mod inventory;
mod launch;
mod place;
mod watch;

mod imp;
pub use imp::Local;
