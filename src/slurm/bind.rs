//! `--cpu-bind`, `--mem-bind` and `--gpu-bind`: to what the tasks of a step are bound.

mod gpu;
mod mask;

pub use gpu::{GpuBind, GpuBindError, GpuType};
pub use mask::{mask_ids, mask_text};

use super::idset::IdSet;
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use thiserror::Error;

/// What `--cpu-bind` asks for, or with another list of words `--mem-bind`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// `verbose`: each task's binding is told.
    pub verbose: bool,
    /// To what.
    pub to: To,
    /// `--mem-bind=prefer`: elsewhere only where there is no room.
    pub prefer: bool,
    /// `--mem-bind=sort`, `nosort`; only told on.
    pub sort: Option<bool>,
}

/// To what tasks are bound.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum To {
    /// Nothing was said.
    #[default]
    Unsaid,
    /// `none`
    None,
    /// `rank`: each to one of its own, in order.
    Rank,
    /// `map_cpu`, `map_mem`: to these, in turn.
    Map(Vec<u32>),
    /// `mask_cpu`, `mask_mem`: to these sets, in turn.
    Mask(Vec<IdSet>),
    /// `rank_ldom`
    RankDomain,
    /// `map_ldom`
    MapDomain(Vec<u32>),
    /// `mask_ldom`
    MaskDomain(Vec<IdSet>),
    /// `threads`: as many CPUs as it asked for.
    Threads,
    /// `cores`: the whole cores of these.
    Cores,
    /// `sockets`: the whole sockets of these.
    Sockets,
    /// `ldoms`: the whole locality domains of these.
    Domains,
    /// `--mem-bind=local`
    Local,
}

/// Why a text is no binding, as srun says it behind `srun: error: `.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BindError {
    /// A word that is none of the option's.
    #[error("unrecognized --{0} argument \"{1}\"")]
    Unknown(&'static str, String),
    /// `map_cpu` without its list.
    #[error("missing list for \"--{0}={1}:<list>\"")]
    NoList(&'static str, String),
    /// A list with something else than numbers.
    #[error("Failed to validate number: {0}, the offending character is {1}")]
    NoNumber(String, char),
}

const CPU: &str = "cpu-bind";
const MEMORY: &str = "mem-bind";

impl FromStr for Bind {
    type Err = BindError;

    /// Reads `--cpu-bind`'s argument; `help` is to be looked for first.
    fn from_str(text: &str) -> Result<Self, BindError> {
        parse(CPU, text)
    }
}

impl Bind {
    /// Reads `--mem-bind`'s argument.
    ///
    /// # Errors
    /// What srun says of a wrong one.
    pub fn memory(text: &str) -> Result<Self, BindError> {
        parse(MEMORY, text)
    }

    /// `SLURM_CPU_BIND_VERBOSE`
    pub fn manner(&self) -> &'static str {
        if self.verbose { "verbose" } else { "quiet" }
    }

    /// Type and list as `SLURM_CPU_BIND_TYPE` and `_LIST` tell them; `memory`: of `--mem-bind`.
    pub fn told(&self, memory: bool) -> (&'static str, String) {
        let what = |cpu, mem| if memory { mem } else { cpu };
        let numbers = |ids: &[u32]| ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        let masks = |sets: &[IdSet]| {
            let bare = |set| mask_text(set).trim_start_matches("0x").to_owned();
            sets.iter().map(bare).collect::<Vec<_>>().join(",")
        };
        match &self.to {
            To::Unsaid => ("", String::new()),
            To::None => ("none", String::new()),
            To::Rank => ("rank", String::new()),
            To::Map(ids) => (what("map_cpu:", "map_mem:"), numbers(ids)),
            To::Mask(sets) => (what("mask_cpu:", "mask_mem:"), masks(sets)),
            To::RankDomain => ("rank_ldom", String::new()),
            To::MapDomain(ids) => ("map_ldom:", numbers(ids)),
            To::MaskDomain(sets) => ("mask_ldom:", masks(sets)),
            To::Threads => ("threads", String::new()),
            To::Cores => ("cores", String::new()),
            To::Sockets => ("sockets", String::new()),
            To::Domains => ("ldoms", String::new()),
            To::Local => ("local", String::new()),
        }
    }
}

