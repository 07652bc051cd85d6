//! The state of a node as sinfo names it, and the words of `sinfo --states`.

use crate::job::{Kept, Node, NodeState};

/// What is in use of a node, and whether it takes work. `NODE STATE CODES` of sinfo(1), as far as nodes here can be in them.
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

    /// `%t`, `%T`, `-O statecomplete`, and Slurm's number, by which sinfo sorts: the flag for draining is higher than all
    /// that may be in use.
    fn names(self) -> (&'static str, &'static str, &'static str, u32) {
        match self {
            Shown::Down => ("down", "down", "down", 1),
            Shown::Idle => ("idle", "idle", "idle", 2),
            Shown::Allocated => ("alloc", "allocated", "allocated", 3),
            Shown::Mixed => ("mix", "mixed", "mixed", 5),
            Shown::Drained => ("drain", "drained", "idle+drain", 0x202),
            Shown::Draining => ("drng", "draining", "mixed+drain", 0x205),
        }
    }

    /// Whether its free CPUs are of no use to anybody (the O of A/I/O/T).
    pub fn is_other(self) -> bool {
        matches!(self, Shown::Down | Shown::Drained | Shown::Draining)
    }
}

/// The state of a node: what is in use, and whether it is reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// What is in use, and whether it takes work.
    pub shown: Shown,
    /// Whether it is reserved.
    pub kept: Kept,
}

impl State {
    /// The state of a node.
    pub fn of(node: &Node) -> Self {
        Self { shown: Shown::of(node), kept: node.kept }
    }

    /// `%t`. What is reserved and idle is `resv` or `maint`; what is kept for maintenance and not idle has a mark.
    pub fn compact(self) -> String {
        self.marked(self.shown.names().0, ["resv", "maint"])
    }

    /// `%T`
    pub fn long(self) -> String {
        self.marked(self.shown.names().1, ["reserved", "maint"])
    }

    fn marked(self, name: &str, [reserved, maintenance]: [&str; 2]) -> String {
        match (self.shown, self.kept) {
            (Shown::Idle, Kept::Reserved) => reserved.to_owned(),
            (Shown::Idle, Kept::Maintenance) => maintenance.to_owned(),
            (_, Kept::Maintenance) => format!("{name}$"),
            (_, Kept::Reserved | Kept::No) => name.to_owned(),
        }
    }

    /// `-O statecomplete`: the base state and its flags.
    pub fn complete(self) -> String {
        let flags: String = flags(self.kept).iter().map(|flag| format!("+{}", flag.to_ascii_lowercase())).collect();
        self.shown.names().2.to_owned() + &flags
    }

    /// Slurm's number of it, by which sinfo sorts.
    pub fn rank(self) -> u32 {
        let flags = match self.kept {
            Kept::No => 0,
            Kept::Reserved => 0x20,
            Kept::Maintenance => 0x8020,
        };
        self.shown.names().3 | flags
    }
}

/// What `scontrol show node` puts behind the state of a node that is reserved.
pub fn flags(kept: Kept) -> &'static [&'static str] {
    match kept {
        Kept::No => &[],
        Kept::Reserved => &["RESERVED"],
        Kept::Maintenance => &["MAINTENANCE", "RESERVED"],
    }
}

/// A word of `--states`, and what it stands for.
#[derive(Debug, PartialEq, Eq)]
pub struct Word {
    names: &'static [&'static str],
    states: &'static [Shown],
    kept: &'static [Kept],
}

impl Word {
    const fn new(names: &'static [&'static str], states: &'static [Shown]) -> Self {
        Self { names, states, kept: &[] }
    }

    fn takes(&self, state: State) -> bool {
        self.states.contains(&state.shown) || self.kept.contains(&state.kept)
    }
}

