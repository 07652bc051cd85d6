//! The commands, and in what their parsers differ.

/// One of Slurm's commands that this program stands in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Command {
    /// sbatch(1)
    Sbatch,
    /// srun(1)
    Srun,
    /// salloc(1)
    Salloc,
    /// squeue(1)
    Squeue,
    /// scancel(1)
    Scancel,
    /// sacct(1)
    Sacct,
    /// sinfo(1)
    Sinfo,
    /// scontrol(1)
    Scontrol,
    /// sattach(1)
    Sattach,
    /// sbcast(1)
    Sbcast,
    /// sstat(1)
    Sstat,
    /// sacctmgr(1)
    Sacctmgr,
    /// sshare(1)
    Sshare,
    /// sprio(1)
    Sprio,
    /// sdiag(1)
    Sdiag,
    /// seff, of Slurm's contributions
    Seff,
    /// sreport(1)
    Sreport,
    /// strigger(1)
    Strigger,
    /// scrontab(1)
    Scrontab,
}

impl Command {
    /// All of them, in the order of the manual's overview.
    pub const ALL: [Command; 19] = [
        Command::Sbatch,
        Command::Srun,
        Command::Salloc,
        Command::Squeue,
        Command::Scancel,
        Command::Sacct,
        Command::Sinfo,
        Command::Scontrol,
        Command::Sattach,
        Command::Sbcast,
        Command::Sstat,
        Command::Sacctmgr,
        Command::Sshare,
        Command::Sprio,
        Command::Sdiag,
        Command::Seff,
        Command::Sreport,
        Command::Strigger,
        Command::Scrontab,
    ];

    /// The name it is called by.
    pub const fn name(self) -> &'static str {
        match self {
            Command::Sbatch => "sbatch",
            Command::Srun => "srun",
            Command::Salloc => "salloc",
            Command::Squeue => "squeue",
            Command::Scancel => "scancel",
            Command::Sacct => "sacct",
            Command::Sinfo => "sinfo",
            Command::Scontrol => "scontrol",
            Command::Sattach => "sattach",
            Command::Sbcast => "sbcast",
            Command::Sstat => "sstat",
            Command::Sacctmgr => "sacctmgr",
            Command::Sshare => "sshare",
            Command::Sprio => "sprio",
            Command::Sdiag => "sdiag",
            Command::Seff => "seff",
            Command::Sreport => "sreport",
            Command::Strigger => "strigger",
            Command::Scrontab => "scrontab",
        }
    }

    /// The command of that name.
    pub fn from_name(name: &str) -> Option<Command> {
        Command::ALL.into_iter().find(|c| c.name() == name)
    }

    /// Its place in a row's `uses`.
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// sbatch, srun and salloc: they share one table and one set of checks.
    pub const fn allocates(self) -> bool {
        matches!(self, Command::Sbatch | Command::Srun | Command::Salloc)
    }

    /// Whether parsing ends at the first operand (a script or a program has
    /// options of its own). scancel, squeue, sacct and sinfo take options behind operands too.
    pub(super) const fn stops_at_operand(self) -> bool {
        self.allocates()
    }

    /// Exit code of a line that cannot be parsed (sbatch.txt, squeue.txt).
    pub(super) const fn syntax_exit(self) -> u8 {
        if self.allocates() { 255 } else { 1 }
    }

    /// sacct and sstat do not point to `--help` (sacct.txt).
    pub(super) const fn points_to_help(self) -> bool {
        !matches!(self, Command::Sacct | Command::Sstat)
    }
}