fn parse(option: &'static str, text: &str) -> Result<Bind, BindError> {
    let mut bind = Bind::default();
    let mut rest = text;
    while !rest.is_empty() {
        let (word, after) = rest.split_once(',').unwrap_or((rest, ""));
        let (name, list) = word.split_once(':').unwrap_or((word, ""));
        let name = name.to_ascii_lowercase();
        // Its list takes the commas behind it.
        let listed = || match rest.split_once(':') {
            Some((_, list)) if !list.is_empty() => Ok(list),
            _ => Err(BindError::NoList(option, name.clone())),
        };
        let to = match (name.as_str(), option) {
            ("q" | "quiet", _) if list.is_empty() => {
                bind.verbose = false;
                None
            }
            ("v" | "verbose", _) => {
                bind.verbose = true;
                None
            }
            ("p" | "prefer", MEMORY) => {
                bind.prefer = true;
                None
            }
            ("sort" | "nosort", MEMORY) => {
                bind.sort = Some(name == "sort");
                None
            }
            ("no" | "none", _) => Some(To::None),
            ("rank", _) => Some(To::Rank),
            ("local", MEMORY) => Some(To::Local),
            ("map_cpu", CPU) | ("map_mem", MEMORY) => Some(To::Map(numbers(listed()?)?)),
            ("mask_cpu", CPU) | ("mask_mem", MEMORY) => Some(To::Mask(masks(listed()?)?)),
            ("rank_ldom", CPU) => Some(To::RankDomain),
            ("map_ldom", CPU) => Some(To::MapDomain(numbers(listed()?)?)),
            ("mask_ldom", CPU) => Some(To::MaskDomain(masks(listed()?)?)),
            ("thread" | "threads", CPU) => Some(To::Threads),
            ("core" | "cores", CPU) => Some(To::Cores),
            ("socket" | "sockets", CPU) => Some(To::Sockets),
            ("ldom" | "ldoms", CPU) => Some(To::Domains),
            _ => return Err(BindError::Unknown(option, word.to_owned())),
        };
        let list_is_the_rest = matches!(to, Some(To::Map(_) | To::Mask(_) | To::MapDomain(_) | To::MaskDomain(_)));
        if let Some(to) = to {
            bind.to = to;
        }
        rest = if list_is_the_rest { "" } else { after };
    }
    Ok(bind)
}

/// The items of `0*4,3`, repeated as it says; at most 64 Ki.
fn items(list: &str) -> impl Iterator<Item = &str> {
    let repeated = list.split(',').filter(|item| !item.is_empty()).flat_map(|item| {
        let (item, times) = item.split_once('*').unwrap_or((item, "1"));
        std::iter::repeat_n(item, times.parse().unwrap_or(1).min(1 << 16))
    });
    repeated.take(1 << 16)
}

fn numbers(list: &str) -> Result<Vec<u32>, BindError> {
    let number = |item: &str| match item.parse() {
        Ok(number) => Ok(number),
        Err(_) => Err(wrong(item, |c| c.is_ascii_digit())),
    };
    items(list).map(number).collect()
}

fn masks(list: &str) -> Result<Vec<IdSet>, BindError> {
    let mask = |item| mask_ids(item).ok_or_else(|| wrong(item, |c| c.is_ascii_hexdigit()));
    items(list).map(mask).collect()
}

fn wrong(item: &str, right: impl Fn(char) -> bool) -> BindError {
    let offending = item.chars().find(|c| !right(*c)).or_else(|| item.chars().next());
    BindError::NoNumber(item.to_owned(), offending.unwrap_or(' '))
}

/// What `--cpu-bind=help` prints.
pub const CPU_HELP: &str = "\
CPU bind options:
    --cpu-bind=         Bind tasks to CPUs
        q[uiet]         quietly bind before task runs (default)
        v[erbose]       verbosely report binding before task runs
        no[ne]          don't bind tasks to CPUs (default)
        rank            bind by task rank
        map_cpu:<list>  specify a CPU ID binding for each task
                        where <list> is <cpuid1>,<cpuid2>,...<cpuidN>
        mask_cpu:<list> specify a CPU ID binding mask for each task
                        where <list> is <mask1>,<mask2>,...<maskN>
        rank_ldom       bind task by rank to CPUs in a NUMA locality domain
        map_ldom:<list> specify a NUMA locality domain ID for each task
                        where <list> is <ldom1>,<ldom2>,...<ldomN>
        mask_ldom:<list>specify a NUMA locality domain ID mask for each task
                        where <list> is <ldom1>,<ldom2>,...<ldomN>
        sockets         auto-generated masks bind to sockets
        cores           auto-generated masks bind to cores
        threads         auto-generated masks bind to threads
        ldoms           auto-generated masks bind to NUMA locality domains
        help            show this help message
