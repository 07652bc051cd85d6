//! `--bcast`: the program goes to the nodes before the step.

use super::request::Plan;
use crate::{
    agent::step::Programs,
    commands::broadcast::{self, EXCLUDED, Failure, Wanted},
};
use std::{
    env,
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// Brings the program of `plan` to the nodes of the step, if it asks for that.
///
/// # Errors
/// Lines for stderr; the step is not to start then.
pub(super) fn program(plan: &Plan, step: u32) -> Result<(), Vec<String>> {
    let setup = &plan.request.setup;
    let Some(to) = &setup.brought else { return Ok(()) };
    let name = match &plan.request.programs {
        Programs::Same(words) => words.first(),
        Programs::Each(commands) => commands.first().and_then(|words| words.first()),
    };
    let directory = Path::new(OsStr::from_bytes(&plan.request.directory.0));
    let program = find(Path::new(OsStr::from_bytes(name.map_or(&[], |n| &n.0))), directory);
    let wanted = Wanted { job: plan.request.job, step: Some(step), to: to.clone(), force: true, preserve: true };
    let brought = broadcast::open(&program).and_then(|file| broadcast::bring(file, &wanted));
    let excluded = plan.bcast_exclude.as_deref().unwrap_or(EXCLUDED);
    let brought = brought.and_then(|()| match setup.libraries {
        true => broadcast::bring_libraries(&program, excluded, &wanted).map(drop),
        false => Ok(()),
    });
    brought.map_err(|Failure { lines, .. }| {
        let fatal = format!("srun: fatal: Failed to broadcast '{}'. Step launch aborted.", program.display());
        lines.iter().map(|line| format!("srun: error: {line}")).chain([fatal]).collect()
    })
}

/// The program's file, as a task would find it.
fn find(name: &Path, directory: &Path) -> PathBuf {
    if name.as_os_str().as_bytes().contains(&b'/') {
        return directory.join(name);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| directory.join(name))
}
