//! The last resort against a cluster that nobody takes down: it does so itself when its job is over.

use super::Task;
use serde_yaml::{Mapping, Value};

/// Minutes without a job after which a cluster goes. While the agent runs there is a job.
const IDLE: u64 = 10;

/// Clouds whose clusters cannot (`_CLOUD_UNSUPPORTED_FEATURES` of SkyPilot 0.14.1 has AUTODOWN): a task that asks for it is
/// not placed there.
const CANNOT: [&str; 4] = ["hyperbolic", "primeintellect", "verda", "yotta"];

impl Task {
    /// Lets its cluster go by itself when it has been idle for ten minutes, where each of `infras` can do that and the
    /// partition's own resources do not say otherwise.
    pub fn ends_when_idle(&mut self, infras: &[String]) {
        let cannot = |infra: &String| {
            let cloud = infra.split('/').next().unwrap_or_default().to_ascii_lowercase();
            CANNOT.contains(&cloud.as_str())
        };
        let key = Value::from("autostop");
        if infras.iter().any(cannot) || self.resources.contains_key(&key) {
            return;
        }
        // Who is logged in does not keep it: the allocation is over.
        let how = [("idle_minutes", IDLE.into()), ("down", true.into()), ("wait_for", "jobs".into())];
        let how: Mapping = how.into_iter().map(|(key, value): (_, Value)| (Value::from(key), value)).collect();
        self.resources.insert(key, Value::from(how));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_it_can() {
        let resources = |infras: &[&str]| {
            let mut task = Task { name: "x".into(), run: "true".into(), ..Task::default() };
            task.ends_when_idle(&infras.iter().map(|infra| (*infra).to_owned()).collect::<Vec<_>>());
            task.yaml()
        };
        let wanted = "name: x\nresources:\n  autostop:\n    idle_minutes: 10\n    down: true\n    wait_for: jobs\nrun: \"true\"\n";
        assert_eq!(resources(&["slurm/lab", "aws/us-east-1"]), wanted);
        assert_eq!(resources(&["kubernetes", "Verda"]), "name: x\nrun: \"true\"\n");
    }
}
