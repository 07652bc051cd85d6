//! `--task-prolog`: a program before each task, whose output changes the task's environment (srun(1)).

use super::say;
use crate::agent::step::error_text;
use nix::{fcntl::OFlag, unistd::pipe2};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read, Write},
    os::unix::{ffi::OsStrExt, process::ExitStatusExt},
    path::Path,
    process::{Command, ExitStatus, Stdio},
};

/// What it writes beyond this is read and forgotten.
const MOST: usize = 1 << 20;

/// What a line of the prolog's asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line<'a> {
    /// `print TEXT`: on the task's stdout.
    Print(&'a [u8]),
    /// `export NAME=value`
    Export(&'a [u8], &'a [u8]),
    /// `unset NAME`
    Unset(&'a [u8]),
}

/// What a line asks for; all others mean nothing.
fn parse(line: &[u8]) -> Option<Line<'_>> {
    if let Some(text) = line.strip_prefix(b"print ") {
        return Some(Line::Print(text.trim_ascii_start()));
    }
    if let Some(name) = line.strip_prefix(b"unset ") {
        return Some(Line::Unset(name.trim_ascii()));
    }
    let rest = line.strip_prefix(b"export ")?.trim_ascii_start();
    let at = rest.iter().position(|b| *b == b'=')?;
    let (name, value) = (rest.get(..at)?.trim_ascii_end(), rest.get(at + 1..)?);
    (!name.is_empty()).then_some(Line::Export(name, value))
}

/// Does what the lines ask for; gives what is to be printed.
fn apply(lines: &[u8], environment: &mut Vec<(OsString, OsString)>) -> Vec<u8> {
    let mut printed = Vec::new();
    for line in lines.split(|b| *b == b'\n').filter_map(parse) {
        match line {
            Line::Print(text) => {
                printed.extend_from_slice(text);
                printed.push(b'\n');
            }
            Line::Unset(name) => environment.retain(|(n, _)| n.as_bytes() != name),
            Line::Export(name, value) => {
                let value = OsStr::from_bytes(value).to_owned();
                match environment.iter_mut().find(|(n, _)| n.as_bytes() == name) {
                    Some((_, old)) => *old = value,
                    None => environment.push((OsStr::from_bytes(name).to_owned(), value)),
                }
            }
        }
    }
    printed
}

/// Runs the prolog `path` in the task's environment and changes that. The error is what the task is to exit with; why was
/// said.
pub(super) fn run(path: &str, environment: &mut Vec<(OsString, OsString)>) -> Result<(), u8> {
    let failed = |status: u8| {
        say(&format!("--task-prolog failed status={status}"));
        Err(status.max(1))
    };
    let unwell = |reason: &str| {
        say(&format!("user task_prolog did not exit normally. reason: {reason}"));
        failed(1)
    };
    const WRONG: &str = "Run command failed - configuration error";
    if !Path::new(path).is_absolute() {
        say(&format!("run_command: user task_prolog is not fully qualified pathname ({path})"));
        return unwell(WRONG);
    }
    apply(b"export SLURM_SCRIPT_CONTEXT=prolog_task", environment);
    match execute(path, environment) {
        Err(error) => {
            say(&format!("run_command: user task_prolog can not be executed ({path}) {}", error_text(&error)));
            unwell(WRONG)
        }
        Ok((status, said)) => {
            if status.signal().is_some() {
                return unwell(&String::from_utf8_lossy(&said));
            }
            match status.code() {
                Some(0) => {}
                code => return failed(code.and_then(|c| u8::try_from(c).ok()).unwrap_or(1)),
            }
            let printed = apply(&said, environment);
            let _ = io::stdout().write_all(&printed).and_then(|()| io::stdout().flush());
            Ok(())
        }
    }
}

/// Runs it to its end; what it wrote, on stdout and stderr alike.
fn execute(path: &str, environment: &[(OsString, OsString)]) -> io::Result<(ExitStatus, Vec<u8>)> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
    let mut command = Command::new(path);
    command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(write.try_clone()?).stderr(write);
    let mut child = command.spawn()?;
    drop(command); // it holds the pipe's other end
    let (mut read, mut said, mut bytes) = (File::from(read), Vec::new(), [0; 4096]);
    loop {
        match read.read(&mut bytes) {
            Ok(0) => break,
            Ok(n) if said.len() < MOST => said.extend_from_slice(bytes.get(..n).unwrap_or_default()),
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    Ok((child.wait()?, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(lines: &str) -> (String, Vec<(String, String)>) {
        let pair = |n: &str, v: &str| (OsString::from(n), OsString::from(v));
        let mut environment = vec![pair("HOME", "/h"), pair("A", "1")];
        let printed = apply(lines.as_bytes(), &mut environment);
        let text = |t: OsString| t.to_string_lossy().into_owned();
        (
            String::from_utf8(printed).unwrap(),
            environment.into_iter().map(|(n, v)| (text(n), text(v))).collect::<Vec<_>>(),
        )
    }

    /// What 22.05 made of these lines.
    #[test]
    fn lines_are_read_as_slurm_reads_them() {
        let (printed, environment) = applied(
            "print from task prolog 0\nexport FOO=from prolog\nexport  BAR =x y \nunset HOME\nnonsense line\nprint\n\
             exportBAZ=1\n export Q=1\nexport A=2\nexport NOTHING\nexport =x\nprint   last",
        );
        assert_eq!(printed, "from task prolog 0\nlast\n");
        let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
        assert_eq!(environment, [pair("A", "2"), pair("FOO", "from prolog"), pair("BAR", "x y ")]);
    }

    proptest::proptest! {
        #[test]
        fn any_output_is_read(lines: Vec<u8>) {
            apply(&lines, &mut Vec::new());
        }
    }
}
