//! Where srun writes what tasks write: one place for all, or one for each component of a step.

use super::files::{create, needs_step, open};
use crate::{
    agent::step::error_text,
    commands::srun::{output::Output, request::Plan},
};
use std::fs::File;

/// stdout and stderr of one or several components.
struct Stream {
    output: Output,
    /// `None`: where stdout goes.
    error: Option<Output>,
}

/// Those of a step.
pub(super) struct Streams {
    all: Vec<Stream>,
    /// Which of them each component has.
    of: Vec<usize>,
    /// The component of each node.
    nodes: Vec<usize>,
    /// The component of each task.
    tasks: Vec<usize>,
}

impl Streams {
    /// Opens the files whose names are known before the step is.
    pub fn open(plans: &[Plan]) -> Result<Self, String> {
        let mut streams = Self { all: Vec::new(), of: Vec::new(), nodes: Vec::new(), tasks: Vec::new() };
        let mut known: Vec<&Plan> = Vec::new();
        for plan in plans {
            let same = known.iter().position(|k| {
                (&k.output, &k.error, k.error_is_output) == (&plan.output, &plan.error, plan.error_is_output)
            });
            if let Some(at) = same {
                streams.of.push(at);
                continue;
            }
            let output = open(plan, plan.output.as_deref(), "stdout")?;
            let error = match plan.error_is_output {
                true => None,
                false => Some(open(plan, plan.error.as_deref(), "stderr")?),
            };
            streams.of.push(streams.all.len());
            known.push(plan);
            streams.all.push(Stream {
                output: Output::new(false, output, None),
                error: error.map(|file| Output::new(true, file, None)),
            });
        }
        Ok(streams)
    }

    /// There is a step: the other files are opened, and labels are as wide as they have to be. `firsts`: the place of the
    /// first node of each component.
    ///
    /// # Errors
    /// A line without `srun: error: ` for each file that cannot be opened.
    pub fn begin(&mut self, plans: &[&Plan], step: u32, layout: &[Vec<u32>], firsts: &[usize]) -> Vec<String> {
        let component = |node: usize| firsts.iter().filter(|first| **first <= node).count().saturating_sub(1);
        self.nodes = (0..layout.len()).map(component).collect();
        let mut tasks: Vec<(u32, usize)> = layout
            .iter()
            .zip(&self.nodes)
            .flat_map(|(ids, component)| ids.iter().map(|id| (*id, *component)))
            .collect();
        tasks.sort_unstable();
        let count = tasks.len() as u32;
        self.tasks = tasks.into_iter().map(|(_, component)| component).collect();
        let mut errors = Vec::new();
        for (plan, at) in plans.iter().zip(&self.of) {
            let Some(stream) = self.all.get_mut(*at) else { continue };
            let mut late = |pattern: &Option<String>, what: &str| -> Option<File> {
                let pattern = pattern.as_deref().filter(|pattern| needs_step(pattern))?;
                let opened = create(plan, pattern, Some(step));
                opened.map_err(|e| errors.push(format!("Could not open {what} file: {}", error_text(&e)))).ok()
            };
            if let Some(file) = late(&plan.output, "stdout") {
                stream.output = Output::new(false, Some(file), None);
            }
            if let Some(file) = late(&plan.error, "stderr") {
                stream.error = Some(Output::new(true, Some(file), None));
            }
            let label = plan.request.label.then_some(count);
            stream.output.label(label);
            stream.error.iter_mut().for_each(|error| error.label(label));
        }
        errors
    }

    /// Where a component's tasks write to.
    fn of_component(&mut self, component: Option<usize>, error: bool) -> Option<&mut Output> {
        let at = component.and_then(|component| self.of.get(component)).copied().unwrap_or(0);
        let stream = self.all.get_mut(at)?;
        match (error, &mut stream.error) {
            (true, Some(error)) => Some(error),
            _ => Some(&mut stream.output),
        }
    }

    /// Where a task writes to.
    pub fn of_task(&mut self, task: u32, error: bool) -> Option<&mut Output> {
        self.of_component(self.tasks.get(task as usize).copied(), error)
    }

    /// Where what is said of a node's tasks is written to.
    pub fn of_node(&mut self, node: usize) -> Option<&mut Output> {
        self.of_component(self.nodes.get(node).copied(), true)
    }
}
