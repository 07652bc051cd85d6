//! A node's side: the file is written.

use super::{File, FromReceiver, Piece};
use crate::agent::{
    Launch,
    agent::{Agent, Role},
    link::Link,
    wire::Request,
};
use nix::{
    errno::Errno,
    libc,
    sys::{
        stat::{Mode, fchmod, futimens},
        time::TimeSpec,
    },
};
use std::{
    ffi::OsStr,
    fs, io,
    os::unix::{ffi::OsStrExt, fs::OpenOptionsExt, net::UnixStream},
    path::{Path, PathBuf},
};

/// A file that is being written.
pub(in crate::agent) struct Receiving {
    about: File,
    file: fs::File,
    path: PathBuf,
    /// All of it is there.
    complete: bool,
}

impl Receiving {
    /// Opens it for `node`.
    fn open(about: File, launch: &Launch, node: &str) -> io::Result<Self> {
        let step = about.step.unwrap_or_default();
        let path = match &about.to.library {
            None => about.to.program(launch, step, node),
            Some(name) => {
                let directory = about.to.libraries(launch, step, node);
                match fs::create_dir(OsStr::from_bytes(&directory)) {
                    Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
                    _ => {}
                }
                [&directory[..], b"/", name.as_bytes()].concat()
            }
        };
        let path = Path::new(OsStr::from_bytes(&path)).to_owned();
        let mut options = fs::File::options();
        options.write(true).mode(0o600 | about.mode & 0o700).custom_flags(libc::O_CLOEXEC);
        let file = match about.force {
            true => options.create(true).truncate(true).open(&path)?,
            false => options.create_new(true).open(&path)?,
        };
        Ok(Self { about, file, path, complete: false })
    }

    fn take(&mut self, piece: &Piece) -> io::Result<FromReceiver> {
        match piece {
            Piece::Bytes(bytes) => {
                io::Write::write_all(&mut self.file, &bytes.0)?;
                Ok(FromReceiver::Taken)
            }
            Piece::End => {
                fchmod(&self.file, Mode::from_bits_truncate(self.about.mode & 0o777))?;
                if let Some([accessed, modified]) = self.about.times {
                    let time = |(seconds, nanoseconds)| TimeSpec::new(seconds, nanoseconds);
                    futimens(&self.file, &time(accessed), &time(modified))?;
                }
                self.complete = true;
                Ok(FromReceiver::Done)
            }
        }
    }
}

impl Drop for Receiving {
    /// Half a file is of no use.
    fn drop(&mut self) {
        if !self.complete {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Agent {
    /// A file comes for this node; `stream` leads to the first node's agent where that is ourselves.
    pub(in crate::agent) fn receive_file(&mut self, id: u64, about: File, stream: Option<UnixStream>) {
        let own = stream.is_some();
        let link = stream.map_or_else(|| self.first.dial(), Link::new);
        let Ok(connection) = link.map(|link| self.adopt(link, Role::Receiving)) else {
            return;
        };
        if !own {
            let index = self.index;
            self.send(connection, &Request::Receiver { id, index });
        }
        let said = match Receiving::open(about, &self.launch, self.node_name()) {
            Ok(file) => {
                self.receiving.insert(connection, file);
                FromReceiver::Taken
            }
            Err(error) => failed(&error),
        };
        self.send(connection, &said);
    }

    /// The next piece of it.
    pub(in crate::agent) fn on_piece(&mut self, connection: u64, piece: &Piece) {
        let Some(file) = self.receiving.get_mut(&connection) else {
            return;
        };
        let said = file.take(piece).unwrap_or_else(|error| failed(&error));
        if said != FromReceiver::Taken {
            self.receiving.remove(&connection);
        }
        self.send(connection, &said);
    }
}

fn failed(error: &io::Error) -> FromReceiver {
    FromReceiver::Failed(error.raw_os_error().unwrap_or(Errno::EIO as i32))
}
