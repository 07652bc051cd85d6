//! How the agent and the job's description get to the nodes, and what starts there.

use super::Task;
use crate::{
    agent::remote,
    config::SkypilotConfig,
    engine::skypilot::upload::{AGENT, WORKDIR},
    job::Request,
};

/// The agent's directory on a node.
const HOME: &str = "~/.skyslurm";
/// The agent there.
const PROGRAM: &str = "~/.skyslurm/skyslurm";
/// Where a here-document puts the script.
const SCRIPT: &str = "~/.skyslurm/script";

/// How the agent and the job's description get to the nodes.
pub enum Carrier<'a> {
    /// As it is submitted: the agent's directory and the work directory are in the blob, the description is sealed.
    Sealed {
        /// The name that is unique; one that SkyPilot takes ([`super::valid_name`]).
        name: &'a str,
        /// The sealed payload (`agent::remote::VARIABLE`).
        payload: &'a str,
        /// Whether the blob has a work directory.
        workdir: bool,
        /// Which component of a heterogeneous job the task is.
        component: Option<u32>,
    },
    /// As a person would keep it: the program and the script are files here.
    Plain {
        /// This program's path.
        program: &'a str,
        /// The work directory, if it is copied.
        workdir: Option<&'a str>,
        /// The options of sbatch that the script does not say itself, one word each.
        options: &'a [String],
        /// The script.
        script: Script<'a>,
    },
}

/// Where a node finds the script.
pub enum Script<'a> {
    /// In a file: seen from the work directory.
    File(&'a str),
    /// Nowhere: this is its text.
    Text(&'a str),
}

impl Carrier<'_> {
    /// Puts into the task what depends on the way: directory, mounts, secrets and the command.
    pub(super) fn load(&self, task: &mut Task, request: &Request, settings: &SkypilotConfig) {
        match self {
            Carrier::Sealed { name, payload, workdir, component } => {
                let (agent, directory) = (format!("/{AGENT}"), format!("/{WORKDIR}"));
                task.name = (*name).to_owned();
                task.file_mounts.insert(HOME.into(), agent.clone());
                task.file_mounts_mapping.insert(agent, AGENT.into());
                if *workdir {
                    task.workdir = Some(directory.clone());
                    task.file_mounts_mapping.insert(directory, WORKDIR.into());
                }
                task.secrets.insert(remote::VARIABLE.into(), (*payload).to_owned());
                if let Some(component) = component {
                    task.envs.insert(remote::COMPONENT.into(), component.to_string());
                }
                // Modes are lost on the way, and what is beside the program opens the payload.
                task.run = format!("chmod 700 {HOME} {PROGRAM} && exec {PROGRAM} agent\n");
            }
            Carrier::Plain { program, workdir, options, script } => {
                task.workdir = workdir.map(str::to_owned);
                task.file_mounts.insert(PROGRAM.into(), (*program).to_owned());
                if !settings.modules.is_empty() {
                    // A map of strings always has a JSON text.
                    let text = serde_json::to_string_pretty(&settings.modules).unwrap_or_default();
                    task.envs.insert(remote::MODULES.into(), text);
                }
                task.run = run(options, script, &request.args);
            }
        }
    }
}

/// `run` of a task that a person keeps: the agent, on the script.
fn run(options: &[String], script: &Script, args: &[Vec<u8>]) -> String {
    let mut text = format!("chmod +x {PROGRAM}\n");
    let file = match script {
        // A name that begins with a dash would be an option.
        Script::File(path) if path.starts_with('-') => quoted(format!("./{path}").as_bytes()),
        Script::File(path) => quoted(path.as_bytes()),
        Script::Text(script) => {
            let end = delimiter(script);
            let newline = if script.ends_with('\n') { "" } else { "\n" };
            text.push_str(&format!("cat > {SCRIPT} <<'{end}'\n{script}{newline}{end}\n"));
            SCRIPT.to_owned()
        }
    };
    let options = options.iter().map(|word| quoted(word.as_bytes()));
    let args = args.iter().map(|word| quoted(word));
    let words: Vec<String> = options.chain([file]).chain(args).collect();
    text.push_str(&format!("exec {PROGRAM} agent run {}\n", words.join(" ")));
    text
}

/// The end of a here-document that no line of `text` is.
fn delimiter(text: &str) -> String {
    let mut end = "END_OF_SCRIPT".to_owned();
    while text.lines().any(|line| line == end) {
        end.push('_');
    }
    end
}

/// A word as bash reads it again.
fn quoted(word: &[u8]) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"_./=:,@%+-".contains(b);
    match std::str::from_utf8(word) {
        Ok(text) if !word.is_empty() && word.iter().all(plain) => text.to_owned(),
        Ok(text) if !text.chars().any(char::is_control) => format!("'{}'", text.replace('\'', "'\\''")),
        _ => {
            let byte = |b: &u8| match b {
                b'\'' | b'\\' => format!("\\{}", char::from(*b)),
                b' '..=b'~' => char::from(*b).to_string(),
                b => format!("\\x{b:02x}"),
            };
            format!("$'{}'", word.iter().map(byte).collect::<String>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{os::unix::ffi::OsStringExt, process::Command};

    #[test]
    fn the_end_of_a_script_is_not_in_it() {
        assert_eq!(delimiter("a\n"), "END_OF_SCRIPT");
        assert_eq!(delimiter("END_OF_SCRIPT\nEND_OF_SCRIPT_\n END_OF_SCRIPT__"), "END_OF_SCRIPT__");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50))]
        /// bash has the word again, whatever is in it.
        #[test]
        fn bash_reads_the_word_that_was_meant(word in prop::collection::vec(1u8..=255, 0..12)) {
            let mut script = b"printf '%s' ".to_vec();
            script.extend(quoted(&word).into_bytes());
            let output = Command::new("bash").arg("-c").arg(std::ffi::OsString::from_vec(script)).output().unwrap();
            prop_assert_eq!(output.stdout, word);
        }
    }
}
