//! Trees of every kind, packed and read back.

use super::*;
use nix::{sys::stat::Mode, unistd::mkfifo};
use std::{
    cell::Cell,
    collections::BTreeMap,
    fs::{self, File},
    io::Read as _,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{PermissionsExt as _, symlink},
        net::UnixListener,
    },
    time::{Duration, SystemTime},
};
use tempfile::TempDir;

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        fs::create_dir(directory.path().join("work")).unwrap();
        fs::write(directory.path().join("program"), "the program").unwrap();
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path("work").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        // Old enough to be remembered.
        File::open(&path).unwrap().set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        path
    }

    fn link(&self, name: &str, target: impl AsRef<Path>) {
        let path = self.path("work").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    fn limited(&self, limit: u64) -> Result<Pack, PackError> {
        let (program, workdir) = (self.path("program"), self.path("work"));
        let contents = Contents { program: &program, files: &[("key", b"secret")], workdir: Some(&workdir), limit };
        pack(&contents, &self.path("cache"))
    }

    fn pack(&self) -> Pack {
        self.limited(1 << 40).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let below = |(entry, _): &(Entry, Hash)| entry.name.strip_prefix("workdir/").map(str::to_owned);
        self.pack().entries.iter().filter_map(below).filter(|name| !name.is_empty()).collect()
    }

    /// What is in the zip file: name, mode, content.
    fn zipped(&self, pack: &Pack) -> BTreeMap<String, (u32, Vec<u8>)> {
        let path = self.path("zip");
        let length = pack.write(&path, &|_| {}).unwrap();
        assert_eq!(length, fs::metadata(&path).unwrap().len());
        let mut zip = zip::ZipArchive::new(File::open(&path).unwrap()).unwrap();
        let count = zip.len();
        let entry = |i| {
            let (mut file, mut bytes) = (zip.by_index(i).unwrap(), Vec::new());
            file.read_to_end(&mut bytes).unwrap();
            (file.name().unwrap().into_owned(), (file.unix_mode().unwrap(), bytes))
        };
        (0..count).map(entry).collect()
    }
}

