//! What an installation consists of besides the program: pages and completions, carried inside it.

use crate::slurm::options::Command;

/// One file to be installed.
pub struct File {
    /// Below the prefix.
    pub path: String,
    /// Its content.
    pub text: &'static str,
}

/// Man page and completions (bash, zsh, fish) of one command.
macro_rules! pages {
    ($name:literal) => {
        [
            include_str!(concat!("../../../man/", $name, ".1")),
            include_str!(concat!("../../../completions/bash/", $name)),
            include_str!(concat!("../../../completions/zsh/_", $name)),
            include_str!(concat!("../../../completions/fish/", $name, ".fish")),
        ]
    };
}

const fn pages(command: Command) -> [&'static str; 4] {
    match command {
        Command::Sbatch => pages!("sbatch"),
        Command::Srun => pages!("srun"),
        Command::Salloc => pages!("salloc"),
        Command::Squeue => pages!("squeue"),
        Command::Scancel => pages!("scancel"),
        Command::Sacct => pages!("sacct"),
        Command::Sinfo => pages!("sinfo"),
        Command::Scontrol => pages!("scontrol"),
        Command::Sattach => pages!("sattach"),
        Command::Sbcast => pages!("sbcast"),
        Command::Sstat => pages!("sstat"),
        Command::Sacctmgr => pages!("sacctmgr"),
        Command::Sshare => pages!("sshare"),
        Command::Sprio => pages!("sprio"),
        Command::Sdiag => pages!("sdiag"),
        Command::Seff => pages!("seff"),
        Command::Sreport => pages!("sreport"),
        Command::Strigger => pages!("strigger"),
        Command::Scrontab => pages!("scrontab"),
    }
}

/// All pages and completions, each where its reader looks for it below a prefix.
pub fn files() -> Vec<File> {
    let mut files = Vec::new();
    for command in Command::ALL {
        let name = command.name();
        let paths = [
            format!("share/man/man1/{name}.1"),
            format!("share/bash-completion/completions/{name}"),
            format!("share/zsh/site-functions/_{name}"),
            format!("share/fish/vendor_completions.d/{name}.fish"),
        ];
        files.extend(paths.into_iter().zip(pages(command)).map(|(path, text)| File { path, text }));
    }
    files
}