";

/// What `--mem-bind=help` prints (srun 22.05).
pub const MEMORY_HELP: &str = "\
Memory bind options:
    --mem-bind=         Bind memory to locality domains (ldom)
        nosort          avoid sorting pages at startup
        sort            sort pages at startup
        q[uiet]         quietly bind before task runs (default)
        v[erbose]       verbosely report binding before task runs
        no[ne]          don't bind tasks to memory (default)
        rank            bind by task rank
        local           bind to memory local to processor
        map_mem:<list>  specify a memory binding for each task
                        where <list> is <cpuid1>,<cpuid2>,...<cpuidN>
        mask_mem:<list> specify a memory binding mask for each tasks
                        where <list> is <mask1>,<mask2>,...<maskN>
        help            show this help message
";

/// What `--hint=help` prints (srun 22.05).
pub const HINT_HELP: &str = "\
Application hint options:
    --hint=             Bind tasks according to application hints
        compute_bound   use all cores in each socket
        memory_bound    use only one core in each socket
        [no]multithread [don't] use extra threads with in-core multi-threading
        help            show this help message
";

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(text: &str) -> Result<String, String> {
        let bind: Bind = text.parse().map_err(|e: BindError| e.to_string())?;
        let (what, list) = bind.told(false);
        Ok(format!("{},{what}{list}", bind.manner()))
    }

    /// What srun 22.05 put into `SLURM_CPU_BIND`.
    #[test]
    fn bindings_are_told_as_captured() {
        for (text, told) in [
            ("none", "quiet,none"),
            ("no", "quiet,none"),
            ("v,rank", "verbose,rank"),
            ("quiet,map_cpu:1*2", "quiet,map_cpu:1,1"),
            ("v,map_cpu:1,0", "verbose,map_cpu:1,0"),
            ("v,mask_cpu:0x3,1", "verbose,mask_cpu:3,1"),
            ("v,map_ldom:0", "verbose,map_ldom:0"),
            ("v,mask_ldom:0x1", "verbose,mask_ldom:1"),
            ("rank_ldom", "quiet,rank_ldom"),
            ("verbose", "verbose,"),
            ("Threads", "quiet,threads"),
        ] {
            assert_eq!(cpu(text).as_deref(), Ok(told), "{text}");
        }
    }

    #[test]
    fn wrong_ones_are_refused_as_captured() {
        for (text, said) in [
            ("boards", "unrecognized --cpu-bind argument \"boards\""),
            ("verbose,bogus", "unrecognized --cpu-bind argument \"bogus\""),
            ("local", "unrecognized --cpu-bind argument \"local\""),
            ("map_cpu", "missing list for \"--cpu-bind=map_cpu:<list>\""),
            ("map_cpu:", "missing list for \"--cpu-bind=map_cpu:<list>\""),
            ("v,map_cpu:0x1", "Failed to validate number: 0x1, the offending character is x"),
            ("mask_cpu:zz", "Failed to validate number: zz, the offending character is z"),
        ] {
            assert_eq!(cpu(text), Err(said.into()), "{text}");
        }
    }

    #[test]
    fn memory_has_words_of_its_own() {
        let bind = Bind::memory("v,p,sort,map_mem:0,1").unwrap();
        assert!(bind.verbose && bind.prefer && bind.sort == Some(true));
        assert_eq!(bind.told(true), ("map_mem:", "0,1".into()));
        assert_eq!(Bind::memory("v,mask_mem:0x1").unwrap().told(true), ("mask_mem:", "1".into()));
        assert_eq!(Bind::memory("local").unwrap().to, To::Local);
        let unknown = Bind::memory("bogus").unwrap_err();
        assert_eq!(unknown.to_string(), "unrecognized --mem-bind argument \"bogus\"");
        assert!(Bind::memory("cores").is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = (text.parse::<Bind>(), Bind::memory(&text));
        }
    }
}