/// The words in the order they are tried: a word may be cut short, the first that fits counts.
#[rustfmt::skip]
const WORDS: &[Word] = &[
    Word::new(&["UNKNOWN", "UNK"], &[]),
    Word::new(&["DOWN"], &[Shown::Down]),
    Word::new(&["IDLE"], &[Shown::Idle]),
    // Slurm counts nodes that are partly allocated in (sinfo.txt: -t alloc).
    Word::new(&["ALLOCATED", "ALLOC"], &[Shown::Allocated, Shown::Mixed]),
    Word::new(&["MIXED", "MIX"], &[Shown::Mixed]),
    Word::new(&["FUTURE", "FUTR"], &[]),
    Word::new(&["DRAIN"], &[Shown::Drained, Shown::Draining]),
    Word::new(&["DRAINED"], &[Shown::Drained]),
    Word::new(&["DRAINING", "DRNG"], &[Shown::Draining]),
    Word::new(&["NO_RESPOND"], &[]),
    Word { names: &["RESERVED", "RESV"], states: &[], kept: &[Kept::Reserved, Kept::Maintenance] },
    Word::new(&["PERFCTRS", "NPC"], &[]),
    Word::new(&["CLOUD"], &[]),
    Word::new(&["COMPLETING", "COMP"], &[]),
    Word::new(&["POWERING_DOWN", "POWERED_DOWN", "POWER_DOWN", "POWERING_UP", "POW_DN", "POW_UP"], &[]),
    Word::new(&["FAIL", "FAILING", "INVAL"], &[]),
    Word { names: &["MAINT"], states: &[], kept: &[Kept::Maintenance] },
    Word::new(&["REBOOT", "REBOOT^", "REBOOT_ISSUED", "REBOOT_REQUESTED"], &[]),
    Word::new(&["PLANNED", "PLND", "BLOCKED"], &[]),
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
        /// The words.
        words: Vec<&'static Word>,
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
    pub fn takes(&self, state: State) -> bool {
        match self {
            Wanted::All => true,
            Wanted::These { words, every: true } => words.iter().all(|word| word.takes(state)),
            Wanted::These { words, every: false } => words.iter().any(|word| word.takes(state)),
        }
    }
}

fn find(word: &str) -> Option<&'static Word> {
    let begins = |name: &&str| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let whole = WORDS.iter().find(|w| w.names.iter().any(|name| name.eq_ignore_ascii_case(word)));
    whole.or_else(|| WORDS.iter().find(|w| w.names.iter().any(begins)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(state: NodeState, cpus_used: u32) -> Node {
        Node { cpus: 64, cpus_used, state, ..Node::default() }
    }

    #[test]
    fn states_follow_from_use() {
        assert_eq!(State::of(&node(NodeState::Up, 0)).compact(), "idle");
        assert_eq!(State::of(&node(NodeState::Up, 1)).compact(), "mix");
        assert_eq!(State::of(&node(NodeState::Up, 64)).compact(), "alloc");
        assert_eq!(State::of(&node(NodeState::Drain, 0)).long(), "drained");
        assert_eq!(State::of(&node(NodeState::Drain, 3)).compact(), "drng");
        assert_eq!(State::of(&node(NodeState::Down, 3)).long(), "down");
    }

    /// As a real one showed them, %t, %T and statecomplete.
    #[test]
    fn what_is_reserved_is_shown() {
        let of = |shown, kept| {
            let state = State { shown, kept };
            format!("{} {} {}", state.compact(), state.long(), state.complete())
        };
        assert_eq!(of(Shown::Idle, Kept::Reserved), "resv reserved idle+reserved");
        assert_eq!(of(Shown::Mixed, Kept::Reserved), "mix mixed mixed+reserved");
        assert_eq!(of(Shown::Idle, Kept::Maintenance), "maint maint idle+maintenance+reserved");
        assert_eq!(of(Shown::Allocated, Kept::Maintenance), "alloc$ allocated$ allocated+maintenance+reserved");
        assert_eq!(of(Shown::Drained, Kept::Reserved), "drain drained idle+drain+reserved");
        assert_eq!(of(Shown::Drained, Kept::Maintenance), "drain$ drained$ idle+drain+maintenance+reserved");
        let takes = |text: &str, kept| Wanted::parse(text).unwrap().takes(State { shown: Shown::Idle, kept });
        assert!(takes("resv", Kept::Maintenance) && takes("idle", Kept::Reserved) && !takes("resv", Kept::No));
        assert!(
            takes("maint", Kept::Maintenance) && !takes("maint", Kept::Reserved) && takes("idle&resv", Kept::Reserved)
        );
    }

    #[test]
    fn words_may_be_cut_short_and_combined() {
        let takes = |text: &str, shown| Wanted::parse(text).unwrap().takes(State { shown, kept: Kept::No });
        assert!(takes("alloc", Shown::Mixed) && takes("ALLOC", Shown::Allocated));
        assert!(takes("mix", Shown::Mixed) && !takes("mix", Shown::Allocated));
        assert!(takes("idle,down", Shown::Down) && !takes("idle&alloc", Shown::Idle));
        assert!(takes("drain", Shown::Draining) && !takes("drained", Shown::Draining));
        assert!(takes("all", Shown::Down) && !takes("", Shown::Idle));
        assert_eq!(Wanted::parse("foo,idle"), Err("foo".into()));
    }
}
