//! What of the submitter's environment goes to another machine.

use crate::job::{ExportEnv, env::Environment};

/// Variables that say something of this machine, or of the session here: they stay. A `*` at the end stands for any rest.
/// What `--export=NAME` names goes all the same.
const STAY: &[&str] = &[
    "_",
    "BASH_ENV",
    "BASH_FUNC_*",
    "COLORTERM",
    "COLUMNS",
    "CONDA_*",
    "DBUS_*",
    "DESKTOP_*",
    "DISPLAY",
    "EDITOR",
    "ENV",
    "GDM*",
    "GNOME_*",
    "GPG_*",
    "HISTFILE",
    "HISTSIZE",
    "HOME",
    "HOST",
    "HOSTNAME",
    "HOSTTYPE",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "KDE_*",
    "KRB5CCNAME",
    "LD_*",
    "LESSCLOSE",
    "LESSOPEN",
    "LINES",
    "LMOD_*",
    "LOADEDMODULES",
    "LOGNAME",
    "LS_COLORS",
    "MACHTYPE",
    "MAIL",
    "MANPATH",
    "MODULEPATH*",
    "MODULESHOME",
    "MOTD_*",
    "OLDPWD",
    "OSTYPE",
    "PATH",
    "PROMPT_COMMAND",
    "PS1",
    "PWD",
    "QT_*",
    "SESSION_MANAGER",
    "SHELL",
    "SHLVL",
    "SKYPILOT_*",
    "SKYSLURM_*",
    "SSH_*",
    "STY",
    "SUDO_*",
    "SYSTEMD_*",
    "TEMP",
    "TERM",
    "TERMINFO",
    "TERM_*",
    "TMP",
    "TMPDIR",
    "TMUX*",
    "USER",
    "VIRTUAL_ENV*",
    "VSCODE_*",
    "VTE_*",
    "WAYLAND_*",
    "WINDOWID",
    "WSL*",
    "XAUTHORITY",
    "XDG_*",
    "_CE_*",
    "_LMFILES_",
    "_ModuleTable*",
    "__LMOD*",
];

/// The part of `environment` (`NAME=value`, each ended by NUL) that goes along; what `more` names stays too.
pub fn travelling(environment: &[u8], export: &ExportEnv, more: &[String]) -> Vec<u8> {
    let named = match export {
        ExportEnv::Given(text) => text.as_str(),
        ExportEnv::Unset => "",
    };
    let asked = |name: &str| named.split(',').any(|word| word.split('=').next() == Some(name));
    let mut environment = Environment::parse(environment);
    environment.retain(|name| {
        let name = String::from_utf8_lossy(name);
        let stays = STAY.iter().copied().chain(more.iter().map(String::as_str)).any(|p| matches(p, &name));
        !stays || asked(&name)
    });
    environment.to_block()
}

/// The part of `environment` that says something of the machine it is of.
pub fn staying(environment: &[u8]) -> Vec<u8> {
    let mut environment = Environment::parse(environment);
    environment.retain(|name| STAY.iter().any(|pattern| matches(pattern, &String::from_utf8_lossy(name))));
    environment.to_block()
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(head) => name.starts_with(head),
        None => pattern == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(environment: &[u8], export: &str, more: &[String]) -> String {
        let kept = travelling(environment, &ExportEnv::Given(export.into()), more);
        String::from_utf8(kept).unwrap().replace('\0', " ")
    }

    #[test]
    fn the_machine_s_own_stay() {
        let all = b"PATH=/bin\0HOME=/h\0LD_LIBRARY_PATH=/l\0XDG_A=1\0WANDB_API_KEY=s\0A=1\0";
        assert_eq!(left(all, "ALL", &[]), "WANDB_API_KEY=s A=1 ");
        assert_eq!(left(all, "ALL", &["WANDB_*".into()]), "A=1 ");
        assert_eq!(left(all, "ALL,LD_LIBRARY_PATH,HOME=/x", &[]), "HOME=/h LD_LIBRARY_PATH=/l WANDB_API_KEY=s A=1 ");
    }
}
