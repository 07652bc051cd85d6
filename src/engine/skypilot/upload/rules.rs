//! What of a work directory stays home.
//!
//! - `.skyignore` in the directory itself, if there is one, as SkyPilot's client reads it: one pattern a line, `#` comments;
//!   one that begins with `/` is meant from there, any other at every depth; there are no exceptions (`!`).
//! - Otherwise `.gitignore`, in every directory, as git reads them; in a repository those of the directories above, its
//!   `info/exclude` and the user's own file as well. Outside a repository SkyPilot's client sends what a `.gitignore` names, and its
//!   server then keeps it from the nodes, so it stays home at once. That git tracks a file which
//!   it is told to ignore is not looked at, for the same reason.

use super::PackError;
use ignore::{
    Walk, WalkBuilder,
    gitignore::{Gitignore, GitignoreBuilder},
};
use std::{fs, io, path::Path};

/// The file of rules that is SkyPilot's own.
const SKYIGNORE: &str = ".skyignore";

/// A walk over a directory, rules applied; and one for the case that git ignores all that is in it: then, as with SkyPilot's
/// client, git is not asked.
pub(super) fn walks(root: &Path) -> Result<Vec<Walk>, PackError> {
    let mut builder = WalkBuilder::new(root);
    builder.standard_filters(false);
    let rules = root.join(SKYIGNORE);
    match fs::read(&rules) {
        Ok(text) => {
            let rules = skyignore(root, &String::from_utf8_lossy(&text));
            builder.filter_entry(move |entry| {
                let directory = entry.file_type().is_some_and(|kind| kind.is_dir());
                entry.depth() == 0 || !rules.matched(entry.path(), directory).is_ignore()
            });
            Ok(vec![builder.build()])
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let all = builder.build();
            let repository = root.ancestors().any(|directory| directory.join(".git").exists());
            // Without HOME the crate would ask the C library for it.
            let home = std::env::var_os("HOME").is_some_and(|home| !home.is_empty());
            builder.git_ignore(true).git_exclude(true).git_global(home).parents(repository).require_git(repository);
            Ok(vec![builder.build(), all])
        }
        Err(source) => Err(PackError::File { path: rules, source }),
    }
}

/// A line that is no pattern is passed over.
fn skyignore(root: &Path, text: &str) -> Gitignore {
    let mut builder = GitignoreBuilder::new(root);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let line = if line.starts_with('/') { line.to_owned() } else { format!("**/{line}") };
        let _ = builder.add_line(None, &line);
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}
