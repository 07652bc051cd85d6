//! `module load` on a node that has no modules: what the configuration says a module is.

use crate::job::env::Environment;
use std::fs;

/// A shell function, as bash(1) hands them on (`export -f`).
const MODULE: &str = "BASH_FUNC_module%%";
const ML: &str = "BASH_FUNC_ml%%";

/// Gives the environment a `module` that knows `modules` (name and commands), unless the node has one of its own.
pub(super) fn provide(environment: &mut Environment, modules: &[(String, String)]) {
    let known = [MODULE, "BASH_FUNC_module()", "MODULESHOME", "LMOD_CMD"];
    if known.iter().any(|name| environment.get(name).is_some()) || the_system_has_one() {
        return;
    }
    environment.set(MODULE, function(modules));
    if environment.get(ML).is_none() {
        environment.set(ML, "() { if [ $# -eq 0 ]; then module list; else module load \"$@\"; fi; }");
    }
}

/// Whether a login shell would define one.
fn the_system_has_one() -> bool {
    let names = fs::read_dir("/etc/profile.d").into_iter().flatten().flatten();
    names.filter_map(|e| e.file_name().into_string().ok()).any(|name| is_of_modules(&name))
}

fn is_of_modules(name: &str) -> bool {
    name.ends_with(".sh") && (name.contains("modules") || name == "lmod.sh" || name == "z00_lmod.sh")
}

/// `module` as bash would write it. What is the user's stands in quotes: it is data until it is run.
fn function(modules: &[(String, String)]) -> String {
    let arms = |cut: &str| -> String {
        let arm =
            |(name, commands): &(String, String)| format!("{}) eval {}; continue ;; ", quote(name), quote(commands));
        format!("case \"${{skyslurm_name{cut}}}\" in {}esac; ", modules.iter().map(arm).collect::<String>())
    };
    let (whole, base) = (arms(""), arms("%%/*"));
    format!(
        "() {{ local skyslurm_name; case \"${{1-}}\" in \
         load|add|try-load|try-add|switch|swap) shift ;; \
         purge|unload|rm|remove|del|reset|restore|unuse) return 0 ;; \
         list) echo 'No modules loaded' >&2; return 0 ;; \
         *) echo \"module: warning: there are no modules on this node: module $*\" >&2; return 0 ;; esac; \
         for skyslurm_name in \"$@\"; do case \"$skyslurm_name\" in -*) continue ;; esac; {whole}{base}\
         echo \"module: warning: there are no modules on this node: $skyslurm_name is not loaded\" >&2; done; return 0; }}"
    )
}

fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn run(modules: &[(&str, &str)], script: &str) -> (String, String, bool) {
        let modules: Vec<(String, String)> = modules.iter().map(|(n, c)| ((*n).into(), (*c).into())).collect();
        let mut bash = Command::new("bash");
        bash.args(["-c", script]).env(MODULE, function(&modules));
        let out = bash.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(out.stdout), text(out.stderr), out.status.success())
    }

    #[test]
    fn what_is_configured_is_done_and_the_rest_is_said() {
        let modules = [("cuda/12", "export V='it'\\''s 12'"), ("cuda", "export V=any"), ("a;b", "echo semi")];
        let script = "module purge && module load cuda/12 && echo $V && module add cuda/11 'a;b' && echo $V";
        assert_eq!(run(&modules, script), ("it's 12\nsemi\nany\n".into(), String::new(), true));
        let (out, err, success) = run(&[], "set -e; module load gcc; module avail; module list; echo on");
        assert_eq!((out.as_str(), success), ("on\n", true));
        assert_eq!(err.lines().count(), 3);
        assert!(err.contains("gcc is not loaded"), "{err}");
    }

    #[test]
    fn one_of_the_node_s_own_is_left_alone() {
        let mut environment = Environment::parse(b"LMOD_CMD=/opt/lmod\0");
        provide(&mut environment, &[]);
        assert_eq!(environment.entries().len(), 1);
        assert!(is_of_modules("modules.sh") && is_of_modules("00-modules.sh") && !is_of_modules("modules.csh"));
    }
}
