//! An agent on a node that another system made: what it finds there, and what it makes of it.

mod payload;

pub use payload::{Delivery, Payload, VARIABLE};
