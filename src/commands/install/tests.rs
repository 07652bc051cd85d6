use super::*;

/// A prefix to install in, and a program to install.
struct Place {
    _dir: tempfile::TempDir,
    prefix: PathBuf,
    program: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("built");
        fs::write(&program, "the program").unwrap();
        Self { prefix: dir.path().join("prefix"), program, _dir: dir }
    }

    fn install(&self) -> String {
        install(&self.prefix, &self.program).unwrap_or_else(|e| e.to_string())
    }

    fn uninstall(&self) -> String {
        uninstall(&self.prefix).unwrap_or_else(|e| e.to_string())
    }

    fn at(&self, path: &str) -> PathBuf {
        self.prefix.join(path)
    }
}

#[test]
fn what_comes_goes_again() {
    let place = Place::new();
    fs::create_dir_all(place.at("bin")).unwrap();
    fs::write(place.at("bin/own"), "").unwrap();
    assert!(place.install().starts_with("Installed skyslurm as sbatch, srun"));
    assert_eq!(fs::read_link(place.at("bin/squeue")).unwrap(), Path::new("skyslurm"));
    assert_eq!(fs::read(place.at("bin/sbatch")).unwrap(), b"the program");
    assert_eq!(fs::metadata(place.at(PROGRAM)).unwrap().permissions().mode() & 0o777, 0o755);
    for path in [
        "share/man/man1/sbatch.1",
        "share/bash-completion/completions/srun",
        "share/zsh/site-functions/_sacct",
        "share/fish/vendor_completions.d/sinfo.fish",
    ] {
        assert!(place.at(path).is_file(), "{path}");
    }
    assert!(place.install().contains("up to date"));
    assert!(place.uninstall().starts_with("Removed"));
    assert!(!place.at("share").exists());
    let left: Vec<_> = fs::read_dir(place.at("bin")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["own"]);
    assert!(place.uninstall().starts_with("nothing was installed in"));
}

#[test]
fn a_new_version_replaces_the_old_one() {
    let place = Place::new();
    place.install();
    fs::write(&place.program, "a newer program").unwrap();
    assert!(place.install().starts_with("Installed"));
    assert_eq!(fs::read(place.at("bin/srun")).unwrap(), b"a newer program");
    place.uninstall();
    assert!(!place.prefix.join("bin").exists());
}

#[test]
fn a_real_slurm_is_left_alone() {
    let place = Place::new();
    fs::create_dir_all(place.at("bin")).unwrap();
    fs::write(place.at("bin/sbatch"), "the real one").unwrap();
    let said = place.install();
    assert!(said.contains("bin/sbatch: not put there by skyslurm") && said.contains("--prefix"), "{said}");
    assert!(!place.at(PROGRAM).exists() && !place.at("share").exists());
}

#[test]
fn what_the_user_changed_stays() {
    let place = Place::new();
    place.install();
    fs::write(place.at("share/man/man1/sbatch.1"), "my own").unwrap();
    assert!(place.install().contains("left alone"));
    let said = place.uninstall();
    assert!(said.contains("share/man/man1/sbatch.1") && said.contains("changed"), "{said}");
    assert_eq!(fs::read(place.at("share/man/man1/sbatch.1")).unwrap(), b"my own");
    assert!(!place.at("bin").exists());
}

#[test]
fn the_path_is_looked_at() {
    let place = Place::new();
    place.install();
    let bin = place.at("bin");
    let path = |dirs: &[&Path]| Some(env::join_paths(dirs).unwrap());
    assert_eq!(on_the_path(&bin, path(&[&bin])), "");
    assert!(on_the_path(&bin, path(&[Path::new("/nowhere")])).contains("is not on the PATH"));
    let other = place.at("other");
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("sbatch"), "").unwrap();
    assert!(on_the_path(&bin, path(&[&other, &bin])).contains("comes before it"));
}

#[test]
fn arguments() {
    let prefix = |words: &[&str]| prefix(&words.iter().map(OsString::from).collect::<Vec<_>>()).map_err(|_| ());
    assert_eq!(prefix(&["--prefix", "/x"]), Ok(Some("/x".into())));
    assert_eq!(prefix(&["--prefix=/y"]), Ok(Some("/y".into())));
    assert_eq!(prefix(&["--help"]), Ok(None));
    for wrong in [&["--prefix"][..], &["--prefix="], &["/x"], &["--prefix", ""]] {
        assert_eq!(prefix(wrong), Err(()), "{wrong:?}");
    }
}
