//! The state of a node as sinfo names it, and the words of `sinfo --states`.

use crate::job::{Node, NodeState};

/// What sinfo says of a node. `NODE STATE CODES` of sinfo(1), as far as nodes here can be in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shown {
    /// Cannot be used.
    Down,
    /// Free.
    Idle,
    /// All its CPUs are in use.
    Allocated,
    /// Some of its CPUs are in use.
    Mixed,
    /// Takes no new work, and has none.
    Drained,
    /// Takes no new work, and still has some.
    Draining,
}

impl Shown {
    /// The state of a node, from what of it is in use.
    pub fn of(node: &Node) -> Self {
        let used = node.cpus_used > 0 || node.memory_used > 0 || node.gres_used.iter().any(|count| *count > 0);
        match node.state {
            NodeState::Down => Shown::Down,
            NodeState::Drain if used => Shown::Draining,
            NodeState::Drain => Shown::Drained,
            NodeState::Up if !used => Shown::Idle,
            NodeState::Up if node.cpus_used >= node.cpus => Shown::Allocated,
            NodeState::Up => Shown::Mixed,
        }
    }

    /// `%t`
    pub fn compact(self) -> &'static str {
        match self {
            Shown::Down => "down",
            Shown::Idle => "idle",
            Shown::Allocated => "alloc",
            Shown::Mixed => "mix",
            Shown::Drained => "drain",
            Shown::Draining => "drng",
        }
    }

    /// `%T`
    pub fn long(self) -> &'static str {
        match self {
            Shown::Down => "down",
            Shown::Idle => "idle",
            Shown::Allocated => "allocated",
            Shown::Mixed => "mixed",
            Shown::Drained => "drained",
            Shown::Draining => "draining",
        }
    }

    /// `-O statecomplete`: the base state and its flags.
    pub fn complete(self) -> &'static str {
        match self {
            Shown::Drained => "idle+drain",
            Shown::Draining => "mixed+drain",
            other => other.long(),
        }
    }

    /// Slurm's numbers of the states, by which sinfo sorts: the flag for draining is higher than all of them.
    pub fn rank(self) -> u32 {
        match self {
            Shown::Down => 1,
            Shown::Idle => 2,
            Shown::Allocated => 3,
            Shown::Mixed => 5,
            Shown::Drained => 0x202,
            Shown::Draining => 0x205,
        }
    }

    /// Whether its free CPUs are of no use to anybody (the O of A/I/O/T).
    pub fn is_other(self) -> bool {
        matches!(self, Shown::Down | Shown::Drained | Shown::Draining)
    }
}

/// A word of `--states`, and the states it stands for.
struct Word {
    names: &'static [&'static str],
    states: &'static [Shown],
}

/// The words in the order they are tried: a word may be cut short, the first that fits counts.
#[rustfmt::skip]
const WORDS: &[Word] = &[
    Word { names: &["UNKNOWN", "UNK"], states: &[] },
    Word { names: &["DOWN"], states: &[Shown::Down] },
    Word { names: &["IDLE"], states: &[Shown::Idle] },
    // Slurm counts nodes that are partly allocated in (sinfo.txt: -t alloc).
    Word { names: &["ALLOCATED", "ALLOC"], states: &[Shown::Allocated, Shown::Mixed] },
    Word { names: &["MIXED", "MIX"], states: &[Shown::Mixed] },
    Word { names: &["FUTURE", "FUTR"], states: &[] },
    Word { names: &["DRAIN"], states: &[Shown::Drained, Shown::Draining] },
    Word { names: &["DRAINED"], states: &[Shown::Drained] },
    Word { names: &["DRAINING", "DRNG"], states: &[Shown::Draining] },
    Word { names: &["NO_RESPOND"], states: &[] },
    Word { names: &["RESERVED", "RESV"], states: &[] },
    Word { names: &["PERFCTRS", "NPC"], states: &[] },
    Word { names: &["CLOUD"], states: &[] },
    Word { names: &["COMPLETING", "COMP"], states: &[] },
    Word { names: &["POWERING_DOWN", "POWERED_DOWN", "POWER_DOWN", "POWERING_UP", "POW_DN", "POW_UP"], states: &[] },
    Word { names: &["FAIL", "FAILING", "INVAL"], states: &[] },
    Word { names: &["MAINT"], states: &[] },
    Word { names: &["REBOOT", "REBOOT^", "REBOOT_ISSUED", "REBOOT_REQUESTED"], states: &[] },
    Word { names: &["PLANNED", "PLND", "BLOCKED"], states: &[] },
];

/// The words sinfo lists when one is wrong (sinfo.txt).
pub const VALID: &str = "unknown,down,idle,allocated,?,mixed,future,drain,drained,draining,no_respond,reserved,perfctrs,cloud,completing,powering_down,powered_down,power_down,powering_up,fail,maint,reboot,reboot^,unknown";

/// What `--states` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Every state.
    All,
    /// A node must be in one of these, or with `&` in all of them.
    These {
        /// Each word's states.
        words: Vec<&'static [Shown]>,
        /// The words were separated by `&`.
        every: bool,
    },
}

impl Wanted {
    /// Reads a `--states` text; the word that is no state comes back.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("all") {
            return Ok(Wanted::All);
        }
        let every = text.contains('&');
        let words = text
            .split([',', '&'])
            .filter(|word| !word.is_empty())
            .map(|word| find(word).ok_or_else(|| word.to_owned()))
            .collect::<Result<_, _>>()?;
        Ok(Wanted::These { words, every })
    }

    /// Whether a node in this state is asked for.
    pub fn takes(&self, state: Shown) -> bool {
        match self {
            Wanted::All => true,
            Wanted::These { words, every: true } => words.iter().all(|states| states.contains(&state)),
            Wanted::These { words, every: false } => words.iter().any(|states| states.contains(&state)),
        }
    }
}

fn find(word: &str) -> Option<&'static [Shown]> {
    let begins = |name: &&str| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let whole = WORDS.iter().find(|w| w.names.iter().any(|name| name.eq_ignore_ascii_case(word)));
    whole.or_else(|| WORDS.iter().find(|w| w.names.iter().any(begins))).map(|w| w.states)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(state: NodeState, cpus_used: u32) -> Node {
        Node { cpus: 64, cpus_used, state, ..Node::default() }
    }

    #[test]
    fn states_follow_from_use() {
        assert_eq!(Shown::of(&node(NodeState::Up, 0)).compact(), "idle");
        assert_eq!(Shown::of(&node(NodeState::Up, 1)).compact(), "mix");
        assert_eq!(Shown::of(&node(NodeState::Up, 64)).compact(), "alloc");
        assert_eq!(Shown::of(&node(NodeState::Drain, 0)).long(), "drained");
        assert_eq!(Shown::of(&node(NodeState::Drain, 3)).compact(), "drng");
        assert_eq!(Shown::of(&node(NodeState::Down, 3)).long(), "down");
    }

    #[test]
    fn words_may_be_cut_short_and_combined() {
        let takes = |text: &str, state| Wanted::parse(text).unwrap().takes(state);
        assert!(takes("alloc", Shown::Mixed) && takes("ALLOC", Shown::Allocated));
        assert!(takes("mix", Shown::Mixed) && !takes("mix", Shown::Allocated));
        assert!(takes("idle,down", Shown::Down) && !takes("idle&alloc", Shown::Idle));
        assert!(takes("drain", Shown::Draining) && !takes("drained", Shown::Draining));
        assert!(takes("all", Shown::Down) && !takes("", Shown::Idle));
        assert_eq!(Wanted::parse("foo,idle"), Err("foo".into()));
    }
}
