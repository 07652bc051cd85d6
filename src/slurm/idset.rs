//! idset
