//! What the option table says of one option.

use super::Command;

/// Whether an option takes an argument, as in getopt_long(3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arg {
    /// Never: a flag.
    None,
    /// Always, as `--x=v`, `--x v`, `-xv` or `-x v`.
    Required,
    /// Only as `--x=v` or `-xv`.
    Optional,
}

/// The grammar an argument is checked by (`check.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Anything; what is meant is decided by the command or the controller.
    Text,
    /// `--accel-bind`.
    AccelBind,
    /// `--acctg-freq`.
    AcctgFreq,
    /// `--array`; refused by the controller in Slurm, so not here.
    Array,
    /// A point in time: `--begin`, `--deadline`.
    Begin,
    /// A whole number above zero.
    Count,
    /// A whole number, zero included.
    CountOrZero,
    /// `--cpu-freq`.
    CpuFreq,
    /// `--dependency`; refused by the controller in Slurm, so not here.
    Dependency,
    /// `--distribution`.
    Distribution,
    /// `--exclusive`.
    Exclusive,
    /// `--extra-node-info`: sockets[:cores[:threads]].
    NodeInfo,
    /// `--get-user-env`: [timeout][mode].
    GetUserEnv,
    /// `TRES` counts: `--gres`, `--gpus*`; refused by the controller in Slurm.
    Gres,
    /// `--gpu-bind`.
    GpuBind,
    /// `--hint`.
    Hint,
    /// A hostlist or the name of a file with one; refused by the controller in Slurm.
    Hostlist,
    /// `--mail-type`.
    MailType,
    /// `--mem-bind`.
    MemBind,
    /// A memory or disk size, in MiB without a suffix.
    Memory,
    /// Minutes, as `--delay-boot`.
    Minutes,
    /// `--nice`.
    Nice,
    /// `--nodes`: min[-max].
    NodeCount,
    /// `--open-mode`.
    OpenMode,
    /// A file name; sometimes a pattern.
    Path,
    /// `--priority`.
    Priority,
    /// `--profile`.
    Profile,
    /// `--propagate`.
    Propagate,
    /// Root's options: `--uid`, `--gid`.
    RootOnly,
    /// `--signal`.
    Signal,
    /// `--switches`.
    Switches,
    /// TRES with numbers; [`super::compound`] reads them.
    TresPerTask,
    /// Which nodes have a display.
    X11,
    /// A time limit: minutes, `m:s`, `d-h:m:s`, ...
    Time,
    /// sacct's `--units`.
    Units,
    /// `--wait-all-nodes`: 0 or 1.
    ZeroOrOne,
    /// One of these words, in any case.
    Choice(&'static [&'static str]),
}

/// What becomes of an option that is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Does what the manual says.
    Honoured,
    /// Does nearly that; the text says in what it differs, and is shown as a warning.
    Approximated(&'static str),
    /// Accepted; the text says why it can make no difference here.
    Inert(&'static str),
    /// An error; the text says why, or what to do instead.
    Refused(&'static str),
}

/// How one command takes an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// What becomes of it.
    pub class: Class,
    /// The variables that set it, in the order they are read: the last one wins.
    pub env: &'static [&'static str],
}

/// Where `--help` lists an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Without a heading of its own but for sbatch, srun and salloc: "Parallel run options".
    Run,
    /// "Constraint options"
    Constraint,
    /// "Consumable resources related options"
    Consumable,
    /// "Affinity/Multi-core options"
    Affinity,
    /// "GPU scheduling options"
    Gpu,
    /// "Help options"
    Help,
}

/// One option: a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The long name, without dashes.
    pub name: &'static str,
    /// For a second name of another row: that row's name.
    pub alias_of: Option<&'static str>,
    /// The letter.
    pub short: Option<char>,
    /// Whether it takes an argument.
    pub arg: Arg,
    /// The argument's grammar.
    pub kind: Kind,
    /// The argument's name in `--help`.
    pub metavar: &'static str,
    /// One line of `--help`.
    pub help: &'static str,
    /// Where `--help` lists it.
    pub section: Section,
    /// How each command takes it, by `Command::index`.
    uses: [Option<Use>; Command::ALL.len()],
}

impl Row {
    /// How `command` takes this option, if it knows it.
    pub fn used_by(&self, command: Command) -> Option<Use> {
        self.uses.get(command.index()).copied().flatten()
    }

    /// The commands that know it.
    pub fn commands(&self) -> impl Iterator<Item = Command> + '_ {
        Command::ALL.into_iter().filter(|c| self.used_by(*c).is_some())
    }

    /// Whether Slurm has it from a plug-in, whose name then stands before its help.
    pub fn is_of_a_plugin(&self) -> bool {
        self.help.starts_with('[')
    }

    /// `-t, --time=minutes`, as `--help` writes it.
    pub fn synopsis(&self) -> String {
        let short = match self.short {
            Some(c) if self.name.is_empty() => return format!("-{c}"),
            Some(c) => format!("-{c}, "),
            None => "    ".to_owned(),
        };
        match self.arg {
            Arg::None => format!("{short}--{}", self.name),
            Arg::Required => format!("{short}--{}={}", self.name, self.metavar),
            Arg::Optional => format!("{short}--{}[={}]", self.name, self.metavar),
        }
    }

    /// `--name`, or `-x` for an option that has only a letter.
    pub fn display_name(&self) -> String {
        match self.short {
            Some(c) if self.name.is_empty() => format!("-{c}"),
            _ => format!("--{}", self.name),
        }
    }

    // The constructors the tables are written with.

    pub(super) const fn flag(name: &'static str, help: &'static str) -> Row {
        Row {
            name,
            alias_of: None,
            short: None,
            arg: Arg::None,
            kind: Kind::Text,
            metavar: "",
            help,
            section: Section::Run,
            uses: [None; Command::ALL.len()],
        }
    }

    pub(super) const fn value(name: &'static str, kind: Kind, metavar: &'static str, help: &'static str) -> Row {
        let mut row = Row::flag(name, help);
        row.arg = Arg::Required;
        row.kind = kind;
        row.metavar = metavar;
        row
    }

    pub(super) const fn optional(name: &'static str, kind: Kind, metavar: &'static str, help: &'static str) -> Row {
        let mut row = Row::value(name, kind, metavar, help);
        row.arg = Arg::Optional;
        row
    }

    pub(super) const fn alias(name: &'static str, of: &'static str) -> Row {
        let mut row = Row::flag(name, "");
        row.alias_of = Some(of);
        row
    }

    pub(super) const fn short(mut self, letter: char) -> Row {
        self.short = Some(letter);
        self
    }

    pub(super) const fn section(mut self, section: Section) -> Row {
        self.section = section;
        self
    }

    pub(super) const fn takes(mut self, command: Command, class: Class, env: &'static [&'static str]) -> Row {
        self.uses[command.index()] = Some(Use { class, env });
        self
    }

    pub(super) const fn sbatch(self, class: Class, env: &'static [&'static str]) -> Row {
        self.takes(Command::Sbatch, class, env)
    }

    pub(super) const fn srun(self, class: Class, env: &'static [&'static str]) -> Row {
        self.takes(Command::Srun, class, env)
    }

    pub(super) const fn salloc(self, class: Class, env: &'static [&'static str]) -> Row {
        self.takes(Command::Salloc, class, env)
    }
}
