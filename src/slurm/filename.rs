//! filename
