//! gres
