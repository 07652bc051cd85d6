//! The one program: which command am I?

use std::{ffi::OsString, path::Path, process::ExitCode};

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let called = args.next().unwrap_or_default();
    let name = Path::new(&called).file_name().map(OsString::from).unwrap_or_default();
    ExitCode::from(skyslurm::commands::dispatch(&name, args.collect()))
}
