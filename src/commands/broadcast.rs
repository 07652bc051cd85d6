//! Bringing a file to the nodes of a job: what sbcast and srun's `--bcast` have in common.

use super::srun::find;
use crate::{
    agent::{
        broadcast::{Destination, File as About, PIECE, Piece, ToSender},
        step::{Bytes, error_text},
        wire::Request,
    },
    host::ipc,
    slurm::options,
};
use std::{
    ffi::OsStr,
    fs, io,
    io::Read,
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, PermissionsExt},
    },
    path::{Path, PathBuf},
    process::Command,
};

/// Directories whose libraries every node has (`BcastExclude`).
pub const EXCLUDED: &str = "/lib,/usr/lib,/lib64,/usr/lib64";

/// For whom a file is, and how it is to be written there.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The job.
    pub job: u32,
    /// Only the nodes of this step.
    pub step: Option<u32>,
    /// Where.
    pub to: Destination,
    /// Over a file that is there.
    pub force: bool,
    /// With its times.
    pub preserve: bool,
}

/// Why a file could not be brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the command says behind `error: `, a line each.
    pub lines: Vec<String>,
    /// What sbcast exits with.
    pub exit: u8,
}

impl Failure {
    /// One line, and the exit code of what sbcast itself finds wrong.
    pub fn new(line: impl Into<String>) -> Self {
        Self { lines: vec![line.into()], exit: 255 }
    }
}

/// Opens the file to be brought.
///
/// # Errors
/// In sbcast's words.
pub fn open(path: &Path) -> Result<(fs::File, fs::Metadata), Failure> {
    let shown = path.display();
    let opened = fs::File::open(path).and_then(|file| Ok((file.metadata()?, file)));
    let (about, file) = opened.map_err(|e| Failure::new(format!("Can't open `{shown}`: {}", error_text(&e))))?;
    if !about.is_file() {
        return Err(Failure::new(format!("Can't mmap file `{shown}`, No such device.")));
    }
    Ok((file, about))
}

/// Brings a file to the nodes and waits until all have written it.
///
/// # Errors
/// What the nodes said, and that there is no such job.
pub fn bring((mut file, about): (fs::File, fs::Metadata), wanted: &Wanted) -> Result<(), Failure> {
    let job = wanted.job;
    let lookup = |why| Failure::new(format!("Slurm job {job} lookup error: {why}"));
    let gone = |_: io::Error| Failure::new("The agent of the job is gone");
    let mut agent = find::connect(options::Command::Sbcast, job).map_err(lookup)?;
    let times = [(about.atime(), about.atime_nsec()), (about.mtime(), about.mtime_nsec())];
    let request = Request::Broadcast(Box::new(About {
        job,
        step: wanted.step,
        to: wanted.to.clone(),
        mode: about.permissions().mode(),
        times: wanted.preserve.then_some(times),
        force: wanted.force,
    }));
    ipc::send(&mut agent, &request).map_err(gone)?;
    let mut bytes = vec![0; PIECE];
    loop {
        match ipc::receive(&mut agent).map_err(gone)? {
            ToSender::Taken => {}
            ToSender::Done => return Ok(()),
            ToSender::Refused(text) => return Err(Failure::new(text)),
            ToSender::Failed(nodes) => {
                let said = |(node, errno): &(String, i32)| {
                    format!("REQUEST_FILE_BCAST({node}): {}", error_text(&io::Error::from_raw_os_error(*errno)))
                };
                let exit = nodes.first().and_then(|(_, errno)| u8::try_from(*errno).ok()).unwrap_or(1);
                return Err(Failure { lines: nodes.iter().map(said).collect(), exit });
            }
        }
        let read = match file.read(&mut bytes) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Failure::new(format!("Can't read the file: {}", error_text(&e)))),
            Ok(n) => n,
        };
        let piece = match bytes.get(..read).filter(|b| !b.is_empty()) {
            Some(bytes) => Piece::Bytes(Bytes(bytes.to_vec())),
            None => Piece::End,
        };
        ipc::send(&mut agent, &piece).map_err(gone)?;
    }
}

/// The libraries a program is linked with, but for those below `excluded` (`NONE`, or directories between commas).
pub fn libraries(program: &Path, excluded: &str) -> Vec<PathBuf> {
    let Ok(answer) = Command::new("ldd").arg(program).output() else {
        return Vec::new();
    };
    linked(&answer.stdout, excluded)
}

/// The files that `ldd` tells of.
fn linked(told: &[u8], excluded: &str) -> Vec<PathBuf> {
    let excluded: Vec<&str> =
        if excluded.eq_ignore_ascii_case("none") { Vec::new() } else { excluded.split(',').collect() };
    let paths = told.split(|b| *b == b'\n').filter_map(|line| {
        // `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f...)`
        let at = line.windows(4).position(|w| w == b"=> /")?;
        let path = line.get(at + 3..)?.split(|b| *b == b' ').next()?;
        Some(PathBuf::from(OsStr::from_bytes(path)))
    });
    paths.filter(|path| !excluded.iter().any(|dir| !dir.is_empty() && path.starts_with(dir))).collect()
}

/// Brings the libraries of a program to a directory beside it. They are those of this node: each only once.
///
/// # Errors
/// As [`bring`].
pub fn bring_libraries(program: &Path, excluded: &str, wanted: &Wanted) -> Result<usize, Failure> {
    let libraries = libraries(program, excluded);
    for path in &libraries {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
        let to = Destination { library: name, ..wanted.to.clone() };
        bring(open(path)?, &Wanted { to, force: true, ..wanted.clone() })?;
    }
    Ok(libraries.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_those_that_ldd_finds() {
        let told = b"\tlinux-vdso.so.1 (0x00007ffd)\n\tlibmine.so => /opt/my/libmine.so (0x00007f01)\n\
                     \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f02)\n\tlibno.so => not found\n\
                     \t/lib64/ld-linux-x86-64.so.2 (0x00007f03)\n";
        let shown = |excluded| linked(told, excluded).iter().map(|p| p.display().to_string()).collect::<Vec<_>>();
        assert_eq!(shown(EXCLUDED), ["/opt/my/libmine.so"]);
        assert_eq!(shown("NONE"), ["/opt/my/libmine.so", "/lib/x86_64-linux-gnu/libc.so.6"]);
        assert_eq!(shown("/opt"), ["/lib/x86_64-linux-gnu/libc.so.6"]);
    }

    #[test]
    fn what_cannot_be_sent_is_said_in_sbcast_s_words() {
        let said = |path: &str| open(Path::new(path)).err().map(|f| (f.lines.join("\n"), f.exit));
        assert_eq!(said("/nonexistent"), Some(("Can't open `/nonexistent`: No such file or directory".into(), 255)));
        assert_eq!(said("/tmp"), Some(("Can't mmap file `/tmp`, No such device.".into(), 255)));
    }
}
