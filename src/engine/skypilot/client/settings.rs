//! The sky client's own configuration: `~/.sky/config.yaml`, and over it the project's `.sky.yaml`.

use super::{endpoint::EndpointError, identity};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// What stays with the client: the server has its own.
const CLIENT_ONLY: [&str; 2] = ["api_server", "admin_policy"];

/// The files that there are, the weaker first.
pub(super) struct Settings(Vec<(PathBuf, Map<String, Value>)>);

impl Settings {
    /// Reads both files. One that does not exist is an empty one, unless a variable names it.
    pub(super) fn read(home: &Path, environment: &BTreeMap<String, String>) -> Result<Self, EndpointError> {
        let project = match environment.get("PWD").map(PathBuf::from).filter(|p| p.is_absolute()) {
            Some(directory) => directory,
            None => std::env::current_dir().unwrap_or_default(),
        };
        let places = [
            ("SKYPILOT_GLOBAL_CONFIG", home.join(".sky/config.yaml")),
            ("SKYPILOT_PROJECT_CONFIG", project.join(".sky.yaml")),
        ];
        let mut files = Vec::new();
        for (variable, default) in places {
            let named = environment.get(variable).filter(|v| !v.is_empty());
            let path = named.map_or(default, |path| identity::expand(path, home));
            let wrong = |why: String| EndpointError::File { file: path.display().to_string(), why };
            match fs::read_to_string(&path) {
                Ok(text) => files.push((path.clone(), table(&text).map_err(wrong)?)),
                Err(error) if named.is_some() => return Err(wrong(format!("{error} (named by {variable})"))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(wrong(error.to_string())),
            }
        }
        Ok(Self(files))
    }

    /// A text of the table `api_server`, and the file it stands in.
    pub(super) fn server(&self, key: &str) -> Option<(String, String)> {
        self.0.iter().rev().find_map(|(path, table)| {
            let text = table.get("api_server")?.get(key)?.as_str()?.trim();
            (!text.is_empty()).then(|| (text.to_owned(), path.display().to_string()))
        })
    }

    /// What goes with every request: all but what is the client's own matter.
    pub(super) fn for_requests(self) -> Value {
        let mut all = Map::new();
        self.0.into_iter().for_each(|(_, table)| lay_over(&mut all, table));
        CLIENT_ONLY.iter().for_each(|key| {
            all.remove(*key);
        });
        Value::Object(all)
    }
}

/// A file's keys. The parser's words may quote the file, and the file may have secrets: only the place is told.
fn table(text: &str) -> Result<Map<String, Value>, String> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Map::new());
    }
    match serde_yaml::from_str::<Value>(text) {
        Ok(Value::Object(table)) => Ok(table),
        Ok(Value::Null) => Ok(Map::new()),
        Ok(_) => Err("a table of keys was expected".into()),
        Err(error) => Err(match error.location() {
            Some(at) => format!("it is not YAML (line {}, column {})", at.line(), at.column()),
            None => "it is not YAML".into(),
        }),
    }
}

/// Tables are laid over each other key by key; any other value replaces the former one.
fn lay_over(under: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => lay_over(old, new),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}
