//! The websocket that leads to a node's sshd: `sshd -i` of this machine, as the real server starts it on a Slurm infra.

use super::{http::Request, server::Shared};
use crate::harness::user_name;
use nix::unistd::geteuid;
use serde_json::{Value, json};
use std::{
    fs,
    io::{self, Read, Write},
    net::TcpStream,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
};
use tokio_tungstenite::tungstenite::{
    Message, WebSocket,
    handshake::derive_accept_key,
    protocol::{CloseFrame, Role, frame::coding::CloseCode},
};

/// The websocket's path.
pub const PATH: &str = "/slurm-job-ssh-proxy";

const SSHD: &str = "/usr/sbin/sshd";

/// Why no node of this machine's can be got into; `None`: one can.
pub fn missing() -> Option<&'static str> {
    if !Path::new(SSHD).exists() {
        return Some("there is no sshd (openssh-server)");
    }
    let privileged = Path::new("/run/sshd");
    match geteuid().is_root() && !privileged.exists() && fs::create_dir(privileged).is_err() {
        true => Some("sshd has no /run/sshd"),
        false => None,
    }
}

/// `credentials` of a cluster in `/status`.
pub fn credentials(shared: &Shared) -> Value {
    let key = fs::read_to_string(keys(shared).join("user")).unwrap();
    json!({ "ssh_user": user_name(), "ssh_private_key": "~/.ssh/sky-key", "ssh_private_key_content": key,
            "ssh_control_name": "x", "ssh_proxy_command": null })
}

/// The directory of the server's keys: `user` with `user.pub`, `host` with `host.pub`.
fn keys(shared: &Shared) -> PathBuf {
    let dir = shared.root.join("ssh");
    let _one_at_a_time = shared.lock();
    if !dir.exists() {
        fs::create_dir(&dir).unwrap();
        for name in ["user", "host"] {
            let made =
                Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(dir.join(name)).status();
            assert!(made.unwrap().success());
        }
    }
    dir
}

/// Takes over a connection that asks for a websocket, until it ends.
pub fn serve(shared: &Arc<Shared>, request: &Request, mut connection: TcpStream) -> io::Result<()> {
    let accept = derive_accept_key(request.header("sec-websocket-key").unwrap_or_default().as_bytes());
    let version = shared.lock().settings.api_version;
    write!(
        connection,
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: {accept}\r\nx-skypilot-api-version: {version}\r\n\r\n"
    )?;
    let mut from_client = WebSocket::from_raw_socket(connection.try_clone()?, Role::Server, None);
    let mut to_client = WebSocket::from_raw_socket(connection.try_clone()?, Role::Server, None);
    let cluster = request.query("cluster_name");
    let known = shared.lock().jobs.values().any(|j| j.cluster_is_up && j.own_cluster.as_deref() == Some(cluster));
    if !known {
        let reason = format!("Cluster {cluster} not found").into();
        let _ = to_client.close(Some(CloseFrame { code: CloseCode::Policy, reason }));
        return to_client.flush().map_err(io::Error::other);
    }
    let (ours, theirs) = UnixStream::pair()?;
    let mut sshd = sshd(shared, request.query("worker"), theirs)?;
    let mut output = ours.try_clone()?;
    let back = thread::spawn(move || {
        let mut bytes = vec![0; 4097];
        while let Ok(n @ 1..) = output.read(&mut bytes[1..]) {
            if to_client.send(Message::binary(bytes[..=n].to_vec())).is_err() {
                return;
            }
        }
        let _ = to_client.close(None);
        let _ = to_client.flush();
    });
    let mut input = &ours;
    while let Ok(message) = from_client.read() {
        // The byte in front says that it is data; a server that is sent something else ends the connection.
        let Message::Binary(bytes) = message else { continue };
        let Some((0, data)) = bytes.split_first() else { break };
        if input.write_all(data).is_err() {
            break;
        }
    }
    let _ = sshd.kill();
    let _ = sshd.wait();
    let _ = connection.shutdown(std::net::Shutdown::Both);
    let _ = back.join();
    Ok(())
}

/// An sshd for one connection.
fn sshd(shared: &Shared, worker: &str, socket: UnixStream) -> io::Result<Child> {
    let keys = keys(shared);
    let socket = OwnedFd::from(socket);
    let option = |name: &str, value: &str| format!("{name}={value}");
    let authorized = keys.join("user.pub");
    Command::new(SSHD)
        .args(["-i", "-e", "-f", "/dev/null", "-h"])
        .arg(keys.join("host"))
        .args(["-o", &option("AuthorizedKeysFile", authorized.to_str().unwrap_or_default())])
        .args(["-o", "PasswordAuthentication=no", "-o", "UsePAM=no", "-o", "StrictModes=no"])
        .args(["-o", &option("SetEnv", &format!("SKY_WORKER={worker}"))])
        .stdin(Stdio::from(socket.try_clone()?))
        .stdout(Stdio::from(socket))
        .stderr(Stdio::null())
        .spawn()
}
