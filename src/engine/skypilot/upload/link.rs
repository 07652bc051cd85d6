//! Symbolic links: the server takes none that leads out of what it is sent.

use super::PackError;
use nix::errno::Errno;
use std::{
    fs,
    path::{Component, Path, PathBuf},
};

/// How deep links to directories outside may lead from one to the next.
const DEEPEST: usize = 4;

/// What becomes of a link.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It stays a link, with this target.
    Keep(String),
    /// What it leads to goes along in its place.
    Copy(PathBuf),
    /// It leads nowhere.
    Drop,
}

/// What becomes of `link` in the directory `roots.last()`, which was reached from the others by such links. All are real
/// paths.
pub(super) fn way(link: &Path, roots: &[PathBuf]) -> Result<Way, PackError> {
    let Some(root) = roots.last() else { return Ok(Way::Drop) };
    let target = fs::read_link(link).map_err(PackError::file(link))?;
    // The server would walk in circles, too.
    if fs::metadata(link).is_err_and(|error| error.raw_os_error() == Some(Errno::ELOOP as i32)) {
        return Ok(Way::Drop);
    }
    let here = link.parent().and_then(|parent| parent.strip_prefix(root).ok()).unwrap_or(Path::new(""));
    if let Some(inside) = inside(&target, here, root) {
        let kept = if target.is_absolute() { relative(here, inside) } else { target.clone() };
        let name = || PackError::Name { path: link.to_owned() };
        return kept.into_os_string().into_string().map(Way::Keep).map_err(|_| name());
    }
    // It leads about, or out: what matters is where it ends.
    let Ok(real) = link.canonicalize() else { return Ok(Way::Drop) };
    if let Ok(inside) = real.strip_prefix(root) {
        let name = || PackError::Name { path: link.to_owned() };
        return relative(here, inside).into_os_string().into_string().map(Way::Keep).map_err(|_| name());
    }
    let around = roots.len() > DEEPEST || roots.iter().any(|root| root.starts_with(&real));
    let goes = fs::metadata(&real).is_ok_and(|meta| meta.is_file() || (meta.is_dir() && !around));
    Ok(if goes { Way::Copy(real) } else { Way::Drop })
}

/// Where below `root` a target leads that can be told from its text alone: `..` at its beginning at most, and no more of
/// them than there are directories. (`a/..` is somewhere else if `a` is a link.)
fn inside<'a>(target: &'a Path, here: &Path, root: &Path) -> Option<&'a Path> {
    let rest = if target.is_absolute() { target.strip_prefix(root).ok()? } else { target };
    let is_up = |part: &Component| *part == Component::ParentDir;
    let ups = rest.components().filter(|part| *part != Component::CurDir).take_while(is_up).count();
    let depth = if target.is_absolute() { 0 } else { here.components().count() };
    (ups <= depth && rest.components().filter(is_up).count() == ups).then_some(rest)
}

/// The way from a directory to a file, both below the same one.
fn relative(from: &Path, to: &Path) -> PathBuf {
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let ups = from.components().skip(common).map(|_| Component::ParentDir);
    let way: PathBuf = ups.chain(to.components().skip(common)).collect();
    if way.as_os_str().is_empty() { PathBuf::from(".") } else { way }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_from_here_to_there() {
        for (from, to, way) in
            [("", "a", "a"), ("a", "a", "."), ("a/b", "a/c/d", "../c/d"), ("a", "", ".."), ("", "", ".")]
        {
            assert_eq!(relative(Path::new(from), Path::new(to)), Path::new(way), "{from} {to}");
        }
    }

    #[test]
    fn what_the_text_tells() {
        let root = Path::new("/w");
        for (target, here, expected) in [
            ("x", "", Some("x")),
            ("../x", "a", Some("../x")),
            ("./../x", "a", Some("./../x")),
            ("../x", "", None),
            ("a/../x", "", None),
            ("../../x", "a", None),
            ("/w/x", "a", Some("x")),
            ("/w/../x", "a", None),
            ("/x", "a", None),
            ("..", "a", Some("..")),
        ] {
            assert_eq!(inside(Path::new(target), Path::new(here), root), expected.map(Path::new), "{target} {here}");
        }
    }
}
