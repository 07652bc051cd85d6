//! One of the suite's targets before libFuzzer: the one that `SKYSLURM_FUZZ_TARGET` names.

#![no_main]

#[path = "../tests/suite/fuzz/targets.rs"]
mod targets;

use std::sync::LazyLock;
use targets::{TARGETS, Target};

static CHOSEN: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("SKYSLURM_FUZZ_TARGET").unwrap_or_default();
    TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        panic!("SKYSLURM_FUZZ_TARGET is one of: {}", names.join(", "))
    })
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (CHOSEN.parse)(bytes));
