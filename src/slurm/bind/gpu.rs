//! `--gpu-bind`: which of a step's GPUs a task sees.

use super::{mask_ids, masks, numbers};
use crate::slurm::idset::IdSet;
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use thiserror::Error;

/// What `--gpu-bind` asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuBind {
    /// `verbose,`: each task's GPUs are told.
    pub verbose: bool,
    /// Which.
    pub to: GpuType,
    /// As it was written, behind `gpu:`.
    pub text: String,
}

/// Which GPUs a task sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GpuType {
    /// `none`: tasks are not told of GPUs.
    None,
    /// `closest`: all, as all are equally near.
    Closest,
    /// `single:N`: one, shared by N tasks.
    Single(u32),
    /// `per_task:N`: N of its own.
    PerTask(u32),
    /// `map_gpu:`: these, in turn.
    Map(Vec<u32>),
    /// `mask_gpu:`: these sets, in turn.
    Mask(Vec<IdSet>),
}

/// Not a binding: what srun says behind `srun: error: `, and exits with 255.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("Invalid --gpu-bind argument: gpu:{0}")]
pub struct GpuBindError(pub String);

impl FromStr for GpuBind {
    type Err = GpuBindError;

    /// Reads `[verbose,]TYPE`; `gpu:` or `gres/gpu:` may stand before it, as `--tres-bind` has it.
    fn from_str(text: &str) -> Result<Self, GpuBindError> {
        let bare = text.strip_prefix("gres/").unwrap_or(text);
        let bare = bare.strip_prefix("gpu:").unwrap_or(bare);
        let wrong = || GpuBindError(bare.to_owned());
        let (verbose, kind) = match bare.strip_prefix("verbose,") {
            Some(kind) => (true, kind),
            None => (false, bare),
        };
        let (name, list) = kind.split_once(':').unwrap_or((kind, ""));
        let count = || list.parse::<u32>().ok().filter(|n| *n > 0).ok_or_else(wrong);
        let to = match name.to_ascii_lowercase().as_str() {
            "none" if list.is_empty() => GpuType::None,
            "closest" if list.is_empty() => GpuType::Closest,
            "single" => GpuType::Single(count()?),
            "per_task" => GpuType::PerTask(count()?),
            "map_gpu" | "map" if !list.is_empty() => GpuType::Map(numbers(list).map_err(|_| wrong())?),
            "mask_gpu" | "mask" if list.split(['*', ',']).next().is_some_and(|m| mask_ids(m).is_some()) => {
                GpuType::Mask(masks(list).map_err(|_| wrong())?)
            }
            _ => return Err(wrong()),
        };
        Ok(Self { verbose, to, text: bare.to_owned() })
    }
}

impl GpuBind {
    /// The GPUs that the `local`th task of a node sees of `gpus`, and what slurmstepd says of it. `task` is its global id.
    pub fn of_task(&self, gpus: &IdSet, local: usize, task: u32) -> (IdSet, Option<String>) {
        let among = |wanted: IdSet| gpus.iter().filter(|gpu| wanted.contains(*gpu)).collect::<IdSet>();
        let in_turn = |length: usize| if length == 0 { 0 } else { local % length };
        let chosen = match &self.to {
            GpuType::None => return (IdSet::new(), None),
            GpuType::Closest => return (gpus.clone(), None),
            GpuType::PerTask(n) => {
                let chosen: IdSet = gpus.iter().skip(local.saturating_mul(*n as usize)).take(*n as usize).collect();
                let few = (chosen.len() < *n as usize).then(|| "Not enough gpus to bind for gpus per task".to_owned());
                return (chosen, few);
            }
            GpuType::Single(n) => {
                let at = local / (*n).max(1) as usize % gpus.len().max(1);
                return (gpus.iter().skip(at).take(1).collect(), None);
            }
            GpuType::Map(ids) => among(ids.get(in_turn(ids.len())).copied().into_iter().collect()),
            GpuType::Mask(sets) => among(sets.get(in_turn(sets.len())).cloned().unwrap_or_default()),
        };
        if chosen.is_empty() && !gpus.is_empty() {
            let text = &self.text;
            let line = format!(
                "Bind request gpu:{text} does not specify any devices within the allocation for task {task}. \
                 Binding to the first device in the allocation instead."
            );
            return (gpus.iter().take(1).collect(), Some(line));
        }
        (chosen, None)
    }

    /// The line of `verbose`.
    pub fn line(&self, gpus: &IdSet, chosen: &IdSet) -> String {
        let list = chosen.iter().map(|id| id.to_string()).collect::<Vec<_>>().join(",");
        let mask = |ids: &IdSet| format!("0x{}", super::mask_text(ids).trim_start_matches("0x").to_ascii_uppercase());
        let (usable, all) = (mask(chosen), mask(gpus));
        format!("gpu-bind: usable_gres={usable}; bit_alloc={all}; local_inx=0; global_list={list}; local_list={list}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str, local: usize) -> String {
        let bind: GpuBind = text.parse().unwrap();
        bind.of_task(&(0..4).collect(), local, 5).0.to_ranges()
    }

    /// What 22.05 gave to two tasks of four GPUs.
    #[test]
    fn tasks_see_what_was_captured() {
        for (text, first, second) in [
            ("none", "", ""),
            ("closest", "0-3", "0-3"),
            ("single:1", "0", "1"),
            ("single:2", "0", "0"),
            ("per_task:2", "0-1", "2-3"),
            ("per_task:3", "0-2", "3"),
            ("map_gpu:1,3", "1", "3"),
            ("map_gpu:1*2", "1", "1"),
            ("mask_gpu:0x3,0xc", "0-1", "2-3"),
            ("gres/gpu:verbose,single:1", "0", "1"),
            ("map_gpu:7", "0", "0"),
        ] {
            assert_eq!((seen(text, 0).as_str(), seen(text, 1).as_str()), (first, second), "{text}");
        }
    }

    #[test]
    fn what_is_said_is_as_captured() {
        let all: IdSet = (0..4).collect();
        let said = |text: &str, local| text.parse::<GpuBind>().unwrap().of_task(&all, local, 1).1;
        assert_eq!(said("per_task:3", 1).as_deref(), Some("Not enough gpus to bind for gpus per task"));
        assert_eq!(
            said("map_gpu:7", 1).unwrap(),
            "Bind request gpu:map_gpu:7 does not specify any devices within the allocation for task 1. Binding to the first device in the allocation instead."
        );
        let bind: GpuBind = "verbose,closest".parse().unwrap();
        let line = "gpu-bind: usable_gres=0xF; bit_alloc=0xF; local_inx=0; global_list=0,1,2,3; local_list=0,1,2,3";
        assert_eq!(bind.line(&all, &all), line);
    }

    #[test]
    fn wrong_ones_are_refused() {
        for text in ["v,per_task:2", "single", "per_task", "bogus", "map_gpu", "verbose", "mask_gpu:zz", "help", ""] {
            assert!(text.parse::<GpuBind>().is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String, local: usize) {
            if let Ok(bind) = text.parse::<GpuBind>() {
                bind.of_task(&(0..4).collect(), local, 0);
            }
        }
    }
}
