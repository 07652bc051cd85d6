//! What sbatch makes of its words: a script, and the [`Request`] for it.

use super::{Request, Submitter, resolve};
use crate::slurm::{
    directives,
    options::{Command, Options, Parsed, Refusal, Script},
};
use std::{
    ffi::{OsStr, OsString},
    fs,
    io::{self, Read},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

const COMMAND: Command = Command::Sbatch;

/// The request that `parsed` makes for `script` (that of [`read_script`]), and the script's text. `who` asks.
///
/// # Errors
/// sbatch's refusal.
pub fn request(parsed: &Parsed, script: Option<Script>, who: Submitter) -> Result<(Request, Vec<u8>), Refusal> {
    let options = &parsed.options;
    let mut request = resolve::resolve(COMMAND, options, who)?;
    let name_from = |path: &OsStr| Path::new(path).file_name().unwrap_or(path).to_string_lossy().into_owned();
    let (name, script) = match (options.get("wrap"), script, parsed.operands.split_first()) {
        (Some(command), ..) => {
            let text = format!("#!/bin/sh\n# This script was created by sbatch --wrap.\n\n{command}\n");
            ("wrap".into(), text.into_bytes())
        }
        (None, Some(script), Some((file, args))) => {
            let path = find_script(file).unwrap_or_else(|| file.into());
            request.command = Some(std::path::absolute(&path).unwrap_or(path).to_string_lossy().into_owned());
            request.args = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
            (name_from(file), script.bytes)
        }
        (None, Some(script), None) => ("sbatch".into(), script.bytes),
        (None, None, _) => return Err(Refusal::error(COMMAND, 1, "Batch script is empty!")),
    };
    if options.get("job-name").is_none() {
        request.name = name;
    }
    Ok((request, script))
}

/// The script that the operands name, or stdin; `None` for `--wrap`.
///
/// # Errors
/// sbatch's refusal of what is no script, or cannot be read.
pub fn read_script(options: &Options, operands: &[OsString]) -> Result<Option<Script>, Refusal> {
    if options.is_set("wrap") {
        return match operands {
            [] => Ok(None),
            _ => Err(Refusal::error(COMMAND, 1, "Script arguments not permitted with --wrap option")),
        };
    }
    let mut bytes = Vec::new();
    let name = match operands.first() {
        None => {
            let _ = io::stdin().lock().read_to_end(&mut bytes);
            "stdin".to_owned()
        }
        Some(file) => {
            let shown = file.to_string_lossy().into_owned();
            let opened = find_script(file).and_then(|path| fs::File::open(path).ok());
            let unable = || Refusal::error(COMMAND, 1, format!("Unable to open file {shown}"));
            let mut opened = opened.ok_or_else(unable)?;
            // What can be opened and not read (a directory) is an empty script to sbatch.
            let _ = opened.read_to_end(&mut bytes);
            shown
        }
    };
    directives::check_script(&bytes)?;
    Ok(Some(Script { bytes, name }))
}

/// The file that an operand names: as it stands, or without a `/` on the PATH.
fn find_script(name: &OsStr) -> Option<PathBuf> {
    let path = Path::new(name);
    if name.as_bytes().contains(&b'/') || path.exists() {
        return Some(path.to_owned());
    }
    let search = std::env::var_os("PATH")?;
    std::env::split_paths(&search).map(|dir| dir.join(path)).find(|path| path.is_file())
}
