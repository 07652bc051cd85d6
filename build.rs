//! After `cargo build --release`, `shims/` holds the drop-in commands.
//!
//! `shims/sbatch` and its kin are links to `shims/skyslurm`, which this script links to the program.
//! Only cargo knows where that will be (the host's triple, CARGO_TARGET_DIR), so no committed link
//! can name it; and a shell script in its place would cost more time than the commands themselves.
//! The link is not committed, so a build leaves the checkout clean.

use std::{
    env, fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=shims");
    // `cargo test` and `cargo check` do not build what the shims stand for.
    if env::var_os("PROFILE").is_none_or(|profile| profile != "release") {
        return;
    }
    if let Err(error) = link() {
        println!("cargo:warning=shims/skyslurm could not be made, use `skyslurm install` instead: {error}");
    }
}

fn link() -> io::Result<()> {
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or_else(missing)?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(missing)?);
    // TARGET_DIR/TRIPLE/release/build/skyslurm-HASH/out
    let build = out.ancestors().find(|dir| dir.file_name().is_some_and(|name| name == "build")).ok_or_else(missing)?;
    let program = build.with_file_name("skyslurm");
    // Relative where it can be, so that a checkout may be moved.
    let target = program.strip_prefix(&root).map_or(program.clone(), |below| Path::new("..").join(below));
    let shim = root.join("shims/skyslurm");
    if fs::read_link(&shim).is_ok_and(|there| there == target) {
        return Ok(());
    }
    let new = root.join("shims/.skyslurm.new");
    let _ = fs::remove_file(&new);
    symlink(&target, &new)?;
    fs::rename(&new, &shim)
}