/// `_compute_zip_blob_id` of SkyPilot's client.
fn blob_id(zipped: &BTreeMap<String, (u32, Vec<u8>)>) -> String {
    let mut all = Vec::new();
    for (name, (mode, content)) in zipped {
        let directory = name.ends_with('/') && mode >> 12 != 0xa;
        all.extend_from_slice(name.as_bytes());
        all.extend_from_slice(&Sha256::digest(if directory { b"" } else { content.as_slice() }));
    }
    Sha256::digest(all).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn everything_is_in_the_zip_file() {
    let place = Place::new();
    let script = place.file("job.sh", "#!/bin/bash\n");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    place.file("empty", "");
    place.file("sub/Größe ü\\.txt", &"text ".repeat(50_000));
    place.file(".git/HEAD", "ref");
    fs::create_dir(place.path("work/nothing")).unwrap();
    place.link("latest", "sub/run");
    mkfifo(&place.path("work/pipe"), Mode::S_IRWXU).unwrap();
    let _socket = UnixListener::bind(place.path("work/socket")).unwrap();

    let pack = place.pack();
    let mut left_out: Vec<_> = pack.left_out.iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    left_out.sort();
    assert_eq!(left_out, ["pipe", "socket"]);
    let zipped = place.zipped(&pack);
    let shown: Vec<String> =
        zipped.iter().map(|(name, (mode, bytes))| format!("{:o} {name} {}", mode & 0o177_700, bytes.len())).collect();
    insta::assert_snapshot!(shown.join("\n"), @r"
    40700 agent/ 0
    100600 agent/key 6
    100600 agent/skyslurm 11
    40700 workdir/ 0
    40700 workdir/.git/ 0
    100600 workdir/.git/HEAD 3
    100600 workdir/empty 0
    100700 workdir/job.sh 12
    120700 workdir/latest 7
    40700 workdir/nothing/ 0
    40700 workdir/sub/ 0
    100600 workdir/sub/Größe ü\.txt 250000
    ");
    assert_eq!(zipped["workdir/latest"].1, b"sub/run");
    assert_eq!(zipped["agent/skyslurm"].1, b"the program");
    assert_eq!(pack.id, blob_id(&zipped));
    assert_eq!(fs::metadata(place.path("zip")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn without_a_work_directory() {
    let place = Place::new();
    let program = place.path("program");
    let contents = Contents { program: &program, files: &[], workdir: None, limit: 0 };
    let pack = pack(&contents, &place.path("cache")).unwrap();
    let zipped = place.zipped(&pack);
    assert_eq!(zipped.keys().collect::<Vec<_>>(), ["agent/", "agent/skyslurm"]);
    assert_eq!((pack.id, pack.size), (blob_id(&zipped), 11));
}

#[test]
fn progress_is_told_to_the_end() {
    let place = Place::new();
    place.file("a", &"x".repeat(500_000));
    let (pack, last) = (place.pack(), Cell::new(0));
    pack.write(&place.path("zip"), &|done| {
        assert!(done > last.get());
        last.set(done);
    })
    .unwrap();
    assert_eq!((last.get(), pack.size), (500_017, 500_017));
}

#[test]
fn links_stay_inside() {
    let place = Place::new();
    let outside = place.path("outside");
    fs::create_dir_all(outside.join("deep")).unwrap();
    fs::write(outside.join("deep/data"), "data").unwrap();
    symlink("deep/data", outside.join("near")).unwrap();
    symlink(place.path("work"), outside.join("back")).unwrap();
    symlink(&outside, outside.join("self")).unwrap();
    place.file("sub/x", "x");
    let root = place.path("work").canonicalize().unwrap();
    for (name, target) in [
        ("dangling", PathBuf::from("nowhere")),
        ("sub/up", PathBuf::from("../sub/x")),
        ("sub/absolute", root.join("sub/x")),
        ("sub/gone", root.join("gone")),
        ("about", PathBuf::from("../work/sub/x")),
        ("file", outside.join("deep/data")),
        ("through", PathBuf::from("../outside/deep/data")),
        ("tree", outside.clone()),
        ("null", PathBuf::from("/dev/null")),
        ("broken", outside.join("no")),
        ("around", place.directory.path().to_owned()),
        ("circle", root.join("circle")),
    ] {
        place.link(name, target);
    }
    let pack = place.pack();
    let zipped = place.zipped(&pack);
    let shown = |(name, (mode, bytes)): (&String, &(u32, Vec<u8>))| {
        let link = if mode >> 12 == 0xa { "-> " } else { "" };
        format!("{name} {link}{}", String::from_utf8_lossy(bytes)).trim_end().to_owned()
    };
    insta::assert_snapshot!(zipped.iter().map(shown).collect::<Vec<_>>().join("\n"), @r"
    agent/
    agent/key secret
    agent/skyslurm the program
    workdir/
    workdir/about -> sub/x
    workdir/dangling -> nowhere
    workdir/file data
    workdir/sub/
    workdir/sub/absolute -> x
    workdir/sub/gone -> ../gone
    workdir/sub/up -> ../sub/x
    workdir/sub/x x
    workdir/through data
    workdir/tree/
    workdir/tree/deep/
    workdir/tree/deep/data data
    workdir/tree/near -> deep/data
    workdir/tree/self -> .
    ");
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut left_out: Vec<_> = pack.left_out.iter().map(name).collect();
    left_out.sort();
    assert_eq!(left_out, ["around", "back", "broken", "circle", "null"]);
    assert_eq!(pack.id, blob_id(&zipped));
}

#[test]
fn gitignore_is_obeyed_in_every_directory() {
    let place = Place::new();
    for name in ["a.log", "keep.log", "b.txt", "sub/c.log", "sub/d.tmp", "sub/e.txt", "build/f", ".git/info/exclude"] {
        place.file(name, "");
    }
    place.file(".gitignore", "*.log\n!keep.log\nbuild/\n");
    place.file("sub/.gitignore", "*.tmp\n");
    place.file(".git/info/exclude", "/b.txt\n");
    // An empty `.skyignore` sees to it that `keep.log` gets from the server to the nodes.
    let names = [
        ".git/",
        ".git/info/",
        ".git/info/exclude",
        ".gitignore",
        ".skyignore",
        "keep.log",
        "sub/",
        "sub/.gitignore",
        "sub/e.txt",
    ];
    assert_eq!(place.names(), names);
    // And where there is no repository.
    fs::remove_dir_all(place.path("work/.git")).unwrap();
    let names = [".gitignore", ".skyignore", "b.txt", "keep.log", "sub/", "sub/.gitignore", "sub/e.txt"];
    assert_eq!(place.names(), names);
}

#[test]
fn gitignore_of_the_repository_around() {
    let place = Place::new();
    place.file("a.log", "");
    place.file("b", "");
    fs::write(place.path(".gitignore"), "*.log\n").unwrap();
    assert_eq!(place.names(), ["a.log", "b"]);
    fs::create_dir(place.path(".git")).unwrap();
    assert_eq!(place.names(), ["b"]);
    // Git ignores all of it: then it is not asked.
    fs::write(place.path(".gitignore"), "/work/*\n").unwrap();
    assert_eq!(place.names(), ["a.log", "b"]);
}

#[test]
fn skyignore_takes_gitignores_place() {
    let place = Place::new();
    for name in ["a.log", "data/x", "sub/data/y", "sub/deep/z", "sub/keep", "!odd"] {
        place.file(name, "");
    }
    place.file(".gitignore", "keep\n");
    place.file(".skyignore", "# comment\n\n*.log\n/data\n  deep/z\n!odd\n[\n");
    let names = [".gitignore", ".skyignore", "sub/", "sub/data/", "sub/data/y", "sub/deep/", "sub/keep"];
    assert_eq!(place.names(), names);
    place.file(".skyignore", "*\n");
    assert!(place.names().is_empty());
}

#[test]
fn too_much_is_found_on_the_way() {
    let place = Place::new();
    // Ten gigabytes of holes.
    File::create(place.path("work/a")).unwrap().set_len(10 << 30).unwrap();
    let error = place.limited((10 << 30) - 1).unwrap_err();
    assert_eq!(error.to_string(), format!("{} holds more than 9.9 GiB", place.path("work").display()));
    // What is ignored does not count, the agent neither.
    place.file(".skyignore", "a");
    assert!(place.limited(1).is_ok());
    place.file("b", "b");
    assert!(place.limited(1).is_err());
    // What a link brings in does.
    place.file(".skyignore", "b");
    fs::rename(place.path("work/a"), place.path("a")).unwrap();
    place.link("c", place.path("a"));
    assert!(matches!(place.limited(1 << 30), Err(PackError::TooLarge { .. })));
}

#[test]
fn unchanged_files_are_not_read_again() {
    let place = Place::new();
    let old = SystemTime::now() - Duration::from_secs(60);
    File::open(place.path("program")).unwrap().set_modified(old).unwrap();
    let a = place.file("a", "aaaa");
    place.file("b", "bb");
    let first = place.pack();
    assert_eq!(first.read, 17);
    let second = place.pack();
    assert_eq!((second.read, &second.id), (0, &first.id));
    assert_eq!(blob_id(&place.zipped(&second)), first.id);
    // As long as before, and its time was set back.
    place.file("a", "AAAA");
    File::open(&a).unwrap().set_modified(old).unwrap();
    let third = place.pack();
    assert_eq!(third.read, 4);
    assert_ne!(third.id, first.id);
    // One that was written just now may be written again.
    fs::write(&a, "aaaa").unwrap();
    assert_eq!(place.pack().read, 4);
    let last = place.pack();
    assert_eq!((last.read, last.id), (4, first.id));
}

#[test]
fn a_damaged_cache_is_none() {
    let place = Place::new();
    place.file("a", "aaaa");
    let (first, cache) = (place.pack(), place.path("cache"));
    let whole = fs::read(&cache).unwrap();
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o600);
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&cache, bytes).unwrap();
        assert!(hash::Cache::load(&cache).is_empty(), "{at}");
        fs::write(&cache, &whole[..at]).unwrap();
        assert!(hash::Cache::load(&cache).is_empty(), "{at}");
    }
    assert_eq!(place.pack().id, first.id);
    assert_eq!(place.pack().read, 11, "the program is new, the rest is known again");
}

#[test]
fn what_changes_meanwhile_is_told() {
    let place = Place::new();
    let a = place.file("a", "aaaa");
    let pack = place.pack();
    fs::write(&a, "aaaa and more").unwrap();
    assert_eq!(blob_id(&place.zipped(&pack)), pack.id, "what only grows is the same");
    for change in [|a: &Path| fs::write(a, "bbbb"), |a: &Path| fs::write(a, "aaa"), |a: &Path| fs::remove_file(a)] {
        change(&a).unwrap();
        let error = pack.write(&place.path("zip"), &|_| {}).unwrap_err();
        assert!(matches!(&error, PackError::Changed { path } if path.ends_with("work/a")), "{error}");
        assert!(!place.path("zip").exists());
        assert!(!place.path("cache").exists());
    }
}

#[test]
fn errors_name_the_file() {
    let place = Place::new();
    let name = std::ffi::OsStr::from_bytes(b"odd\xff");
    fs::write(place.path("work").join(name), "").unwrap();
    assert!(matches!(place.limited(1 << 20), Err(PackError::Name { path }) if path.ends_with(name)));
    fs::remove_file(place.path("work").join(name)).unwrap();
    place.link("odd", name);
    assert!(matches!(place.limited(1 << 20), Err(PackError::Name { path }) if path.ends_with("odd")));
    fs::remove_dir_all(place.path("work")).unwrap();
    let error = place.limited(1 << 20).unwrap_err();
    assert!(matches!(&error, PackError::File { path, .. } if *path == place.path("work")), "{error}");
}

#[test]
fn bytes_for_people() {
    let all = [0, 1023, 1024, 1536, 512 << 20, (1 << 30) - 1, 10 << 30, u64::MAX].map(shown);
    assert_eq!(all, ["0 bytes", "1023 bytes", "1 KiB", "1.5 KiB", "512 MiB", "1023.9 MiB", "10 GiB", "16777215.9 TiB"]);
}
