//! Unix sockets and the frames on them.
//!
//! A frame is its length in bytes (4, big endian) and that many bytes of postcard.

use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, AsRawFd},
        unix::net::{UnixDatagram, UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

/// The largest frame that is read, so that a wrong length cannot ask for all memory.
pub const MAX_FRAME: u32 = 512 << 20;

/// `path` as `sockaddr_un` can hold it (107 bytes), and what must live while it is used.
fn short(path: &Path) -> io::Result<(PathBuf, Option<File>)> {
    if path.as_os_str().len() < 108 {
        return Ok((path.to_owned(), None));
    }
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let dir = File::open(dir)?;
    let short = Path::new("/proc/self/fd").join(dir.as_raw_fd().to_string()).join(name);
    Ok((short, Some(dir)))
}

/// Connects to the socket at `path`, which may be of any length.
pub fn connect(path: &Path) -> io::Result<UnixStream> {
    let (path, _dir) = short(path)?;
    UnixStream::connect(path)
}

/// Listens at `path`, which may be of any length and must not exist.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    let (path, _dir) = short(path)?;
    UnixListener::bind(path)
}

/// A datagram socket at `path`, which may be of any length and must not exist.
pub fn bind_datagram(path: &Path) -> io::Result<UnixDatagram> {
    let (path, _dir) = short(path)?;
    UnixDatagram::bind(path)
}

/// Sends one datagram to the socket at `path`; `WouldBlock` where its owner has not read the last ones.
pub fn send_datagram(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (path, _dir) = short(path)?;
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to(bytes, path).map(drop)
}

/// The user at the other end.
pub fn peer_uid(socket: &impl AsFd) -> io::Result<u32> {
    let peer = nix::sys::socket::getsockopt(&socket.as_fd(), nix::sys::socket::sockopt::PeerCredentials)?;
    Ok(peer.uid())
}

/// The process at the other end: the one that listens there.
pub fn peer_pid(socket: &impl AsFd) -> io::Result<i32> {
    let peer = nix::sys::socket::getsockopt(&socket.as_fd(), nix::sys::socket::sockopt::PeerCredentials)?;
    Ok(peer.pid())
}

/// `value` as a frame.
pub fn frame(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = postcard::to_extend(value, vec![0; 4]).map_err(io::Error::other)?;
    let length = u32::try_from(bytes.len() - 4).ok().filter(|n| *n <= MAX_FRAME);
    let length = length.ok_or_else(|| io::Error::other("message too long"))?;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    Ok(bytes)
}

/// What a frame's body says.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    postcard::from_bytes(body).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

/// Sends one frame.
pub fn send(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    to.write_all(&frame(value)?)
}

/// Receives one frame; `UnexpectedEof` where the other end has closed.
pub fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > MAX_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "frame too long"));
    }
    let mut body = Vec::new();
    from.take(u64::from(length)).read_to_end(&mut body)?;
    if body.len() < length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    parse(&body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_and_wrong_ones_are_errors() {
        let bytes = frame(&("x".to_owned(), 7u32)).unwrap();
        let back: (String, u32) = receive(&mut &bytes[..]).unwrap();
        assert_eq!(back, ("x".to_owned(), 7));
        assert!(receive::<(String, u32)>(&mut &bytes[..5]).is_err());
        assert!(receive::<String>(&mut &[255u8; 9][..]).is_err());
    }

    #[test]
    fn long_paths_work() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("d".repeat(120));
        std::fs::create_dir(&deep).unwrap();
        let path = deep.join("socket");
        let listener = listen(&path).unwrap();
        connect(&path).unwrap();
        let (peer, _) = listener.accept().unwrap();
        assert_eq!(peer_uid(&peer).unwrap(), super::super::user::uid());
    }
}
