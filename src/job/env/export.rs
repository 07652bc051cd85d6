//! `--export`: what of the environment a command was typed in goes on.

use super::Environment;
use crate::job::{ExportEnv, Request};

/// What a batch script's environment starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The submitter's environment.
    Submitted,
    /// The submitter's environment, over what a login gives (`--get-user-env`).
    SubmittedOverLogin,
    /// What a login gives, with the `SLURM_*` of the submitter and what was named (`--export=NONE`, `A,B=2`).
    Login,
}

/// What a batch script's environment starts from.
pub fn base(request: &Request) -> Base {
    match &request.export {
        ExportEnv::Given(text) if !words(text).any(|w| w.eq_ignore_ascii_case("ALL")) => Base::Login,
        _ if request.get_user_env => Base::SubmittedOverLogin,
        _ => Base::Submitted,
    }
}

/// The base itself. `login` is asked only where [`base`] names one.
pub fn of_batch(request: &Request, submitted: Environment, login: impl FnOnce() -> Environment) -> Environment {
    let text = match &request.export {
        ExportEnv::Unset => "ALL",
        ExportEnv::Given(text) => text,
    };
    let chosen = choose(text, submitted);
    match base(request) {
        Base::Submitted => chosen,
        Base::SubmittedOverLogin | Base::Login => {
            let mut all = login();
            all.merge(&chosen);
            all
        }
    }
}

/// The environment srun hands to its tasks: `--export` of srun(1), which asks for no login.
pub fn of_step(export: Option<&str>, environment: Environment) -> Environment {
    choose(export.unwrap_or("ALL"), environment)
}

/// `SLURM_EXPORT_ENV` and `SLURM_GET_USER_ENV`, as `env.txt` shows them.
pub(super) fn mark(environment: &mut Environment, request: &Request) {
    if let ExportEnv::Given(text) = &request.export {
        environment.set("SLURM_EXPORT_ENV", text);
    }
    let list = matches!(&request.export, ExportEnv::Given(text) if !text.eq_ignore_ascii_case("ALL"));
    if list || request.get_user_env {
        environment.set("SLURM_GET_USER_ENV", "1");
    }
}

fn choose(text: &str, from: Environment) -> Environment {
    let everything = words(text).any(|w| w.eq_ignore_ascii_case("ALL"));
    let mut chosen = from.clone();
    if !everything {
        chosen.retain(|name| name.starts_with(b"SLURM_") || name.starts_with(b"SPANK_"));
    }
    for word in words(text) {
        match word.split_once('=') {
            Some((name, value)) if !name.is_empty() => chosen.set(name, value),
            Some(_) => {}
            None => {
                if let Some(value) = from.get(&word) {
                    chosen.set(&word, value);
                }
            }
        }
    }
    chosen
}

/// The words between commas that are not within quotes; quotes around a value are taken off.
fn words(text: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (None, ',') => words.push(String::new()),
            (None, '\'' | '"') => quote = Some(c),
            (Some(q), c) if q == c => quote = None,
            (_, c) => words.last_mut().into_iter().for_each(|w| w.push(c)),
        }
    }
    words.into_iter().filter(|w| !w.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let from = Environment::parse(b"A=1\0B=2\0SLURM_X=3\0");
        String::from_utf8(of_step(Some(text), from).to_block()).unwrap().replace('\0', " ")
    }

    #[test]
    fn forms_of_export() {
        assert_eq!(shown("ALL"), "A=1 B=2 SLURM_X=3 ");
        assert_eq!(shown("NONE"), "SLURM_X=3 ");
        assert_eq!(shown("B,C=7,D"), "SLURM_X=3 B=2 C=7 ");
        assert_eq!(shown("ALL,A=9"), "A=9 B=2 SLURM_X=3 ");
        assert_eq!(shown("C='x,y',=z"), "SLURM_X=3 C=x,y ");
    }

    #[test]
    fn only_a_list_without_all_asks_for_a_login() {
        let of = |text: &str| base(&Request { export: ExportEnv::Given(text.into()), ..Request::default() });
        assert_eq!(of("NONE"), Base::Login);
        assert_eq!(of("FOO=1"), Base::Login);
        assert_eq!(of("ALL,FOO=1"), Base::Submitted);
        assert_eq!(base(&Request::default()), Base::Submitted);
    }
}
